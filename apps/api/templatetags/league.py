"""Template tags and filters for the table of a league."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Final

from django import template
from django.utils.html import format_html
from django.utils.safestring import SafeString, mark_safe
from django.utils.translation import get_language, gettext, pgettext

from apps.api import written
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
    return _strip(row.team.display_name, tuple(places), marks, get_language())


@lru_cache(maxsize=2048)
def _strip(name: str, places: tuple[float, ...], marks: tuple[int, ...], language: str | None) -> SafeString:
    count, best = len(places), max(range(len(places)), key=places.__getitem__)
    levels = [min(DARKEST, round(DARK_BY_SHARE * share)) for share in places]
    cells = "".join(
        f'<rect class="v{level}" x="{place}" width="1" height="1"/>' for place, level in enumerate(levels) if level
    )
    gaps = "".join(f"M{place} 0V1" for place in range(1, count) if place not in marks)
    zones = "".join(f"M{place} 0V1" for place in marks)
    label = gettext("{team}: most likely place {place} ({percent})").format(
        team=name, place=best + 1, percent=written.per_cent(round(100 * places[best]))
    )
    return format_html(
        '<svg class="strip" role="img" viewBox="0 0 {} 1" preserveAspectRatio="none" '
        'aria-label="{}"><rect class="v0" width="{}" height="1"/>{}'
        '<path d="{}"/><path class="zone" d="{}"/></svg>',
        count,
        label,
        count,
        mark_safe(cells),  # noqa: S308 - only numbers
        gaps,
        zones,
    )


@register.filter
def line_title(line: Line) -> str:
    """Write the heading of a column of chances: “Title”, “Top 4”, “Down”."""
    if line.key == "title":
        return pgettext("column of chances", "Title")
    if line.key == "top":
        return gettext("Top {places}").format(places=line.places)
    return pgettext("column of chances", "Down")


@register.filter
def form_said(form: str) -> str:
    """Write the letters of a form as words, the latest last."""
    words = {
        "W": pgettext("a match", "won"),
        "D": pgettext("a match", "drawn"),
        "L": pgettext("a match", "lost"),
    }
    return ", ".join(words[letter] for letter in form)


@register.filter
def chance_said(share: float) -> str:
    """Write a simulated probability within a sentence, where a dash would be unclear: 0% for what never happened."""
    return spai.chance(share) if share > 0.0 else written.per_cent(0)


@register.filter
def millions(euros: int) -> str:
    """Write an amount in millions: €512 m, €1.2 bn."""
    if euros >= 1e9:
        return gettext("€{amount} bn").format(amount=written.decimal(euros / 1e9, 1))
    return gettext("€{amount} m").format(amount=written.decimal(euros / 1e6, 0))


@register.filter
def season_name(label: str) -> str:
    """Write the label of a season as people do: 2026–27."""
    return written.season(label)
