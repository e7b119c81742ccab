"""The grid of scorelines of a forecast, and probabilities derived from it.

The grid is that of Dixon and Coles (1997): independent Poisson goals with a correction of 0-0, 1-0, 0-1 and 1-1. Its
regions are then scaled so that home, draw and away sum to the given, calibrated probabilities to the last bit, and all
derived probabilities agree.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import ArrayLike

from apps.ml.forecasting.arrays import Floats

TINY: Final = 1e-12
"""Expected goals of a team that is not expected to score."""

LIMIT: Final = 10
"""Goals of the last cell, which stands for this number or more."""

LINES: Final = (0.5, 1.5, 2.5, 3.5, 4.5)
"""Totals of goals of the over and under markets."""

_ROUNDS: Final = 100


@dataclass(frozen=True, slots=True)
class Markets:
    """Probabilities and expected goals derived from a grid.

    `over` and `under` are keyed by the line. `most_likely` is (home goals, away goals), 10 standing for 10 or more.
    """

    over: dict[float, float]
    under: dict[float, float]
    both_score: float
    clean_sheet_home: float
    clean_sheet_away: float
    home_or_draw: float
    home_or_away: float
    draw_or_away: float
    most_likely: tuple[int, int]
    p_most_likely: float
    expected_home: float
    expected_away: float

    def as_dict(self) -> dict[str, Any]:
        """Return the markets as a plain dictionary."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ScorelineGrid:
    """Probabilities of scorelines, ``cells[home][away]`` with goals 0 to 10, where 10 means 10 or more.

    The cells of each region (home ahead, level, away ahead) add up to `p_home`, `p_draw` and `p_away` exactly, in
    the sense of `math.fsum`.
    """

    cells: tuple[tuple[float, ...], ...]
    p_home: float
    p_draw: float
    p_away: float

    def markets(self) -> Markets:
        """Return all markets of the grid."""
        scores = [(home, away) for home in range(LIMIT + 1) for away in range(LIMIT + 1)]
        cell = {(home, away): self.cells[home][away] for home, away in scores}
        best = max(scores, key=cell.__getitem__)
        return Markets(
            over={line: math.fsum(p for (h, a), p in cell.items() if h + a > line) for line in LINES},
            under={line: math.fsum(p for (h, a), p in cell.items() if h + a < line) for line in LINES},
            both_score=math.fsum(p for (h, a), p in cell.items() if h > 0 and a > 0),
            clean_sheet_home=math.fsum(p for (_, a), p in cell.items() if a == 0),
            clean_sheet_away=math.fsum(p for (h, _), p in cell.items() if h == 0),
            home_or_draw=math.fsum((self.p_home, self.p_draw)),
            home_or_away=math.fsum((self.p_home, self.p_away)),
            draw_or_away=math.fsum((self.p_draw, self.p_away)),
            most_likely=best,
            p_most_likely=cell[best],
            expected_home=math.fsum(h * p for (h, _), p in cell.items()),
            expected_away=math.fsum(a * p for (_, a), p in cell.items()),
        )


def grid(mu_home: float, mu_away: float, p: Sequence[float], rho: float = 0.0) -> ScorelineGrid:
    """Return the grid of expected goals whose regions sum to given 1X2 probabilities exactly.

    Parameters
    ----------
    mu_home, mu_away : float
        Expected goals, above 0.
    p : sequence of three floats
        Calibrated probabilities of home, draw and away.
    rho : float
        Dixon-Coles correction of low scores; negative makes 0-0 and 1-1 likelier.

    Raises
    ------
    ValueError
        When goals are not above 0 or the probabilities are invalid.
    """
    wanted = tuple(float(value) for value in p)
    if not (mu_home > 0.0 and mu_away > 0.0 and math.isfinite(mu_home) and math.isfinite(mu_away)):
        raise ValueError(f"expected goals {mu_home} and {mu_away} are not above 0")
    if len(wanted) != 3 or min(wanted) < 0.0 or abs(math.fsum(wanted) - 1.0) > 1e-6:
        raise ValueError(f"{wanted} are not probabilities of home, draw and away")
    cells = _cells(np.array([mu_home]), np.array([mu_away]), rho)[0].tolist()
    for wish, sign in zip(wanted, (1, 0, -1), strict=True):
        region = [(h, a) for h in range(LIMIT + 1) for a in range(LIMIT + 1) if (h > a) - (h < a) == sign]
        _scale(cells, region, wish)
    return ScorelineGrid(tuple(tuple(row) for row in cells), *wanted)


