"""What comes back through a door, and the words for what came of it.

Pure Python: the doors (`http`, `browser`) make these, services judge and keep them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Final

KEPT_HEADERS: Final = frozenset({
    "age", "cache-control", "cf-mitigated", "cf-ray", "content-encoding", "content-language", "content-length",
    "content-type", "date", "etag", "expires", "last-modified", "location", "retry-after", "server", "x-iinfo",
})  # fmt: skip
"""What is kept of an answer's headers: what judging and asking again need; never a cookie."""
HEADER_LIMIT: Final = 4096
"""Characters of a header's value; a longer one is not kept, since a part of an address or a tag is another one."""


class Outcome(StrEnum):
    """What came of a request or of a whole visit; never a mere yes or no."""

    STORED = "stored"
    """Pages came and changed what is stored."""
    UNCHANGED = "unchanged"
    """Pages came and told nothing new."""
    BLOCKED = "blocked"
    """The site refused: by 403, 429 or a challenge page, which halt the lane of its host, or by its robots.txt, which
    does not."""
    CHANGED_LAYOUT = "changed_layout"
    """A page came that does not show what its kind promises."""
    EMPTY = "empty"
    """Pages came without the matches that they must hold."""
    TIMEOUT = "timeout"
    """Nothing came in time."""
    HTTP_ERROR = "http_error"
    """No connection, an error status, a broken or endless answer."""
    INVALID = "invalid"
    """What came cannot be true: contradictions, or far more or fewer matches than the visits before."""
    FAILED = "failed"
    """Our own fault: a lost process, the database, a defect."""


@dataclass(frozen=True, slots=True)
class Response:
    """An answer of a server, whatever its status.

    Parameters
    ----------
    url : str
        Where redirects ended.
    status : int
    headers : mapping of str to str
        Names in lower case.
    body : bytes
        Decoded of any content encoding; of a page in a browser its HTML when the wait was over.
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


def kept_headers(headers: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return the headers that matter, names in lower case; of one that came twice the first."""
    kept: dict[str, str] = {}
    for name, value in headers:
        if name.lower() in KEPT_HEADERS and len(value) <= HEADER_LIMIT:
            kept.setdefault(name.lower(), value)
    return kept


class FetchError(Exception):
    """A page did not come as it should.

    Parameters
    ----------
    outcome : Outcome
        What it means for the visit.
    reason : str
        What happened, for the operator.
    response : Response or None
        What did come, to be kept; None when nothing did.
    """

    def __init__(self, outcome: Outcome, reason: str, response: Response | None = None) -> None:
        super().__init__(reason)
        self.outcome = outcome
        self.reason = reason
        self.response = response


class LeadsOnError(FetchError):
    """A page leads to another one, which was not asked for; the site has answered as it should.

    Parameters
    ----------
    url : str
        The page.
    target : str
        Where it leads, by a redirect, a refresh or a script.
    """

    def __init__(self, url: str, target: str) -> None:
        super().__init__(Outcome.STORED, f"{url}: leads on to {target}")
        self.target = target


class NotAskedError(FetchError):
    """A request that was not made, for a reason of our own that another try would meet again."""

    def __init__(self, reason: str) -> None:
        super().__init__(Outcome.FAILED, f"No request leaves: {reason}")
