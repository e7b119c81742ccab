"""Rules of polite scraping: user agent, robots.txt, delays between requests, and the circuit breaker of a host.

Pure functions: time and random draws are passed in, and each state consists of plain values that fit into a row.
Nothing here evades a block; a refusal makes SPAI stay away longer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from enum import StrEnum
from functools import lru_cache
from typing import Final
from urllib.parse import urlsplit

from protego import Protego
from selectolax.lexbor import LexborHTMLParser

from apps.scraping.responses import FetchOutcome, FetchResponse

VERSION: Final = "0.1.0"
AGENT: Final = f"SPAI/{VERSION}"
"""The product token, for robots.txt and server logs."""

_PORTS: Final = {"http": 80, "https": 443}

ROBOTS_LIMIT: Final = 500 * 1024
"""Bytes of a robots.txt that are read (RFC 9309, section 2.5)."""
ROBOTS_KEEP: Final = timedelta(hours=24)
"""How long a copy may be used (RFC 9309, section 2.4)."""
ROBOTS_KEEP_UNREACHABLE: Final = timedelta(minutes=1)
"""How long everything is forbidden after robots.txt could not be reached; five such failures in a row open the
breaker."""
ALLOW_ALL: Final = ""
DISALLOW_ALL: Final = "User-agent: *\nDisallow: /\n"

LONGEST_DELAY: Final = timedelta(seconds=60)
"""Longest delay that a worker waits out; a host that demands a longer one is not scraped."""
LONGEST_GAP: Final = timedelta(days=1)
"""A longer Crawl-delay is cut to this."""
LONGEST_RETRY_AFTER: Final = timedelta(days=7)
"""A longer Retry-After is cut to this; the admin shows the host as halted meanwhile."""

FAILURE_LIMIT: Final = 5
"""Timeouts and errors in a row that open a breaker."""
FIRST_PAUSE: Final = timedelta(minutes=15)
LONGEST_PAUSE: Final = timedelta(hours=24)
PROBE_LIMIT: Final = timedelta(minutes=10)
"""A probe without a result after this time was lost with its process; another one may be sent."""


def user_agent(contact: str) -> str:
    """Return the user agent: name and version of SPAI, and where its operator can be reached.

    Parameters
    ----------
    contact : str
        Web page or mail address of the operator.

    Raises
    ------
    ValueError
        When the contact is empty or has characters that a header must not have.
    """
    contact = contact.strip()
    if not re.fullmatch(r"[!-'*-\[\]-~]{3,200}", contact):
        raise ValueError(
            "the contact must be a web or mail address of 3 to 200 printable ASCII characters "
            f"without spaces, parentheses and backslashes, not {contact[:200]!r}"
        )
    return f"{AGENT} (+{contact})"


def host_of(url: str) -> str:
    """Return the host of an address in lower case, with the port unless it is the usual one.

    Raises
    ------
    ValueError
        When it is not an absolute http or https address, or contains a user name.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url[:200]!r} is not an address: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise ValueError(f"{url[:200]!r} is not an http or https address, or has a user name")
    return parts.hostname if port in (None, _PORTS[parts.scheme]) else f"{parts.hostname}:{port}"


@lru_cache(maxsize=8)
def _rules(text: str) -> Protego:
    return Protego.parse(text)


@dataclass(frozen=True, slots=True)
class Robots:
    """The rules of a robots.txt, and how long they may be used after it was fetched."""

    text: str
    keep: timedelta = ROBOTS_KEEP

    @classmethod
    def parse(cls, content: str | bytes) -> Robots:
        """Parse a robots.txt: UTF-8, cut after 500 KiB; unknown lines are ignored."""
        raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
        if len(raw) > ROBOTS_LIMIT:
            # A rule that is cut in two would mean something else.
            raw = raw[:ROBOTS_LIMIT].rpartition(b"\n")[0]
        return cls(raw.decode("utf-8", "replace").removeprefix("\ufeff"))

    @classmethod
    def of(cls, response: FetchResponse | None) -> Robots:
        """Return the rules that follow from a response to the request for robots.txt (RFC 9309, section 2.3.1).

        Parameters
        ----------
        response : FetchResponse or None
            None when there was none. Then, and after a server error, nothing may be fetched for now. A robots.txt that
            does not exist (4xx) forbids nothing. A 429 or a challenge page does not show whether one exists, and
            counts as a server error.
        """
        if response is None or response.status == 429 or response.status >= 500 or challenge(response):
            return cls(DISALLOW_ALL, ROBOTS_KEEP_UNREACHABLE)
        if 200 <= response.status < 300:
            return cls.parse(response.body)
        if 400 <= response.status < 500:
            return cls(ALLOW_ALL)
        return cls(DISALLOW_ALL, ROBOTS_KEEP_UNREACHABLE)

    def allows(self, url: str) -> bool:
        """Return whether SPAI may fetch the address."""
        try:
            return bool(_rules(self.text).can_fetch(url, AGENT))
        except ValueError:  # not an address
            return False

    def crawl_delay(self) -> timedelta | None:
        """Return the delay between two requests that the site demands, None for none."""
        seconds = _rules(self.text).crawl_delay(AGENT)
        return None if seconds is None else timedelta(seconds=min(float(seconds), LONGEST_GAP.total_seconds()))


