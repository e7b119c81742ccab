"""A candidate against the champion: the same matches, line by line, and what each line says."""

from __future__ import annotations

import io
from dataclasses import replace
from datetime import date

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import log_loss

from apps.ml.forecasting.features import state
from apps.ml.pipeline import bundle as bundles
from apps.ml.pipeline import comparison, files
from apps.ml.pipeline.columns import CALIBRATED, RAW
from tests.pure.pipeline.small_world import AS_OF

RULES = {
    "least_matches": 100,
    "log_loss_allowance": 0.001,
    "rps_allowance": 0.0005,
    "bootstrap_draws": 200,
    "bootstrap_level": 0.95,
    "ece_quantile": 0.999,
    "ece_allowance": 0.002,
    "ece_draws": 50,
    "competition_matches": 50,
    "competition_allowance": 0.01,
    "covered_share": 0.95,
    "trained_share": 0.9,
    "latency_ms": 60_000,
}


@pytest.fixture
def contender(built):
    """A function that makes a contender of a trained model."""

    def make(model: str, number: int = 1, *, rows: int = 900) -> comparison.Contender:
        catalogue = files.read_catalogue(built)
        names = tuple(row["name"] for row in catalogue)
        content = bundles.pack(
            manifest=bundles.Manifest(
                world="sandbox",
                estimator=model,
                inputs="no odds",
                profile="smoke",
                as_of=AS_OF,
                data_snapshot=7,
                rows=rows,
                trained_from=date(2020, 1, 1),
                trained_to=date(2024, 4, 1),
                names=names,
                params={},
                sources_sha256="0" * 64,
            ),
            model=built / files.MODEL / model,
            state=(built / files.STATE).read_bytes(),
            catalogue=catalogue,
            golden=pd.read_parquet(built / files.FEATURES)[list(names)].to_numpy(dtype=np.float64)[-5:],
        )
        return comparison.Contender(number, content, comparison.stored_forecasts(built, model))

    return make


def by_name(found: comparison.ComparisonResult) -> dict[str, comparison.Criterion]:
    return {criterion.name: criterion for criterion in found.criteria}


def test_a_version_keeps_its_calibrated_forecasts_of_the_tested_steps_and_no_others(built):
    kept = pd.read_parquet(io.BytesIO(comparison.stored_forecasts(built, "logit")))
    table = pd.read_parquet(built / files.CALIBRATED)
    plan = files.read_json(built / files.FOLDS)["folds"]
    tested = [step["number"] for step in plan if step["purpose"] == "test"]
    rows = table[(table["model"] == "logit") & table["fold"].isin(tested)].set_index("match_id")
    assert set(kept["match_id"]) == set(rows.index)
    np.testing.assert_allclose(kept[RAW], rows.loc[kept["match_id"], CALIBRATED], atol=1e-7)
    assert kept["as_of"].is_monotonic_increasing
    assert comparison.stored_forecasts(built, "logit") == comparison.stored_forecasts(built, "logit")


def test_a_model_against_itself_meets_every_line_and_differs_by_nothing(contender):
    found = comparison.compare(contender("logit", 2), contender("logit"), RULES)
    lines = by_name(found)
    assert list(lines) == [
        "same matches", "coverage", "log loss", "RPS", "ECE", "worst competition", "training data", "schema",
        "golden rows", "latency",
    ]  # fmt: skip
    assert found.may_take_over
    assert (lines["log loss"].difference, lines["log loss"].low, lines["RPS"].high) == (0.0, 0.0, 0.0)
    assert found.sentence == f"all 10 criteria are met on {found.n} matches"


def test_the_measures_are_those_of_an_independent_implementation(built, contender):
    metrics = files.read_json(built / files.METRICS)
    found = comparison.compare(contender("logit", 2), contender("base_rates"), RULES)
    lines = by_name(found)
    table = pd.read_parquet(io.BytesIO(comparison.stored_forecasts(built, "logit")))
    p = table[RAW].to_numpy(dtype=np.float64)
    expected = log_loss(table["outcome"], p / p.sum(axis=1, keepdims=True), labels=[0, 1, 2])
    assert lines["log loss"].candidate == pytest.approx(expected, abs=1e-12)
    assert lines["RPS"].champion == pytest.approx(metrics["models"]["base_rates"]["rps"], abs=1e-6)
    assert found.n == metrics["test"]["n"] == lines["same matches"].candidate
    assert lines["log loss"].low < lines["log loss"].difference < lines["log loss"].high


def test_a_worse_model_stays_a_candidate_and_the_sentence_says_why(contender):
    found = comparison.compare(contender("base_rates", 2), contender("logit"), RULES)
    assert not found.may_take_over
    failed = {criterion.name for criterion in found.criteria if not criterion.passed}
    assert {"log loss", "RPS"} <= failed
    assert found.sentence.startswith("not met: log loss: candidate − champion is +0.")


def test_only_matches_that_both_forecast_count(contender):
    champion = contender("logit")
    rows = pd.read_parquet(io.BytesIO(champion.forecasts)).head(150)
    buffer = io.BytesIO()
    rows.to_parquet(buffer)
    found = comparison.compare(contender("logit", 2), replace(champion, forecasts=buffer.getvalue()), RULES)
    assert found.n == 150
    few = comparison.compare(
        contender("logit", 2), replace(champion, forecasts=buffer.getvalue()), RULES | {"least_matches": 151}
    )
    assert [criterion.name for criterion in few.criteria] == [
        "same matches",
        "training data",
        "schema",
        "golden rows",
        "latency",
    ]
    assert not few.may_take_over
    assert "both forecast 150 matches out of sample" in few.sentence
    assert "a comparison needs 151" in few.sentence


