"""Scores of forecasts, probabilities from prices, walk-forward splits, and bootstrap intervals.

Forecasts are arrays of shape (n, 3) in the order home, draw, away; outcomes are integers 0, 1, 2 in that order.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import ArrayLike, NDArray

from apps.ml.forecasting.arrays import Floats, Integers

FLOOR: Final = 1e-15
"""Smallest probability that enters a logarithm."""

Devig = Literal["power", "multiplicative", "shin"]

BINS: Final = 10
"""Bins of the calibration error, the same for scores, gates, reports and comparisons."""


@dataclass(frozen=True, slots=True)
class Scores:
    """Mean scores of `n` forecasts: log loss in nats, RPS halved, Brier summed over the outcomes, ECE in [0, 1]."""

    n: int
    log_loss: float
    rps: float
    brier: float
    accuracy: float
    ece: float

    def as_dict(self) -> dict[str, float]:
        """Return the scores as a plain dictionary."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Interval:
    """A mean with its bootstrap interval, and the numbers of values and days."""

    mean: float
    low: float
    high: float
    n: int
    days: int

    def as_dict(self) -> dict[str, float]:
        """Return the interval as a plain dictionary."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class Split:
    """One step of a walk forward: train on rows known before `start`, test on rows in [start, end)."""

    start: datetime
    end: datetime | None
    train: Integers
    test: Integers


def log_loss_each(p: ArrayLike, y: ArrayLike) -> Floats:
    """Return the logarithmic loss of every forecast in nats, shape (n,)."""
    forecasts, outcomes = _checked(p, y)
    chosen = forecasts[np.arange(outcomes.size), outcomes]
    losses: Floats = -np.log(np.maximum(chosen, FLOOR))
    return losses


def rps_each(p: ArrayLike, y: ArrayLike) -> Floats:
    """Return the ranked probability score of every forecast, divided by 2 so that it lies in [0, 1]; shape (n,)."""
    forecasts, outcomes = _checked(p, y)
    gap = np.cumsum(forecasts, axis=1)[:, :2] - np.cumsum(_one_hot(outcomes), axis=1)[:, :2]
    scores: Floats = (gap**2).sum(axis=1) / 2.0
    return scores


def distance_each(p: ArrayLike, line: ArrayLike) -> Floats:
    """Return the distance of every forecast to a line, in the unit of `rps_each`; shape (n,).

    It is half the squared difference of the cumulative probabilities: by how much the RPS of the forecast would exceed
    that of the line on average if the line were the truth. It does not depend on results, so it is far less noisy than
    the difference of scores.
    """
    own, other = np.asarray(p, dtype=np.float64), np.asarray(line, dtype=np.float64)
    gap = np.cumsum(own, axis=1)[:, :2] - np.cumsum(other, axis=1)[:, :2]
    distances: Floats = (gap**2).sum(axis=1) / 2.0
    return distances


def brier_each(p: ArrayLike, y: ArrayLike) -> Floats:
    """Return the Brier score of every forecast, summed over the three outcomes, in [0, 2]; shape (n,)."""
    forecasts, outcomes = _checked(p, y)
    scores: Floats = ((forecasts - _one_hot(outcomes)) ** 2).sum(axis=1)
    return scores


def log_loss(p: ArrayLike, y: ArrayLike) -> float:
    """Return the mean logarithmic loss in nats."""
    return float(log_loss_each(p, y).mean())


def rps(p: ArrayLike, y: ArrayLike) -> float:
    """Return the mean ranked probability score, divided by 2."""
    return float(rps_each(p, y).mean())


def brier(p: ArrayLike, y: ArrayLike) -> float:
    """Return the mean Brier score, summed over the outcomes."""
    return float(brier_each(p, y).mean())


def accuracy(p: ArrayLike, y: ArrayLike) -> float:
    """Return the share of forecasts whose most likely outcome occurred."""
    forecasts, outcomes = _checked(p, y)
    return float((forecasts.argmax(axis=1) == outcomes).mean())


def ece(p: ArrayLike, y: ArrayLike) -> float:
    """Return the expected calibration error over equal-width bins, the three outcomes pooled; in [0, 1]."""
    forecasts, outcomes = _checked(p, y)
    return binned_error(forecasts.ravel(), _one_hot(outcomes).ravel(), bins_of(forecasts.ravel()))


def ece_limit(p: ArrayLike, quantile: float = 0.975, draws: int = 200) -> float:
    """Return the ECE that perfectly calibrated forecasts exceed with probability ``1 - quantile``.

    Outcomes are drawn from the forecasts themselves, so the limit depends on their number and distribution.
    """
    forecasts = np.asarray(p, dtype=np.float64)
    generator = np.random.default_rng(0)
    flat, bounds = forecasts.ravel(), np.cumsum(forecasts, axis=1)[:, :2]
    place = bins_of(flat)
    errors = np.empty(draws)
    for draw in range(draws):
        outcomes = (generator.random((len(forecasts), 1)) >= bounds).sum(axis=1)
        errors[draw] = binned_error(flat, _one_hot(outcomes).ravel(), place)
    return float(np.quantile(errors, quantile))


def bins_of(p: Floats) -> Integers:
    """Return the number of the bin of each probability, shape (n,)."""
    return np.minimum((p * BINS).astype(np.int64), BINS - 1)


def binned_error(p: Floats, hit: NDArray[Any], place: Integers) -> float:
    """Return the calibration error of probabilities in their bins; `hit` marks those whose outcome happened."""
    gap = np.bincount(place, weights=p - hit, minlength=BINS)
    return float(np.abs(gap).sum() / p.size)


def score(p: ArrayLike, y: ArrayLike) -> Scores:
    """Return all scores of the forecasts."""
    return Scores(len(np.asarray(y)), log_loss(p, y), rps(p, y), brier(p, y), accuracy(p, y), ece(p, y))


def devig(odds: ArrayLike, method: Devig = "power") -> Floats:
    """Return the fair probabilities of decimal prices, shape (n, 3); a row with a missing price is NaN.

    Parameters
    ----------
    odds : array_like, shape (n, 3)
        Decimal prices, each above 1.
    method : {"power", "multiplicative", "shin"}
        ``power`` raises the inverse prices to the exponent that makes them sum to 1; ``multiplicative`` divides them by
        their sum; ``shin`` takes a share of insiders into account, see Shin (1993), "Measuring the incidence of insider
        trading in a market for state-contingent claims", Economic Journal 103, 1141-1153.
    """
    inverse = 1.0 / np.asarray(odds, dtype=np.float64)
    if method == "multiplicative":
        fair = inverse
    elif method == "power":
        fair = _power(inverse)
    elif method == "shin":
        fair = _shin(inverse)
    else:
        raise ValueError(f"unknown method {method!r}")
    normal: Floats = fair / fair.sum(axis=1, keepdims=True)
    return normal


def season_starts(first: datetime, last: datetime, month: int = 7, day: int = 1) -> list[datetime]:
    """Return the days of each year, at 00:00 UTC, that lie in (first, last)."""
    days = (datetime(year, month, day, tzinfo=UTC) for year in range(first.year, last.year + 1))
    return [moment for moment in days if first < moment < last]


def walk_forward(as_of: Any, known_at: Any, starts: Sequence[datetime]) -> Iterator[Split]:
    """Yield a split for each start: train on what was known before, test on forecasts until the next start.

    Parameters
    ----------
    as_of, known_at : Series of aware times, or datetime64 arrays in UTC, shape (n,)
        When each row is forecast, and when its result is known; rows without `known_at` are never trained on.
    starts : sequence of datetime
        Aware, rising.
    """
    forecast_at, known = _times(as_of), _times(known_at)
    moments = [np.datetime64(start.astimezone(UTC).replace(tzinfo=None), "us") for start in starts]
    for number, start in enumerate(moments):
        later = forecast_at >= start
        end = None
        if number + 1 < len(moments):
            later &= forecast_at < moments[number + 1]
            end = starts[number + 1]
        yield Split(starts[number], end, np.flatnonzero(known < start), np.flatnonzero(later))


def paired_bootstrap(
    difference: ArrayLike, days: ArrayLike, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Return the mean of paired differences with a bootstrap interval over match days.

    Parameters
    ----------
    difference : array_like, shape (n,)
        Score of one forecast minus the score of another for the same match.
    days : array_like, shape (n,)
        Groups that are drawn together, because matches of one day are correlated.
    draws, level, seed
        Number of resamples, level of the interval, seed of the generator.
    """
    values = np.asarray(difference, dtype=np.float64)
    return ratio_bootstrap(values, np.ones(values.size), days, draws, level, seed)


