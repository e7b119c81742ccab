"""Reading a CSV file of any encoding, with rows of any length, into a rectangular table of text."""

from __future__ import annotations

import csv
import io
from collections import Counter
from dataclasses import dataclass
from typing import Final

from apps.scraping.sources.base import ParseError, RefusedRow, shorten

ALSO_CALLED: Final[dict[str, tuple[str, ...]]] = {
    "HomeTeam": ("Home", "HT"),
    "AwayTeam": ("Away", "AT"),
    "FTHG": ("HG",),
    "FTAG": ("AG",),
    "FTR": ("Res",),
}
"""Names of the same columns in extra files, and of the teams in the Greek files until 2004-05."""


@dataclass(frozen=True, slots=True)
class CsvTable:
    """The non-empty rows of a file, each as long as the header.

    Parameters
    ----------
    header : list of str
        Column names, trimmed, by their names in main files.
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
        When the content is not CSV, or its first line is not a header of this source.
    """
    reader = csv.reader(io.StringIO(_decoded(content), newline=""))
    rows: list[list[str]] = []
    lines: list[int] = []
    try:
        header = _header(next(reader, []))
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
    for row in rows:
        if len(row) < width:
            row.extend([""] * (width - len(row)))
        elif len(row) > width:
            notes["rows with cells beyond the header"] += any(cell.strip() for cell in row[width:])
            del row[width:]
    is_cut = is_short and not content.endswith((b"\n", b"\r"))
    columns: list[tuple[str, ...]] = list(zip(*rows, strict=True)) if rows else [()] * width
    return CsvTable(name, header, rows, lines, columns, is_cut)


def _header(cells: list[str]) -> list[str]:
    """Return the column names, trimmed, by their names in main files."""
    header = [cell.strip() for cell in cells]
    for today, others in ALSO_CALLED.items():
        if today not in header:
            header = [today if cell in others else cell for cell in header]
    return header


def _decoded(content: bytes) -> str:
    """Return the text of a file: UTF-8 with or without its mark, else the Windows code page, else Latin-1."""
    for encoding in ("utf-8-sig", "cp1252"):
        try:
            return content.decode(encoding)
        except UnicodeDecodeError:
            continue
    return content.decode("latin-1")
