"""One lane to each host: who goes when, what robots.txt permits, and whether the host is halted.

The lane is a row and the right of way an advisory lock, so that all processes and all sources together are one polite
visitor. What the row says is decided by `apps.scraping.politeness`.
"""

from __future__ import annotations

import logging
import random
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Final
from urllib.parse import urljoin

from django.utils import timezone

from apps.matches.locks import LockClass, try_lock_of
from apps.scraping import metrics, politeness
from apps.scraping.models import Lane
from apps.scraping.politeness import LONGEST_DELAY, host_of
from apps.scraping.responses import FetchError, NotAskedError, Outcome, Response

logger = logging.getLogger(__name__)

PATIENCE: Final = 90.0
"""Longest wait in seconds for another process that has the right of way."""

JITTER: Final = 0.5
"""Up to so much of the delay is added at random, so that visits keep no beat."""

NO_SUCH_PAGE: Final = (404, 410)
UNREACHABLE: Final = 0
"""What stands for the status of a robots.txt when nothing came, or a challenge in its place."""

LONGEST_WAIT: Final = 120.0
"""A longer wait comes of a clock that was set back: no delay is longer, chance included."""

Judge = Callable[[Response], Outcome | None]
Ask = Callable[[], Response]
AskRobots = Callable[[str], Response]


@dataclass(frozen=True, slots=True)
class Manners:
    """How one visitor behaves.

    Parameters
    ----------
    agent : str
        The honest name under which it asks; robots.txt is read for it.
    delay : timedelta
        Least time from the end of one request to the next.
    clock, sleep, draw : callable
        Time and chance, passed in.
    """

    agent: str
    delay: timedelta
    clock: Callable[[], datetime] = timezone.now
    sleep: Callable[[float], None] = time.sleep
    draw: Callable[[], float] = random.random


def go(url: str, ask: Ask, *, manners: Manners, ask_robots: AskRobots) -> Response:
    """Make one request when it is this host's turn, and write down what came of it.

    Parameters
    ----------
    url : str
        What is asked for.
    ask : callable
        Makes the request; raises FetchError when nothing usable comes.
    manners : Manners
    ask_robots : callable
        Makes the request for robots.txt, given its address.

    Returns
    -------
    Response
        One that `politeness.judge` finds no fault with.

    Raises
    ------
    FetchError
        When the host is halted, its robots.txt forbids the page or asks for too long a pause, or no answer came.
    """
    host = host_of(url)
    with try_lock_of(LockClass.HOST, _number(host), patience=PATIENCE) as is_ours:
        if not is_ours:
            raise FetchError(Outcome.TIMEOUT, f"another process has been visiting {host} for {PATIENCE:.0f} s")
        lane, _ = Lane.objects.get_or_create(host=host)
        _refuse_if_halted(lane, manners.clock())
        robots = _robots(lane, url, manners, ask_robots)
        _refuse_if_halted(lane, manners.clock())
        _refuse_if_forbidden(lane, robots, url)
        return _take_turn(lane, ask, _delay(robots, manners), manners)


def refuse_hop(url: str) -> None:
    """Refuse to follow a redirect to a page that its host's robots.txt, as it is kept, forbids."""
    lane = Lane.objects.filter(host=host_of(url)).first()
    if lane is not None and lane.robots_until is not None:
        _refuse_if_forbidden(lane, politeness.Robots(lane.robots), url)


def pause(url: str, manners: Manners) -> None:
    """Wait before a redirect is followed for as long as between any two requests to its host."""
    lane = Lane.objects.filter(host=host_of(url)).first()
    manners.sleep(_delay(politeness.Robots(lane.robots if lane else ""), manners).total_seconds())


def resume(*, lane: Lane) -> None:
    """Let a halted host be visited again at once, robots.txt first; the operator has looked."""
    _keep_breaker(lane, politeness.Breaker())
    lane.robots_until = None
    lane.save(update_fields=["robots_until"])


def _take_turn(lane: Lane, ask: Ask, delay: timedelta, manners: Manners, judge: Judge = politeness.judge) -> Response:
    """Wait for the moment, make the request, and keep what it says of the host."""
    admitted = _breaker(lane).admit(manners.clock())
    if admitted is None:
        _refuse_if_halted(lane, manners.clock())
    elif admitted != _breaker(lane):
        _keep_breaker(lane, admitted)
    wait = ((lane.free_at or manners.clock()) - manners.clock()).total_seconds()
    if wait > 0:
        manners.sleep(min(wait, LONGEST_WAIT))
    # Written before the request: a process that dies in it has used its turn.
    _book(lane, manners.clock() + delay)
    failure: FetchError | None = None
    try:
        response = ask()
        if fault := judge(response):
            failure = FetchError(fault, _said(response), response)
    except FetchError as error:
        failure = error
    now = manners.clock()
    lane.requests += 1
    _book(lane, now + politeness.gap(delay, JITTER, manners.draw()))
    came = failure.outcome if failure else Outcome.STORED
    answered = failure.response if failure else response
    if answered is not None and answered.status in NO_SUCH_PAGE:
        # The page is not there; the host is well.
        came = Outcome.STORED
    wished = politeness.retry_after(answered.headers.get("retry-after"), now) if answered else None
    _judge_host(lane, came, failure.reason if failure else "", now, wished)
    metrics.PAGES.labels(lane.host, came.value).inc()
    if failure:
        raise failure
    return response


