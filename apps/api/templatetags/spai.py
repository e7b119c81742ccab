"""Template tags and filters for charts, team marks, moments and numbers."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any, Final, Literal

from django import template
from django.template.defaultfilters import date as format_date
from django.template.loader import render_to_string
from django.utils import timezone
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from apps.api import charts, selectors, services
from apps.matches.models import Match, Team
from apps.ml.forecasting import contributions
from apps.ml.models import Prediction

register = template.Library()

MINUS: Final = "−"

GATES: Final = {"no better than possible": "not suspiciously good", "golden rows": "answers as recorded"}
"""Names of checks on pages, where they differ from those that are stored."""


@register.simple_tag
def bars(
    forecast: Sequence[float], market: Sequence[float] | None = None, outcome: Literal["H", "D", "A", ""] = ""
) -> SafeString:
    """Draw the bar of a forecast (home, draw, away) over the thin one of the market, if there is a price.

    After the match `outcome` leaves the part that happened solid and fades the others.
    """
    return _bars(tuple(forecast), tuple(market) if market else None, outcome)


# Cached, because rows are rendered far more often than forecasts change.
@lru_cache(maxsize=8192)
def _bars(forecast: tuple[float, ...], market: tuple[float, ...] | None, outcome: str) -> SafeString:
    happened = dict(zip("HDA", charts.OUTCOMES, strict=True)).get(outcome, "")
    ours = charts.bar(forecast)
    theirs = charts.bar(market) if market else []
    label = f"Our forecast: {_spoken(ours)}." + (f" Market: {_spoken(theirs)}." if theirs else "")
    numbers = format_html_join(
        "",
        '<text class="{}" x="{}%" y="52%">{}%</text>',
        (
            ("off" if happened not in ("", part.outcome) else f"on-{part.outcome}", part.middle, part.percent)
            for part in ours
            if part.percent >= charts.LEAST_WITH_NUMBER
        ),
    )
    thin = format_html('<svg class="mk" aria-hidden="true">{}</svg>', _segments(theirs, happened)) if theirs else ""
    return format_html(
        '<span class="bars" role="img" aria-label="{}"><svg class="bar" aria-hidden="true">{}{}</svg>{}</span>',
        label,
        _segments(ours, happened),
        numbers,
        thin,
    )


def _spoken(parts: Sequence[charts.BarSegment]) -> str:
    return ", ".join(f"{part.outcome} {part.percent}%" for part in parts)


def _segments(parts: Sequence[charts.BarSegment], happened: str) -> SafeString:
    """Draw the parts of a bar and the gaps between them."""
    rects = format_html_join(
        "",
        '<rect class="p-{}{}" x="{}%" width="{}%" height="100%"/>',
        ((part.outcome, " off" if happened not in ("", part.outcome) else "", part.x, part.percent) for part in parts),
    )
    gaps = format_html_join("", '<line x1="{0}%" x2="{0}%" y2="100%"/>', ((part.x,) for part in parts[1:]))
    return rects + gaps


@register.simple_tag
def code(team: Team) -> SafeString:
    """Draw a team's three letters on its first colour, with a stripe of the second; without colours on a plain one."""
    return _code(team.display_code, team.first_colour, team.second_colour)


@lru_cache(maxsize=8192)
def _code(letters: str, first: str, second: str) -> SafeString:
    # The colours are attributes: the Content-Security-Policy allows no inline styles.
    if not first:
        ground = SafeString('<rect class="plain" width="38" height="22"/>')
        text = format_html('<text class="on-plain" x="19" y="11.5">{}</text>', letters)
    else:
        stripe = format_html('<rect width="4" height="22" fill="{}"/>', second) if second else ""
        ground = format_html('<rect width="38" height="22" fill="{}"/>{}', first, stripe)
        text = format_html('<text x="21" y="11.5" fill="{}">{}</text>', charts.text_on(first), letters)
    return format_html('<svg class="code" viewBox="0 0 38 22" aria-hidden="true">{}{}</svg>', ground, text)


@register.simple_tag
def team(team: Team, side: Literal["h", "a", ""] = "") -> SafeString:
    """Write a team: its code and its name."""
    return format_html(
        '<span class="team{}">{}<span class="name">{}</span></span>',
        f" {side}" if side else "",
        code(team),
        team.display_name,
    )


@dataclass(frozen=True, slots=True)
class _Row:
    """A row, equal to another one where all that it shows is equal."""

    shows: tuple[Any, ...]
    card: selectors.MatchCard = field(compare=False)


@register.simple_tag
def row(card: selectors.MatchCard, dated: bool = False, twin: str = "") -> SafeString:
    """Write a match as a row of a list; see `templates/partials/row.html`.

    With `dated` it shows its day; `twin` is the end of the id of a row that the page has twice.
    """
    match = card.match
    teams = (
        (team.display_name, team.display_code, team.first_colour, team.second_colour)
        for team in (match.home_team, match.away_team)
    )
    shows = (
        *(match.pk, match.kickoff_at, match.kickoff_precision, match.status, match.home_goals, match.away_goals),
        *(card.phase, card.is_in_play, card.changes_at, card.market, *teams),
        *(made and made.pk for made in (card.prediction, card.back_test)),
        card.live and (card.live.minute, card.live.home_goals, card.live.away_goals),
        *(dated, twin, timezone.get_current_timezone_name()),
    )
    return _row(_Row(shows, card))


# Cached, because a page has dozens of rows and few of them change from one request to the next.
@lru_cache(maxsize=2048)
def _row(row: _Row) -> SafeString:
    *_, dated, twin, _ = row.shows
    return render_to_string("partials/row.html", {"card": row.card, "dated": dated, "twin": twin})


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
def percent(share: float | None) -> str:
    """Write a share in per cent: 66%; one decimal only below 10: 4.2%."""
    return "–" if share is None else charts.percent_text(share)


@register.filter
def whole(p: Sequence[float]) -> list[int]:
    """Return probabilities as whole per cents that sum to 100."""
    return charts.whole_percents(p)


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
        return "<1%"
    if 0.995 <= share < 1.0:
        return ">99%"
    return f"{100.0 * share:.0f}%"


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
def fair_odds(share: float) -> str:
    """Write the fair decimal odds of a probability."""
    return f"{1.0 / share:.2f}" if share > 0 else "–"


@register.filter
def group_phrase(group: str) -> str:
    """Write a group of inputs as the reason in a sentence: “for their form”."""
    return contributions.phrase_of(group)


@register.filter
def line_phrase(line: dict[str, Any]) -> str:
    """Write what a line of a table divides, after “the chance of a team”: “to end in the bottom 3”."""
    if line["name"] == "title":
        return "to end first"
    return f"to end in the {'bottom' if line['from_end'] else 'top'} {line['places']}"


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
def gate(name: str) -> str:
    """Write the name of a check that a version passes or not."""
    return GATES.get(name, name)


@register.filter
def expected_goals(prediction: Prediction) -> tuple[float, float]:
    """Return the expected goals of a forecast, home and away."""
    return services.expected_goals(prediction)


@register.filter
def item(mapping: dict[Any, Any], key: Any) -> Any:
    """Return one value of a mapping."""
    return mapping.get(key)
