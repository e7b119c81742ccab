"""Reads from a streaming replica: pages and requests for reading take matches and forecasts from it, where one is set.

A read never returns a state older than the latest event that the process has received: the replica is read again once
it has reached the position of the primary's log at that moment. Without an event it must have all that was
committed `SPAI_REPLICA_LAG_SECONDS` ago. Else, and when it does not answer, reads go to the primary.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, Final

from django.conf import settings
from django.db import DEFAULT_DB_ALIAS, DatabaseError, InterfaceError, connections
from django.db.models import Model
from django.http import HttpRequest
from django.http.response import HttpResponseBase

logger = logging.getLogger(__name__)

REPLICA: Final = "replica"
APPS: Final = frozenset({"matches", "ml"})
"""Apps whose rows are read from the replica; logins, keys, jobs and webhooks must see what their user has just done."""
SAMPLE_SECONDS: Final = 1.0
"""Time between two reads of the position of the primary."""
PAUSE_SECONDS: Final = 5.0
"""Time for which a replica that failed, or a primary, gets no new attempt."""

# The position of inserts includes commits that are not on disk yet, as with `synchronous_commit` off.
_POSITION: Final = """
    SELECT CASE WHEN pg_is_in_recovery() THEN pg_last_wal_replay_lsn() ELSE pg_current_wal_insert_lsn() END - '0/0'"""

_alias: ContextVar[str] = ContextVar("spai_read_alias", default=DEFAULT_DB_ALIAS)


class ReplicaRouter:
    """Sends reads of `APPS` to the replica inside `from_replica`, until something is written there."""

    def db_for_read(self, model: type[Model], **hints: Any) -> str:
        """Return the database from which rows of a model are read."""
        return _alias.get() if model._meta.app_label in APPS else DEFAULT_DB_ALIAS

    def db_for_write(self, model: type[Model], **hints: Any) -> str:
        """Return the primary; what follows reads from it too, so that it sees what was written."""
        _alias.set(DEFAULT_DB_ALIAS)
        return DEFAULT_DB_ALIAS

    def allow_relation(self, one: Model, other: Model, **hints: Any) -> bool:
        """Both are the same database."""
        return True

    def allow_migrate(self, db: str, app_label: str, **hints: Any) -> bool:
        """Whether migrations apply to a database: the replica gets them from the primary."""
        return db != REPLICA


def reading() -> Any:
    """Return the connection for SQL that reads rows of `APPS`."""
    return connections[_alias.get()]


@contextmanager
def from_primary() -> Iterator[None]:
    """Let what is inside read from the primary."""
    token = _alias.set(DEFAULT_DB_ALIAS)
    try:
        yield
    finally:
        _alias.reset(token)


@contextmanager
def from_replica() -> Iterator[None]:
    """Let what is inside read from the replica, where there is one that is fresh enough."""
    is_set = REPLICA in connections.settings
    token = _alias.set(REPLICA if is_set and _freshness.is_fresh() else DEFAULT_DB_ALIAS)
    try:
        yield
    finally:
        _alias.reset(token)


def must_follow() -> None:
    """Let the replica be read again only when it has everything that is committed now."""
    if REPLICA in connections.settings:
        _freshness.must_follow()


class ReplicaMiddleware:
    """Lets requests that only read be answered from the replica."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponseBase]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponseBase:
        """Answer a request."""
        if request.method not in ("GET", "HEAD"):
            return self.get_response(request)
        with from_replica():
            return self.get_response(request)


class _Freshness:
    """Decides whether the replica may be read; positions are bytes of the primary's log."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._samples: deque[tuple[float, int]] = deque()
        """Positions of the primary by time, the oldest of the age that data may have."""
        self._sampling = threading.Lock()
        self._told = 0
        """Position of the primary when this process was last notified of a change."""
        self._has_primary = True
        self._sample_at = 0.0
        self._paused_until = 0.0
        # One address may lead to several replicas: what a connection has reached holds for itself.
        self._reached = threading.local()

    def is_fresh(self) -> bool:
        """Whether the replica of this thread's connection has all that it must have."""
        now = self._clock()
        self._sample(now)
        if now < self._paused_until and self._has_primary:
            return False
        # Without the primary the replica is read as it is.
        wanted = max(self._told, self._samples[0][1] if self._samples else 0) if self._has_primary else 0
        replica = connections[REPLICA]
        # When one of several replicas is gone, the second try leads to another.
        for is_last in (False, True):
            try:
                replica.ensure_connection()
                session, position = getattr(self._reached, "value", (None, 0))
                if session is not replica.connection or position < wanted:
                    position = _position(REPLICA)
                    self._reached.value = (replica.connection, position)
                return position >= wanted and bool(self._samples or not self._has_primary)
            except (DatabaseError, InterfaceError) as error:
                replica.close()
                if is_last:
                    logger.warning("the replica does not answer, reads go to the primary: %s", str(error).strip())
                    self._paused_until = now + PAUSE_SECONDS
        return False

    def must_follow(self) -> None:
        """Note the position that the primary has now."""
        try:
            self._told = max(self._told, _position(DEFAULT_DB_ALIAS))
            self._has_primary = True
        except (DatabaseError, InterfaceError):
            connections[DEFAULT_DB_ALIAS].close()
            # The required position is read when the primary is back.
            self._samples.clear()
            self._has_primary, self._sample_at = False, self._clock() + PAUSE_SECONDS

    def _sample(self, now: float) -> None:
        """Look at the position of the primary."""
        if now < self._sample_at or not self._sampling.acquire(blocking=False):
            return
        try:
            position = _position(DEFAULT_DB_ALIAS)
            self._has_primary, self._sample_at = True, now + SAMPLE_SECONDS
            # Nobody looked for a while: what the replica must have is not known, so it must have all.
            if self._samples and now - self._samples[-1][0] > settings.SPAI_REPLICA_LAG_SECONDS:
                self._samples.clear()
            self._samples.append((now, position))
            while len(self._samples) > 1 and now - self._samples[1][0] >= settings.SPAI_REPLICA_LAG_SECONDS:
                self._samples.popleft()
        except (DatabaseError, InterfaceError) as error:
            logger.warning("the primary does not answer; reads go to the replica: %s", str(error).strip())
            connections[DEFAULT_DB_ALIAS].close()
            self._has_primary, self._sample_at = False, self._clock() + PAUSE_SECONDS
        finally:
            self._sampling.release()


def _position(alias: str) -> int:
    with connections[alias].cursor() as cursor:
        cursor.execute(_POSITION)
        return int(cursor.fetchone()[0])


_freshness = _Freshness()
