"""Runs of the pipeline: asked for, executed, failed, resumed; DVC is real, its stages are toys."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import grimp
import psycopg
import pytest
import yaml
from celery import current_app
from celery.utils.imports import symbol_by_name
from django.conf import settings as real_settings
from django.db import connection
from django.utils import timezone

from apps.matches import locks
from apps.matches.locks import Lock, is_taken, try_lock
from apps.matches.models import Event, World
from apps.ml import selectors, tasks
from apps.ml.models import ModelVersion, PipelineRun, Promotion
from apps.ml.pipeline import files
from apps.ml.pipeline.revision import params_sha256
from apps.ml.policy import SECTIONS
from apps.ml.services import cancel_run, execution, failures, promote, retraining, retry_run, runs, workspaces
from tests.database import database_url
from tests.factories import CompetitionFactory, FinishedMatchFactory, SeasonFactory
from tests.subprocesses import child_process

ROOT = real_settings.BASE_DIR
PARAMS = yaml.safe_load((ROOT / files.PARAMS).read_text())
STAGES = yaml.safe_load((ROOT / "dvc.yaml").read_text())["stages"]
NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
MIDNIGHT = datetime(2026, 11, 23, tzinfo=UTC)

TOY = """
import sys, json, pathlib, os, time
stage = sys.argv[1]
data = pathlib.Path("data"); data.mkdir(exist_ok=True)
print("at work on", stage, flush=True)
if stage == "export":
    (data / "raw.txt").write_text("facts")
elif stage == "validate_raw":
    (data / "validation").mkdir(exist_ok=True)
    broken = [{"name": "a team does not play itself", "file": "data/raw/matches.parquet", "passed": False, "count": 1,
               "rows": [{"match_id": 17, "home_team": "Leeds", "away_team": "Leeds"}]}]
    bad = pathlib.Path("bad").exists()
    (data / "validation" / "raw.json").write_text(json.dumps({"broken": broken if bad else []}))
    sys.exit(1 if bad else 0)
elif stage == "train":
    with open(pathlib.Path(__file__).parent / "trained.txt", "a") as log:
        log.write("once ")
    while pathlib.Path("hang").exists():
        time.sleep(0.05)
    (data / "model.txt").write_text((data / "raw.txt").read_text() + " learnt")
elif stage == "register":
    (data / "metrics.json").write_text('{"best": "toy"}')
    (data / "registered.json").write_text((pathlib.Path(__file__).parent / "registered.json").read_text())
"""


@pytest.fixture(autouse=True)
def _var(tmp_path, settings):
    settings.SPAI_VAR_DIR = tmp_path / "var"
    settings.SPAI_DVC_REMOTE = ""


@pytest.fixture(autouse=True)
def _no_push(monkeypatch, request):
    """Pushing takes as long as the rest of a toy run; the tests that are about it take it back."""
    if "pushed" not in request.fixturenames:
        monkeypatch.setattr(execution.Execution, "push", lambda *_: "not in this test")


@pytest.fixture
def pushed(tmp_path) -> Callable[[], list[Path]]:
    """A function that returns what lies in the DVC remote."""
    return lambda: [path for path in (tmp_path / "var" / "dvc-remote").rglob("*") if path.is_file()]


@pytest.fixture
def wakes(monkeypatch) -> list[str]:
    """Topics that were woken."""
    topics: list[str] = []
    monkeypatch.setattr("apps.matches.events.start_tasks_after_commit", topics.append)
    return topics


@pytest.fixture
def toy(tmp_path, settings, monkeypatch) -> Path:
    """A checkout whose pipeline has four small stages; returns the folder of their script.

    Its worlds hold no matches, which a run would otherwise be refused for.
    """
    monkeypatch.setattr(runs, "refuse_impossible", lambda **_: None)
    home = tmp_path / "toy"
    (home / "apps" / "ml").mkdir(parents=True)
    (home / "toy.py").write_text(TOY)
    command = f"{sys.executable} {home / 'toy.py'}"
    stages = {
        "export": {"cmd": f"{command} export", "always_changed": True, "outs": [{"data/raw.txt": {"persist": True}}]},
        "validate_raw": {
            "cmd": f"{command} validate_raw",
            "deps": ["data/raw.txt"],
            "outs": ["data/validation/raw.json"],
        },
        "train": {
            "cmd": f"{command} train",
            "deps": ["data/raw.txt", "data/validation/raw.json"],
            "outs": ["data/model.txt"],
        },
        "register": {
            "cmd": f"{command} register",
            "always_changed": True,
            "deps": ["data/model.txt"],
            "outs": [{"data/registered.json": {"cache": False}}, {"data/metrics.json": {"cache": False}}],
        },
    }
    (home / "dvc.yaml").write_text(yaml.safe_dump({"stages": stages}, sort_keys=False))
    (home / ".dvcignore").write_text(".venv\n")
    (home / "manage.py").touch()
    policy = {name: section for name, section in PARAMS.items() if name in SECTIONS}
    (home / files.PARAMS).write_text(yaml.safe_dump({"train": {"rounds": 3}} | policy))
    settings.BASE_DIR = home
    return home


@pytest.fixture
def version(toy, db):
    """A function that makes the version which the toy's last stage says it registered."""

    def make(*, created: bool, passed: bool = True, run: PipelineRun | None = None) -> ModelVersion:
        made, _ = ModelVersion.objects.get_or_create(
            world="sandbox",
            number=1,
            defaults={
                "mlflow_run_id": "r", "estimator": "toy", "profile": "smoke", "key": "k", "code_revision": "c",
                "data_sha256": "d", "params_sha256": "p", "data_snapshot": 1, "as_of": MIDNIGHT, "rows": 1,
                "trained_from": "2020-01-01", "trained_to": "2021-01-01", "metrics": {}, "created_at": NOW,
                "bundle": b"", "bundle_sha256": "b", "gates": [{"name": "g", "passed": passed}], "pipeline_run": run,
            },
        )  # fmt: skip
        files.write_json(toy / "registered.json", {"id": made.pk, "created": created})
        return made

    return make


