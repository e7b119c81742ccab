"""How SPAI behaves as a guest: who it says it is, what robots.txt lets it see, how long it waits, when it stays away.

Pure decisions: the clock and every random draw are passed in, and each state is made of plain columns, so that whoever
keeps it can keep it in a row. Nothing here evades a block; a refusal makes SPAI stay away longer.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
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
"""The product token, by which a robots.txt and a server's log know us."""

_PORTS: Final = {"http": 80, "https": 443}

ROBOTS_LIMIT: Final = 500 * 1024
"""Bytes of a robots.txt that are read (RFC 9309, section 2.5)."""
ROBOTS_KEEP: Final = timedelta(hours=24)
"""How long a copy serves (RFC 9309, section 2.4)."""
ROBOTS_KEEP_UNREACHABLE: Final = timedelta(minutes=1)
"""How long the refusal that stands for an unreachable robots.txt serves before it is asked for again; five such answers
in a row open the breaker."""
ALLOW_ALL: Final = ""
DISALLOW_ALL: Final = "User-agent: *\nDisallow: /\n"

LONGEST_DELAY: Final = timedelta(seconds=60)
"""The longest pause between two requests that a worker waits out; a host that asks for a longer one is not visited."""
LONGEST_GAP: Final = timedelta(days=1)
"""A longer Crawl-delay is read as this."""
LONGEST_RETRY_AFTER: Final = timedelta(days=7)
"""A longer Retry-After is read as this; the operator sees the lane closed all the while."""

FAILURE_LIMIT: Final = 5
"""Timeouts and errors in a row that open a breaker."""
FIRST_PAUSE: Final = timedelta(minutes=15)
LONGEST_PAUSE: Final = timedelta(hours=24)
PROBE_LIMIT: Final = timedelta(minutes=10)
"""A probe that has told nothing for so long was lost with its process; the next one may go."""


def user_agent(contact: str) -> str:
    """Return the name under which SPAI asks for pages: what it is, and where its operator can be reached.

    Parameters
    ----------
    contact : str
        An address of the operator: a web page, or an electronic mail address.

    Raises
    ------
    ValueError
        When the contact is empty or cannot stand in a header.
    """
    contact = contact.strip()
    if not re.fullmatch(r"[!-'*-\[\]-~]{3,200}", contact):
        raise ValueError(
            "the contact must be a web or mail address of 3 to 200 printable ASCII characters "
            f"without spaces, parentheses and backslashes, not {contact[:200]!r}"
        )
    return f"{AGENT} (+{contact})"


def host_of(url: str) -> str:
    """Return the host of an address as its lane is named: in lower case, with the port unless it is the usual one.

    Raises
    ------
    ValueError
        When it is no absolute http or https address, or one with a user name in it.
    """
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise ValueError(f"{url[:200]!r} is no address: {error}") from error
    if parts.scheme not in _PORTS or not parts.hostname or parts.username is not None:
        raise ValueError(f"{url[:200]!r} is no http address of a host alone")
    return parts.hostname if port in (None, _PORTS[parts.scheme]) else f"{parts.hostname}:{port}"


@lru_cache(maxsize=8)
def _rules(text: str) -> Protego:
    return Protego.parse(text)


@dataclass(frozen=True, slots=True)
class Robots:
    """What a site lets robots see.

    Parameters
    ----------
    text : str
        Its robots.txt, or the text that stands for it; all there is to keep.
    keep : timedelta
        How long it serves from when it was fetched.
    """

    text: str
    keep: timedelta = ROBOTS_KEEP

    @classmethod
    def parse(cls, content: str | bytes) -> Robots:
        """Read a robots.txt, which is UTF-8 and is cut after 500 KiB; lines that say nothing are passed over."""
        raw = content.encode("utf-8", "replace") if isinstance(content, str) else content
        if len(raw) > ROBOTS_LIMIT:
            # A rule that is cut in two would say something else.
            raw = raw[:ROBOTS_LIMIT].rpartition(b"\n")[0]
        return cls(raw.decode("utf-8", "replace").removeprefix("\ufeff"))

    @classmethod
    def of(cls, response: FetchResponse | None) -> Robots:
        """Return the rules that an answer to the request for robots.txt makes (RFC 9309, section 2.3.1).

        Parameters
        ----------
        response : FetchResponse or None
            None when nothing came. Then, and when the server failed, nothing may be fetched for now. A robots.txt that
            does not exist (4xx) forbids nothing. A 429 and a challenge page say nothing about what exists, so that
            they count as a server that failed.
        """
        if response is None or response.status == 429 or response.status >= 500 or challenge(response):
            return cls(DISALLOW_ALL, ROBOTS_KEEP_UNREACHABLE)
        if 200 <= response.status < 300:
            return cls.parse(response.body)
        if 400 <= response.status < 500:
            return cls(ALLOW_ALL)
        return cls(DISALLOW_ALL, ROBOTS_KEEP_UNREACHABLE)

    def allows(self, url: str, agent: str = AGENT) -> bool:
        """Return whether the robot of this product token may ask for the address."""
        try:
            return bool(_rules(self.text).can_fetch(url, agent))
        except ValueError:  # no address at all
            return False

    def crawl_delay(self, agent: str = AGENT) -> timedelta | None:
        """Return the pause between two requests that the site asks for, None when it asks for none."""
        seconds = _rules(self.text).crawl_delay(agent)
        return None if seconds is None else timedelta(seconds=min(float(seconds), LONGEST_GAP.total_seconds()))


