"""The record in numbers: hand calculations, and what a perfect forecaster would show."""

from __future__ import annotations

import json
from math import exp, log

import numpy as np
import pytest

from apps.ml.forecasting.record import GRADED, averages_before, points, summary

DAY = 86_400


def graded(n: int, **columns) -> np.ndarray:
    """Home wins that were given 50 %, one a day, where nothing else is said; without base rates and market."""
    rows = np.zeros(n, dtype=GRADED)
    rows["match"], rows["competition"], rows["kickoff"] = np.arange(n) + 1, 7, np.arange(n) * DAY
    rows["p_home"], rows["p_draw"], rows["p_away"] = 0.5, 0.3, 0.2
    for name in ("base_loss", "base_rps", "market_loss", "market_rps"):
        rows[name] = np.nan
    for name, values in columns.items():
        rows[name] = values
    return rows


def test_points_are_the_geometric_mean_of_what_happened_less_a_third():
    # exp(-0.969) = 0.37946
    assert points(0.969) == pytest.approx(37.946 - 33.333, abs=0.01)
    assert points(log(3.0)) == pytest.approx(0.0)


def test_a_favourite_that_won_two_of_four_times_has_won_half():
    found = summary(graded(4, outcome=[0, 0, 1, 2]))
    assert found["favourites"]["won"] == 0.5
    assert found["favourites"]["expected"] == 0.5
    assert found["favourites"]["groups"] == [{"from": 0.45, "below": 0.55, "n": 4, "won": 0.5, "expected": 0.5}]


def test_each_of_the_three_probabilities_of_a_match_is_a_case_of_the_calibration():
    found = {row["said"]: row for row in summary(graded(100, outcome=[0] * 40 + [1] * 30 + [2] * 30))["calibration"]}
    assert sorted(found) == [20, 30, 50]
    assert [found[said]["n"] for said in found] == [100, 100, 100]
    assert found[50]["happened"] == pytest.approx(0.4)
    # 1.96 standard errors: sqrt(0.5 * 0.5 / 100) = 0.05
    assert (found[50]["low"], found[50]["high"]) == pytest.approx((0.402, 0.598))


def test_a_perfect_forecaster_lies_inside_the_range_nearly_always():
    generator = np.random.default_rng(3)
    p = generator.dirichlet((4.0, 2.5, 3.0), size=20_000)
    outcome = (p.cumsum(axis=1) < generator.random((20_000, 1))).sum(axis=1)
    rows = graded(20_000, p_home=p[:, 0], p_draw=p[:, 1], p_away=p[:, 2], outcome=outcome)
    inside = [row["low"] <= row["happened"] <= row["high"] for row in summary(rows)["calibration"]]
    assert sum(inside) >= len(inside) - 1


def test_the_market_is_compared_on_the_matches_that_have_prices():
    market = np.where(np.arange(40) < 30, log(2.5), np.nan)
    found = summary(graded(40, market_loss=market, market_rps=0.2))
    assert (found["other"], found["compared"]["n"]) == ("market", 30)
    # Ours gave 50 % to what happened, the market 40 %.
    assert found["compared"]["to_market"]["difference"] == pytest.approx(10.0)
    assert found["compared"]["market"]["points"] == pytest.approx(40.0 - 33.333, abs=0.01)


def test_without_prices_for_half_of_the_matches_the_base_rates_are_what_is_compared():
    rows = graded(40, base_loss=log(4.0), base_rps=0.2)
    rows["market_loss"][:10] = 1.0
    found = summary(rows)
    assert found["other"] == "base"
    assert found["leagues"][0]["difference"] == pytest.approx(25.0)
    assert summary(graded(3))["other"] is None


def test_matches_of_one_moment_widen_the_likely_range():
    generator = np.random.default_rng(1)
    together = np.repeat(generator.normal(1.0, 0.2, 20), 10)
    alone = summary(graded(200, market_loss=together, market_rps=0.2))
    rows = graded(200, market_loss=together, market_rps=0.2, kickoff=np.repeat(np.arange(20), 10) * DAY)
    width = [each["compared"]["to_market"] for each in (alone, summary(rows))]
    assert width[1]["high"] - width[1]["low"] > 2.0 * (width[0]["high"] - width[0]["low"])


def test_few_matches_have_no_likely_range():
    found = summary(graded(12, market_loss=0.9, market_rps=0.2))
    assert found["compared"]["model"]["low"] is None
    assert found["periods"][0]["high"] is None


def test_calls_are_the_largest_gaps_to_the_market_on_both_sides():
    market = np.full(6, log(2.0))
    market[[1, 4]] = log(5.0), log(1.25)
    found = summary(graded(6, market_loss=market, market_rps=0.2))
    assert [(row["match"], round(row["other"], 2)) for row in found["best"]] == [(2, 0.2)]
    assert [(row["match"], round(row["other"], 2)) for row in found["worst"]] == [(5, 0.8)]


def test_a_long_record_is_told_by_year_and_holds_no_more_for_more_matches():
    short, long = summary(graded(90)), summary(graded(3000))
    assert (short["period"], [row["name"] for row in short["periods"]]) == ("month", ["1970-01", "1970-02", "1970-03"])
    assert long["period"] == "year"
    assert len(long["periods"]) == 9
    json.dumps(long, allow_nan=False)


def test_averages_know_nothing_of_their_own_day_and_of_other_leagues():
    competition = np.array([1, 1, 1, 2])
    kickoff = np.array([0, 60, DAY, DAY])
    found = averages_before(competition, kickoff, np.array([0, 0, 1, 2]))
    assert found[[0, 1, 3]] == pytest.approx(np.tile([0.45, 0.27, 0.28], (3, 1)))
    assert found[2] == pytest.approx(np.array([47.0, 27.0, 28.0]) / 102.0)


def test_points_and_loss_say_the_same():
    found = summary(graded(50, market_loss=log(2.0), market_rps=0.2))["compared"]["market"]
    assert found["points"] == pytest.approx(100.0 * (exp(-found["log_loss"]) - 1.0 / 3.0))
