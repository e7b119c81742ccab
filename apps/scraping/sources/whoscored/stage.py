"""The page of a stage with its calendar: the days that have matches."""

from __future__ import annotations

import re
from datetime import date
from typing import Final

from apps.scraping.sources.base import Page, ParseError
from apps.scraping.sources.whoscored.pages import as_text, assigned, required

CALENDAR: Final = re.compile(r"\bwsCalendar\s*=\s*")


def read_calendar(page: Page) -> list[date]:
    """Return the days of a stage that have matches, in ascending order.

    The calendar, ``{mask: {2020: {8: {12: 1}}}}``, counts months from 0.

    Raises
    ------
    ParseError
        When the page has no readable `wsCalendar` with a `mask`.
    """
    calendar = assigned(as_text(page.content, page.url), CALENDAR, "wsCalendar", page.url)
    mask = required(calendar, "mask", dict, page.url)
    try:
        return sorted(
            date(int(year), int(month) + 1, int(day))
            for year, months in mask.items()
            for month, days in months.items()
            for day, is_set in days.items()
            if is_set
        )
    except (AttributeError, ValueError, OverflowError) as error:
        raise ParseError("key mask of years, months from 0 and days", page.url) from error
