"""The geometry of charts: bars, heat maps and lines, as numbers that templates put into SVG.

Colours are in the style sheet, by a class for each outcome, because the Content-Security-Policy allows no inline
styles. Only the codes of teams have colours here.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Final

from apps.api import written
from apps.ml.forecasting.contributions import in_points
from apps.ml.forecasting.goals import ScorelineGrid

OUTCOMES: Final = ("home", "draw", "away")
LEAST_WITH_NUMBER: Final = 10
"""The per cents from which a number fits into its segment."""
THIN_BELOW: Final = 14
"""The per cents below which it fits only in small figures where the bar is short."""
LEVEL_WITHIN: Final = 2
"""Points between forecast and market up to which they count as level."""
HEAT_GOALS: Final = 5
"""The heat map has a row and column for each number of goals below it, and one for it and more."""
HEAT_STEPS: Final = 20
INK: Final = "#16181d"


@dataclass(frozen=True, slots=True)
class BarSegment:
    """One outcome of a bar: its left edge and middle in per cent of the width, and its per cents, its width."""

    outcome: str
    x: int
    middle: float
    percent: int

    @property
    def has_number(self) -> bool:
        """Whether the number fits into the segment."""
        return self.percent >= LEAST_WITH_NUMBER

    @property
    def size(self) -> str:
        """The class of the number: ``thin`` where it must be smaller to fit."""
        return "thin" if self.percent < THIN_BELOW else ""


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
    """Return the three segments of a probability bar."""
    parts, x = [], 0
    for outcome, percent in zip(OUTCOMES, whole_percents(p), strict=True):
        parts.append(BarSegment(outcome, x, x + percent / 2, percent))
        x += percent
    return parts


@dataclass(frozen=True, slots=True)
class Gap:
    """The outcome on which forecast and market differ most, and the points by which the forecast is higher."""

    outcome: str
    points: int

    @property
    def is_level(self) -> bool:
        """Whether the two are as good as the same."""
        return abs(self.points) <= LEVEL_WITHIN


def gap(forecast: Sequence[float], market: Sequence[float]) -> Gap:
    """Return the largest difference of the whole numbers of two bars; of equal ones that of the first outcome."""
    ours, theirs = whole_percents(forecast), whole_percents(market)
    points = [ours[i] - theirs[i] for i in range(3)]
    widest = max(range(3), key=lambda i: abs(points[i]))
    return Gap(OUTCOMES[widest], points[widest])


def text_on(colour: str) -> str:
    """Return white or the ink, whichever reads better on a colour such as ``#da291c``."""
    # The luminance of WCAG 2; 0.179 is where both have the same contrast.
    shares = [int(colour[i : i + 2], 16) / 255.0 for i in (1, 3, 5)]
    linear = [share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares]
    luminance = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]
    return INK if luminance > 0.179 else "#fff"


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
    """The steps from two equal teams on neutral ground: `start` plus the points of all rows is `total`, in per cent."""

    start: int
    rows: list[WhyRow]
    total: int
    reasons: list[Reason]


WHY_SHOWN: Final = 5
"""Groups with their own row."""
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
    most = max(WHY_SCALE, *map(abs, whole))
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


@dataclass(frozen=True, slots=True)
class Series:
    """What a line shows: points (x, y) in their own units, x rising, and its names for wide and narrow charts.

    The style is ``me`` for the thick line of ink, ``d1`` to ``d3`` for dashes, ``s-home``, ``s-draw`` or ``s-away``.
    """

    label: str
    short: str
    points: Sequence[tuple[float, float]]
    style: str = ""


@dataclass(frozen=True, slots=True)
class ChartLine:
    """A line in a box of 100 × 100, with the text of its last value and where its label stands, in per cent."""

    label: str
    short: str
    style: str
    path: str
    latest: str
    label_y: float


@dataclass(frozen=True, slots=True)
class Tick:
    """A position on an axis in per cent of its length, and its text."""

    at: float
    text: str


