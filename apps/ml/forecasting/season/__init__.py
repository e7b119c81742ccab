"""Monte Carlo simulation of the rest of a season, with the competition's rules for the final table."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from apps.matches.standings import GOALS_FIRST, Decider
from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.season.draws import SIMULATIONS, DrawnSeasons, draw
from apps.ml.forecasting.season.ranks import rank

__all__ = ["SIMULATIONS", "DrawnSeasons", "SeasonOutcome", "draw", "rank", "simulate", "tabulate"]


INTERVAL: Final = (0.1, 0.9)
"""Quantiles of the points, shown with their mean: eight of ten seasons end between them."""


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
    drawn = draw(
        clubs=clubs, fixtures=fixtures, p=p, expected=expected, rho=rho, doubt=doubt, simulations=simulations, seed=seed
    )
    return tabulate(drawn, clubs=clubs, played=played, rule=rule, win=win, deductions=deductions, watched=watched)


def tabulate(
    drawn: DrawnSeasons,
    *,
    clubs: int,
    played: Integers,
    rule: Sequence[Decider] = GOALS_FIRST,
    win: int = 3,
    deductions: Integers | None = None,
    watched: Integers | None = None,
    given: Mapping[int, int] | None = None,
) -> SeasonOutcome:
    """Return the final tables of drawn seasons; of those in which some matches end as given, see `DrawnSeasons.given`.

    The other parameters are those of `simulate`.
    """
    scores, weights = drawn.given(given) if given else (drawn.scores, None)
    places, points = rank(
        clubs=clubs,
        played=played,
        fixtures=drawn.fixtures,
        scores=scores,
        rule=rule,
        win=win,
        deductions=deductions,
    )
    shares = np.zeros((clubs, clubs))
    for club in range(clubs):
        shares[club] = np.bincount(places[:, club] - 1, weights=weights, minlength=clubs) / len(scores)
    low, high = np.quantile(points, INTERVAL, axis=0, method="inverted_cdf", weights=weights).astype(np.int64)
    mean = np.average(points, axis=0, weights=weights)
    by_outcome = _by_outcome(drawn.fixtures, scores, places, [] if watched is None else watched.tolist())
    return SeasonOutcome(shares, mean, low, high, len(scores), by_outcome)


def _by_outcome(
    fixtures: Integers, scores: NDArray[np.int8], places: NDArray[np.int16], watched: Sequence[int]
) -> Floats:
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
