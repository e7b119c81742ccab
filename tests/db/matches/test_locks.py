"""Locks of sessions whose process is frozen."""

from __future__ import annotations

import re
import time

import pytest
from django.conf import settings
from django.db import DatabaseError, connection

from apps.matches import locks
from apps.matches.locks import Lock, try_take_while_active

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def sessions():
    """Two sessions, which end with the test."""
    made = [connection.copy() for _ in range(2)]
    yield made
    for each in made:
        each.close()


def test_a_session_that_is_silent_within_a_transaction_loses_its_lock_and_what_it_wrote(sessions, monkeypatch):
    frozen, other = sessions
    monkeypatch.setattr(locks, "LONGEST_PAUSE", 0.2)
    assert try_take_while_active(Lock.RELAY, frozen)
    with frozen.cursor() as cursor:
        cursor.execute("BEGIN")
        cursor.execute("INSERT INTO matches_region (name) VALUES ('Nowhere')")
        end = time.monotonic() + 60
        while not try_take_while_active(Lock.RELAY, other):
            assert time.monotonic() < end
            time.sleep(0.02)
        with pytest.raises(DatabaseError):
            cursor.execute("COMMIT")
    with connection.cursor() as cursor:
        cursor.execute("SELECT count(*) FROM matches_region WHERE name = 'Nowhere'")
        assert cursor.fetchone() == (0,)


def test_the_runbook_of_events_ends_the_session_that_numbers_them_and_no_other(sessions):
    numbering, other = sessions
    assert try_take_while_active(Lock.RELAY, numbering)
    assert try_take_while_active(Lock.BEAT, other)
    text = (settings.BASE_DIR / "docs" / "runbooks" / "events-not-numbered.md").read_text(encoding="utf-8")
    (query,) = re.findall(r"```sql\n(.*?)```", text, flags=re.S)
    with connection.cursor() as cursor:
        cursor.execute(query)
        assert cursor.fetchall() == [(True,)]
    with pytest.raises(DatabaseError), numbering.cursor() as cursor:
        cursor.execute("SELECT 1")
    with other.cursor() as cursor:
        cursor.execute("SELECT 1")
        assert cursor.fetchone() == (1,)