def queued(**more) -> PipelineRun:
    wanted = {"world": "sandbox", "profile": "smoke", "requested_by": "ann", "reason": "try", "now": NOW}
    return runs.queue_run(**wanted | more)


def by_stage(run: PipelineRun) -> dict[str, str]:
    return {stage["name"]: stage["status"] for stage in run.stages}


def trained(toy: Path) -> int:
    log = toy / "trained.txt"
    return log.read_text().count("once") if log.exists() else 0


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
def test_a_run_goes_through_its_stages_and_promotes_a_first_champion(toy, version, wakes, pushed):
    made = version(created=True)
    run = queued()
    assert runs.run_due(now=NOW) == run
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert by_stage(run) == dict.fromkeys(("export", "validate_raw", "train", "register"), "done")
    assert all(stage["seconds"] >= 0 and stage["started_at"] for stage in run.stages)
    assert "at work on train" in run.log
    logs = dict(run.stage_logs.values_list("stage", "text"))
    assert logs.keys() == {"export", "validate_raw", "train", "register"}
    assert "at work on train" in logs["train"]
    assert "at work on export" not in logs["train"]
    assert "new model 1 (sandbox)" in run.log
    assert run.metrics == {"best": "toy"}
    assert "data/model.txt" in run.dvc_lock
    assert run.error == {}
    assert run.code_revision
    assert run.finished_at >= run.started_at
    assert Promotion.objects.get().version == made
    assert pushed(), "what was made is kept in the remote"
    assert "files pushed" in run.log
    assert runs.run_due(now=NOW) is None


@pytest.mark.django_db
def test_what_a_run_leaves_is_for_its_owner_alone(toy, version, wakes, pushed, tmp_path):
    version(created=True)
    queued()
    # As every part of the stack runs.
    before = os.umask(0o077)
    try:
        assert runs.run_due(now=NOW).status == "succeeded"
    finally:
        os.umask(before)
    var = tmp_path / "var"
    assert not [path for path in (var, *var.iterdir()) if path.is_dir() and path.stat().st_mode & 0o077]
    files = [path for path in (var / "runs").rglob("*") if path.is_file() and not path.is_symlink()]
    ours = [path for path in files if not path.resolve().is_relative_to(toy) and ".venv" not in path.parts]
    assert ours
    # DVC's own mark is the only one left, behind closed folders: r--r--r--.
    assert {oct(path.stat().st_mode & 0o777) for path in ours if path.stat().st_mode & 0o077} <= {"0o444"}


