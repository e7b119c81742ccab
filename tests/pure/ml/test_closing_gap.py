"""The gap to the closing line, live beside back-tested: differences, their intervals, and how many matches it takes."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy.stats import norm, ttest_ind, ttest_rel

from apps.ml.forecasting.closing_gap import (
    Gaps,
    GapTest,
    comparison,
    difference_error,
    in_points,
    matches_needed,
    power,
)
from apps.ml.forecasting.record import GRADED

TEST = GapTest(difference=0.01, power=0.8, level=0.95)
NONE = np.empty(0, dtype=GRADED)


def graded(n: int, *, first: int = 0, seed: int = 0, ahead: float = 0.0, priced: bool = True) -> np.ndarray:
    """Forecasts of `n` matches at moments of their own, whose market gave `ahead` nats more to what happened."""
    generator = np.random.default_rng(seed)
    rows = np.zeros(n, dtype=GRADED)
    rows["match"] = first + np.arange(n)
    rows["kickoff"] = 3600 * (first + np.arange(n))
    p = generator.dirichlet((5.0, 3.0, 3.0), size=n)
    rows["p_home"], rows["p_draw"], rows["p_away"] = p.T
    rows["outcome"] = [generator.choice(3, p=each) for each in p]
    own = -np.log(p[np.arange(n), rows["outcome"]])
    rows["market_loss"] = own - ahead + generator.normal(0.0, 0.15, size=n) if priced else np.nan
    rows["market_rps"] = 0.2 if priced else np.nan
    return rows


def test_the_gap_is_how_much_more_the_closing_line_gave_to_what_happened():
    rows = graded(4000, ahead=0.02)
    found = comparison(rows, NONE, TEST)["live"]
    assert (found["n"], found["of"]) == (4000, 4000)
    assert found["log_loss"]["low"] < 0.02 < found["log_loss"]["high"]
    half = TEST.z * 0.15 / math.sqrt(4000)
    assert found["log_loss"]["high"] - found["log_loss"]["mean"] == pytest.approx(half, rel=0.05)


def test_matches_without_closing_prices_are_counted_apart():
    rows = np.concatenate([graded(50), graded(20, first=50, priced=False)])
    found = comparison(rows, NONE, TEST)["live"]
    assert (found["n"], found["of"]) == (50, 70)


def test_without_any_match_there_is_nothing_to_say():
    found = comparison(NONE, NONE, TEST)
    assert found == {"live": None, "back_test": None, "difference": None, "power": None}


def test_without_a_closing_line_there_is_no_gap_and_no_power():
    unpriced = graded(100, priced=False)
    found = comparison(unpriced, unpriced, TEST)
    assert found["live"] == {"n": 0, "of": 100, "log_loss": None, "rps": None, "points": None}
    assert (found["difference"], found["power"]) == (None, None)


def test_before_the_first_grade_the_back_test_says_how_many_matches_it_takes():
    found = comparison(NONE, graded(20_000), TEST)
    assert (found["live"], found["difference"]) == (None, None)
    assert found["power"]["more"] == found["power"]["needed"] > 1000
    assert found["power"]["seen"] is None


def test_few_matches_have_a_mean_and_no_interval():
    found = comparison(graded(5, ahead=0.1), graded(2000), TEST)
    assert found["live"]["log_loss"]["low"] is None
    assert found["difference"]["log_loss"]["mean"] == pytest.approx(
        found["live"]["log_loss"]["mean"] - found["back_test"]["log_loss"]["mean"]
    )
    assert found["difference"]["log_loss"]["low"] is None
    assert found["power"]["more"] == found["power"]["needed"] - 5


def test_the_error_of_a_difference_of_other_matches_is_that_of_welch():
    generator = np.random.default_rng(1)
    own, other = generator.normal(0.0, 1.0, 400), generator.normal(0.0, 2.0, 900)
    found = difference_error(own, np.arange(400), other, np.arange(1000, 1900))
    welch = ttest_ind(own, other, equal_var=False)
    assert found == pytest.approx(float((own.mean() - other.mean()) / welch.statistic), rel=0.005)


def test_the_error_of_a_difference_of_the_same_matches_is_that_of_pairs():
    generator = np.random.default_rng(2)
    common = generator.normal(0.0, 1.0, 500)
    own, other = common + generator.normal(0.0, 0.1, 500), common + generator.normal(0.0, 0.1, 500)
    found = difference_error(own, np.arange(500), other, np.arange(500))
    paired = ttest_rel(own, other)
    assert found == pytest.approx(float((own - other).mean() / paired.statistic), rel=0.005)
    assert found < difference_error(own, np.arange(500), other, np.arange(500, 1000)) / 5


def test_matches_that_kick_off_together_count_as_related():
    generator = np.random.default_rng(3)
    shared = np.repeat(generator.normal(0.0, 1.0, 50), 10)
    apart, together = np.arange(500), np.repeat(np.arange(50), 10)
    other, other_groups = np.zeros(1000), np.arange(1000, 2000)
    wide = difference_error(shared, together, other, other_groups)
    assert wide == pytest.approx(difference_error(shared, apart, other, other_groups) * math.sqrt(10), rel=0.05)


def test_the_number_of_matches_is_that_of_the_textbook_where_the_other_mean_is_certain():
    # n = ((z of 97.5 % + z of 80 %) · spread / difference)² = ((1.95996 + 0.84162) · 0.15 / 0.01)² = 1765.99
    assert matches_needed(spread=0.15, other_error=0.0, test=TEST) == 1766
    half = GapTest(difference=0.005, power=0.8, level=0.95)
    assert matches_needed(spread=0.15, other_error=0.0, test=half) == pytest.approx(4 * 1766, abs=2)


def test_no_number_of_matches_makes_up_for_a_back_test_that_is_too_short():
    # 0.01 / (1.95996 + 0.84162) = 0.003569
    assert matches_needed(spread=0.15, other_error=0.0036, test=TEST) is None
    assert matches_needed(spread=0.15, other_error=0.0035, test=TEST) > 10_000


def test_with_as_many_matches_as_it_says_eight_of_ten_simulated_differences_are_seen():
    spread, back_tested = 0.15, 7000
    other_error = spread / math.sqrt(back_tested)
    n = matches_needed(spread=spread, other_error=other_error, test=TEST)
    generator = np.random.default_rng(20)
    rounds, seen = 1000, 0
    other_groups = np.arange(n, n + back_tested)
    for _ in range(rounds):
        own, other = generator.normal(0.03, spread, n), generator.normal(0.02, spread, back_tested)
        error = difference_error(own, np.arange(n), other, other_groups)
        seen += abs(own.mean() - other.mean()) > TEST.z * error
    # Three standard errors of a share of 0.8 in 1000 rounds are 0.038.
    assert seen / rounds == pytest.approx(0.8, abs=0.038)


def test_what_is_seen_now_and_what_it_takes_agree():
    live, back_tested = Gaps.of(graded(3000)), Gaps.of(graded(9000, first=5000, seed=5))
    now = power(live, back_tested, TEST)
    at_that_size = GapTest(difference=now["seen"], power=0.8, level=0.95)
    assert power(live, back_tested, at_that_size)["needed"] == pytest.approx(3000, abs=1)
    assert now["limit"] < now["seen"]


def test_a_nat_near_a_mean_loss_is_told_as_the_probability_that_it_moves():
    before = math.exp(-0.97)
    assert in_points(0.01, 0.97) == pytest.approx(100 * (before - math.exp(-0.98)), rel=0.01)
    assert norm.ppf(0.975) + norm.ppf(0.8) == pytest.approx(TEST.reach)
