"""Pi-ratings: two ratings of a team, at home and away, in goals of advantage over an average opponent.

After Constantinou and Fenton (2013), "Determining the level of ability of football teams by dynamic ratings based on
the relative discrepancies in scores between adversaries", J. Quantitative Analysis in Sports 9, 37-50. Added: new
teams begin below the mean of their competition, and ratings move towards it over the summer.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from apps.ml.forecasting.arrays import Floats, Records
from apps.ml.forecasting.features.catalogue import Feature, Side
from apps.ml.forecasting.features.events import DESCRIBE, OBSERVE, Events
from apps.ml.forecasting.features.family import TeamsAndCompetitions, constants_from
from apps.ml.forecasting.kernels import njit

BASE: Final = 10.0
"""Base of the logarithm that damps large errors; `b` of the paper."""

TEAM: Final = np.dtype([("rating", np.float64, (2,)), ("played", np.int64), ("season", np.int64)])
"""State of a team: ratings at home and away, observed matches, id of its latest league season."""

COMPETITION: Final = np.dtype([("rating", np.float64, (2,)), ("played", np.int64)])
"""State of a competition: mean ratings of home sides at home and away sides away, observed matches."""


class PiConstants(NamedTuple):
    """Numbers of the family, from ``features.pi`` of the parameters."""

    rate: float  # step at the venue; lambda of the paper
    catch_up: float  # share of the step at the other venue; gamma
    spread: float  # rating difference for a factor of ten in goals; c
    level_rate: float  # smallest share by which the means of a competition move with a match
    level_gap: float  # goals by which a lower level starts below the one above, until its competition has a mean
    newcomer: float  # goals below the mean at which an unknown team starts, after `settled_matches` matches
    settled_matches: int
    season_pull: float  # share of the way to the mean between two seasons


class PiRatings(TeamsAndCompetitions):
    """Pi-ratings over all competitions at once."""

    name = "pi"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._constants = constants_from(params, PiConstants)
        super().__init__(np.zeros(1, dtype=TEAM), np.zeros(1, dtype=COMPETITION))

    def features(self) -> tuple[Feature, ...]:
        rows: tuple[tuple[str, Side, str], ...] = (
            ("pi_home", "home", "pi-rating of the home side at home"),
            ("pi_away", "away", "pi-rating of the away side away"),
            ("pi_diff", "diff", "expected goal difference of the pi-ratings"),
        )
        return tuple(
            Feature(name, self.name, side, "all", None, "goals of advantage", text) for name, side, text in rows
        )

    def _fold(self, events: Events, out: Floats, first: int) -> None:
        _fold(self._teams, self._competitions, self._constants, events, out, first)


@njit(cache=True)
def rating_of(team: Any, competition: Any, venue: int, constants: PiConstants, event: Any) -> float:
    """Return the rating of a team at a venue (0 home, 1 away) before a match."""
    level = -constants.level_gap * (max(event.level, 1) - 1)
    if competition.played > 0:
        level = competition.rating[venue]
    if team.played == 0:
        return level - constants.newcomer if competition.played >= constants.settled_matches else level
    if event.level > 0 and team.season != event.season:
        return team.rating[venue] + constants.season_pull * (level - team.rating[venue])
    return team.rating[venue]


@njit(cache=True)
def goals_of(rating: float, constants: PiConstants) -> float:
    """Return the goals by which a team of this rating is expected to beat an average opponent."""
    goals = BASE ** (abs(rating) / constants.spread) - 1.0
    return goals if rating >= 0.0 else -goals


@njit(cache=True)
def venue_rating(team: Any, competition: Any, side: int, constants: PiConstants, event: Any) -> float:
    """Return the rating that counts in a match: the mean of both on neutral ground."""
    if event.neutral:
        return (
            rating_of(team, competition, 0, constants, event) + rating_of(team, competition, 1, constants, event)
        ) / 2.0
    return rating_of(team, competition, side, constants, event)


@njit(cache=True)
def observe(teams: Records, competitions: Records, constants: PiConstants, result: Any) -> None:
    """Move the ratings of both teams, and the means of the competition, by one result."""
    competition = competitions[result.competition]
    home, away = teams[result.team[0]], teams[result.team[1]]
    own = goals_of(venue_rating(home, competition, 0, constants, result), constants)
    other = goals_of(venue_rating(away, competition, 1, constants, result), constants)
    error = result.goals[0] - result.goals[1] - (own - other)
    step = constants.rate * constants.spread * np.log10(1.0 + abs(error)) * (1.0 if error > 0.0 else -1.0)
    entering = np.zeros((2, 2))
    for side in range(2):
        team = teams[result.team[side]]
        for venue in range(2):
            share = 1.0 if venue == side and not result.neutral else constants.catch_up
            moved = share * (step if side == 0 else -step)
            entering[side, venue] = rating_of(team, competition, venue, constants, result) + moved
    rate = max(constants.level_rate, 1.0 / (competition.played + 1.0))
    for venue in range(2):
        middle = (entering[0, venue] + entering[1, venue]) / 2.0
        competition.rating[venue] += rate * (middle - competition.rating[venue])
    competition.played += 1
    for side in range(2):
        team = teams[result.team[side]]
        for venue in range(2):
            team.rating[venue] = entering[side, venue]
        team.played += 1
        if result.level > 0:
            team.season = result.season


@njit(cache=True)
def describe(teams: Records, competitions: Records, constants: PiConstants, fixture: Any, out: Floats) -> None:
    """Write both ratings and the expected goal difference."""
    competition = competitions[fixture.competition]
    for side in range(2):
        out[side] = venue_rating(teams[fixture.team[side]], competition, side, constants, fixture)
    out[2] = goals_of(out[0], constants) - goals_of(out[1], constants)


@njit(cache=True, nogil=True)
def _fold(
    teams: Records, competitions: Records, constants: PiConstants, events: Events, out: Floats, first: int
) -> None:
    for event in events:
        if event.kind == OBSERVE:
            observe(teams, competitions, constants, event)
        elif event.kind == DESCRIBE:
            describe(teams, competitions, constants, event, out[event.row, first:])
