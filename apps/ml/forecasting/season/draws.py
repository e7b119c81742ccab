"""Scorelines of the remaining matches, drawn for many seasons.

Every match keeps its calibrated home, draw and away probabilities, and its scorelines are those of its grid, in which
10 goals stand for 10 and more. Matches of a club are correlated by the uncertainty of its strength: in each simulated
season every club has a normally distributed shock in log-odds of home against away, and the probabilities of a match
are tilted by the difference of both shocks. They are centred so that their mean over all seasons is the calibrated
probability: the shocks widen the distribution of tables without changing any single match.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from scipy.special import ndtr

from apps.ml.forecasting import goals
from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.kernels import njit

SIMULATIONS: Final = 10_000
"""Simulated seasons: the error of a probability of one half is then below 0.010 in 19 of 20 cases."""

BLOCK: Final = 500
"""Seasons that are drawn at once, to limit memory."""

STEPS: Final = 16
"""Number of discrete tilts on either side of 0."""

REACH: Final = 4.0
"""The largest tilt, in standard deviations of the difference of two shocks."""

LEAST_EFFECTIVE: Final = 0.2
"""Share of the seasons that must count where results are given: of 2,000 as many as 400 seasons of equal weight."""

ROUNDS: Final = 60
PRECISION: Final = 1e-12

SIDE: Final = goals.LIMIT + 1
CELLS: Final = SIDE * SIDE

_HOME, _DRAW, _AWAY = 0, 1, 2


@dataclass(frozen=True, slots=True)
class DrawnSeasons:
    """Scorelines of the remaining matches in many seasons, and what they were drawn from."""

    scores: NDArray[np.int8]  # goals of home and away, shape (simulations, fixtures, 2)
    levels: Floats  # shocks of the clubs in steps of the tilt, shape (simulations, clubs)
    fixtures: Integers
    tilted: Floats  # see `_tilted`
    share: Floats  # see `_tables`
    alias: Integers
    seed: int

    def given(self, outcomes: Mapping[int, int]) -> tuple[NDArray[np.int8], Floats]:
        """Return the scorelines where some matches end as given, and the weights of the seasons, whose mean is 1.

        The other matches keep their scorelines. A season weighs as much as its shocks make the given outcomes likely,
        so that they change the strengths of the clubs as real results would: the chances given home
        win, draw and away win of a match, weighted with its probabilities, are those without any given outcome. Where
        very unlikely outcomes would leave fewer seasons than `LEAST_EFFECTIVE`, the weights are raised to the largest
        power below 1 that leaves as many: the strengths then follow the outcomes in part.

        Parameters
        ----------
        outcomes : mapping of int to int
            Number of a fixture → 0 home win, 1 draw, 2 away win.
        """
        scores, weights = self.scores.copy(), np.ones(len(self.scores))
        for match, outcome in sorted(outcomes.items()):
            chances = np.random.default_rng((self.seed, match)).random(len(scores))
            home, away = self.fixtures[match]
            push = self.levels[:, home] - self.levels[:, away]
            _give(
                outcome, chances, push, self.tilted[match], self.share[match], self.alias[match], scores[:, match],
                weights,
            )  # fmt: skip
        return scores, _tempered(weights)


def draw(
    *,
    clubs: int,
    fixtures: Integers,
    p: Floats,
    expected: Floats,
    rho: float = 0.0,
    doubt: float = 0.0,
    simulations: int = SIMULATIONS,
    seed: int = 0,
) -> DrawnSeasons:
    """Draw the remaining matches of many seasons; see `simulate`."""
    generator = np.random.default_rng(seed)
    matches = np.ascontiguousarray(fixtures, dtype=np.int64).reshape(-1, 2)
    wanted = np.ascontiguousarray(p, dtype=np.float64).reshape(-1, 3)
    step = REACH * np.sqrt(2.0) * doubt / STEPS
    tilted = _tilted(wanted, doubt, step)
    share, alias = _tables(goals.scorelines(expected, wanted, rho))
    scores = np.empty((simulations, len(matches), 2), dtype=np.int8)
    levels = np.zeros((simulations, clubs))
    for first in range(0, simulations, BLOCK):
        block = slice(first, first + BLOCK)
        chances = generator.random((len(scores[block]), len(matches)))
        if doubt > 0.0:
            levels[block] = generator.standard_normal((len(scores[block]), clubs)) * (doubt / step)
        _play(matches, chances, levels[block], tilted, share, alias, scores[block])
    return DrawnSeasons(scores, levels, matches, tilted, share, alias, seed)


def _tempered(weights: Floats) -> Floats:
    """Return weights of mean 1, raised to a power that leaves `LEAST_EFFECTIVE` (Kish's effective sample size)."""
    logarithms = np.log(np.maximum(weights, np.finfo(np.float64).tiny))
    low, high = 0.0, 1.0
    power = high
    for _ in range(12):
        found = np.exp(power * (logarithms - logarithms.max()))
        found /= found.mean()
        is_enough = 1.0 / np.square(found).mean() >= LEAST_EFFECTIVE
        if is_enough and power == 1.0:
            break
        low, high = (power, high) if is_enough else (low, power)
        power = (low + high) / 2.0
    return found


def _tilted(p: Floats, doubt: float, step: float) -> Floats:
    """Return the bounds of home and of home or draw at each tilt, shape (m, 2 STEPS + 1, 2).

    The centre of each match is found iteratively: log-odds are corrected by the error of the mean over the tilts.
    """
    numbers = np.arange(-STEPS, STEPS + 1, dtype=np.float64)
    if doubt <= 0.0:
        bounds = np.stack((p[:, 0], p[:, 0] + p[:, 1]), axis=1)
        return np.ascontiguousarray(np.broadcast_to(bounds[:, None, :], (len(p), numbers.size, 2)))
    edges = ndtr((numbers[:-1] + 0.5) * step / (np.sqrt(2.0) * doubt))
    weight = np.diff(np.concatenate(([0.0], edges, [1.0])))
    push = (numbers * step)[:, None] * np.array([0.5, 0.0, -0.5])
    wanted = np.log(np.maximum(p, PRECISION))
    centre = wanted.copy()
    for _ in range(ROUNDS):
        powers = np.exp(centre[:, None, :] + push[None, :, :])
        found: Floats = powers / powers.sum(axis=2, keepdims=True)
        lacking = wanted - np.log((found * weight[None, :, None]).sum(axis=1))
        centre += lacking
        if not lacking.size or np.abs(lacking).max() < PRECISION:
            break
    return np.ascontiguousarray(np.stack((found[:, :, 0], found[:, :, 0] + found[:, :, 1]), axis=2))


def _tables(cells: Floats) -> tuple[Floats, Integers]:
    """Return Walker's alias tables of the scorelines of each outcome, shape (m, 3, CELLS) both.

    ``share[i, o, c]`` is the part of cell `c` that stays its own, the rest belongs to ``alias[i, o, c]``. The first
    ``counts[o]`` entries are used, whose alias and own cell are numbers of cells of the whole grid.
    """
    share = np.zeros((len(cells), 3, _MOST))
    alias = np.zeros((len(cells), 3, _MOST), dtype=np.int64)
    _alias(np.ascontiguousarray(cells.reshape(len(cells), CELLS)), _MEMBERS, _COUNTS, share, alias)
    return share, alias


def _regions() -> tuple[Integers, Integers]:
    """Return the cells of each outcome, shape (3, most of them), and their numbers."""
    home, away = np.divmod(np.arange(CELLS), SIDE)
    regions = [np.flatnonzero(home > away), np.flatnonzero(home == away), np.flatnonzero(home < away)]
    counts = np.array([region.size for region in regions], dtype=np.int64)
    members = np.zeros((3, int(counts.max())), dtype=np.int64)
    for outcome, region in enumerate(regions):
        members[outcome, : region.size] = region
    return members, counts


_MEMBERS, _COUNTS = _regions()
_MOST: Final = _MEMBERS.shape[1]


@njit(cache=True)
def _alias(cells: Floats, members: Integers, counts: Integers, share: Floats, alias: Integers) -> None:
    """Fill alias tables by Vose's method."""
    small = np.empty(members.shape[1], dtype=np.int64)
    large = np.empty(members.shape[1], dtype=np.int64)
    scaled = np.empty(members.shape[1])
    for match in range(cells.shape[0]):
        for outcome in range(3):
            n = counts[outcome]
            total = 0.0
            for place in range(n):
                total += cells[match, members[outcome, place]]
            smalls, larges = 0, 0
            for place in range(n):
                own = cells[match, members[outcome, place]]
                scaled[place] = own * n / total if total > 0.0 else 1.0
                alias[match, outcome, place] = members[outcome, place]
                if scaled[place] < 1.0:
                    small[smalls] = place
                    smalls += 1
                else:
                    large[larges] = place
                    larges += 1
            while smalls > 0 and larges > 0:
                smalls -= 1
                poor, rich = small[smalls], large[larges - 1]
                share[match, outcome, poor] = scaled[poor]
                alias[match, outcome, poor] = members[outcome, rich]
                scaled[rich] -= 1.0 - scaled[poor]
                if scaled[rich] < 1.0:
                    larges -= 1
                    small[smalls] = rich
                    smalls += 1
            for place in range(smalls):
                share[match, outcome, small[place]] = 1.0
            for place in range(larges):
                share[match, outcome, large[place]] = 1.0


@njit(cache=True)
def _play_match(
    chance: float, home: float, home_or_draw: float, share: Floats, alias: Integers, members: Integers, counts: Integers
) -> int:
    """Return the cell of the scoreline that a number from 0 to below 1 stands for."""
    if chance < home:
        outcome, rest = _HOME, chance / home
    elif chance < home_or_draw:
        outcome, rest = _DRAW, (chance - home) / (home_or_draw - home)
    else:
        outcome, rest = _AWAY, (chance - home_or_draw) / max(1.0 - home_or_draw, 1e-300)
    spread = rest * counts[outcome]
    place = min(int(spread), counts[outcome] - 1)
    if spread - place < share[outcome, place]:
        return int(members[outcome, place])
    return int(alias[outcome, place])


@njit(cache=True)
def _level(push: float, middle: int) -> int:
    """Return the number of the tilt that is next to the difference of two shocks."""
    return middle + min(max(int(np.floor(push + 0.5)), -middle), middle)


@njit(cache=True)
def _play(
    fixtures: Integers,
    chances: Floats,
    levels: Floats,
    tilted: Floats,
    share: Floats,
    alias: Integers,
    scores: NDArray[np.int8],
) -> None:
    """Draw the scorelines of some seasons; `levels` are the shocks of the clubs in steps of the tilt."""
    middle = tilted.shape[1] // 2
    for season in range(scores.shape[0]):
        for match in range(fixtures.shape[0]):
            level = _level(levels[season, fixtures[match, 0]] - levels[season, fixtures[match, 1]], middle)
            cell = _play_match(
                chances[season, match],
                tilted[match, level, 0],
                tilted[match, level, 1],
                share[match],
                alias[match],
                _MEMBERS,
                _COUNTS,
            )
            scores[season, match, 0] = cell // SIDE
            scores[season, match, 1] = cell % SIDE


@njit(cache=True)
def _give(
    outcome: int,
    chances: Floats,
    push: Floats,
    tilted: Floats,
    share: Floats,
    alias: Integers,
    scores: NDArray[np.int8],
    weights: Floats,
) -> None:
    """Draw scorelines of one match that has a given outcome, and multiply the weights by its probability."""
    middle = tilted.shape[0] // 2
    for season in range(scores.shape[0]):
        level = _level(push[season], middle)
        home, home_or_draw = tilted[level, 0], tilted[level, 1]
        least = (0.0, home, home_or_draw)[outcome]
        most = (home, home_or_draw, 1.0)[outcome]
        chance = least + (most - least) * chances[season]
        cell = _play_match(chance, home, home_or_draw, share, alias, _MEMBERS, _COUNTS)
        scores[season, 0] = cell // SIDE
        scores[season, 1] = cell % SIDE
        weights[season] *= most - least
