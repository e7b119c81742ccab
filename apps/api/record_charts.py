"""The geometry of the record page's charts, as numbers that templates put into SVG."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

LEFT: Final = 58.0
RIGHT: Final = 448.0
TOP: Final = 20.0
BOTTOM: Final = 400.0
"""Edges of the calibration plot in its view box of 470 by 462."""

LEAST_CASES: Final = 10
"""Fewest cases of a dot that is drawn; the table has all."""

SURE_CASES: Final = 30
"""Fewest cases of the dot that the headline names."""

HEADLINE: Final = 60
"""Per cent that the headline speaks of, or the nearest to it with `SURE_CASES`."""


@dataclass(frozen=True, slots=True)
class CalibrationDot:
    """A dot of the calibration plot: its centre and radius, and the range of a perfect forecaster (low, high)."""

    x: float
    y: float
    radius: float
    low: float
    high: float
    row: Mapping[str, Any]
    is_headline: bool


@dataclass(frozen=True, slots=True)
class CalibrationPlot:
    """The dots, the ticks (per cent, x, y), the row of the headline, and how many dots lie outside their range."""

    dots: list[CalibrationDot]
    ticks: list[tuple[int, float, float]]
    headline: Mapping[str, Any] | None
    outside: int


@dataclass(frozen=True, slots=True)
class SpanBar:
    """A bar from 0 with its likely range, in per cent of the width; no range with few matches."""

    width: float
    low: float | None
    high: float | None


@dataclass(frozen=True, slots=True)
class SpanDot:
    """A dot with its likely range around a middle at 50 per cent of the width, and the verdict by the range."""

    at: float
    low: float | None
    high: float | None
    verdict: str


def calibration(rows: Sequence[Mapping[str, Any]]) -> CalibrationPlot:
    """Return the calibration plot of the rows of `forecasting.record.summary`."""
    drawn = [row for row in rows if row["n"] >= LEAST_CASES]
    sure = [row for row in drawn if row["n"] >= SURE_CASES]
    headline = min(sure, key=lambda row: (abs(row["said"] - HEADLINE), -row["said"]), default=None)
    most = max((row["n"] for row in drawn), default=1)
    dots = [
        CalibrationDot(
            x=_x(row["mean"]),
            y=_y(row["happened"]),
            radius=round(4.0 + 4.5 * math.sqrt(row["n"] / most), 1),
            low=_y(row["low"]),
            high=_y(row["high"]),
            row=row,
            is_headline=row is headline,
        )
        for row in drawn
    ]
    ticks = [(percent, _x(percent / 100.0), _y(percent / 100.0)) for percent in range(0, 101, 20)]
    outside = sum(not row["low"] <= row["happened"] <= row["high"] for row in drawn)
    return CalibrationPlot(dots, ticks, headline, outside)


def span_bars(rows: Iterable[Mapping[str, Any]]) -> list[SpanBar]:
    """Return bars of points on one scale; what is worse than guessing has no width."""
    found = list(rows)
    top = max([0.1, *(abs(row[name]) for row in found for name in ("points", "high") if row[name] is not None)])
    scale = 92.0 / top

    def at(value: float | None) -> float | None:
        return None if value is None else round(max(0.0, value * scale), 1)

    return [SpanBar(at(row["points"]) or 0.0, at(row["low"]), at(row["high"])) for row in found]


def span_dots(rows: Iterable[Mapping[str, Any]]) -> list[SpanDot | None]:
    """Return dots of differences on one scale; None for a row without a difference.

    Rows with a likely range set the scale. What few matches made may lie at its end.
    """
    found = list(rows)
    sure = [row for row in found if row["low"] is not None] or [row for row in found if row["difference"] is not None]
    ends = [abs(row[name]) for row in sure for name in ("difference", "low", "high") if row[name] is not None]
    scale = 46.0 / max([0.1, *ends])

    def at(value: float | None) -> float | None:
        return None if value is None else round(50.0 + min(max(value * scale, -46.0), 46.0), 1)

    return [
        None
        if row["difference"] is None
        else SpanDot(at(row["difference"]) or 0.0, at(row["low"]), at(row["high"]), verdict(row))
        for row in found
    ]


def verdict(row: Mapping[str, Any]) -> str:
    """Return the verdict on a difference by its likely range: better, worse or level; empty with too few matches."""
    if row["low"] is None:
        return ""
    return "better" if row["low"] > 0.0 else "worse" if row["high"] < 0.0 else "level"


def _x(share: float) -> float:
    return round(LEFT + (RIGHT - LEFT) * share, 1)


def _y(share: float) -> float:
    return round(BOTTOM - (BOTTOM - TOP) * share, 1)
