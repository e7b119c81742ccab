"""Reading a CSV file of any encoding and separator, with rows of any length, into a rectangular table of text."""

from __future__ import annotations

import csv
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

from apps.scraping.sources.base import HEAD, ParseError, RefusedRow, shorten

ALSO_CALLED: Final[dict[str, tuple[str, ...]]] = {
    "HomeTeam": ("Home", "HT"),
    "AwayTeam": ("Away", "AT"),
    "FTHG": ("HG",),
    "FTAG": ("AG",),
    "FTR": ("Res",),
}
"""Names of the same columns in extra files, and of the teams in the Greek files until 2004-05."""

MATCH_COLUMNS: Final = (
    "Div", "Country", "League", "Season", "Date", "Time", "HomeTeam", "AwayTeam", "FTHG", "FTAG", "FTR", "HTHG", "HTAG",
)  # fmt: skip
"""The columns that identify a match and its result; statistics and prices are named where they are read."""

NEEDED: Final = frozenset({"Date", "HomeTeam", "AwayTeam"})
"""Columns by which a header is recognised, with ``Div`` or ``Country``."""

HEADER_WITHIN: Final = 10
"""Lines at the beginning of a file in which the header is looked for."""

SEPARATORS: Final = (",", ";", "\t", "|")

NOT_NUMBERS: Final = re.compile(
    r"Div|Country|League|Season|Date|Time|HomeTeam|AwayTeam|[FH]TR|Referee|Attendance|.*AHC?h?"
)
"""Columns that do not show the decimal sign: numbers of spectators have separators of thousands, and the line of a
handicap may be two numbers, ``-0.5,-1``."""

WITH_COMMA: Final = re.compile(r"[+-]?\d+,\d+")
WITH_POINT: Final = re.compile(r"[+-]?\d+\.\d+")

STRAY: Final = 0.02
"""Share of cells or rows that may differ from the form of the others: they are refused or left out one by one."""


@dataclass(frozen=True, slots=True)
class CsvTable:
    """The non-empty rows of a file, each as long as the header.

    Parameters
    ----------
    header : list of str
        Column names, trimmed, by their names in main files.
    rows : list of list of str
        Cells as written; decimal commas are points.
    columns : list of tuple of str
        The same cells by column.
    is_cut : bool
        True if the file ends without a line break, in a row that is too short for a result.
    """

    name: str
    header: list[str]
    rows: list[list[str]]
    lines: list[int]
    columns: list[tuple[str, ...]]
    is_cut: bool

    @property
    def is_extra(self) -> bool:
        """Whether this is a file of a country outside the main divisions."""
        return "Country" in self.header

    def column(self, name: str) -> tuple[str, ...] | None:
        """Return the cells of a column, None if there is no such column."""
        return self.columns[self.header.index(name)] if name in self.header else None

    def required(self, name: str) -> tuple[str, ...]:
        """Return the cells of a column that every file must have.

        Raises
        ------
        ParseError
            When it is missing.
        """
        cells = self.column(name)
        if cells is None:
            raise ParseError(f"column {name}", self.name)
        return cells

    def refuse(self, position: int, reason: str) -> RefusedRow:
        """Return a row as refused."""
        return RefusedRow(self.name, self.lines[position], reason, shorten(self.rows[position]))


def read_table(name: str, content: bytes, notes: Counter[str]) -> CsvTable:
    """Return the table of a file.

    Raises
    ------
    ParseError
        When the content is not CSV, its header is none of this source, or its separator or decimal sign is not clear.
    """
    if not content.strip():
        raise ParseError("any content", name, "the file is empty")
    text = decoded(content)
    separator = _separator(text[:HEAD])
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator)
        header = _header(reader)
        if "Div" not in header and "Country" not in header:
            raise ParseError("column Div or Country", name)
        for row in reader:
            if any(row):
                rows.append(row)
                lines.append(reader.line_num)
    except csv.Error as error:
        raise ParseError(f"readable CSV ({error})", name) from error
    width = len(header)
    is_short = bool(rows) and "FTR" in header and len(rows[-1]) <= header.index("FTR")
    longer = shifted = unseparated = 0
    for row in rows:
        if len(row) < width:
            unseparated += len(row) == 1 and not set(row[0]).isdisjoint(SEPARATORS)
            row.extend([""] * (width - len(row)))
        elif len(row) > width:
            longer += any(cell.strip() for cell in row[width:])
            shifted += any(cell.strip().isdigit() for cell in row[width:])
            del row[width:]
    _check_shape(name, separator, len(rows), unseparated=unseparated, shifted=shifted)
    notes["rows with cells beyond the header"] += longer
    if separator != "," or '"' in text:
        _use_points(name, header, rows)
    is_cut = is_short and not text.endswith(("\n", "\r"))
    columns: list[tuple[str, ...]] = list(zip(*rows, strict=True)) if rows else [()] * width
    return CsvTable(name, header, rows, lines, columns, is_cut)


