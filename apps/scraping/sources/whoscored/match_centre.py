"""The match centre: line-ups, a summary of events, statistics, half-time score, attendance and referee."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from apps.matches.records import (
    MINUTES_LIMIT,
    IncidentKind,
    IncidentRecord,
    LineupRecord,
    MatchDetails,
    MatchRecord,
    PlayerKey,
    Side,
    StatsRecord,
)
from apps.scraping.sources.base import Page, ParseError, Reading, RefusedRow, shorten
from apps.scraping.sources.whoscored.incidents import as_minute, as_player, details_known_at
from apps.scraping.sources.whoscored.pages import as_count, as_name, as_text, as_words, assigned, required

ARGUMENTS: Final = re.compile(r"\brequire\.config\.params\s*(?:\[\s*[\"']args[\"']\s*\]|\.args)\s*=\s*")

SCORE: Final = re.compile(r"(\d{1,2})\s{0,3}:\s{0,3}(\d{1,2})")

STATISTICS: Final = {
    "shots": ("shotsTotal",),
    "shots_on_target": ("shotsOnTarget",),
    "corners": ("cornersTotal",),
    "fouls": ("foulsCommited", "foulsCommitted"),
}
"""Keys of the page by the fields of `StatsRecord`; the site writes *commited*."""

CARDS: Final = {
    "Yellow": IncidentKind.YELLOW_CARD,
    "SecondYellow": IncidentKind.SECOND_YELLOW_CARD,
    "Red": IncidentKind.RED_CARD,
}
GOALS: Final = frozenset({IncidentKind.GOAL, IncidentKind.PENALTY, IncidentKind.OWN_GOAL})

SHOOT_OUT: Final = "PenaltyShootout"
HIGHEST_COUNT: Final = 1_000
"""No match has as many shots, corners or fouls."""


def read_match_centre(page: Page, match: MatchRecord) -> Reading:
    """Return the feed's record of a match, completed by its match centre.

    Parameters
    ----------
    page : Page
    match : MatchRecord
        From the feed, finished, with the feed's goals and cards in its details.

    Returns
    -------
    Reading
        One record; or one refusal, if the page is of another match or shows another score. A match that is not covered
        gives the feed's record and a note.

    Raises
    ------
    ParseError
        When the page is not a match centre.
    """
    arguments = assigned(as_text(page.content, page.url), ARGUMENTS, 'require.config.params["args"]', page.url)
    if not isinstance(arguments, dict) or "matchCentreData" not in arguments:
        raise ParseError("key matchCentreData", page.url)
    if arguments["matchCentreData"] is None:
        return Reading([match], notes={"matches without a match centre": 1})
    data = arguments["matchCentreData"]
    home, away = (_Team.of(required(data, side.value, dict, page.url), page.url) for side in Side)
    reason = _contradiction(arguments, data, home, away, match)
    if reason:
        row = [match.source_id, match.home_team, match.away_team]
        return Reading(refused=[RefusedRow(page.url, 1, reason, shorten(row), is_contradiction=True)])
    notes: Counter[str] = Counter()
    details = MatchDetails(
        details_known_at(match.kickoff_at, page.fetched_at),
        lineups=_lineups(home, away, notes),
        incidents=_incidents(data, home, away, match, notes),
    )
    half_time = _half_time(data, match, notes)
    record = replace(
        match,
        home_goals_half_time=half_time[0],
        away_goals_half_time=half_time[1],
        stats=_statistics(data, home, away, match, notes),
        details=details,
    )
    return Reading([record], notes=dict(notes))


@dataclass(frozen=True, slots=True)
class _Team:
    """Id, players and statistics of one side, as written in the page."""

    team_id: int
    players: list[Any]
    stats: Mapping[str, Any]

    @classmethod
    def of(cls, data: Mapping[str, Any], where: str) -> _Team:
        team_id, stats = as_count(data.get("teamId")), data.get("stats")
        if team_id is None:
            raise ParseError("key teamId", where)
        return cls(team_id, required(data, "players", list, where), stats if isinstance(stats, dict) else {})


def _contradiction(
    arguments: Mapping[str, Any], data: Mapping[str, Any], home: _Team, away: _Team, match: MatchRecord
) -> str:
    """Return how the page contradicts the feed, empty if it does not."""
    match_id = as_count(arguments.get("matchId"))
    if match_id is not None and str(match_id) != match.source_id:
        return f"the page is of match {match_id}"
    if (str(home.team_id), str(away.team_id)) != (match.home_team_id, match.away_team_id):
        return f"the page has the teams {home.team_id} and {away.team_id}"
    full_time = match.home_goals, match.away_goals
    extra_time = match.home_goals_extra_time, match.away_goals_extra_time
    total = full_time if None in extra_time else extra_time
    expected = {"ftScore": full_time, "score": total, "etScore": extra_time}
    for key, goals in expected.items():
        shown = _score(data.get(key))
        if shown is not None and None not in goals and shown != goals:
            return f"{key} {shown[0]}:{shown[1]} contradicts the feed's {goals[0]}:{goals[1]}"
    return ""


def _score(value: Any) -> tuple[int, int] | None:
    found = SCORE.search(value) if isinstance(value, str) else None
    return (int(found[1]), int(found[2])) if found else None


def _half_time(data: Mapping[str, Any], match: MatchRecord, notes: Counter[str]) -> tuple[int, int] | tuple[None, None]:
    half_time = _score(data.get("htScore"))
    if half_time is None or match.home_goals is None or match.away_goals is None:
        return None, None
    if half_time[0] > match.home_goals or half_time[1] > match.away_goals:
        notes["half-time scores dropped"] += 1
        return None, None
    return half_time


def _statistics(
    data: Mapping[str, Any], home: _Team, away: _Team, match: MatchRecord, notes: Counter[str]
) -> StatsRecord:
    """Return the feed's cards and the page's counts; an attendance of 0 means that it is unknown.

    The page leaves out what a side never did. Where it has counts of both sides, and two kinds of them at least, it
    reports the match in full, and what is left out is zero.
    """
    sides = [{field: _written(team.stats, keys) for field, keys in STATISTICS.items()} for team in (home, away)]
    has = [{field for field, increments in side.items() if increments is not None} for side in sides]
    missing: Mapping[str, Any] | None = {} if all(has) and len(has[0] | has[1]) > 1 else None
    counts = {
        f"{side}_{field}": _sum(missing if increments is None else increments, notes)
        for side, written in zip(("home", "away"), sides, strict=True)
        for field, increments in written.items()
    }
    attendance = as_count(data.get("attendance")) or None
    return replace(match.stats or StatsRecord(), **counts, attendance=attendance, referee=as_name(data.get("referee")))


def _written(stats: Mapping[str, Any], keys: tuple[str, ...]) -> dict[str, Any] | None:
    """Return a statistic's increments by minute, None if the page does not have it."""
    return next((stats[key] for key in keys if isinstance(stats.get(key), dict)), None)


