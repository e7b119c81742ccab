"""Follow the events of PostgreSQL, so that a cached response is removed before any client is notified of the change.

A transaction that publishes an event sends the notification `spai_event` when it commits. The listener then reads which
matches the new events are about. It is current only while its connection has answered within `LEASE_SECONDS` and no
notification waits in its socket; otherwise every request is answered from the database.
"""

from __future__ import annotations

import logging
import select
import time
from collections.abc import Callable
from typing import Any, Final

import psycopg
from django.db import connection

logger = logging.getLogger(__name__)

HEARTBEAT_SECONDS: Final = 1.0
"""Longest time between two queries of the listener."""

LEASE_SECONDS: Final = 3.0
"""Age of the latest answer from which the listener is not current."""

RETRY_SECONDS: Final = 1.0
"""Pause before a lost connection is opened again."""

KEEPALIVES: Final = {"connect_timeout": 5, "keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
"""Settings of the connection, with which a server that vanished is noticed within seconds."""

LIMIT: Final = 1000
"""Events that are passed on one by one; when there are more, everything has changed."""

OF_MATCHES: Final = ("match.", "prediction.")
"""Beginnings of the topics whose key is the id of a match."""

OF_EVERYTHING: Final = ("promotion.", "comparison.")
"""Beginnings of the topics of changes that any answer may depend on."""

# Numbers come after the commit and in its order, ids do not: a lower id may commit later.
_EVENTS: Final = f"""
    SELECT id, topic, key, number FROM matches_event WHERE number IS NULL
    UNION ALL SELECT id, topic, key, number FROM matches_event WHERE number > %s
    LIMIT {LIMIT}"""

Changed = Callable[[set[str] | None], None]


class ChangeListener:
    """Tells `changed` the ids of matches that changed, or None when anything may have."""

    def __init__(self, changed: Changed) -> None:
        self._changed = changed
        self._answered_at = -LEASE_SECONDS
        """When the latest query was answered, monotonic clock; before that, while a notification is worked on."""
        self._socket = select.poll()  # only for `is_current`: a poll object serves one thread
        self._notified = False
        self._number = 0
        """Number of the latest event that was read with one; the relay numbers events after their commit."""
        self._told: set[int] = set()
        """Ids of the events of the latest query: one without a number is read again until it has one."""

    def is_current(self) -> bool:
        """Whether all changes that any client may have been notified of have been passed on."""
        # In this order: `follow` takes a notification out of the socket only after it has withdrawn `_answered_at`.
        return not self._socket.poll(0) and time.monotonic() - self._answered_at < LEASE_SECONDS

    def run(self) -> None:
        """Follow the events for as long as the process runs."""
        while True:
            try:
                settings = connection.get_connection_params() | KEEPALIVES
                with psycopg.connect(**settings, autocommit=True) as session:
                    self.follow(session)
            except (psycopg.Error, OSError, ValueError) as error:
                logger.warning("changes cannot be followed: %s; all requests are answered from the database", error)
            except Exception:
                logger.exception("changes cannot be followed; all requests are answered from the database")
            time.sleep(RETRY_SECONDS)

    def follow(self, session: psycopg.Connection[Any], *, rounds: int | None = None) -> None:
        """Follow the events over a session in autocommit, for some rounds of at most `HEARTBEAT_SECONDS`, or for ever.

        What happened before is not followed, so that everything may have changed.
        """
        session.add_notify_handler(self._notice)
        session.execute("LISTEN spai_event")
        (self._number,) = session.execute("SELECT coalesce(max(number), 0) FROM matches_event").fetchone() or (0,)
        self._changed(None)
        waiting = select.poll()
        for poll in (waiting, self._socket):
            poll.register(session.fileno(), select.POLLIN)
        try:
            self._read(session)
            while rounds is None or rounds > 0:
                if waiting.poll(HEARTBEAT_SECONDS * 1000):
                    self._answered_at = -LEASE_SECONDS
                self._read(session)
                rounds = None if rounds is None else rounds - 1
        finally:
            self._answered_at = -LEASE_SECONDS
            self._socket = select.poll()

    def _notice(self, notification: psycopg.Notify) -> None:
        self._notified = True

    def _read(self, session: psycopg.Connection[Any]) -> None:
        while True:
            self._notified = False
            requested_at = time.monotonic()
            events = session.execute(_EVENTS, [self._number]).fetchall()
            new = [(topic, key) for event_id, topic, key, _ in events if event_id not in self._told]
            if len(events) == LIMIT or any(topic.startswith(OF_EVERYTHING) for topic, _ in new):
                self._changed(None)
            elif about := {key for topic, key in new if topic.startswith(OF_MATCHES)}:
                self._changed(about)
            self._told = {event_id for event_id, *_ in events}
            self._number = max([self._number, *(number for *_, number in events if number is not None)])
            # A notification that came with the answer is of a commit that the query may not have seen.
            if not self._notified:
                break
        self._answered_at = requested_at
