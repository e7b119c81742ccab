"""The model card: equal facts give an equal card, and it says what people must know."""

from __future__ import annotations

from dataclasses import replace

import pytest

from apps.ml.pipeline import card, files
from tests.pure.pipeline.small_world import AS_OF

CRITERION = {
    "name": "log loss",
    "candidate": 0.98,
    "champion": 0.99,
    "difference": -0.01,
    "low": -0.02,
    "high": 0.0,
    "bound": 0.001,
    "passed": True,
    "reason": "lower | by much",
}


@pytest.fixture
def facts(built) -> card.CardFacts:
    metrics = files.read_json(built / files.METRICS)
    about = files.read_json(built / files.TRAINED / files.ABOUT)
    return card.CardFacts(
        world="sandbox",
        number=7,
        estimator=metrics["best"],
        inputs="no odds",
        profile="smoke",
        as_of=AS_OF,
        rows=about["rows"],
        trained_from=about["from"],
        trained_to=about["to"],
        columns=31,
        metrics=metrics,
        gates=metrics["gates"],
        lineage={"data": "d" * 64, "code": "abc"},
    )


def test_equal_facts_give_an_equal_card(facts):
    assert card.markdown(facts) == card.markdown(replace(facts, metrics=dict(facts.metrics)))


def test_the_card_reports_use_data_measures_limits_and_lineage(facts):
    text = card.markdown(facts)
    titles = [line[3:] for line in text.splitlines() if line.startswith("## ")]
    assert titles == [
        "Intended use", "Training data", "Evaluation", "Calibration", "Gates", "Limitations",
        "Lineage and how to make it again",
    ]  # fmt: skip
    own = facts.metrics["models"][facts.estimator]
    gap = facts.metrics["benchmarks"][0]["gap"]["log_loss"]
    assert f"{own['log_loss']:.4f}" in text
    assert "line-ups and absences that were published before the forecast" in text
    assert f"{gap['low']:+.4f}".replace("-", "−") in text
    for said in ("# Model 7 (sandbox)", "league-0", f"{facts.rows:,} finished matches", "simulated", "smoke", "d" * 64):
        assert said in text


def test_a_comparison_is_part_of_the_card_and_its_table_stays_whole(facts):
    compared = {"champion": 5, "verdict": "may take over", "reason": "all met", "n": 900, "criteria": [CRITERION]}
    text = card.markdown(replace(facts, comparison=compared))
    assert "## Against model 5" in text
    assert "| log loss | 0.9800 | 0.9900 | met | lower \\| by much |" in text


def test_a_labelled_model_says_what_it_looks_at_and_where_it_is_served(facts):
    text = card.markdown(replace(facts, inputs="prices before the match"))
    assert "It uses prices before the match." in text
    assert "only where it is requested by name" in text


def test_a_version_without_measures_has_a_card_all_the_same(facts):
    assert "## Evaluation" not in card.markdown(replace(facts, metrics={}))


def test_a_long_card_is_cut_between_paragraphs_and_says_where_the_rest_is():
    text = "# A\n\n" + "\n\n".join("x" * 50 for _ in range(10)) + "\n"
    short = card.shortened(text, 200, "beside the run")
    assert len(short) <= 200
    assert short.endswith("x" * 50 + "\n\nThe whole card is beside the run.\n")
    assert card.shortened("# A\n", 200, "there") == "# A\n"
