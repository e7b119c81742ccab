"""The search for parameters: on which steps, within which bounds, and what two searches share."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path

import numpy as np
import pytest

from apps.ml.forecasting.estimators import create
from apps.ml.pipeline import files, tune
from apps.ml.pipeline.train import Matrix
from apps.ml.pipeline.tune import NothingToTuneError
from tests.pure.pipeline.small_world import small_params

SPACE = {"rounds": {"low": 2, "high": 9, "log": True}, "booster.eta": {"low": 0.05, "high": 0.3}}


@pytest.fixture(scope="module")
def params() -> dict:
    found = small_params()
    found["tune"] = {"steps": 1, "unpruned": 2, "spaces": {"logit": {"l2": {"low": 1.0, "high": 9e4, "log": True}}}}
    found["split"]["test_refits"] = 2
    return found


@pytest.fixture(scope="module")
def matrix(built, params) -> Matrix:
    return Matrix.read(built, [create("logit", params["train"]["smoke"]["logit"], seed=0)], files.FEATURES)


@pytest.fixture(scope="module")
def first_tested(built) -> datetime:
    plan = files.read_json(built / files.FOLDS)["folds"]
    return datetime.fromisoformat(next(step["start"] for step in plan if step["purpose"] == "test"))


def search(params, matrix, steps, storage, **more):
    given = {"name": "a study", "storage": storage, "seconds": 60.0, "trials": 3, "log": lambda _: None} | more
    return tune.search("logit", params, "smoke", matrix, steps, **given)


def test_a_search_sees_nothing_that_was_known_after_the_first_tested_step_began(matrix, params, first_tested):
    (rows,) = tune.steps_before(matrix.keys, first_tested, params)
    learnt, asked = matrix.keys.loc[rows.train], matrix.keys.loc[rows.test]
    assert (learnt["known_at"] < rows.start).all()
    assert (asked["as_of"] >= rows.start).all()
    assert (asked["known_at"] < first_tested).all()
    assert min(len(learnt), len(asked)) >= params["split"]["least_rows"]


def test_a_history_without_an_earlier_step_is_refused_with_what_is_missing(matrix, params):
    with pytest.raises(NothingToTuneError, match="are too few"):
        tune.steps_before(matrix.keys, matrix.keys["known_at"].iloc[250].to_pydatetime(), params)


def test_the_loss_of_a_trial_is_the_mean_over_all_rows_so_far(matrix, params, first_tested):
    (rows,) = tune.steps_before(matrix.keys, first_tested, params)
    section, y = params["train"]["smoke"]["logit"], matrix.keys["outcome"].to_numpy(dtype=np.int64)
    once, twice = tune.losses("logit", section, 0, matrix, [rows, rows])
    fitted = create("logit", section, seed=0).fit(matrix.X[rows.train], y[rows.train], names=matrix.names)
    chosen = fitted.predict_proba(matrix.X[rows.test])[np.arange(len(rows.test)), y[rows.test]]
    assert once == pytest.approx(-np.log(chosen).mean(), abs=1e-12)
    assert twice == pytest.approx(once, abs=1e-12)


def test_what_is_found_lies_in_the_space_and_is_reported_beside_the_loss_of_today(
    matrix, params, first_tested, tmp_path
):
    steps = tune.steps_before(matrix.keys, first_tested, params)
    found = search(params, matrix, steps, f"sqlite:///{tmp_path}/study.db")
    assert 1.0 <= found["values"]["l2"] <= 9e4
    assert found["trials"] == 3
    section = tune.changed(params["train"]["smoke"]["logit"], found["values"])
    *_, again = tune.losses("logit", section, params["train"]["seed"], matrix, steps)
    assert found["log_loss"] == pytest.approx(again, abs=1e-12)
    *_, today = tune.losses("logit", params["train"]["smoke"]["logit"], params["train"]["seed"], matrix, steps)
    assert found["log_loss_before"] == pytest.approx(today, abs=1e-12)


def test_two_searches_share_a_study(matrix, params, first_tested, tmp_path):
    steps = tune.steps_before(matrix.keys, first_tested, params)
    storage = f"sqlite:///{tmp_path}/study.db"
    first = search(params, matrix, steps, storage, trials=2)
    second = search(params, matrix, steps, storage, trials=2)
    assert second["trials"] == 4
    assert second["log_loss"] <= first["log_loss"]
    assert search(params, matrix, steps, storage, trials=1, name="another")["trials"] == 1


def test_a_search_without_time_tries_nothing_and_finds_what_there_is(matrix, params, first_tested):
    steps = tune.steps_before(matrix.keys, first_tested, params)
    found = search(params, matrix, steps, tune.IN_MEMORY, seconds=0.0, trials=None)
    assert (found["trials"], found["values"]) == (0, {})
    assert found["log_loss"] == found["log_loss_before"]


def test_values_are_put_in_by_dotted_names_and_the_parameters_given_stay_as_they_are(params):
    section = params["train"]["smoke"]["xgboost"]
    eta = section["booster"]["eta"]
    found = tune.changed(section, {"rounds": 7, "booster.eta": 0.123})
    assert (found["rounds"], found["booster"]["eta"], section["booster"]["eta"]) == (7, 0.123, eta)
    with pytest.raises(KeyError):
        tune.changed(section, {"boosted.eta": 0.1})


def test_whole_numbers_stay_whole():
    import optuna

    values = tune.suggested(optuna.trial.FixedTrial({"rounds": 4, "booster.eta": 0.1}), SPACE)
    assert values == {"rounds": 4, "booster.eta": 0.1}
    assert isinstance(values["rounds"], int)


def test_every_space_names_parameters_that_there_are():
    params = small_params()
    for kind, space in params["tune"]["spaces"].items():
        for profile in ("smoke", "production"):
            section = params["train"][profile][kind]
            lowest = {name: bounds["low"] for name, bounds in space.items()}
            for name in space:
                place = section
                for part in name.split("."):
                    place = place[part]
            assert tune.changed(section, lowest) != section
            create(kind, tune.changed(section, lowest), seed=0)


def test_a_search_in_a_workspace_writes_what_it_found(copy, params, monkeypatch, capsys):
    import yaml

    files.write_text(copy / files.PARAMS, yaml.safe_dump(params))
    monkeypatch.setenv(tune.STUDY_URL, f"sqlite:///{copy}/study.db")
    tune.main(copy, ["logit", "--trials", "2", "--minutes", "1"])
    found = files.read_json(copy / tune.RESULT)
    assert (found["estimator"], found["profile"], found["trials"]) == ("logit", "smoke", 2)
    assert "trial 1:" in capsys.readouterr().out
    with pytest.raises(NothingToTuneError, match="no search space"):
        tune.main(copy, ["pool"])


def test_searches_at_once_share_a_study_and_the_result_is_that_of_all(copy, params, monkeypatch, capsys):
    import optuna
    import yaml

    files.write_text(copy / files.PARAMS, yaml.safe_dump(params))
    storage = f"sqlite:///{copy}/study.db"
    monkeypatch.setenv("PYTHONPATH", str(Path.cwd()))
    monkeypatch.setenv(tune.STUDY_URL, storage)
    tune.main(copy, ["logit", "--trials", "2", "--minutes", "5", "--processes", "2"])
    found = files.read_json(copy / tune.RESULT)
    kept = optuna.storages.RDBStorage(storage)
    try:
        study = optuna.load_study(study_name=found["study"], storage=kept)
        assert len(study.trials) == found["trials"] == 4
        assert found["log_loss"] == study.best_value
    finally:
        kept.engine.dispose()
    monkeypatch.delenv(tune.STUDY_URL)
    with pytest.raises(SystemExit):
        tune.main(copy, ["logit", "--processes", "2"])
    assert "--processes needs a database that they share" in capsys.readouterr().err
