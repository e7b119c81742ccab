"""Drift: what past windows do by chance is no alarm, and what they never did is one."""

from __future__ import annotations

from math import log, sqrt

import numpy as np
import pytest
import yaml

from apps.ml.forecasting import drift
from apps.ml.pipeline import files

SHIPPED = yaml.safe_load(files.PARAMS.read_text(encoding="utf-8"))["drift"]
"""The parameters of the product."""
SECTION = SHIPPED | {"least_windows": 60}
"""They, with larger windows for the short history of these tests."""
NAMES = ("rating", "form", "level", "shots")
ROWS, TRAINED = 12_000, 11_000
DAYS = np.arange(ROWS) // 20
"""Twenty matches a day."""


def test_the_fewest_windows_can_show_a_drift_at_the_level_of_the_product():
    """With fewer, nothing is rare enough: every threshold is 1, the largest distance, and the test always silent."""
    values, of = history()
    made = drift.plan(DAYS, TRAINED, SHIPPED)
    first = made.weekly[: SHIPPED["least_windows"]]
    fewest = drift.Plan(made.n, made.lag, made.reference, made.starts[first], made.weeks[first])
    test = drift.compare(values, of, NAMES, fewest, SHIPPED["level"] / drift.TESTS)
    assert test.weeks == SHIPPED["least_windows"]
    assert min(each.threshold for each in test.measured) < 1.0