@pytest.mark.django_db
def test_a_version_that_a_gate_refused_is_not_promoted(toy, version, wakes):
    version(created=True, passed=False)
    queued()
    assert runs.run_due(now=NOW).status == "succeeded"
    assert not Promotion.objects.exists()


@pytest.mark.django_db
def test_a_second_run_trains_nothing_and_says_unchanged(toy, version, wakes):
    version(created=True)
    queued()
    runs.run_due(now=NOW)
    version(created=False)
    again = queued()
    runs.run_due(now=NOW)
    again.refresh_from_db()
    assert again.status == "unchanged"
    assert by_stage(again) == {"export": "done", "validate_raw": "unchanged", "train": "unchanged", "register": "done"}
    assert trained(toy) == 1
    assert (workspaces.folder_of(again) / "data" / "model.txt").read_text() == "facts learnt"


@pytest.mark.django_db
@pytest.mark.parametrize(
    ("revision", "snapshot", "rounds", "is_left"),
    [("c", 1, 3, True), ("c+dirty", 1, 3, False), ("d", 1, 3, False), ("c", 2, 3, False), ("c", 1, 4, False)],
)
def test_what_the_same_facts_parameters_and_code_have_made_is_not_made_again(
    toy, version, wakes, monkeypatch, revision, snapshot, rounds, is_left
):
    made = version(created=False)
    made.params_sha256 = params_sha256({"train": {"rounds": 3}}, "smoke")
    made.code_revision = "c+dirty" if revision == "c+dirty" else "c"
    made.metrics = {"best": "toy"}
    made.save()
    monkeypatch.setattr(execution, "code_revision", lambda _: revision)
    monkeypatch.setattr(execution, "data_snapshot", lambda _: snapshot)
    (toy / files.PARAMS).write_text(f"train: {{rounds: {rounds}}}\n")
    run = queued()
    runs.run_due(now=NOW)
    run.refresh_from_db()
    assert run.status == "unchanged"
    assert workspaces.folder_of(run).exists() is not is_left
    assert (set(by_stage(run).values()) == {"unchanged"}) is is_left
    assert run.metrics["best"] == "toy"


@pytest.mark.django_db
def test_a_version_that_an_earlier_attempt_of_the_run_made_ends_it_as_succeeded(toy, version, wakes, monkeypatch):
    run = queued()
    made = version(created=False)
    made.params_sha256, made.pipeline_run = params_sha256(run.params, "smoke"), run
    made.save()
    monkeypatch.setattr(execution, "code_revision", lambda _: "c")
    monkeypatch.setattr(execution, "data_snapshot", lambda _: 1)
    runs.run_due(now=NOW)
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert by_stage(run)["train"] == "done"
    assert run.dvc_lock


@pytest.mark.django_db
def test_other_parameters_train_again(toy, version, wakes):
    stages = yaml.safe_load((toy / "dvc.yaml").read_text())
    stages["stages"]["train"]["params"] = [{"apps/ml/params.yaml": ["train"]}]
    (toy / "dvc.yaml").write_text(yaml.safe_dump(stages, sort_keys=False))
    version(created=True)
    queued()
    runs.run_due(now=NOW)
    (toy / files.PARAMS).write_text("train: {rounds: 4}\n")
    queued()
    runs.run_due(now=NOW)
    assert trained(toy) == 2


@pytest.mark.django_db
def test_a_failed_gate_names_its_rows_and_leaves_what_comes_after_untouched(toy, version, wakes):
    version(created=True)
    run = queued()
    folder = workspaces.make(run)
    (folder / "bad").touch()
    (folder / "data").mkdir()
    (folder / "data" / "model.txt").write_text("of an earlier attempt")
    runs.run_due(now=NOW)
    run.refresh_from_db()
    assert run.status == "failed"
    assert by_stage(run) == {"export": "done", "validate_raw": "failed", "train": "waiting", "register": "waiting"}
    assert run.error["stage"] == "validate_raw"
    assert run.error["rows"] == [
        "data/raw/matches.parquet: a team does not play itself: match_id=17, home_team=Leeds, away_team=Leeds"
    ]
    assert run.error["message"] == "a team does not play itself: broken by 1 rows"
    assert "correct or re-import" in run.error["next_step"]
    assert (folder / "data" / "model.txt").read_text() == "of an earlier attempt"
    assert trained(toy) == 0
    assert Event.objects.filter(topic="run.changed", payload__status="failed").exists()