@dataclass(frozen=True, slots=True)
class ChartNote:
    """A numbered dot in per cent of the box, and what happened there."""

    x: float
    y: float
    text: str


@dataclass(frozen=True, slots=True)
class LineChart:
    """Lines that `partials/chart/lines.html` draws; `rows` is the same as a table: a name and a text per line."""

    lines: list[ChartLine]
    x_ticks: list[Tick]
    y_ticks: list[Tick]
    notes: list[ChartNote]
    label: str
    rows: list[tuple[str, list[str]]]
    is_low: bool = False


LABEL_APART: Final = 8.0
"""Distance between two labels at the ends of lines, in per cent of the height."""


def line_chart(
    series: Sequence[Series],
    *,
    label: str,
    y_ticks: Sequence[float] = (0.0, 0.25, 0.5, 0.75, 1.0),
    x_ticks: Sequence[tuple[float, str]] = (),
    notes: Sequence[tuple[int, float, str]] = (),
    names: Sequence[str] = (),
    write: Callable[[float], str] = written.percent,
    is_stepped: bool = False,
    is_low: bool = False,
) -> LineChart:
    """Return the geometry of a chart of lines.

    Parameters
    ----------
    series : sequence of Series
        The lines, at least one, each with at least one point.
    label : str
        The sentence that stands for the chart where it is not seen.
    y_ticks : sequence of float
        Values of the grid lines, rising; the first and the last are the ends of the axis.
    x_ticks : sequence of (float, str)
        Positions on the horizontal axis, rising, and their texts.
    notes : sequence of (int, float, str)
        The line of a note by its place in `series`, the x of one of its points, and what happened there.
    names : sequence of str
        The name of each point for the table, where all lines have the same x; without names there is no table.
    write : callable
        Writes a value, in per cent by default.
    is_stepped : bool
        Whether a value holds until the next point.
    is_low : bool
        Whether the box is low.
    """
    xs = [x for each in series for x, _ in each.points] + [x for x, _ in x_ticks]
    left, right = min(xs), max(xs)
    bottom, top = y_ticks[0], y_ticks[-1]

    def across(x: float) -> float:
        return round(100.0 * (x - left) / ((right - left) or 1.0), 2)

    def down(y: float) -> float:
        return round(100.0 * (top - min(max(y, bottom), top)) / (top - bottom), 2)

    def path(points: Sequence[tuple[float, float]]) -> str:
        first, *others = [(across(x), down(y)) for x, y in points]
        moves = [f"H{x}V{y}" if is_stepped else f"L{x} {y}" for x, y in others]
        return f"M{first[0]} {first[1]}" + "".join(moves) + ("H100" if is_stepped else "")

    places = _apart([down(each.points[-1][1]) for each in series])
    return LineChart(
        lines=[
            ChartLine(each.label, each.short, each.style, path(each.points), write(each.points[-1][1]), place)
            for each, place in zip(series, places, strict=True)
        ],
        x_ticks=[Tick(across(x), text) for x, text in x_ticks],
        y_ticks=[Tick(down(y), write(y)) for y in y_ticks],
        notes=[ChartNote(across(x), down(dict(series[line].points)[x]), text) for line, x, text in notes],
        label=label,
        rows=[(name, [write(each.points[i][1]) for each in series]) for i, name in enumerate(names)],
        is_low=is_low,
    )


def _apart(places: Sequence[float]) -> list[float]:
    """Return places of labels, in the order of those wanted, that are `LABEL_APART` apart where they fit."""
    found = list(places)
    order = sorted(range(len(found)), key=found.__getitem__)
    for above, below in pairwise(order):
        found[below] = max(found[below], round(found[above] + LABEL_APART, 2))
    limit = 100.0
    for place in reversed(order):
        found[place] = min(found[place], round(limit, 2))
        limit = found[place] - LABEL_APART
    return found
