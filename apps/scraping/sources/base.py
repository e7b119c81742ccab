"""What every source looks like from outside: a file or a page in, records out.

Pure Python. A source knows the shape of one site's files and nothing else: no clock, no network, no database. What it
cannot read as a whole raises `ParseError`; a single row that it cannot read becomes a `RefusedRow`; a detail that it
leaves out, such as a price that is no price, is counted in the notes.

A `Source` reads files that somebody brings. A `Site` also knows its way: which pages to ask for first, and which ones
a page that was read leads to. Who asks, how fast, and what is kept is not its business, so that the same site reads
pages from the network, from kept snapshots and from a test's folder.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from enum import StrEnum
from typing import Any, Final, Protocol

from apps.matches.records import MatchRecord, readable
from apps.scraping.scopes import ScrapeScope

BACKFILL_AGE: Final = timedelta(days=1)
"""A back-fill comes month by month, and one file serves many months: one that is kept and younger serves."""

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
    is_contradiction : bool
        Whether the page contradicts itself, or the page that led to it: then nothing that it says can be believed.
    """

    file: str
    line: int
    reason: str
    row: str
    is_contradiction: bool = False

    def __post_init__(self) -> None:
        # A page may say anything, and what it says here is stored and printed.
        for name in ("file", "reason", "row"):
            object.__setattr__(self, name, readable(getattr(self, name)))


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


class FileReader(Protocol):
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


class FetchMethod(StrEnum):
    """How a page is asked for."""

    HTTP = "http"
    BROWSER = "browser"
    IN_PAGE = "in_page"
    """Fetched by the page that the browser shows, with its cookies and origin."""


@dataclass(frozen=True, slots=True)
class Window:
    """The days that a visit is after, both included; of a moment in UTC its date counts."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"window: {self.end} lies before {self.start}")

    def __contains__(self, moment: date) -> bool:
        day = moment.date() if isinstance(moment, datetime) else moment
        return self.start <= day <= self.end


@dataclass(frozen=True, slots=True)
class CrawlJob:
    """What a visit is asked to bring.

    Parameters
    ----------
    scope : ScrapeScope
    window : Window
    now : datetime
        When the visit began, aware, UTC.
    """

    scope: ScrapeScope
    window: Window
    now: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """One page to ask for.

    Parameters
    ----------
    url : str
        Absolute.
    kind : str
        Which kind of page it is, such as ``"feed"``; names its golden pages, and what is missing in an error.
    method : FetchMethod
        How it is asked for.
    wait_for : str
        CSS selector of what the page must show; a page without it has changed its layout.
    about : object
        What the pages before told that this one does not; handed back to `Site.read`.
    final_after : datetime or None
        A page fetched after this moment never changes: a kept one serves, and it is never asked for again.
    max_age : timedelta or None
        A kept page that is younger serves in its place; None to ask each time.
    may_be_missing : bool
        Whether the site may not have the page yet, such as the file of a season that is about to begin: an answer 404
        is then a note of the visit and no failure.
    is_leaf : bool
        It leads nowhere: when it is final and a visit has stored what it says, it is not even read again.
    begins_chain : bool
        What follows from it is stored, or dropped, apart from what follows from other pages.
    """

    url: str
    kind: str
    method: FetchMethod = FetchMethod.HTTP
    wait_for: str = ""
    about: Any = None
    final_after: datetime | None = None
    max_age: timedelta | None = None
    may_be_missing: bool = False
    is_leaf: bool = False
    begins_chain: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A page as it came: `url` is where redirects ended, `fetched_at` when it came, aware, UTC."""

    url: str
    content: bytes
    fetched_at: datetime
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """What one page says.

    Parameters
    ----------
    records : list of MatchRecord
        In the order of the page.
    follow : list of Request
        The pages that it leads to.
    refused : list of RefusedRow
    notes : dict of str to int
        How often a detail was left out or taken otherwise than written, by what it was.
    may_be_empty : bool
        Whether the page may hold no match at all, such as a list of coming fixtures in summer.
    varies : bool
        Whether the number of its matches says nothing, as in a list of the coming days; it is not held against others.
    """

    records: list[MatchRecord] = field(default_factory=list)
    follow: list[Request] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    may_be_empty: bool = True
    varies: bool = False


class Site(Protocol):
    """A source that is visited: it says what to ask for and reads what comes."""

    @property
    def name(self) -> str:
        """The name under which its records are stored."""
        ...

    def start(self, job: CrawlJob) -> list[Request]:
        """Return the pages to ask for first."""
        ...

    def read(self, request: Request, page: Page, job: CrawlJob) -> Reading:
        """Read one page.

        Raises
        ------
        ParseError
            When the page is not what its kind promises; `missing` names the selector, variable or key.
        """
        ...


def age_that_serves(job: CrawlJob, otherwise: timedelta | None) -> timedelta | None:
    """Return the age up to which a kept file serves an job: a back-fill's, or what the site has `otherwise`."""
    if job.scope is not ScrapeScope.BACKFILL:
        return otherwise
    return max(BACKFILL_AGE, otherwise or BACKFILL_AGE)


def shorten(cells: Iterable[object]) -> str:
    """Return the beginning of a row's text, for a report of refused rows."""
    text = ",".join(str(cell) for cell in cells)
    return text if len(text) <= ROW_TEXT_LIMIT else text[: ROW_TEXT_LIMIT - 1] + "…"
