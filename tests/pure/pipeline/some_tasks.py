"""Tasks for the tests, in a module that other processes import."""

from __future__ import annotations

import os
import time

import numpy as np
import xgboost  # noqa: F401  loads its runtime of OpenMP
from threadpoolctl import threadpool_info


def square(number: int, seconds: float) -> tuple[int, int]:
    time.sleep(seconds)
    return number**2, os.getpid()


def total(rows: np.ndarray, power: int) -> float:
    return float((rows.astype(np.float64) ** power).sum())


def refuse(number: int) -> int:
    raise ValueError(f"task {number} is refused")


def threads() -> dict[str, int]:
    """Return the number of threads of each library that has a pool of them."""
    return {library["prefix"]: library["num_threads"] for library in threadpool_info()}
