"""Monte Carlo simulation of the rest of a season, with the competition's rules for the final table."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from apps.matches.standings import GOALS_FIRST, Decider
from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.season.draws import SIMULATIONS, draw
from apps.ml.forecasting.season.ranks import rank

__all__ = ["SIMULATIONS", "SeasonOutcome", "draw", "rank", "simulate"]


INTERVAL: Final = (0.05, 0.95)
"""Quantiles of the points, shown with their mean."""


@dataclass(frozen=True, slots=True)
class SeasonOutcome:
    """Simulated final tables of a season."""

    places: Floats  # share of seasons in which a club ends at each place, the first in column 0; shape (clubs, clubs)
    points: Floats  # mean of the points at the end, deductions taken off, shape (clubs,)
    low: Integers  # points at the quantiles of `INTERVAL`, shape (clubs,)
    high: Integers
    simulations: int
    given: Floats  # `places` of the clubs of the watched fixtures, by their outcome; shape (watched, 3, 2, clubs)

    def within(self, best: int) -> Floats:
        """Return the probability of each club to end among the first `best`, shape (clubs,)."""
        chances: Floats = self.places[:, :best].sum(axis=1)
        return chances

    def below(self, worst: int) -> Floats:
        """Return the probability of each club to end among the last `worst`, shape (clubs,)."""
        chances: Floats = self.places[:, self.places.shape[1] - worst :].sum(axis=1)
        return chances


def simulate(
    *,
    clubs: int,
    played: Integers,
    fixtures: Integers,
    p: Floats,
    expected: Floats,
    rho: float = 0.0,
    doubt: float = 0.0,
    rule: Sequence[Decider] = GOALS_FIRST,
    win: int = 3,
    deductions: Integers | None = None,
    watched: Integers | None = None,
    simulations: int = SIMULATIONS,
    seed: int = 0,
) -> SeasonOutcome:
    """Simulate a season.

    Parameters
    ----------
    clubs : int
        Number of clubs; they are numbered from 0 in the order of their names.
    played : ndarray of int, shape (n, 4)
        Home club, away club, home goals and away goals of the matches that count.
    fixtures : ndarray of int, shape (m, 2)
        Home club and away club of the matches that are left.
    p : ndarray, shape (m, 3)
        Calibrated probabilities of home, draw and away.
    expected : ndarray, shape (m, 2)
        Expected goals of home and away, above 0.
    rho : float
        Dixon-Coles correction of low scores.
    doubt : float
        Standard deviation of the shock of a club, in log-odds of home against away; 0 for none.
    rule : sequence of Decider
        What decides between teams that are level on points.
    win : int
        Points for a win; a draw gives one.
    deductions : ndarray of int, shape (clubs,), optional
        Points taken from clubs.
    watched : ndarray of int, optional
        Positions of fixtures of which the outcome says how the seasons ended in which they had that outcome.
    simulations : int
        Seasons to simulate.
    seed : int
        Equal seeds give equal seasons.
    """
    scores = draw(
        clubs=clubs, fixtures=fixtures, p=p, expected=expected, rho=rho, doubt=doubt, simulations=simulations, seed=seed
    )
    places, points = rank(
        clubs=clubs, played=played, fixtures=fixtures, scores=scores, rule=rule, win=win, deductions=deductions
    )
    shares = np.zeros((clubs, clubs))
    for club in range(clubs):
        shares[club] = np.bincount(places[:, club] - 1, minlength=clubs) / simulations
    low, high = np.quantile(points, INTERVAL, axis=0, method="nearest").astype(np.int64)
    given = _given(fixtures, scores, places, np.empty(0, dtype=np.int64) if watched is None else watched)
    return SeasonOutcome(shares, points.mean(axis=0), low, high, simulations, given)


def _given(fixtures: Integers, scores: NDArray[np.int8], places: NDArray[np.int16], watched: Integers) -> Floats:
    """Return `SeasonOutcome.given`; NaN for an outcome that no season had."""
    clubs = places.shape[1]
    found = np.full((len(watched), 3, 2, clubs), np.nan)
    for row, fixture in enumerate(watched):
        ended = 1 - np.sign(scores[:, fixture, 0] - scores[:, fixture, 1])
        for outcome in range(3):
            own = places[ended == outcome][:, fixtures[fixture]] - 1
            for side in range(2 if len(own) else 0):
                found[row, outcome, side] = np.bincount(own[:, side], minlength=clubs) / len(own)
    return found
