"""Access to the test database from another session than that of a test."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import TypeVar

import psycopg
from django.apps import apps
from django.db import connection, transaction

Result = TypeVar("Result")


def database_url() -> str:
    """Return the address of the test database, for another process."""
    at = connection.settings_dict
    return f"postgresql://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


@contextmanager
def locked_elsewhere(*numbers: int) -> Iterator[None]:
    """Hold an advisory lock in a session of its own, and release it before the block ends.

    Closing the session alone would release it only some time later.
    """
    marks = ", ".join(["%s"] * len(numbers))
    with psycopg.connect(database_url(), autocommit=True) as session:
        session.execute(f"SELECT pg_advisory_lock({marks})", numbers)
        yield
        session.execute(f"SELECT pg_advisory_unlock({marks})", numbers)


def wait_until_blocked() -> None:
    """Return once another session waits for a lock that somebody holds.

    Raises
    ------
    TimeoutError
        When none does within half a minute.
    """
    waiting = "SELECT FROM pg_stat_activity WHERE datname = current_database() AND wait_event_type = 'Lock'"
    end = time.monotonic() + 30
    with psycopg.connect(database_url(), autocommit=True) as session:
        while time.monotonic() < end:
            if session.execute(waiting).fetchone() is not None:
                return
            time.sleep(0.01)
    raise TimeoutError("no session waits for a lock")


def rows_of(app: str) -> dict[str, bytes]:
    """Return the content of the tables of an app, for `write_again`."""
    content = {}
    with connection.cursor() as cursor:
        for model in apps.get_app_config(app).get_models(include_auto_created=True):
            table = model._meta.db_table
            with cursor.copy(f"COPY {table} TO STDOUT") as copy:
                content[table] = b"".join(map(bytes, copy))
    return content


def write_again(content: dict[str, bytes]) -> None:
    """Write rows as they were, without triggers; sequences only advance: no later row gets a number of theirs."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("SET LOCAL session_replication_role = replica")
        for table, rows in content.items():
            with cursor.copy(f"COPY {table} FROM STDIN") as copy:
                copy.write(rows)
        cursor.execute("SET LOCAL session_replication_role = origin")


def at_once(count: int, work: Callable[[int], Result]) -> list[Result]:
    """Call a function with 0, 1, … at the same moment, each in a thread with its own session; return the results."""
    together = threading.Barrier(count)

    def call(number: int) -> Result:
        together.wait()
        try:
            return work(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(count) as threads:
        return list(threads.map(call, range(count)))