def _sum(increments: Mapping[str, Any] | None, notes: Counter[str]) -> int | None:
    """Return the sum of increments; None if there are none to sum, or if they are not counts."""
    if increments is None:
        return None
    counts = [as_count(increment) for increment in increments.values()]
    total = sum(count for count in counts if count is not None)
    if None in counts or total > HIGHEST_COUNT:
        notes["counts dropped"] += 1
        return None
    return total


def _lineups(home: _Team, away: _Team, notes: Counter[str]) -> tuple[LineupRecord, ...]:
    """Return the squads of both sides in the order of the page."""
    found: dict[str, LineupRecord] = {}
    for side, team in ((Side.HOME, home), (Side.AWAY, away)):
        for entry in team.players:
            player = as_player(entry.get("playerId"), entry.get("name")) if isinstance(entry, dict) else None
            if player is None or player.source_player_id in found:
                notes["players left out of the line-ups"] += 1
                continue
            found[player.source_player_id] = LineupRecord(
                player,
                side,
                is_starter=entry.get("isFirstEleven") is True,
                position=as_words(entry.get("position"))[:20],
                shirt_number=as_count(entry.get("shirtNo")),
            )
    return tuple(found.values())


def _incidents(
    data: Mapping[str, Any], home: _Team, away: _Team, match: MatchRecord, notes: Counter[str]
) -> tuple[IncidentRecord, ...]:
    """Return goals, cards and substitutions: the events of the page if they agree with the score, else the feed's.

    The feed counts minutes from 1, and the events of genuine pages count them from 0: if all their goals are one minute
    before the feed's, all events are moved by a minute, so that a goal has the same minute in both.
    """
    of_feed = match.details.incidents if match.details else ()
    events = data.get("events")
    if not isinstance(events, list) or not events:
        return of_feed
    names = _names(data, home, away)
    sides = {home.team_id: Side.HOME, away.team_id: Side.AWAY}
    found = [record for event in events if (record := _incident(event, sides, names)) is not None]
    goals = [record for record in found if record.kind in GOALS]
    scored = (sum(goal.side is Side.HOME for goal in goals), len(goals) - sum(goal.side is Side.HOME for goal in goals))
    total = match.home_goals_extra_time, match.away_goals_extra_time
    if scored != ((match.home_goals, match.away_goals) if None in total else total):
        notes["events that contradict the score"] += 1
        return of_feed
    earlier, later = (sorted(goal.minute for goal in goals), sorted(r.minute for r in of_feed if r.kind in GOALS))
    moved = int(earlier == [minute - 1 for minute in later])
    return tuple(replace(record, minute=min(record.minute + moved, MINUTES_LIMIT)) for record in found)


