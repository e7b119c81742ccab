"""Ratings from the prices of earlier matches: the strength of teams according to the market.

The log-odds of home against away behind the line of a match are the home edge of the competition plus the difference of
both teams' ratings plus noise; the log-odds of a draw against the mean of both are a level of the competition plus what
both teams add. A Kalman filter follows each team. Between two prices the result moves the rating, as the market will
do. Models with these columns are labelled with that input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from apps.ml.forecasting.arrays import Floats, Records
from apps.ml.forecasting.features.catalogue import Feature, Side
from apps.ml.forecasting.features.events import DAY, OBSERVE, Events
from apps.ml.forecasting.features.family import TeamsAndCompetitions, constants_from
from apps.ml.forecasting.kernels import njit

TEAM: Final = np.dtype(
    [
        ("rating", np.float64, (2,)),
        ("variance", np.float64, (2,)),
        ("seen", np.int64),
        ("at", np.int64),
        ("season", np.int64),
    ]
)
"""State of a team: log-odds of strength and of drawing, their variances, priced matches, kick-off of the latest, id of
its latest league season."""

COMPETITION: Final = np.dtype([("level", np.float64, (2,)), ("rating", np.float64), ("seen", np.int64)])
"""State of a competition: home edge and draws in log-odds, mean strength of its sides, priced matches."""

STRENGTH: Final = 0
DRAW: Final = 1


class MarketConstants(NamedTuple):
    """Numbers of the family, from ``features.market`` of the parameters."""

    start: float  # variance of the strength of an unknown team
    start_draw: float  # `_draw`: the same of its draws
    noise: float  # variance of a price around the ratings
    noise_draw: float
    drift: float  # variance per day
    drift_draw: float
    jump: float  # variance of a summer
    season_pull: float  # share of the way to the mean between two seasons
    newcomer: float  # log-odds below the mean of a competition that has seen `settled_matches`
    settled_matches: int
    level_rate: float  # least share by which the levels of a competition move per match
    goal: float  # log-odds for a score of one more than expected


class MarketRatings(TeamsAndCompetitions):
    """Strength and draws of both sides, estimated from the prices of their earlier matches."""

    name = "market"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._constants = constants_from(params, MarketConstants)
        super().__init__(np.zeros(1, dtype=TEAM), np.zeros(1, dtype=COMPETITION))

    def features(self) -> tuple[Feature, ...]:
        rows: tuple[tuple[str, Side, str, str], ...] = (
            ("price_strength_home", "home", "log-odds", "strength of the home side behind its earlier prices"),
            ("price_strength_away", "away", "log-odds", "strength of the away side behind its earlier prices"),
            ("price_diff", "diff", "log-odds", "home against away behind earlier prices, with the home edge"),
            ("price_draw", "match", "log-odds", "draw against the mean of home and away behind earlier prices"),
            ("price_doubt", "match", "log-odds", "standard error of the difference of strengths"),
            ("price_seen_home", "home", "matches", "earlier matches of the home side with a price"),
            ("price_seen_away", "away", "matches", "earlier matches of the away side with a price"),
        )
        return tuple(Feature(name, self.name, side, "all", None, unit, meaning) for name, side, unit, meaning in rows)

    def _walk(self, events: Events, out: Floats, first: int) -> None:
        _fold(self._teams, self._competitions, self._constants, events, out, first)


@njit(cache=True)
def enter(team: Any, competition: Any, constants: MarketConstants, event: Any, entering: Floats) -> None:
    """Write strength, draws and both variances of a team before a match."""
    if team.seen == 0:
        settled = competition.seen >= constants.settled_matches
        entering[0] = competition.rating - (constants.newcomer if settled else 0.0)
        entering[1] = 0.0
        entering[2] = constants.start
        entering[3] = constants.start_draw
        return
    days = max(event.kickoff - team.at, 0) / DAY
    entering[0] = team.rating[STRENGTH]
    entering[1] = team.rating[DRAW]
    entering[2] = team.variance[STRENGTH] + constants.drift * days
    entering[3] = team.variance[DRAW] + constants.drift_draw * days
    if event.level > 0 and team.season != event.season:
        entering[0] += constants.season_pull * (competition.rating - entering[0])
        entering[2] += constants.jump
    entering[2] = min(entering[2], constants.start)
    entering[3] = min(entering[3], constants.start_draw)


@njit(cache=True)
def observe(teams: Records, competitions: Records, constants: MarketConstants, result: Any, entering: Floats) -> None:
    """Move both teams and the levels of the competition by the price of a match, then both teams by its result."""
    p = result.price
    if not (p[0] > 0.0 and p[1] > 0.0 and p[2] > 0.0):
        return
    competition = competitions[result.competition]
    for side in range(2):
        enter(teams[result.team[side]], competition, constants, result, entering[side])
    strength = np.log(p[0] / p[2])
    draw = np.log(p[1]) - (np.log(p[0]) + np.log(p[2])) / 2.0
    rate = max(constants.level_rate, 1.0 / (competition.seen + 1.0))
    home, away = entering[0], entering[1]
    edge = 0.0 if result.neutral else competition.level[STRENGTH]
    error = strength - (edge + home[0] - away[0])
    gain = 1.0 / (home[2] + away[2] + constants.noise)
    home[0] += home[2] * gain * error
    away[0] -= away[2] * gain * error
    error_draw = draw - (competition.level[DRAW] + home[1] + away[1])
    gain_draw = 1.0 / (home[3] + away[3] + constants.noise_draw)
    for side in range(2):
        own = entering[side]
        own[1] += own[3] * gain_draw * error_draw
        own[2] *= 1.0 - own[2] * gain
        own[3] *= 1.0 - own[3] * gain_draw
    if not result.neutral:
        competition.level[STRENGTH] += rate * error
    competition.level[DRAW] += rate * error_draw
    margin = result.goals[0] - result.goals[1]
    score = 1.0 if margin > 0.0 else (0.5 if margin == 0.0 else 0.0)
    surprise = constants.goal * (score - p[0] - p[1] / 2.0)
    home[0] += surprise
    away[0] -= surprise
    competition.rating += rate * ((home[0] + away[0]) / 2.0 - competition.rating)
    competition.seen += 1
    _store(teams, result, entering)


@njit(cache=True)
def _store(teams: Records, result: Any, entering: Floats) -> None:
    for side in range(2):
        team, own = teams[result.team[side]], entering[side]
        for kind in range(2):
            team.rating[kind] = own[kind]
            team.variance[kind] = own[2 + kind]
        team.seen += 1
        team.at = max(team.at, result.kickoff)
        if result.level > 0:
            team.season = result.season


@njit(cache=True)
def describe(
    teams: Records, competitions: Records, constants: MarketConstants, fixture: Any, entering: Floats, out: Floats
) -> None:
    """Write both strengths, the difference with the home edge, draws, and how sure that is."""
    competition = competitions[fixture.competition]
    for side in range(2):
        enter(teams[fixture.team[side]], competition, constants, fixture, entering[side])
        out[side] = entering[side, 0] - competition.rating
        out[5 + side] = teams[fixture.team[side]].seen
    edge = 0.0 if fixture.neutral else competition.level[STRENGTH]
    out[2] = edge + entering[0, 0] - entering[1, 0]
    out[3] = competition.level[DRAW] + entering[0, 1] + entering[1, 1]
    out[4] = np.sqrt(entering[0, 2] + entering[1, 2])


@njit(cache=True, nogil=True)
def _fold(
    teams: Records, competitions: Records, constants: MarketConstants, events: Events, out: Floats, first: int
) -> None:
    entering = np.zeros((2, 4))
    for event in events:
        if event.kind == OBSERVE:
            observe(teams, competitions, constants, event, entering)
        else:
            describe(teams, competitions, constants, event, entering, out[event.row, first:])
