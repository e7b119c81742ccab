"""Runs of the pipeline: executed, failed, cancelled, retried; DVC is real, its stages are toys."""

from __future__ import annotations

import os
import shutil
from datetime import timedelta
from pathlib import Path

import pytest
import yaml

from apps.matches.locks import Lock, is_taken
from apps.matches.models import Event
from apps.ml.models import Promotion
from apps.ml.pipeline import files
from apps.ml.pipeline.revision import params_sha256
from apps.ml.services import cancel_run, execution, failures, retry_run, run_outcomes, run_row, runs, workspaces
from tests.db.ml.runs.toy import (
    NOW,
    TOY,
    by_stage,
    fresh,
    processes_in,
    queued,
    trained,
)

pytestmark = pytest.mark.runs


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
    monkeypatch.setattr(run_row, "code_revision", lambda _: revision)
    monkeypatch.setattr(run_outcomes, "data_snapshot", lambda _: snapshot)
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
    monkeypatch.setattr(run_row, "code_revision", lambda _: "c")
    monkeypatch.setattr(run_outcomes, "data_snapshot", lambda _: 1)
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


@pytest.mark.django_db
def test_a_running_run_that_is_cancelled_ends_with_its_processes_and_gives_way_to_the_next(toy, version, wakes):
    version(created=True)
    run = queued()
    folder = workspaces.make(run)
    (folder / "hang").touch()

    def cancel_once_it_trains() -> bool:
        if by_stage(fresh(run)).get("train") == "running" and "validate_raw" in fresh(run).dvc_lock:
            cancel_run(run_id=run.pk, by="ann", now=NOW)
        return False

    runs.run_due(now=NOW, is_stopping=cancel_once_it_trains)
    run.refresh_from_db()
    assert (run.status, run.cancelled_by, run.finished_at, run.error) == ("cancelled", "ann", NOW, {})
    assert by_stage(run) == {"export": "done", "validate_raw": "done", "train": "cancelled", "register": "waiting"}
    assert not processes_in(folder), "nothing of it is left at work"
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
    assert fresh(run).status == "cancelled"
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
    run = fresh(run)
    assert (run.status, run.error) == ("succeeded", {})
    assert by_stage(run) == {"export": "unchanged", "validate_raw": "unchanged", "train": "done", "register": "done"}
    assert (workspaces.folder_of(run) / "data" / "model.txt").read_text() == "facts learnt"
    assert fresh(failed).status == "failed", "what happened stays as it was"
    again = retry_run(run_id=run.pk, stage="train", by="ann", now=NOW)
    shutil.rmtree(toy.parent / "var" / "dvc-cache")
    runs.run_due(now=NOW)
    assert (fresh(again).status, fresh(again).error["message"]) == ("failed", failures.GONE)


@pytest.mark.django_db
def test_a_retry_trains_although_nothing_has_changed(toy, version, wakes):
    version(created=True)
    run = queued()
    runs.run_due(now=NOW)
    retry_run(run_id=run.pk, stage="train", by="ann", now=NOW)
    runs.run_due(now=NOW)
    assert trained(toy) == 2


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

    monkeypatch.setattr(run_outcomes, "promote_first_champion", refuse)
    made = version(created=False)
    monkeypatch.setattr(run_outcomes, "made_from_the_same", lambda _: made)
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
    assert not processes_in(folder)


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
