"""The league table at the time: place, points, and what is at stake for both sides.

A stake is the signed distance in points to a line of the table (title, Europe or promotion, relegation), divided by the
remaining matches: more than 3 is out of reach. The leverage of a match is the difference between a win and a defeat in
the probability of ending above the line, if the points of the club and its rival at the line were random from then on.
Points that leagues took or gave, and results by verdict, count from the moment they were known; no strength is learnt
from them. The lines are those of `places`. The length of a season is that of the one before, or a double round; future
fixtures are never counted, because sources publish them at different times.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from apps.ml.forecasting.arrays import Floats, Integers, Records
from apps.ml.forecasting.features.catalogue import SIDES, Feature, Side
from apps.ml.forecasting.features.events import DESCRIBE, OBSERVE, Events
from apps.ml.forecasting.features.family import TeamsAndCompetitions, constants_from
from apps.ml.forecasting.features.places import LINES
from apps.ml.forecasting.kernels import njit

MOST_TEAMS: Final = 64
"""Largest number of clubs of a season."""

FROM_THE_END: Final = 3
"""Number of the first line that counts from the end of the table."""

HALF_A_WIN: Final = 1.5
"""Half of the points of a win."""

NO_POINTS: Final = 1.3
"""Points per match of a side before its first match: about the overall mean."""

LINE_NAMES: Final = {
    "title": "the title",
    "first": "the highest European competition, or direct promotion",
    "second": "any European competition, or the promotion play-offs",
    "play_off": "having to play for staying in the league",
    "down": "going down at once",
}

TEAM: Final = np.dtype(
    [
        ("season", np.int64),
        ("level", np.int64),
        ("before", np.int64),
        ("tenure", np.int64),
        ("played", np.int64),
        ("points", np.int64),
        ("difference", np.int64),
        ("scored", np.int64),
    ]
)
"""State of a team: id of its league season and its level, level before (0 unknown), seasons in a row at this level or
above, and its line of the table."""

COMPETITION: Final = np.dtype(
    [
        ("season", np.int64),
        ("before", np.int64),
        ("teams", np.int64),
        ("member", np.int64, (MOST_TEAMS,)),
        ("rounds", np.int64),
        ("rounds_before", np.int64),
        ("teams_before", np.int64),
    ]
)
"""State of a competition: ids of this season and the one before, slots of its teams, most matches of a team, and both
numbers of the season before."""


ADJUSTMENT: Final = np.dtype(
    [
        ("season", np.int64),
        ("team", np.int64),
        ("at", np.int64),
        ("points", np.int64),
        ("played", np.int64),
        ("difference", np.int64),
        ("scored", np.int64),
    ]
)
"""What changes the line of a team besides observed results: id of the season, the team, when it was known
(microseconds since 1970 in UTC), and what it adds."""


class LeagueTableConstants(NamedTuple):
    """Numbers of the family, from ``features.table`` of the parameters."""

    cap: float  # points per match left beyond which a line is equally far
    tenure_cap: int  # seasons at a level beyond which further ones make no difference
    match_variance: float  # variance of the points of a club in a match
    tie_variance: float  # the same of what decides between clubs that are level


class LeagueTable(TeamsAndCompetitions):
    """Place, points, progress of the season, promotion and relegation, and stakes of both sides."""

    name = "table"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._constants = constants_from(params, LeagueTableConstants)
        self._adjustments = np.zeros(0, dtype=ADJUSTMENT)
        super().__init__(np.zeros(1, dtype=TEAM), np.zeros(1, dtype=COMPETITION))

    def set_adjustments(self, adjustments: Records) -> None:
        """Replace the adjustments, an array of `ADJUSTMENT` sorted by season; teams are slots."""
        self._adjustments = adjustments

    def features(self) -> tuple[Feature, ...]:
        sided = [
            ("table_place", "share", "place in the table, 0 the first and 1 the last; one half before the first match"),
            ("table_points", "points per match", "points per match of the season"),
            ("table_margin", "goals of advantage", "goal difference per match of the season"),
            ("table_left", "matches", "matches that are left of the season, this one included"),
            ("table_moved", "levels", "levels that the side came up by before the season, negative when it went down"),
            ("table_tenure", "seasons", "seasons in a row at this level or above, capped"),
            *(
                (
                    f"stake_{line}",
                    "points per match left",
                    f"points ahead of (or behind) the line of {LINE_NAMES[line]}",
                )
                for line in LINES
            ),
            *(
                (f"leverage_{line}", "probability", f"what a win changes, against a defeat, in {LINE_NAMES[line]}")
                for line in LINES
            ),
            ("leverage_most", "probability", "largest leverage of the match over the lines of the table"),
            ("leverage_root", "root of a probability", "square root of the largest leverage"),
        ]
        rows = [
            Feature(f"{name}_{side}", self.name, side, "season", None, unit, f"{side} side: {meaning}")
            for name, unit, meaning in sided
            for side in SIDES[:2]
        ]
        match: Side = "match"
        meaning = "share of the season that the sides have behind them"
        rows.append(Feature("table_progress", self.name, match, "season", None, "share", meaning))
        return tuple(rows)

    def _fold(self, events: Events, out: Floats, first: int) -> None:
        _fold(self._teams, self._competitions, self._constants, self._adjustments, events, out, first)


@njit(cache=True)
def _begin(competition: Any, season: int) -> None:
    """Start a new season."""
    competition.before = competition.season
    competition.rounds_before = competition.rounds
    competition.teams_before = competition.teams
    competition.season = season
    competition.teams = 0
    competition.rounds = 0


@njit(cache=True)
def _join(team: Any, slot: int, competition: Any, level: int, constants: LeagueTableConstants) -> None:
    """Enter a team into the table of the season."""
    team.before = team.level
    stayed = team.level > 0 and team.level <= level
    team.tenure = min(team.tenure + 1, constants.tenure_cap) if stayed else 0
    team.level = level
    team.season = competition.season
    team.played = 0
    team.points = 0
    team.difference = 0
    team.scored = 0
    competition.member[competition.teams] = slot
    competition.teams += 1


@njit(cache=True)
def observe(teams: Records, competitions: Records, constants: LeagueTableConstants, result: Any) -> None:
    """Count a result of a league's regular season; late results of the season before are ignored."""
    competition = competitions[result.competition]
    if result.level < 1 or not result.regular or (result.season == competition.before and competition.before != 0):
        return
    if result.season != competition.season:
        _begin(competition, result.season)
    for side in range(2):
        team = teams[result.team[side]]
        if team.season != result.season:
            if competition.teams == MOST_TEAMS:
                return
            _join(team, result.team[side], competition, result.level, constants)
    margin = result.goals[0] - result.goals[1]
    for side in range(2):
        team = teams[result.team[side]]
        own = margin if side == 0 else -margin
        team.played += 1
        team.points += 3 if own > 0 else (1 if own == 0 else 0)
        team.difference += int(own)
        team.scored += int(result.goals[side])
        competition.rounds = max(competition.rounds, team.played)


