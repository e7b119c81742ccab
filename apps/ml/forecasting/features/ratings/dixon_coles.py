"""Attack and defence after Dixon and Coles, refitted at intervals over all competitions of a region.

Goals of the home side are Poisson with mean ``home * attack[i] * concession[j]``, those of the away side with
``attack[j] * concession[i]`` (Dixon and Coles (1997), "Modelling association football scores and inefficiencies in the
football betting market", Applied Statistics 46, 265-280), each match weighted by ``0.5 ** (age / half_life)``. A Gamma
prior pulls every team to the mean of its level, so that the two steps of a sweep have closed forms; promoted and
relegated teams tie the levels together. The correction of low scores and the calibration are the estimator's.

A refit is due at the end of a period with a new result, or earlier after many results. It is done at the first event
after that moment and starts from the fit before. The sequence of fits depends on results only, never on described
fixtures, so that features are equal offline and online to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats, Integers, Records
from apps.ml.forecasting.features.catalogue import Feature, Side
from apps.ml.forecasting.features.events import DAY, DESCRIBE, OBSERVE, Events, Sizes, grown
from apps.ml.forecasting.kernels import njit

LEVELS: Final = 12
"""Levels of a pyramid; deeper ones share the last."""

NOTHING: Final = -1
"""A team that is not in the current refit, and a region of which no refit is due."""

ENTRANT: Final = np.dtype(
    [("attack", np.float64), ("concession", np.float64), ("weight", np.float64), ("place", np.int64)]
)
"""State of a team within the competitions of one region; `place` is its number within the current refit."""

REGION: Final = np.dtype(
    [
        ("home", np.float64),
        ("attack", np.float64, (LEVELS,)),
        ("concession", np.float64, (LEVELS,)),
        ("start", np.int64),
        ("end", np.int64),
        ("due", np.int64),
        ("pending", np.int64),
        ("fits", np.int64),
    ]
)
"""State of a region: home factor, means of levels, numbers of its oldest match that still counts and of the one after
its latest, end of the open period, its matches."""

MATCH: Final = np.dtype(
    [
        ("at", np.int64),
        ("entrant", np.int32, (2,)),
        ("goals", np.float32, (2,)),
        ("region", np.int32),
        ("level", np.int16),
        ("neutral", np.int16),
    ]
)
"""An observed result, without padding, so that equal states are equal bytes; those of a region are adjacent, in the
order in which they became known."""


class Pairs(NamedTuple):
    """The matches of the current refit, latest first, shape (matches,) each."""

    home: NDArray[np.uint32]  # numbers of the teams among the sides of the refit
    away: NDArray[np.uint32]
    weight: Floats  # by the age of the match
    at_home: NDArray[np.bool_]  # whether the home factor applies


class Sides(NamedTuple):
    """The teams of the current refit, in the order of its matches, shape (teams,) each."""

    entrant: Integers  # slot of the team within the region
    level: Integers  # of its latest match
    scored: Floats  # weighted goals
    conceded: Floats
    attack: Floats
    concession: Floats
    exposure: Floats  # goals to be expected of a team with a strength of 1


class DixonColesConstants(NamedTuple):
    """Numbers of the family, from ``features.dixon_coles`` of the parameters; times in microseconds."""

    half_life: float
    window: int  # older matches have no weight
    period: int  # between two refits
    matches: int  # results that end a period early
    sweeps: int  # steps of a refit
    first_sweeps: int  # steps of the first fit of a region
    prior: float  # weight of the level's mean, in matches
    level_prior: float  # weight of the region's mean for a level, in teams
    goals: float  # mean goals of a side at the start
    home: float  # home factor at the start
    newcomer_attack: float  # factor on the level's mean for a team without matches
    newcomer_concession: float


class DixonColesRatings:
    """Expected goals from attack and concession of each team."""

    name = "dixon_coles"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._constants = DixonColesConstants(
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
            [(self._constants.home, [start] * LEVELS, [start] * LEVELS, 0, 0, NOTHING, 0, 0)], dtype=REGION
        )
        self._entrants = self._fresh_entrant.copy()
        self._regions = self._fresh_region.copy()
        self._matches = np.empty(0, dtype=MATCH)

    def features(self) -> tuple[Feature, ...]:
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

    def fold(self, events: Events, sizes: Sizes, out: Floats, first: int) -> None:
        self._entrants = grown(self._entrants, self._fresh_entrant, sizes.entrants)
        self._regions = grown(self._regions, self._fresh_region, sizes.regions)
        coming = events["region"][events["kind"] == OBSERVE]
        if coming.size:
            self._reserve(np.bincount(coming, minlength=self._regions.size))
        _fold(self._entrants, self._regions, self._matches, self._constants, events, out, first)

    def _reserve(self, coming: Integers) -> None:
        """Make space behind the matches of each region for `coming` results, shape (regions,); grow in large steps."""
        regions = self._regions
        ends = np.append(regions["start"][1:], self._matches.size)
        if (regions["end"] + coming > ends).any():
            self._arrange(coming + (regions["end"] - regions["start"]) // 4)

    def _arrange(self, gaps: Integers) -> None:
        """Drop matches too old for later refits; leave `gaps`, shape (regions,), behind those of each region."""
        regions, parts = self._regions, []
        for start, end in zip(regions["start"], regions["end"], strict=True):
            part = self._matches[start:end]
            parts.append(part[part["at"] >= part["at"][-1] - self._constants.window] if part.size else part)
        counts = np.array([part.size for part in parts])
        starts = np.concatenate(([0], np.cumsum(counts + gaps)[:-1]))
        self._matches = np.zeros(int((counts + gaps).sum()), dtype=MATCH)
        for start, part in zip(starts, parts, strict=True):
            self._matches[start : start + part.size] = part
        regions["start"], regions["end"] = starts, starts + counts

    def arrays(self) -> dict[str, NDArray[Any]]:
        self._arrange(np.zeros(self._regions.size, dtype=np.int64))
        return {"entrants": self._entrants, "regions": self._regions, "matches": self._matches}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._entrants, self._regions, self._matches = arrays["entrants"], arrays["regions"], arrays["matches"]


@njit(cache=True)
def _enter(entrant: Any, number: int, level: int, region: Any, sides: Sides, known: int) -> None:
    """Make a team the side `known` of a refit, starting from its last fitted strength."""
    entrant.place = known
    sides.entrant[known] = number
    sides.level[known] = level
    sides.scored[known] = 0.0
    sides.conceded[known] = 0.0
    sides.attack[known] = entrant.attack if entrant.attack > 0.0 else region.attack[level]
    sides.concession[known] = entrant.concession if entrant.attack > 0.0 else region.concession[level]


@njit(cache=True)
def _gather(
    entrants: Records,
    region: Any,
    matches: Records,
    constants: DixonColesConstants,
    moment: int,
    pairs: Pairs,
    sides: Sides,
) -> tuple[int, float]:
    """Fill the matches of the window and their teams, latest first; a team belongs to the level of its latest match.

    Return how many teams there are, and the weighted goals of home sides where the home factor acts, with those of the
    prior.
    """
    known, home_goals = 0, constants.prior * constants.goals * constants.home
    weight, at = 1.0, moment
    for number in range(pairs.weight.size):
        match = matches[region.end - 1 - number]
        if match.at != at:
            at = match.at
            weight = 0.5 ** ((moment - at) / constants.half_life)
        home, away = entrants[match.entrant[0]], entrants[match.entrant[1]]
        level = min(max(match.level, 0), LEVELS - 1)
        if home.place == NOTHING:
            _enter(home, match.entrant[0], level, region, sides, known)
            known += 1
        if away.place == NOTHING:
            _enter(away, match.entrant[1], level, region, sides, known)
            known += 1
        i, j = np.uint32(home.place), np.uint32(away.place)
        scored, conceded = weight * match.goals[0], weight * match.goals[1]
        sides.scored[i] += scored
        sides.conceded[i] += conceded
        sides.scored[j] += conceded
        sides.conceded[j] += scored
        pairs.home[number] = i
        pairs.away[number] = j
        pairs.weight[number] = weight
        pairs.at_home[number] = not match.neutral
        if not match.neutral:
            home_goals += scored
    for place in range(known):
        entrants[sides.entrant[place]].place = NOTHING
    return known, home_goals


@njit(cache=True)
def _expose(
    scoring_side: NDArray[np.uint32],
    other: NDArray[np.uint32],
    pairs: Pairs,
    home: float,
    strength: Floats,
    exposure: Floats,
) -> None:
    """Set the goals that every team would score (or concede) with a strength of 1.

    `scoring_side` are the sides with the home factor: home sides that score, or away sides that concede.
    """
    exposure[:] = 0.0
    for number in range(pairs.weight.size):
        i, j, weight = scoring_side[number], other[number], pairs.weight[number]
        exposure[i] += (weight * home if pairs.at_home[number] else weight) * strength[j]
        exposure[j] += weight * strength[i]


@njit(cache=True)
def _estimate(
    sides: Sides, known: int, goals: Floats, strength: Floats, means: Floats, constants: DixonColesConstants
) -> None:
    """Set every strength between its goals and the mean of its level, then the means from the strengths."""
    total, weights = np.zeros(LEVELS), np.zeros(LEVELS)
    all_total, all_weights = 0.0, 0.0
    for side in range(known):
        level, exposure = sides.level[side], sides.exposure[side]
        strength[side] = (goals[side] + constants.prior * means[level]) / (exposure + constants.prior)
        weight = exposure / (exposure + constants.prior)
        total[level] += weight * strength[side]
        weights[level] += weight
        all_total += weight * strength[side]
        all_weights += weight
    for level in range(LEVELS):
        middle = constants.level_prior * all_total / all_weights
        means[level] = (total[level] + middle) / (weights[level] + constants.level_prior)


@njit(cache=True)
def _without_home(pairs: Pairs, sides: Sides, constants: DixonColesConstants) -> float:
    """Return what the goals of home sides would be without a home factor, with those of the prior."""
    without = constants.prior * constants.goals
    for number in range(pairs.weight.size):
        if pairs.at_home[number]:
            strength = pairs.weight[number] * sides.attack[pairs.home[number]]
            without += strength * sides.concession[pairs.away[number]]
    return without


@njit(cache=True)
def refit(entrants: Records, region: Any, matches: Records, constants: DixonColesConstants, moment: int) -> None:
    """Fit one region to the results of its window, each weighted by its age at `moment`, from the fit before."""
    while region.start < region.end and matches[region.start].at < moment - constants.window:
        region.start += 1
    count = region.end - region.start
    pairs = Pairs(
        np.empty(count, dtype=np.uint32),
        np.empty(count, dtype=np.uint32),
        np.empty(count, dtype=np.float64),
        np.empty(count, dtype=np.bool_),
    )
    most = min(2 * count, entrants.size)
    numbers, reals = np.empty((2, most), dtype=np.int64), np.empty((5, most), dtype=np.float64)
    sides = Sides(numbers[0], numbers[1], reals[0], reals[1], reals[2], reals[3], reals[4])
    known, home_goals = _gather(entrants, region, matches, constants, moment, pairs, sides)
    for _ in range(constants.sweeps if region.fits > 0 else constants.first_sweeps):
        _expose(pairs.home, pairs.away, pairs, region.home, sides.concession, sides.exposure)
        _estimate(sides, known, sides.scored, sides.attack, region.attack, constants)
        _expose(pairs.away, pairs.home, pairs, region.home, sides.attack, sides.exposure)
        _estimate(sides, known, sides.conceded, sides.concession, region.concession, constants)
        region.home = home_goals / _without_home(pairs, sides, constants)
    attack, concession = 0.0, 0.0
    for level in range(LEVELS):
        attack += region.attack[level]
        concession += region.concession[level]
    balance = np.sqrt(attack / concession)
    for level in range(LEVELS):
        region.attack[level] /= balance
        region.concession[level] *= balance
    for side in range(known):
        entrant = entrants[sides.entrant[side]]
        entrant.attack = sides.attack[side] / balance
        entrant.concession = sides.concession[side] * balance
        entrant.weight = sides.exposure[side]
    region.fits += 1


@njit(cache=True)
def observe(region: Any, matches: Records, constants: DixonColesConstants, result: Any) -> None:
    """Append a result to those of its region, and schedule the next refit."""
    match = matches[region.end]
    match.at = result.at
    match.region = result.region
    match.level = result.level
    match.neutral = result.neutral
    for side in range(2):
        match.entrant[side] = result.entrant[side]
        match.goals[side] = result.goals[side]
    region.end += 1
    region.pending += 1
    region.due = (result.at // constants.period + 1) * constants.period
    if region.pending >= constants.matches:
        region.due = result.at + 1


@njit(cache=True)
def describe(entrants: Records, region: Any, constants: DixonColesConstants, fixture: Any, out: Floats) -> None:
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


@njit(cache=True, nogil=True)
def _fold(
    entrants: Records,
    regions: Records,
    matches: Records,
    constants: DixonColesConstants,
    events: Events,
    out: Floats,
    first: int,
) -> None:
    for event in events:
        region = regions[event.region]
        if region.due != NOTHING and event.at >= region.due:
            refit(entrants, region, matches, constants, region.due)
            region.due = NOTHING
            region.pending = 0
        if event.kind == OBSERVE:
            observe(region, matches, constants, event)
        elif event.kind == DESCRIBE:
            describe(entrants, region, constants, event, out[event.row, first:])