@pytest.mark.django_db
def test_a_stage_that_breaks_shows_its_last_words(toy, version, wakes):
    version(created=True)
    (toy / "toy.py").write_text(
        TOY.replace('elif stage == "train":', 'elif stage == "train":\n    sys.exit("no memory left")')
    )
    run = queued()
    runs.run_due(now=NOW)
    run.refresh_from_db()
    assert (run.status, run.error["stage"], run.error["message"]) == ("failed", "train", "no memory left")


@pytest.mark.django_db
def test_what_dvc_itself_refuses_is_told(toy, version, wakes):
    (toy / "dvc.yaml").write_text((toy / "dvc.yaml").read_text().replace("- data/raw.txt\n", "- data/other.txt\n"))
    run = queued()
    runs.run_due(now=NOW)
    run.refresh_from_db()
    assert run.status == "failed"
    assert "data/other.txt" in run.error["message"]


@pytest.mark.django_db(transaction=True)
def test_a_run_whose_worker_was_killed_dies_with_it_and_is_resumed(toy, version, wakes):
    made = version(created=True)
    run = queued()
    folder = workspaces.make(run)
    (folder / "hang").touch()
    worker = subprocess.Popen([sys.executable, "-c", _WORKER], cwd=ROOT, env=_environment(), stderr=subprocess.PIPE)
    try:
        _wait(lambda: _fresh(run).stages and by_stage(_fresh(run)).get("train") == "running", worker)
        assert runs.run_due(now=timezone.now()) is None, "another worker holds the lock"
        stages = _processes(folder)
        assert stages
    finally:
        worker.send_signal(signal.SIGKILL)
        worker.wait()
        worker.stderr.close()
    _wait(lambda: not _processes(folder))
    (folder / "hang").unlink()
    assert runs.run_due(now=timezone.now()) is None, "its heartbeat is fresh"
    later = timezone.now() + timedelta(minutes=1)
    _wait(lambda: runs.run_due(now=later) is not None)
    run = _fresh(run)
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
    _crash_in_train(toy, times=1)
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
    _crash_in_train(toy, times=99)
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
    assert not _processes(folder), "nothing of it is left at work"
    assert Event.objects.filter(topic="run.changed", payload__status="interrupted").exists()
    (folder / "hang").unlink()
    assert runs.run_due(now=NOW) == run, "no later run overtakes it"
    run.refresh_from_db()
    assert (run.status, run.attempts) == ("succeeded", 1)
    assert "Interrupted in train" in run.log
    assert run.metrics == {"best": "toy"}
    assert _fresh(later).status == "queued"


@pytest.mark.django_db
def test_a_worker_that_is_asked_to_end_begins_no_run(toy, wakes):
    run = queued()
    assert runs.run_due(now=NOW, is_stopping=lambda: True) is None
    assert _fresh(run).status == "queued"


@pytest.mark.django_db
def test_a_running_run_that_is_cancelled_ends_with_its_processes_and_gives_way_to_the_next(toy, version, wakes):
    version(created=True)
    run = queued()
    folder = workspaces.make(run)
    (folder / "hang").touch()

    def cancel_once_it_trains() -> bool:
        if by_stage(_fresh(run)).get("train") == "running" and "validate_raw" in _fresh(run).dvc_lock:
            cancel_run(run_id=run.pk, by="ann", now=NOW)
        return False

    runs.run_due(now=NOW, is_stopping=cancel_once_it_trains)
    run.refresh_from_db()
    assert (run.status, run.cancelled_by, run.finished_at, run.error) == ("cancelled", "ann", NOW, {})
    assert by_stage(run) == {"export": "done", "validate_raw": "done", "train": "cancelled", "register": "waiting"}
    assert not _processes(folder), "nothing of it is left at work"
    assert Event.objects.filter(topic="run.changed", payload__status="cancelled").exists()
    assert not is_taken(Lock.RUN)
    assert runs.run_due(now=NOW) is None, "it is not resumed"
    assert set(yaml.safe_load(run.dvc_lock)["stages"]) == {"export", "validate_raw"}, "a retry may begin with train"


