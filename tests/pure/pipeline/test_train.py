"""Training: every model on the same matches, finished steps kept, nothing of the prices where it must not be."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import yaml

from apps.ml.forecasting.estimators import REGISTRY, MarketInputError, logit
from apps.ml.forecasting.estimators.calibration import centred
from apps.ml.forecasting.estimators.pool import fitted_weights
from apps.ml.forecasting.features.schema import ODDS
from apps.ml.pipeline import calibrate, columns, evaluate, featurize, files, finished_steps, train
from apps.ml.pipeline.columns import KEYS, RAW
from tests.shared import made_once


def test_every_model_forecasts_the_same_matches_out_of_sample(built):
    table = pd.read_parquet(built / files.OUT_OF_SAMPLE)
    by_model = {name: rows["match_id"].tolist() for name, rows in table.groupby("model", observed=True)}
    assert set(by_model) == set(REGISTRY)
    assert len({tuple(ids) for ids in by_model.values()}) == 1
    assert np.allclose(table[["p_home", "p_draw", "p_away"]].sum(axis=1), 1.0, atol=1e-9)


def test_a_logit_that_several_models_are_made_of_is_fitted_once_a_step(copy, monkeypatch):
    fits, newton = [], logit.newton

    def counted(X, *more, **named):
        fits.append(len(X))
        return newton(X, *more, **named)

    monkeypatch.setattr(logit, "newton", counted)
    train.main(copy)
    # By Elo, without prices, with prices of earlier matches, with few of these columns, with the line before the match.
    assert len(fits) == 5 * (len(files.read_json(copy / files.FOLDS)["folds"]) + 1)


@pytest.fixture(scope="session")
def stopped_workspace(built, tmp_path_factory):
    """A workspace whose training was stopped in its last fit; tests do not write into it."""

    def make(root: Path) -> None:
        shutil.copytree(built, root, dirs_exist_ok=True)
        shutil.rmtree(root / files.TRAINED)
        (root / files.OUT_OF_SAMPLE).unlink()
        fit_step, last = train.fit_step, len(files.read_json(root / files.FOLDS)["folds"])

        def interrupted(step, *more):
            if step.number == last:
                raise KeyboardInterrupt
            return fit_step(step, *more)

        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(train, "fit_step", interrupted)
            with pytest.raises(KeyboardInterrupt):
                train.main(root)

    return made_once("stopped", tmp_path_factory, make)


@pytest.fixture
def stopped(copy, stopped_workspace, monkeypatch):
    """Leave the stopped training in the folder `copy`; returns the numbers of the steps fitted later."""
    fit_step, fitted_since = train.fit_step, []

    def noted(step, *more):
        fitted_since.append(step.number)
        return fit_step(step, *more)

    shutil.rmtree(copy)
    shutil.copytree(stopped_workspace, copy)
    monkeypatch.setattr(train, "fit_step", noted)
    return fitted_since


def test_a_training_that_was_stopped_fits_no_finished_step_again_and_ends_in_equal_bytes(built, copy, stopped, capsys):
    train.main(copy)
    last = len(files.read_json(copy / files.FOLDS)["folds"])
    assert last > 1
    assert stopped == [last]
    assert "before the stage was interrupted" in capsys.readouterr().out
    for path in (files.TRAINED, files.OUT_OF_SAMPLE):
        places = sorted((built / path).rglob("*")) if (built / path).is_dir() else [built / path]
        for place in places:
            if place.is_file():
                assert (copy / place.relative_to(built)).read_bytes() == place.read_bytes(), place
    assert not any((copy / finished_steps.FOLDER).iterdir()), "nothing is kept of a stage that is done"


@pytest.mark.parametrize("what", ["data", "parameters", "a torn file"])
def test_a_step_of_other_data_or_parameters_is_fitted_anew(copy, stopped, what):
    if what == "data":
        table = pd.read_parquet(copy / files.FEATURES)
        names = tuple(name for name in table if name not in KEYS.names)
        files.write_frame(copy / files.FEATURES, table.assign(elo_diff=table["elo_diff"] + 1), columns.features(names))
    elif what == "parameters":
        params = files.read_params(copy)
        params["train"]["seed"] += 1
        files.write_text(copy / files.PARAMS, yaml.safe_dump(params))
    else:
        for path in (copy / finished_steps.FOLDER).rglob("*.npz"):
            path.write_bytes(path.read_bytes()[:100])
    train.main(copy)
    assert stopped == list(range(len(files.read_json(copy / files.FOLDS)["folds"]) + 1))


def test_steps_of_the_latest_stopped_stages_alone_are_kept(tmp_path):
    for number in range(2 * finished_steps.KEYS_KEPT):
        finished_steps.FinishedSteps(tmp_path, f"key-{number}")
        os.utime(tmp_path / finished_steps.FOLDER / f"key-{number}", (number, number))
    kept = {path.name for path in (tmp_path / finished_steps.FOLDER).iterdir()}
    assert len(kept) == finished_steps.KEYS_KEPT
    assert f"key-{2 * finished_steps.KEYS_KEPT - 1}" in kept


def test_a_pool_of_other_members_than_those_that_are_fitted_is_refused(built, tmp_path):
    root = Path(shutil.copytree(built, tmp_path / "root"))
    params = files.read_params(root)
    params["train"]["smoke"]["logit"] = {**params["train"]["smoke"]["logit"], "l2": 2.0}
    files.write_text(root / files.PARAMS, yaml.safe_dump(params))
    with pytest.raises(ValueError, match=r"pool\.members\.logit differs from train\.logit of the profile"):
        train.main(root)


def test_the_members_of_the_pool_are_the_models_of_the_same_step(built):
    rows = pd.read_parquet(built / files.OUT_OF_SAMPLE)
    weights = files.read_json(built / files.TRAINED / "pool" / "estimator.json")["state"]["weights"]
    members = list(files.read_params(built)["train"]["smoke"]["pool"]["members"])
    by_model = {name: rows[rows["model"] == name] for name in (*members, "pool")}
    past = np.stack([by_model[name][RAW].to_numpy() for name in members])
    y = by_model["pool"]["outcome"].to_numpy(dtype=np.int64)
    # The served pool is weighed by everything that its members forecast without having seen.
    assert weights == pytest.approx(fitted_weights(centred(np.log(past)), y), abs=1e-6)
    first = (by_model["pool"]["fold"] == 0).to_numpy()
    mean = np.exp(np.log(past[:, first]).mean(axis=0))
    alike = mean / mean.sum(axis=1, keepdims=True)
    assert by_model["pool"].loc[first, RAW].to_numpy() == pytest.approx(alike, abs=1e-9)


def test_a_column_of_odds_among_the_features_stops_the_training(copy):
    table = pd.read_parquet(copy / files.FEATURES)
    prices = pd.read_parquet(copy / files.PRICES)
    names = [name for name in table if name not in KEYS.names]
    shifted = table.assign(odds_home=prices["odds_home"].astype(np.float32))
    files.write_frame(copy / files.FEATURES, shifted, columns.features((*names, "odds_home")))
    with pytest.raises(MarketInputError, match="odds_home"):
        train.main(copy)


def test_a_world_without_prices_is_trained_without_the_models_that_look_at_them(copy, capsys):
    files.write_table(copy / files.ODDS, ODDS.empty_table())
    shutil.rmtree(copy / files.TRAINED)
    shutil.rmtree(copy / files.MODEL)
    for stage in (featurize, train, calibrate, evaluate):
        stage.main(copy)
    labelled = {name for name, kind in REGISTRY.items() if kind.uses_market}
    sections = files.read_params(copy)["train"]["smoke"]
    models = set(files.read_json(copy / files.METRICS)["models"])
    assert models == set(sections) - labelled
    assert {path.name for path in (copy / files.MODEL).iterdir()} == models
    assert "market_aware: no match has a line to learn from" in capsys.readouterr().out
