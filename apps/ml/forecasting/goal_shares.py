"""The share of the home side in the goals of a match, found by a compiled bisection."""

from __future__ import annotations

import numpy as np

from apps.ml.forecasting.arrays import Floats
from apps.ml.forecasting.kernels import njit


def call_kernels() -> None:
    """Call each kernel with all types of arguments that are used, so that `pipeline.warm_up` compiles them."""
    shares(np.zeros(1), np.ones(1), 10)


@njit(cache=True)
def shares(lean: Floats, total: Floats, limit: int) -> Floats:
    """Return the share of the home side in the goals of each match, shape (n,).

    Parameters
    ----------
    lean : ndarray, shape (n,)
        Probability of a home win less that of an away win.
    total : ndarray, shape (n,)
        Expected goals of both sides together.
    limit : int
        Goals of the last cell of a grid, which stands for this number or more.
    """
    found = np.empty(lean.size)
    for row in range(lean.size):
        low, high = 0.001, 0.999
        for _ in range(30):
            middle = (low + high) / 2.0
            if _lean(total[row] * middle, total[row] * (1.0 - middle), limit) < lean[row]:
                low = middle
            else:
                high = middle
        found[row] = (low + high) / 2.0
    return found


@njit(cache=True)
def _lean(home: float, away: float, limit: int) -> float:
    """Return the probability of a home win less that of an away win, as `goals.outcome_probabilities` without rho."""
    of_home, of_away = np.exp(-home), np.exp(-away)
    up_to_home, up_to_away = of_home, of_away
    win, loss, draw = 0.0, 0.0, of_home * of_away
    for goals in range(1, limit + 1):
        if goals < limit:
            of_home, of_away = of_home * home / goals, of_away * away / goals
        else:
            of_home, of_away = max(1.0 - up_to_home, 0.0), max(1.0 - up_to_away, 0.0)
        win += of_home * up_to_away
        loss += of_away * up_to_home
        draw += of_home * of_away
        up_to_home, up_to_away = up_to_home + of_home, up_to_away + of_away
    return (win - loss) / (win + draw + loss)
