"""The timetable belongs to the operator once it is written; code changes do not overwrite a choice."""

from __future__ import annotations

import json
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

import pytest
from celery.schedules import crontab
from django.db import OperationalError, connection, transaction
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask, PeriodicTasks

from apps.api.models import PredictionJob, Webhook
from apps.api.services import create_key
from apps.matches import locks
from apps.matches.locks import Lock
from apps.ml.models import PipelineRun
from apps.scraping.services import ensure_sources, request_run, source_named
from spai import beat
from spai.beat import HAS_WORK, MARK, Scheduler, has_work, write_timetable
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


# ── Several processes ────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.fixture
def schedulers():
    """Two celery-beats, which end with the test."""
    made = [Scheduler(app=app, lazy=True) for _ in range(2)]
    yield made
    for each in made:
        each._dirty.clear()
        each._lock.release()


def tick_until_idle(scheduler: Scheduler) -> float:
    """Send all that is due; return the seconds until the next look."""
    while (seconds := scheduler.tick()) == 0:
        pass
    return seconds


@pytest.fixture
def one_task(transactional_db):
    """A timetable of one task, which is due at once."""
    write_timetable({"a": entry(60.0, task="ml.predict_due")})
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(hours=1))


@pytest.mark.django_db(transaction=True)
def test_of_two_processes_that_start_at_once_the_second_finds_the_rows_of_the_first():
    timetable = {"a": entry(60.0, task="ml.predict_due")}

    def start() -> None:
        try:
            write_timetable(timetable)
        finally:
            connection.close()

    with ThreadPoolExecutor(1) as second:
        with transaction.atomic():
            write_timetable(timetable)
            started = second.submit(start)
            with connection.cursor() as cursor:
                while not started.done():
                    cursor.execute("SELECT EXISTS (SELECT FROM pg_locks WHERE NOT granted)")
                    if cursor.fetchone()[0]:
                        break
        assert started.result(60) is None
    assert PeriodicTask.objects.get().name == "a"


def test_of_two_processes_one_sends_and_the_other_follows_when_it_ends(one_task, schedulers, sent):
    first, second = schedulers
    tick_until_idle(first)
    assert tick_until_idle(second) == app.conf.beat_max_loop_interval
    assert sent == ["ml.predict_due"]
    first.close()
    tick_until_idle(second)
    assert sent == ["ml.predict_due"]  # the first one stored that it has sent it
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(hours=1))
    PeriodicTasks.update_changed()
    tick_until_idle(second)
    assert sent == ["ml.predict_due"] * 2


def test_a_process_whose_session_was_ended_sends_nothing_until_the_lock_is_free_again(one_task, schedulers, sent):
    frozen, other = schedulers
    tick_until_idle(frozen)
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND objid = %s",
            [Lock.BEAT & 0xFFFF_FFFF],
        )
    # The server frees the lock when the session has ended.
    while not other._lock.take():
        pass
    PeriodicTask.objects.update(last_run_at=timezone.now() - timedelta(hours=1))
    assert tick_until_idle(frozen) == app.conf.beat_max_loop_interval
    assert sent == ["ml.predict_due"]


def test_a_frozen_process_loses_the_lock(one_task, schedulers, monkeypatch):
    frozen, other = (each._lock for each in schedulers)
    monkeypatch.setattr(locks, "LONGEST_PAUSE", 0.1)
    assert frozen.take()
    end = time.monotonic() + 60
    while not other.take() and time.monotonic() < end:
        time.sleep(0.02)
    assert (frozen.take(), other.is_held) == (False, True)


def test_the_session_of_the_lock_ends_when_its_process_is_silent(one_task, schedulers):
    assert schedulers[0]._lock.take()
    with schedulers[0]._lock._session.cursor() as cursor:
        cursor.execute("SHOW idle_session_timeout")
        assert cursor.fetchone() == (f"{locks.LONGEST_PAUSE}s",)
    assert app.conf.beat_max_loop_interval < locks.LONGEST_PAUSE


@pytest.mark.parametrize("day", [datetime(2026, 3, 29, tzinfo=UTC), datetime(2026, 10, 25, tzinfo=UTC)])
def test_each_daily_schedule_fires_once_on_days_on_which_clocks_change(day):
    write_timetable(TIMETABLE)
    for row in CrontabSchedule.objects.exclude(hour__contains="*"):
        minutes = [day + timedelta(minutes=number) for number in range(26 * 60)]
        last, fired = day - timedelta(minutes=1), []
        for now in minutes:
            schedule = row.schedule
            schedule.nowfun = lambda now=now: now
            if schedule.is_due(last).is_due:
                fired.append(now)
                last = now
        wanted = [each for each in minutes if str(each.hour) == row.hour and str(each.minute) == row.minute]
        assert fired == wanted, row