def gap(delay: timedelta, jitter: float, draw: float, *, crawl_delay: timedelta | None = None) -> timedelta:
    """Return how long after the end of a request the next one may go to the same host: never less than the delay.

    Parameters
    ----------
    delay : timedelta
        The least pause, not negative.
    jitter : float
        How much longer the pause may be, as a share of the delay, not negative.
    draw : float
        A uniform draw from [0, 1).
    crawl_delay : timedelta or None
        What robots.txt asks for; a lower bound of the delay.
    """
    if delay < timedelta() or not 0 <= jitter < math.inf or not 0 <= draw <= 1:
        raise ValueError(f"gap: delay {delay}, jitter {jitter} or draw {draw} is out of range")
    least = max(delay, crawl_delay or timedelta())
    return least * (1 + jitter * draw)


def retry_after(value: str | None, now: datetime) -> timedelta | None:
    """Return how long a Retry-After header asks to stay away: seconds or an HTTP date (RFC 9110, section 10.2.3).

    Returns
    -------
    timedelta or None
        From nothing, for a moment that has passed, to a week; None for a header that says nothing.
    """
    value = (value or "").strip()
    if re.fullmatch(r"[0-9]+", value):
        # More digits are longer than the longest anyway, and Python refuses to read thousands of them.
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
    """Whether requests may go to a host."""

    CLOSED = "closed"
    """They may."""
    OPEN = "open"
    """They may not before a moment."""
    HALF_OPEN = "half_open"
    """One is on its way to find out; no other may go."""


@dataclass(frozen=True, slots=True)
class Breaker:
    """Keeps requests away from a host that refuses or fails.

    Ask `admit` before a request, and keep the state that it returns together with the claim to be the one request in
    flight; tell `after` what came, and keep that. An operator who closes a breaker by hand keeps a new `Breaker()`.

    Parameters
    ----------
    state : BreakerState
    failures : int
        Timeouts and errors in a row.
    trips : int
        How often it opened in a row, without a success between; the pause doubles with each.
    opened_at, open_until : datetime or None
        When it opened, and when one request may try again; of a half-open one, when that request counts as lost.
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
        """Return whether a request may go."""
        return self.open_until is None or now >= self.open_until

    def admit(self, now: datetime) -> Breaker | None:
        """Return the state while the request is on its way, None when it may not go.

        After a pause exactly one may go, as a probe; when nothing is heard of it within ten minutes, another one.
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
            What came of it. `BLOCKED` opens at once; the fifth `TIMEOUT` or `HTTP_ERROR` in a row does, and the first
            one of a probe. `FAILED` is our own fault and says nothing about the site. Every other one says that the
            site answers, and closes.
        now : datetime
            When it ended.
        wait : timedelta or None
            What Retry-After asked for; the pause is never shorter, whatever failed.
        reason : str
            What happened, for the operator.
        """
        # Of a request that began before the breaker opened: it cannot close it, nor count twice.
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
    """Return how long a breaker stays open after it opened so often in a row: 15 minutes, doubling to a day."""
    return min(FIRST_PAUSE * 2 ** min(trips - 1, 30), LONGEST_PAUSE) if trips else timedelta()


SMALL_PAGE: Final = 32 * 1024
"""Bytes: a block page is smaller than a page of matches, which may well quote one."""
FEW_WORDS: Final = 1500
"""Characters that a small page may show and still be nothing but a block page."""
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
    """Return whose challenge or block page came in place of the page, ``""`` when none did.

    Block pages often come with status 200. What decides is a header or the title, or the words of a page that is small
    and shows little else, so that a real page which mentions such words is not taken for one.

    Returns
    -------
    str
        ``"cloudflare"``, ``"incapsula"``, ``"captcha"`` for any other, or ``""``.
    """
    headers = response.headers
    is_cloudflare = headers.get("server", "").lower().startswith("cloudflare")
    if "challenge" in headers.get("cf-mitigated", "").lower() or (response.status == 403 and is_cloudflare):
        return "cloudflare"
    if "json" in headers.get("content-type", "").lower() or response.body.lstrip(_BLANK)[:1] != b"<":
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


def judge(response: FetchResponse) -> FetchOutcome | None:
    """Return what an answer means before anybody reads it, None when it may be read.

    A refusal (403, 429, 451) or a challenge is `BLOCKED`; 304 may be "read"; any other status but 2xx is `HTTP_ERROR`.
    """
    if response.status in (403, 429, 451) or challenge(response):
        return FetchOutcome.BLOCKED
    if 200 <= response.status < 300 or response.status == 304:
        return None
    return FetchOutcome.HTTP_ERROR


def conditional_headers(kept: Mapping[str, str]) -> dict[str, str]:
    """Return what asks for a page only if it is no longer the kept one (RFC 9110, section 13.1).

    Parameters
    ----------
    kept : mapping of str to str
        Headers of the kept page, names in lower case.
    """
    asked = {"if-none-match": kept.get("etag", ""), "if-modified-since": kept.get("last-modified", "")}
    return {name: value for name, value in asked.items() if value and value.isascii() and value.isprintable()}