def ratio_bootstrap(
    gains: Floats, stakes: Floats, days: ArrayLike, draws: int = 1000, level: float = 0.95, seed: int = 0
) -> Interval:
    """Return the sum of gains over that of stakes, shape (n,) both, with a bootstrap interval over match days.

    Matches of one day are drawn together, because they are correlated.
    """
    kinds, codes = np.unique(np.asarray(days), return_inverse=True)
    gained = np.bincount(codes, weights=gains, minlength=len(kinds))
    staked = np.bincount(codes, weights=stakes, minlength=len(kinds))
    generator = np.random.default_rng(seed)
    ratios = np.empty(draws)
    for draw in range(draws):
        chosen = generator.integers(len(kinds), size=len(kinds))
        ratios[draw] = gained[chosen].sum() / staked[chosen].sum()
    low, high = np.quantile(ratios, [(1.0 - level) / 2.0, (1.0 + level) / 2.0])
    return Interval(float(gains.sum() / stakes.sum()), float(low), float(high), gains.size, len(kinds))


def _checked(p: ArrayLike, y: ArrayLike) -> tuple[Floats, Integers]:
    forecasts = np.asarray(p, dtype=np.float64)
    outcomes = np.asarray(y).astype(np.int64)
    if forecasts.ndim != 2 or forecasts.shape[1] != 3 or forecasts.shape[0] != outcomes.size or outcomes.size == 0:
        raise ValueError(f"forecasts of shape {forecasts.shape} and outcomes of shape {outcomes.shape} do not match")
    if not np.allclose(forecasts.sum(axis=1), 1.0, atol=1e-6):
        raise ValueError("a forecast is missing or does not sum to 1")
    return forecasts, outcomes


