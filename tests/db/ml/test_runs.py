"""Runs of the pipeline: asked for, executed, failed, resumed; DVC is real, its stages are toys."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import grimp
import pytest
import yaml
from django.conf import settings as real_settings
from django.db import connection
from django.utils import timezone

from apps.matches.models import Event, World
from apps.ml import dataset, tasks
from apps.ml.models import ModelVersion, PipelineRun, Promotion
from apps.ml.pipeline import files
from apps.ml.pipeline.revision import params_sha256
from apps.ml.services import promote, runs, workspaces
from tests.factories import CompetitionFactory, FinishedMatchFactory, SeasonFactory

ROOT = real_settings.BASE_DIR
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
        monkeypatch.setattr(runs, "push", lambda folder: "not in this test")


@pytest.fixture
def pushed(tmp_path) -> Callable[[], list[Path]]:
    """A function that returns what lies in the DVC remote."""
    return lambda: [path for path in (tmp_path / "var" / "dvc-remote").rglob("*") if path.is_file()]


@pytest.fixture
def wakes(monkeypatch) -> list[str]:
    """Topics that were woken."""
    topics: list[str] = []
    monkeypatch.setattr("apps.matches.events.wake", topics.append)
    return topics


@pytest.fixture
def toy(tmp_path, settings) -> Path:
    """A checkout whose pipeline has four small stages; returns the folder of their script."""
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
    (home / files.PARAMS).write_text("train: {rounds: 3}\n")
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
def test_a_run_is_asked_for_as_of_the_latest_midnight_and_wakes_the_workers(toy, wakes):
    run = queued()
    assert (run.status, run.as_of, run.profile, run.requested_by) == ("queued", MIDNIGHT, "smoke", "ann")
    assert run.params == {"train": {"rounds": 3}}
    assert wakes == ["run_requested"]
    event = Event.objects.get(topic="run.changed")
    assert (event.key, event.payload["status"]) == (str(run.pk), "queued")


@pytest.mark.django_db
def test_the_same_run_asked_for_twice_waits_once(toy, wakes):
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
    monkeypatch.setattr(runs, "code_revision", lambda _: revision)
    monkeypatch.setattr(dataset, "data_snapshot", lambda _: snapshot)
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
    monkeypatch.setattr(runs, "code_revision", lambda _: "c")
    monkeypatch.setattr(dataset, "data_snapshot", lambda _: 1)
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
    assert run.error["message"] == "a team does not play itself: 1 rows are not so"
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
    assert (run.status, run.attempts) == ("succeeded", 2)
    assert by_stage(run)["validate_raw"] == "unchanged", "finished stages are not repeated"
    assert made.number == 1


@pytest.mark.django_db
def test_a_run_that_died_three_times_ends_as_failed(toy, wakes):
    run = queued()
    PipelineRun.objects.filter(pk=run.pk).update(
        status="running",
        attempts=3,
        heartbeat_at=NOW - timedelta(minutes=2),
        stages=[{"name": "train", "status": "running"}],
    )
    assert runs.run_due(now=NOW) is None
    run.refresh_from_db()
    assert (run.status, run.error["stage"]) == ("failed", "train")
    assert "3 times" in run.error["message"]


@pytest.mark.django_db
def test_a_run_that_takes_too_long_is_stopped(toy, version, wakes, monkeypatch):
    monkeypatch.setattr(runs, "LIMIT", timedelta(seconds=3))
    run = queued()
    folder = workspaces.make(run)
    (folder / "hang").touch()
    runs.run_due(now=NOW)
    run.refresh_from_db()
    assert run.status == "failed"
    assert "was stopped" in run.error["message"]
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
    assert Event.objects.filter(topic="run.changed").count() <= 2 * seconds + 3


@pytest.mark.django_db
def test_a_world_with_matches_enough_and_no_champion_gets_a_run_a_day(toy, version, wakes, monkeypatch):
    monkeypatch.setattr(runs, "LEAST_MATCHES", 2)
    season = SeasonFactory(competition=CompetitionFactory(is_simulated=True))
    FinishedMatchFactory(season=season)
    assert runs.retrain_due(now=NOW) == []
    FinishedMatchFactory(season=season)
    (run,) = runs.retrain_due(now=NOW)
    assert (run.world, run.requested_by, run.reason) == (World.SANDBOX, "system", "first champion")
    assert runs.retrain_due(now=NOW) == [], "one is under way"
    PipelineRun.objects.update(status="failed", finished_at=NOW)
    assert runs.retrain_due(now=NOW + timedelta(hours=1)) == [], "one failed today"
    assert len(runs.retrain_due(now=NOW + timedelta(days=2))) == 1
    PipelineRun.objects.all().delete()
    promote(version=version(created=True), user=None, reason="first champion", now=NOW)
    assert runs.retrain_due(now=NOW) == [], "there is a champion"


def test_a_run_and_its_copy_to_the_remote_fit_into_the_time_of_their_task():
    assert runs.LIMIT.total_seconds() + runs.PUSH_LIMIT < tasks.run_due.soft_time_limit


@pytest.mark.django_db
def test_the_workspace_of_a_real_run_pins_what_it_was_asked_for(wakes):
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

    assert set(runs.GATES_OF) <= before("train")
    assert "validate_raw" in before("validate_matches")
    assert before("register") | {"register"} == set(STAGES)


def test_each_stage_runs_the_gates_that_its_failure_is_told_by():
    commands = {name: stage["cmd"].partition("apps.ml.pipeline.validate ") for name, stage in STAGES.items()}
    found = {name: tuple(gates.split()) for name, (_, gate, gates) in commands.items() if gate}
    assert found == runs.GATES_OF
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


def _environment() -> dict[str, str]:
    chosen = connection.settings_dict
    address = f"postgresql://{chosen['USER']}:{chosen['PASSWORD']}@{chosen['HOST']}:{chosen['PORT']}/{chosen['NAME']}"
    more = {"SPAI_VAR_DIR": str(real_settings.SPAI_VAR_DIR), "TOY_HOME": str(real_settings.BASE_DIR)}
    return os.environ | {"DATABASE_URL": address, "DJANGO_SETTINGS_MODULE": "spai.settings"} | more


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


def _wait(condition, worker=None, patience: float = 60.0) -> None:
    end = time.monotonic() + patience
    while time.monotonic() < end:
        if condition():
            return
        if worker is not None and worker.poll() is not None:
            pytest.fail(worker.stderr.read().decode())
        time.sleep(0.1)
    pytest.fail("it did not come")
