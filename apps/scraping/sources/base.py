"""What every source looks like from outside: a file or a page in, records out.

Pure Python. A source knows the shape of one site's files and nothing else: no clock, no network, no database. What it
cannot read as a whole raises `ParseError`; a single row that it cannot read becomes a `RefusedRow`; a detail that it
leaves out, such as a price that is no price, is counted in the notes.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, Protocol

from apps.matches.records import MatchRecord

ROW_TEXT_LIMIT: Final = 120
"""Characters of a refused row that are kept for the report."""


class ParseError(ValueError):
    """A file or page does not look as its source promises, so that nothing in it can be trusted.

    Parameters
    ----------
    missing : str
        What was looked for and not found, such as ``"column Date"``.
    where : str
        The file or page, as named by the caller.
    """

    def __init__(self, missing: str, where: str) -> None:
        super().__init__(f"{where}: {missing} is missing")
        self.missing = missing
        self.where = where


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that gave no record.

    Parameters
    ----------
    file : str
        The file as named by the caller.
    line : int
        Line of a text file, or position in a list, counted from 1.
    reason : str
        What is wrong with the row, in words.
    row : str
        The beginning of the row's text.
    """

    file: str
    line: int
    reason: str
    row: str


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """What one file or page holds.

    Parameters
    ----------
    name : str
        The file as named by the caller.
    records : list of MatchRecord
        In the order of the file.
    refused : list of RefusedRow
        In the order of the file.
    notes : dict of str to int
        How often a detail was left out or taken otherwise than written, by what it was.
    """

    name: str
    records: list[MatchRecord]
    refused: list[RefusedRow] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)


class Source(Protocol):
    """One site whose files or pages can be read."""

    @property
    def name(self) -> str:
        """The name by which commands and the database know the source."""
        ...

    def accepts(self, path: str) -> bool:
        """Return whether a file of this name, relative or absolute, is one that this source reads."""
        ...

    def parse_file(self, name: str, content: bytes) -> ParsedFile:
        """Read one file.

        Parameters
        ----------
        name : str
            Its path within the source, such as ``"2018-19/en.1.json"``; used in messages, and where the content does
            not say what it is.
        content : bytes
            The file as it was served.

        Raises
        ------
        ParseError
            When the file as a whole is not what its name promises.
        """
        ...


def shorten(cells: Iterable[object]) -> str:
    """Return the beginning of a row's text, for a report of refused rows."""
    text = ",".join(str(cell) for cell in cells)
    return text if len(text) <= ROW_TEXT_LIMIT else text[: ROW_TEXT_LIMIT - 1] + "…"