def gap(delay: timedelta, jitter: float, draw: float) -> timedelta:
    """Return how long after the end of a request the next one may be sent to the same host; at least the delay.

    Parameters
    ----------
    jitter : float
        By how much the pause may be longer, as a share of the delay, not negative.
    draw : float
        A uniform draw from [0, 1).
    """
    if delay < timedelta() or not 0 <= jitter < math.inf or not 0 <= draw <= 1:
        raise ValueError(f"gap: delay {delay}, jitter {jitter} or draw {draw} is out of range")
    return delay * (1 + jitter * draw)


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return the pause that a Retry-After header demands, in seconds or until an HTTP date (RFC 9110, section 10.2.3).

    Returns
    -------
    timedelta or None
        From zero, for a moment that has passed, to a week; None for a header that cannot be parsed.
    """
    value = (value or "").strip()
    if re.fullmatch(r"[0-9]+", value):
        # More digits exceed the limit anyway, and Python refuses to convert thousands of them.
        seconds = int(value) if len(value) <= 9 else math.inf
        return timedelta(seconds=min(seconds, LONGEST_RETRY_AFTER.total_seconds()))
    try:
        moment = parsedate_to_datetime(value)
    except (ValueError, OverflowError, IndexError, TypeError):
        return None
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    try:
        return min(max(moment - now, timedelta()), LONGEST_RETRY_AFTER)
    except OverflowError:
        return None


class BreakerState(StrEnum):
    """Whether requests may be sent to a host."""

    CLOSED = "closed"
    """They may."""
    OPEN = "open"
    """They may not, until a moment."""
    HALF_OPEN = "half_open"
    """One has been sent as a probe; no other may be."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """Circuit breaker: stops the requests to a host that refuses or fails.

    Before a request, save the state that `admit` returns, while holding the lock of the host; after it, save the state
    that `after` returns for its outcome. To close a breaker by hand, save a new `Breaker()`.

    Parameters
    ----------
    failures : int
        Timeouts and errors in a row.
    trips : int
        How often in a row it opened without a success between; each doubles the pause.
    opened_at, open_until : datetime or None
        When it opened, and when a probe may be sent; of a half-open one, when that probe counts as lost.
    reason : str
        Why it opened, for the operator.
    """

    state: BreakerState = BreakerState.CLOSED
    failures: int = 0
    trips: int = 0
    opened_at: datetime | None = None
    open_until: datetime | None = None
    reason: str = ""

    def __post_init__(self) -> None:
        object.__setattr__(self, "state", BreakerState(self.state))
        if self.state is not BreakerState.CLOSED and self.open_until is None:
            raise ValueError(f"a breaker that is {self.state} needs open_until")

    def allows(self, now: datetime) -> bool:
        """Return whether a request may be sent."""
        return self.open_until is None or now >= self.open_until

    def admit(self, now: datetime) -> Breaker | None:
        """Return the state during the request, None when it may not be sent.

        After a pause exactly one may be sent as a probe; if it has no result within ten minutes, another one.
        """
        if not self.allows(now):
            return None
        if self.state is BreakerState.CLOSED:
            return self
        return replace(self, state=BreakerState.HALF_OPEN, open_until=now + PROBE_LIMIT)

    def after(self, outcome: FetchOutcome, now: datetime, wait: timedelta | None = None, reason: str = "") -> Breaker:
        """Return the state after a request.

        Parameters
        ----------
        outcome : FetchOutcome
            `BLOCKED` opens the breaker at once; so do the fifth `TIMEOUT` or `HTTP_ERROR` in a row and the first one of
            a probe. `FAILED` is our own failure and says nothing about the site. Any other outcome closes it.
        wait : timedelta or None
            What Retry-After demanded; the pause is never shorter.
        """
        # A request that was sent before the breaker opened can neither close it nor count again.
        is_straggler = self.state is BreakerState.OPEN and not self.allows(now)
        if outcome is FetchOutcome.FAILED:
            is_probe = self.state is BreakerState.HALF_OPEN
            return replace(self, state=BreakerState.OPEN, open_until=now) if is_probe else self
        if outcome not in (FetchOutcome.BLOCKED, FetchOutcome.TIMEOUT, FetchOutcome.HTTP_ERROR):
            return self if is_straggler else Breaker()
        if is_straggler:
            assert self.open_until is not None
            return replace(self, open_until=max(self.open_until, now + (wait or timedelta())))
        failures = self.failures + (outcome is not FetchOutcome.BLOCKED)
        is_trip = outcome is FetchOutcome.BLOCKED or failures >= FAILURE_LIMIT or self.state is not BreakerState.CLOSED
        if not is_trip and not wait:
            return replace(self, failures=failures)
        trips = self.trips + is_trip
        pause = max(_pause(trips), wait or timedelta())
        return Breaker(BreakerState.OPEN, failures, trips, now, now + pause, reason or f"{outcome}")


def _pause(trips: int) -> timedelta:
    """Return how long a breaker stays open after so many trips in a row: 15 minutes, doubling up to a day."""
    return min(FIRST_PAUSE * 2 ** min(trips - 1, 30), LONGEST_PAUSE) if trips else timedelta()


SMALL_PAGE: Final = 32 * 1024
"""Bytes: a block page is smaller than a page of matches, which may contain the same phrases."""
FEW_WORDS: Final = 1500
"""Characters of text: a small page with more is not a block page."""
_BLANK: Final = b"\xef\xbb\xbf \t\r\n"
_CLOUDFLARE_TITLES: Final = ("just a moment", "attention required! | cloudflare")
_GENERIC_PHRASES: Final = (
    "access denied",
    "verify you are human",
    "verify you are a human",
    "verify that you are human",
    "are you a robot",
    "you are not a robot",
    "unusual traffic",
    "enable javascript and cookies to continue",
    "request unsuccessful",
    "complete the captcha",
    "solve the captcha",
)


def challenge(response: FetchResponse) -> str:
    """Return whose challenge or block page a response is, ``""`` for any other page.

    It is ``"cloudflare"``, ``"incapsula"``, or ``"captcha"`` for any other. Block pages often have status 200. They are
    recognised by a header, by the title, or by phrases in a small page with little other text, so that a real page
    which contains such phrases is not taken for one.
    """
    headers = response.headers
    is_cloudflare = headers.get("server", "").lower().startswith("cloudflare")
    if "challenge" in headers.get("cf-mitigated", "").lower() or (response.status == 403 and is_cloudflare):
        return "cloudflare"
    if "json" in headers.get("content-type", "").lower() or not is_html(response.body):
        return ""
    page = LexborHTMLParser(response.body[:SMALL_PAGE].decode("utf-8", "replace"))
    named = page.css_first("title")
    title = named.text().strip().lower() if named else ""
    if title.startswith(_CLOUDFLARE_TITLES):
        return "cloudflare"
    if len(response.body) > SMALL_PAGE:
        return ""
    if b"incapsula incident id" in response.body.lower():
        return "incapsula"
    page.strip_tags(["script", "style"])
    shown = " ".join((page.body.text(separator=" ") if page.body else "").lower().split())
    if len(shown) > FEW_WORDS:
        return ""
    if "ray id" in shown and "cloudflare" in shown:
        return "cloudflare"
    return "captcha" if any(phrase in title or phrase in shown for phrase in _GENERIC_PHRASES) else ""


_CHALLENGE_PARTS: Final = "script, form, iframe, noscript, meta[http-equiv=refresh i]"
_CHALLENGE_WORDS: Final = re.compile(
    r"block|denied|robot|human|verif|secur|captcha|forbidden|unusual|rate limit|too many|cookies|javascript|checking"
)


def is_html(body: bytes) -> bool:
    """Return whether a body is a page rather than a file."""
    return body.lstrip(_BLANK)[:1] == b"<"


def is_stand_in(body: bytes, markers: Iterable[str]) -> bool:
    """Return whether a page came in place of another one, as challenges do whatever their words are.

    Such a page is small HTML with little text, it holds a script, a form or a word of refusal, and none of `markers`,
    which are parts of every page of the site. Ask only about a page that lacks what it must show.
    """
    if len(body) > SMALL_PAGE or not is_html(body):
        return False
    source = body.decode("utf-8", "replace").lower()
    if any(marker.lower() in source for marker in markers):
        return False
    page = LexborHTMLParser(source)
    has_parts = page.css_first(_CHALLENGE_PARTS) is not None
    page.strip_tags(["script", "style"])
    shown = " ".join((page.root.text(separator=" ") if page.root else "").split())
    return len(shown) <= FEW_WORDS and (has_parts or _CHALLENGE_WORDS.search(shown) is not None)


def judge(response: FetchResponse) -> FetchOutcome | None:
    """Return the outcome of a response that must not be parsed, None when it may be.

    A refusal (403, 429, 451) or a challenge page is `BLOCKED`; any status but 2xx and 304 is `HTTP_ERROR`.
    """
    if response.status in (403, 429, 451) or challenge(response):
        return FetchOutcome.BLOCKED
    if 200 <= response.status < 300 or response.status == 304:
        return None
    return FetchOutcome.HTTP_ERROR


def conditional_headers(stored: Mapping[str, str]) -> dict[str, str]:
    """Return request headers by which a server sends a page only if it has changed (RFC 9110, section 13.1).

    `stored` are the response headers of the stored page, names in lower case.
    """
    conditions = {"if-none-match": stored.get("etag", ""), "if-modified-since": stored.get("last-modified", "")}
    return {name: value for name, value in conditions.items() if value and value.isascii() and value.isprintable()}