def scorelines(mu: ArrayLike, p: ArrayLike, rho: ArrayLike = 0.0) -> Floats:
    """Return the cells of the grids of many matches, shape (n, 11, 11), to draw from.

    They are those of `grid`, but for the last bit: regions sum to the probabilities within rounding.

    Parameters
    ----------
    mu : array_like, shape (n, 2)
        Expected goals of home and away, above 0.
    p : array_like, shape (n, 3)
        Calibrated probabilities of home, draw and away.
    rho : array_like, scalar or shape (n,)
        Dixon-Coles correction of low scores.
    """
    expected = np.asarray(mu, dtype=np.float64).reshape(-1, 2)
    wanted = np.asarray(p, dtype=np.float64).reshape(-1, 3)
    cells = _cells(expected[:, 0], expected[:, 1], rho)
    home, away = np.indices((LIMIT + 1, LIMIT + 1))
    for outcome, region in enumerate((home > away, home == away, home < away)):
        total = cells[:, region].sum(axis=1)
        cells[:, region] *= (wanted[:, outcome] / np.where(total > 0.0, total, 1.0))[:, None]
    return cells


def expected_goals(mu_home: float, mu_away: float, p: Sequence[float], rho: float = 0.0) -> tuple[float, float]:
    """Return the expected goals of home and away in the grid that `grid` returns, within rounding, but faster.

    They differ from `mu_home` and `mu_away`, because the grid is scaled to the probabilities `p`.
    """
    mu_home, mu_away = max(mu_home, TINY), max(mu_away, TINY)
    of_home, of_away = _poisson_of_one(mu_home), _poisson_of_one(mu_away)
    low = min(max(rho, -1.0 / mu_home, -1.0 / mu_away), 1.0 / (mu_home * mu_away), 1.0)
    # Probability of each region, and in it the sums of the goals of home and away times their probabilities: first of
    # the cells that the correction changes, then of all.
    one_nil, nil_one = of_home[1] * of_away[0] * mu_away * low, of_home[0] * of_away[1] * mu_home * low
    one_all = -of_home[1] * of_away[1] * low
    win = [one_nil, one_nil, 0.0]
    draw = [one_all - of_home[0] * of_away[0] * mu_home * mu_away * low, one_all, one_all]
    loss = [nil_one, 0.0, nil_one]
    fewer_home = fewer_away = goals_fewer_home = goals_fewer_away = 0.0
    for goals, (home, away) in enumerate(zip(of_home, of_away, strict=True)):
        win[0] += home * fewer_away
        win[1] += home * fewer_away * goals
        win[2] += home * goals_fewer_away
        draw[0] += home * away
        draw[1] += home * away * goals
        draw[2] += home * away * goals
        loss[0] += away * fewer_home
        loss[1] += away * goals_fewer_home
        loss[2] += away * fewer_home * goals
        fewer_home, fewer_away = fewer_home + home, fewer_away + away
        goals_fewer_home, goals_fewer_away = goals_fewer_home + home * goals, goals_fewer_away + away * goals
    scales = [wish / (region[0] if region[0] > 0.0 else 1.0) for wish, region in zip(p, (win, draw, loss), strict=True)]
    home_goals, away_goals = (
        sum(scale * region[side] for scale, region in zip(scales, (win, draw, loss), strict=True)) for side in (1, 2)
    )
    return float(home_goals), float(away_goals)


