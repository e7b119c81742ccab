"""Line-ups: the strength of a side's eleven compared with its usual eleven, and missing players.

A player's rating is in goals: each match moves the ratings of all starters by a share of the difference between actual
and expected goal difference. This is the plus-minus of team sports in its simplest form,
one step of the regression at a match instead of a fit of all of them: Hvattum (2019), "A comprehensive review of
plus-minus ratings for evaluating individual players in team sports", Int. J. Computer Science in Sport 18(1), 1-23;
Kharrat, McHale and Peña (2020), "Plus-minus player ratings for soccer", European J. Operational Research 283, 726-736.
Players who always start together get the same changes; their ratings differ by the matches that one missed.

The usual eleven of a club are the players who recently started most of its matches. A line-up counts as history with
the result of its match. For a fixture only what was known before `as_of` counts: the starters once they are published,
and reported absences before that; doubtful players are expected to play.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats, Integers, Records
from apps.ml.forecasting.features.catalogue import SIDES, Feature, sided
from apps.ml.forecasting.features.events import DESCRIBE, OBSERVE, UNSEEN, Events, Sizes, Slots, grown
from apps.ml.forecasting.features.schema import ROLES
from apps.ml.forecasting.kernels import njit

ELEVEN: Final = 11

FEWEST: Final = 7
"""Fewest starters of a valid line-up: a match needs seven players (Laws of the Game, law 3)."""

SQUAD: Final = 40
"""Players of a club whose starts are counted; a new one replaces the one with the fewest starts."""

STARTER: Final = ROLES.index("starter")
ABSENT: Final = ROLES.index("absent")
DOUBTFUL: Final = ROLES.index("doubtful")

ROW: Final = np.dtype(
    [
        ("match", np.int64),
        ("known", np.int64),  # microseconds since 1970 in UTC
        ("player_id", np.int64),
        ("player", np.int64),  # slot
        ("source", np.int64),  # place in the order of names
        ("side", np.int64),  # 0 home, 1 away
        ("role", np.int64),  # place in ROLES
    ]
)
"""One player of one side of one match."""

PLAYER: Final = np.dtype([("rating", np.float64), ("played", np.int64)])
"""State of a player: goals by which a side of such players beats an average side, matches started."""

CLUB: Final = np.dtype([("known", np.int64), ("player", np.int64, (SQUAD,)), ("share", np.float64, (SQUAD,))])
"""State of a club: a bit for each of its latest matches, the latest last, set where the line-up is known; slots of its
players; their decayed shares of starts, 0 for an empty place."""

STATS: Final = ("usual", "strength", "missing")
"""Numbers of both sides and their difference, in the order of the columns."""


class LineupConstants(NamedTuple):
    """Numbers of the family, from ``features.lineups`` of the parameters."""

    latest: int  # latest matches over which coverage is counted, 62 at most
    keep: float  # factor on the starts of a club's players at each of its matches
    rate: float  # share of a surprise that ratings take
    edge_rate: float  # the same of the home edge
    margin_cap: float  # goals; a wider win counts as this
    level_gap: float  # goals that the first players of a club begin lower for each level below the first


class LineupFeatures:
    """Strength of the usual and of the named eleven, usual starters who are missing, and how much is known.

    The state is an array of `PLAYER`, one of `CLUB`, both only for those in observed line-ups, and the home edge in
    goals, which begins at the parameter ``edge``. It is empty in a world without line-ups.
    """

    name = "lineups"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._constants = LineupConstants(
            latest=int(params["latest"]),
            keep=0.5 ** (1.0 / float(params["half_life"])),
            rate=float(params["rate"]),
            edge_rate=float(params["edge_rate"]),
            margin_cap=float(params["margin_cap"]),
            level_gap=float(params["level_gap"]),
        )
        if not 1 <= self._constants.latest <= 62:
            raise ValueError(f"lineups: {self._constants.latest} latest matches do not fit into 62 bits")
        self._edge = np.array([float(params["edge"])])
        self._player_slots, self._club_slots = Slots(), Slots()
        self._players = np.zeros(1, dtype=PLAYER)
        self._clubs = np.zeros(1, dtype=CLUB)
        self._rows = _rows(None)

    @property
    def has_history(self) -> bool:
        """Whether a line-up was ever observed."""
        return len(self._club_slots) > 1

    def features(self) -> tuple[Feature, ...]:
        strength = "mean rating of the eleven who begin, or of those expected to, less that of the usual eleven"
        missing = "players of the usual eleven who do not begin, or are reported missing"
        rows = [
            *sided("lineup_usual", self.name, "all", None, "goals of advantage", "mean rating of the usual eleven"),
            *sided("lineup_strength", self.name, "all", None, "goals of advantage", strength),
            *sided("lineup_missing", self.name, "all", None, "players", missing),
        ]
        for side in SIDES[:2]:
            meaning = f"1 where the eleven of the {side} side is named, 0 where it is not yet"
            rows.append(Feature(f"lineup_named_{side}", self.name, side, "all", None, "yes or no", meaning))
        for side in SIDES[:2]:
            window = self._constants.latest
            meaning = f"share of the {window} latest matches of the {side} side whose line-up is known"
            rows.append(Feature(f"lineup_coverage_{side}", self.name, side, "all", window, "share", meaning))
        return tuple(rows)

    def set_lineups(self, lineups: pd.DataFrame | None) -> None:
        """Set the line-ups for the next fold: columns of `schema.LINEUPS`, or None."""
        self._rows = _rows(lineups)

    def fold(self, events: Events, sizes: Sizes, out: Floats, first: int) -> None:
        if not self._rows.size and not self.has_history:
            # Without any line-up: NaN, and a coverage of 0.
            coverage = first + len(STATS) * len(SIDES) + 2
            out[:, first:coverage] = np.nan
            out[:, coverage : coverage + 2] = 0.0
            return
        starts = np.searchsorted(self._rows["match"], events["match"], side="left")
        counts = np.searchsorted(self._rows["match"], events["match"], side="right") - starts
        # Line-up rows in the order of events.
        stops = np.cumsum(counts)
        rows = self._rows[np.arange(counts.sum()) - np.repeat(stops - counts - starts, counts)]
        self._learn(events, rows, np.repeat(np.arange(events.size), counts))
        rows["player"] = self._player_slots.find(rows["player_id"])
        clubs = np.stack([self._club_slots.find(events["team_id"][:, side]) for side in range(2)], axis=1)
        self._players = grown(self._players, np.zeros(1, dtype=PLAYER), len(self._player_slots))
        self._clubs = grown(self._clubs, np.zeros(1, dtype=CLUB), len(self._club_slots))
        whose = (events, clubs, rows, stops - counts, stops)
        _fold(self._players, self._clubs, self._edge, self._constants, *whose, out, first)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {
            "players": self._players,
            "player_ids": np.array(self._player_slots.ids, dtype=np.int64),
            "clubs": self._clubs,
            "club_ids": np.array(self._club_slots.ids, dtype=np.int64),
            "edge": self._edge,
        }

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._players, self._clubs, self._edge = arrays["players"], arrays["clubs"], arrays["edge"]
        self._player_slots = Slots(arrays["player_ids"].tolist())
        self._club_slots = Slots(arrays["club_ids"].tolist())

    def _learn(self, events: Events, rows: Records, owner: Integers) -> None:
        """Assign slots to players and clubs in observed line-ups, in the order of events."""
        observed = events["kind"][owner] == OBSERVE
        begins = observed & (rows["role"] == STARTER) & (rows["known"] <= events["at"][owner])
        self._player_slots.learn(rows["player_id"][begins])
        self._club_slots.learn(events["team_id"][owner[begins], rows["side"][begins]])


def _rows(lineups: pd.DataFrame | None) -> NDArray[Any]:
    """Return line-ups as an array of `ROW`, sorted by (match, source, side, role, player)."""
    rows = np.zeros(0 if lineups is None else len(lineups), dtype=ROW)
    if lineups is None or not rows.size:
        return rows
    rows["match"] = lineups["match_id"].to_numpy(dtype=np.int64)
    rows["known"] = lineups["known_at"].to_numpy(dtype="datetime64[us]").view(np.int64)
    rows["player_id"] = lineups["player_id"].to_numpy(dtype=np.int64)
    rows["source"] = pd.factorize(lineups["source"].to_numpy(dtype=object), sort=True)[0]
    rows["side"] = lineups["side"].to_numpy(dtype=object) == "away"
    roles, names = pd.factorize(lineups["role"].to_numpy(dtype=object))
    rows["role"] = np.array([ROLES.index(name) for name in names], dtype=np.int64)[roles]
    return rows[np.lexsort([rows[name] for name in ("player_id", "role", "side", "source", "match")])]


@njit(cache=True, nogil=True)
def named_starters(lineup: Records, side: int, before: int, eleven: Integers) -> int:
    """Write the slots of the starters that the first source published before a moment; return their number."""
    place = 0
    while place < lineup.size:
        source, count = lineup[place].source, 0
        while place < lineup.size and lineup[place].source == source:
            row = lineup[place]
            if row.side == side and row.role == STARTER and row.known < before:
                if count < ELEVEN:
                    eleven[count] = row.player
                count += 1
            place += 1
        if FEWEST <= count <= ELEVEN:
            return count
    return 0


@njit(cache=True, nogil=True)
def mark_reported(lineup: Records, side: int, before: int, club: Any, missing: NDArray[np.bool_]) -> bool:
    """Mark the players of a squad that the first source reports missing; return False without any report.

    A source with a report on one side is assumed to cover both.
    """
    missing[:] = False
    place = 0
    while place < lineup.size:
        source, has_report = lineup[place].source, False
        while place < lineup.size and lineup[place].source == source:
            row = lineup[place]
            if row.role >= ABSENT and row.known < before:
                has_report = True
                if row.role == ABSENT and row.side == side and row.player != UNSEEN:
                    for seat in range(SQUAD):
                        if club.player[seat] == row.player:
                            missing[seat] = True
            place += 1
        if has_report:
            return True
    return False


@njit(cache=True, nogil=True)
def usual_starters(club: Any, missing: NDArray[np.bool_], eleven: Integers) -> int:
    """Write the slots of the players with the most recent starts who are not missing; return their number."""
    count = 0
    taken = missing.copy()
    while count < ELEVEN:
        best = -1
        for seat in range(SQUAD):
            if not taken[seat] and club.share[seat] > 0.0 and (best < 0 or club.share[seat] > club.share[best]):
                best = seat
        if best < 0:
            break
        taken[best] = True
        eleven[count] = club.player[best]
        count += 1
    return count


@njit(cache=True, nogil=True)
def mean_rating(players: Records, eleven: Integers, count: int, otherwise: float) -> float:
    """Return the mean rating of the first `count` players; those without a start have the rating `otherwise`."""
    total = 0.0
    for index in range(count):
        player = players[eleven[index]]
        total += player.rating if player.played > 0 else otherwise
    return total / count


@njit(cache=True, nogil=True)
def count_starts(club: Any, keep: float, eleven: Integers, count: int) -> None:
    """Count the starts of one match of a club."""
    for seat in range(SQUAD):
        club.share[seat] *= keep
    for index in range(count):
        own, least = -1, 0
        for seat in range(SQUAD):
            if club.share[seat] > 0.0 and club.player[seat] == eleven[index]:
                own = seat
            if club.share[seat] < club.share[least]:
                least = seat
        if own < 0:
            own = least
            club.player[own] = eleven[index]
            club.share[own] = 0.0
        club.share[own] += 1.0 - keep


@njit(cache=True, nogil=True)
def observe(
    players: Records,
    clubs: Records,
    edge: Floats,
    constants: LineupConstants,
    result: Any,
    own: Integers,
    lineup: Records,
    elevens: Integers,
    missing: NDArray[np.bool_],
) -> None:
    """Update the ratings of the starters, if both elevens are known, and count their starts."""
    counts = np.zeros(2, dtype=np.int64)
    means = np.zeros(2)
    for side in range(2):
        club = clubs[own[side]]
        counts[side] = named_starters(lineup, side, result.at + 1, elevens[side])
        if own[side] != UNSEEN:
            club.known = ((club.known << 1) | (1 if counts[side] > 0 else 0)) & ((1 << constants.latest) - 1)
        if counts[side] == 0:
            continue
        missing[:] = False
        count = usual_starters(club, missing, elevens[2])
        start = -constants.level_gap * (max(result.level, 1) - 1)
        if count > 0:
            start = mean_rating(players, elevens[2], count, 0.0)
        means[side] = mean_rating(players, elevens[side], counts[side], start)
        for place in range(counts[side]):
            player = players[elevens[side, place]]
            if player.played == 0:
                player.rating = start
            player.played += 1
        count_starts(club, constants.keep, elevens[side], counts[side])
    if counts[0] == 0 or counts[1] == 0:
        return
    margin = min(max(result.goals[0] - result.goals[1], -constants.margin_cap), constants.margin_cap)
    surprise = margin - (means[0] - means[1])
    if not result.neutral:
        surprise -= edge[0]
        edge[0] += constants.edge_rate * surprise
    for side in range(2):
        for place in range(counts[side]):
            players[elevens[side, place]].rating += constants.rate * (surprise if side == 0 else -surprise)


@njit(cache=True, nogil=True)
def describe(
    players: Records,
    clubs: Records,
    constants: LineupConstants,
    fixture: Any,
    own: Integers,
    lineup: Records,
    elevens: Integers,
    missing: NDArray[np.bool_],
    out: Floats,
) -> None:
    """Write usual and named strength and the missing of both sides, NaN where it is not known, and the coverage."""
    out[: 3 * len(STATS) + 2] = np.nan
    for side in range(2):
        club = clubs[own[side]]
        known = 0
        for back in range(constants.latest):
            known += (club.known >> back) & 1
        out[11 + side] = known / constants.latest
        missing[:] = False
        regulars = usual_starters(club, missing, elevens[2])
        if regulars < FEWEST:
            continue
        mean = mean_rating(players, elevens[2], regulars, 0.0)
        out[side] = mean
        count = named_starters(lineup, side, fixture.at, elevens[side])
        out[9 + side] = 1.0 if count > 0 else 0.0
        if count > 0:
            out[3 + side] = mean_rating(players, elevens[side], count, mean) - mean
            out[6 + side] = regulars - _shared(elevens[2], regulars, elevens[side], count)
        elif mark_reported(lineup, side, fixture.at, club, missing):
            count = usual_starters(club, missing, elevens[side])
            if count > 0:
                out[3 + side] = mean_rating(players, elevens[side], count, mean) - mean
                out[6 + side] = regulars - _shared(elevens[2], regulars, elevens[side], count)
    for stat in range(len(STATS)):
        out[3 * stat + 2] = out[3 * stat] - out[3 * stat + 1]


@njit(cache=True, nogil=True)
def _shared(one: Integers, first: int, other: Integers, second: int) -> int:
    """Return how many players two lists have in common."""
    count = 0
    for index in range(first):
        for where in range(second):
            if one[index] == other[where]:
                count += 1
    return count


@njit(cache=True, nogil=True)
def _fold(
    players: Records,
    clubs: Records,
    edge: Floats,
    constants: LineupConstants,
    events: Events,
    own: Integers,
    rows: Records,
    starts: Integers,
    stops: Integers,
    out: Floats,
    first: int,
) -> None:
    elevens = np.zeros((3, ELEVEN), dtype=np.int64)
    missing = np.zeros(SQUAD, dtype=np.bool_)
    for number in range(events.size):
        event, lineup = events[number], rows[starts[number] : stops[number]]
        if event.kind == OBSERVE:
            observe(players, clubs, edge, constants, event, own[number], lineup, elevens, missing)
        elif event.kind == DESCRIBE:
            describe(players, clubs, constants, event, own[number], lineup, elevens, missing, out[event.row, first:])
