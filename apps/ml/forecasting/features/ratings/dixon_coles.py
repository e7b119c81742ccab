"""Attack and defence after Dixon and Coles, refitted as time goes on over all competitions of a region.

Goals of the home side are Poisson with mean ``home * attack[i] * concession[j]``, those of the away side with
``attack[j] * concession[i]`` (Dixon and Coles (1997), "Modelling association football scores and inefficiencies in the
football betting market", Applied Statistics 46, 265-280), each match weighted by ``0.5 ** (age / half_life)``. A Gamma
prior pulls every team to the mean of its level, so that the two steps of a sweep have closed forms; promoted and
relegated teams tie the levels together. The correction of low scores and the calibration are the estimator's.

A refit falls on the end of a period in which a result became known, and takes place when the first event at or after
that moment arrives, starting from the fit before. The chain of fits depends on results alone, never on what was
described in between, which makes a row offline and online equal to the last bit.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from apps.ml.forecasting.features.catalogue import Feature, Side
from apps.ml.forecasting.features.events import DAY, OBSERVE, Block, Sizes

LEVELS: Final = 12
"""Levels of a pyramid that are told apart; deeper ones share the last."""

NOTHING: Final = -1


class Teams(NamedTuple):
    """State of the entrants: a team within the competitions of one region."""

    attack: NDArray[np.float64]
    concession: NDArray[np.float64]
    weight: NDArray[np.float64]
    place: NDArray[np.int64]


class Regions(NamedTuple):
    """State of the regions: home factor, mean attack and concession of levels, latest match, end of the open period."""

    home: NDArray[np.float64]
    attack: NDArray[np.float64]
    concession: NDArray[np.float64]
    latest: NDArray[np.int64]
    due: NDArray[np.int64]
    fits: NDArray[np.int64]


class Matches(NamedTuple):
    """Observed results; `before` is the number of the match before it in the region."""

    before: NDArray[np.int64]
    at: NDArray[np.int64]
    region: NDArray[np.int64]
    home: NDArray[np.int64]
    away: NDArray[np.int64]
    level: NDArray[np.int64]
    neutral: NDArray[np.bool_]
    home_goals: NDArray[np.float64]
    away_goals: NDArray[np.float64]


class Constants(NamedTuple):
    """Numbers of the family, from ``features.dixon_coles`` of the parameters; times in microseconds."""

    half_life: float
    window: int
    period: int
    sweeps: int
    first_sweeps: int
    prior: float
    level_prior: float
    goals: float
    home: float
    newcomer_attack: float
    newcomer_concession: float


class Fit(NamedTuple):
    """One refit at work: matches of the window with local numbers of the teams, and sums of the teams."""

    home: NDArray[np.int64]
    away: NDArray[np.int64]
    weight: NDArray[np.float64]
    factor_of: NDArray[np.bool_]
    level: NDArray[np.int64]
    scored: NDArray[np.float64]
    conceded: NDArray[np.float64]
    attack: NDArray[np.float64]
    concession: NDArray[np.float64]
    exposure: NDArray[np.float64]


class DixonColes:
    """Expected goals from attack and concession of each team.

    Parameters
    ----------
    params : mapping
        ``half_life_days``, ``window_days`` (older matches have no weight), ``refit_days`` (length of a period),
        ``sweeps`` and ``first_sweeps`` (steps of a refit and of the first), ``prior_matches`` (weight of the level's
        mean), ``level_prior_teams`` (weight of the region's mean for a level), ``goals`` and ``home`` (mean goals of a
        side and home factor at the start), ``newcomer_attack`` and ``newcomer_concession`` (factors on the level's
        means for a team without matches).
    """

    name = "dixon_coles"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._constants = Constants(
            half_life=float(params["half_life_days"]) * DAY,
            window=round(float(params["window_days"]) * DAY),
            period=round(float(params["refit_days"]) * DAY),
            sweeps=int(params["sweeps"]),
            first_sweeps=int(params["first_sweeps"]),
            prior=float(params["prior_matches"]),
            level_prior=float(params["level_prior_teams"]),
            goals=float(params["goals"]),
            home=float(params["home"]),
            newcomer_attack=float(params["newcomer_attack"]),
            newcomer_concession=float(params["newcomer_concession"]),
        )
        self._teams = self._fresh_teams(1)
        self._regions = self._fresh_regions(1)
        self._matches = _fresh_matches(0)
        self._count = 0

    def _fresh_teams(self, entrants: int) -> Teams:
        return Teams(
            attack=np.zeros(entrants),
            concession=np.zeros(entrants),
            weight=np.zeros(entrants),
            place=np.full(entrants, NOTHING, dtype=np.int64),
        )

    def _fresh_regions(self, regions: int) -> Regions:
        start = np.sqrt(self._constants.goals)
        return Regions(
            home=np.full(regions, self._constants.home),
            attack=np.full((regions, LEVELS), start),
            concession=np.full((regions, LEVELS), start),
            latest=np.full(regions, NOTHING, dtype=np.int64),
            due=np.full(regions, NOTHING, dtype=np.int64),
            fits=np.zeros(regions, dtype=np.int64),
        )

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

    def fold(self, block: Block, sizes: Sizes, out: NDArray[np.float64]) -> None:
        """Walk over the events: observe every result, describe every fixture into its row of `out`."""
        more_teams = sizes.entrants - self._teams.attack.size
        if more_teams > 0:
            fresh = self._fresh_teams(more_teams)
            self._teams = Teams(*(np.concatenate(pair) for pair in zip(self._teams, fresh, strict=True)))
        more_regions = sizes.regions - self._regions.home.size
        if more_regions > 0:
            more = self._fresh_regions(more_regions)
            self._regions = Regions(*(np.concatenate(pair) for pair in zip(self._regions, more, strict=True)))
        results = int((block.kind == OBSERVE).sum())
        room = self._count + results - self._matches.at.size
        if room > 0:
            self._forget()
            room = self._count + results - self._matches.at.size
            space = _fresh_matches(max(room, self._count // 8))
            self._matches = Matches(*(np.concatenate(pair) for pair in zip(self._matches, space, strict=True)))
        self._count = _fold(self._teams, self._regions, self._matches, self._constants, block, out, self._count)

    def _forget(self) -> None:
        """Drop the matches that no later refit of their region can reach."""
        matches = Matches(*(column[: self._count] for column in self._matches))
        newest = np.full(self._regions.home.size, np.iinfo(np.int64).min)
        np.maximum.at(newest, matches.region, matches.at)
        keep = np.flatnonzero(matches.at >= newest[matches.region] - self._constants.window)
        number = np.full(self._count + 1, NOTHING, dtype=np.int64)
        number[keep] = np.arange(keep.size)
        kept = Matches(*(column[keep] for column in matches))
        self._matches = kept._replace(before=number[kept.before])
        self._regions = self._regions._replace(latest=number[self._regions.latest])
        self._count = keep.size

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays."""
        self._forget()
        named: dict[str, NDArray[Any]] = {}
        for prefix, part in (("teams", self._teams), ("regions", self._regions), ("matches", self._matches)):
            named |= {f"{prefix}_{field}": array for field, array in part._asdict().items()}
        return named

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the state that `arrays` gave."""
        self._teams = Teams(*(arrays[f"teams_{field}"] for field in Teams._fields))
        self._regions = Regions(*(arrays[f"regions_{field}"] for field in Regions._fields))
        self._matches = Matches(*(arrays[f"matches_{field}"] for field in Matches._fields))
        self._count = self._matches.at.size


def _fresh_matches(count: int) -> Matches:
    whole = np.zeros(count, dtype=np.int64)
    return Matches(
        before=whole.copy(),
        at=whole.copy(),
        region=whole.copy(),
        home=whole.copy(),
        away=whole.copy(),
        level=whole.copy(),
        neutral=np.zeros(count, dtype=np.bool_),
        home_goals=np.zeros(count),
        away_goals=np.zeros(count),
    )


@njit(cache=True)
def _gather(teams: Teams, regions: Regions, matches: Matches, constants: Constants, region: int, moment: int) -> tuple:
    """Return the entrants of the window and the matches of it; the level of a team is that of its latest match."""
    count = 0
    match = regions.latest[region]
    while match != NOTHING and matches.at[match] >= moment - constants.window:
        count += 1
        match = matches.before[match]
    entrants = np.empty(2 * count, dtype=np.int64)
    fit = Fit(
        home=np.empty(count, dtype=np.int64),
        away=np.empty(count, dtype=np.int64),
        weight=np.empty(count),
        factor_of=np.empty(count, dtype=np.bool_),
        level=np.empty(2 * count, dtype=np.int64),
        scored=np.zeros(2 * count),
        conceded=np.zeros(2 * count),
        attack=np.empty(2 * count),
        concession=np.empty(2 * count),
        exposure=np.zeros(2 * count),
    )
    known = 0
    home_goals = 0.0
    match = regions.latest[region]
    for number in range(count):
        weight = 0.5 ** ((moment - matches.at[match]) / constants.half_life)
        level = min(max(matches.level[match], 0), LEVELS - 1)
        for side in range(2):
            entrant = matches.home[match] if side == 0 else matches.away[match]
            local = teams.place[entrant]
            if local == NOTHING:
                local = known
                teams.place[entrant] = local
                entrants[local] = entrant
                fit.level[local] = level
                seen = teams.attack[entrant] > 0.0
                fit.attack[local] = teams.attack[entrant] if seen else regions.attack[region, level]
                fit.concession[local] = teams.concession[entrant] if seen else regions.concession[region, level]
                known += 1
            if side == 0:
                fit.home[number] = local
            else:
                fit.away[number] = local
        fit.weight[number] = weight
        fit.factor_of[number] = not matches.neutral[match]
        home, away = fit.home[number], fit.away[number]
        fit.scored[home] += weight * matches.home_goals[match]
        fit.conceded[away] += weight * matches.home_goals[match]
        fit.scored[away] += weight * matches.away_goals[match]
        fit.conceded[home] += weight * matches.away_goals[match]
        if not matches.neutral[match]:
            home_goals += weight * matches.home_goals[match]
        match = matches.before[match]
    for local in range(known):
        teams.place[entrants[local]] = NOTHING
    return entrants[:known], fit, home_goals


@njit(cache=True)
def _level_means(
    values: NDArray[np.float64], fit: Fit, known: int, prior: float, level_prior: float, means: NDArray[np.float64]
) -> None:
    """Set the mean of every level from its teams, each counting by the weight of its past, and the region's mean."""
    total = np.zeros(LEVELS)
    weights = np.zeros(LEVELS)
    for local in range(known):
        weight = fit.exposure[local] / (fit.exposure[local] + prior)
        total[fit.level[local]] += weight * values[local]
        weights[fit.level[local]] += weight
    middle = total.sum() / weights.sum()
    for level in range(LEVELS):
        means[level] = (total[level] + level_prior * middle) / (weights[level] + level_prior)


