"""The geometry of charts: bars, marks, heat maps and lines, as numbers that templates put into SVG.

Colours are in the style sheet, by a class for each outcome, because the Content-Security-Policy allows no inline
styles. Only the marks of teams have colours here.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from apps.ml.forecasting.goals import ScorelineGrid

OUTCOMES: Final = ("home", "draw", "away")
LEAST_WIDTH: Final = 7.0
"""Minimum width of a segment in per cent, so that its number fits."""
HEAT_GOALS: Final = 6
"""The heat map has a row and column for each number of goals below it, and one for it and more."""
HEAT_STEPS: Final = 20


@dataclass(frozen=True, slots=True)
class BarSegment:
    """One outcome of a bar: its position in per cent of the width, and its whole number."""

    outcome: str
    x: float
    width: float
    middle: float
    percent: int


def whole_percents(shares: Sequence[float]) -> list[int]:
    """Return whole per cents that sum to 100, by the largest-remainder method; of equal remainders the first wins.

    Raises
    ------
    ValueError
        When the shares do not sum to 1 within 1e-6.
    """
    if abs(math.fsum(shares) - 1.0) > 1e-6 or min(shares) < 0.0:
        raise ValueError(f"{tuple(shares)} do not sum to 1")
    exact = [100.0 * share for share in shares]
    whole = [math.floor(value) for value in exact]
    rest = 100 - sum(whole)
    by_remainder = sorted(range(len(exact)), key=lambda i: (whole[i] - exact[i], i))
    for i in by_remainder[:rest]:
        whole[i] += 1
    return whole


def bar(p: Sequence[float]) -> list[BarSegment]:
    """Return the three segments of a probability bar, each wide enough for its number."""
    percents = whole_percents(p)
    wanted = [max(100.0 * share, LEAST_WIDTH) for share in p]
    total = math.fsum(wanted)
    parts, x = [], 0.0
    for outcome, width, percent in zip(OUTCOMES, wanted, percents, strict=True):
        width = round(100.0 * width / total, 3)
        parts.append(BarSegment(outcome, round(x, 3), width, round(x + width / 2.0, 3), percent))
        x += width
    return parts


@dataclass(frozen=True, slots=True)
class Cell:
    """One scoreline of the heat map: its outcome, its per cent, and how dark it is (0 to 20)."""

    home: str
    away: str
    outcome: str
    percent: float
    level: int
    is_best: bool


def heat(grid: ScorelineGrid) -> list[tuple[str, list[Cell]]]:
    """Return the rows of a heat map, home goals down and away goals across; the last row and column are open-ended."""
    names = [*(str(goals) for goals in range(HEAT_GOALS)), f"{HEAT_GOALS}+"]
    sums = [[0.0] * len(names) for _ in names]
    for home, row in enumerate(grid.cells):
        for away, p in enumerate(row):
            sums[min(home, HEAT_GOALS)][min(away, HEAT_GOALS)] += p
    most = max(p for row in sums for p in row)
    return [
        (
            names[home],
            [
                Cell(
                    home=names[home],
                    away=names[away],
                    outcome=OUTCOMES[0 if home > away else 1 if home == away else 2],
                    percent=100.0 * p,
                    level=round(HEAT_STEPS * p / most) if most else 0,
                    is_best=p == most,
                )
                for away, p in enumerate(row)
            ],
        )
        for home, row in enumerate(sums)
    ]


@dataclass(frozen=True, slots=True)
class Strip:
    """The final places of one club as cells, in per cent of the width: (x, width, darkness from 0 to 20)."""

    cells: list[tuple[float, float, int]]
    borders: list[float]
    label: str


def strips(lines: Sequence[dict[str, Any]], places: Sequence[Sequence[float]]) -> list[Strip]:
    """Return a strip for each club of a table: the probability of each final place, the first at the left.

    Darkness grows with the root of the probability, so that unlikely places stay visible. `borders` are the positions
    of the lines of the table.
    """
    if not places:
        return []
    clubs = len(places[0])
    most = max(max(row) for row in places) or 1.0
    above = [clubs - line["places"] if line["from_end"] else line["places"] for line in lines]
    borders = sorted({round(100.0 * count / clubs, 3) for count in above if 0 < count < clubs})
    width = round(100.0 / clubs, 3)
    found = []
    for row in places:
        cells = [
            (round(100.0 * place / clubs, 3), width, level)
            for place, share in enumerate(row)
            if (level := round(HEAT_STEPS * math.sqrt(share / most)))
        ]
        best = max(range(clubs), key=row.__getitem__)
        found.append(Strip(cells, borders, f"most often place {best + 1}, in {100.0 * row[best]:.0f} of 100 seasons"))
    return found


@dataclass(frozen=True, slots=True)
class ContributionBar:
    """The contribution of one group of inputs: a bar from the middle, to the left for home, to the right for away."""

    group: str
    value: float
    side: str
    x: float
    width: float


def contribution_bars(contributions: dict[str, float]) -> list[ContributionBar]:
    """Return the groups by the size of their contribution; the longest bar has 46 % of the width."""
    most = max((abs(value) for value in contributions.values()), default=0.0)
    rows = []
    for group, value in sorted(contributions.items(), key=lambda item: -abs(item[1])):
        width = round(46.0 * abs(value) / max(most, 0.2), 2)
        side, x = ("home", 50.0 - width) if value >= 0 else ("away", 50.0)
        rows.append(ContributionBar(group, value, side, x, width))
    return rows


@dataclass(frozen=True, slots=True)
class OutcomePath:
    """The line of one outcome in a box of 1000 × 200, and its final percentage."""

    outcome: str
    path: str
    percent: int


@dataclass(frozen=True, slots=True)
class Movement:
    """The history of a forecast: three lines, the grid lines as (per cent, position), and the time span."""

    lines: list[OutcomePath]
    scale: list[tuple[int, float]]
    start: datetime
    end: datetime
    label: str


WIDE: Final = 1000.0
HIGH: Final = 200.0


def movement(history: Sequence[tuple[datetime, tuple[float, float, float]]], end: datetime) -> Movement | None:
    """Return the lines of a forecast's history up to `end`; None for fewer than two forecasts.

    Each forecast is valid until the next one, so the lines are steps.
    """
    if len(history) < 2:
        return None
    start = history[0][0]
    span = max((end - start).total_seconds(), 1.0)
    top = min(1.0, math.ceil(max(max(p) for _, p in history) * 4.0 + 0.2) / 4.0)

    def x(at: datetime) -> float:
        return round(WIDE * min(max((at - start).total_seconds() / span, 0.0), 1.0), 1)

    def y(share: float) -> float:
        return round(HIGH * (1.0 - share / top), 1)

    latest = whole_percents(history[-1][1])
    lines = []
    for i, outcome in enumerate(OUTCOMES):
        steps = [f"M0 {y(history[0][1][i])}"]
        steps += [f"H{x(at)}V{y(p[i])}" for at, p in history[1:]]
        lines.append(OutcomePath(outcome, "".join(steps) + f"H{WIDE:.0f}", latest[i]))
    first = whole_percents(history[0][1])
    label = ", ".join(
        f"{outcome} from {was} to {now} per cent" for outcome, was, now in zip(OUTCOMES, first, latest, strict=True)
    )
    scale = [(percent, 100.0 * (1.0 - percent / 100.0 / top)) for percent in range(0, round(100 * top) + 1, 25)]
    return Movement(lines, scale, start, end, label)
