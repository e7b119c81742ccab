"""Template filters of the record page."""

from __future__ import annotations

from collections.abc import Sequence

from django import template

from apps.api import charts

register = template.Library()


@register.filter
def whole(share: float | None) -> str:
    """Write a share as a whole number of per cent: 0.5064 is “51%”; a dash for none."""
    return "–" if share is None else f"{100.0 * share:.0f}%"


@register.filter
def share_width(share: float) -> float:
    """Return a share in per cent of a width, for SVG."""
    return round(100.0 * share, 1)


@register.filter
def triple(p: Sequence[float]) -> str:
    """Write a forecast in whole numbers that sum to 100: “51 · 25 · 24%”."""
    return " · ".join(map(str, charts.whole_percents(p))) + "%"
