"""The timetable belongs to the operator once it is written; code changes do not overwrite a choice."""

from __future__ import annotations

import json
import time
from datetime import timedelta
from types import SimpleNamespace

import pytest
from celery.schedules import crontab
from django.db import OperationalError, connection
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from apps.api.models import PredictionJob, Webhook
from apps.api.services import create_key
from apps.matches.locks import Lock
from apps.ml.models import PipelineRun
from apps.scraping.services import ensure_sources, request_run, source_named
from spai import beat
from spai.beat import HAS_WORK, MARK, Scheduler, Turn, has_work, write_timetable
from spai.celery import TIMETABLE, app

pytestmark = pytest.mark.django_db


def entry(schedule, *, task: str = "scraping.request_scheduled_run", missed: str = "It is made up.") -> dict:
    return {"task": task, "schedule": schedule, "kwargs": {"source": "x"}, "options": {"expires": 60}, "missed": missed}


def test_every_row_is_made_with_its_policy_for_missed_runs():
    write_timetable(TIMETABLE)
    rows = {row.name: row for row in PeriodicTask.objects.all()}
    assert set(rows) == set(TIMETABLE)
    for name, row in rows.items():
        assert row.description.startswith(MARK)
        assert row.description.endswith(TIMETABLE[name]["missed"])
        assert row.expire_seconds
    results = rows["whoscored: results"]
    assert json.loads(results.kwargs) == {"source": "whoscored", "scope": "results"}
    assert str(results.crontab.timezone) == "UTC"


def test_what_the_operator_chose_stays_through_every_start():
    write_timetable({"a": entry(60.0)})
    quarter, _ = IntervalSchedule.objects.get_or_create(every=15, period=IntervalSchedule.MINUTES)
    PeriodicTask.objects.filter(name="a").update(interval=quarter, enabled=False)
    write_timetable({"a": entry(60.0)})
    write_timetable({"a": entry(90.0)})
    row = PeriodicTask.objects.get(name="a")
    assert (row.interval, row.enabled) == (quarter, False)
    assert row.description.startswith("By default every 90 seconds.")


def test_a_choice_of_another_kind_of_schedule_stays_too():
    write_timetable({"a": entry(60.0)})
    nightly = CrontabSchedule.objects.create(minute="0", hour="3")
    PeriodicTask.objects.filter(name="a").update(interval=None, crontab=nightly)
    write_timetable({"a": entry(30.0)})
    row = PeriodicTask.objects.get(name="a")
    assert (row.interval, row.crontab) == (None, nightly)


def test_a_row_that_nobody_touched_follows_a_new_default():
    write_timetable({"a": entry(60.0)})
    write_timetable({"a": entry(crontab(minute="7"), task="scraping.scrape_due")})
    row = PeriodicTask.objects.get(name="a")
    assert (row.interval, row.crontab.minute, row.task) == (None, "7", "scraping.scrape_due")


def test_a_row_whose_entry_is_gone_goes_and_the_operators_own_stays():
    write_timetable({"a": entry(60.0), "b": entry(60.0)})
    hourly, _ = IntervalSchedule.objects.get_or_create(every=1, period=IntervalSchedule.HOURS)
    PeriodicTask.objects.create(name="mine", task="scraping.scrape_due", interval=hourly)
    write_timetable({"a": entry(60.0)})
    assert set(PeriodicTask.objects.values_list("name", flat=True)) == {"a", "mine"}


@pytest.mark.django_db(transaction=True)
def test_beat_reads_its_timetable_from_the_rows():
    write_timetable(TIMETABLE)
    PeriodicTask.objects.filter(name="sandbox: odds").delete()
    PeriodicTask.objects.filter(name="whoscored: results").update(enabled=False)
    scheduler = Scheduler(app=app, lazy=True)
    scheduler.setup_schedule()
    # Rows of a fixed hour are read when that hour is near.
    daily = {name for name in TIMETABLE if name.endswith(": fixtures") and not name.startswith("sandbox")}
    assert set(scheduler.schedule) | daily == set(TIMETABLE) - {"whoscored: results"} | daily


def test_every_schedule_is_in_utc():
    assert app.conf.timezone == "UTC"
    write_timetable(TIMETABLE)
    assert {str(schedule.timezone) for schedule in CrontabSchedule.objects.all()} == {"UTC"}


# ── Several celery-beats ─────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def turns():
    """Two celery-beats that want to send."""
    both = Turn(), Turn()
    yield both
    for turn in both:
        turn.give_up()


def has_turn_at_last(turn: Turn) -> bool:
    end = time.monotonic() + 60
    while not turn.is_ours():
        if time.monotonic() > end:
            return False
        time.sleep(0.02)
    return True


