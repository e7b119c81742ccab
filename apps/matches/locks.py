"""Advisory locks of PostgreSQL: where two at once would do harm, one holds the lock and the other does not wait.

All numbers are listed here, so that no two uses share one.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from enum import IntEnum, unique
from typing import Final

from django.db import OperationalError, connection
from django.db.backends.base.base import BaseDatabaseWrapper
from psycopg.errors import LockNotAvailable

POLL: Final = 0.05
"""Seconds between two tries of a lock."""
LONGEST_PAUSE: Final = 15
"""Seconds without a query after which PostgreSQL ends a session that holds a lock of `try_take_while_active`."""

TIMEOUTS: Final = ("idle_session_timeout", "idle_in_transaction_session_timeout")
"""Settings of PostgreSQL that end a session without a query."""
RUN_PAUSE: Final = 300
"""Seconds without a query after which the executor of a pipeline run loses `Lock.RUN`; it makes one each second while
a stage runs, and none while it compares versions."""


class StillBusyError(Exception):
    """A lock stayed taken for longer than the caller waits."""


@unique
class Lock(IntEnum):
    """What only one may do at a time."""

    RELAY = 0x5350_4149_0001
    INGEST = 0x5350_4149_0002
    PROMOTION = 0x5350_4149_0003
    RUN = 0x5350_4149_0004
    RUN_REQUEST = 0x5350_4149_0014
    PREDICT = 0x5350_4149_0005
    SETTLE = 0x5350_4149_0006
    SEASONS = 0x5350_4149_0007
    LEDGER = 0x5350_4149_0010
    SHADOW = 0x5350_4149_0011
    RETRAINING = 0x5350_4149_0012
    ALERTS = 0x5350_4149_0020
    RETENTION = 0x5350_4149_0021
    DRIFT = 0x5350_4149_0022
    RECORD = 0x5350_4149_0023
    RATINGS = 0x5350_4149_0024
    BEAT = 0x5350_4149_0030
    TIMETABLE = 0x5350_4149_0031


@unique
class LockClass(IntEnum):
    """What only one may do at a time with one thing of many: the first of a lock's two halves, the thing the second."""

    SOURCE = 0x5350_4149
    HOST = 0x5350_414A
    API_KEY = 0x5350_414B
    LOGIN = 0x5350_414C
    JOB = 0x5350_414D


def try_take(lock: Lock) -> bool:
    """Take a lock for this database session; False while another session holds it."""
    return _take(lock, connection)


def try_take_while_active(lock: Lock, session: BaseDatabaseWrapper, *, pause: float | None = None) -> bool:
    """Take a lock for a session that makes a query every few seconds; False while another session holds it.

    After `pause` seconds (default: `LONGEST_PAUSE`) without one PostgreSQL ends the session, also within a transaction:
    its process is frozen or cut off, and another one gets the lock.
    """
    longest = LONGEST_PAUSE if pause is None else pause
    with session.cursor() as cursor:
        for timeout in TIMEOUTS:
            cursor.execute("SELECT set_config(%s, %s, false)", [timeout, f"{longest * 1000:.0f}ms"])
    return _take(lock, session)


def _take(lock: Lock, session: BaseDatabaseWrapper) -> bool:
    with session.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [lock])
        return bool(cursor.fetchone()[0])


def is_taken(lock: Lock) -> bool:
    """Whether any session of this database holds a lock."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND objsubid = 1"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())"
            " AND classid = %s AND objid = %s)",
            [lock >> 32, lock & 0xFFFF_FFFF],
        )
        return bool(cursor.fetchone()[0])


@contextmanager
def try_lock(lock: Lock, *, pause: float | None = None) -> Iterator[bool]:
    """Hold a lock of this database session, which goes with it when the process dies; yield False when it is taken.

    With `pause` it also goes after so many seconds without a query, see `try_take_while_active`.
    """
    taken = try_take(lock) if pause is None else try_take_while_active(lock, connection, pause=pause)
    try:
        yield taken
    finally:
        if (taken or pause is not None) and connection.is_usable():
            with connection.cursor() as cursor:
                if pause is not None:
                    for timeout in TIMEOUTS:
                        cursor.execute(f"RESET {timeout}")
                if taken:
                    cursor.execute("SELECT pg_advisory_unlock(%s)", [lock])


@contextmanager
def try_lock_of(kind: LockClass, thing: int, *, timeout: float = 0.0) -> Iterator[bool]:
    """Hold the lock of one thing for this database session; yield False when it stays taken for `timeout` seconds.

    `thing` is a number of 32 bits.
    """
    end = time.monotonic() + timeout
    halves = [int(kind), thing]
    with connection.cursor() as cursor:
        while True:
            cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", halves)
            taken = bool(cursor.fetchone()[0])
            if taken or time.monotonic() >= end:
                break
            time.sleep(POLL)
    try:
        yield taken
    finally:
        if taken and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", halves)


def wait_for(lock: Lock, *, timeout: timedelta | None = None) -> None:
    """Wait for a lock and hold it until the current transaction ends.

    Parameters
    ----------
    lock : Lock
    timeout : timedelta, optional
        Longest wait; without it there is no bound.

    Raises
    ------
    StillBusyError
        When the lock stays taken. The transaction can only be rolled back then.
    """
    with connection.cursor() as cursor:
        if timeout is not None:
            milliseconds = timeout // timedelta(milliseconds=1)
            cursor.execute("SELECT set_config('lock_timeout', %s, true)", [f"{milliseconds}ms"])
        try:
            cursor.execute("SELECT pg_advisory_xact_lock(%s)", [lock])
        except OperationalError as error:
            if timeout is None or not isinstance(error.__cause__, LockNotAvailable):
                raise
            raise StillBusyError(lock.name) from error
        if timeout is not None:
            cursor.execute("SET LOCAL lock_timeout TO DEFAULT")
