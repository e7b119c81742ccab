"""The dates of a file: their order of day, month and year is decided from all of them, never row by row.

The site writes ``dd/mm/yy`` or ``dd/mm/yyyy``. Spreadsheets and programs that save its files write ``dd.mm.yyyy``,
``mm/dd/yyyy``, ``yyyy-mm-dd``, ``13-Aug-22``, a time of day after the date, or the number of days since 1899.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import date, timedelta
from enum import Enum
from functools import lru_cache
from typing import Final

from apps.scraping.sources.base import ParseError

FIRST_YEAR: Final = 1970
"""Years of two digits from ``70`` to ``99`` are in the last century; the files begin in 1993, so that an earlier year
is a mistake."""

MISTYPED: Final = 0.02
"""An order that reads all dates but this share is that of the file; rows with the others are refused."""

ENOUGH: Final = 4
"""Fewer dates may follow each other in time by chance."""

LARGEST_MONTH: Final = 12

SPREADSHEET_ZERO: Final = date(1899, 12, 30)
SPREADSHEET_DAYS: Final = range(25_569, 73_051)
"""The days from 1970 to 2099 as spreadsheets count them, from `SPREADSHEET_ZERO`."""

NUMBERS: Final = re.compile(r"(\d{1,4}) ?([/.-]) ?(\d{1,2}) ?\2 ?(\d{1,4})\.?")
NAMED_MONTH: Final = re.compile(r"(\d{1,2})[ .-]{1,2}([A-Za-z]{3})[a-z]*\.?[ -](\d{4}|\d\d)")
DIGITS: Final = re.compile(r"(\d{4})(\d\d)(\d\d)")
SPREADSHEET_DAY: Final = re.compile(r"(\d{5})(\.\d+)?")
TIME_OF_DAY: Final = re.compile(r"[T ]+(\d{1,2}:\d\d(?::\d\d(?:\.\d+)?)?(?: ?[AaPp][Mm])?)(?:Z|[+-]\d\d:?\d\d)?$")
MIDNIGHT: Final = re.compile(r"[0:.]+|12:00(:00)? ?[Aa][Mm]")
SHORTEST_WITH_TIME: Final = len("1/8/22 0:00")
MONTHS: Final = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


class DateOrder(Enum):
    """The order of the parts of a date."""

    DAY_FIRST = "day, month, year"
    MONTH_FIRST = "month, day, year"
    YEAR_FIRST = "year, month, day"


Readings = Mapping[DateOrder, date]
"""What a text can mean, by the order of its parts."""


def read_dates(name: str, texts: Iterable[str]) -> dict[str, date]:
    """Return the date of each different text of a column; what cannot be read is missing.

    Parameters
    ----------
    name : str
        The file, for messages.
    texts : iterable of str
        The cells of the column, in the order of the file.

    Raises
    ------
    ParseError
        When the dates do not show their order.
    """
    certain: dict[str, date] = {}
    numeric: dict[str, Readings] = {}
    for text in dict.fromkeys(texts):
        found = readings_of(text)
        if isinstance(found, date):
            certain[text] = found
        elif found:
            numeric[text] = found
    if not numeric:
        return certain
    shown = _shown_order(name, numeric)
    order = shown or _usual_order(name, numeric)
    dates = {text: readings[order] for text, readings in numeric.items() if order in readings}
    if certain and (shown is None or _may_be_swapped(certain, numeric)):
        raise _undecided(
            name,
            f"some of its dates are written as {next(iter(certain))!r} and some as {next(iter(numeric))!r}, and a "
            "program may have swapped day and month of the former; give all dates one form, such as 2022-08-31",
        )
    return certain | dates


def has_time_of_day(text: str) -> bool:
    """Return whether a time is written after a date; midnight is not one: spreadsheets add it."""
    found = SPREADSHEET_DAY.fullmatch(text.strip())
    if found is not None:
        return bool(found[2]) and not MIDNIGHT.fullmatch(found[2])
    found = TIME_OF_DAY.search(text.strip()) if len(text) >= SHORTEST_WITH_TIME else None
    return found is not None and not MIDNIGHT.fullmatch(found[1])


@lru_cache(maxsize=50_000)
def readings_of(text: str) -> date | Readings:
    """Return the date of a text whose form leaves no choice; else what it can mean, empty for no date.

    The same texts return in the files of all divisions.
    """
    text = text.strip()
    if (found := SPREADSHEET_DAY.fullmatch(text)) is not None:
        days = int(found[1])
        return SPREADSHEET_ZERO + timedelta(days) if days in SPREADSHEET_DAYS else {}
    text = TIME_OF_DAY.sub("", text) if len(text) >= SHORTEST_WITH_TIME else text
    if (found := NUMBERS.fullmatch(text)) is not None:
        return _numeric(found[1], found[2], found[3], found[4])
    if (found := DIGITS.fullmatch(text)) is not None:
        return _date(found[1], found[2], found[3]) or {}
    if (found := NAMED_MONTH.fullmatch(text)) is not None and found[2].lower() in MONTHS:
        return _date(found[3], str(MONTHS.index(found[2].lower()) + 1), found[1]) or {}
    return {}


def _numeric(first: str, separator: str, second: str, third: str) -> date | Readings:
    if len(first) == 4:
        return _date(first, second, third) or {}
    possible = {
        DateOrder.DAY_FIRST: _date(third, second, first),
        DateOrder.MONTH_FIRST: _date(third, first, second),
        DateOrder.YEAR_FIRST: _date(first, second, third) if separator == "-" else None,
    }
    return {order: day for order, day in possible.items() if day is not None}


def _date(year: str, month: str, day: str) -> date | None:
    if len(year) not in (2, 4) or len(day) > 2:
        return None
    number = int(year)
    if len(year) == 2:
        number += 1900 if number >= FIRST_YEAR - 1900 else 2000
    try:
        return date(number, int(month), int(day)) if number >= FIRST_YEAR else None
    except ValueError:
        return None


def _shown_order(name: str, numeric: Mapping[str, Readings]) -> DateOrder | None:
    """Return the one order that reads all dates but mistyped ones; None when several read all.

    Raises
    ------
    ParseError
        When no order does.
    """
    counts = {order: sum(order in readings for readings in numeric.values()) for order in DateOrder}
    most = max(counts.values())
    best = [order for order, count in counts.items() if count == most]
    if most < len(numeric) and (len(best) > 1 or most < (1 - MISTYPED) * len(numeric)):
        # Each of two dates can be read in an order in which the other cannot.
        one = next(text for text, readings in numeric.items() if best[0] not in readings)
        other = next((text for text, readings in numeric.items() if not set(readings) & set(numeric[one])), None)
        other = other or next(text for text in numeric if text != one)
        raise _undecided(
            name, f"its dates have different orders: {other!r} and {one!r}; give all dates one form, such as 2022-08-31"
        )
    return best[0] if len(best) == 1 else None


def _usual_order(name: str, numeric: Mapping[str, Readings]) -> DateOrder:
    """Return the order in which the site writes dates, for dates that do not show theirs.

    Raises
    ------
    ParseError
        When they are not written as the site does, or follow each other in time only in another order.
    """
    if all("." in text for text in numeric):
        return DateOrder.DAY_FIRST
    if not any("-" in text for text in numeric) and not _is_contradicted(numeric):
        return DateOrder.DAY_FIRST
    text, readings = next(iter(numeric.items()))
    meanings = " or ".join(f"{day:%Y-%m-%d}" for day in readings.values())
    raise _undecided(
        name,
        f"its dates do not show their order: {text!r} can be {meanings}; give them another form, such as 2022-08-31",
    )


def _is_contradicted(numeric: Mapping[str, Readings]) -> bool:
    """Return whether dates follow each other in time, and lie closer together, only with the month first."""
    usual, other = (
        [readings[order] for readings in numeric.values()] for order in (DateOrder.DAY_FIRST, DateOrder.MONTH_FIRST)
    )
    return (
        len(numeric) >= ENOUGH
        and other == sorted(other)
        and usual != sorted(usual)
        and max(other) - min(other) < max(usual) - min(usual)
    )


def _may_be_swapped(certain: Mapping[str, date], numeric: Mapping[str, Readings]) -> bool:
    """Return whether a spreadsheet may have taken days for months wherever it could.

    One that expects the month first turns 05/08/2022 into 8 May and leaves 13/08/2022 as it stands.
    """
    return all(day.day <= LARGEST_MONTH for day in certain.values()) and all(
        len(readings) == 1 for readings in numeric.values()
    )


def _undecided(name: str, detail: str) -> ParseError:
    return ParseError("one form of dates", name, detail)
