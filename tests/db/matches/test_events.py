"""The push feed: numbered without gaps, wake-ups that never stand in the way."""

from __future__ import annotations

import logging

import pytest
from celery import current_app
from django.db import IntegrityError, InternalError, transaction
from django.utils import timezone
from kombu.exceptions import OperationalError

from apps.matches import events
from apps.matches.models import Event


@pytest.fixture
def now():
    return timezone.now()


@pytest.mark.django_db
def test_events_are_numbered_without_gaps_in_the_order_of_their_rows(now):
    for key in "abc":
        events.publish(topic="match.changed", key=key, now=now)
    assert [(event.number, event.key) for event in events.number_events()] == [(1, "a"), (2, "b"), (3, "c")]
    events.publish_many(topic="match.changed", events=[("d", {}), ("e", {"x": 1})], now=now)
    assert [event.number for event in events.number_events(limit=1)] == [4]
    assert [event.number for event in events.number_events()] == [5]
    assert events.number_events() == []


@pytest.mark.django_db
def test_an_event_gets_its_number_once_and_nothing_else_of_it_changes(now):
    events.publish(topic="match.changed", key="a", now=now)
    events.number_events()
    for change in ({"number": 7}, {"key": "b"}):
        with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
            Event.objects.update(**change)
    with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
        Event.objects.all().delete()


@pytest.mark.django_db
def test_an_event_of_a_transaction_that_fails_was_never_there(now):
    with transaction.atomic():
        events.publish(topic="match.changed", key="a", now=now)
        transaction.set_rollback(True)
    assert not Event.objects.exists()


@pytest.mark.django_db
def test_a_wake_up_starts_its_tasks_after_the_commit(monkeypatch, django_capture_on_commit_callbacks):
    started = []
    for name in current_app.conf["tasks_by_topic"]["promoted"]:
        monkeypatch.setattr(current_app.tasks[name], "apply_async", lambda name=name, **_: started.append(name))
    with django_capture_on_commit_callbacks(execute=True):
        events.start_tasks_after_commit("promoted")
        assert started == []
    assert started == ["ml.predict_due", "ml.simulate_due", "ml.compare_due", "ml.mirror_aliases"]


@pytest.mark.django_db
def test_a_wake_up_without_a_broker_is_said_and_fails_nothing(monkeypatch, caplog, django_capture_on_commit_callbacks):
    def refuse(**_):
        raise OperationalError("connection refused")

    for name in current_app.conf["tasks_by_topic"]["run_requested"]:
        monkeypatch.setattr(current_app.tasks[name], "apply_async", refuse)
    with caplog.at_level(logging.WARNING), django_capture_on_commit_callbacks(execute=True):
        events.start_tasks_after_commit("run_requested")
    assert "the timetable will start it" in caplog.text


def test_an_unknown_topic_is_an_error():
    with pytest.raises(KeyError):
        events.start_tasks_after_commit("nonsense")


def test_every_wake_up_and_every_line_of_the_timetable_names_a_task():
    named = {task for tasks in current_app.conf["tasks_by_topic"].values() for task in tasks}
    named |= {entry["task"] for entry in current_app.conf["beat_schedule"].values()}
    assert named <= set(current_app.tasks)
    assert len(named) > 5
