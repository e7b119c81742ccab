"""The push feed: numbered without gaps, wake-ups that never stand in the way."""

from __future__ import annotations

import logging

import pytest
from celery import current_app
from django.db import IntegrityError, InternalError, connection, transaction
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone
from kombu.exceptions import OperationalError

from apps.matches import events
from apps.matches.models import Event, Topic
from tests.factories import MatchFactory


@pytest.fixture
def now():
    return timezone.now()


@pytest.mark.django_db
def test_events_are_numbered_without_gaps_in_the_order_of_their_rows(now):
    for key in "abc":
        events.publish(topic=Topic.RUN_CHANGED, key=key, now=now)
    assert events.number_events() == 3
    for key in "de":
        events.publish(topic=Topic.RUN_CHANGED, key=key, now=now)
    assert [events.number_events(limit=1) for _ in range(3)] == [1, 1, 0]
    assert list(Event.objects.order_by("id").values_list("number", "key")) == [
        (1, "a"), (2, "b"), (3, "c"), (4, "d"), (5, "e"),
    ]  # fmt: skip


@pytest.mark.django_db
def test_an_event_of_a_match_carries_what_clients_filter_by(now):
    match = MatchFactory(
        season__competition__slug="premier-league", home_team__slug="arsenal", away_team__slug="chelsea"
    )
    events.publish_of_matches(topic=Topic.SCORE_SETTLED, events=[(match.pk, {"rps": 0.2})], now=now)
    event = Event.objects.get()
    assert (event.world, event.match_id, event.competition) == ("real", match.pk, "premier-league")
    assert (event.home_team, event.away_team, event.key) == ("arsenal", "chelsea", str(match.pk))


@pytest.mark.django_db
def test_an_event_gets_its_number_once_and_nothing_else_of_it_changes(now):
    events.publish(topic=Topic.RUN_CHANGED, key="a", now=now)
    events.number_events()
    for change in ({"number": 7}, {"key": "b"}, {"world": "real"}, {"match_id": 7}):
        with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
            Event.objects.update(**change)
    with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
        Event.objects.all().delete()


@pytest.mark.django_db
def test_an_event_of_a_transaction_that_fails_was_never_there(now):
    with transaction.atomic():
        events.publish(topic=Topic.RUN_CHANGED, key="a", now=now)
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
    tasks = ("predict_due", "simulate_due", "compare_due", "mirror_aliases", "drift_due", "summarize_due", "rate_due")
    assert started == [f"ml.{task}" for task in tasks]


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


@pytest.mark.django_db
def test_events_of_the_version_before_are_filled_in_with_what_clients_filter_by(now):
    match = MatchFactory(season__competition__slug="serie-a", home_team__slug="roma", away_team__slug="lazio")
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        MigrationExecutor(connection).migrate([("matches", "0011_how_names_were_found")])
        cursor.executemany(
            "INSERT INTO matches_event (number, topic, key, payload, created_at) VALUES (%s, %s, %s, %s, now())",
            [
                (1, "score.settled", str(match.pk), "{}"),
                (2, "match.changed", "999999", "{}"),
                (3, "match.changed", "9" * 30, "{}"),
                (4, "promotion.made", "sandbox", "{}"),
                (5, "run.changed", "7", '{"world": "real"}'),
            ],
        )
        MigrationExecutor(connection).migrate([("matches", "0012_events_by_filter")])
    columns = ("match_id", "competition", "home_team", "away_team", "world")
    assert list(Event.objects.order_by("number").values_list(*columns)) == [
        (match.pk, "serie-a", "roma", "lazio", "real"),
        (None, "", "", "", ""),
        (None, "", "", "", ""),
        (None, "", "", "", "sandbox"),
        (None, "", "", "", "real"),
    ]
    with pytest.raises((InternalError, IntegrityError), match="append-only"), transaction.atomic():
        Event.objects.update(world="real")
