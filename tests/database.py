"""The test database from outside the session of a test."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from django.db import connection


def database_url() -> str:
    """The address of the test database, for another process."""
    at = connection.settings_dict
    return f"postgresql://{at['USER']}:{at['PASSWORD']}@{at['HOST']}:{at['PORT']}/{at['NAME']}"


@contextmanager
def locked_elsewhere(*numbers: int) -> Iterator[None]:
    """Hold an advisory lock in a session of its own, and give it back before the block ends.

    A session that only ends lets go of its locks some time later, whenever its server process gets to it.
    """
    marks = ", ".join(["%s"] * len(numbers))
    with psycopg.connect(database_url(), autocommit=True) as session:
        session.execute(f"SELECT pg_advisory_lock({marks})", numbers)
        yield
        session.execute(f"SELECT pg_advisory_unlock({marks})", numbers)
