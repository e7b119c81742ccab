"""Performance ratings: attack and concession from all counts of a match at once, in two terms of time.

The performance of a side is the weighted mean of its goals, shots, shots on target and corners, each as a share of the
mean of such sides in the competition. Attack and concession are hidden states, each the sum of a long-term strength and
a short-term deviation from it that decays (form, injuries, a run of fixtures); a Kalman filter follows both, see Harvey
(1989), "Forecasting, Structural Time Series Models and the Kalman Filter", chapter 3. Where only goals are known they
are the performance, with a larger variance. Expected goals (xG) move the ratings a second time, when they are known.

A club that changes its division moves by a step, because the strengths of a division are relative to its mean.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from apps.ml.forecasting.arrays import Floats, Records
from apps.ml.forecasting.features.catalogue import Feature, Side
from apps.ml.forecasting.features.events import DAY, DESCRIBE, OBSERVE, Events
from apps.ml.forecasting.features.family import TeamsAndCompetitions, constants_from
from apps.ml.forecasting.features.ratings.counts import ATTACK, CONCESSION, COUNTED, GOALS, count_of
from apps.ml.forecasting.kernels import njit

XG: Final = len(COUNTED)
"""Place of xG in the means of a competition, after `COUNTED`."""

LONG: Final = 0
SHORT: Final = 1

TEAM: Final = np.dtype(
    [
        ("strength", np.float64, (2, 2)),
        ("variance", np.float64, (2, 2)),
        ("played", np.int64),
        ("at", np.int64),
        ("season", np.int64),
        ("level", np.int64),
    ]
)
"""State of a team: strengths and their variances by kind (attack, concession) and term (long, short), observed matches,
kick-off of the latest, id and level of its latest league season."""

COMPETITION: Final = np.dtype(
    [
        ("mean", np.float64, (2, len(COUNTED) + 1)),
        ("seen", np.float64, (len(COUNTED) + 1,)),
        ("strength", np.float64, (2,)),
        ("played", np.int64),
    ]
)
"""State of a competition: mean counts of home and away sides with xG behind them, matches behind each, mean long-term
attack and concession of its sides, observed matches."""

LEAST_EXPECTED: Final = 0.2
"""Smallest performance that is expected of a side, in means of such sides."""

XG_FROM: Final = 20
"""Matches with xG of a competition before its mean is trusted."""


class PerformanceConstants(NamedTuple):
    """Numbers of the family, from ``features.performance`` of the parameters."""

    noise_goals: float  # variance of a performance by goals only around its mean of 1
    noise_counts: float  # the same with all counts
    noise_xg: float  # the same of xG
    start: float  # variance of the long-term strength of an unknown team
    drift: float  # variance per day
    jump: float  # variance of a summer
    season_pull: float  # share of the way to the mean between two seasons
    short: float  # variance of the short-term deviation in the long run
    short_days: float  # time in which it decays to a share of 1/e
    newcomer: float  # how far an unknown team lies below the mean of a competition with `settled_matches`
    settled_matches: int
    promoted: float  # what a promotion takes from attack and adds to concession
    relegated: float  # what a relegation adds to attack and takes from concession
    mean_rate: float  # least share by which the mean counts of a competition move per match
    level_rate: float  # the same of its mean strengths
    surprise_cap: float  # largest surprise that counts, in means of such sides


class PerformanceRatings(TeamsAndCompetitions):
    """Attack and concession ratings on goals, shots, shots on target, corners and xG together.

    The parameter ``weights`` has the weight of each of `COUNTED`; only their ratios matter.
    """

    name = "performance"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._weights = np.array([float(params["weights"][counted]) for counted in COUNTED])
        self._constants = constants_from(params, PerformanceConstants)
        super().__init__(np.zeros(1, dtype=TEAM), np.zeros(1, dtype=COMPETITION))

    def features(self) -> tuple[Feature, ...]:
        meanings: dict[Side, str] = {
            "home": "performance to be expected of the home side, less the mean of home sides",
            "away": "performance to be expected of the away side, less the mean of away sides",
            "diff": "home minus away: performance to be expected",
        }
        return tuple(
            Feature(f"performance_{side}", self.name, side, "all", None, "share of the mean", meaning)
            for side, meaning in meanings.items()
        )

    def _fold(self, events: Events, out: Floats, first: int) -> None:
        _fold(self._teams, self._competitions, self._weights, self._constants, events, out, first)


@njit(cache=True)
def enter(
    team: Any,
    competition: Any,
    kind: int,
    constants: PerformanceConstants,
    event: Any,
    strength: Floats,
    variance: Floats,
) -> None:
    """Write the strength of a team of one kind before a match and its variance, each by term, shape (2,)."""
    sign = 1.0 if kind == ATTACK else -1.0
    if team.played == 0:
        settled = competition.played >= constants.settled_matches
        strength[LONG] = competition.strength[kind] - (sign * constants.newcomer if settled else 0.0)
        strength[SHORT] = 0.0
        variance[LONG], variance[SHORT] = constants.start, constants.short
        return
    days = max(event.kickoff - team.at, 0) / DAY
    kept = np.exp(-days / constants.short_days)
    strength[LONG] = team.strength[kind, LONG]
    variance[LONG] = team.variance[kind, LONG] + constants.drift * days
    strength[SHORT] = team.strength[kind, SHORT] * kept
    variance[SHORT] = team.variance[kind, SHORT] * kept**2 + constants.short * (1.0 - kept**2)
    if event.level > 0 and team.season != event.season:
        if 0 < event.level < team.level:
            strength[LONG] -= sign * constants.promoted
        elif 0 < team.level < event.level:
            strength[LONG] += sign * constants.relegated
        strength[LONG] += constants.season_pull * (competition.strength[kind] - strength[LONG])
        variance[LONG] += constants.jump
    variance[LONG] = min(variance[LONG], constants.start)


@njit(cache=True)
def enter_both(
    teams: Records, competition: Any, constants: PerformanceConstants, event: Any, strength: Floats, variance: Floats
) -> None:
    """Write the strengths of both sides before a match and their variances, by side, kind and term: shape (2, 2, 2)."""
    for side in range(2):
        for kind in range(2):
            team = teams[event.team[side]]
            enter(team, competition, kind, constants, event, strength[side, kind], variance[side, kind])


@njit(cache=True)
def expected(competition: Any, strength: Floats, side: int) -> float:
    """Return the performance to be expected of a side less the mean of such sides."""
    attack = strength[side, ATTACK, LONG] + strength[side, ATTACK, SHORT] - competition.strength[ATTACK]
    conceded = strength[1 - side, CONCESSION, LONG] + strength[1 - side, CONCESSION, SHORT]
    return attack + conceded - competition.strength[CONCESSION]


@njit(cache=True)
def mean_of(competition: Any, side: int, measure: int, event: Any) -> float:
    """Return the mean count of home or away sides of a competition; of both together on neutral ground."""
    if event.neutral:
        return (competition.mean[0, measure] + competition.mean[1, measure]) / 2.0
    return competition.mean[side, measure]


@njit(cache=True)
def performance_of(competition: Any, weights: Floats, result: Any, side: int, is_counted: bool) -> float:
    """Return the performance of a side in means of such sides, only from goals where other counts are missing."""
    if not is_counted:
        return result.goals[side] / max(mean_of(competition, side, GOALS, result), 1e-3)
    total = weight = 0.0
    for counted in range(len(COUNTED)):
        count = count_of(result, side, counted)
        if not np.isnan(count) and competition.seen[counted] > 0.0:
            total += weights[counted] * count / max(mean_of(competition, side, counted, result), 1e-3)
            weight += weights[counted]
    return total / weight


@njit(cache=True)
def has_counts(competition: Any, result: Any) -> bool:
    """Return whether shots and shots on target of both sides were counted, and before in the competition."""
    for counted in range(1, 3):
        if np.isnan(result.signals[0, counted - 1]) or np.isnan(result.signals[1, counted - 1]):
            return False
        if competition.seen[counted] == 0.0:
            return False
    return True


@njit(cache=True)
def move(
    strength: Floats,
    variance: Floats,
    side: int,
    surprise: float,
    noise: float,
) -> None:
    """Move the attack of a side and the concession of the other by a surprise: one step of the filter."""
    total = noise
    for term in range(2):
        total += variance[side, ATTACK, term] + variance[1 - side, CONCESSION, term]
    for kind in range(2):
        whose = side if kind == ATTACK else 1 - side
        for term in range(2):
            gain = variance[whose, kind, term] / total
            strength[whose, kind, term] += gain * surprise
            variance[whose, kind, term] *= 1.0 - gain


@njit(cache=True)
def observe(
    teams: Records,
    competitions: Records,
    weights: Floats,
    constants: PerformanceConstants,
    result: Any,
    scratch: Floats,
) -> None:
    """Move the strengths of both teams and the means of the competition by a result."""
    competition = competitions[result.competition]
    strength, variance, means = scratch[0], scratch[1], scratch[2, 0, 0]
    enter_both(teams, competition, constants, result, strength, variance)
    if competition.played > 0:
        is_counted = has_counts(competition, result)
        noise = constants.noise_counts if is_counted else constants.noise_goals
        for side in range(2):
            means[side] = expected(competition, strength, side)
        for side in range(2):
            mean = 1.0 + means[side]
            surprise = performance_of(competition, weights, result, side, is_counted) - max(mean, LEAST_EXPECTED)
            # The variance of counts grows with their mean.
            move(
                strength,
                variance,
                side,
                min(surprise, constants.surprise_cap),
                noise * max(mean, LEAST_EXPECTED),
            )
    _store(teams, result, strength, variance)
    rate = max(constants.level_rate, 1.0 / (competition.played + 1.0))
    for kind in range(2):
        middle = (strength[0, kind, LONG] + strength[1, kind, LONG]) / 2.0
        competition.strength[kind] += rate * (middle - competition.strength[kind])
    competition.played += 1
    for counted in range(len(COUNTED)):
        home, away = count_of(result, 0, counted), count_of(result, 1, counted)
        _move_means(competition, constants, result, counted, home, away)
    for side in range(2):
        team = teams[result.team[side]]
        team.played += 1
        team.at = max(team.at, result.kickoff)
        if result.level > 0:
            team.season = result.season
            team.level = result.level


@njit(cache=True)
def observe_xg(
    teams: Records, competitions: Records, constants: PerformanceConstants, event: Any, scratch: Floats
) -> None:
    """Move the strengths of both teams and the means of the competition by the xG of a match."""
    competition = competitions[event.competition]
    strength, variance, means = scratch[0], scratch[1], scratch[2, 0, 0]
    if competition.seen[XG] >= XG_FROM:
        enter_both(teams, competition, constants, event, strength, variance)
        for side in range(2):
            means[side] = expected(competition, strength, side)
        for side in range(2):
            mean = max(1.0 + means[side], LEAST_EXPECTED)
            surprise = event.xg[side] / max(mean_of(competition, side, XG, event), 1e-3) - mean
            move(strength, variance, side, min(surprise, constants.surprise_cap), constants.noise_xg * mean)
        _store(teams, event, strength, variance)
    _move_means(competition, constants, event, XG, event.xg[0], event.xg[1])


@njit(cache=True)
def _store(teams: Records, event: Any, strength: Floats, variance: Floats) -> None:
    """Store the strengths of both teams and their variances."""
    for side in range(2):
        team = teams[event.team[side]]
        for kind in range(2):
            for term in range(2):
                team.strength[kind, term] = strength[side, kind, term]
                team.variance[kind, term] = variance[side, kind, term]


@njit(cache=True)
def _move_means(
    competition: Any, constants: PerformanceConstants, event: Any, measure: int, home: float, away: float
) -> None:
    """Move the mean counts of home and away sides towards those of a match, unless it was on neutral ground."""
    if event.neutral or np.isnan(home) or np.isnan(away):
        return
    rate = max(constants.mean_rate, 1.0 / (competition.seen[measure] + 1.0))
    competition.mean[0, measure] += rate * (home - competition.mean[0, measure])
    competition.mean[1, measure] += rate * (away - competition.mean[1, measure])
    competition.seen[measure] += 1.0


@njit(cache=True)
def describe(
    teams: Records, competitions: Records, constants: PerformanceConstants, fixture: Any, scratch: Floats, out: Floats
) -> None:
    """Write the performance to be expected of both sides and the difference."""
    competition = competitions[fixture.competition]
    enter_both(teams, competition, constants, fixture, scratch[0], scratch[1])
    out[0] = expected(competition, scratch[0], 0)
    out[1] = expected(competition, scratch[0], 1)
    out[2] = out[0] - out[1]


@njit(cache=True, nogil=True)
def _fold(
    teams: Records,
    competitions: Records,
    weights: Floats,
    constants: PerformanceConstants,
    events: Events,
    out: Floats,
    first: int,
) -> None:
    scratch = np.zeros((3, 2, 2, 2))
    for event in events:
        if event.kind == OBSERVE:
            observe(teams, competitions, weights, constants, event, scratch)
        elif event.kind == DESCRIBE:
            describe(teams, competitions, constants, event, scratch, out[event.row, first:])
        else:
            observe_xg(teams, competitions, constants, event, scratch)
