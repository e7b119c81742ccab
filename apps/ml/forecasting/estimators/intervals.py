"""How far the closing line of a match may be from a forecast: an interval around each probability.

The closing line is the best estimate of the true probabilities that there is. On earlier forecasts that the model was
not fitted to, the difference of the line from the forecast in log-odds is divided by a scale, which depends on the
features `KNOWN` and on the probability. Quantiles of these ratios, times the scale of a new forecast, are its
interval, in the manner of split conformal prediction with normalized scores: Lei, G'Sell, Rinaldo, Tibshirani and
Wasserman (2018), "Distribution-Free Predictive Inference for Regression", Journal of the American Statistical
Association 113, 1094-1111.
The scale has few numbers and is fitted to the forecasts of the quantiles too, so that coverage is measured (stage
`evaluate`) and not guaranteed. Each outcome is covered by itself; all three together are less often.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats

INTERVALS_FILE: Final = "intervals.json"

KNOWN: Final = (
    "elo_matches_home",
    "elo_matches_away",
    "filter_counted_home",
    "filter_counted_away",
    "table_progress",
    "level",
)
"""Features that the scale depends on: how much is known of the sides, and the part of the season."""

MANY_MATCHES: Final = 300
"""Known matches of a side from which on more of them say nothing new."""

LATE: Final = 0.85
"""Share of the season after which forecasts are farther from the line, because they know too little of the stakes."""

LEAST: Final = 1e-4
"""Smallest distance of a probability from 0 and from 1 for its log-odds."""

SMALLEST: Final = 0.01
"""What is added to each difference in log-odds before its logarithm is taken."""


@dataclass(frozen=True, slots=True)
class Intervals:
    """Fitted intervals; rows of `scale` and `limits` are home, draw and away."""

    level: float  # share of the matches whose closing line is expected inside, for each outcome
    scale: tuple[tuple[float, ...], ...]  # coefficients of the logarithm of the scale, in the order of `_design`
    limits: tuple[tuple[float, float], ...]  # quantiles of the ratios, below and above 0
    n: int  # forecasts that the quantiles were taken from

    def around(self, p: Floats, known: Floats) -> Floats:
        """Return the ends of the interval of each probability, shape (n, 3, 2).

        Parameters
        ----------
        p : ndarray, shape (n, 3)
            Calibrated probabilities.
        known : ndarray, shape (n, 6)
            The features `KNOWN` of the matches.
        """
        ends = np.empty((len(p), 3, 2))
        for place, limits in enumerate(self.limits):
            scale = _scale(_design(p[:, place], known), np.array(self.scale[place]))
            log_odds = _log_odds(p[:, place])
            for side, limit in enumerate(limits):
                ends[:, place, side] = 1.0 / (1.0 + np.exp(-log_odds - limit * scale))
        return ends

    def as_dict(self) -> dict[str, Any]:
        """Return the intervals as JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return the intervals that `as_dict` gave."""
        return cls(
            level=content["level"],
            scale=tuple(tuple(row) for row in content["scale"]),
            limits=tuple((low, high) for low, high in content["limits"]),
            n=content["n"],
        )


def fit_intervals(
    p: Floats, line: Floats, known: Floats, *, latest: NDArray[np.bool_], level: float, l2: float
) -> Intervals:
    """Return intervals fitted to forecasts that the model was not fitted to.

    Parameters
    ----------
    p, line : ndarray, shape (n, 3)
        Calibrated probabilities, and those of the closing line.
    known : ndarray, shape (n, 6)
        The features `KNOWN`.
    latest : ndarray of bool, shape (n,)
        The forecasts that the quantiles are taken from. The scale, which changes less from year to year, is fitted to
        all of them.
    level : float
        Share of the closing lines that shall lie inside.
    l2 : float
        Ridge penalty of the scale, in units of matches.
    """
    scales, limits = [], []
    for place in range(3):
        difference = _log_odds(line[:, place]) - _log_odds(p[:, place])
        design = _design(p[:, place], known)
        coefficients = _ridge(design, np.log(np.abs(difference) + SMALLEST), l2)
        ratios = (difference / _scale(design, coefficients))[latest]
        low, high = np.quantile(ratios, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
        scales.append(tuple(coefficients.tolist()))
        # An interval holds its forecast, even where the line lies on one side of most forecasts.
        limits.append((min(float(low), 0.0), max(float(high), 0.0)))
    return Intervals(level, tuple(scales), tuple(limits), int(latest.sum()))


def _log_odds(p: Floats) -> Floats:
    within = np.clip(p, LEAST, 1.0 - LEAST)
    found: Floats = np.log(within) - np.log1p(-within)
    return found


def _design(p: Floats, known: Floats) -> Floats:
    """Return what the logarithm of the scale is linear in, shape (n, 7); a missing feature counts as 0."""
    played_home, played_away, counted_home, counted_away, progress, level = np.nan_to_num(known).T
    within = np.clip(p, LEAST, 1.0 - LEAST)
    return np.column_stack(
        [
            np.ones(len(p)),
            np.log1p(np.clip(np.minimum(played_home, played_away), 0.0, MANY_MATCHES)),
            np.minimum(counted_home, counted_away),
            np.maximum(0.0, progress - LATE),
            level,
            np.log(within),
            np.log1p(-within),
        ]
    )


def _scale(design: Floats, coefficients: Floats) -> Floats:
    scale: Floats = np.exp(design @ coefficients)
    return scale


def _ridge(design: Floats, target: Floats, l2: float) -> Floats:
    """Return the coefficients of a ridge regression whose first column is the constant, which is not penalized."""
    mean, spread = design[:, 1:].mean(axis=0), design[:, 1:].std(axis=0)
    spread[spread == 0.0] = 1.0
    scaled = (design[:, 1:] - mean) / spread
    found = np.linalg.solve(scaled.T @ scaled + l2 * np.eye(scaled.shape[1]), scaled.T @ (target - target.mean()))
    slopes = found / spread
    return np.concatenate([[target.mean() - float(mean @ slopes)], slopes])
