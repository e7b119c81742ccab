"""Access to the test database from another session than that of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection


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
