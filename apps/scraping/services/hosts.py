"""Politeness per host: when the next request may be sent, what robots.txt permits, whether the host is halted.

The state is a row (`HostState`) and the right to send a request an advisory lock, so that all processes and all sources
together keep one pace. The rules themselves are in `apps.scraping.politeness`.
"""

from __future__ import annotations

import logging
import random
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin

from django.db import transaction
from django.utils import timezone

from apps.matches.locks import LockClass, try_lock_of
from apps.matches.services import record_action
from apps.scraping import metrics, politeness
from apps.scraping.models import HostState
from apps.scraping.politeness import LONGEST_DELAY, host_of
from apps.scraping.responses import NO_SUCH_PAGE, FetchError, FetchOutcome, FetchResponse, NotSentError

logger = logging.getLogger(__name__)

TIMEOUT: Final = 90.0
"""Longest wait in seconds for another process that holds the lock of the host."""

JITTER: Final = 0.5
"""The delay is lengthened by a random share of up to this, so that requests are not evenly spaced."""

BREAKER_FIELDS: Final = tuple(field.name for field in fields(politeness.Breaker))
"""Fields of a breaker, which are columns of `HostState` too."""

UNREACHABLE: Final = 0
"""Stored as the status of a robots.txt when no response came, or a challenge page."""

LONGEST_WAIT: Final = 120.0
"""No delay, jitter included, is longer: a longer wait can only come from a clock that was set back."""

Judge = Callable[[FetchResponse], FetchOutcome | None]
Send = Callable[[], FetchResponse]
FetchRobots = Callable[[str], FetchResponse]


@dataclass(frozen=True, slots=True)
class FetchPolicy:
    """Under which user agent requests are sent, and the shortest time from the end of one to the next.

    Tests replace clock, sleep and draw.
    """

    agent: str
    delay: timedelta
    clock: Callable[[], datetime] = timezone.now
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[], float] = random.random


def fetch_politely(url: str, send: Send, *, policy: FetchPolicy, fetch_robots: FetchRobots) -> FetchResponse:
    """Send one request as soon as its host may get one, and record what the response says about the host.

    Parameters
    ----------
    url : str
    send : callable
        Sends the request; raises FetchError when no usable response comes.
    policy : FetchPolicy
    fetch_robots : callable
        Fetches robots.txt, given its address.

    Returns
    -------
    FetchResponse
        One that `politeness.judge` accepts.

    Raises
    ------
    FetchError
        When the host is halted, its robots.txt forbids the page or demands too long a delay, or no response came.
    """
    host = host_of(url)
    with try_lock_of(LockClass.HOST, _lock_number(host), timeout=TIMEOUT) as is_ours:
        if not is_ours:
            raise FetchError(FetchOutcome.TIMEOUT, f"another process has held {host} for {TIMEOUT:.0f} s")
        state, _ = HostState.objects.get_or_create(host=host)
        _refuse_if_halted(state, policy.clock())
        robots = _robots(state, url, policy, fetch_robots)
        _refuse_if_halted(state, policy.clock())
        _refuse_if_forbidden(state, robots, url)
        return _wait_and_send(state, send, _delay(robots, policy), policy)


def refuse_hop(url: str) -> None:
    """Raise FetchError for a redirect to a page that the stored robots.txt of its host forbids."""
    state = HostState.objects.filter(host=host_of(url)).first()
    if state is not None and state.robots_until is not None:
        _refuse_if_forbidden(state, politeness.Robots(state.robots), url)


def pause(url: str, policy: FetchPolicy) -> None:
    """Wait before a redirect is followed, for as long as between any two requests to its host."""
    state = HostState.objects.filter(host=host_of(url)).first()
    policy.sleep(_delay(politeness.Robots(state.robots if state else ""), policy).total_seconds())


@transaction.atomic
def resume(*, state: HostState, by: str, now: datetime) -> None:
    """Close the breaker of a halted host; the next request fetches robots.txt first."""
    before = f"{state.get_state_display()}: {state.reason}"
    record_action(by=by, action="resumed a host", about=state, before=before, after="open for requests", now=now)
    _save_breaker(state, politeness.Breaker())
    state.robots_until = None
    state.save(update_fields=["robots_until"])


def note_block(url: str, *, reason: str, now: datetime) -> None:
    """Halt the host of a page that turned out to be a block page only when it was read."""
    state, _ = HostState.objects.get_or_create(host=host_of(url))
    _update_breaker(state, FetchOutcome.BLOCKED, reason, now, None)


def _wait_and_send(
    state: HostState, send: Send, delay: timedelta, policy: FetchPolicy, judge: Judge = politeness.judge
) -> FetchResponse:
    admitted = _breaker(state).admit(policy.clock())
    if admitted is None:
        _refuse_if_halted(state, policy.clock())
    elif admitted != _breaker(state):
        _save_breaker(state, admitted)
    wait = ((state.free_at or policy.clock()) - policy.clock()).total_seconds()
    if wait > 0:
        policy.sleep(min(wait, LONGEST_WAIT))
    # Saved before the request is sent: if this process dies now, its successor still keeps the delay.
    _set_free_at(state, policy.clock() + delay)
    failure: FetchError | None = None
    try:
        response = send()
        if outcome := judge(response):
            failure = FetchError(outcome, _describe(response), response)
    except FetchError as error:
        failure = error
    now = policy.clock()
    state.requests += 1
    _set_free_at(state, now + politeness.gap(delay, JITTER, policy.draw()))
    outcome = failure.outcome if failure else FetchOutcome.STORED
    received = failure.response if failure else response
    if received is not None and received.status in NO_SUCH_PAGE:
        # The page is missing; the host is well.
        outcome = FetchOutcome.STORED
    retry_after = politeness.retry_after(received.headers.get("retry-after"), now) if received else None
    _update_breaker(state, outcome, failure.reason if failure else "", now, retry_after)
    metrics.PAGES.labels(state.host, outcome.value).inc()
    if failure:
        raise failure
    return response


