"""The listener tells which matches changed as soon as the change is committed, and knows when it cannot."""

from __future__ import annotations

from collections.abc import Iterator

import psycopg
import pytest
from django.db import transaction
from django.utils import timezone

from apps.matches import events
from apps.matches.models import Event
from spai import change_listener
from spai.change_listener import ChangeListener
from tests.database import database_url

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture
def session() -> Iterator[psycopg.Connection]:
    with psycopg.connect(database_url(), autocommit=True) as opened:
        yield opened


@pytest.fixture(autouse=True)
def _short_rounds(monkeypatch):
    monkeypatch.setattr(change_listener, "HEARTBEAT_SECONDS", 0.05)


class Told(ChangeListener):
    """A listener that notes what it tells, and runs a step of a test before each of its rounds."""

    def __init__(self, *steps) -> None:
        self.changes: list[set[str] | None] = []
        self.current: list[bool] = []
        self.steps = list(steps)
        super().__init__(self.changes.append)

    def _read(self, session):
        super()._read(session)
        self.current.append(self.is_current())
        if self.steps:
            self.steps.pop(0)()

    def rounds(self, session):
        self.follow(session, rounds=len(self.steps))


def publish(topic: str, key: str = "7") -> None:
    events.publish(topic=topic, key=key, now=timezone.now())


def test_at_its_start_everything_may_have_changed(session):
    publish("prediction.published", "1")
    events.number_events()
    told = Told()
    told.rounds(session)
    assert told.changes == [None]
    assert told.current == [True]


def test_a_change_is_told_by_its_match_once(session):
    told = Told(
        lambda: publish("prediction.published", "7"), lambda: publish("match.changed", "8"), events.number_events
    )
    told.rounds(session)
    assert told.changes == [None, {"7"}, {"8"}]


def test_a_promotion_may_change_everything_and_progress_of_a_run_nothing(session):
    told = Told(lambda: publish("run.changed"), lambda: publish("promotion.made"))
    told.rounds(session)
    assert told.changes == [None, None]


def test_between_a_commit_and_its_reading_it_is_not_current(session):
    seen = []

    def change() -> None:
        with transaction.atomic():
            publish("match.changed", "7")
            seen.append(told.is_current())
        # Committed: the notification is on its way, or in the socket already.
        while told.is_current():
            pass
        seen.append(told.is_current())

    told = Told(change)
    told.rounds(session)
    assert seen == [True, False]
    assert told.changes == [None, {"7"}]
    assert told.current == [True, True]


def test_of_too_many_changes_it_tells_that_there_were_many(session):
    many = [(str(number), {}) for number in range(change_listener.LIMIT + 1)]
    told = Told(lambda: events.publish_many(topic="match.changed", events=many, now=timezone.now()))
    told.rounds(session)
    assert len(told.changes) > 1
    assert set(told.changes) == {None}


def test_a_transaction_that_commits_late_is_told_though_its_ids_are_older(session):
    with psycopg.connect(database_url()) as late:
        late.execute(
            "INSERT INTO matches_event (topic, key, payload, created_at) VALUES ('match.changed', '7', '{}', now())"
        )

        def other() -> None:
            publish("match.changed", "8")

        told = Told(other, events.number_events, late.commit)
        told.rounds(session)
    assert told.changes == [None, {"8"}, {"7"}]
    assert Event.objects.get(key="7").pk < Event.objects.get(key="8").pk


def test_without_its_connection_it_is_not_current(session):
    told = Told()
    told.steps = [session.close]
    with pytest.raises(psycopg.Error):
        told.rounds(session)
    assert not told.is_current()


def test_without_an_answer_for_seconds_it_is_not_current(session, monkeypatch):
    def later() -> None:
        assert told.is_current()
        now = change_listener.time.monotonic()
        monkeypatch.setattr(change_listener.time, "monotonic", lambda: now + change_listener.LEASE_SECONDS)
        seen.append(told.is_current())
        monkeypatch.undo()

    seen: list[bool] = []
    told = Told(later)
    told.rounds(session)
    assert seen == [False]