def outcome_probabilities(mu_home: ArrayLike, mu_away: ArrayLike, rho: ArrayLike = 0.0) -> Floats:
    """Return home, draw and away from expected goals, shape (n, 3).

    Parameters
    ----------
    mu_home, mu_away : array_like, shape (n,)
        Expected goals.
    rho : array_like, scalar or shape (n,)
        Dixon-Coles correction of low scores.
    """
    home, away = np.asarray(mu_home, dtype=np.float64), np.asarray(mu_away, dtype=np.float64)
    of_home, of_away = _poisson(home), _poisson(away)
    up_to_home, up_to_away = np.cumsum(of_home, axis=1), np.cumsum(of_away, axis=1)
    win = (of_home[:, 1:] * up_to_away[:, :-1]).sum(axis=1)
    loss = (of_away[:, 1:] * up_to_home[:, :-1]).sum(axis=1)
    draw = (of_home * of_away).sum(axis=1)
    low = np.exp(-home - away) * home * away * _bounded(rho, home, away)
    found = np.stack((win + low, draw - 2.0 * low, loss + low), axis=1)
    normal: Floats = found / found.sum(axis=1, keepdims=True)
    return normal


def poisson_cells(mu: Floats) -> Floats:
    """Return the grids of independent Poisson goals, shape (n, 11, 11), of the means of home and away, shape (n, 2)."""
    cells: Floats = _poisson(mu[:, 0])[:, :, None] * _poisson(mu[:, 1])[:, None, :]
    return cells


def split_total(p: Floats, total: Floats) -> Floats:
    """Return expected goals that sum to `total` and have the difference of home and away probability of `p`.

    Parameters
    ----------
    p : ndarray, shape (n, 3)
        Probabilities of home, draw and away.
    total : ndarray, shape (n,)
        Expected goals of both sides together.

    Returns
    -------
    ndarray, shape (n, 2)
        Goals of home and away; found by bisection to 1e-9 of a share.
    """
    # Imported here because it loads numba, which a web process does in its warm-up.
    from apps.ml.forecasting.goal_shares import shares

    share = shares(p[:, 0] - p[:, 2], np.ascontiguousarray(total, dtype=np.float64), LIMIT)
    return np.stack((total * share, total * (1.0 - share)), axis=1)


def _poisson(mu: Floats) -> Floats:
    """Return Poisson probabilities of 0 to 9 goals and of 10 or more, shape (n, 11)."""
    chances = np.empty((mu.size, LIMIT + 1))
    chances[:, 0] = np.exp(-mu)
    for goals in range(1, LIMIT):
        chances[:, goals] = chances[:, goals - 1] * mu / goals
    chances[:, LIMIT] = np.maximum(1.0 - chances[:, :LIMIT].sum(axis=1), 0.0)
    return chances


def _poisson_of_one(mu: float) -> list[float]:
    """Return what `_poisson` returns, for one match and without arrays."""
    chances = [math.exp(-mu)]
    for goals in range(1, LIMIT):
        chances.append(chances[-1] * mu / goals)
    return [*chances, max(1.0 - sum(chances), 0.0)]


def _bounded(rho: ArrayLike, home: Floats, away: Floats) -> Floats:
    """Return rho within the bounds that keep every cell of the grid at 0 or above."""
    least = np.maximum(-1.0 / home, -1.0 / away)
    most = np.minimum(1.0 / (home * away), 1.0)
    return np.clip(np.asarray(rho, dtype=np.float64), least, most)


def _cells(home: Floats, away: Floats, rho: ArrayLike) -> Floats:
    """Return the grids of expected goals, shape (n, 11, 11)."""
    cells = poisson_cells(np.stack((home, away), axis=1))
    bounded = _bounded(rho, home, away)
    cells[:, 0, 0] *= 1.0 - home * away * bounded
    cells[:, 0, 1] *= 1.0 + home * bounded
    cells[:, 1, 0] *= 1.0 + away * bounded
    cells[:, 1, 1] *= 1.0 - bounded
    return cells


def _scale(cells: list[list[float]], region: list[tuple[int, int]], wish: float) -> None:
    """Scale a region to sum to `wish`; then correct the largest cells until the sum is exact."""
    total = math.fsum(cells[home][away] for home, away in region)
    if total <= 0.0:
        cells[region[0][0]][region[0][1]] = total = 1.0
    for home, away in region:
        cells[home][away] *= wish / total
    order = sorted(region, key=lambda place: cells[place[0]][place[1]], reverse=True)
    for attempt in range(_ROUNDS):
        if math.fsum(cells[home][away] for home, away in region) == wish:
            return
        home, away = order[attempt % 3]
        cells[home][away] += math.fsum((wish, *(-cells[home][away] for home, away in region)))
    raise ArithmeticError(f"a region of the grid cannot be made to sum to {wish!r}")
