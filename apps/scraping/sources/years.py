"""Seasons that run from summer to summer."""

from __future__ import annotations

from datetime import date

from apps.scraping.sources.base import Window


def season_starts(window: Window, *, first: int) -> list[int]:
    """Return the years in which the seasons that can overlap a window began, in ascending order, from `first` on.

    A season lies between 10 July and 15 August of the next year (2019-20), so that a summer can belong to two.
    """
    years = range(max(window.start.year - 1, first), window.end.year + 1)
    return [year for year in years if date(year, 7, 10) <= window.end and window.start <= date(year + 1, 8, 15)]