def has_match_header(head: bytes) -> bool:
    """Return whether a file begins with a header of this source."""
    text = decoded(head)
    header = set(_names(text, _separator(text)))
    return header >= NEEDED and not header.isdisjoint({"Div", "Country"})


def decoded(content: bytes) -> str:
    """Return the text of a file: UTF-16 or UTF-8, with or without their marks, the Windows code page, else Latin-1."""
    encodings = ["utf-8", "cp1252"]
    if content.startswith((b"\xff\xfe", b"\xfe\xff")):
        encodings.insert(0, "utf-16")
    elif content[1:2] == b"\x00" or content[:1] == b"\x00":
        encodings.insert(0, "utf-16-le" if content[1:2] == b"\x00" else "utf-16-be")
    for encoding in encodings:
        try:
            return content.decode(encoding).removeprefix("\ufeff")
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")


def _separator(head: str) -> str:
    """Return the separator that gives the header most of its names; a comma where none does."""
    return max(SEPARATORS, key=lambda separator: len(set(_names(head, separator)).intersection(MATCH_COLUMNS)))


def _names(head: str, separator: str) -> list[str]:
    try:
        return _header(csv.reader(io.StringIO(head, newline=""), delimiter=separator))
    except csv.Error:
        return []


def _header(reader: Iterator[list[str]]) -> list[str]:
    """Return the column names, trimmed, by their names in main files.

    Above them may be a title, empty lines, or a line such as ``sep=;``, which spreadsheets understand. Without a line
    that names the columns of a match it is the first that is not empty.
    """
    first: list[str] = []
    for cells in islice(reader, HEADER_WITHIN):
        header = [cell.strip() for cell in cells]
        for today, others in ALSO_CALLED.items():
            if today not in header:
                header = [today if cell in others else cell for cell in header]
        if NEEDED.issubset(header):
            return header
        first = first or (header if any(header) else [])
    return first


def _check_shape(name: str, separator: str, rows: int, *, unseparated: int, shifted: int) -> None:
    """Refuse a file whose rows do not have the form of its header."""
    if unseparated > max(1, STRAY * rows):
        raise ParseError(
            "one separator",
            name,
            f"its header is separated by {separator!r}, and {unseparated} of its {rows} rows are not",
        )
    if shifted > max(1, STRAY * rows):
        raise ParseError(
            "rows as long as the header",
            name,
            f"{shifted} of its {rows} rows have more numbers than the header has columns: if they have decimal commas, "
            "save it again with another separator",
        )


def _use_points(name: str, header: list[str], rows: list[list[str]]) -> None:
    """Turn decimal commas into points, where the numbers of the file have commas.

    Raises
    ------
    ParseError
        When some numbers have a comma and some a point.
    """
    numeric = [place for place, column in enumerate(header) if not NOT_NUMBERS.fullmatch(column)]
    cells = Counter(row[place].strip() for row in rows for place in numeric)
    commas = {text: count for text, count in cells.items() if WITH_COMMA.fullmatch(text)}
    points = {text: count for text, count in cells.items() if WITH_POINT.fullmatch(text)}
    with_comma, with_point = sum(commas.values()), sum(points.values())
    if with_comma <= STRAY * with_point:
        return
    if with_point > STRAY * with_comma:
        raise ParseError(
            "one decimal sign",
            name,
            f"some of its numbers have a decimal comma and some a point: {next(iter(commas))!r}, "
            f"{next(iter(points))!r}; save it again with one of them",
        )
    for row in rows:
        for place, cell in enumerate(row):
            if "," in cell and WITH_COMMA.fullmatch(cell.strip()):
                row[place] = cell.replace(",", ".")
