"""Health checks: each has a process do a little of its work; that the process exists is not enough."""

from __future__ import annotations

import base64
import functools
import json
import math
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from datetime import UTC, datetime, timedelta

import psycopg
import redis
from celery import Celery

from apps.matches import redis_addresses
from spai import broker

Check = Callable[[], str]
"""Returns the result of a check in a few words, or raises `Unhealthy` with the reason."""

TIMEOUT = 5.0
"""Longest wait for one answer, in seconds."""
PING_SECONDS = 1.0
"""How long the answers to a ping of all workers count: as long as the checks of one round take."""
LONGEST_SILENCE_OF_BEAT = timedelta(minutes=5)
"""celery-beat stores the time of its latest task at least every three minutes."""


class Unhealthy(Exception):  # noqa: N818  "raise Unhealthy" reads well
    """A process failed its check; the message gives the reason."""


class ServerAwayError(Unhealthy):
    """A server that the process needs does not answer: a restart of the process would not help."""


def http(address: str, login: tuple[str, str] | None = None) -> Check:
    """Return the check that `address` answers 200, with a name and password where it requires a login."""
    request = urllib.request.Request(address)  # noqa: S310  our own addresses
    if login:
        request.add_header("Authorization", f"Basic {base64.b64encode(':'.join(login).encode()).decode()}")

    def check() -> str:
        # The proxies of the environment must not receive requests to this machine itself.
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=TIMEOUT) as answer:
                return f"answers {answer.status}"
        except urllib.error.HTTPError as error:
            raise Unhealthy(f"{address} answers {error.code}{reason_in(error.read())}") from error
        except OSError as error:
            raise Unhealthy(f"{address} does not answer: {getattr(error, 'reason', error)}") from error

    return check


def reason_in(body: bytes) -> str:
    """Return the reason in the answer of a readiness probe, empty when there is none."""
    try:
        answer = json.loads(body)
    except ValueError:
        return ""
    return f": {answer['reason']}" if isinstance(answer, dict) and "reason" in answer else ""


def postgres_listens(address: str) -> Check:
    """Return the check that PostgreSQL accepts connections, whether or not a login succeeds."""

    def check() -> str:
        if psycopg.pq.PGconn.ping(address.encode()) != psycopg.pq.Ping.OK:
            raise Unhealthy("PostgreSQL does not accept connections")
        return "accepts connections"

    return check


def postgres(address: str) -> Check:
    """Return the check that PostgreSQL evaluates a query."""

    def check() -> str:
        try:
            with psycopg.connect(address, connect_timeout=int(TIMEOUT)) as connection:
                connection.execute("SELECT 1")
        except psycopg.Error as error:
            raise Unhealthy(f"PostgreSQL does not answer: {first_line(error)}") from error
        return "evaluates queries"

    return check


def redis_server(address: str) -> Check:
    """Return the check that Redis answers a PING."""

    def check() -> str:
        try:
            times = {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
            with redis_addresses.client(address, **times) as client:
                client.ping()
        except (redis.RedisError, ValueError) as error:
            raise Unhealthy(f"Redis does not answer: {first_line(error)}") from error
        return "answers PING"

    return check


@functools.cache
def bare_celery(address: str) -> Celery:
    """Return a Celery app that is configured with only the broker."""
    app = Celery("health", set_as_current=False)
    app.conf.update(broker.celery_settings(address))
    if broker.is_redis(address):
        app.conf.broker_transport_options |= {"socket_timeout": TIMEOUT, "socket_connect_timeout": TIMEOUT}
    app.conf.broker_connection_retry = False
    return app


class WorkerPings:
    """Checks of Celery workers, which ping all of them at once through the broker."""

    def __init__(self, names: Sequence[str], broker: str) -> None:
        self.names = names
        self.broker = broker
        self._answered: frozenset[str] = frozenset()
        self._until = -math.inf

    def check_of(self, name: str) -> Check:
        """Return the check that the worker `name` answers a ping."""

        def check() -> str:
            if time.monotonic() > self._until:
                self._ping()
            if name not in self._answered:
                raise Unhealthy(f"no answer to a ping within {TIMEOUT:.0f} s")
            return "answers pings"

        return check

    def _ping(self) -> None:
        control = bare_celery(self.broker).control
        try:
            answers = control.ping(destination=self.names, timeout=TIMEOUT, limit=len(self.names)) or []
        except Exception as error:  # kombu raises the errors of each transport
            raise ServerAwayError(f"the broker does not answer: {first_line(error)}") from error
        self._answered = frozenset(name for answer in answers for name in answer)
        self._until = time.monotonic() + PING_SECONDS


def beat(address: str, started_at: Callable[[], datetime | None]) -> Check:
    """Return the check that celery-beat keeps sending tasks, by the times that it stores in its table.

    `started_at` returns the time at which this celery-beat was started, None when it does not run.
    """

    def check() -> str:
        try:
            with psycopg.connect(address, connect_timeout=int(TIMEOUT)) as connection:
                row = connection.execute(
                    "SELECT max(last_run_at) FROM django_celery_beat_periodictask WHERE enabled"
                ).fetchone()
        except psycopg.Error as error:
            raise ServerAwayError(f"its table cannot be read: {first_line(error)}") from error
        start = started_at()
        if start is None:
            raise Unhealthy("it does not run")
        latest = max(start, row[0] if row and row[0] else start)
        silence = datetime.now(UTC) - latest
        if silence > LONGEST_SILENCE_OF_BEAT:
            raise Unhealthy(f"it has sent no task for {silence.total_seconds() / 60:.0f} min")
        return f"sent tasks {silence.total_seconds():.0f} s ago" if latest > start else "started; nothing was due yet"

    return check


def first_line(error: Exception) -> str:
    """Return the first line of an error message."""
    return next(iter(str(error).strip().splitlines()), error.__class__.__name__)