def _names(data: Mapping[str, Any], home: _Team, away: _Team) -> dict[int, str]:
    """Return the players' names by id."""
    dictionary = data.get("playerIdNameDictionary")
    pairs = list(dictionary.items()) if isinstance(dictionary, dict) else []
    pairs += [(p.get("playerId"), p.get("name")) for p in (*home.players, *away.players) if isinstance(p, dict)]
    return {number: as_words(name) for key, name in pairs if (number := as_count(key)) is not None}


def _incident(event: Any, sides: Mapping[int, Side], names: Mapping[int, str]) -> IncidentRecord | None:
    """Return a goal, card or substitution; None for any other event, such as a pass or a penalty of a shoot-out."""
    if not isinstance(event, dict):
        return None
    what, minute = as_name(event.get("type")), as_minute(event.get("minute"))
    side = sides.get(as_count(event.get("teamId")) or -1)
    if what not in ("Goal", "Card", "SubstitutionOn") or side is None or minute is None:
        return None
    if as_name(event.get("period")) == SHOOT_OUT:
        return None
    player = _player(event.get("playerId"), names)
    related = _player(event.get("relatedPlayerId"), names)
    if what == "SubstitutionOn":
        return IncidentRecord(IncidentKind.SUBSTITUTION, side, minute, player, related)
    qualifiers = _qualifiers(event)
    if what == "Card":
        card = next((CARDS[name] for name in (as_name(event.get("cardType")), *qualifiers) if name in CARDS), None)
        return IncidentRecord(card, side, minute, player) if card else None
    if event.get("isOwnGoal") is True or "OwnGoal" in qualifiers:
        side = Side.AWAY if side is Side.HOME else Side.HOME
        return IncidentRecord(IncidentKind.OWN_GOAL, side, minute, player)
    kind = IncidentKind.PENALTY if "Penalty" in qualifiers else IncidentKind.GOAL
    return IncidentRecord(kind, side, minute, player, related if kind is IncidentKind.GOAL else None)


def _qualifiers(event: Mapping[str, Any]) -> list[str]:
    listed = event.get("qualifiers")
    return [
        as_name(entry.get("type")) for entry in (listed if isinstance(listed, list) else []) if isinstance(entry, dict)
    ]


def _player(identity: Any, names: Mapping[int, str]) -> PlayerKey | None:
    number = as_count(identity)
    return as_player(number, names.get(number)) if number is not None else None
