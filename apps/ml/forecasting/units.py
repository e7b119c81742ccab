"""Columns in other units: hours in place of days, percent in place of shares.

Another unit multiplies all values of a column by one factor, and so its *size*: the mean magnitude of its values that
are not zero. The size of a window of rows is compared with the largest and the smallest one of earlier windows.

The distances of `drift` do not show such a change in a column whose past windows already lie far apart. All rest days
are at their cap when a season begins; the threshold of their distance is then near 1, the largest distance there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats

FACTOR: Final = 1.5
"""Largest plausible ratio of a size to the largest one of earlier windows, or of the smallest one to it …"""

SPREAD: Final = 0.25
"""… times this power of the ratio of these two: where they lie far apart, the next may lie beyond them by more."""

LEAST_VALUES: Final = 20
"""Values other than zero from which a window has a size."""

LEAST_WINDOWS: Final = 20
"""Earlier windows with a size from which a column is compared."""


def sizes(values: NDArray[Any], windows: Iterable[slice | NDArray[np.int64]]) -> Floats:
    """Return the size of each column in each window, shape (windows, columns); NaN where too few values have one.

    Parameters
    ----------
    values : ndarray, shape (rows, columns)
        NaN where a value is missing.
    windows : iterable of slice or of ndarray of int
        The rows of each.
    """
    found = []
    for rows in windows:
        magnitudes = np.abs(values[rows].astype(np.float64))
        counted = np.isfinite(magnitudes) & (magnitudes > 0.0)
        n = counted.sum(axis=0)
        total = np.where(counted, magnitudes, 0.0).sum(axis=0)
        found.append(np.where(n >= LEAST_VALUES, total / np.maximum(n, 1), np.nan))
    return np.array(found).reshape(len(found), values.shape[1])


@dataclass(frozen=True, slots=True)
class SizeChange:
    """By which factors the sizes of columns left those of earlier windows; arrays of shape (columns,)."""

    factors: Floats  # above 1 the ratio to the largest size, below 1 to the smallest; 1 between them
    limits: Floats  # largest plausible factor; the smallest one is its inverse

    @property
    def is_other_unit(self) -> NDArray[np.bool_]:
        """Which factors tell of another unit, shape (columns,)."""
        found: NDArray[np.bool_] = np.maximum(self.factors, 1.0 / self.factors) > self.limits
        return found


def size_change(past: Floats, current: Floats) -> SizeChange:
    """Compare the size of each column with those of earlier windows; one with too little to compare did not change.

    Parameters
    ----------
    past : ndarray, shape (windows, columns)
        Sizes of earlier windows, see `sizes`.
    current : ndarray, shape (columns,)
        Sizes of the window that is checked.
    """
    known = np.isfinite(past)
    compared = (known.sum(axis=0) >= LEAST_WINDOWS) & np.isfinite(current)
    largest = np.where(known, past, 0.0).max(axis=0, initial=0.0)
    smallest = np.where(known, past, np.inf).min(axis=0, initial=np.inf)
    found, apart = np.ones(current.shape), np.ones(current.shape)
    np.divide(current, largest, out=found, where=compared & (current > largest))
    np.divide(current, smallest, out=found, where=compared & (current < smallest))
    np.divide(largest, smallest, out=apart, where=compared)
    return SizeChange(found, FACTOR * apart**SPREAD)


def in_words(factor: float) -> str:
    """Return a factor in words."""
    if factor > 1.0:
        return f"{factor:.3g} times the largest size of earlier windows"
    return f"{1.0 / factor:.3g} times below the smallest size of earlier windows"