@njit(cache=True)
def _sweep(
    fit: Fit,
    known: int,
    home: float,
    home_goals: float,
    constants: Constants,
    mean_attack: NDArray[np.float64],
    mean_concession: NDArray[np.float64],
) -> float:
    """Set attacks, concessions, means of the levels and the home factor once each; return the home factor."""
    attack, concession, exposure = fit.attack, fit.concession, fit.exposure
    exposure[:known] = 0.0
    for number in range(fit.home.size):
        i, j, weight = fit.home[number], fit.away[number], fit.weight[number]
        factor = home if fit.factor_of[number] else 1.0
        exposure[i] += weight * factor * concession[j]
        exposure[j] += weight * concession[i]
    for k in range(known):
        attack[k] = (fit.scored[k] + constants.prior * mean_attack[fit.level[k]]) / (exposure[k] + constants.prior)
    _level_means(attack, fit, known, constants.prior, constants.level_prior, mean_attack)
    exposure[:known] = 0.0
    for number in range(fit.home.size):
        i, j, weight = fit.home[number], fit.away[number], fit.weight[number]
        factor = home if fit.factor_of[number] else 1.0
        exposure[j] += weight * factor * attack[i]
        exposure[i] += weight * attack[j]
    for k in range(known):
        concession[k] = (fit.conceded[k] + constants.prior * mean_concession[fit.level[k]]) / (
            exposure[k] + constants.prior
        )
    _level_means(concession, fit, known, constants.prior, constants.level_prior, mean_concession)
    without = 0.0
    for number in range(fit.home.size):
        if fit.factor_of[number]:
            without += fit.weight[number] * attack[fit.home[number]] * concession[fit.away[number]]
    goals_prior = constants.prior * constants.goals
    return (home_goals + goals_prior * constants.home) / (without + goals_prior)