def test_a_candidate_with_gaps_among_the_champions_matches_is_refused(contender):
    candidate = contender("logit", 2)
    rows = pd.read_parquet(io.BytesIO(candidate.forecasts))
    buffer = io.BytesIO()
    rows.iloc[::2].to_parquet(buffer)
    found = comparison.compare(replace(candidate, forecasts=buffer.getvalue()), contender("logit"), RULES)
    assert [line.name for line in found.criteria if not line.passed] == ["coverage"]
    late = io.BytesIO()
    rows.tail(120).to_parquet(late)
    assert comparison.compare(replace(candidate, forecasts=late.getvalue()), contender("logit"), RULES).may_take_over


def test_a_candidate_of_a_truncated_history_is_refused(contender):
    found = comparison.compare(contender("logit", 2, rows=800), contender("logit"), RULES)
    assert found.sentence.startswith("not met: training data: it was trained on 800 matches, the champion on 900;")
    assert comparison.compare(contender("logit", 2, rows=810), contender("logit"), RULES).may_take_over


def test_a_model_that_takes_too_long_is_refused(contender):
    found = comparison.compare(contender("logit", 2), contender("logit"), RULES | {"latency_ms": 0})
    assert [line.name for line in found.criteria if not line.passed] == ["latency"]


def test_a_champion_from_before_forecasts_were_kept_is_said_to_be(contender):
    found = comparison.compare(contender("logit", 2), replace(contender("logit"), forecasts=None), RULES)
    assert not found.may_take_over
    assert "model 1 was made before forecasts were stored" in found.sentence


def test_files_that_do_not_give_their_golden_rows_fail_two_lines(contender):
    candidate = contender("logit", 2)
    broken = replace(candidate, bundle=candidate.bundle[:-100])
    lines = by_name(comparison.compare(broken, contender("logit"), RULES))
    assert not lines["schema"].passed
    assert "cannot be loaded" in lines["golden rows"].reason


def test_a_state_of_another_format_fails_the_same_lines(contender, monkeypatch):
    candidate, champion = contender("logit", 2), contender("logit")
    monkeypatch.setattr(state, "FORMAT", state.FORMAT + 1)
    monkeypatch.setattr(state, "BEFORE_SEASON_FORM", state.FORMAT)
    lines = by_name(comparison.compare(candidate, champion, RULES))
    assert not lines["schema"].passed
    assert "feature state of format" in lines["golden rows"].reason


def test_a_column_that_the_served_state_does_not_describe_is_named():
    lacking = comparison.schema_criterion(read=["elo_diff", "price_home"], described=["elo_diff"], before=["elo_diff"])
    assert (lacking.passed, lacking.reason) == (False, "the feature state lacks price_home")
    grown = comparison.schema_criterion(read=["a"], described=["a", "b"], before=["a", "c"])
    assert grown.passed
    assert "1 new and 1 gone against the champion" in grown.reason


def rows(p, q, outcome, competition="league", n=1) -> pd.DataFrame:
    values = dict(zip(RAW, p, strict=True))
    values |= {f"{name}_other": part for name, part in zip(RAW, q, strict=True)}
    about = {"outcome": outcome, "competition": competition}
    frame = pd.DataFrame([values | about] * n)
    return frame.assign(as_of=pd.Timestamp("2024-01-01", tz="UTC") + pd.to_timedelta(np.arange(n), unit="D"))


def test_one_competition_that_gets_worse_is_enough_to_wait():
    # ln(0.50 / 0.49) = 0.0202 nats worse in one league of 60 matches, better in the other.
    worse = rows((0.49, 0.26, 0.25), (0.50, 0.25, 0.25), 0, "small", n=60)
    better = rows((0.60, 0.20, 0.20), (0.50, 0.25, 0.25), 0, "large", n=600)
    lines = {line.name: line for line in comparison.forecast_criteria(pd.concat([worse, better]), RULES)}
    assert lines["log loss"].passed
    assert not lines["worst competition"].passed
    assert lines["worst competition"].difference == pytest.approx(np.log(0.50 / 0.49))
    assert "of 2 competitions with 50 matches or more small does worst" in lines["worst competition"].reason
    spared = comparison.forecast_criteria(pd.concat([worse, better]), RULES | {"competition_matches": 61})
    assert spared[-1].passed


def test_an_error_of_calibration_may_be_as_large_as_the_champions():
    # All are home wins: called 0.5 the pooled error is 0.5 + 0.25 + 0.25 = 1, called 0.6 it is 0.8, over three classes.
    common = rows((0.6, 0.2, 0.2), (0.5, 0.25, 0.25), 0, n=200)
    better = {line.name: line for line in comparison.forecast_criteria(common, RULES)}["ECE"]
    assert better.passed
    assert (better.candidate, better.champion) == (pytest.approx(0.8 / 3), pytest.approx(1 / 3))
    assert better.bound == better.champion
    common = rows((0.5, 0.25, 0.25), (0.6, 0.2, 0.2), 0, n=200)
    assert not {line.name: line for line in comparison.forecast_criteria(common, RULES)}["ECE"].passed