@njit(cache=True)
def _adjust(teams: Records, adjustments: Records, fixture: Any, sign: int) -> None:
    """Add to the lines of the fixture's season what had changed them by then besides results, or take it off again."""
    for number in range(np.searchsorted(adjustments["season"], fixture.season), adjustments.size):
        adjustment = adjustments[number]
        if adjustment.season != fixture.season:
            return
        team = teams[adjustment.team]
        if adjustment.at < fixture.at and team.season == fixture.season:
            team.points += sign * adjustment.points
            team.played += sign * adjustment.played
            team.difference += sign * adjustment.difference
            team.scored += sign * adjustment.scored


@njit(cache=True)
def rounds_of(competition: Any, is_this_season: bool) -> int:
    """Return the expected number of matches of a team in the season."""
    teams = competition.teams if is_this_season else 0
    before = competition.teams_before if is_this_season else competition.teams
    rounds = competition.rounds_before if is_this_season else competition.rounds
    if rounds > 0 and teams <= before:
        return max(rounds, competition.rounds if is_this_season else 0)
    return max(2 * (teams - 1), competition.rounds if is_this_season else 0)


@njit(cache=True)
def _is_ahead(one: Any, other: Any) -> bool:
    """Whether a team ranks above another: by points, goal difference, goals."""
    if one.points != other.points:
        return bool(one.points > other.points)
    if one.difference != other.difference:
        return bool(one.difference > other.difference)
    return bool(one.scored > other.scored)


@njit(cache=True)
def _ranked(teams: Records, competition: Any, points: Integers) -> None:
    """Write the points of the season's teams from the highest to the lowest."""
    for number in range(competition.teams):
        own = teams[competition.member[number]].points
        place = number
        while place > 0 and points[place - 1] < own:
            points[place] = points[place - 1]
            place -= 1
        points[place] = own