@njit(cache=True)
def refit(teams: Teams, regions: Regions, matches: Matches, constants: Constants, region: int, moment: int) -> None:
    """Fit one region to the results of its window, each weighted by its age at `moment`, from the fit before."""
    entrants, fit, home_goals = _gather(teams, regions, matches, constants, region, moment)
    known = entrants.size
    home = regions.home[region]
    sweeps = constants.sweeps if regions.fits[region] > 0 else constants.first_sweeps
    for _ in range(sweeps):
        home = _sweep(fit, known, home, home_goals, constants, regions.attack[region], regions.concession[region])
    balance = np.sqrt(regions.attack[region].sum() / regions.concession[region].sum())
    for level in range(LEVELS):
        regions.attack[region, level] /= balance
        regions.concession[region, level] *= balance
    for local in range(known):
        teams.attack[entrants[local]] = fit.attack[local] / balance
        teams.concession[entrants[local]] = fit.concession[local] * balance
        teams.weight[entrants[local]] = fit.exposure[local]
    regions.home[region] = home
    regions.fits[region] += 1


@njit(cache=True)
def _advance(teams: Teams, regions: Regions, matches: Matches, constants: Constants, region: int, moment: int) -> None:
    """Refit the region when its open period has ended by `moment`."""
    due = regions.due[region]
    if due != NOTHING and moment >= due:
        refit(teams, regions, matches, constants, region, due)
        regions.due[region] = NOTHING


