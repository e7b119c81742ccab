"""Ratings from the prices of earlier matches: the strength of teams according to the market.

The log-odds of home against away behind the line of a match are the home edge of the competition and of the home side
plus the difference of both teams' ratings plus noise; the log-odds of a draw against the mean of both are a level of
the competition plus what both teams add. A rating is the sum of a long-term strength and of the form of the season,
which decays and ends with it, and a Kalman filter follows each team. Between two prices the result, the shots and the
expected goals (xG) move the rating, as the market will do. A club that changes its division moves by a step. Models
with these columns are labelled with that input.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from apps.ml.forecasting.arrays import Floats, Records
from apps.ml.forecasting.features.catalogue import Feature, Side
from apps.ml.forecasting.features.events import DAY, DESCRIBE, OBSERVE, Events
from apps.ml.forecasting.features.family import TeamsAndCompetitions, constants_from
from apps.ml.forecasting.kernels import njit

TEAM: Final = np.dtype(
    [
        ("rating", np.float64, (4,)),
        ("variance", np.float64, (4,)),
        ("seen", np.int64),
        ("at", np.int64),
        ("season", np.int64),
        ("level", np.int64),
    ]
)
"""State of a team: log-odds of long-term strength, of the form of the season, of the edge at home and of drawing, their
variances, priced matches, kick-off of the latest, id and level of its latest league season."""

COMPETITION: Final = np.dtype(
    [
        ("edge", np.float64),
        ("draw", np.float64),
        ("rating", np.float64),
        ("seen", np.int64),
        ("mean", np.float64, (2,)),
        ("counted", np.int64, (2,)),
    ]
)
"""State of a competition: home edge and draws in log-odds, mean long-term strength of its sides, priced matches; mean
shots and mean xG of both sides of a match together, and the matches behind each."""

LONG: Final = 0
SEASON: Final = 1
HOME: Final = 2
DRAW: Final = 3

TERMS: Final = 4

SHOTS: Final = 0
XG: Final = 1

COUNTED_FROM: Final = 50
"""Matches of a competition before its mean shots or xG are trusted."""

MARGIN: Final = 1.8
"""Goals that a side is expected to win by, for each point by which its probability of winning exceeds the other's."""

SHARE: Final = 0.7
"""The same as a share of all shots, or of all xG, of a match."""

MARGIN_CAP: Final = 2.5
"""Goals beyond which a larger margin has no effect."""


class MarketConstants(NamedTuple):
    """Numbers of the family, from ``features.market`` of the parameters."""

    start: float  # variance of the long-term strength of an unknown team
    start_home: float  # `_home`: the same of its edge at home
    start_draw: float  # `_draw`: the same of its draws
    noise: float  # variance of a price around the ratings
    noise_draw: float
    drift: float  # variance per day of the long-term strength
    drift_draw: float
    jump: float  # variance of a summer
    season: float  # variance of the form of a season in the long run; after a summer it is 0
    season_days: float  # time in which it decays to a share of 1/e
    newcomer: float  # log-odds below the mean of a competition that has seen `settled_matches`
    settled_matches: int
    promoted: float  # log-odds that a promotion takes from a team
    relegated: float  # log-odds that a relegation gives it
    level_rate: float  # least share by which the mean strength and the draws of a competition move per match
    edge_rate: float  # the same of its home edge
    mean_rate: float  # the same of its mean shots and xG
    win: float  # log-odds for a score (1, 0.5 or 0) of one more than expected
    goal: float  # the same for a goal more
    shots: float  # the same for all shots of a match more
    xg: float  # the same for all xG


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
            ("price_diff", "diff", "log-odds", "home against away behind earlier prices, with the home edges"),
            ("price_draw", "match", "log-odds", "draw against the mean of home and away behind earlier prices"),
            ("price_doubt", "match", "log-odds", "standard error of the difference of strengths"),
            ("price_seen_home", "home", "matches", "earlier matches of the home side with a price"),
            ("price_seen_away", "away", "matches", "earlier matches of the away side with a price"),
        )
        return tuple(Feature(name, self.name, side, "all", None, unit, meaning) for name, side, unit, meaning in rows)

    def _fold(self, events: Events, out: Floats, first: int) -> None:
        _fold(self._teams, self._competitions, self._constants, events, out, first)