@pytest.mark.django_db
def test_a_run_that_is_cancelled_after_its_last_stage_promotes_nothing(toy, version, wakes, monkeypatch):
    version(created=True)
    run = queued()
    succeed = execution.Execution._succeed

    def cancel_first(self, *place) -> None:
        cancel_run(run_id=run.pk, by="ann", now=NOW)
        succeed(self, *place)

    monkeypatch.setattr(execution.Execution, "_succeed", cancel_first)
    runs.run_due(now=NOW)
    assert _fresh(run).status == "cancelled"
    assert not Promotion.objects.exists()


@pytest.mark.django_db
def test_a_retry_keeps_the_earlier_stages_and_makes_the_others_anew(toy, version, wakes):
    version(created=True)
    (toy / "toy.py").write_text(TOY.replace('elif stage == "train":', 'elif stage == "train":\n    sys.exit("full")'))
    failed = queued(overrides={}, tags=["night"])
    runs.run_due(now=NOW)
    (toy / "toy.py").write_text(TOY.replace('write_text("facts")', 'write_text("other facts")'))
    run = retry_run(run_id=failed.pk, stage="train", by="ann", now=NOW)
    assert retry_run(run_id=failed.pk, stage="train", by="ann", now=NOW) == run, "a double click"
    assert (run.retry_of, run.first_stage, run.tags) == (failed, "train", ["night"])
    runs.run_due(now=NOW)
    run = _fresh(run)
    assert (run.status, run.error) == ("succeeded", {})
    assert by_stage(run) == {"export": "unchanged", "validate_raw": "unchanged", "train": "done", "register": "done"}
    assert (workspaces.folder_of(run) / "data" / "model.txt").read_text() == "facts learnt"
    assert _fresh(failed).status == "failed", "what happened stays as it was"
    again = retry_run(run_id=run.pk, stage="train", by="ann", now=NOW)
    shutil.rmtree(toy.parent / "var" / "dvc-cache")
    runs.run_due(now=NOW)
    assert (_fresh(again).status, _fresh(again).error["message"]) == ("failed", failures.GONE)


@pytest.mark.django_db
def test_a_retry_trains_although_nothing_has_changed(toy, version, wakes):
    version(created=True)
    run = queued()
    runs.run_due(now=NOW)
    retry_run(run_id=run.pk, stage="train", by="ann", now=NOW)
    runs.run_due(now=NOW)
    assert trained(toy) == 2


@pytest.mark.django_db
def test_no_run_overtakes_one_whose_executor_may_be_alive(toy, wakes):
    run = queued()
    queued(profile="production")
    PipelineRun.objects.filter(pk=run.pk).update(status="running", heartbeat_at=NOW - timedelta(seconds=5))
    assert runs.run_due(now=NOW) is None


@pytest.mark.django_db(transaction=True)
def test_a_run_goes_on_while_the_database_is_away_and_names_it(toy, version, wakes):
    version(created=True)
    run = queued()
    folder = workspaces.make(run)
    (folder / "hang").touch()
    with _worker() as worker:
        _wait(lambda: by_stage(_fresh(run)).get("train") == "running", worker)
        before = _fresh(run).heartbeat_at
        _end_other_sessions()
        _wait(lambda: "The connection to PostgreSQL was lost" in _fresh(run).log, worker)
        assert _fresh(run).heartbeat_at > before
        assert runs.run_due(now=timezone.now()) is None, "it holds the lock again"
        (folder / "hang").unlink()
        assert worker.wait(60) == 0
    run = _fresh(run)
    assert (run.status, run.attempts, run.interruptions) == ("succeeded", 1, [])
    assert trained(toy) == 1, "the stage went on"


@pytest.mark.django_db(transaction=True)
def test_an_executor_that_was_replaced_stops_its_stages_and_writes_nothing_more(toy, version, wakes):
    run = queued()
    folder = workspaces.make(run)
    (folder / "hang").touch()
    with _worker() as worker:
        _wait(lambda: by_stage(_fresh(run)).get("train") == "running", worker)
        PipelineRun.objects.filter(pk=run.pk).update(executor="another process", log="its log")
        assert worker.wait(60) == 0
    assert not _processes(folder)
    assert (_fresh(run).status, _fresh(run).log) == ("running", "its log")