@njit(cache=True)
def observe(regions: Regions, matches: Matches, constants: Constants, block: Block, event: int, count: int) -> None:
    """Keep one result as match number `count`, and open the period that it lies in."""
    region = block.region[event]
    matches.before[count] = regions.latest[region]
    matches.at[count] = block.at[event]
    matches.region[count] = region
    matches.home[count] = block.home_entrant[event]
    matches.away[count] = block.away_entrant[event]
    matches.level[count] = block.level[event]
    matches.neutral[count] = block.neutral[event]
    matches.home_goals[count] = block.home_goals[event]
    matches.away_goals[count] = block.away_goals[event]
    regions.latest[region] = count
    regions.due[region] = (block.at[event] // constants.period + 1) * constants.period


@njit(cache=True)
def describe(
    teams: Teams, regions: Regions, constants: Constants, block: Block, event: int, out: NDArray[np.float64]
) -> None:
    """Write expected goals, what they are made of, and the weight behind them."""
    region = block.region[event]
    level = min(max(block.level[event], 0), LEVELS - 1)
    mean_attack, mean_concession = regions.attack[region, level], regions.concession[region, level]
    home = 1.0 if block.neutral[event] else regions.home[region]
    for side in range(2):
        entrant = block.home_entrant[event] if side == 0 else block.away_entrant[event]
        seen = teams.attack[entrant] > 0.0
        attack = teams.attack[entrant] / mean_attack if seen else constants.newcomer_attack
        concession = teams.concession[entrant] / mean_concession if seen else constants.newcomer_concession
        out[5 + side] = np.log(attack)
        out[7 + side] = np.log(concession)
        out[9 + side] = teams.weight[entrant]
    out[4] = np.log(mean_attack * mean_concession)
    out[3] = out[4] + np.log(home)
    out[2] = out[3] + out[5] + out[8] - out[4] - out[6] - out[7]
    out[0] = np.exp(out[3] + out[5] + out[8])
    out[1] = np.exp(out[4] + out[6] + out[7])


@njit(cache=True)
def _fold(
    teams: Teams,
    regions: Regions,
    matches: Matches,
    constants: Constants,
    block: Block,
    out: NDArray[np.float64],
    count: int,
) -> int:
    for event in range(block.kind.size):
        _advance(teams, regions, matches, constants, block.region[event], block.at[event])
        if block.kind[event] == OBSERVE:
            observe(regions, matches, constants, block, event, count)
            count += 1
        else:
            describe(teams, regions, constants, block, event, out[block.row[event]])
    return count
