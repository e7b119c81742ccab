"""Attack and defence after Dixon and Coles, refitted as time goes on over all competitions of a region.

Goals of the home side are Poisson with mean ``home * attack[i] * concession[j]``, those of the away side with
``attack[j] * concession[i]`` (Dixon and Coles (1997), "Modelling association football scores and inefficiencies in the
football betting market", Applied Statistics 46, 265-280), each match weighted by ``0.5 ** (age / half_life)``. A Gamma
prior pulls every team to the mean of its level, so that the two steps of a sweep have closed forms; promoted and
relegated teams tie the levels together. The correction of low scores and the calibration are the estimator's.

A refit falls on the end of a period in which a result became known, sooner when many did, and takes place when the
first event at or after that moment arrives, starting from the fit before. The chain of fits depends on results alone,
never on what was described in between, which makes a row offline and online equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from apps.ml.forecasting.features.catalogue import Feature, Side
from apps.ml.forecasting.features.events import DAY, OBSERVE, Events, Sizes, grown

LEVELS: Final = 12
"""Levels of a pyramid that are told apart; deeper ones share the last."""

NOTHING: Final = -1


ENTRANT: Final = np.dtype(
    [("attack", np.float64), ("concession", np.float64), ("weight", np.float64), ("place", np.int64)]
)
"""State of a team within the competitions of one region; `place` is its number within a refit at work."""

REGION: Final = np.dtype(
    [
        ("home", np.float64),
        ("attack", np.float64, (LEVELS,)),
        ("concession", np.float64, (LEVELS,)),
        ("latest", np.int64),
        ("due", np.int64),
        ("pending", np.int64),
        ("fits", np.int64),
    ]
)
"""State of a region: home factor, means of levels, number of the latest match, end of the open period, its matches."""

MATCH: Final = np.dtype(
    [
        ("before", np.int64),
        ("at", np.int64),
        ("region", np.int64),
        ("entrant", np.int64, (2,)),
        ("level", np.int64),
        ("neutral", np.int64),
        ("goals", np.float64, (2,)),
    ]
)
"""An observed result, without padding, so that equal states are equal bytes; `before` is the region's match before."""

PAIR: Final = np.dtype(
    [("home", np.int64), ("away", np.int64), ("weight", np.float64), ("at_home", np.int64), ("home_goals", np.float64)]
)
"""A match of a refit at work: places of the teams, its weight, whether the home factor acts, weighted home goals."""

SIDE: Final = np.dtype(
    [
        ("entrant", np.int64),
        ("level", np.int64),
        ("scored", np.float64),
        ("conceded", np.float64),
        ("attack", np.float64),
        ("concession", np.float64),
        ("exposure", np.float64),
    ]
)
"""A team of a refit at work: weighted goals, strengths, goals to be expected of a team with strength 1."""


class Constants(NamedTuple):
    """Numbers of the family, from ``features.dixon_coles`` of the parameters; times in microseconds."""

    half_life: float
    window: int
    period: int
    matches: int
    sweeps: int
    first_sweeps: int
    prior: float
    level_prior: float
    goals: float
    home: float
    newcomer_attack: float
    newcomer_concession: float


