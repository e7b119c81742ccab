"""Runs of the pipeline that are interrupted and resumed; DVC is real, its stages are toys."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import timedelta

import psycopg
import pytest
from django.db import connection
from django.utils import timezone

from apps.matches import locks
from apps.matches.locks import Lock, is_taken
from apps.matches.models import Event, World
from apps.ml import selectors
from apps.ml.models import PipelineRun
from apps.ml.services import loaded_code, run_outcomes, run_row, runs, workspaces
from tests.database import database_url
from tests.db.ml.runs.toy import (
    NOW,
    ROOT,
    by_stage,
    crash_in_train,
    environment,
    fresh,
    processes_in,
    queued,
    trained,
    wait_until,
)
from tests.subprocesses import child_process

pytestmark = pytest.mark.runs


WORKER = """
import django; django.setup()
from django.conf import settings
import os, pathlib
settings.BASE_DIR = pathlib.Path(os.environ["TOY_HOME"])
from django.utils import timezone
from apps.ml.services import runs
runs.run_due(now=timezone.now())
"""


@contextlib.contextmanager
def running_worker() -> Iterator[subprocess.Popen]:
    """A process that executes the run that is due."""
    with child_process([sys.executable, "-c", WORKER], cwd=ROOT, env=environment(), stderr=subprocess.PIPE) as found:
        yield found


def end_other_sessions() -> None:
    """End the connections of all other processes, as a restart of PostgreSQL does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def end_own_session() -> None:
    """End the connection of this process; raises what a lost connection raises."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def holds_the_lock(pid: int) -> bool:
    """Whether a session of PostgreSQL holds the lock of the runs."""
    with psycopg.connect(database_url()) as look:
        found = look.execute(
            "SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = %s AND classid = %s AND objid = %s",
            [pid, Lock.RUN >> 32, Lock.RUN & 0xFFFF_FFFF],
        )
        return found.fetchone() is not None


@pytest.mark.django_db(transaction=True)
def test_a_run_whose_worker_was_killed_dies_with_it_and_is_resumed(toy, version, wakes):
    made = version(created=True)
    run = queued()
    folder = workspaces.make(run)
    (folder / "hang").touch()
    worker = subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, env=environment(), stderr=subprocess.PIPE)
    try:
        wait_until(lambda: fresh(run).stages and by_stage(fresh(run)).get("train") == "running", worker)
        assert runs.run_due(now=timezone.now()) is None, "another worker holds the lock"
        stages = processes_in(folder)
        assert stages
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stderr.close()
    wait_until(lambda: not processes_in(folder))
    (folder / "hang").unlink()
    assert runs.run_due(now=timezone.now()) is None, "its heartbeat is fresh"
    later = timezone.now() + timedelta(minutes=1)
    wait_until(lambda: runs.run_due(now=later) is not None)
    run = fresh(run)
    assert (run.status, run.attempts) == ("succeeded", 1)
    assert by_stage(run)["validate_raw"] == "done", "what an earlier attempt finished was done by this run"
    assert trained(toy) == 2, "only the stage that was under way is repeated"
    (noted,) = run.interruptions
    assert (noted["kind"], noted["stage"]) == ("died", "train")
    assert "ended unexpectedly" in run.log
    assert made.number == 1


@pytest.mark.django_db
def test_a_stage_ended_by_a_signal_costs_an_attempt_and_is_repeated(toy, version, wakes):
    version(created=True)
    crash_in_train(toy, times=1)
    run = queued()
    runs.run_due(now=NOW)
    run.refresh_from_db()
    assert (run.status, run.attempts, run.error) == ("succeeded", 2, {})
    assert [(noted["kind"], noted["stage"], noted["cause"]) for noted in run.interruptions] == [
        ("crashed", "train", "its process was ended by SIGKILL")
    ]
    assert by_stage(run)["train"] == "done"


@pytest.mark.django_db
def test_a_stage_that_crashes_each_time_ends_the_run_with_its_cause(toy, version, wakes):
    version(created=True)
    crash_in_train(toy, times=99)
    run = queued()
    runs.run_due(now=NOW)
    run.refresh_from_db()
    assert (run.status, run.attempts, run.error["stage"]) == ("failed", 3, "train")
    assert "SIGKILL" in run.error["message"]
    assert "memory" in run.error["next_step"]


@pytest.mark.django_db
def test_a_worker_that_is_asked_to_end_leaves_the_run_interrupted_and_the_next_one_resumes_it(toy, version, wakes):
    version(created=True)
    run = queued()
    later = queued(profile="production")
    folder = workspaces.make(run)
    (folder / "hang").touch()
    runs.run_due(now=NOW, is_stopping=lambda: trained(toy) > 0)
    run.refresh_from_db()
    assert (run.status, run.attempts, by_stage(run)["train"]) == ("interrupted", 1, "interrupted")
    assert run.get_status_display() == "Interrupted, resumes"
    (noted,) = run.interruptions
    assert (noted["kind"], noted["stage"]) == ("stopped", "train")
    assert "SIGTERM" in noted["cause"]
    assert not processes_in(folder), "nothing of it is left at work"
    assert Event.objects.filter(topic="run.changed", payload__status="interrupted").exists()
    (folder / "hang").unlink()
    assert runs.run_due(now=NOW) == run, "no later run overtakes it"
    run.refresh_from_db()
    assert (run.status, run.attempts) == ("succeeded", 1)
    assert "Interrupted in train" in run.log
    assert run.metrics == {"best": "toy"}
    assert fresh(later).status == "queued"


@pytest.mark.django_db(transaction=True)
def test_a_run_goes_on_while_the_database_is_away_and_names_it(toy, version, wakes):
    version(created=True)
    run = queued()
    folder = workspaces.make(run)
    (folder / "hang").touch()
    with running_worker() as worker:
        wait_until(lambda: by_stage(fresh(run)).get("train") == "running", worker)
        before = fresh(run).heartbeat_at
        end_other_sessions()
        wait_until(lambda: "The connection to PostgreSQL was lost" in fresh(run).log, worker)
        assert fresh(run).heartbeat_at > before
        assert runs.run_due(now=timezone.now()) is None, "it holds the lock again"
        (folder / "hang").unlink()
        assert worker.wait(60) == 0
    run = fresh(run)
    assert (run.status, run.attempts, run.interruptions) == ("succeeded", 1, [])
    assert trained(toy) == 1, "the stage went on"


@pytest.mark.django_db(transaction=True)
def test_an_executor_that_was_replaced_stops_its_stages_and_writes_nothing_more(toy, version, wakes):
    run = queued()
    folder = workspaces.make(run)
    (folder / "hang").touch()
    with running_worker() as worker:
        wait_until(lambda: by_stage(fresh(run)).get("train") == "running", worker)
        PipelineRun.objects.filter(pk=run.pk).update(executor="another process", log="its log")
        assert worker.wait(60) == 0
    assert not processes_in(folder)
    assert (fresh(run).status, fresh(run).log) == ("running", "its log")


@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_taken_over_while_the_database_was_away_repeats_nothing(toy, version, wakes, monkeypatch):
    version(created=True)
    run = queued()
    tried = []

    def lose_the_run(**_) -> None:
        tried.append("promote")
        if len(tried) == 1:
            PipelineRun.objects.filter(pk=run.pk).update(executor="another process", log="its log")
            end_own_session()

    monkeypatch.setattr(run_outcomes, "promote_first_champion", lose_the_run)
    runs.run_due(now=timezone.now())
    assert tried == ["promote"]
    assert (fresh(run).status, fresh(run).log) == ("running", "its log")


@pytest.mark.django_db(transaction=True)
def test_an_executor_that_is_frozen_loses_the_lock_and_goes_on_only_when_it_is_free(toy, version, wakes, monkeypatch):
    version(created=True)
    run = queued()
    monkeypatch.setattr(locks, "RUN_PAUSE", 2.0)
    held = []

    def freeze(**_) -> None:
        held.append(holds_the_lock(connection.connection.info.backend_pid))
        if len(held) == 1:
            end = time.monotonic() + 60
            while not other.execute("SELECT pg_try_advisory_lock(%s)", [Lock.RUN]).fetchone()[0]:
                assert time.monotonic() < end
                time.sleep(0.05)
            connection.cursor().execute("SELECT 1")

    def release() -> bool:
        if held and not other.closed and holds_the_lock(other.info.backend_pid):
            other.close()
        return False

    monkeypatch.setattr(run_outcomes, "promote_first_champion", freeze)
    with psycopg.connect(database_url(), autocommit=True) as other:
        runs.run_due(now=timezone.now(), is_stopping=release)
    assert held == [True, True]
    assert fresh(run).status == "succeeded"
    with connection.cursor() as cursor:
        cursor.execute("SELECT current_setting('idle_session_timeout')")
        assert cursor.fetchone() == ("0",), "the session that is used on has no limit"


@pytest.mark.django_db(transaction=True)
def test_a_stage_that_fails_after_its_code_was_replaced_waits_for_the_restart_and_goes_on(
    toy, version, wakes, monkeypatch
):
    """Between `git pull` and the restart of an upgrade stages run new code on the tables of the old one."""
    version(created=True)
    run = queued()
    script = toy / "toy.py"
    sound = script.read_text()
    script.write_text("raise SystemExit('column ml_modelversion.declined_at does not exist')")
    monkeypatch.setattr(loaded_code, "LOADED_CODE", "of before")
    runs.run_due(now=timezone.now())
    found = fresh(run)
    assert (found.status, found.interruptions[-1]["cause"]) == ("interrupted", loaded_code.NEW_CODE)
    assert runs.run_due(now=timezone.now()) is None, "this process still has the code of before"
    assert len(fresh(run).interruptions) == 1
    script.write_text(sound)
    monkeypatch.setattr(loaded_code, "LOADED_CODE", loaded_code.run_code_sha256())
    runs.run_due(now=timezone.now())
    assert fresh(run).status == "succeeded"


@pytest.mark.django_db(transaction=True)
def test_what_a_lost_database_cut_short_is_repeated_under_the_lock_only(toy, version, wakes, monkeypatch):
    version(created=True)
    run = queued()
    held = []

    def lose_the_lock(**_) -> None:
        connection.ensure_connection()
        held.append(holds_the_lock(connection.connection.info.backend_pid))
        if len(held) == 1:
            ours = connection.connection.info.backend_pid
            other.execute("SELECT pg_terminate_backend(%s)", [ours])
            other.execute("SELECT pg_advisory_lock(%s)", [Lock.RUN])
            connection.cursor().execute("SELECT 1")

    def release() -> bool:
        # Asked between two tries: the lock of the other session is seen once, then it is released.
        if held and not other.closed:
            assert holds_the_lock(other.info.backend_pid)
            other.close()
        return False

    monkeypatch.setattr(run_outcomes, "promote_first_champion", lose_the_lock)
    with psycopg.connect(database_url(), autocommit=True) as other:
        runs.run_due(now=timezone.now(), is_stopping=release)
    assert held == [True, True]
    assert fresh(run).status == "succeeded"
    assert not is_taken(Lock.RUN)


@pytest.mark.django_db(transaction=True)
def test_a_worker_ended_by_a_signal_puts_its_run_in_order_first(toy, version, wakes):
    run = queued()
    folder = workspaces.make(run)
    (folder / "hang").touch()
    with running_worker() as worker:
        wait_until(lambda: by_stage(fresh(run)).get("train") == "running", worker)
        worker.terminate()
        assert worker.wait(60) == -signal.SIGTERM
    assert (fresh(run).status, fresh(run).interruptions[0]["kind"]) == ("interrupted", "stopped")


@pytest.mark.django_db(transaction=True)
def test_a_run_whose_worker_was_killed_is_shown_as_interrupted(toy, version, wakes):
    run = queued()
    (workspaces.make(run) / "hang").touch()
    with running_worker() as worker:
        wait_until(lambda: by_stage(fresh(run)).get("train") == "running", worker)
        assert selectors.latest_run(World.SANDBOX).status == "running"
        assert selectors.runs_by_status() == {"running": 1}
        worker.kill()
        worker.wait()
    wait_until(lambda: selectors.latest_run(World.SANDBOX).status == "interrupted", timeout=20)
    assert by_stage(selectors.latest_run(World.SANDBOX))["train"] == "interrupted"
    assert selectors.runs_by_status() == {"running": 0, "interrupted": 1}


@pytest.mark.django_db
def test_a_folder_that_another_process_works_in_is_one_interruption_however_often_it_is_tried(
    toy, version, wakes, monkeypatch
):
    monkeypatch.setattr(workspaces, "TIMEOUT", 0.0)
    version(created=True)
    run = queued()
    with workspaces.locked(run) as handle:
        assert handle is not None
        for _ in range(3):
            runs.run_due(now=NOW)
    run.refresh_from_db()
    assert run.status == "interrupted"
    (noted,) = run.interruptions
    assert noted["cause"] == run_row.BUSY
    assert len(run.log.splitlines()) == 2
    runs.run_due(now=NOW)
    assert fresh(run).status == "succeeded"


@pytest.mark.django_db
def test_a_worker_that_is_stopped_again_in_the_same_stage_is_noted_again(toy, version, wakes):
    version(created=True)
    run = queued()
    (workspaces.make(run) / "hang").touch()
    for times in (1, 2):
        runs.run_due(now=NOW, is_stopping=lambda times=times: trained(toy) >= times)
    assert [noted["stage"] for noted in fresh(run).interruptions] == ["train", "train"]


@pytest.mark.django_db
def test_a_run_whose_workers_die_again_and_again_in_one_stage_gives_way_to_the_next(toy, version, wakes):
    version(created=True)
    run, later = queued(), queued(profile="production")
    died = {"at": NOW.isoformat(), "stage": "train", "kind": "died", "cause": "it was killed"}
    PipelineRun.objects.filter(pk=run.pk).update(
        status="running",
        heartbeat_at=NOW - timedelta(minutes=2),
        stages=[{"name": "export", "status": "done"}, {"name": "train", "status": "running"}],
        interruptions=[died] * (runs.DEATHS - 1),
    )
    assert runs.run_due(now=NOW) == later
    run.refresh_from_db()
    assert (run.status, run.error["stage"]) == ("failed", "train")
    assert f"died {runs.DEATHS} times" in run.error["message"]
    assert by_stage(run) == {"export": "done", "train": "failed"}