def _delay(robots: politeness.Robots, manners: Manners) -> timedelta:
    """Return the least time from one request to the next: ours, or what the host asks for where it is longer."""
    return max(manners.delay, min(robots.crawl_delay() or timedelta(0), LONGEST_DELAY))


def _refuse_if_forbidden(lane: Lane, robots: politeness.Robots, url: str) -> None:
    wished = robots.crawl_delay() or timedelta(0)
    if wished > LONGEST_DELAY:
        raise FetchError(
            Outcome.BLOCKED,
            f"robots.txt of {lane.host} asks for {wished.total_seconds():.0f} s between two requests, more than the "
            f"{LONGEST_DELAY.total_seconds():.0f} s that SPAI waits, so that nothing is asked for",
        )
    if robots.allows(url):
        return
    if why := _why_unread(lane.robots_status):
        raise FetchError(
            Outcome.HTTP_ERROR, f"robots.txt of {lane.host} could not be read, so that nothing is asked for: {why}"
        )
    raise FetchError(Outcome.BLOCKED, f"robots.txt of {lane.host} does not permit {url}")


def _refuse_if_halted(lane: Lane, now: datetime) -> None:
    if not _breaker(lane).allows(now):
        until = f"{lane.open_until:%Y-%m-%d %H:%M} UTC" if lane.open_until else "an operator resumes it"
        raise FetchError(Outcome.BLOCKED, f"{lane.host} is halted until {until}: {lane.reason}")


def _judge_host(lane: Lane, came: Outcome, reason: str, now: datetime, wished: timedelta | None) -> None:
    before = _breaker(lane)
    after = before.after(came, now, wait=wished, reason=reason)
    if after != before:
        _keep_breaker(lane, after)
    if after.trips > before.trips:
        logger.error("%s is halted until %s: %s", lane.host, after.open_until, reason)


def _breaker(lane: Lane) -> politeness.Breaker:
    return politeness.Breaker(
        state=politeness.BreakerState(lane.state),
        failures=lane.failures,
        trips=lane.trips,
        opened_at=lane.opened_at,
        open_until=lane.open_until,
        reason=lane.reason,
    )


def _keep_breaker(lane: Lane, breaker: politeness.Breaker) -> None:
    lane.state, lane.failures, lane.trips = breaker.state, breaker.failures, breaker.trips
    lane.opened_at, lane.open_until, lane.reason = breaker.opened_at, breaker.open_until, breaker.reason
    lane.save(update_fields=["state", "failures", "trips", "opened_at", "open_until", "reason"])


def _book(lane: Lane, free_at: datetime) -> None:
    lane.free_at = free_at
    lane.save(update_fields=["free_at", "requests"])


def _robots(lane: Lane, url: str, manners: Manners, ask_robots: AskRobots) -> politeness.Robots:
    """Return the host's rules, asked for anew when the kept ones are old; the request takes a turn of its own."""
    if lane.robots_until is not None and manners.clock() < lane.robots_until:
        return politeness.Robots(lane.robots)
    answer: Response | None
    try:
        rules = urljoin(url, "/robots.txt")
        answer = _take_turn(lane, lambda: ask_robots(rules), manners.delay, manners, _judge_rules)
    except NotAskedError:
        # It says nothing of the host.
        raise
    except FetchError as error:
        answer = error.response
    robots = politeness.Robots.of(answer)
    status = UNREACHABLE if answer is None or politeness.challenge(answer) else answer.status
    is_read = not _why_unread(status)
    if not is_read and lane.robots_status is not None and not _why_unread(lane.robots_status):
        # Rules that were read once hold on (RFC 9309, section 2.3.1.4); they are asked for again soon.
        robots = politeness.Robots(lane.robots)
    else:
        lane.robots, lane.robots_status = robots.text, status
    lane.robots_until = manners.clock() + (politeness.ROBOTS_KEEP if is_read else politeness.ROBOTS_KEEP_UNREACHABLE)
    lane.save(update_fields=["robots", "robots_status", "robots_until"])
    # What they say of the pause counts from now.
    _book(lane, max(lane.free_at or manners.clock(), manners.clock() + _delay(robots, manners)))
    return robots


def _why_unread(status: int | None) -> str:
    """Return why an answer of this status to the request for robots.txt tells no rules, empty when it tells some."""
    if not status:
        return "it did not come"
    if HTTPStatus.MULTIPLE_CHOICES <= status < HTTPStatus.BAD_REQUEST:
        return f"it leads to another host, or on without an end (status {status})"
    if status == HTTPStatus.TOO_MANY_REQUESTS or status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return f"status {status}"
    return ""


def _judge_rules(response: Response) -> Outcome | None:
    """Return what an answer to the request for robots.txt means; that there is none is no fault."""
    return None if response.status in NO_SUCH_PAGE else politeness.judge(response)


def _said(response: Response) -> str:
    challenge = politeness.challenge(response)
    if challenge:
        return f"{host_of(response.url)} shows a challenge page ({challenge}, status {response.status})"
    return f"{host_of(response.url)} answered {response.status} for {response.url}"


def _number(host: str) -> int:
    """Return the number of a host's lock, signed 32 bits."""
    return zlib.crc32(host.encode()) - 2**31
