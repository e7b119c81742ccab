"""Counts of matches for attack and concession ratings, and mean counts of competitions."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from apps.ml.forecasting.features.events import SIGNALS
from apps.ml.forecasting.kernels import njit

COUNTED: Final = ("goals", *SIGNALS)
"""Counts of each side, in this order."""

GOALS: Final = 0

ATTACK: Final = 0
CONCESSION: Final = 1


@njit(cache=True)
def count_of(result: Any, side: int, counted: int) -> float:
    """Return a count of a side in a match, NaN if missing."""
    return result.goals[side] if counted == GOALS else result.signals[side, counted - 1]


@njit(cache=True)
def update_means(competition: Any, mean_rate: float, result: Any) -> None:
    """Update the mean counts of the competition, after all strengths, by a share of `mean_rate` at least."""
    competition.played += 1
    if result.neutral:
        return
    for counted in range(len(COUNTED)):
        home, away = count_of(result, 0, counted), count_of(result, 1, counted)
        if not (np.isnan(home) or np.isnan(away)):
            rate = max(mean_rate, 1.0 / (competition.seen[counted] + 1.0))
            competition.mean[0, counted] += rate * (home - competition.mean[0, counted])
            competition.mean[1, counted] += rate * (away - competition.mean[1, counted])
            competition.seen[counted] += 1.0
