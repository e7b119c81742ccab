"""Calibration and intervals of a step, from earlier steps alone."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pandas as pd
import pytest

from apps.ml.pipeline import calibrate, files
from apps.ml.pipeline.columns import RAW
from tests.pure.pipeline.small_world import HOUR, small_params


@pytest.fixture
def steps(built) -> tuple[pd.DataFrame, dict[int, datetime]]:
    """Out-of-sample forecasts of one model, and when each step began."""
    rows = pd.read_parquet(built / files.OUT_OF_SAMPLE)
    plan = files.read_json(built / files.FOLDS)["folds"]
    starts = {step["number"]: datetime.fromisoformat(step["start"]) for step in plan}
    return rows[rows["model"] == "elo_logit"].reset_index(drop=True), starts


def test_calibration_of_a_step_looks_at_earlier_steps_alone(steps):
    rows, starts = steps
    section = {"methods": ["vector"], "folds": 3, "least_past": 100, "isotonic_from": 20000}
    before = calibrate.calibrated_steps(rows, section, starts)
    poisoned = rows.copy()
    latest = poisoned["fold"] == poisoned["fold"].max()
    poisoned.loc[latest, "outcome"] = 2
    np.testing.assert_array_equal(before, calibrate.calibrated_steps(poisoned, section, starts))
    np.testing.assert_array_equal(before[rows["fold"] == 0], rows.loc[rows["fold"] == 0, RAW])
    assert not np.array_equal(before[rows["fold"] == 1], rows.loc[rows["fold"] == 1, RAW])


def test_calibration_of_a_step_does_not_know_a_match_that_ended_after_it_began(steps):
    rows, starts = steps
    section = {"methods": ["vector"], "folds": 3, "least_past": 100, "isotonic_from": 20000}
    crossing = rows.index[rows["fold"] == 0][-20:]
    late = rows.copy()
    late.loc[crossing, "known_at"] = pd.Timestamp(starts[1]) + HOUR
    before = calibrate.calibrated_steps(late, section, starts)
    late.loc[crossing, "outcome"] = 2
    poisoned = calibrate.calibrated_steps(late, section, starts)
    np.testing.assert_array_equal(before[rows["fold"] == 1], poisoned[rows["fold"] == 1])
    assert not np.array_equal(before[rows["fold"] == 2], poisoned[rows["fold"] == 2])


def test_few_past_forecasts_calibrate_nothing(steps):
    rows, starts = steps
    section = {"methods": ["vector"], "folds": 3, "least_past": 3000, "isotonic_from": 20000}
    found = calibrate.calibrated_steps(rows, section, starts)
    np.testing.assert_array_equal(found, rows[RAW].to_numpy())


@pytest.fixture
def lines(built, steps):
    """What intervals are fitted from: forecasts, their closing lines, and the features of their matches."""
    rows, _ = steps
    return rows[RAW].to_numpy(), calibrate.closing_lines(built, rows), calibrate.known_of(built, rows)


def test_intervals_of_a_step_look_at_earlier_steps_alone(steps, lines):
    rows, starts = steps
    p, line, known = lines
    section = small_params()["calibrate"]["intervals"]
    before = calibrate.intervals_of_steps(rows, p, line, known, section, starts)
    latest = (rows["fold"] == rows["fold"].max()).to_numpy()
    poisoned = np.where(latest[:, None], 1.0 / 3.0, line)
    np.testing.assert_array_equal(before, calibrate.intervals_of_steps(rows, p, poisoned, known, section, starts))
    first = (rows["fold"] == 0).to_numpy()
    assert np.isnan(before[first]).all()
    assert np.isfinite(before[~first]).all()
    assert (before[~first, :, 0] <= p[~first] + 1e-12).all()
    assert (before[~first, :, 1] >= p[~first] - 1e-12).all()


def test_intervals_of_a_step_do_not_know_a_line_of_a_match_that_ended_after_it_began(steps, lines):
    rows, starts = steps
    p, line, known = lines
    section = small_params()["calibrate"]["intervals"]
    late = rows.copy()
    crossing = rows.index[rows["fold"] == 0][-60:]
    late.loc[crossing, "known_at"] = pd.Timestamp(starts[1]) + HOUR
    before = calibrate.intervals_of_steps(late, p, line, known, section, starts)
    poisoned = line.copy()
    poisoned[crossing] = [0.9, 0.06, 0.04]
    after = calibrate.intervals_of_steps(late, p, poisoned, known, section, starts)
    np.testing.assert_array_equal(before[rows["fold"] == 1], after[rows["fold"] == 1])
    assert not np.array_equal(before[rows["fold"] == 2], after[rows["fold"] == 2])


def test_steps_with_few_lines_take_earlier_ones_with_them(steps, lines):
    rows, _ = steps
    fold, everything = rows["fold"].to_numpy(), np.ones(len(rows), dtype=bool)
    p, line, known = lines
    line = line.copy()
    line[np.flatnonzero((fold == fold.max()) & np.isfinite(line[:, 0]))[20:]] = np.nan
    count = np.bincount(fold[np.isfinite(line[:, 0])])
    section = small_params()["calibrate"]["intervals"] | {"limit_steps": 1}
    for least, expected in ((20, count[-1]), (21, count[-2:].sum()), (count.sum(), count.sum())):
        found = calibrate.fit_to_steps(fold, p, line, known, everything, section | {"least_past": int(least)})
        assert found.n == expected
    assert (
        calibrate.fit_to_steps(fold, p, line, known, everything, section | {"least_past": int(count.sum()) + 1}) is None
    )


def test_few_lines_give_no_intervals(steps, lines):
    rows, starts = steps
    section = small_params()["calibrate"]["intervals"] | {"least_past": 10_000}
    assert np.isnan(calibrate.intervals_of_steps(rows, *lines, section, starts)).all()


def test_the_coverage_of_the_intervals_is_that_of_the_stored_ends(built):
    metrics, breakdown = files.read_json(built / files.METRICS), files.read_json(built / files.BREAKDOWN)
    rows = pd.read_parquet(built / files.CALIBRATED)
    tested = [step["number"] for step in files.read_json(built / files.FOLDS)["folds"] if step["purpose"] == "test"]
    rows = rows[(rows["model"] == metrics["best"]) & rows["fold"].isin(tested)]
    line = calibrate.closing_lines(built, rows)
    inside = (rows["low_draw"].to_numpy() <= line[:, 1]) & (line[:, 1] <= rows["high_draw"].to_numpy())
    quoted = np.isfinite(line[:, 1])
    found = metrics["intervals"]
    assert found["n"] == quoted.sum() > 0
    assert found["covered"]["draw"] == pytest.approx(inside[quoted].mean())
    assert found["width"]["draw"] == pytest.approx((rows["high_draw"] - rows["low_draw"])[quoted].mean())
    for groups in breakdown["intervals"].values():
        assert sum(group["n"] for group in groups) == found["n"]