@njit(cache=True)
def _chance(points: float, deviation: float) -> float:
    """Return the probability of staying ahead by `points`, with normally distributed future points."""
    return 0.5 * (1.0 + math.erf(points / deviation / math.sqrt(2.0)))


@njit(cache=True)
def _stakes(
    team: Any,
    competition: Any,
    constants: LeagueTableConstants,
    fixture: Any,
    side: int,
    place: int,
    left: int,
    points: Integers,
    out: Floats,
) -> None:
    """Write stake and leverage of one side for every line, and the largest leverage."""
    deviation = math.sqrt(2.0 * constants.match_variance * (left - 1) + constants.tie_variance)
    for line in range(len(LINES)):
        above = fixture.places[line]
        above = competition.teams - above if line >= FROM_THE_END else above
        if 0 < above < competition.teams:
            gap = float(team.points - (points[above] if place < above else points[above - 1]))
            leverage = _chance(gap + HALF_A_WIN, deviation) - _chance(gap - HALF_A_WIN, deviation)
            out[2 * line + side] = min(max(gap / left, -constants.cap), constants.cap)
            out[2 * (len(LINES) + line) + side] = leverage
            out[4 * len(LINES) + side] = max(out[4 * len(LINES) + side], leverage)


@njit(cache=True)
def _standing(
    team: Any, competition: Any, constants: LeagueTableConstants, fixture: Any, side: int, left: int, out: Floats
) -> None:
    """Write points, matches left, promotion or relegation and tenure of one side; its place comes from the table."""
    is_member = team.season == fixture.season and team.played > 0
    out[2 + side] = team.points / team.played if is_member else NO_POINTS
    out[4 + side] = team.difference / team.played if is_member else 0.0
    out[6 + side] = left
    before = team.before if is_member else team.level
    out[8 + side] = before - fixture.level if before > 0 and fixture.level > 0 else 0.0
    tenure = team.tenure
    if not is_member:
        stayed = team.level > 0 and team.level <= fixture.level
        tenure = min(team.tenure + 1, constants.tenure_cap) if stayed else 0
    out[10 + side] = tenure


@njit(cache=True)
def describe(
    teams: Records,
    competitions: Records,
    constants: LeagueTableConstants,
    adjustments: Records,
    fixture: Any,
    points: Integers,
    out: Floats,
) -> None:
    """Write place, points, matches left, promotion and relegation, stakes, leverage and progress."""
    competition = competitions[fixture.competition]
    is_this_season = fixture.level > 0 and competition.season == fixture.season
    rounds = rounds_of(competition, is_this_season)
    if is_this_season:
        _adjust(teams, adjustments, fixture, 1)
        _ranked(teams, competition, points)
    width = 12 + 4 * len(LINES) + 4
    out[:width] = 0.0
    progress = 0.0
    for side in range(2):
        team = teams[fixture.team[side]]
        is_member = is_this_season and team.season == fixture.season and team.played > 0
        left = max(rounds - (team.played if is_member else 0), 1)
        _standing(team, competition, constants, fixture, side, left, out)
        out[side] = 0.5
        if is_member:
            place = 0
            for number in range(competition.teams):
                place += _is_ahead(teams[competition.member[number]], team)
            out[side] = place / max(competition.teams - 1, 1)
            _stakes(team, competition, constants, fixture, side, place, left, points, out[12:])
            progress += min(team.played / max(rounds, 1), 1.0) / 2.0
        # A side with little at stake differs more from one with nothing than from one with much.
        out[width - 2 + side] = math.sqrt(out[width - 4 + side])
    out[width] = progress
    if is_this_season:
        _adjust(teams, adjustments, fixture, -1)


@njit(cache=True, nogil=True)
def _fold(
    teams: Records,
    competitions: Records,
    constants: LeagueTableConstants,
    adjustments: Records,
    events: Events,
    out: Floats,
    first: int,
) -> None:
    points = np.zeros(MOST_TEAMS, dtype=np.int64)
    for event in events:
        if event.kind == OBSERVE:
            observe(teams, competitions, constants, event)
        elif event.kind == DESCRIBE:
            describe(teams, competitions, constants, adjustments, event, points, out[event.row, first:])
