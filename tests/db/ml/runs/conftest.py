"""A checkout with a toy pipeline, and what else runs need."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import yaml

from apps.ml.models import ModelVersion, PipelineRun
from apps.ml.pipeline import files
from apps.ml.policy import SECTIONS
from apps.ml.services import execution, runs
from tests.db.ml.runs.toy import (
    MIDNIGHT,
    NOW,
    ROOT,
    TOY,
)

PARAMS = yaml.safe_load((ROOT / files.PARAMS).read_text())


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
