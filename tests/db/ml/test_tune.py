"""The search for parameters as its operator starts it: one study in PostgreSQL, and values that can be committed."""

from __future__ import annotations

import shutil
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from apps.ml.management.commands import tune_model
from apps.ml.pipeline import files


@pytest.mark.django_db(transaction=True)
def test_processes_share_a_study_in_a_schema_of_its_own():
    import optuna

    address = tune_model.study_url()
    kept = [optuna.storages.RDBStorage(address) for _ in range(2)]
    try:
        for storage, loss in zip(kept, (1.0, 0.5), strict=True):
            study = optuna.create_study(storage=storage, study_name="shared", load_if_exists=True)
            study.optimize(lambda _, loss=loss: loss, n_trials=1)
        assert [trial.value for trial in study.trials] == [1.0, 0.5]
        with connection.cursor() as cursor:
            cursor.execute("SELECT table_schema FROM information_schema.tables WHERE table_name = 'studies'")
            assert cursor.fetchall() == [(tune_model.SCHEMA,)]
    finally:
        for storage in kept:
            storage.engine.dispose()
        with connection.cursor() as cursor:
            cursor.execute(f"DROP SCHEMA {tune_model.SCHEMA} CASCADE")


def test_what_was_found_is_written_and_all_else_stays(settings, tmp_path):
    path = tmp_path / "params.yaml"
    shutil.copy(settings.BASE_DIR / files.PARAMS, path)
    before = path.read_text(encoding="utf-8").splitlines()
    tune_model.apply(path, "production", "xgboost", {"rounds": 123, "booster.eta": 0.0625})
    after = path.read_text(encoding="utf-8").splitlines()
    moved = [(old, new) for old, new in zip(before, after, strict=True) if old != new]
    assert len(moved) == 2
    assert moved[0][1].strip() == "rounds: 123"
    assert "eta: 0.0625" in moved[1][1]


def test_what_moves_along_because_it_shares_an_anchor_is_named(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text(
        "train:\n"
        "  smoke:\n"
        "    logit: &logit {columns: [a], l2: 1.0}\n"
        "  production:\n"
        "    logit: *logit\n"
        "    xgboost: {rounds: 2, logit: *logit}\n"
    )
    moved = tune_model.apply(path, "production", "logit", {"l2": 5.0})
    assert moved == ["smoke.logit.l2", "production.xgboost.logit.l2"]
    assert tune_model.apply(path, "production", "xgboost", {"rounds": 3}) == []


@pytest.mark.django_db
def test_an_estimator_without_a_space_is_refused_with_those_that_have_one():
    with pytest.raises(CommandError, match="base_rates has no search space; there are xgboost"):
        call_command("tune_model", "base_rates", stdout=StringIO())


@pytest.mark.django_db
def test_the_operator_is_reported_what_was_found_by_a_search_in_a_folder_of_its_own(monkeypatch, settings, tmp_path):
    settings.SPAI_VAR_DIR = tmp_path
    started = []

    def status(command, root, more):
        started.append((command[2], more))
        pinned = files.read_params(root)["run"]
        assert (pinned["world"], pinned["profile"], pinned["as_of"]) == (
            "sandbox",
            "smoke",
            "2026-11-24T00:00:00+00:00",
        )
        if command[2] == "apps.ml.pipeline.tune":
            found = {"log_loss": 1.0, "log_loss_before": 1.1, "values": {"l2": 123.0}}
            files.write_json(Path(command[command.index("--result") + 1]), found)
        return 0

    monkeypatch.setattr(tune_model, "_status", status)
    monkeypatch.setattr(tune_model, "study_url", lambda: "sqlite://")
    out = StringIO()
    given = {"world": "sandbox", "profile": "smoke", "as_of": "2026-11-24T00:00:00Z"}
    call_command("tune_model", "logit", **given, stdout=out)
    assert [name for name, _ in started] == ["dvc", "apps.ml.pipeline.tune"]
    assert started[1][1] == {tune_model.tune.STUDY_URL: "sqlite://"}
    assert "train.smoke.logit.l2: 123.0" in out.getvalue()
