"""Exact probabilities of all scores from the expected goals of both sides, and scores drawn from them."""

from __future__ import annotations

from math import lgamma
from typing import Final

import numpy as np

from apps.scraping.sandbox.timetable import Floats, Ints

GOALS: Final = 11
"""A side scores 0 to 10; the rest of the probability is spread in proportion."""
LOW_SCORE_DEPENDENCE: Final = -0.07
"""The rho of Dixon and Coles (1997): below 0 it makes 0-0 and 1-1 likelier, 1-0 and 0-1 rarer."""
FEWEST_EXPECTED: Final = 0.15
MOST_EXPECTED: Final = 4.5

_COUNTS: Final = np.arange(GOALS)
_LOG_FACTORIALS: Final = np.array([lgamma(count + 1.0) for count in range(GOALS)])
_MARGIN: Final = np.subtract.outer(_COUNTS, _COUNTS)
_TOTAL: Final = np.add.outer(_COUNTS, _COUNTS)


def score_grid(home_expected: Floats, away_expected: Floats) -> Floats:
    """Return the probability of every score.

    Parameters
    ----------
    home_expected, away_expected : array of float64, shape (n,)
        Poisson means; clipped to 0.15 … 4.5 goals.

    Returns
    -------
    array of float64, shape (n, 11, 11)
        Home goals by away goals; each grid sums to 1.
    """
    home = np.clip(home_expected, FEWEST_EXPECTED, MOST_EXPECTED)
    away = np.clip(away_expected, FEWEST_EXPECTED, MOST_EXPECTED)
    grid: Floats = _poisson(home)[:, :, None] * _poisson(away)[:, None, :]
    rho = LOW_SCORE_DEPENDENCE
    grid[:, 0, 0] *= 1.0 - home * away * rho
    grid[:, 0, 1] *= 1.0 + home * rho
    grid[:, 1, 0] *= 1.0 + away * rho
    grid[:, 1, 1] *= 1.0 - rho
    grid /= grid.sum(axis=(1, 2), keepdims=True)
    return grid


def outcome_probabilities(grid: Floats) -> Floats:
    """Return the probabilities of (home, draw, away), shape (n, 3), from each grid."""
    sides = [np.where(mask, grid, 0.0).sum(axis=(1, 2)) for mask in (_MARGIN > 0, _MARGIN == 0, _MARGIN < 0)]
    return np.stack(sides, axis=1)


def over_probability(grid: Floats) -> Floats:
    """Return the probability of three goals or more, shape (n,)."""
    over: Floats = np.where(_TOTAL > 2, grid, 0.0).sum(axis=(1, 2))
    return over


def draw_scores(grid: Floats, rng: np.random.Generator) -> tuple[Ints, Ints]:
    """Draw one score from each grid; home and away goals, each of shape (n,)."""
    cumulative = np.cumsum(grid.reshape(len(grid), -1), axis=1)
    # Scaled by the sum of the grid, which rounding may leave a little below 1.
    draws = rng.random(len(grid)) * cumulative[:, -1]
    cells = (cumulative <= draws[:, None]).sum(axis=1)
    home, away = np.divmod(np.minimum(cells, GOALS * GOALS - 1), GOALS)
    return home, away


def _poisson(expected: Floats) -> Floats:
    rows: Floats = np.exp(_COUNTS * np.log(expected)[:, None] - expected[:, None] - _LOG_FACTORIALS)
    return rows
