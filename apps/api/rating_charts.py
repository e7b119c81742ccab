"""The chart of a club's rating over time."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.utils.translation import gettext

from apps.api import written
from apps.api.charts import LineChart, Series, line_chart
from apps.matches.models import Team
from apps.ml.selectors import RatingThen

POINTS: Final = 60
"""Most points of a chart, and rows of the table behind it: five years of months."""

LEAST_POINTS: Final = 3

TICKS: Final = 6
"""Most ticks of the horizontal axis."""

YEAR: Final = timedelta(days=365)

GRID: Final = 0.2
"""Distance of the lines of the grid."""


@dataclass(frozen=True, slots=True)
class RatingHistory:
    """What `partials/ratings/history.html` shows: the chart, the newest rating and the highest and lowest of all."""

    chart: LineChart
    newest: RatingThen
    highest: RatingThen
    lowest: RatingThen
    since: datetime


def rating_history(team: Team, history: Sequence[RatingThen]) -> RatingHistory | None:
    """Return the rating of a club over time from the rows of `apps.ml.selectors.rating_history`; None with too few."""
    if len(history) < LEAST_POINTS:
        return None
    shown = history[:: -math.ceil(len(history) / POINTS)][::-1]
    # Where the history is of years, these are its ticks; the newest simulated season is over within days.
    shape = "Y" if shown[-1].as_of - shown[0].as_of > YEAR else "j M"
    texts = [written.day(row.as_of, shape) for row in shown]
    turns = [(float(i), texts[i]) for i in range(1, len(shown)) if texts[i] != texts[i - 1]]
    bottom = GRID * (min(row.p_win for row in shown) // GRID)
    lines = math.floor((max(row.p_win for row in shown) - bottom) / GRID) + 2
    return RatingHistory(
        chart=line_chart(
            # Point by point, not by date: a simulated season is over within days, the break before it lasts weeks.
            [Series(team.name, team.display_code, [(float(i), row.p_win) for i, row in enumerate(shown)], "me")],
            label=gettext("Chance of {team} to beat an average club of its top league, since {month}").format(
                team=team.name, month=written.day(shown[0].as_of, "F Y")
            ),
            y_ticks=[round(bottom + GRID * i, 1) for i in range(lines)],
            x_ticks=turns[:: math.ceil(len(turns) / TICKS) or 1],
            names=[written.day(row.as_of, "j M Y") for row in shown],
            is_low=True,
        ),
        newest=history[-1],
        highest=max(history, key=lambda row: row.p_win),
        lowest=min(history, key=lambda row: row.p_win),
        since=history[0].as_of,
    )
