"""Probabilities during a match, from its forecast, the minute and the score.

The goals that are left are Poisson variables. Their means are the expected goals of the forecast times the share of a
match's goals that usually fall after the minute, because scoring becomes more frequent towards the end, and times the
effect of the score: sides that are behind score more (Dixon and Robinson 1998, "A birth process model for association
football matches", found both). What the forecast knows beyond its expected goals is kept in proportion to the time
that is left, so that at kick-off the result is the forecast itself.

The constants were fitted by `benchmarks/live_probabilities.py` to the scores at half time of 98,709 matches of the
seasons to 2013-14; the same benchmark tests them on the later ones.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numpy.typing import ArrayLike

from apps.ml.forecasting import goals
from apps.ml.forecasting.arrays import Floats

BEFORE_HALF_TIME: Final = 0.440
"""Share of the goals that fall in the first half, its stoppage time included."""

EFFECT: Final = (1.141, 1.055, 0.958, 0.978, 1.039)
"""Factor on the goals to come of a side that is behind by two or more, by one, level, ahead by one, by two or more."""

HALF: Final = 45.0
STOPPAGE: Final = 5.0
"""Minutes that are usually played on after the 90th."""

LEAST_LEFT: Final = 1.0
"""Minutes that count as left for as long as a match is in play."""


def share_left(minute: ArrayLike) -> Floats:
    """Return the share of a match's goals that usually fall after a minute: 1 at kick-off, never quite 0.

    The rate of scoring grows linearly. Minutes of stoppage time count as 45 or 90, as feeds report them.
    """
    played = np.clip(np.asarray(minute, dtype=np.float64), 0.0, 2.0 * HALF + STOPPAGE - LEAST_LEFT)
    second = np.maximum(played - HALF, 0.0) / (HALF + STOPPAGE)
    time = (np.minimum(played, HALF) / HALF + second) / 2.0
    growth = 4.0 * (0.5 - BEFORE_HALF_TIME)
    left: Floats = 1.0 - time - growth * (time * time - time)
    return left


def live_probabilities(
    p: ArrayLike, expected: ArrayLike, minute: ArrayLike, home_goals: ArrayLike, away_goals: ArrayLike
) -> Floats:
    """Return the probabilities of home win, draw and away win during matches, shape (n, 3).

    Parameters
    ----------
    p : array_like, shape (n, 3)
        Forecast of home, draw and away before the match.
    expected : array_like, shape (n, 2)
        Expected goals of home and away before the match, above 0.
    minute : array_like, scalar or shape (n,)
        Minutes played, 0 to 90.
    home_goals, away_goals : array_like of int, scalar or shape (n,)
        The score at that minute.
    """
    before = np.asarray(p, dtype=np.float64).reshape(-1, 3)
    means = np.asarray(expected, dtype=np.float64).reshape(-1, 2)
    left = np.broadcast_to(share_left(minute), len(means))[:, None]
    lead = np.broadcast_to(np.asarray(home_goals, dtype=np.int64) - np.asarray(away_goals), len(means))
    standing = np.clip(np.stack((lead, -lead), axis=1), -2, 2) + 2
    # The forecast expects what the score will do on average: the effect of the score that stands grows from nothing.
    weight = np.minimum((1.0 - left) / BEFORE_HALF_TIME, 1.0)
    to_come = goals.poisson_cells(means * left * np.array(EFFECT)[standing] ** weight)
    margin = np.arange(goals.LIMIT + 1)[:, None] - np.arange(goals.LIMIT + 1) + lead[:, None, None]
    found = np.stack([(to_come * region).sum(axis=(1, 2)) for region in (margin > 0, margin == 0, margin < 0)], axis=1)
    at_kickoff = goals.outcome_probabilities(means[:, 0], means[:, 1])
    found *= (before / at_kickoff) ** left
    live: Floats = found / found.sum(axis=1, keepdims=True)
    return live