class DixonColes:
    """Expected goals from attack and concession of each team.

    Parameters
    ----------
    params : mapping
        ``half_life_days``, ``window_days`` (older matches have no weight), ``refit_days`` (length of a period),
        ``refit_matches`` (results that end a period early), ``sweeps`` and ``first_sweeps`` (steps of a refit and of
        the first), ``prior_matches`` (weight of the level's mean), ``level_prior_teams`` (weight of the region's mean
        for a level), ``goals`` and ``home`` (mean goals of a side and home factor at the start), ``newcomer_attack``
        and ``newcomer_concession`` (factors on the level's means for a team without matches).
    """

    name = "dixon_coles"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._constants = Constants(
            half_life=float(params["half_life_days"]) * DAY,
            window=round(float(params["window_days"]) * DAY),
            period=round(float(params["refit_days"]) * DAY),
            matches=int(params["refit_matches"]),
            sweeps=int(params["sweeps"]),
            first_sweeps=int(params["first_sweeps"]),
            prior=float(params["prior_matches"]),
            level_prior=float(params["level_prior_teams"]),
            goals=float(params["goals"]),
            home=float(params["home"]),
            newcomer_attack=float(params["newcomer_attack"]),
            newcomer_concession=float(params["newcomer_concession"]),
        )
        start = np.sqrt(self._constants.goals)
        self._fresh_entrant = np.array([(0.0, 0.0, 0.0, NOTHING)], dtype=ENTRANT)
        self._fresh_region = np.array(
            [(self._constants.home, [start] * LEVELS, [start] * LEVELS, NOTHING, NOTHING, 0, 0)], dtype=REGION
        )
        self._entrants = self._fresh_entrant.copy()
        self._regions = self._fresh_region.copy()
        self._matches = np.empty(0, dtype=MATCH)
        self._count = 0

    def features(self) -> tuple[Feature, ...]:
        """Return the columns of the family, in order."""
        rows: tuple[tuple[str, Side, str, str], ...] = (
            ("dc_mu_home", "home", "goals", "expected goals of the home side"),
            ("dc_mu_away", "away", "goals", "expected goals of the away side"),
            ("dc_mu_diff", "diff", "log goals", "logarithm of the ratio of expected goals, home to away"),
            (
                "dc_base_home",
                "home",
                "log goals",
                "expected goals of the home side between two teams of the level's mean",
            ),
            (
                "dc_base_away",
                "away",
                "log goals",
                "expected goals of the away side between two teams of the level's mean",
            ),
            ("dc_attack_home", "home", "log goals", "attack of the home side against the level's mean"),
            ("dc_attack_away", "away", "log goals", "attack of the away side against the level's mean"),
            ("dc_concession_home", "home", "log goals", "what the home side concedes against the level's mean"),
            ("dc_concession_away", "away", "log goals", "what the away side concedes against the level's mean"),
            ("dc_weight_home", "home", "expected goals", "weight of the past behind the home side's attack"),
            ("dc_weight_away", "away", "expected goals", "weight of the past behind the away side's attack"),
        )
        return tuple(
            Feature(name, self.name, side, "region", None, unit, meaning) for name, side, unit, meaning in rows
        )

    def fold(self, events: Events, sizes: Sizes, out: NDArray[np.float64], first: int) -> None:
        """Walk over the events: observe every result, describe every fixture into `out`, from column `first`."""
        self._entrants = grown(self._entrants, self._fresh_entrant, sizes.entrants)
        self._regions = grown(self._regions, self._fresh_region, sizes.regions)
        results = int((events["kind"] == OBSERVE).sum())
        if self._count + results > self._matches.size:
            self._forget()
            room = max(self._count + results, self._count + self._count // 8)
            self._matches = grown(self._matches, np.zeros(1, dtype=MATCH), room)
        self._count = _fold(
            self._entrants, self._regions, self._matches, self._constants, events, out, first, self._count
        )

    def _forget(self) -> None:
        """Drop the matches that no later refit of their region can reach."""
        matches = self._matches[: self._count]
        newest = np.full(self._regions.size, np.iinfo(np.int64).min)
        np.maximum.at(newest, matches["region"], matches["at"])
        keep = np.flatnonzero(matches["at"] >= newest[matches["region"]] - self._constants.window)
        number = np.full(self._count + 1, NOTHING, dtype=np.int64)
        number[keep] = np.arange(keep.size)
        self._matches = matches[keep]
        self._matches["before"] = number[self._matches["before"]]
        self._regions["latest"] = number[self._regions["latest"]]
        self._count = keep.size

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays."""
        self._forget()
        return {"entrants": self._entrants, "regions": self._regions, "matches": self._matches}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the state that `arrays` gave."""
        self._entrants, self._regions, self._matches = arrays["entrants"], arrays["regions"], arrays["matches"]
        self._count = self._matches.size


@njit(cache=True)
def _gather(
    entrants: NDArray[Any],
    region: Any,
    matches: NDArray[Any],
    constants: Constants,
    moment: int,
    pairs: NDArray[Any],
    sides: NDArray[Any],
) -> int:
    """Fill the matches of the window and their teams, latest first; return how many teams there are.

    A team belongs to the level of its latest match, and starts from its strength of the fit before.
    """
    known = 0
    number = region.latest
    for pair in pairs:
        match = matches[number]
        level = min(max(match.level, 0), LEVELS - 1)
        pair.weight = 0.5 ** ((moment - match.at) / constants.half_life)
        pair.at_home = 0 if match.neutral else 1
        pair.home_goals = pair.weight * match.goals[0]
        for side in range(2):
            entrant = entrants[match.entrant[side]]
            if entrant.place == NOTHING:
                entrant.place = known
                fresh = sides[known]
                fresh.entrant = match.entrant[side]
                fresh.level = level
                fresh.scored = 0.0
                fresh.conceded = 0.0
                fresh.attack = entrant.attack if entrant.attack > 0.0 else region.attack[level]
                fresh.concession = entrant.concession if entrant.attack > 0.0 else region.concession[level]
                known += 1
            own = sides[entrant.place]
            own.scored += pair.weight * match.goals[side]
            own.conceded += pair.weight * match.goals[1 - side]
        pair.home = entrants[match.entrant[0]].place
        pair.away = entrants[match.entrant[1]].place
        number = match.before
    for place in range(known):
        entrants[sides[place].entrant].place = NOTHING
    return known


@njit(cache=True)
def _expose(pairs: NDArray[Any], sides: NDArray[Any], home: float, attacking: bool) -> None:
    """Set the goals that every team would score (or concede) with a strength of 1."""
    for side in sides:
        side.exposure = 0.0
    for pair in pairs:
        i, j = sides[pair.home], sides[pair.away]
        factor = pair.weight * (home if pair.at_home else 1.0)
        if attacking:
            i.exposure += factor * j.concession
            j.exposure += pair.weight * i.concession
        else:
            j.exposure += factor * i.attack
            i.exposure += pair.weight * j.attack


@njit(cache=True)
def _estimate(sides: NDArray[Any], means: NDArray[np.float64], constants: Constants, attacking: bool) -> None:
    """Set every strength between its goals and the mean of its level, then the means from the strengths."""
    total, weights = np.zeros(LEVELS), np.zeros(LEVELS)
    all_total, all_weights = 0.0, 0.0
    for side in sides:
        goals = side.scored if attacking else side.conceded
        strength = (goals + constants.prior * means[side.level]) / (side.exposure + constants.prior)
        if attacking:
            side.attack = strength
        else:
            side.concession = strength
        weight = side.exposure / (side.exposure + constants.prior)
        total[side.level] += weight * strength
        weights[side.level] += weight
        all_total += weight * strength
        all_weights += weight
    for level in range(LEVELS):
        middle = constants.level_prior * all_total / all_weights
        means[level] = (total[level] + middle) / (weights[level] + constants.level_prior)


@njit(cache=True)
def _home_factor(pairs: NDArray[Any], sides: NDArray[Any], constants: Constants) -> float:
    """Return goals of home sides over what they would be without a home factor."""
    prior = constants.prior * constants.goals
    scored, without = prior * constants.home, prior
    for pair in pairs:
        if pair.at_home:
            scored += pair.home_goals
            without += pair.weight * sides[pair.home].attack * sides[pair.away].concession
    return scored / without


@njit(cache=True)
def refit(entrants: NDArray[Any], region: Any, matches: NDArray[Any], constants: Constants, moment: int) -> None:
    """Fit one region to the results of its window, each weighted by its age at `moment`, from the fit before."""
    count, number = 0, region.latest
    while number != NOTHING and matches[number].at >= moment - constants.window:
        count += 1
        number = matches[number].before
    pairs, space = np.empty(count, dtype=PAIR), np.empty(2 * count, dtype=SIDE)
    known = _gather(entrants, region, matches, constants, moment, pairs, space)
    sides = space[:known]
    for _ in range(constants.sweeps if region.fits > 0 else constants.first_sweeps):
        _expose(pairs, sides, region.home, True)
        _estimate(sides, region.attack, constants, True)
        _expose(pairs, sides, region.home, False)
        _estimate(sides, region.concession, constants, False)
        region.home = _home_factor(pairs, sides, constants)
    attack, concession = 0.0, 0.0
    for level in range(LEVELS):
        attack += region.attack[level]
        concession += region.concession[level]
    balance = np.sqrt(attack / concession)
    for level in range(LEVELS):
        region.attack[level] /= balance
        region.concession[level] *= balance
    for side in sides:
        entrant = entrants[side.entrant]
        entrant.attack = side.attack / balance
        entrant.concession = side.concession * balance
        entrant.weight = side.exposure
    region.fits += 1


@njit(cache=True)
def observe(region: Any, matches: NDArray[Any], constants: Constants, result: Any, count: int) -> None:
    """Keep one result as match number `count`, and open the period that it lies in."""
    match = matches[count]
    match.before = region.latest
    match.at = result.at
    match.region = result.region
    match.level = result.level
    match.neutral = result.neutral
    for side in range(2):
        match.entrant[side] = result.entrant[side]
        match.goals[side] = result.goals[side]
    region.latest = count
    region.pending += 1
    region.due = (result.at // constants.period + 1) * constants.period
    if region.pending >= constants.matches:
        region.due = result.at + 1


@njit(cache=True)
def describe(entrants: NDArray[Any], region: Any, constants: Constants, fixture: Any, out: NDArray[np.float64]) -> None:
    """Write expected goals, what they are made of, and the weight behind them."""
    level = min(max(fixture.level, 0), LEVELS - 1)
    mean_attack, mean_concession = region.attack[level], region.concession[level]
    for side in range(2):
        entrant = entrants[fixture.entrant[side]]
        seen = entrant.attack > 0.0
        out[5 + side] = np.log(entrant.attack / mean_attack if seen else constants.newcomer_attack)
        out[7 + side] = np.log(entrant.concession / mean_concession if seen else constants.newcomer_concession)
        out[9 + side] = entrant.weight
    out[4] = np.log(mean_attack * mean_concession)
    out[3] = out[4] if fixture.neutral else out[4] + np.log(region.home)
    log_home, log_away = out[3] + out[5] + out[8], out[4] + out[6] + out[7]
    out[0] = np.exp(log_home)
    out[1] = np.exp(log_away)
    out[2] = log_home - log_away


@njit(cache=True)
def _fold(
    entrants: NDArray[Any],
    regions: NDArray[Any],
    matches: NDArray[Any],
    constants: Constants,
    events: Events,
    out: NDArray[np.float64],
    first: int,
    count: int,
) -> int:
    for event in events:
        region = regions[event.region]
        if region.due != NOTHING and event.at >= region.due:
            refit(entrants, region, matches, constants, region.due)
            region.due = NOTHING
            region.pending = 0
        if event.kind == OBSERVE:
            observe(region, matches, constants, event, count)
            count += 1
        else:
            describe(entrants, region, constants, event, out[event.row, first:])
    return count