def _one_hot(outcomes: Integers) -> Floats:
    return (outcomes[:, None] == np.arange(3)).astype(np.float64)


def _power(inverse: Floats) -> Floats:
    """Solve ``sum(inverse ** k) = 1`` for every row by Newton's method, which is monotone from the left of the root."""
    logs = np.log(inverse)
    exponent = np.zeros((len(inverse), 1))
    with np.errstate(invalid="ignore"):
        for _ in range(60):
            powers = np.exp(exponent * logs)
            exponent = exponent - (powers.sum(axis=1, keepdims=True) - 1.0) / (powers * logs).sum(axis=1, keepdims=True)
    fair: Floats = np.exp(exponent * logs)
    return fair


def _shin(inverse: Floats) -> Floats:
    """Solve for the share of insiders of every row by bisection."""
    total = inverse.sum(axis=1, keepdims=True)
    low, high = np.zeros_like(total), np.full_like(total, 0.9)

    def fair_at(share: Floats) -> Floats:
        root = np.sqrt(share**2 + 4.0 * (1.0 - share) * inverse**2 / total)
        return np.asarray((root - share) / (2.0 * (1.0 - share)))

    for _ in range(60):
        middle = (low + high) / 2.0
        too_large = fair_at(middle).sum(axis=1, keepdims=True) > 1.0
        low, high = np.where(too_large, middle, low), np.where(too_large, high, middle)
    return fair_at((low + high) / 2.0)


def _times(values: Any) -> NDArray[np.datetime64]:
    # A pandas Series with a time zone is converted to UTC.
    times: NDArray[np.datetime64] = (
        values.to_numpy(dtype="datetime64[us]") if hasattr(values, "to_numpy") else np.asarray(values, "datetime64[us]")
    )
    return times
