"""Features of a long history, computed block by block with the families in parallel threads.

Values are computed in 64 bits by row and stored in 32 bits by column, as in files.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import Executor
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.features.events import DESCRIBE, Events, Sizes
from apps.ml.forecasting.features.family import FeatureFamily
from apps.ml.forecasting.kernels import njit

FIXTURES: Final = 128
"""Fixtures that a family describes at once, so that their rows stay in the CPU cache until they are transposed."""

TILE_COLUMNS: Final = 8
"""Columns of a tile that is transposed at once: a cache line holds 8 numbers of 64 bits."""

TILE_ROWS: Final = 16
"""Rows of a tile: a cache line holds 16 numbers of 32 bits."""


@dataclass(frozen=True, slots=True)
class FeatureBlock:
    """Features of some fixtures."""

    rows: Integers  # positions in the caller's frame, shape (n,)
    values: NDArray[np.float32]  # shape (features, n), in the order of the state's names


class FamilyWorkers:
    """Families that fold the same events at the same time.

    Each family runs in one thread at a time and shares nothing with the others, so that its values do not depend on
    them. The family that took longest in the last block begins first.
    """

    def __init__(self, pool: Executor, families: Sequence[FeatureFamily], widths: Sequence[int]) -> None:
        self._pool = pool
        ends = np.cumsum(widths).tolist()
        self._parts = [
            (family, slice(end - width, end)) for family, width, end in zip(families, widths, ends, strict=True)
        ]
        self._seconds = [float(width) for width in widths]

    def block(self, events: Events, sizes: Sizes) -> FeatureBlock:
        """Observe the results and describe the fixtures among the events; changes the field `row` of the events."""
        described = np.flatnonzero(events["kind"] == DESCRIBE)
        rows = events["row"][described]
        events["row"][described] = np.arange(rows.size) % FIXTURES
        cuts = [0, *described[FIXTURES::FIXTURES].tolist(), events.size]
        pieces = [events[start:end] for start, end in pairwise(cuts)]
        values = np.empty((self._parts[-1][1].stop, rows.size), dtype=np.float32)

        def fold(number: int) -> None:
            family, columns = self._parts[number]
            began = time.perf_counter()
            own = values[columns]
            scratch = np.full((min(FIXTURES, rows.size), len(own)), np.nan)
            for first, piece in zip(range(0, max(rows.size, 1), FIXTURES), pieces, strict=True):
                family.fold(piece, sizes, scratch, 0)
                _transpose(scratch[: rows.size - first], own, first)
            self._seconds[number] = time.perf_counter() - began

        longest_first = sorted(range(len(self._parts)), key=lambda number: -self._seconds[number])
        list(self._pool.map(fold, longest_first))
        return FeatureBlock(rows, values)


@njit(cache=True, nogil=True)
def _transpose(described: Floats, columns: NDArray[np.float32], first: int) -> None:
    """Write rows, shape (n, k), into columns, shape (k, …), from number `first` on."""
    rows, width = described.shape
    for top in range(0, rows, TILE_ROWS):
        for left in range(0, width, TILE_COLUMNS):
            for column in range(left, min(left + TILE_COLUMNS, width)):
                for row in range(top, min(top + TILE_ROWS, rows)):
                    columns[column, first + row] = described[row, column]
