"""Template tags and filters for charts, team marks, moments and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Literal

from django import template
from django.template.defaultfilters import date as format_date
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.api import charts, selectors, services
from apps.matches.models import Match, Team
from apps.ml.forecasting import contributions
from apps.ml.models import Prediction

register = template.Library()

MINUS: Final = "−"

LINES: Final = {
    "title": ("first place", "first place"),
    "first": ("the highest continental competition", "direct promotion"),
    "second": ("any continental competition", "promotion or its play-offs"),
    "play_off": ("relegation or its play-offs", "relegation or its play-offs"),
    "down": ("direct relegation", "direct relegation"),
}
"""Meanings of the lines of a table, at the top level and below it."""


@register.simple_tag
def bar(p: Sequence[float]) -> SafeString:
    """Draw the probability bar of (home, draw, away)."""
    return _bar(tuple(p))


# Cached, because rows are rendered far more often than forecasts change.
@lru_cache(maxsize=8192)
def _bar(p: tuple[float, ...]) -> SafeString:
    home, draw, away = parts = charts.bar(p)
    rects = format_html_join(
        "",
        '<rect class="p-{}" x="{}%" width="{}%" height="100%"/>',
        ((part.outcome, part.x, part.width) for part in parts),
    )
    numbers = format_html_join(
        "",
        '<text class="on-{}" x="{}%" y="50%">{}</text>',
        ((part.outcome, part.middle, part.percent) for part in parts),
    )
    gaps = format_html_join("", '<line x1="{0}%" x2="{0}%" y2="100%"/>', ((part.x,) for part in (draw, away)))
    return format_html(
        '<svg class="bar" role="img" aria-label="home {} %, draw {} %, away {} %">{}{}{}</svg>',
        home.percent,
        draw.percent,
        away.percent,
        rects,
        numbers,
        gaps,
    )


@register.simple_tag
def mark(team: Team) -> SafeString:
    """Draw a team's mark: its code above its two colours, or above a neutral band."""
    return _mark(team.display_code, team.first_colour, team.second_colour)


@lru_cache(maxsize=8192)
def _mark(code: str, first: str, second: str) -> SafeString:
    # The colours are attributes: the Content-Security-Policy allows no inline styles.
    colours = format_html(
        '<rect x="0" y="18" width="17" height="6" fill="{}"/><rect x="17" y="18" width="17" height="6" fill="{}"/>',
        first,
        second or first,
    )
    return format_html(
        '<svg class="mark" viewBox="0 0 34 24" aria-hidden="true"><text x="17" y="13.5">{}</text>'
        '<rect class="neutral" y="18" width="34" height="6"/>{}<path class="edge" d="M0 18h34"/></svg>',
        code,
        colours if first else "",
    )


