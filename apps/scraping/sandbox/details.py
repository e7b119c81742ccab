"""The details of one match: line-ups, absences, and the minutes of goals, cards, substitutions and counts.

Scores and statistics are drawn first (`scores`, `counts`); the details are drawn to fit them, from a random stream
for each match, so that drawing them changes no other number of the world.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from apps.matches.records import AbsenceRecord, IncidentKind, IncidentRecord, LineupRecord, PlayerKey, Side, StatsRecord
from apps.scraping.sandbox.squads import SimulatedPlayer, Squad

HALF: Final = 45
FULL: Final = 94
"""The last minute of a match; stoppage time continues after 90."""
BENCH: Final = 7
FORMATION: Final = {"G": 1, "D": 4, "M": 4, "F": 2}
"""Starters of each line."""

OWN_GOAL_CHANCE: Final = 0.03
PENALTY_CHANCE: Final = 0.08
ASSIST_CHANCE: Final = 0.7
SECOND_YELLOW_CHANCE: Final = 0.4
SCORING_WEIGHTS: Final = {"G": 0, "D": 2, "M": 6, "F": 14}

MOST_ABSENT: Final = 3
"""Per side; each line can still be filled without them."""
REASONS: Final = (
    ("injured", "Out"),
    ("injured", "Out"),
    ("injured", "Doubtful"),
    ("ill", "Doubtful"),
    ("suspended", "Out"),
    ("international duty", "Out"),
)
"""Reason and certainty of an absence in the preview; none of these players plays in the end."""

GOALS: Final = frozenset({IncidentKind.GOAL, IncidentKind.PENALTY, IncidentKind.OWN_GOAL})
SENDINGS_OFF: Final = frozenset({IncidentKind.RED_CARD, IncidentKind.SECOND_YELLOW_CARD})


@dataclass(frozen=True, slots=True)
class SimulatedScore:
    """Goals of both sides at full time and at half time."""

    home: int
    away: int
    home_half: int
    away_half: int


@dataclass(frozen=True, slots=True)
class SimulatedDetails:
    """Line-ups, absences and incidents of one match, and the minutes of its statistics.

    Parameters
    ----------
    lineups : tuple of LineupRecord
        Home side first, of each side the eleven starters first.
    incidents : tuple of IncidentRecord
        In the order of play: goals, cards and substitutions, in agreement with the statistics.
    minutes : mapping of str to tuple of int
        For each counted field of `StatsRecord`, such as ``"home_shots"``, the minute of each one, in order.
    """

    absences: tuple[AbsenceRecord, ...]
    lineups: tuple[LineupRecord, ...]
    incidents: tuple[IncidentRecord, ...]
    minutes: Mapping[str, tuple[int, ...]]


@dataclass(slots=True)
class _Presence:
    """Players of one side, with the minutes from and to which they are on the pitch."""

    starters: list[SimulatedPlayer]
    bench: list[SimulatedPlayer]
    since: dict[str, int]
    until: dict[str, int]

    def at(self, minute: int) -> list[SimulatedPlayer]:
        """Return who was on the pitch for the whole of a minute."""
        return [
            player
            for player in (*self.starters, *self.bench)
            if player.id in self.since and self.since[player.id] < minute < self.until.get(player.id, FULL + 1)
        ]


def draw_details(key: str, squads: tuple[Squad, Squad], score: SimulatedScore, stats: StatsRecord) -> SimulatedDetails:
    """Draw the details of one match; equal keys and statistics give equal details."""
    rng = random.Random(f"story {key}")
    absences: list[AbsenceRecord] = []
    lineups: list[LineupRecord] = []
    incidents: list[IncidentRecord] = []
    presences: dict[Side, _Presence] = {}
    for side, squad in zip(Side, squads, strict=True):
        missing = _absent(rng, squad)
        absences += [AbsenceRecord(_key(player), side, *rng.choice(REASONS)) for player in missing]
        presence = presences[side] = _pick(rng, [player for player in squad if player not in missing])
        lineups += [_entry(player, side, is_starter=True) for player in presence.starters]
        lineups += [_entry(player, side, is_starter=False) for player in presence.bench]
        incidents += _substitutions(rng, side, presence)
        yellow, red = (getattr(stats, f"{side}_{colour}_cards") or 0 for colour in ("yellow", "red"))
        incidents += _cards(rng, side, presence, yellow, red)
    incidents += _goals(rng, presences, score)
    incidents.sort(key=lambda incident: (incident.minute, incident.kind not in GOALS))
    return SimulatedDetails(tuple(absences), tuple(lineups), tuple(incidents), _minutes(rng, stats, incidents))


def _absent(rng: random.Random, squad: Squad) -> list[SimulatedPlayer]:
    """Draw who misses the match; the first goalkeeper never does."""
    return sorted(rng.sample(squad[1:], rng.randint(1, MOST_ABSENT)), key=lambda player: player.shirt_number)


def _pick(rng: random.Random, available: Sequence[SimulatedPlayer]) -> _Presence:
    """Choose starters and bench: mostly the lower shirts, sometimes somebody else."""
    order = sorted(available, key=lambda player: player.shirt_number + 6.0 * rng.random())
    starters = [
        player for line, wanted in FORMATION.items() for player in [p for p in order if p.line == line][:wanted]
    ]
    rest = [player for player in order if player not in starters]
    keepers = [player for player in rest if player.line == "G"][:1]
    bench = keepers + [player for player in rest if player.line != "G"][: BENCH - len(keepers)]
    return _Presence(starters, bench, dict.fromkeys((player.id for player in starters), 0), {})


def _substitutions(rng: random.Random, side: Side, presence: _Presence) -> list[IncidentRecord]:
    """Draw one to three substitutions in the second half and note them in `presence`."""
    made = []
    leaving = rng.sample(presence.starters[1:], rng.randint(1, 3))
    arriving = rng.sample([player for player in presence.bench if player.line != "G"], len(leaving))
    minutes = sorted(rng.sample(range(55, 89), len(leaving)))
    for minute, off, on in zip(minutes, leaving, arriving, strict=True):
        presence.until[off.id], presence.since[on.id] = minute, minute
        made.append(IncidentRecord(IncidentKind.SUBSTITUTION, side, minute, _key(on), _key(off)))
    return made


def _cards(rng: random.Random, side: Side, presence: _Presence, yellow: int, red: int) -> list[IncidentRecord]:
    """Draw the cards of one side; a player is sent off once, and leaves the pitch then."""
    made: list[IncidentRecord] = []
    stayers = [player for player in presence.starters[1:] if player.id not in presence.until]
    sent_off = rng.sample(stayers, red)
    for player in sent_off:
        minute = rng.randint(30, 90)
        presence.until[player.id] = minute
        is_second = yellow > 0 and rng.random() < SECOND_YELLOW_CHANCE
        if is_second:
            yellow -= 1
            made.append(IncidentRecord(IncidentKind.YELLOW_CARD, side, rng.randint(5, minute - 1), _key(player)))
        kind = IncidentKind.SECOND_YELLOW_CARD if is_second else IncidentKind.RED_CARD
        made.append(IncidentRecord(kind, side, minute, _key(player)))
    others = [player for player in (*presence.starters, *presence.bench) if player not in sent_off]
    # Players on the bench may be booked too.
    for player in rng.sample(others, min(yellow, len(others))):
        earliest = presence.since.get(player.id, 10) + 1
        latest = presence.until.get(player.id, FULL) - 1
        made.append(IncidentRecord(IncidentKind.YELLOW_CARD, side, rng.randint(earliest, latest), _key(player)))
    return made


def _goals(rng: random.Random, presences: Mapping[Side, _Presence], score: SimulatedScore) -> list[IncidentRecord]:
    """Draw the goals of both sides, no two in one minute."""
    made = []
    halves = (
        (range(1, HALF + 1), score.home_half, score.away_half),
        (range(HALF + 1, FULL + 1), score.home - score.home_half, score.away - score.away_half),
    )
    for span, home, away in halves:
        minutes = rng.sample(span, home + away)
        for minute, side in zip(minutes, [Side.HOME] * home + [Side.AWAY] * away, strict=True):
            made.append(_goal(rng, presences, side, minute))
    return made


def _goal(rng: random.Random, presences: Mapping[Side, _Presence], side: Side, minute: int) -> IncidentRecord:
    own = presences[side].at(minute)
    if rng.random() < OWN_GOAL_CHANCE:
        unlucky = presences[Side.AWAY if side is Side.HOME else Side.HOME].at(minute)
        return IncidentRecord(IncidentKind.OWN_GOAL, side, minute, _key(rng.choice(unlucky)))
    scorer = rng.choices(own, [SCORING_WEIGHTS[player.line] for player in own])[0]
    if rng.random() < PENALTY_CHANCE:
        return IncidentRecord(IncidentKind.PENALTY, side, minute, _key(scorer))
    passer = rng.choice([player for player in own if player is not scorer])
    helped = rng.random() < ASSIST_CHANCE
    return IncidentRecord(IncidentKind.GOAL, side, minute, _key(scorer), _key(passer) if helped else None)


def _minutes(rng: random.Random, stats: StatsRecord, incidents: Iterable[IncidentRecord]) -> dict[str, tuple[int, ...]]:
    """Return when each shot, corner and foul happened; a side's goals were shots on target, its own goals were not."""
    found: dict[str, tuple[int, ...]] = {}
    for side in Side:
        scored = [
            incident.minute
            for incident in incidents
            if incident.side is side and incident.kind in (IncidentKind.GOAL, IncidentKind.PENALTY)
        ]
        on_target = scored + _any(rng, (getattr(stats, f"{side}_shots_on_target") or 0) - len(scored))
        shots = on_target + _any(rng, (getattr(stats, f"{side}_shots") or 0) - len(on_target))
        found[f"{side}_shots"] = tuple(sorted(shots))
        found[f"{side}_shots_on_target"] = tuple(sorted(on_target))
        for name in (f"{side}_corners", f"{side}_fouls"):
            found[name] = tuple(sorted(_any(rng, getattr(stats, name) or 0)))
    return found


def _any(rng: random.Random, count: int) -> list[int]:
    return [rng.randint(1, FULL) for _ in range(count)]


def _entry(player: SimulatedPlayer, side: Side, *, is_starter: bool) -> LineupRecord:
    position = player.position if is_starter else "Sub"
    return LineupRecord(_key(player), side, is_starter, position, player.shirt_number)


def _key(player: SimulatedPlayer) -> PlayerKey:
    return PlayerKey(player.id, player.name)
