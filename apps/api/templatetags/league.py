"""Template tags and filters for the table of a league."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe

from apps.api.services.league import LeagueRow, Line
from apps.api.templatetags import spai

register = template.Library()

DARKEST: Final = 20
DARK_BY_SHARE: Final = 46.0
"""Darkness of a place in a strip, 0 to 20, is so many times its share."""


@register.simple_tag
def strip(row: LeagueRow, lines: Sequence[Line]) -> SafeString:
    """Draw the chance of each place at the end, the first at the left, with marks at the lines of the table."""
    if row.end is None:
        return SafeString("")
    places = row.end["places"]
    marks = tuple(len(places) - line.places if line.from_end else line.places for line in lines if line.key != "title")
    return _strip(row.team.display_name, tuple(places), marks)


@lru_cache(maxsize=2048)
def _strip(name: str, places: tuple[float, ...], marks: tuple[int, ...]) -> SafeString:
    count, best = len(places), max(range(len(places)), key=places.__getitem__)
    levels = [min(DARKEST, round(DARK_BY_SHARE * share)) for share in places]
    cells = "".join(
        f'<rect class="v{level}" x="{place}" width="1" height="1"/>' for place, level in enumerate(levels) if level
    )
    gaps = "".join(f"M{place} 0V1" for place in range(1, count) if place not in marks)
    zones = "".join(f"M{place} 0V1" for place in marks)
    return format_html(
        '<svg class="strip" role="img" viewBox="0 0 {} 1" preserveAspectRatio="none" '
        'aria-label="{}: most likely place {} ({}%)"><rect class="v0" width="{}" height="1"/>{}'
        '<path d="{}"/><path class="zone" d="{}"/></svg>',
        count,
        name,
        best + 1,
        round(100 * places[best]),
        count,
        mark_safe(cells),  # noqa: S308 - numbers alone
        gaps,
        zones,
    )


@register.filter
def line_title(line: Line) -> str:
    """Write the heading of a column of chances: “Title”, “Top 4”, “Down”."""
    return {"title": "Title", "top": f"Top {line.places}"}.get(line.key, "Down")


@register.filter
def form_said(form: str) -> str:
    """Write the letters of a form as words, the latest last."""
    words = {"W": "won", "D": "drawn", "L": "lost"}
    return ", ".join(words[letter] for letter in form)


@register.filter
def ordinal(place: int) -> str:
    """Write a place as people say it: 1st, 2nd, 3rd, 11th."""
    ending = "th" if 10 <= place % 100 <= 20 else {1: "st", 2: "nd", 3: "rd"}.get(place % 10, "th")
    return f"{place}{ending}"


@register.filter
def chance_said(share: float) -> str:
    """Write a simulated probability within a sentence, where a dash says nothing: 0% for what never happened."""
    return spai.chance(share) if share > 0.0 else "0%"


@register.filter
def millions(euros: int) -> str:
    """Write an amount in millions: 512 m, 1.2 bn."""
    return f"{euros / 1e9:.1f} bn" if euros >= 1e9 else f"{euros / 1e6:.0f} m"


@register.filter
def season_name(label: str) -> str:
    """Write the label of a season as people do: 2026–27; of the many of a simulated year the second is 2026–27 (2)."""
    years, _, number = label.partition(" S")
    name = years.replace("-", "–")
    return f"{name} ({int(number)})" if number.isdigit() and int(number) > 1 else name