def test_one_celery_beat_sends_and_the_other_goes_on_when_it_ends(turns):
    first, second = turns
    assert [first.is_ours(), second.is_ours(), first.is_ours(), second.is_ours()] == [True, False, True, False]
    first.give_up()
    assert has_turn_at_last(second)


def test_a_celery_beat_whose_session_was_ended_notices_it_before_it_sends(turns):
    first, second = turns
    assert first.is_ours()
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid, 60000) FROM pg_locks WHERE locktype = 'advisory' AND granted"
            " AND (classid::bigint << 32) + objid::bigint = %s",
            [Lock.TIMETABLE],
        )
        assert cursor.fetchall() == [(True,)]
    assert has_turn_at_last(second)
    assert not first.is_ours()


def test_a_frozen_celery_beat_loses_its_turn(turns, monkeypatch):
    first, second = turns
    monkeypatch.setattr(beat, "LEASE", timedelta(milliseconds=100))
    assert first.is_ours()
    # `first` asks nothing any more.
    assert has_turn_at_last(second)
    assert not first.is_ours()


@pytest.mark.django_db(transaction=True)
def test_a_celery_beat_that_waits_sends_nothing_and_then_only_what_the_other_did_not(turns, sent):
    turn, _ = turns
    assert turn.is_ours()
    write_timetable({"a": entry(3600.0, task="ml.settle_due")})
    scheduler = Scheduler(app=app, lazy=True)
    assert scheduler.tick() == scheduler.max_interval
    assert sent == []
    assert list(scheduler.schedule) == ["a"]
    PeriodicTask.objects.create(
        name="b", task="ml.predict_due", interval=IntervalSchedule.objects.get(), last_run_at=timezone.now()
    )
    PeriodicTask.objects.filter(name="a").update(last_run_at=timezone.now() - timedelta(hours=2))
    turn.give_up()
    end = time.monotonic() + 60
    while not sent and time.monotonic() < end:
        scheduler.tick()
    scheduler.tick()
    scheduler.close()
    assert sent == ["ml.settle_due"]


# ── Tasks without work ───────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def sent(monkeypatch):
    """The tasks that celery-beat sends."""
    names: list[str] = []
    monkeypatch.setattr(
        beat.DatabaseScheduler, "apply_entry", lambda self, entry, producer=None: names.append(entry.task)
    )
    return names


def offer(*tasks: str) -> None:
    scheduler = Scheduler(app=app, lazy=True)
    for task in tasks:
        scheduler.apply_entry(SimpleNamespace(task=task))


def test_a_task_without_work_is_not_sent_and_others_always_are(sent):
    offer(*HAS_WORK, "ml.predict_due")
    assert sent == ["ml.predict_due"]


def test_a_run_that_waits_or_was_interrupted_is_work(sent):
    now = timezone.now()
    run = PipelineRun.objects.create(world="sandbox", as_of=now, profile="smoke", requested_by="ada", created_at=now)
    for status, is_work in (("queued", True), ("running", True), ("interrupted", True), ("failed", False)):
        PipelineRun.objects.filter(pk=run.pk).update(status=status)
        assert has_work("ml.run_due") == is_work, status


def test_a_scrape_run_that_is_not_over_is_work(sent):
    now = timezone.now()
    ensure_sources(now=now)
    request_run(source=source_named("sandbox"), scope="results", by="ada", now=now)
    offer(*HAS_WORK)
    assert sent == ["scraping.scrape_due"]


def test_a_job_is_work_and_so_is_a_webhook_whatever_it_waits_for(sent):
    now = timezone.now()
    key = create_key(name="feed", scopes=["read", "jobs"], created_by="ada", now=now).row
    PredictionJob.objects.create(api_key=key, kind="graded_forecasts", parameters={}, created_at=now)
    Webhook.objects.create(
        api_key=key, url="https://a.example/", topics=["match.finished"], latest_number=0, created_at=now
    )
    offer(*HAS_WORK)
    assert sent == ["api.run_jobs", "api.deliver_webhooks"]


def test_a_task_is_sent_when_the_database_does_not_say_whether_it_has_work(sent, monkeypatch):
    def lost():
        raise OperationalError("the server closed the connection")

    monkeypatch.setitem(HAS_WORK, "api.run_jobs", lost)
    offer("api.run_jobs")
    assert sent == ["api.run_jobs"]


def test_every_task_that_is_sent_more_than_once_a_minute_is_asked_for_its_work():
    often = {
        entry["task"] for entry in TIMETABLE.values() if isinstance(entry["schedule"], float) and entry["schedule"] < 60
    }
    assert often == set(HAS_WORK)
