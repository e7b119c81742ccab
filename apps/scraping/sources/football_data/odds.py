"""Prices in football-data files: bookmaker, moment and market of each column.

Column names have three parts: a bookmaker, a ``C`` for closing prices, and a market (``H D A``, ``>2.5 <2.5``,
``AHH AHA``). No list of bookmakers is needed: a prefix is a bookmaker if its ``H``, ``D`` and ``A`` columns are in the
same header. Exceptions:

- Pinnacle is ``PS`` for 1X2 and ``P`` for everything else, and ``P`` in older extra files.
- Averages and maxima over bookmakers are ``BbAv`` and ``BbMx`` until 2018-19, ``Avg`` and ``Max`` afterwards.
- The line of the Asian handicap is per bookmaker (``B365AH``) until 2004-05, then one for all: ``BbAHh``, later
  ``AHh`` and ``AHCh``. ``BbAH``, ``Bb1X2`` and ``BbOU`` count bookmakers.
- Extra files hold only closing prices; older ones name them without the ``C``.
- One file names a bookmaker's three columns as ``LB``, ``LB``, ``LB``.

Source: https://www.football-data.co.uk/notes.txt and the headers of all files from 1993-94 to 2023-24.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from apps.matches.records import Moment, OddsRecord
from apps.scraping.sources.football_data.table import CsvTable

LIMIT_OF_PRICE: Final = 10_000.0
"""No bookmaker quotes as much; also the limit of `OddsRecord`."""

LARGEST_HANDICAP: Final = 10.0
"""Goals; a larger line is a price in the wrong column."""

NO_HANDICAP: Final[tuple[float | None, float | None, float | None]] = (None, None, None)

RENAMED: Final = {"P": "PS", "BbAv": "Avg", "BbMx": "Max"}
ENDS_IN_C: Final = frozenset({"VC"})
"""Bookmakers whose own code ends in the letter that marks closing prices."""


@dataclass(frozen=True, slots=True)
class OddsColumns:
    """Columns with the prices of one bookmaker at one moment.

    Parameters
    ----------
    prices : tuple of (int or None)
        Columns of home, draw, away, over 2.5 and under 2.5; None for a missing column.
    handicap : tuple of int or None
        Columns of the line, its home price and its away price; None unless all three are there.
    """

    bookmaker: str
    moment: Moment
    prices: tuple[int | None, int | None, int | None, int | None, int | None]
    handicap: tuple[int, int, int] | None


class Prices(dict[str, float | None]):
    """Text of a cell → decimal price; None for an empty or invalid one. `dropped` keeps the invalid texts.

    Prices repeat: a season's file holds some thousand different texts in a hundred thousand cells, and looking them up
    takes a quarter of the time of parsing each.
    """

    def __init__(self) -> None:
        super().__init__()
        self.dropped: set[str] = set()

    def __missing__(self, text: str) -> float | None:
        price = _number(text)
        if price is not None and not 1.0 < price < LIMIT_OF_PRICE:
            price = None
        if price is None and text.strip():
            self.dropped.add(text)
        self[text] = price
        return price


class Lines(dict[str, float | None]):
    """Text of a cell → line of an Asian handicap, a multiple of a quarter goal; None for an invalid one.

    Some rows write ``"-0.5,-1"`` for the line between the two, -0.75.
    """

    def __missing__(self, text: str) -> float | None:
        parts = [_number(part) for part in text.split(",")]
        line = None
        if all(part is not None for part in parts):
            line = sum(part for part in parts if part is not None) / len(parts)
            if not abs(line) <= LARGEST_HANDICAP or line * 4 != int(line * 4):
                line = None
        self[text] = line
        return line


def plan_odds(header: Sequence[str], *, closing_only: bool) -> list[OddsColumns]:
    """Return the columns of each bookmaker, in the order of the header, whose names are trimmed.

    `closing_only` is for extra files, whose prices are all closing ones.
    """
    index: dict[str, int] = {}
    for position, name in enumerate(_spelled_out(header)):
        index.setdefault(name, position)
    places: dict[tuple[str, Moment], dict[str, int]] = {}
    for prefix in _prefixes(index):
        is_closing = prefix.endswith("C") and prefix not in ENDS_IN_C
        base = prefix[:-1] if is_closing else prefix
        moment = Moment.CLOSING if is_closing or closing_only else Moment.OPENING
        found = places.setdefault((RENAMED.get(base, base), moment), {})
        for markets in (("H", "D", "A"), (">2.5", "<2.5")):
            for market in markets if _has(index, prefix, *markets) else ():
                found.setdefault(market, index[prefix + market])
        line = _line_column(index, prefix, is_closing=is_closing)
        if line is not None and _has(index, prefix, "AHH", "AHA"):
            found.setdefault("AH", line)
            found.setdefault("AHH", index[prefix + "AHH"])
            found.setdefault("AHA", index[prefix + "AHA"])
    return [
        OddsColumns(
            bookmaker,
            moment,
            (found.get("H"), found.get("D"), found.get("A"), found.get(">2.5"), found.get("<2.5")),
            (found["AH"], found["AHH"], found["AHA"]) if "AH" in found else None,
        )
        for (bookmaker, moment), found in places.items()
        if found
    ]


def read_odds(table: CsvTable, notes: Counter[str]) -> list[tuple[OddsRecord, ...]]:
    """Return the prices of each row of a table.

    An invalid price is left empty; an Asian handicap needs its line and both prices.
    """
    prices, lines = Prices(), Lines()
    plan = plan_odds(table.header, closing_only=table.is_extra)
    quotes = [_quotes(table, place, prices, lines, notes) for place in plan]
    if prices.dropped:
        read = {
            column for place in plan for column in (*place.prices, *(place.handicap or ())[1:]) if column is not None
        }
        notes["prices dropped"] += sum(table.columns[column].count(text) for column in read for text in prices.dropped)
    if not plan:
        return [()] * len(table.rows)
    return [tuple(filter(None, row)) for row in zip(*quotes, strict=True)]


def _quotes(
    table: CsvTable, place: OddsColumns, prices: Prices, lines: Lines, notes: Counter[str]
) -> list[OddsRecord | None]:
    """Return the quote of one bookmaker for each row, None for a row without one."""
    empty: list[float | None] = [None] * len(table.rows)
    home, draw, away, over, under = (
        empty if column is None else [prices[text] for text in table.columns[column]] for column in place.prices
    )
    asian = [NO_HANDICAP] * len(table.rows)
    if place.handicap is not None:
        line, first, second = (table.columns[column] for column in place.handicap)
        whole = zip(
            map(lines.__getitem__, line), map(prices.__getitem__, first), map(prices.__getitem__, second), strict=True
        )
        asian = [NO_HANDICAP if None in quote else quote for quote in whole]
        notes["handicaps dropped"] += sum(
            quote is NO_HANDICAP and bool(a.strip() or b.strip())
            for quote, a, b in zip(asian, first, second, strict=True)
        )
    bookmaker, moment = place.bookmaker, place.moment
    return [
        None
        if h is None and d is None and a is None and o is None and u is None and handicap is NO_HANDICAP
        else OddsRecord(bookmaker, moment, h, d, a, o, u, *handicap)
        for h, d, a, o, u, handicap in zip(home, draw, away, over, under, asian, strict=True)
    ]


def _spelled_out(header: Sequence[str]) -> list[str]:
    """Return the header with ``LB, LB, LB`` written as ``LBH, LBD, LBA``."""
    names = list(header)
    for start in range(len(names) - 2):
        name = names[start]
        if name and names[start : start + 3] == [name] * 3:
            names[start : start + 3] = [name + "H", name + "D", name + "A"]
    return names


def _prefixes(index: Mapping[str, int]) -> list[str]:
    """Return the prefixes of a header, with the ``C`` for closing prices, in the order of their first columns."""
    found: dict[str, None] = {}
    for name in index:
        for first, others in (("H", ("D", "A")), (">2.5", ("<2.5",)), ("AHH", ("AHA",))):
            prefix = name.removesuffix(first)
            if prefix and prefix != name and _has(index, prefix, *others):
                found[prefix] = None
    return list(found)


def _has(index: Mapping[str, int], prefix: str, *markets: str) -> bool:
    return all(prefix + market in index for market in markets)


def _line_column(index: Mapping[str, int], prefix: str, *, is_closing: bool) -> int | None:
    """Return the column with the line to which a bookmaker's two handicap prices refer."""
    own = index.get(prefix + "AH")
    if own is not None:
        return own
    if prefix.startswith("Bb"):
        return index.get("BbAHh")
    return index.get("AHCh" if is_closing else "AHh")


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
