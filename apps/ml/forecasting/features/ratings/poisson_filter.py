"""Attack and concession as hidden states that drift in time, followed by an extended Kalman filter with a log link.

Each count of a side (goals, shots, shots on target, corners) has the mean of its competition times
``exp(attack + concession + edge)``, every strength against the mean of the competition's sides. A strength drifts with
a variance per day, jumps and pulls to the mean over the summer, and every result moves it by its share of what is
uncertain; see Fahrmeir and Tutz (1994), "Dynamic stochastic models for time-dependent ordered paired comparison
systems", JASA 89, 1438-1449, and Rue and Salvesen (2000), "Prediction and retrospective analysis of soccer matches in a
league", The Statistician 49, 399-418. Covariances between strengths are left out, which keeps a step at a few
operations.

Goals replace missing shots or corners, so that their strengths are still updated, with the small weight of goals.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np

from apps.ml.forecasting.arrays import Floats, Integers, Records
from apps.ml.forecasting.features.catalogue import Feature, Side
from apps.ml.forecasting.features.events import DAY, DESCRIBE, OBSERVE, Events
from apps.ml.forecasting.features.family import TeamsAndCompetitions, constants_from
from apps.ml.forecasting.features.ratings.counts import ATTACK, CONCESSION, COUNTED, GOALS, count_of, update_means
from apps.ml.forecasting.kernels import njit

STATES: Final = ("attack", "concession", "edge")
"""Axis 1 of the strengths of a team: what it produces, what it concedes, and its home advantage."""

EDGE: Final = 2

TEAM: Final = np.dtype(
    [
        ("strength", np.float64, (len(COUNTED), len(STATES))),
        ("variance", np.float64, (len(COUNTED), len(STATES))),
        ("counted", np.float64),
        ("played", np.int64),
        ("at", np.int64),
        ("season", np.int64),
    ]
)
"""State of a team: logarithms and their variances, share of recent matches with statistics, observed matches, kick-off
of the latest, id of its latest league season."""

COMPETITION: Final = np.dtype(
    [
        ("mean", np.float64, (2, len(COUNTED))),
        ("seen", np.float64, (len(COUNTED),)),
        ("strength", np.float64, (len(COUNTED), 2)),
        ("played", np.int64),
    ]
)
"""State of a competition: mean counts of home and away sides, matches behind them, mean attack and concession."""


class PoissonFilterConstants(NamedTuple):
    """Numbers of the family, from ``features.poisson_filter`` of the parameters."""

    mean_rate: float  # least share by which the mean counts of a competition move per match
    level_rate: float  # the same of its mean strengths
    level_gap: float  # what a level lower takes from attack and adds to concession before a competition has a mean
    newcomer: float  # the same of an unknown team in a competition that has seen `settled_matches`
    settled_matches: int
    season_pull: float  # share of the way to the mean between two seasons
    counted_rate: float  # share by which the share of matches with statistics moves
    surprise_cap: float  # largest surprise that counts, over the count expected
    goals: float  # mean goals of a side before a competition has any


class PoissonFilterRatings(TeamsAndCompetitions):
    """Filtered attack, concession and home edge of every team in goals, shots, shots on target and corners.

    Further parameters are ``start`` (variance of the strengths of an unknown team), ``drift`` (variance per day) and
    ``jump`` (variance of a summer), each by `STATES` in a list for each of `COUNTED`, and ``dispersion`` (variance of a
    count over its mean, for each of `COUNTED`).
    """

    name = "poisson_filter"

    def __init__(self, params: Mapping[str, Any]) -> None:
        noise = [[params[kind][counted] for counted in COUNTED] for kind in ("start", "drift", "jump")]
        if any(len(numbers) != len(STATES) for kind in noise for numbers in kind):
            raise ValueError(f"{self.name}: start, drift and jump need a number for each of {STATES}")
        self._noise = np.array(noise, dtype=np.float64)
        self._dispersion = np.array([float(params["dispersion"][counted]) for counted in COUNTED])
        self._constants = constants_from(params, PoissonFilterConstants)
        super().__init__(np.zeros(1, dtype=TEAM), np.zeros(1, dtype=COMPETITION))

    def features(self) -> tuple[Feature, ...]:
        rows = []
        for counted in COUNTED:
            label = counted.replace("_", " ")
            meanings: dict[Side, str] = {
                "home": f"{label} to be expected of the home side, against the mean of home sides in the competition",
                "away": f"{label} to be expected of the away side, against the mean of away sides in the competition",
                "diff": f"logarithm of the ratio of {label} to be expected, home to away, without the mean home edge",
            }
            rows += [
                Feature(f"filter_{counted}_{side}", self.name, side, "all", None, "log ratio", meaning)
                for side, meaning in meanings.items()
            ]
        more: tuple[tuple[str, Side, str, str], ...] = (
            ("filter_base_home", "home", "log goals", "goals to be expected of home sides in the competition"),
            ("filter_base_away", "away", "log goals", "goals to be expected of away sides in the competition"),
            ("filter_attack_home", "home", "log goals", "attack of the home side, half its own edge with it"),
            (
                "filter_concession_away",
                "away",
                "log goals",
                "what the away side concedes, half the home side's edge with it",
            ),
            ("filter_attack_away", "away", "log goals", "attack of the away side, less half the home side's edge"),
            ("filter_concession_home", "home", "log goals", "what the home side concedes, less half its own edge"),
            ("filter_doubt", "match", "log ratio", "standard error of the logarithm of the ratio of goals"),
            ("filter_counted_home", "home", "share", "share of the home side's late matches that have statistics"),
            ("filter_counted_away", "away", "share", "share of the away side's late matches that have statistics"),
        )
        rows += [Feature(name, self.name, side, "all", None, unit, meaning) for name, side, unit, meaning in more]
        return tuple(rows)

    def strengths(self, team: Integers, top: Integers) -> Floats:
        """Return the goals that teams would score and concede against an average side of a competition, shape (n, 2).

        Both play on neutral ground.

        Parameters
        ----------
        team : ndarray of int64, shape (n,)
            Slots of the teams.
        top : ndarray of int64, shape (n,)
            Slots of the competitions, which have observed results.
        """
        against = self._competitions[top]
        means = against["mean"][:, :, GOALS].mean(axis=1)
        own = self._teams["strength"][team, GOALS]
        level = against["strength"][:, GOALS]
        found: Floats = means[:, None] * np.exp(own[:, [ATTACK, CONCESSION]] - level)
        return found

    def _fold(self, events: Events, out: Floats, first: int) -> None:
        _fold(self._teams, self._competitions, self._noise, self._dispersion, self._constants, events, out, first)


@njit(cache=True)
def level_of(competition: Any, counted: int, state: int, constants: PoissonFilterConstants, event: Any) -> float:
    """Return the mean strength of the sides of a competition."""
    if state == EDGE:
        return 0.0
    if competition.played > 0:
        return competition.strength[counted, state]
    sign = 1.0 if state == ATTACK else -1.0
    return -sign * constants.level_gap * (max(event.level, 1) - 1)


@njit(cache=True)
def enter(
    team: Any,
    competition: Any,
    counted: int,
    noise: Floats,
    constants: PoissonFilterConstants,
    event: Any,
    strength: Floats,
    variance: Floats,
) -> None:
    """Write the strengths of a team in one count before a match, and their variances."""
    for state in range(len(STATES)):
        level = level_of(competition, counted, state, constants, event)
        if team.played == 0:
            sign = 1.0 if state == ATTACK else (-1.0 if state == CONCESSION else 0.0)
            settled = competition.played >= constants.settled_matches
            strength[state] = level - sign * constants.newcomer if settled else level
            variance[state] = noise[0, counted, state]
            continue
        strength[state] = team.strength[counted, state]
        variance[state] = team.variance[counted, state]
        variance[state] += noise[1, counted, state] * max(event.kickoff - team.at, 0) / DAY
        if event.level > 0 and team.season != event.season:
            strength[state] += constants.season_pull * (level - strength[state])
            variance[state] += noise[2, counted, state]
        variance[state] = min(variance[state], noise[0, counted, state])


@njit(cache=True)
def expected(
    competition: Any, counted: int, constants: PoissonFilterConstants, event: Any, strength: Floats, found: Floats
) -> None:
    """Write the logarithms of what to expect of home and away side against the mean of such sides.

    Parameters
    ----------
    strength : ndarray, shape (2, len(STATES))
        Strengths of home and away side.
    """
    edge = 0.0 if event.neutral else strength[0, EDGE]
    attack = level_of(competition, counted, ATTACK, constants, event)
    concession = level_of(competition, counted, CONCESSION, constants, event)
    for side in range(2):
        found[side] = strength[side, ATTACK] - attack + strength[1 - side, CONCESSION] - concession
        found[side] += edge if side == 0 else -edge


@njit(cache=True)
def mean_of(competition: Any, side: int, counted: int, event: Any) -> float:
    """Return the mean count of home or away sides of a competition; of both together on neutral ground."""
    if event.neutral:
        return (competition.mean[0, counted] + competition.mean[1, counted]) / 2.0
    return competition.mean[side, counted]


@njit(cache=True)
def observe(
    teams: Records,
    competitions: Records,
    noise: Floats,
    dispersion: Floats,
    constants: PoissonFilterConstants,
    result: Any,
    scratch: Floats,
) -> None:
    """Move the strengths of both teams and the means of the competition by one result."""
    competition = competitions[result.competition]
    has_statistics = False
    for counted in range(len(COUNTED)):
        for side in range(2):
            team = teams[result.team[side]]
            enter(team, competition, counted, noise, constants, result, scratch[0, side], scratch[1, side])
        home, away = count_of(result, 0, counted), count_of(result, 1, counted)
        is_counted = not (np.isnan(home) or np.isnan(away))
        source = counted if is_counted else GOALS
        if not is_counted:
            home, away = result.goals[0], result.goals[1]
        elif counted != GOALS:
            has_statistics = True
        if competition.seen[source] > 0.0:
            _move(competition, counted, source, dispersion, constants, result, home, away, scratch)
        _store(teams, competition, counted, constants, result, scratch)
    update_means(competition, constants.mean_rate, result)
    for side in range(2):
        team = teams[result.team[side]]
        rate = max(constants.counted_rate, 1.0 / (team.played + 1.0))
        team.counted += rate * ((1.0 if has_statistics else 0.0) - team.counted)
        team.played += 1
        team.at = max(team.at, result.kickoff)
        if result.level > 0:
            team.season = result.season


@njit(cache=True)
def _move(
    competition: Any,
    counted: int,
    source: int,
    dispersion: Floats,
    constants: PoissonFilterConstants,
    result: Any,
    home: float,
    away: float,
    scratch: Floats,
) -> None:
    """Move the entering strengths in one count by the counts of both sides: one step of the filter for each side.

    Both steps are linearised at what was expected before the match.
    """
    strength, variance, logs = scratch[0], scratch[1], scratch[2, 0]
    expected(competition, counted, constants, result, strength, logs)
    for side in range(2):
        mean = mean_of(competition, side, source, result)
        count = mean * np.exp(min(max(logs[side], -2.0), 2.0))
        if count <= 0.0:
            continue
        surprise = min((home if side == 0 else away) - count, constants.surprise_cap * count)
        edge_weight = 0.0 if result.neutral else (1.0 if side == 0 else -1.0)
        total = variance[side, ATTACK] + variance[1 - side, CONCESSION] + edge_weight**2 * variance[0, EDGE]
        weight = count / dispersion[source]
        gain = 1.0 / (1.0 + weight * total)
        step = gain * surprise / dispersion[source]
        strength[side, ATTACK] += variance[side, ATTACK] * step
        strength[1 - side, CONCESSION] += variance[1 - side, CONCESSION] * step
        strength[0, EDGE] += edge_weight * variance[0, EDGE] * step
        variance[side, ATTACK] *= 1.0 - variance[side, ATTACK] * weight * gain
        variance[1 - side, CONCESSION] *= 1.0 - variance[1 - side, CONCESSION] * weight * gain
        variance[0, EDGE] *= 1.0 - edge_weight**2 * variance[0, EDGE] * weight * gain


@njit(cache=True)
def _store(
    teams: Records, competition: Any, counted: int, constants: PoissonFilterConstants, result: Any, scratch: Floats
) -> None:
    """Store the strengths of both teams, and move the mean strengths of the competition towards theirs."""
    for state in range(len(STATES)):
        for side in range(2):
            team = teams[result.team[side]]
            team.strength[counted, state] = scratch[0, side, state]
            team.variance[counted, state] = scratch[1, side, state]
        if state != EDGE:
            middle = (scratch[0, 0, state] + scratch[0, 1, state]) / 2.0
            level = level_of(competition, counted, state, constants, result)
            rate = max(constants.level_rate, 1.0 / (competition.played + 1.0))
            competition.strength[counted, state] = level + rate * (middle - level)


@njit(cache=True)
def describe(
    teams: Records,
    competitions: Records,
    noise: Floats,
    constants: PoissonFilterConstants,
    fixture: Any,
    scratch: Floats,
    out: Floats,
) -> None:
    """Write what is to be expected of both sides in every count, expected goals, and how sure that is."""
    competition = competitions[fixture.competition]
    logs = scratch[2, 0]
    for counted in range(len(COUNTED)):
        for side in range(2):
            team = teams[fixture.team[side]]
            enter(team, competition, counted, noise, constants, fixture, scratch[0, side], scratch[1, side])
        expected(competition, counted, constants, fixture, scratch[0], logs)
        out[3 * counted] = logs[0]
        out[3 * counted + 1] = logs[1]
        out[3 * counted + 2] = logs[0] - logs[1]
        if counted == GOALS:
            _goals(competition, constants, fixture, scratch, out[3 * len(COUNTED) :])
    for side in range(2):
        out[3 * len(COUNTED) + 7 + side] = teams[fixture.team[side]].counted


@njit(cache=True)
def _goals(competition: Any, constants: PoissonFilterConstants, fixture: Any, scratch: Floats, out: Floats) -> None:
    """Write what the expected goals are made of, and how sure the ratio of both sides is."""
    edge = 0.0 if fixture.neutral else scratch[0, 0, EDGE] / 2.0
    attack = level_of(competition, GOALS, ATTACK, constants, fixture)
    concession = level_of(competition, GOALS, CONCESSION, constants, fixture)
    doubt = 0.0 if fixture.neutral else 4.0 * scratch[1, 0, EDGE]
    for side in range(2):
        mean = mean_of(competition, side, GOALS, fixture)
        out[side] = np.log(mean if mean > 0.0 else constants.goals)
        lean = edge if side == 0 else -edge
        out[2 + 2 * side] = scratch[0, side, ATTACK] - attack + lean
        out[3 + 2 * side] = scratch[0, 1 - side, CONCESSION] - concession + lean
        doubt += scratch[1, side, ATTACK] + scratch[1, side, CONCESSION]
    out[6] = np.sqrt(doubt)


@njit(cache=True, nogil=True)
def _fold(
    teams: Records,
    competitions: Records,
    noise: Floats,
    dispersion: Floats,
    constants: PoissonFilterConstants,
    events: Events,
    out: Floats,
    first: int,
) -> None:
    scratch = np.zeros((3, 2, len(STATES)))
    for event in events:
        if event.kind == OBSERVE:
            observe(teams, competitions, noise, dispersion, constants, event, scratch)
        elif event.kind == DESCRIBE:
            describe(teams, competitions, noise, constants, event, scratch, out[event.row, first:])