@pytest.mark.django_db(transaction=True)
def test_a_run_that_was_taken_over_while_the_database_was_away_repeats_nothing(toy, version, wakes, monkeypatch):
    version(created=True)
    run = queued()
    tried = []

    def lose_the_run(**_) -> None:
        tried.append("promote")
        if len(tried) == 1:
            PipelineRun.objects.filter(pk=run.pk).update(executor="another process", log="its log")
            _end_own_session()

    monkeypatch.setattr(execution, "promote_first_champion", lose_the_run)
    runs.run_due(now=timezone.now())
    assert tried == ["promote"]
    assert (_fresh(run).status, _fresh(run).log) == ("running", "its log")


@pytest.mark.django_db(transaction=True)
def test_an_executor_that_is_frozen_loses_the_lock_and_goes_on_only_when_it_is_free(toy, version, wakes, monkeypatch):
    version(created=True)
    run = queued()
    monkeypatch.setattr(locks, "RUN_PAUSE", 2.0)
    held = []

    def freeze(**_) -> None:
        held.append(_holds(connection.connection.info.backend_pid))
        if len(held) == 1:
            end = time.monotonic() + 60
            while not other.execute("SELECT pg_try_advisory_lock(%s)", [Lock.RUN]).fetchone()[0]:
                assert time.monotonic() < end
                time.sleep(0.05)
            connection.cursor().execute("SELECT 1")

    def release() -> bool:
        if held and not other.closed and _holds(other.info.backend_pid):
            other.close()
        return False

    monkeypatch.setattr(execution, "promote_first_champion", freeze)
    with psycopg.connect(database_url(), autocommit=True) as other:
        runs.run_due(now=timezone.now(), is_stopping=release)
    assert held == [True, True]
    assert _fresh(run).status == "succeeded"
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
    monkeypatch.setattr(execution, "LOADED_CODE", "of before")
    runs.run_due(now=timezone.now())
    found = _fresh(run)
    assert (found.status, found.interruptions[-1]["cause"]) == ("interrupted", execution.NEW_CODE)
    assert runs.run_due(now=timezone.now()) is None, "this process still has the code of before"
    assert len(_fresh(run).interruptions) == 1
    script.write_text(sound)
    monkeypatch.setattr(execution, "LOADED_CODE", execution.run_code_sha256())
    runs.run_due(now=timezone.now())
    assert _fresh(run).status == "succeeded"


@pytest.mark.django_db(transaction=True)
def test_what_a_lost_database_cut_short_is_repeated_under_the_lock_only(toy, version, wakes, monkeypatch):
    version(created=True)
    run = queued()
    held = []

    def lose_the_lock(**_) -> None:
        connection.ensure_connection()
        held.append(_holds(connection.connection.info.backend_pid))
        if len(held) == 1:
            ours = connection.connection.info.backend_pid
            other.execute("SELECT pg_terminate_backend(%s)", [ours])
            other.execute("SELECT pg_advisory_lock(%s)", [Lock.RUN])
            connection.cursor().execute("SELECT 1")

    def release() -> bool:
        # Asked between two tries: the lock of the other session is seen once, then it is released.
        if held and not other.closed:
            assert _holds(other.info.backend_pid)
            other.close()
        return False

    monkeypatch.setattr(execution, "promote_first_champion", lose_the_lock)
    with psycopg.connect(database_url(), autocommit=True) as other:
        runs.run_due(now=timezone.now(), is_stopping=release)
    assert held == [True, True]
    assert _fresh(run).status == "succeeded"
    assert not is_taken(Lock.RUN)


@pytest.mark.django_db(transaction=True)
def test_a_worker_ended_by_a_signal_puts_its_run_in_order_first(toy, version, wakes):
    run = queued()
    folder = workspaces.make(run)
    (folder / "hang").touch()
    with _worker() as worker:
        _wait(lambda: by_stage(_fresh(run)).get("train") == "running", worker)
        worker.terminate()
        assert worker.wait(60) == -signal.SIGTERM
    assert (_fresh(run).status, _fresh(run).interruptions[0]["kind"]) == ("interrupted", "stopped")


