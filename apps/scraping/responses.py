"""Responses of servers, and the words for the outcome of a request or of a scrape run.

Pure Python: `http` and `browser` make responses, the services judge and store them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

STORED_HEADERS: Final = frozenset({
    "age", "cache-control", "cf-mitigated", "cf-ray", "content-encoding", "content-language", "content-length",
    "content-type", "date", "etag", "expires", "last-modified", "location", "retry-after", "server", "x-iinfo",
})  # fmt: skip
"""Response headers that are kept: those needed to judge a response and for conditional requests; never a cookie."""
NO_SUCH_PAGE: Final = frozenset({300, 404, 410})
"""Statuses by which a site says that a page is not there: the host is well, and other pages are fetched. football-data
answers with 300, which lists pages of similar addresses, for a file that it does not have."""

HEADER_LIMIT: Final = 4096
"""Characters of a header's value. A longer one is dropped: part of an address or of an entity tag would be wrong."""


class FetchOutcome(StrEnum):
    """How a request or a whole scrape run ended."""

    STORED = "stored"
    """Pages came and changed what is stored."""
    UNCHANGED = "unchanged"
    """Pages came without anything new."""
    BLOCKED = "blocked"
    """The site refused: by 403, 429 or a challenge page, which halt the host, or by its robots.txt, which does not."""
    CHANGED_LAYOUT = "changed_layout"
    """A page came that lacks what a page of its kind must show."""
    EMPTY = "empty"
    """Pages came without the matches that they must hold."""
    TIMEOUT = "timeout"
    """No complete response came in time."""
    HTTP_ERROR = "http_error"
    """No connection, an error status, a broken or endless response."""
    INVALID = "invalid"
    """The pages cannot be true: contradictions, or far more or fewer matches than in the runs before."""
    FAILED = "failed"
    """A failure of our own: a lost process, the database, a defect."""


@dataclass(frozen=True, slots=True)
class FetchResponse:
    """A response of a server, whatever its status.

    Parameters
    ----------
    url : str
        Where redirects ended.
    headers : mapping of str to str
        Names in lower case.
    body : bytes
        Without content encoding; from a browser, the page's HTML when the wait was over.
    fetched_at : datetime
        When it was complete, aware, UTC.
    seconds : float
        From the request to the last byte.
    """

    url: str
    status: int
    body: bytes
    fetched_at: datetime
    headers: Mapping[str, str] = field(default_factory=dict)
    seconds: float = 0.0


def stored_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers to keep, names in lower case; the first of those with the same name."""
    kept: dict[str, str] = {}
    for name, value in headers:
        if name.lower() in STORED_HEADERS and len(value) <= HEADER_LIMIT:
            kept.setdefault(name.lower(), value)
    return kept


class FetchError(Exception):
    """No usable response came; `response` is the unusable one, to be stored, or None when there was none."""

    def __init__(self, outcome: FetchOutcome, reason: str, response: FetchResponse | None = None) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.response = response

    @property
    def is_missing(self) -> bool:
        """Whether the site has no such page."""
        return self.response is not None and self.response.status in NO_SUCH_PAGE


class LeadsOnError(FetchError):
    """A page leads to another one, which has not been requested yet; the site has responded as it should.

    `target` is where it leads, by a redirect, a refresh or a script.
    """

    def __init__(self, url: str, target: str) -> None:
        super().__init__(FetchOutcome.STORED, f"{url}: leads on to {target}")
        self.target = target


class NotSentError(FetchError):
    """A request was not sent for a reason of our own, which a retry would meet again."""

    def __init__(self, reason: str) -> None:
        super().__init__(FetchOutcome.FAILED, f"No request is sent: {reason}")
