"""Columns in other units: hours in place of days, percent in place of shares.

Another unit multiplies all values of a column by one factor, and so its *size*: the mean magnitude of its values that
are not zero. The size of a window of rows is compared with the largest and the smallest one of earlier windows.

The distances of `drift` do not show such a change in a column whose past windows already lie far apart. All rest days
are at their cap when a season begins; the threshold of their distance is then near 1, the largest distance there is.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats

FACTOR: Final = 1.5
"""Largest plausible ratio of a size to the largest one of earlier windows, or of the smallest one to it.

Below the usual factors between units (miles and kilometres 1.6, inches and centimetres 2.5, days and hours 24).
"""

LEAST_VALUES: Final = 20
"""Values other than zero from which on a window has a size."""

LEAST_WINDOWS: Final = 20
"""Earlier windows with a size from which on a column is compared."""


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


def factors(past: Floats, current: Floats) -> Floats:
    """Return by which factor the size of each column left those of earlier windows, shape (columns,).

    Above 1 it is the ratio to the largest of them, below 1 to the smallest one; 1 where the size lies between them, or
    where there is too little to compare.

    Parameters
    ----------
    past : ndarray, shape (windows, columns)
        Sizes of earlier windows, see `sizes`.
    current : ndarray, shape (columns,)
        Sizes of the window that is looked at.
    """
    known = np.isfinite(past)
    compared = (known.sum(axis=0) >= LEAST_WINDOWS) & np.isfinite(current)
    largest = np.where(known, past, -np.inf).max(axis=0, initial=-np.inf)
    smallest = np.where(known, past, np.inf).min(axis=0, initial=np.inf)
    found = np.ones(current.shape)
    np.divide(current, largest, out=found, where=compared & (current > largest))
    np.divide(current, smallest, out=found, where=compared & (current < smallest))
    return found


def are_changed(found: Floats) -> NDArray[np.bool_]:
    """Return which of the `factors` tell of another unit."""
    changed: NDArray[np.bool_] = (found > FACTOR) | (found < 1.0 / FACTOR)
    return changed


def in_words(factor: float) -> str:
    """Return a factor in words."""
    if factor > 1.0:
        return f"{factor:.3g} times the largest size of earlier windows"
    return f"{1.0 / factor:.3g} times below the smallest size of earlier windows"
