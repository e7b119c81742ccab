"""Reader of tables of squad values: what the squad of a club was worth on the market, with the day of the estimate.

Pure Python. Columns: `team` (or `football_data`), `known_on` (or `value_date`), `value_eur`, and, where they are known,
`squad_size` and either `region` or football-data's division `div`. Others are ignored. A value without the day on which
it was known, such as one "of a season", is no use to a forecast and is refused: such values fit the end of the season.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date
from typing import Final

from apps.matches.records import SquadValueRecord
from apps.scraping.sources.base import ParseError, RefusedRow, shorten
from apps.scraping.sources.competitions import DIVISIONS

REQUIRED: Final[dict[str, tuple[str, ...]]] = {
    "team": ("team", "football_data"),
    "known_on": ("known_on", "value_date"),
    "value_eur": ("value_eur",),
}
"""Columns, each with the names that it may have."""


def read_squad_values(name: str, content: bytes) -> tuple[list[SquadValueRecord], list[RefusedRow]]:
    """Return the values of a file, and the rows that could not be read.

    Raises
    ------
    ParseError
        When a column is missing, or the file is no text in UTF-8.
    """
    try:
        rows = csv.DictReader(io.StringIO(content.decode("utf-8-sig")))
        columns = {key: _column(key, rows.fieldnames or (), name) for key in REQUIRED}
        values: list[SquadValueRecord] = []
        refused: list[RefusedRow] = []
        for row in rows:
            try:
                values.append(_value(row, columns, line=rows.line_num))
            except ValueError as error:
                refused.append(RefusedRow(name, rows.line_num, str(error), shorten(map(str, row.values()))))
    except (UnicodeDecodeError, csv.Error) as error:
        raise ParseError("a table of text in UTF-8", name) from error
    return values, refused


def _column(key: str, header: Sequence[str], name: str) -> str:
    for column in REQUIRED[key]:
        if column in header:
            return column
    raise ParseError(f"column {' or '.join(REQUIRED[key])}", name)


def _value(row: Mapping[str, str | None], columns: Mapping[str, str], *, line: int) -> SquadValueRecord:
    team, day, value = ((row[columns[key]] or "").strip() for key in REQUIRED)
    try:
        known_on = date.fromisoformat(day)
    except ValueError as error:
        raise ValueError(f"day {day!r} is not written as 2023-08-01") from error
    region, division, size = ((row.get(key) or "").strip() for key in ("region", "div", "squad_size"))
    if division and not region:
        if division not in DIVISIONS:
            raise ValueError(f"division {division!r} is unknown")
        region = DIVISIONS[division].region
    return SquadValueRecord(
        line,
        region,
        team,
        known_on,
        _whole(value, "value", "euros"),
        _whole(size, "squad", "players") if size else None,
    )


def _whole(text: str, what: str, unit: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 16):
        raise ValueError(f"{what} {text!r} is no whole number of {unit}")
    return int(text)
