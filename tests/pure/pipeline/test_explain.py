"""Where skill comes from: what shuffling, leaving out and learning from less cost, on worlds whose answer is known."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest
import yaml

from apps.ml.forecasting.estimators import create
from apps.ml.pipeline import explain, files, importance, refits
from apps.ml.pipeline.split import training_rows

NAMES = ("elo_diff", "form_noise", "filter_signal_home", "gap_copy_home")
SECTIONS = {"logit": {"columns": ["elo_*", "form_*", "filter_*", "gap_*"], "l2": 1.0}}
BOOSTER = {"eta": 0.1, "max_depth": 3, "min_child_weight": 20, "nthread": 1, "max_bin": 32}
TREES = {"logit": {"columns": ["elo_*"], "l2": 1.0}, "columns": ["elo_*", "filter_*"], "rounds": 5, "booster": BOOSTER}
BOOSTED = {"logit": {"columns": ["elo_*"], "l2": 1.0}, "columns": ["elo_*", "filter_*"], "trees": {"max_iter": 5}}


@pytest.fixture(scope="module")
def trial() -> refits.RefitData:
    """3,000 matches made of one rating and one signal, beside noise and a copy of the signal; 1,000 more are asked."""
    generator = np.random.default_rng(11)
    X = generator.normal(size=(4000, 4))
    X[:, 3] = X[:, 2]
    edge = 0.7 * X[:, 0] + 0.5 * X[:, 2]
    powers = np.exp(np.column_stack((0.3 + edge, np.zeros(4000), -edge)))
    bounds = np.cumsum(powers / powers.sum(axis=1, keepdims=True), axis=1)[:, :2]
    y = (generator.random((4000, 1)) >= bounds).sum(axis=1)
    days = np.repeat(np.arange(100), 10)
    return refits.RefitData(NAMES, X[:3000], y[:3000], X[3000:], y[3000:], days, seed=3, draws=100, level=0.95)


def test_shuffling_a_column_that_the_model_does_not_use_costs_nothing_at_all(trial):
    model = trial.fitted("logit", {"columns": ["elo_*"], "l2": 1.0})
    groups = {"elo": ["elo_diff"], "noise": ["form_noise"], "absent": ["table_place_home"]}
    found = {row["name"]: row for row in importance.shuffled(model, trial, groups, repeats=3)}
    for name in ("noise", "absent"):
        assert found[name]["columns"] == 0
        assert (found[name]["loss"]["mean"], found[name]["loss"]["low"], found[name]["loss"]["high"]) == (0, 0, 0)
    assert found["elo"]["loss"]["low"] > 0.05


def test_shuffling_costs_most_for_what_the_outcomes_were_made_of_and_nothing_for_noise(trial):
    model = trial.fitted("logit", SECTIONS["logit"])
    rows = importance.shuffled(model, trial, {name: [name] for name in NAMES}, repeats=3)
    assert rows[0]["name"] == "elo_diff"
    noise = next(row for row in rows if row["name"] == "form_noise")
    assert abs(noise["loss"]["mean"]) < 0.003
    both = importance.shuffled(model, trial, {"signal": ["filter_signal_home", "gap_copy_home"]}, repeats=3)
    alone = next(row for row in rows if row["name"] == "filter_signal_home")
    assert both[0]["loss"]["mean"] > 2 * alone["loss"]["mean"], "a copy stands in for a single column"


def test_shuffling_repeats_itself(trial):
    model = trial.fitted("logit", SECTIONS["logit"])
    first, second = (importance.shuffled(model, trial, {"elo": ["elo_diff"]}, repeats=2) for _ in range(2))
    assert first == second


def test_leaving_out_noise_or_a_copy_loses_nothing_and_leaving_out_the_rating_does(trial):
    families = {"elo": ["elo_diff"], "noise": ["form_noise"], "gap": ["gap_copy_home"], "table": []}
    found = {row["family"]: row["models"][0] for row in refits.without_families(trial, SECTIONS, families)}
    assert found["elo"]["gap"]["low"] > 0.05
    for name in ("noise", "gap"):
        assert abs(found[name]["gap"]["mean"]) < 0.003
    assert found["table"] == {"model": "logit", "columns": 0, "gap": None}


def test_a_model_is_not_fitted_to_nothing_when_its_only_family_goes(trial):
    sections = {"logit": {"columns": ["elo_*"], "l2": 1.0}}
    (row,) = refits.without_families(trial, sections, {"elo": ["elo_diff"]})
    assert row["models"] == [{"model": "logit", "columns": 1, "gap": None}]


def test_sections_are_narrowed_to_the_columns_that_are_left_at_every_depth():
    names = ["elo_diff", "filter_signal_home", "gap_copy_home", "base_home", "filter_base_home"]
    section = {
        "later": 0.1,
        "members": {
            "dixon_coles": {"fit_rows": 10},
            "xgboost": {**TREES, "leave_out": ["filter_base_*"]},
        },
    }
    narrow = refits.narrowed(section, [*names, *(f"dc_{name}" for name in DC)], {"elo_diff", "dc_base_home"})
    assert list(narrow["members"]) == ["xgboost"], "a goal model cannot do without its own columns"
    trees = narrow["members"]["xgboost"]
    assert trees["columns"] == ["filter_signal_home"]
    assert trees["logit"]["columns"] == []
    assert trees["booster"] == BOOSTER
    assert narrow["later"] == 0.1


DC = ("base_home", "base_away", "attack_home", "concession_away", "attack_away", "concession_home")


def test_what_a_family_says_by_itself_is_a_logit_on_its_columns_with_gaps_filled(trial):
    informed = refits.family_alone(trial, ["elo_diff", "filter_signal_home"], l2=1.0)
    noise = refits.family_alone(trial, ["form_noise"], l2=1.0)
    counts = np.bincount(trial.y_train) / len(trial.y_train)
    plain = float(-np.log(counts[trial.y_test]).mean())
    assert noise["log_loss"] == pytest.approx(plain, abs=0.002)
    assert informed["log_loss"] < plain - 0.1
    holes = trial.X_train.copy()
    holes[::2, 0] = np.nan
    narrow = refits.RefitData(
        NAMES, holes, trial.y_train, trial.X_test, trial.y_test, trial.test_days, seed=3, draws=10, level=0.95
    ).only(["elo_diff"])
    assert narrow.X_train[::2, 0] == pytest.approx(trial.X_train[1::2, 0].mean())
    assert narrow.X_train[1::2, 0].tolist() == trial.X_train[1::2, 0].tolist()


def test_columns_that_go_with_the_result_pass_the_screen_in_their_order(trial):
    assert refits.screened(trial, 3) == ["elo_diff", "filter_signal_home", "gap_copy_home"]
    assert refits.screened(trial, 1) == ["elo_diff"]


def test_the_learning_curve_falls_and_ends_with_all_rows(trial):
    rows = refits.learning_curve(trial, SECTIONS, [0.01, 1.0])
    assert [row["rows"] for row in rows] == [30, 3000]
    assert rows[1]["gap"] is None
    assert rows[0]["gap"]["mean"] == pytest.approx(rows[0]["log_loss"] - rows[1]["log_loss"])
    assert rows[0]["gap"]["low"] > 0.0
    short = trial.latest(30)
    assert short.y_train.tolist() == trial.y_train[-30:].tolist(), "the latest matches, not the first"


@pytest.mark.parametrize(
    ("name", "section"),
    [
        ("logit", SECTIONS["logit"]),
        ("xgboost", TREES),
        ("hist_boosting", BOOSTED),
        ("pool", {"later": 0.2, "members": {"logit": SECTIONS["logit"], "xgboost": TREES}}),
    ],
)
def test_the_parts_of_columns_sum_to_the_scores(trial, name, section):
    model = trial.fitted(name, section)
    X = trial.X_test[:50]
    total, scores = sum(model.parts(X, str).values()), model.scores(X)
    np.testing.assert_allclose(
        total - total.mean(axis=1, keepdims=True), scores - scores.mean(axis=1, keepdims=True), atol=1e-9
    )


def test_the_parts_of_columns_sum_to_those_of_the_groups_that_forecasts_show(trial):
    model = trial.fitted("xgboost", TREES)
    X = trial.X_test[:50]
    groups, columns = model.parts(X), model.parts(X, str)
    np.testing.assert_allclose(columns["elo_diff"], groups["elo"], atol=1e-9)
    np.testing.assert_allclose(columns["filter_signal_home"], groups["goals and shots"], atol=1e-9)


def test_the_mean_size_of_a_column_of_a_logit_is_that_of_its_term(trial):
    model = trial.fitted("logit", SECTIONS["logit"])
    found = importance.shapley(model, trial.X_test, 2)
    assert [row["name"] for row in found["columns"]] == ["elo_diff", "filter_signal_home"]
    # The world adds 0.7 of the rating to home and takes it from away; a standard normal has mean size √(2/π).
    assert found["columns"][0]["home_away"] == pytest.approx(1.4 * np.sqrt(2.0 / np.pi), rel=0.15)
    assert found["columns"][0]["draw"] < 0.1


def test_a_goal_model_keeps_its_groups_because_its_columns_do_not_add(built):
    names = tuple(row["name"] for row in files.read_catalogue(built))
    X = pd.read_parquet(built / files.FEATURES)[list(names)].to_numpy(dtype=np.float64)[:300]
    model = create("dixon_coles", {"fit_rows": 300}, seed=0).fit(X, np.arange(300) % 3, names=names)
    assert list(model.parts(X, str)) == list(model.parts(X))
    assert importance.shapley(model, X, 5)["columns"] == []


def test_the_latest_steps_are_joined_until_they_hold_enough_matches():
    steps = [
        {"number": number, "purpose": purpose, "test_rows": rows}
        for number, (purpose, rows) in enumerate([("calibrate", 900), ("test", 700), ("test", 500), ("test", 100)])
    ]
    assert [step["number"] for step in explain.latest_steps(steps, 50)] == [3]
    assert [step["number"] for step in explain.latest_steps(steps, 101)] == [2, 3]
    assert [step["number"] for step in explain.latest_steps(steps, 9999)] == [1, 2, 3], "what only calibrates is left"


def test_what_is_explained_was_fitted_before_what_it_is_asked(built):
    found = files.read_json(built / files.EXPLAINED)
    metrics, plan = files.read_json(built / files.METRICS), files.read_json(built / files.FOLDS)["folds"]
    step = explain.latest_steps(plan, 4000)[0]
    keys = explain.FeatureTable(built).keys
    start = datetime.fromisoformat(step["start"])
    learnt = training_rows(keys, datetime.fromisoformat(step["train_from"]), start)
    assert found["model"] == metrics["best"]
    assert found["train"]["n"] == len(learnt)
    assert (learnt["known_at"] < start).all()
    assert found["test"]["from"] >= f"{start:%Y-%m-%d}" > found["train"]["to"]
    assert found["test"]["n"] == metrics["test"]["n"]
    catalogue = files.read_catalogue(built)
    assert [row["family"] for row in found["families"]] == list(dict.fromkeys(row["family"] for row in catalogue))


def test_poisoned_outcomes_after_the_fit_change_the_scores_and_not_the_model(built, copy):
    features = pd.read_parquet(copy / files.FEATURES)
    step = explain.latest_steps(files.read_json(copy / files.FOLDS)["folds"], 4000)[0]
    later = features["outcome"].notna() & (features["as_of"] >= pd.Timestamp(step["start"]))
    features.loc[later, "outcome"] = 2 - features.loc[later, "outcome"]
    features.to_parquet(copy / files.FEATURES)
    before, after = files.read_json(built / files.EXPLAINED), explain.explained(copy)
    assert after["shapley"] == before["shapley"]
    assert after["learning"][0]["log_loss"] != before["learning"][0]["log_loss"]


def test_a_profile_that_the_section_does_not_know_is_named(copy):
    plan = files.read_json(copy / files.FOLDS)
    params = files.read_params(copy)
    params["train"]["thorough"] = params["train"]["smoke"]
    files.write_text(copy / files.PARAMS, yaml.safe_dump(params, sort_keys=False))
    files.write_json(copy / files.FOLDS, plan | {"profile": "thorough"})
    with pytest.raises(ValueError, match="lacks the profile 'thorough'"):
        explain.main(copy)