@njit(cache=True)
def enter(
    team: Any, competition: Any, constants: MarketConstants, event: Any, rating: Floats, variance: Floats
) -> None:
    """Write the terms of a team before a match, and their variances, both of shape (TERMS,)."""
    if team.seen == 0:
        rating[:] = 0.0
        settled = competition.seen >= constants.settled_matches
        rating[LONG] = competition.rating - (constants.newcomer if settled else 0.0)
        variance[LONG], variance[SEASON] = constants.start, constants.season
        variance[HOME], variance[DRAW] = constants.start_home, constants.start_draw
        return
    days = max(event.kickoff - team.at, 0) / DAY
    kept = np.exp(-days / constants.season_days)
    rating[:] = team.rating
    rating[SEASON] *= kept
    variance[LONG] = team.variance[LONG] + constants.drift * days
    variance[SEASON] = team.variance[SEASON] * kept**2 + constants.season * (1.0 - kept**2)
    variance[HOME] = team.variance[HOME]
    variance[DRAW] = min(team.variance[DRAW] + constants.drift_draw * days, constants.start_draw)
    if event.level > 0 and team.season != event.season:
        if event.level < team.level:
            rating[LONG] -= constants.promoted
        elif 0 < team.level < event.level:
            rating[LONG] += constants.relegated
        variance[LONG] += constants.jump
        rating[SEASON] = variance[SEASON] = 0.0
    variance[LONG] = min(variance[LONG], constants.start)


@njit(cache=True)
def has_price(event: Any) -> bool:
    """Return whether the match has a line."""
    return event.price[0] > 0.0 and event.price[1] > 0.0 and event.price[2] > 0.0


@njit(cache=True)
def difference(competition: Any, ratings: Floats, event: Any) -> float:
    """Return the log-odds of home against away that the ratings of both teams give, shape (2, TERMS)."""
    edge = 0.0 if event.neutral else competition.edge + ratings[0, HOME]
    return edge + ratings[0, LONG] + ratings[0, SEASON] - ratings[1, LONG] - ratings[1, SEASON]


@njit(cache=True)
def react(ratings: Floats, gain: float) -> None:
    """Add log-odds to the home side and take them from the away side: half for long, half for the season."""
    for side in range(2):
        sign = 1.0 if side == 0 else -1.0
        ratings[side, LONG] += sign * gain / 2.0
        ratings[side, SEASON] += sign * gain / 2.0


@njit(cache=True)
def surprise_of_counts(
    competition: Any, constants: MarketConstants, counted: int, home: float, away: float, price: Floats
) -> float:
    """Return by how much the home side's share of shots or xG exceeded that of the price; move the mean."""
    if np.isnan(home) or np.isnan(away):
        return 0.0
    found = 0.0
    if competition.counted[counted] >= COUNTED_FROM:
        found = (home - away) / max(competition.mean[counted], 1e-3) - SHARE * (price[0] - price[2])
    rate = max(constants.mean_rate, 1.0 / (competition.counted[counted] + 1.0))
    competition.mean[counted] += rate * (home + away - competition.mean[counted])
    competition.counted[counted] += 1
    return found


@njit(cache=True)
def _move_by_price(
    competition: Any, constants: MarketConstants, result: Any, ratings: Floats, variances: Floats
) -> None:
    """Move both teams, and the home edge and draws of the competition, by the line: one step of the filter."""
    p = result.price
    error = np.log(p[0] / p[2]) - difference(competition, ratings, result)
    mean = competition.draw + ratings[0, DRAW] + ratings[1, DRAW]
    error_draw = np.log(p[1]) - (np.log(p[0]) + np.log(p[2])) / 2.0 - mean
    total, total_draw = constants.noise, constants.noise_draw
    for side in range(2):
        total += variances[side, LONG] + variances[side, SEASON]
        total_draw += variances[side, DRAW]
    if not result.neutral:
        total += variances[0, HOME]
    for side in range(2):
        sign = 1.0 if side == 0 else -1.0
        for term in (LONG, SEASON):
            _learn(ratings[side], variances[side], term, sign * error, total)
        _learn(ratings[side], variances[side], DRAW, error_draw, total_draw)
    if not result.neutral:
        _learn(ratings[0], variances[0], HOME, error, total)
    first = 1.0 / (competition.seen + 1.0)
    if not result.neutral:
        competition.edge += max(constants.edge_rate, first) * error
    competition.draw += max(constants.level_rate, first) * error_draw