@pytest.mark.django_db(transaction=True)
def test_a_run_whose_worker_was_killed_is_shown_as_interrupted(toy, version, wakes):
    run = queued()
    (workspaces.make(run) / "hang").touch()
    with _worker() as worker:
        _wait(lambda: by_stage(_fresh(run)).get("train") == "running", worker)
        assert selectors.latest_run(World.SANDBOX).status == "running"
        assert selectors.runs_by_status() == {"running": 1}
        worker.kill()
        worker.wait()
    _wait(lambda: selectors.latest_run(World.SANDBOX).status == "interrupted", patience=20)
    assert by_stage(selectors.latest_run(World.SANDBOX))["train"] == "interrupted"
    assert selectors.runs_by_status() == {"running": 0, "interrupted": 1}


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


@pytest.mark.django_db
@pytest.mark.parametrize("name", ["metrics.json", "dvc.lock"])
def test_a_run_whose_results_cannot_be_read_fails_and_promotes_nothing(toy, version, wakes, monkeypatch, name):
    version(created=True)
    before = Path.read_text

    def read_text(path: Path, *args, **kwargs) -> str:
        if path.name == name:
            raise OSError(5, "Input/output error")
        return before(path, *args, **kwargs)

    monkeypatch.setattr(Path, "read_text", read_text)
    run = queued()
    runs.run_due(now=NOW)
    run.refresh_from_db()
    assert (run.status, run.metrics, run.error["message"]) == ("failed", {}, "OSError: [Errno 5] Input/output error")
    assert run.finished_at
    assert not Promotion.objects.exists()


@pytest.mark.django_db
def test_a_run_that_fails_at_the_promotion_is_failed_though_it_made_nothing_new(toy, version, wakes, monkeypatch):
    def refuse(**_):
        raise ValueError("no promotion")

    monkeypatch.setattr(execution, "promote_first_champion", refuse)
    made = version(created=False)
    monkeypatch.setattr(execution, "_made_from_the_same", lambda _: made)
    run = queued()
    runs.run_due(now=NOW)
    run.refresh_from_db()
    assert (run.status, run.error["message"]) == ("failed", "ValueError: no promotion")


@pytest.mark.django_db
def test_nul_bytes_in_the_output_and_the_lock_file_do_not_keep_a_run_from_ending(toy, version, wakes):
    version(created=True)
    (toy / "toy.py").write_text(TOY.replace('elif stage == "train":', 'elif stage == "train":\n    sys.exit("a\\0b")'))
    run = queued()
    runs.run_due(now=NOW)
    run.refresh_from_db()
    assert (run.status, run.error["stage"], run.error["message"]) == ("failed", "train", "a\ufffdb")
    assert "a\ufffdb" in run.log


@pytest.mark.django_db
def test_a_lock_file_that_a_crash_of_the_machine_left_full_of_nul_fails_the_run(toy, version, wakes):
    run = queued()
    (workspaces.make(run) / "dvc.lock").write_bytes(b"\0" * 10)
    runs.run_due(now=NOW)
    run.refresh_from_db()
    assert (run.status, run.dvc_lock) == ("failed", "\ufffd" * 10)


@pytest.mark.django_db
def test_a_folder_that_another_process_works_in_is_one_interruption_however_often_it_is_tried(
    toy, version, wakes, monkeypatch
):
    monkeypatch.setattr(workspaces, "PATIENCE", 0.0)
    version(created=True)
    run = queued()
    with workspaces.locked(run) as handle:
        assert handle is not None
        for _ in range(3):
            runs.run_due(now=NOW)
    run.refresh_from_db()
    assert run.status == "interrupted"
    (noted,) = run.interruptions
    assert noted["cause"] == execution.BUSY
    assert len(run.log.splitlines()) == 2
    runs.run_due(now=NOW)
    assert _fresh(run).status == "succeeded"


@pytest.mark.django_db
def test_a_worker_that_is_stopped_again_in_the_same_stage_is_noted_again(toy, version, wakes):
    version(created=True)
    run = queued()
    (workspaces.make(run) / "hang").touch()
    for times in (1, 2):
        runs.run_due(now=NOW, is_stopping=lambda times=times: trained(toy) >= times)
    assert [noted["stage"] for noted in _fresh(run).interruptions] == ["train", "train"]


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
        [sys.executable, "-c", _FORKED], cwd=ROOT, env=_environment(), capture_output=True, text=True, check=True
    )
    assert child.stdout.split() == ["False", "True"]


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