def _delay(robots: politeness.Robots, policy: FetchPolicy) -> timedelta:
    """Return the shortest time between two requests: ours, or the host's Crawl-delay where that is longer."""
    return max(policy.delay, min(robots.crawl_delay() or timedelta(0), LONGEST_DELAY))


def _refuse_if_forbidden(state: HostState, robots: politeness.Robots, url: str) -> None:
    crawl_delay = robots.crawl_delay() or timedelta(0)
    if crawl_delay > LONGEST_DELAY:
        raise FetchError(
            FetchOutcome.BLOCKED,
            f"robots.txt of {state.host} demands {crawl_delay.total_seconds():.0f} s between two requests, more than "
            f"the {LONGEST_DELAY.total_seconds():.0f} s that SPAI waits, so that no request is sent",
        )
    if robots.allows(url):
        return
    if why := _why_unread(state.robots_status):
        raise FetchError(
            FetchOutcome.HTTP_ERROR, f"robots.txt of {state.host} could not be read, so that no request is sent: {why}"
        )
    raise FetchError(FetchOutcome.BLOCKED, f"robots.txt of {state.host} does not permit {url}")


def _refuse_if_halted(state: HostState, now: datetime) -> None:
    if not _breaker(state).allows(now):
        until = f"{state.open_until:%Y-%m-%d %H:%M} UTC" if state.open_until else "an operator resumes it"
        raise FetchError(FetchOutcome.BLOCKED, f"{state.host} is halted until {until}: {state.reason}")


def _update_breaker(
    state: HostState, outcome: FetchOutcome, reason: str, now: datetime, retry_after: timedelta | None
) -> None:
    before = _breaker(state)
    after = before.after(outcome, now, wait=retry_after, reason=reason)
    if after != before:
        _save_breaker(state, after)
    if after.trips > before.trips:
        logger.error("%s is halted until %s: %s", state.host, after.open_until, reason)


def _breaker(state: HostState) -> politeness.Breaker:
    return politeness.Breaker(*(getattr(state, name) for name in BREAKER_FIELDS))


def _save_breaker(state: HostState, breaker: politeness.Breaker) -> None:
    for name in BREAKER_FIELDS:
        setattr(state, name, getattr(breaker, name))
    state.save(update_fields=BREAKER_FIELDS)


def _set_free_at(state: HostState, free_at: datetime) -> None:
    state.free_at = free_at
    state.save(update_fields=["free_at", "requests"])


def _robots(state: HostState, url: str, policy: FetchPolicy, fetch_robots: FetchRobots) -> politeness.Robots:
    """Return the rules of a host, fetched again when the stored ones have expired; that request is delayed too."""
    if state.robots_until is not None and policy.clock() < state.robots_until:
        return politeness.Robots(state.robots)
    response: FetchResponse | None
    try:
        robots_url = urljoin(url, "/robots.txt")
        response = _wait_and_send(state, lambda: fetch_robots(robots_url), policy.delay, policy, _judge_robots)
    except NotSentError:
        # Our own decision, which does not depend on the host.
        raise
    except FetchError as error:
        response = error.response
    robots = politeness.Robots.of(response)
    status = UNREACHABLE if response is None or politeness.challenge(response) else response.status
    is_read = not _why_unread(status)
    if not is_read and state.robots_status is not None and not _why_unread(state.robots_status):
        # Rules that were read once stay valid (RFC 9309, section 2.3.1.4); they are fetched again soon.
        robots = politeness.Robots(state.robots)
    else:
        state.robots, state.robots_status = robots.text, status
    state.robots_until = policy.clock() + (politeness.ROBOTS_KEEP if is_read else politeness.ROBOTS_KEEP_UNREACHABLE)
    state.save(update_fields=["robots", "robots_status", "robots_until"])
    # A Crawl-delay applies from now on.
    _set_free_at(state, max(state.free_at or policy.clock(), policy.clock() + _delay(robots, policy)))
    return robots


def _why_unread(status: int | None) -> str:
    """Return why a response of this status to a request for robots.txt gives no rules, empty when it does."""
    if not status:
        return "there was no response"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"it redirects to another host, or without an end (status {status})"
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"status {status}"
    return ""


def _judge_robots(response: FetchResponse) -> FetchOutcome | None:
    """Return what a response to a request for robots.txt means; a missing file is no failure."""
    return None if response.status in NO_SUCH_PAGE else politeness.judge(response)


def _describe(response: FetchResponse) -> str:
    challenge = politeness.challenge(response)
    if challenge:
        return f"{host_of(response.url)} shows a challenge page ({challenge}, status {response.status})"
    return f"{host_of(response.url)} answered {response.status} for {response.url}"


def _lock_number(host: str) -> int:
    """Return the number of a host's lock, signed 32 bits."""
    return zlib.crc32(host.encode()) - 2**31