@register.simple_tag
def moment(at: datetime, shape: str = "H:i") -> SafeString:
    """Write a moment in the reader's zone, and in UTC for programs."""
    text = format_date(timezone.localtime(at), shape)
    return format_html('<time datetime="{}">{}</time>', at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ"), text)


@register.simple_tag
def kickoff_day(match: Match, shape: str = "D j M Y") -> SafeString:
    """Write the day of a match in the reader's zone; for a date-only match, its date."""
    if match.kickoff_precision == Match.KickoffPrecision.DATE:
        day = match.kickoff_at.astimezone(UTC).date()
        return format_html('<time datetime="{}">{}</time>', day.isoformat(), format_date(day, shape))
    return moment(match.kickoff_at, shape)


@register.filter
def distance(at: datetime, now: datetime) -> str:
    """Write the distance to a moment: “in 2 h 10 min”, “12 min ago”, “in 3 days”."""
    far = abs(at - now)
    minutes = int(far / timedelta(minutes=1))
    if minutes < 1:
        text = "less than a minute"
    elif minutes < 60:
        text = f"{minutes} min"
    elif minutes < 24 * 60:
        text = f"{minutes // 60} h {minutes % 60} min" if minutes % 60 else f"{minutes // 60} h"
    else:
        days = round(minutes / (24 * 60))
        text = f"{days} day{'s' if days > 1 else ''}"
    return f"in {text}" if at > now else f"{text} ago"


@register.filter
def duration(seconds: float) -> str:
    """Write a number of seconds: “8.4 s”, “3 min 20 s”, “1 h 5 min”."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    large, small, units = (
        (whole // 60, whole % 60, "min s") if whole < 3600 else (whole // 3600, whole // 60 % 60, "h min")
    )
    parts = zip((large, small), units.split(), strict=True)
    return " ".join(f"{number} {unit}" for number, unit in parts if number)


@register.filter
def percent(share: float | None, digits: int = 1) -> str:
    """Write a share in per cent: 0.5064 is “50.6 %”."""
    return "–" if share is None else f"{100.0 * share:.{digits}f} %"


@register.filter
def thousands(number: int) -> str:
    """Write a whole number with thousands separators: 10,000."""
    return f"{number:,}"


@register.filter
def chance(share: float) -> str:
    """Write a simulated probability in whole per cents; a dash for what never happened."""
    if share <= 0.0:
        return "–"
    if share < 0.005:
        return "< 1 %"
    if 0.995 <= share < 1.0:
        return "> 99 %"
    return f"{100.0 * share:.0f} %"


@register.filter
def shade(share: float) -> int:
    """Return the darkness of a probability, 0 to 20."""
    return round(charts.HEAT_STEPS * share)


@register.filter
def line_short(line: dict[str, Any]) -> str:
    """Write a short label of a line of a table: “Top 4”."""
    if line["name"] == "title":
        return "Title"
    return f"Bottom {line['places']}" if line["from_end"] else f"Top {line['places']}"


@register.filter
def line_meaning(line: dict[str, Any], level: int) -> str:
    """Write the meaning of a line of a table."""
    return LINES[line["name"]][level > 1]


@register.filter
def fair_odds(share: float) -> str:
    """Write the fair decimal odds of a probability."""
    return f"{1.0 / share:.2f}" if share > 0 else "–"


@register.filter
def per_hundred(share: float) -> int:
    """Write how many times in a hundred: 0.118 is 12."""
    return round(100.0 * share)


@register.filter
def ordinal(number: int) -> str:
    """Write a place: 1st, 2nd, 3rd, 14th."""
    ending = "th" if number % 100 in (11, 12, 13) else {1: "st", 2: "nd", 3: "rd"}.get(number % 10, "th")
    return f"{number}{ending}"


@register.filter
def signed(value: float | None, digits: int = 2) -> str:
    """Write a number with its sign, and with a minus sign in place of a hyphen."""
    if value is None:
        return "–"
    text = f"{abs(value):.{digits}f}"
    if float(text) == 0.0:
        return text
    return ("+" if value > 0 else MINUS) + text


@register.filter
def decimal(value: float | Literal[""] | None, digits: int = 2) -> str:
    """Write a number with `digits` decimals; a dash for none, which templates pass as an empty string."""
    return "–" if value is None or value == "" else f"{value:.{digits}f}".replace("-", MINUS)


@register.filter
def measure(value: float | Literal[""] | None) -> str:
    """Write a count as a whole number, and a metric with five decimals; nothing for none."""
    if value is None or value == "":
        return ""
    if float(value).is_integer():
        return f"{value:,.0f}"
    return f"{value:.5f}" if abs(value) >= 5e-6 else f"{value:.0e}"


@register.filter
def compared(value: Any) -> str:
    """Write a value beside others: a fraction as `measure` does, a moment in UTC, a dash for none."""
    if value is None or value == "":
        return "–"
    if isinstance(value, float):
        return measure(value)
    return f"{value:%Y-%m-%d %H:%M}" if isinstance(value, datetime) else str(value)


@register.filter
def bookmaker_name(code: str) -> str:
    """Write the name of a bookmaker, or its code if it has no name here."""
    return selectors.BOOKMAKERS.get(code, code)


@register.filter
def group_name(group: str) -> str:
    """Write the label of a group of inputs."""
    return contributions.label_of(group)


@register.filter
def likely(prediction: Prediction) -> str:
    """Write the most likely scoreline of a forecast."""
    home, away = services.likely_score(prediction)
    return f"{home}–{away}"


@register.filter
def item(mapping: dict[Any, Any], key: Any) -> Any:
    """Return one value of a mapping."""
    return mapping.get(key)
