"""Work that reads the database is repeated once the database is back."""

from __future__ import annotations

import psycopg
import pytest
from django.db import OperationalError, connection
from django.db import connections as all_connections
from django.db.utils import ProgrammingError

from apps.matches import connections


def end_session() -> None:
    """End the session of this thread, as a restart of PostgreSQL does, from another one."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        (pid,) = cursor.fetchone()
    other = all_connections["default"].copy()
    try:
        with other.cursor() as cursor:
            cursor.execute("SELECT pg_terminate_backend(%s, 5000)", [pid])
    finally:
        other.close()


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("by", ["a query", "a copy"])
def test_work_is_repeated_when_the_connection_was_lost_and_that_is_said(by):
    said: list[str] = []
    tries: list[int] = []

    def work() -> int:
        tries.append(1)
        if len(tries) == 1:
            end_session()
        with connection.cursor() as cursor:
            if by == "a copy":
                with cursor.copy("COPY (SELECT 42) TO STDOUT") as copy:
                    return int(b"".join(bytes(block) for block in copy))
            cursor.execute("SELECT 42")
            return int(cursor.fetchone()[0])

    assert connections.repeat_when_lost(work, report=said.append, timeout=30) == 42
    assert len(tries) == 2
    (line,) = said
    assert line.startswith("The connection to the database was lost (")


@pytest.mark.django_db(transaction=True)
def test_what_has_another_cause_is_raised_at_once():
    def work() -> None:
        with connection.cursor() as cursor:
            cursor.execute("SELECT nothing FROM nowhere")

    with pytest.raises(ProgrammingError):
        connections.repeat_when_lost(work, report=pytest.fail, timeout=30)


@pytest.mark.django_db(transaction=True)
def test_a_database_that_stays_away_is_given_up_after_the_patience(monkeypatch):
    monkeypatch.setattr(connections, "PAUSE", 0.01)

    def away() -> None:
        raise OperationalError("connection refused")

    def work() -> None:
        connection.close()
        monkeypatch.setattr(connection, "connect", away)
        raise psycopg.OperationalError("server closed the connection unexpectedly")

    with pytest.raises(OperationalError, match="connection refused"):
        connections.repeat_when_lost(work, report=lambda line: None, timeout=0.05)
