"""Runs of the pipeline: asked for, chosen and laid out; nothing is executed."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from types import SimpleNamespace

import grimp
import pytest
import yaml
from celery import current_app
from celery.utils.imports import symbol_by_name
from django.conf import settings as real_settings
from django.db import connection

from apps.matches.locks import Lock, try_lock
from apps.matches.models import Event, World
from apps.matches.unknown_work import says_unknown, warn_of_unknown
from apps.ml import selectors, tasks
from apps.ml.models import PipelineRun
from apps.ml.pipeline import files
from apps.ml.services import failures, promote, retraining, runs, workspaces
from tests.db.ml.runs.toy import (
    MIDNIGHT,
    NOW,
    ROOT,
    environment,
    fresh,
    queued,
)
from tests.factories import CompetitionFactory, FinishedMatchFactory, SeasonFactory

STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]


FORKED = """
import django; django.setup()
import os
from celery.signals import worker_shutting_down
from apps.ml import tasks
print(tasks.is_shutting_down(), flush=True)
read, write = os.pipe()
if os.fork() == 0:
    os.read(read, 1)
    print(tasks.is_shutting_down(), flush=True)
    os._exit(0)
worker_shutting_down.send(sender="main", sig="SIGTERM", how="Warm", exitcode=0)
os.write(write, b"x")
os.wait()
"""


def path_of(out: str | dict) -> str:
    return out if isinstance(out, str) else next(iter(out))


@pytest.mark.django_db
def test_a_run_is_requested_as_of_the_latest_midnight_and_wakes_the_workers(toy, wakes):
    run = queued()
    assert (run.status, run.as_of, run.profile, run.requested_by) == ("queued", MIDNIGHT, "smoke", "ann")
    assert run.params["train"] == {"rounds": 3}
    assert wakes == ["run_requested"]
    event = Event.objects.get(topic="run.changed")
    assert (event.key, event.payload["status"]) == (str(run.pk), "queued")


@pytest.mark.django_db
def test_the_same_run_requested_twice_waits_once(toy, wakes):
    assert queued() == queued()
    assert queued(profile="production") != queued()
    assert PipelineRun.objects.count() == 2


@pytest.mark.django_db
def test_a_worker_that_is_asked_to_end_begins_no_run(toy, wakes):
    run = queued()
    assert runs.run_due(now=NOW, is_stopping=lambda: True) is None
    assert fresh(run).status == "queued"


@pytest.fixture
def of_newer_release(db) -> Callable[[PipelineRun], PipelineRun]:
    """A function that makes a run one of a kind that only a newer release knows."""
    with connection.cursor() as cursor:
        # The newer release has changed the constraint, which knows the kinds of this one alone.
        cursor.execute("ALTER TABLE ml_pipelinerun DROP CONSTRAINT pipelinerun_back_test_has_version")
    warn_of_unknown.cache_clear()

    def of(run: PipelineRun) -> PipelineRun:
        PipelineRun.objects.filter(pk=run.pk).update(kind="tuning")
        return fresh(run)

    return of


def test_a_run_of_a_kind_of_a_newer_release_stays_in_the_queue_and_says_what_to_do(
    toy, wakes, of_newer_release, monkeypatch, caplog
):
    executed = []
    monkeypatch.setattr(runs, "execute_run", lambda run, **_: executed.append(run.pk))
    unknown, known = of_newer_release(queued()), queued(profile="production")
    for _ in range(2):
        assert runs.run_due(now=NOW) == known
    assert executed == [known.pk] * 2
    left = fresh(unknown)
    assert (left.status, left.kind, left.attempts, left.executor) == ("queued", "tuning", 0, "")
    assert left.log == says_unknown("This run", "tuning")
    assert "Upgrade this worker" in left.log
    (said,) = [record.message for record in caplog.records if "does not know" in record.message]
    assert said.startswith(f"run {unknown.pk} is of the kind “tuning”")


def test_an_interrupted_run_of_a_newer_release_is_left_and_a_running_one_is_waited_for(
    toy, wakes, of_newer_release, monkeypatch
):
    executed = []
    monkeypatch.setattr(runs, "execute_run", lambda run, **_: executed.append(run.pk))
    unknown, known = of_newer_release(queued()), queued(profile="production")
    row = PipelineRun.objects.filter(pk=unknown.pk)
    row.update(status="running", executor="new", heartbeat_at=NOW)
    assert runs.run_due(now=NOW) is None
    assert executed == []
    for status in ("running", "interrupted"):
        row.update(status=status, heartbeat_at=NOW - timedelta(hours=1))
        assert runs.run_due(now=NOW) == known
        assert (fresh(unknown).status, fresh(unknown).executor, fresh(unknown).log) == (status, "new", "")


@pytest.mark.django_db
def test_no_run_overtakes_one_whose_executor_may_be_alive(toy, wakes):
    run = queued()
    queued(profile="production")
    PipelineRun.objects.filter(pk=run.pk).update(status="running", heartbeat_at=NOW - timedelta(seconds=5))
    assert runs.run_due(now=NOW) is None


@pytest.mark.django_db
def test_a_late_heartbeat_does_not_make_a_run_interrupted(toy, wakes):
    run = queued()
    PipelineRun.objects.filter(pk=run.pk).update(status="running", heartbeat_at=NOW)
    with try_lock(Lock.RUN):
        assert selectors.latest_run(World.SANDBOX).status == "running"
    assert selectors.latest_run(World.SANDBOX).status == "interrupted"


@pytest.mark.django_db
def test_what_fails_outside_the_stages_ends_the_run_with_its_cause(toy, wakes, monkeypatch):
    def full(run):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(workspaces, "make", full)
    run = queued()
    runs.run_due(now=NOW)
    run.refresh_from_db()
    assert (run.status, run.error["message"]) == ("failed", "OSError: [Errno 28] No space left on device")


def test_the_message_of_a_run_is_neither_delivered_again_nor_its_work_cancelled_with_the_broker():
    task = tasks.run_due
    assert (task.acks_late, task.time_limit, task.soft_time_limit) == (False, None, None)
    request = symbol_by_name(task.Request)

    class Pool:
        def terminate_job(self, *_):
            pytest.fail("the run was ended")

    assert request.cancel(SimpleNamespace(time_start=1.0, worker_pid=1, _apply_result=None), Pool()) is None


@pytest.mark.parametrize("name", sorted(name for name in current_app.tasks if name.startswith(("ml.", "scraping."))))
def test_a_task_that_is_delivered_again_ends_long_before_that(name):
    task = current_app.tasks[name]
    timeout = real_settings.CELERY_BROKER_TRANSPORT_OPTIONS["visibility_timeout"]
    if task.acks_late:
        assert 2 * task.time_limit <= timeout


def test_the_processes_of_a_worker_know_that_it_was_asked_to_end():
    child = subprocess.run(
        [sys.executable, "-c", FORKED], cwd=ROOT, env=environment(), capture_output=True, text=True, check=True
    )
    assert child.stdout.split() == ["False", "True"]


@pytest.mark.django_db
def test_a_world_with_matches_enough_and_no_champion_gets_a_run(toy, version, wakes, monkeypatch):
    monkeypatch.setattr(retraining, "LEAST_MATCHES", 2)
    season = SeasonFactory(competition=CompetitionFactory(is_simulated=True))
    FinishedMatchFactory(season=season)
    assert retraining.retrain_due(now=NOW) == []
    FinishedMatchFactory(season=season)
    (run,) = retraining.retrain_due(now=NOW)
    assert (run.world, run.requested_by, run.reason) == (World.SANDBOX, "system", "first champion")
    assert retraining.retrain_due(now=NOW) == [], "one is under way"
    PipelineRun.objects.update(status="interrupted")
    assert retraining.retrain_due(now=NOW + timedelta(days=2)) == [], "it resumes"
    PipelineRun.objects.update(status="succeeded", finished_at=NOW)
    assert retraining.retrain_due(now=NOW + timedelta(hours=23)) == [], (
        "its version did not pass: the same facts are no better"
    )
    assert len(retraining.retrain_due(now=NOW + timedelta(days=1))) == 1
    PipelineRun.objects.all().delete()
    promote(version=version(created=True), user=None, reason="first champion", now=NOW)
    assert retraining.retrain_due(now=NOW) == [], "there is a champion"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("failures", "minutes"), [(1, 5), (2, 10), (3, 20), (8, 640), (9, 1280), (10, 1440), (30, 1440)]
)
def test_a_failed_first_champion_is_tried_again_after_minutes_then_less_and_less_often(
    toy, wakes, monkeypatch, failures, minutes
):
    monkeypatch.setattr(retraining, "LEAST_MATCHES", 1)
    FinishedMatchFactory(season=SeasonFactory(competition=CompetitionFactory(is_simulated=True)))
    about = {"world": "sandbox", "as_of": MIDNIGHT, "profile": "smoke", "requested_by": "system", "created_at": NOW}
    PipelineRun.objects.create(**about, status="succeeded", finished_at=NOW - timedelta(days=99))
    for number in range(failures):
        PipelineRun.objects.create(**about, status="failed", finished_at=NOW - timedelta(days=number))
    wait = timedelta(minutes=minutes)
    assert retraining.retrain_due(now=NOW + wait - timedelta(seconds=1)) == []
    assert len(retraining.retrain_due(now=NOW + wait)) == 1


@pytest.mark.django_db
def test_no_smoke_run_is_requested_where_its_version_could_not_be_champion(toy, wakes, monkeypatch, settings):
    monkeypatch.setattr(retraining, "LEAST_MATCHES", 1)
    FinishedMatchFactory(season=SeasonFactory(competition=CompetitionFactory(is_simulated=False)))
    settings.SPAI_PROFILE = "smoke"
    assert retraining.retrain_due(now=NOW) == []
    settings.SPAI_PROFILE = "production"
    (run,) = retraining.retrain_due(now=NOW)
    assert (run.world, run.profile) == ("real", "production")


@pytest.mark.django_db
def test_the_workspace_of_a_real_run_pins_what_it_was_requested(wakes, monkeypatch):
    monkeypatch.setattr(runs, "refuse_impossible", lambda **_: None)
    run = queued(as_of=MIDNIGHT - timedelta(days=3))
    folder = workspaces.make(run)
    params = yaml.safe_load((folder / files.PARAMS).read_text())
    assert params.pop("run") == {
        "world": "sandbox", "as_of": (MIDNIGHT - timedelta(days=3)).isoformat(), "profile": "smoke", "id": run.pk,
    }  # fmt: skip
    assert params == workspaces.read_params()
    assert (folder / "dvc.yaml").read_bytes() == (ROOT / "dvc.yaml").read_bytes()
    assert (folder / "apps" / "ml" / "pipeline" / "train.py").is_file()
    assert not (folder / "apps" / "__init__.py").exists()
    assert (folder / ".venv" / "bin").is_dir()


def test_a_stage_depends_on_every_module_that_it_imports():
    graph = grimp.build_graph("apps", cache_dir=None)
    for name, stage in STAGES.items():
        command = stage["cmd"].split()
        if command[1] != "-m":
            continue
        imported = graph.find_upstream_modules(command[2]) | {command[2]}
        paths = {module.replace(".", "/") for module in imported if module.startswith("apps.")}
        named = {dep.removesuffix(".py") for dep in stage["deps"]}
        assert [
            path for path in sorted(paths) if not any(path == dep or path.startswith(f"{dep}/") for dep in named)
        ] == []
        assert [dep for dep in stage["deps"] if dep.startswith("apps/") and not (ROOT / dep).exists()] == [], name


def test_nothing_is_learnt_before_all_four_gates_have_passed():
    made_by = {path_of(out): name for name, stage in STAGES.items() for out in stage.get("outs", [])}

    def before(name: str) -> set[str]:
        direct = {made_by[dep] for dep in STAGES[name]["deps"] if dep in made_by}
        return direct.union(*(before(earlier) for earlier in direct))

    assert set(failures.GATES_OF) <= before("train")
    assert "validate_raw" in before("validate_matches")
    assert before("register") | {"register"} == set(STAGES)


def test_each_stage_runs_the_gates_that_its_failure_is_reported_by():
    commands = {name: stage["cmd"].partition("apps.ml.pipeline.validate ") for name, stage in STAGES.items()}
    found = {name: tuple(gates.split()) for name, (_, gate, gates) in commands.items() if gate}
    assert found == failures.GATES_OF
    assert [gate for gates in found.values() for gate in gates] == ["raw", "finished", "upcoming", "features"]


def test_a_run_that_older_code_queued_has_what_newer_code_asks_for_but_its_own_estimators(toy, db, monkeypatch):
    present = {
        "calibrate": {"folds": 5, "intervals": {"level": 0.8}},
        "train": {"smoke": {"logit": {"l2": 1.0, "products": {}}}},
        "season": {"doubt": 0.4},
        "split": {"enough_tested": {"smoke": 20000}, "refit_day": 1},
    }
    monkeypatch.setattr(workspaces, "read_params", lambda: present)
    own = {
        "calibrate": {"folds": 3},
        "split": {"enough_tested": {}},
        "train": {"smoke": {"logit": {"l2": 800.0}}},
    }
    run = PipelineRun.objects.create(
        world="sandbox", as_of=MIDNIGHT, profile="smoke", requested_by="ada", created_at=NOW, params=own
    )
    written = yaml.safe_load((workspaces.make(run) / files.PARAMS).read_text())
    assert written["calibrate"] == {"folds": 3, "intervals": {"level": 0.8}}
    assert written["train"] == own["train"]
    assert written["season"] == {"doubt": 0.4}
    assert written["split"] == {"enough_tested": {}, "refit_day": 1}, "no limit stays no limit"
