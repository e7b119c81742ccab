"""The check of a connection before each request."""

from __future__ import annotations

import pytest
from django.db import connection

from tests.db.matches.test_connections import end_session

pytestmark = pytest.mark.django_db(transaction=True)


def request() -> int:
    """Query as a request does: Django checks the connection first."""
    connection.close_if_unusable_or_obsolete()
    with connection.cursor() as cursor:
        cursor.execute("SELECT 42")
        return int(cursor.fetchone()[0])


def test_a_connection_that_works_is_not_asked(monkeypatch):
    request()
    monkeypatch.setattr(connection.connection, "cursor", pytest.fail)
    assert connection.is_usable()


def test_a_connection_that_the_server_ended_is_replaced():
    request()
    end_session()
    assert not connection.is_usable()
    assert request() == 42


def test_a_connection_after_an_error_is_asked(monkeypatch):
    request()
    connection.errors_occurred = True
    with monkeypatch.context() as patch:
        patch.setattr(connection.connection, "cursor", pytest.fail)
        with pytest.raises(pytest.fail.Exception):
            connection.is_usable()
    assert connection.is_usable()


def test_a_notification_does_not_count_as_an_end():
    with connection.cursor() as cursor:
        cursor.execute("LISTEN something; NOTIFY something")
    assert connection.is_usable()
