"""Elo with the goal margin and a home edge that each competition learns.

The change of a rating is ``k0 * (1 + |margin|) ** margin_power * (score - expected)``, as Hvattum and Arntzen (2010),
"Using ELO ratings for match result prediction in association football", Int. J. Forecasting 26, 460-470.
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

TEAM: Final = np.dtype([("rating", np.float64), ("played", np.int64), ("season", np.int64)])
"""State of a team: points, observed matches, id of the season of the latest league match."""

COMPETITION: Final = np.dtype([("mean", np.float64), ("played", np.int64), ("edge", np.float64)])
"""State of a competition: mean rating of its sides, observed matches, home edge; points."""


class EloConstants(NamedTuple):
    """Numbers of the family, from ``features.elo`` of the parameters."""

    base: float  # points of an unknown team of the first level
    level_gap: float  # points lower per level
    newcomer_gap: float  # points below the mean of a competition that has seen `settled_matches`
    settled_matches: int
    k0: float
    margin_power: float
    edge_rate: float  # points of home edge per unexpected result
    mean_rate: float  # share by which the mean of a competition moves per match
    season_pull: float  # share of the way to the mean of the competition that a rating goes between two seasons


class EloRatings(TeamsAndCompetitions):
    """Elo ratings over all competitions at once; the parameter ``home_edge`` is that of an unknown competition."""

    name = "elo"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._constants = constants_from(params, EloConstants)
        competition = np.array([(0.0, 0, float(params["home_edge"]))], dtype=COMPETITION)
        super().__init__(np.zeros(1, dtype=TEAM), competition)

    def features(self) -> tuple[Feature, ...]:
        rows: tuple[tuple[str, Side, str, str], ...] = (
            ("elo_home", "home", "points", "Elo rating of the home side"),
            ("elo_away", "away", "points", "Elo rating of the away side"),
            ("elo_diff", "diff", "points", "Elo rating of the home side with its home edge, minus the away side's"),
            ("elo_edge", "match", "points", "home edge of the competition, 0 on neutral ground"),
            ("elo_expected", "match", "score", "expected score of the home side, a draw counting one half"),
            ("elo_matches_home", "home", "matches", "observed matches of the home side"),
            ("elo_matches_away", "away", "matches", "observed matches of the away side"),
        )
        return tuple(Feature(name, self.name, side, "all", None, unit, meaning) for name, side, unit, meaning in rows)

    def _fold(self, events: Events, out: Floats, first: int) -> None:
        _fold(self._teams, self._competitions, self._constants, events, out, first)


@njit(cache=True)
def rating_of(team: Any, competition: Any, constants: EloConstants, event: Any) -> float:
    """Return the rating of a team before a match of a competition, in points."""
    mean = constants.base - constants.level_gap * (max(event.level, 1) - 1)
    if competition.played > 0:
        mean = competition.mean
    if team.played == 0:
        return mean - constants.newcomer_gap if competition.played >= constants.settled_matches else mean
    if event.level > 0 and team.season != event.season and competition.played > 0:
        return team.rating + constants.season_pull * (mean - team.rating)
    return team.rating


@njit(cache=True)
def expected_score(difference: float) -> float:
    """Return the expected score of the side that is `difference` points ahead, in [0, 1]."""
    return 1.0 / (1.0 + 10.0 ** (-difference / 400.0))


@njit(cache=True)
def observe(teams: Records, competitions: Records, constants: EloConstants, result: Any) -> None:
    """Update both ratings, and mean and home edge of the competition, by a result."""
    home, away = teams[result.team[0]], teams[result.team[1]]
    competition = competitions[result.competition]
    rating_home = rating_of(home, competition, constants, result)
    rating_away = rating_of(away, competition, constants, result)
    margin = result.goals[0] - result.goals[1]
    score = 1.0 if margin > 0.0 else (0.5 if margin == 0.0 else 0.0)
    edge = 0.0 if result.neutral else competition.edge
    surprise = score - expected_score(rating_home + edge - rating_away)
    step = constants.k0 * (1.0 + abs(margin)) ** constants.margin_power * surprise
    middle = (rating_home + rating_away) / 2.0
    if competition.played == 0:
        competition.mean = middle
    competition.mean += constants.mean_rate * (middle - competition.mean)
    competition.played += 1
    if not result.neutral:
        competition.edge += constants.edge_rate * surprise
    home.rating = rating_home + step
    away.rating = rating_away - step
    home.played += 1
    away.played += 1
    if result.level > 0:
        home.season = result.season
        away.season = result.season


@njit(cache=True)
def describe(teams: Records, competitions: Records, constants: EloConstants, fixture: Any, out: Floats) -> None:
    """Write ratings, their difference with the home edge, and the expected score."""
    home, away = teams[fixture.team[0]], teams[fixture.team[1]]
    competition = competitions[fixture.competition]
    out[0] = rating_of(home, competition, constants, fixture)
    out[1] = rating_of(away, competition, constants, fixture)
    out[3] = 0.0 if fixture.neutral else competition.edge
    out[2] = out[0] + out[3] - out[1]
    out[4] = expected_score(out[2])
    out[5] = home.played
    out[6] = away.played


@njit(cache=True, nogil=True)
def _fold(
    teams: Records, competitions: Records, constants: EloConstants, events: Events, out: Floats, first: int
) -> None:
    for event in events:
        if event.kind == OBSERVE:
            observe(teams, competitions, constants, event)
        elif event.kind == DESCRIBE:
            describe(teams, competitions, constants, event, out[event.row, first:])
