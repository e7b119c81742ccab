"""The geometry of charts: bars, marks, heat maps and lines, as numbers that templates put into SVG.

Colours are in the style sheet, by a class for each outcome, because the Content-Security-Policy allows no inline
styles. Only the marks of teams have colours here.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from apps.ml.forecasting.contributions import in_points
from apps.ml.forecasting.goals import ScorelineGrid

OUTCOMES: Final = ("home", "draw", "away")
LEAST_WIDTH: Final = 7.0
"""Minimum width of a segment in per cent, so that its number fits."""
HEAT_GOALS: Final = 5
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
    is_result: bool


def heat(grid: ScorelineGrid, result: tuple[int, int] | None = None) -> list[tuple[str, list[Cell]]]:
    """Return the rows of a heat map, home goals down and away goals across; the last row and column are open-ended."""
    ended = result and tuple(min(goals, HEAT_GOALS) for goals in result)
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
                    is_result=(home, away) == ended,
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
class WhyRow:
    """What a group of inputs adds to the chance of a home win, in whole points: to the right for home, else left.

    The bar begins in the middle; `x` and `width` are per cents of the width. The group is empty for all others
    together.
    """

    group: str
    points: int
    side: str
    x: float
    width: float


@dataclass(frozen=True, slots=True)
class Reason:
    """All that is known of one group: percentage points, and log-odds of home against away."""

    group: str
    points: float
    log_odds: float


@dataclass(frozen=True, slots=True)
class Why:
    """The way from two equal teams on neutral ground: `start` and the points of all rows sum to `total`, in per cent."""

    start: int
    rows: list[WhyRow]
    total: int
    reasons: list[Reason]


WHY_SHOWN: Final = 5
"""Groups with a row of their own."""
WHY_WIDEST: Final = 48.0
WHY_SCALE: Final = 4.0
"""Points that the longest bar stands for at least."""


def why(p: Sequence[float], contributions: Mapping[str, float]) -> Why | None:
    """Return the largest reasons for the chance of a home win in points; None without any."""
    if not contributions:
        return None
    found = in_points(p, contributions)
    ordered = sorted(found.groups, key=lambda group: -abs(found.groups[group]))
    shown = [group for group in ordered[:WHY_SHOWN] if abs(found.groups[group]) >= 0.5]
    rest = found.rest + math.fsum(found.groups[group] for group in ordered if group not in shown)
    start, total = round(found.start), whole_percents(p)[0]
    exact = [*(found.groups[group] for group in shown), rest]
    whole = _whole_sum(exact, total - start)
    most = max(WHY_SCALE, *(abs(points) for points in exact))
    rows = []
    for group, points in zip((*shown, ""), whole, strict=True):
        width = round(WHY_WIDEST * abs(points) / most, 1)
        side, x = ("home", 50.0) if points >= 0 else ("away", 50.0 - width)
        rows.append(WhyRow(group, points, side, x, width))
    reasons = [Reason(group, found.groups[group], contributions[group]) for group in ordered]
    return Why(start, rows, total, reasons)


def _whole_sum(values: Sequence[float], total: int) -> list[int]:
    """Return whole numbers that sum to a total near that of the values, by the largest-remainder method."""
    whole = [math.floor(value) for value in values]
    by_remainder = sorted(range(len(values)), key=lambda i: (whole[i] - values[i], i))
    missing = total - sum(whole)
    for step in range(abs(missing)):
        place = by_remainder[step % len(values)] if missing > 0 else by_remainder[-1 - step % len(values)]
        whole[place] += 1 if missing > 0 else -1
    return whole