@njit(cache=True)
def _learn(rating: Floats, variance: Floats, term: int, error: float, total: float) -> None:
    """Move a term by its share of an error whose variance is `total`."""
    gain = variance[term] / total
    rating[term] += gain * error
    variance[term] *= 1.0 - gain


@njit(cache=True)
def observe(
    teams: Records,
    competitions: Records,
    constants: MarketConstants,
    result: Any,
    ratings: Floats,
    variances: Floats,
) -> None:
    """Move both teams and the levels of the competition by the price of a match, then both teams by its result."""
    if not has_price(result):
        return
    competition, p = competitions[result.competition], result.price
    for side in range(2):
        enter(teams[result.team[side]], competition, constants, result, ratings[side], variances[side])
    _move_by_price(competition, constants, result, ratings, variances)
    margin = result.goals[0] - result.goals[1]
    score = 1.0 if margin > 0.0 else (0.5 if margin == 0.0 else 0.0)
    beyond = min(max(margin - MARGIN * (p[0] - p[2]), -MARGIN_CAP), MARGIN_CAP)
    shots = surprise_of_counts(competition, constants, SHOTS, result.signals[0, 0], result.signals[1, 0], p)
    win = constants.win * (score - p[0] - p[1] / 2.0)
    react(ratings, win + constants.goal * beyond + constants.shots * shots)
    rate = max(constants.level_rate, 1.0 / (competition.seen + 1.0))
    competition.rating += rate * ((ratings[0, LONG] + ratings[1, LONG]) / 2.0 - competition.rating)
    competition.seen += 1
    _store(teams, result, ratings, variances)
    for side in range(2):
        teams[result.team[side]].seen += 1


@njit(cache=True)
def observe_xg(
    teams: Records,
    competitions: Records,
    constants: MarketConstants,
    event: Any,
    ratings: Floats,
    variances: Floats,
) -> None:
    """Move both teams by the xG of a match that had a price."""
    if not has_price(event):
        return
    competition = competitions[event.competition]
    for side in range(2):
        enter(teams[event.team[side]], competition, constants, event, ratings[side], variances[side])
    surprise = surprise_of_counts(competition, constants, XG, event.xg[0], event.xg[1], event.price)
    react(ratings, constants.xg * surprise)
    _store(teams, event, ratings, variances)


@njit(cache=True)
def _store(teams: Records, event: Any, ratings: Floats, variances: Floats) -> None:
    """Store the ratings of both teams and their variances as of the match."""
    for side in range(2):
        team = teams[event.team[side]]
        team.rating[:] = ratings[side]
        team.variance[:] = variances[side]
        team.at = max(team.at, event.kickoff)
        if event.level > 0:
            team.season = event.season
            team.level = event.level


@njit(cache=True)
def describe(
    teams: Records,
    competitions: Records,
    constants: MarketConstants,
    fixture: Any,
    ratings: Floats,
    variances: Floats,
    out: Floats,
) -> None:
    """Write both strengths, the difference with the home edge, draws, and how sure that is."""
    competition = competitions[fixture.competition]
    doubt = 0.0
    for side in range(2):
        enter(teams[fixture.team[side]], competition, constants, fixture, ratings[side], variances[side])
        out[side] = ratings[side, LONG] + ratings[side, SEASON] - competition.rating
        out[5 + side] = teams[fixture.team[side]].seen
        doubt += variances[side, LONG] + variances[side, SEASON]
    out[2] = difference(competition, ratings, fixture)
    out[3] = competition.draw + ratings[0, DRAW] + ratings[1, DRAW]
    out[4] = np.sqrt(doubt)


@njit(cache=True, nogil=True)
def _fold(
    teams: Records, competitions: Records, constants: MarketConstants, events: Events, out: Floats, first: int
) -> None:
    ratings, variances = np.zeros((2, TERMS)), np.zeros((2, TERMS))
    for event in events:
        if event.kind == OBSERVE:
            observe(teams, competitions, constants, event, ratings, variances)
        elif event.kind == DESCRIBE:
            describe(teams, competitions, constants, event, ratings, variances, out[event.row, first:])
        else:
            observe_xg(teams, competitions, constants, event, ratings, variances)