@pytest.mark.django_db
def test_a_stage_that_takes_too_long_is_stopped_and_named_with_what_to_do(toy, version, wakes, settings):
    run = queued()
    folder = workspaces.make(run)
    (folder / "hang").touch()

    def limit_once_it_trains() -> bool:
        if trained(toy):
            settings.SPAI_STAGE_LIMIT = timedelta()
        return False

    runs.run_due(now=NOW, is_stopping=limit_once_it_trains)
    run.refresh_from_db()
    assert (run.status, run.error["stage"]) == ("failed", "train")
    assert "was stopped" in run.error["message"]
    assert "SPAI_STAGE_LIMIT_MINUTES" in run.error["next_step"]
    assert not _processes(folder)


@pytest.mark.django_db
def test_a_stage_that_says_much_writes_the_row_twice_a_second_and_keeps_the_latest_lines(toy, version, wakes):
    version(created=True)
    chatty = 'elif stage == "train":\n    for number in range(2000): print("step", number, flush=True)'
    (toy / "toy.py").write_text(TOY.replace('elif stage == "train":', chatty))
    run = queued()
    runs.run_due(now=NOW)
    run.refresh_from_db()
    assert run.status == "succeeded"
    assert "step 1999" in run.log
    assert "step 1000" not in run.log
    seconds = (run.finished_at - run.started_at).total_seconds()
    # Beside these, each change of the status or of the stage is written at once.
    assert Event.objects.filter(topic="run.changed").count() <= 2 * seconds + 10


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
    made_by = {_path(out): name for name, stage in STAGES.items() for out in stage.get("outs", [])}

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


def _path(out: str | dict) -> str:
    return out if isinstance(out, str) else next(iter(out))


_WORKER = """
import django; django.setup()
from django.conf import settings
import os, pathlib
settings.BASE_DIR = pathlib.Path(os.environ["TOY_HOME"])
from django.utils import timezone
from apps.ml.services import runs
runs.run_due(now=timezone.now())
"""


_FORKED = """
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


@contextlib.contextmanager
def _worker() -> Iterator[subprocess.Popen]:
    """A process that executes the run that is due."""
    with child_process([sys.executable, "-c", _WORKER], cwd=ROOT, env=_environment(), stderr=subprocess.PIPE) as found:
        yield found


def _end_other_sessions() -> None:
    """End the connections of all other processes, as a restart of PostgreSQL does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
            " WHERE datname = current_database() AND pid <> pg_backend_pid()"
        )


def _end_own_session() -> None:
    """End the connection of this process; raises what a lost connection raises."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_terminate_backend(pg_backend_pid())")


def _holds(pid: int) -> bool:
    """Whether a session of PostgreSQL holds the lock of the runs."""
    with psycopg.connect(database_url()) as look:
        found = look.execute(
            "SELECT FROM pg_locks WHERE locktype = 'advisory' AND granted AND pid = %s AND classid = %s AND objid = %s",
            [pid, Lock.RUN >> 32, Lock.RUN & 0xFFFF_FFFF],
        )
        return found.fetchone() is not None


def _crash_in_train(toy: Path, *, times: int) -> None:
    """Let the stage be killed, as the system does when memory runs out, as often as it is said."""
    script = f"""elif stage == "train":
    count = pathlib.Path(__file__).parent / "crashes"
    done = int(count.read_text()) if count.exists() else 0
    if done < {times}:
        count.write_text(str(done + 1))
        os.kill(os.getpid(), 9)
"""
    (toy / "toy.py").write_text(TOY.replace('elif stage == "train":\n', script))


def _environment() -> dict[str, str]:
    more = {"SPAI_VAR_DIR": str(real_settings.SPAI_VAR_DIR), "TOY_HOME": str(real_settings.BASE_DIR)}
    return os.environ | {"DATABASE_URL": database_url(), "DJANGO_SETTINGS_MODULE": "spai.settings"} | more


def _fresh(run: PipelineRun) -> PipelineRun:
    return PipelineRun.objects.get(pk=run.pk)


def _processes(folder: Path) -> list[int]:
    """Return the processes that work in a folder."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink().is_relative_to(folder):
                found.append(int(entry.name))
        except OSError:
            continue
    return found


def _wait(condition, worker=None, patience: float = 300.0) -> None:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if condition():
            return
        if worker is not None and worker.poll() is not None:
            pytest.fail(worker.stderr.read().decode())
        time.sleep(0.1)
    pytest.fail("it did not come")
