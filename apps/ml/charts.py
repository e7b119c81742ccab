"""The geometry of the admin's charts: lines through numbers, as positions that templates put into SVG."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

WIDTH: Final = 640.0
HEIGHT: Final = 180.0
MARGIN: Final = 12.0
"""Space around the points, in the units of the picture."""

LABELS: Final = 64.0
"""Space at the left for the values of the horizontal lines."""


@dataclass(frozen=True, slots=True)
class ChartPoint:
    """A point of a line, with its value and what it stands for."""

    x: float
    y: float
    value: float
    about: Any


@dataclass(frozen=True, slots=True)
class TrendLine:
    """A line through points, with horizontal lines as (position, value)."""

    points: list[ChartPoint]
    path: str
    scale: list[tuple[float, float]]
    width: float = WIDTH
    height: float = HEIGHT


def trend_line(values: Sequence[tuple[Any, float | None]]) -> TrendLine | None:
    """Return the line through numbers at equal distances; None where fewer than two are known.

    Parameters
    ----------
    values : sequence of (what the number stands for, the number)
        In the order of the line, which passes over numbers that are None or not finite.
    """
    known = [
        (place, about, value)
        for place, (about, value) in enumerate(values)
        if value is not None and math.isfinite(value)
    ]
    if len(known) < 2:
        return None
    least, most = min(value for *_, value in known), max(value for *_, value in known)
    if least == most:  # a line in the middle
        least, most = least - 1.0, most + 1.0
    step = (WIDTH - LABELS - MARGIN) / (len(values) - 1)

    def y(value: float) -> float:
        return round(HEIGHT - MARGIN - (HEIGHT - 2 * MARGIN) * (value - least) / (most - least), 1)

    points = [ChartPoint(round(LABELS + step * place, 1), y(value), value, about) for place, about, value in known]
    path = "M" + "L".join(f"{point.x} {point.y}" for point in points)
    shown = {point.value for point in points}
    scale = dict.fromkeys((max(shown), (least + most) / 2, min(shown)))
    return TrendLine(points, path, [(y(value), value) for value in scale])
