"""Connections to PostgreSQL: statements that it plans once, and what to do when a connection is lost."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from itertools import islice
from typing import Any, Final, Generic, TypeVar

import psycopg
from django.db import InterfaceError, OperationalError, connection
from django.db.backends.postgresql.base import ServerBindingCursor
from django.db.models import Model

from apps.matches.replicas import reading

Result = TypeVar("Result")
Row = TypeVar("Row", bound=Model)

ERRORS: Final = (OperationalError, InterfaceError, psycopg.OperationalError, psycopg.InterfaceError)
"""Errors that a lost connection raises; COPY raises those of psycopg itself. They have other causes too."""

SHARED: Final = 4096
"""Objects that `SharedColumns` keep."""

PAUSE: Final = 1.0
"""Seconds between two tries."""


class Columns(Generic[Row]):
    """Columns of a model that a statement reads, and the objects of its rows; other columns load when they are used."""

    def __init__(self, model: type[Row], names: str) -> None:
        self.model = model
        # In the order in which `from_db` expects them.
        self.names = [each.attname for each in model._meta.concrete_fields if each.attname in names.split()]
        assert len(self.names) == len(names.split()), names

    def sql(self, alias: str) -> str:
        """Return the columns for a SELECT."""
        return ", ".join(f"{alias}.{name}" for name in self.names)

    def take(self, values: Iterator[Any]) -> Row:
        """Return the object of the next values."""
        return self._make(tuple(islice(values, len(self.names))))

    def _make(self, values: tuple[Any, ...]) -> Row:
        return self.model.from_db("default", self.names, values)


class SharedColumns(Columns[Row]):
    """Columns of rows that most statements return: of equal rows a process keeps one object.

    Requests share these objects. Nobody may change one, or use a column that it has not.
    """

    def __init__(self, columns: Columns[Row]) -> None:
        super().__init__(columns.model, " ".join(columns.names))
        self._make = lru_cache(maxsize=SHARED)(super()._make)  # type: ignore[method-assign]


def prepared(statement: str, values: Sequence[Any]) -> list[tuple[Any, ...]]:
    """Return the rows of a constant statement, which PostgreSQL plans once for each connection and not each time.

    For a join of eight tables planning takes ten times as long as execution. With `prepare_threshold` None in the
    options of DATABASE_URL, as a connection pooler may need it, the statement is planned each time.
    """
    at = reading()
    with at.cursor() as ordinary:  # connects, or connects again
        make: Any = ServerBindingCursor
        # Django's log of queries has no values of a prepared statement.
        logged = at.queries_logged
        with ordinary if logged else at.make_cursor(make(at.connection)) as cursor:
            cursor.execute(statement, values)
            rows: list[tuple[Any, ...]] = cursor.fetchall()
    return rows


def is_lost(error: BaseException) -> bool:
    """Whether an error came of a lost connection; the broken one is closed, so that the next query opens another."""
    if not isinstance(error, ERRORS) or connection.is_usable():
        return False
    connection.close()
    return True


def first_line(error: BaseException) -> str:
    """Return what PostgreSQL or its driver said, without the hints below it."""
    lines = str(error).strip().splitlines()
    return lines[0] if lines else type(error).__name__


def repeat_when_lost(work: Callable[[], Result], *, report: Callable[[str], None], timeout: float) -> Result:
    """Return what `work` returns; when the connection is lost meanwhile, repeat it once the database is back.

    Parameters
    ----------
    work : callable
        Does no harm when it is repeated.
    timeout : float
        Seconds without the database after which the error is raised.
    """
    while True:
        try:
            return work()
        except ERRORS as error:
            if not is_lost(error):
                raise
            report(f"The connection to the database was lost ({first_line(error)}); repeated once it is back.")
            _wait_for_database(time.monotonic() + timeout)


def _wait_for_database(end: float) -> None:
    while True:
        try:
            connection.ensure_connection()
        except ERRORS:
            if time.monotonic() >= end:
                raise
            time.sleep(PAUSE)
        else:
            return
