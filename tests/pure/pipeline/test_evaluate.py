"""Scores, gates and the comparison with the market."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import yaml
from sklearn.metrics import log_loss

from apps.ml.forecasting.estimators import REGISTRY
from apps.ml.pipeline import calibrate, columns, evaluate, files, report, train
from apps.ml.pipeline.columns import KEYS


def test_the_metrics_are_those_of_an_independent_implementation(built):
    metrics = files.read_json(built / files.METRICS)
    table = pd.read_parquet(built / files.CALIBRATED)
    tested = [step["number"] for step in files.read_json(built / files.FOLDS)["folds"] if step["purpose"] == "test"]
    rows = table[(table["model"] == "dixon_coles") & table["fold"].isin(tested)]
    p = rows[["calibrated_home", "calibrated_draw", "calibrated_away"]].to_numpy()
    assert metrics["models"]["dixon_coles"]["n"] == len(rows) == metrics["test"]["n"]
    assert metrics["models"]["dixon_coles"]["log_loss"] == pytest.approx(
        log_loss(rows["outcome"].astype(int), p, labels=[0, 1, 2]), abs=1e-12
    )
    plain = [name for name in metrics["models"] if not REGISTRY[name].uses_market]
    assert metrics["best"] == min(plain, key=lambda name: metrics["models"][name]["log_loss"])
    assert metrics["inputs"]["market_aware"] == "prices before the match"
    assert "market_aware · prices before the match" in (built / files.REPORT).read_text()
    assert metrics["models"]["market_aware"]["log_loss"] < metrics["models"][metrics["best"]]["log_loss"]


def test_a_result_that_leaks_into_a_rating_is_refused_by_the_gate(copy):
    params = files.read_params(copy)
    params["gates"]["least_gap_matches"] = 200
    files.write_text(copy / files.PARAMS, yaml.safe_dump(params))
    table = pd.read_parquet(copy / files.FEATURES)
    names = tuple(name for name in table if name not in KEYS.names)
    told = (1.0 - table["outcome"].astype("float32").fillna(1.0)) * 60.0
    files.write_frame(copy / files.FEATURES, table.assign(elo_diff=table["elo_diff"] + told), columns.features(names))
    for stage in (train, calibrate, evaluate):
        stage.main(copy)
    refused = [gate for gate in files.read_json(copy / files.METRICS)["gates"] if not gate["passed"]]
    assert "no better than possible" in {gate["name"] for gate in refused}


def test_the_gate_takes_the_first_closing_line_that_is_quoted_often_enough(copy):
    params = files.read_params(copy)
    models = evaluate.test_forecasts(copy)
    odds = files.read_frame(copy / files.ODDS)
    ids = models["elo_logit"]["match_id"]
    closing = odds[(odds["bookmaker"] == "PS") & (odds["moment"] == "closing") & odds["match_id"].isin(ids)]
    # Pinnacle quotes three matches, as in a year that it left; the average goes on.
    changed = pd.concat([closing.head(3), closing.assign(bookmaker="Avg")])
    found = evaluate.closing_line([], models, "elo_logit", changed, params["evaluate"], 200)
    assert (found["name"], found["n"]) == ("average closing line", len(closing))
    assert evaluate.closing_line([], models, "elo_logit", closing, params["evaluate"], 200)["bookmaker"] == "PS"
    assert evaluate.closing_line([], models, "elo_logit", closing.head(3), params["evaluate"], 200) is None


def test_market_and_models_are_scored_on_the_same_matches(built, frame):
    metrics = files.read_json(built / files.METRICS)
    closing, average = metrics["benchmarks"]
    assert closing["name"] == "closing line of Pinnacle"
    assert average["n"] == metrics["test"]["n"]
    assert {scores["n"] for scores in closing["models"].values()} == {closing["n"]} == {closing["scores"]["n"]}
    gap = closing["models"][metrics["best"]]["log_loss"] - closing["scores"]["log_loss"]
    assert closing["gap"]["log_loss"]["mean"] == pytest.approx(gap, abs=1e-12)


def test_the_distance_to_the_truth_is_measured_where_the_truth_is_known(built, frame):
    metrics = files.read_json(built / files.METRICS)
    truth = metrics["truth"]
    assert truth["n"] == metrics["test"]["n"]
    rows = pd.read_parquet(built / files.CALIBRATED)
    rows = rows[(rows["model"] == metrics["best"]) & (rows["fold"] > 0)].set_index("match_id")
    chance = frame.set_index("match_id").loc[rows.index, "chance"]
    p = rows[["calibrated_home", "calibrated_draw", "calibrated_away"]].to_numpy()
    q = np.stack(chance.to_numpy())
    assert truth["mean_kl"] == pytest.approx(float((q * np.log(q / p)).sum(axis=1).mean()), rel=1e-6)
    assert truth["scores"]["log_loss"] == pytest.approx(
        float(-np.log(q[np.arange(len(q)), rows["outcome"].astype(int)]).mean()), rel=1e-6
    )


def test_a_world_without_prices_is_evaluated_all_the_same(copy):
    odds = pd.read_parquet(copy / files.ODDS)
    odds.iloc[:0].to_parquet(copy / files.ODDS)
    evaluate.main(copy)
    report.main(copy)
    metrics = files.read_json(copy / files.METRICS)
    assert metrics["benchmarks"] == []
    assert metrics["truth"] is None
    assert {row["quoted_line_rps"] for row in metrics["competitions"]} == {None}
    assert files.read_json(copy / files.BREAKDOWN)["together"] is None
    page = (copy / files.REPORT).read_text()
    assert "no comparison with the market" in page
    assert "no bet can be simulated" in page


def test_each_competition_is_compared_with_the_closing_line_where_it_is_quoted(built):
    metrics = files.read_json(built / files.METRICS)
    rows = metrics["competitions"]
    closing = metrics["benchmarks"][0]
    assert [row["competition"] for row in rows] == ["league-0", "league-1", "league-2"]
    assert sum(row["n"] for row in rows) == metrics["test"]["n"]
    assert sum(row["quoted_n"] for row in rows) == closing["n"]
    pooled = sum(row["quoted_n"] * row["quoted_line_rps"] for row in rows) / closing["n"]
    assert pooled == pytest.approx(closing["scores"]["rps"], abs=1e-12)
    own = sum(row["quoted_n"] * row["quoted_rps"] for row in rows) / closing["n"]
    assert own == pytest.approx(closing["models"][metrics["best"]]["rps"], abs=1e-12)