def history(seed: int = 1) -> tuple[np.ndarray, np.ndarray]:
    """Return four columns of 12,000 matches of four strata, which differ between strata but not in time."""
    generator = np.random.default_rng(seed)
    of = np.repeat(generator.integers(4, size=ROWS // 20), 20)  # matches of a round are of one stratum
    level = of % 2.0
    rating = generator.normal(of, 1.0)
    shots = np.where(generator.random(ROWS) < 0.1, np.nan, generator.poisson(12, ROWS))
    return np.column_stack([rating, rating + generator.normal(0, 0.2, ROWS), level, shots]), of


def compared(values: np.ndarray, of: np.ndarray, level: float = 0.05) -> drift.DriftTest:
    made = drift.plan(DAYS[: len(values)], TRAINED, SECTION)
    assert made is not None
    return drift.compare(values, of, NAMES, made, level)


def found(test: drift.DriftTest) -> dict[str, str]:
    return {each.name: each.direction for each in test.measured if each.is_drifted}


def week_of_looks(seed: int) -> bool:
    """Return whether any test on one of three days of a week without drift finds any."""
    values, of = history(seed)
    return any(compared(values[:end], of[:end]).is_drifted for end in range(ROWS - 120, ROWS + 1, 60))


def test_at_most_one_undrifted_week_in_twenty_raises_an_alarm_though_each_of_its_days_is_tested():
    alarms = sum(week_of_looks(seed) for seed in range(40))
    # With 5 % a binomial of 40 lies above 6 once in three hundred seeds; these seeds are fixed.
    assert alarms <= 6


def test_past_windows_end_with_each_day_and_their_week_is_that_of_the_day():
    made = drift.plan(DAYS, TRAINED, SECTION)
    assert set(np.diff(made.starts)) == {20}
    assert set(np.diff(made.weeks)) == {0, 1}
    assert np.bincount(made.weeks)[made.weeks[0] + 1 : made.weeks[-1]].tolist() == [7] * (len(made.weekly) - 2)
    latest = drift.plan(DAYS, TRAINED, SECTION | {"most_weeks": 61})
    assert len(latest.weekly) == 61
    assert latest.starts[-1] == made.starts[-1]


def test_windows_of_a_history_of_a_few_weeks_have_no_match_in_common():
    made = drift.plan(DAYS // 40, TRAINED, SECTION)
    assert set(np.diff(made.starts)) == {made.n}
    assert len(made.weekly) == len(made.starts) >= SECTION["least_windows"]


@pytest.mark.parametrize(
    ("column", "change", "direction"),
    [
        ("rating", lambda own: own + 0.7, "higher"),
        ("rating", lambda own: own - 0.7, "lower"),
        ("rating", lambda own: own.mean() + 3 * (own - own.mean()), "spread differently"),
        ("shots", lambda own: own * 1.3, "higher"),
        ("shots", lambda own: own * 10, "higher: 9.37 times the largest size of earlier windows"),
        ("shots", lambda own: np.where(np.arange(own.size) % 2, own, np.nan), "missing more often"),
        ("shots", lambda own: np.full(own.size, 12.0), ""),
        ("level", lambda own: own + 1, "higher"),
    ],
)
def test_a_column_that_changes_is_named_with_its_direction(column, change, direction):
    values, of = history()
    place = NAMES.index(column)
    values[-300:, place] = change(values[-300:, place])
    test = compared(values, of)
    assert test.measured[0].name == column
    assert test.measured[0].is_drifted
    assert set(found(test)) == {column}
    assert test.measured[0].direction.startswith(direction)


def test_a_column_that_was_always_missing_and_comes_is_drift_and_one_that_stays_away_is_none():
    values, of = history()
    values[:, 3] = np.nan
    assert not compared(values, of).is_drifted
    values[-300:, 3] = 5.0
    assert found(compared(values, of)) == {"shots": "missing less often"}


def test_a_week_of_one_league_alone_is_no_drift_when_its_own_matches_are_as_ever():
    values, of = history()
    chosen = np.flatnonzero(of == 3)[-300:]
    order = np.concatenate([np.setdiff1d(np.arange(ROWS), chosen), chosen])
    assert not compared(values[order], of[order]).is_drifted
    # The same rows as a part of all leagues would be.
    assert compared(values[order], np.zeros(ROWS, dtype=np.int64)).is_drifted


def test_the_threshold_falls_with_the_number_of_matches():
    values, of = history()
    thresholds = []
    for matches in (40, 120):
        # Without weeks, in which a smaller window is tested more often.
        made = drift.plan(DAYS // 40, TRAINED, SECTION | {"matches": matches})
        test = drift.compare(values, of, NAMES, made, 0.05)
        assert test.n == matches
        thresholds.append(next(each.threshold for each in test.measured if each.name == "rating"))
    # A distance falls with the square root of the number of matches.
    assert thresholds[1] / thresholds[0] == pytest.approx(sqrt(40 / 120), rel=0.2)


def test_the_threshold_rises_with_the_number_of_columns():
    values, of = history()
    made = drift.plan(DAYS, TRAINED, SECTION)
    alone = drift.compare(values[:, :1], of, NAMES[:1], made, 0.05).measured[0]
    noise = np.random.default_rng(2).normal(size=(ROWS, 60))
    names = ("rating", *(f"noise_{number}" for number in range(60)))
    among = drift.compare(np.column_stack([values[:, :1], noise]), of, names, made, 0.05)
    rating = next(each for each in among.measured if each.name == "rating")
    assert rating.statistic == alone.statistic
    assert rating.threshold > alone.threshold


def test_past_windows_are_compared_with_what_lies_before_them_and_the_same_gap():
    made = drift.plan(DAYS, TRAINED, SECTION)
    assert made is not None
    assert (made.lag, made.reference) == (ROWS - made.n - TRAINED, TRAINED)
    assert made.starts[-1] + made.n == TRAINED
    assert made.starts[0] - made.lag >= 10 * made.n
    assert len(made.weekly) >= SECTION["least_windows"]


def test_a_short_history_has_smaller_windows_and_one_that_is_too_short_none():
    made = drift.plan(DAYS[:5_000], 4_900, SECTION)
    assert made is not None
    assert SECTION["least_matches"] <= made.n < SECTION["matches"]
    assert len(made.starts) >= SECTION["least_windows"]
    assert drift.plan(DAYS[:1_000], 900, SECTION) is None


def test_a_model_that_was_trained_on_the_latest_matches_too_is_compared_with_the_earlier_ones():
    made = drift.plan(DAYS, ROWS, SECTION)
    assert made is not None
    assert (made.lag, made.reference) == (0, ROWS - made.n)


def test_another_unit_is_drift_though_past_windows_of_the_column_lie_as_far_apart_as_can_be():
    """Rest days: all at their cap of 21 when a season begins, else three to ten."""
    values, of = history()
    rest = np.random.default_rng(4).integers(3, 11, size=ROWS).astype(float)
    starts = np.arange(ROWS) // 300 % 4 == 0
    values[:, 3] = np.where(starts, 21.0, rest)
    assert not compared(values, of).is_drifted
    for factor in (24.0, 1 / 24.0):
        spoilt = values.copy()
        spoilt[-300:, 3] *= factor
        test = compared(spoilt, of)
        assert set(found(test)) == {"shots"}
        assert test.measured[0].direction.endswith("size of earlier windows")
        assert test.score > 2.0


def test_a_competition_that_was_never_seen_is_compared_with_all_others():
    values, of = history()
    of[-300:] = 9
    values[-300:, 0] = np.random.default_rng(0).permutation(values[:TRAINED, 0])[:300]
    assert np.isfinite([each.statistic for each in compared(values, of).measured]).all()


def test_strata_are_competitions_and_phases_of_their_seasons():
    of = drift.strata(["a", "a", "b", "a", "b"], [0, 2, 0, 3, 30], [3, 8, 16, 28])
    assert of[0] == of[1]
    assert len(set(of.tolist())) == 4
    assert of.max() == 3


def test_matches_played_count_those_of_the_home_club_at_both_grounds_in_its_season():
    seasons, home, away = np.array([[7, 1, 2], [7, 3, 1], [7, 1, 3], [8, 1, 2], [7, 2, 1]]).T
    assert drift.matches_played(seasons, home, away).tolist() == [0, 0, 2, 0, 1]


# ── Concept drift ────────────────────────────────────────────────────────────────────────────────────────────────────
PAST = np.arange(20_000) // 40
"""The days of past forecasts: forty a day."""


def forecasts(n: int, seed: int, sharper: float = 1.0) -> tuple[np.ndarray, np.ndarray]:
    """Return forecasts, and outcomes that come with these probabilities; sharper ones are over-confident."""
    generator = np.random.default_rng(seed)
    p = generator.dirichlet([4.5, 2.7, 2.8], size=n)
    outcomes = (generator.random((n, 1)) >= np.cumsum(p, axis=1)[:, :2]).sum(axis=1)
    p = p**sharper
    return p / p.sum(axis=1, keepdims=True), outcomes


def test_the_log_loss_of_calibrated_forecasts_is_as_expected():
    alarms = sum(
        drift.concept(forecasts(20_000, seed), PAST, forecasts(300, 1000 + seed), SECTION, 0.05).is_drifted
        for seed in range(60)
    )
    assert alarms <= 8


def test_over_confident_forecasts_lose_more_than_expected_and_the_words_say_by_how_much():
    test = drift.concept(forecasts(20_000, 1), PAST, forecasts(300, 2, sharper=2.0), SECTION, 0.05)
    assert test.is_drifted
    (loss,) = test.measured
    assert loss.name == "log loss"
    assert loss.direction.startswith("worse: ")


def test_a_model_that_was_over_confident_in_its_evaluation_too_has_not_drifted():
    test = drift.concept(forecasts(20_000, 1, sharper=1.6), PAST, forecasts(300, 2, sharper=1.6), SECTION, 0.05)
    assert not test.is_drifted


def test_few_graded_forecasts_say_nothing_and_the_note_says_how_many_it_takes():
    test = drift.concept(forecasts(20_000, 1), PAST, forecasts(12, 2), SECTION, 0.05)
    assert (test.measured, test.is_drifted, test.score) == ((), False, 0.0)
    assert test.note == "12 graded forecasts, fewer than 30"
    short = drift.concept(forecasts(500, 1), PAST[:500], forecasts(300, 2), SECTION, 0.05)
    assert "the evaluation has 500 forecasts" in short.note


def test_the_expected_loss_of_a_forecast_is_its_entropy():
    assert drift.expected_loss([[1 / 3, 1 / 3, 1 / 3], [1.0, 0.0, 0.0], [0.5, 0.25, 0.25]]) == pytest.approx(
        [log(3), 0.0, 1.5 * log(2)], abs=1e-12
    )


def test_the_distance_of_distributions_without_anything_in_common_is_one():
    p, q = np.array([[1.0, 0.0], [0.5, 0.5], [1.0, 0.0]]), np.array([[0.0, 1.0], [0.5, 0.5], [0.5, 0.5]])
    # Of the last: H(.75, .25) - H(.5, .5) / 2 = 0.8113 - 0.5 bits, the root of which is 0.5579.
    assert drift._jensen_shannon(p, q) == pytest.approx([1.0, 0.0, 0.5579], abs=1e-4)
