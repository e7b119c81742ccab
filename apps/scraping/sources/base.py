"""Interfaces of the sources: a file or a page in, records out.

Pure Python, without clock, network or database. A file or page that cannot be read raises `ParseError`; a single row
that cannot be read becomes a `RefusedRow`; a detail that is left out, such as an invalid price, is counted in notes.

A `FileReader` reads files that are imported by hand. A `Site` also names the pages to fetch: the first ones, and those
to which a page leads. It neither fetches nor stores them, so that pages may come from the network, from
stored snapshots or from the folder of a test.
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
"""One file covers many months of a back-fill: a stored one that is younger is used again."""

HEAD: Final = 65_536
"""Bytes from the beginning of a file by which a reader recognises it."""

ROW_TEXT_LIMIT: Final = 120
"""Characters of a refused row that are quoted in reports."""


class ParseError(ValueError):
    """A file or page does not have the form that its source should have, so that nothing in it can be trusted.

    `missing` is what was expected and not found, such as ``"column Date"``; `where` is the file or page, as named by
    the caller; `detail` gives the reason where "… is missing" does not say it.
    """

    def __init__(self, missing: str, where: str, detail: str = "") -> None:
        self.missing = missing
        self.where = where
        self.detail = detail
        super().__init__(f"{where}: {self.reason}")

    @property
    def reason(self) -> str:
        """Why the file or page cannot be read."""
        return readable(self.detail) or f"{self.missing} is missing"


class UnknownCompetitionError(ParseError):
    """A file has the form of its source, and holds only competitions that SPAI does not know."""


@dataclass(frozen=True, slots=True)
class RefusedRow:
    """A row that gave no record.

    Parameters
    ----------
    line : int
        Line of a text file, or position in a list, counted from 1.
    is_contradiction : bool
        Whether the page contradicts itself or the page that led to it; then the whole page is refused.
    """

    file: str
    line: int
    reason: str
    row: str
    is_contradiction: bool = False

    def __post_init__(self) -> None:
        # A page may contain any character, and these texts are stored and printed.
        for name in ("file", "reason", "row"):
            object.__setattr__(self, name, readable(getattr(self, name)))


@dataclass(frozen=True, slots=True)
class ParsedFile:
    """The content of one file, in its order.

    `notes` counts how often a detail was left out or read otherwise than written, by its description.
    """

    name: str
    records: list[MatchRecord]
    refused: list[RefusedRow] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)


class FileReader(Protocol):
    """A reader of the files of one site."""

    @property
    def name(self) -> str:
        """Name of the source in commands and in the database."""
        ...

    def accepts(self, path: str, head: bytes) -> bool:
        """Return whether a file is one of this source.

        Its content decides. A name of the source is enough where the content is damaged or empty, so that such a file
        is reported.

        Parameters
        ----------
        path : str
            Relative or absolute.
        head : bytes
            The first `HEAD` bytes of the file, or all of them.
        """
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
    """How a page is fetched."""

    HTTP = "http"
    BROWSER = "browser"
    IN_PAGE = "in_page"
    """By a script in the page that the browser shows, with its cookies and origin."""


@dataclass(frozen=True, slots=True)
class Window:
    """First and last day of a scrape run, both included; a moment counts by its date in UTC."""

    start: date
    end: date

    def __post_init__(self) -> None:
        if self.end < self.start:
            raise ValueError(f"window: {self.end} is before {self.start}")

    def __contains__(self, moment: date) -> bool:
        day = moment.date() if isinstance(moment, datetime) else moment
        return self.start <= day <= self.end


@dataclass(frozen=True, slots=True)
class CrawlJob:
    """What a crawl has to find; `now` is when the scrape run began, aware, UTC."""

    scope: ScrapeScope
    window: Window
    now: datetime


@dataclass(frozen=True, slots=True)
class Request:
    """One page to fetch.

    Parameters
    ----------
    url : str
        Absolute.
    kind : str
        Kind of page, such as ``"feed"``; decides how it is read.
    wait_for : str
        CSS selector of an element that the page must have; a page without it has changed its layout.
    about : object
        What `Site.read` needs from the pages before.
    final_after : datetime or None
        A page fetched after this moment never changes: it is never fetched again.
    max_age : timedelta or None
        A stored page that is younger is used; None to fetch each time.
    headers : tuple of pairs of str
        HTTP headers that the site wants with this request.
    may_be_missing : bool
        Whether the site may not have the page yet, such as the file of a season that is about to begin: that it is not
        there is then noted and not a failure.
    is_file : bool
        It is a file of data, in whose place a site may show a page that says that it has none.
    is_leaf : bool
        It leads to no other page: once it is final and its matches are stored, it is not even read again.
    begins_chain : bool
        The pages that follow from it form a chain, which is stored or dropped as a whole.
    """

    url: str
    kind: str
    method: FetchMethod = FetchMethod.HTTP
    wait_for: str = ""
    about: Any = None
    final_after: datetime | None = None
    max_age: timedelta | None = None
    headers: tuple[tuple[str, str], ...] = ()
    may_be_missing: bool = False
    is_file: bool = False
    is_leaf: bool = False
    begins_chain: bool = False


@dataclass(frozen=True, slots=True)
class Page:
    """A fetched page: `url` is where redirects ended, `fetched_at` is aware, UTC."""

    url: str
    content: bytes
    fetched_at: datetime
    content_type: str = ""


@dataclass(frozen=True, slots=True)
class Reading:
    """The content of one page.

    Parameters
    ----------
    follow : list of Request
        The pages that it leads to.
    notes : dict of str to int
        How often a detail was left out or read otherwise than written, by its description.
    may_be_empty : bool
        Whether the page may hold no match at all, such as a list of coming fixtures in summer.
    varies : bool
        Whether the number of matches varies widely, as in a list of the coming days; then it is not checked.
    """

    records: list[MatchRecord] = field(default_factory=list)
    follow: list[Request] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    notes: dict[str, int] = field(default_factory=dict)
    may_be_empty: bool = True
    varies: bool = False


class Site(Protocol):
    """A source that is crawled: it names the pages to fetch and reads them."""

    @property
    def name(self) -> str:
        """The name under which its records are stored."""
        ...

    @property
    def markers(self) -> tuple[str, ...]:
        """Texts of which each of its HTML pages has one, in any case; a block page in its place has none."""
        ...

    def start(self, job: CrawlJob) -> list[Request]:
        """Return the first pages to fetch."""
        ...

    def read(self, request: Request, page: Page, job: CrawlJob) -> Reading:
        """Read one page.

        Raises
        ------
        ParseError
            When the page is not what its kind promises; `missing` names the selector, variable or key.
        """
        ...


def usable_age(job: CrawlJob) -> timedelta | None:
    """Return the age up to which a stored file is used in a back-fill; None for any other job."""
    return BACKFILL_AGE if job.scope is ScrapeScope.BACKFILL else None


def shorten(cells: Iterable[object]) -> str:
    """Return the beginning of a row's text, for a report of refused rows."""
    text = ",".join(str(cell) for cell in cells)
    return text if len(text) <= ROW_TEXT_LIMIT else text[: ROW_TEXT_LIMIT - 1] + "…"
