"""Intervals around probabilities: how often they hold the line, and how their width follows the features."""

from __future__ import annotations

import json

import numpy as np
import pytest

from apps.ml.forecasting.estimators import KNOWN, Intervals, fit_intervals

LEVEL = 0.8


def logistic(x):
    return 1.0 / (1.0 + np.exp(-x))


def made(n: int, seed: int):
    """Forecasts, lines that are far from those of little known sides, and the features of their matches."""
    rng = np.random.default_rng(seed)
    known = np.column_stack(
        [
            rng.integers(0, 400, n),
            rng.integers(0, 400, n),
            rng.integers(0, 2, n),
            rng.integers(0, 2, n),
            rng.uniform(0.0, 1.0, n),
            rng.integers(0, 4, n),
        ]
    ).astype(float)
    strength = rng.normal(0.3, 0.6, n)
    doubt = 0.05 + 0.3 * np.exp(-np.minimum(known[:, 0], known[:, 1]) / 40.0)
    shock = rng.normal(0.0, doubt, n)
    return of_strength(strength), of_strength(strength + shock), known


def of_strength(strength):
    scores = np.column_stack([strength, np.full(len(strength), -0.2), -strength])
    p = np.exp(scores)
    return p / p.sum(axis=1, keepdims=True)


def inside(intervals, p, line, known):
    ends = intervals.around(p, known)
    return (ends[:, :, 0] <= line) & (line <= ends[:, :, 1])


@pytest.fixture(scope="module")
def fitted() -> Intervals:
    p, line, known = made(8000, seed=1)
    return fit_intervals(p, line, known, latest=np.arange(8000) >= 4000, level=LEVEL, l2=10.0)


def test_new_matches_lie_inside_as_often_as_promised(fitted):
    p, line, known = made(20_000, seed=2)
    assert inside(fitted, p, line, known).mean(axis=0) == pytest.approx([LEVEL] * 3, abs=0.02)
    assert fitted.n == 4000


def test_little_known_sides_have_wider_intervals_that_hold_the_line_as_often(fitted):
    p, line, known = made(40_000, seed=3)
    ends = fitted.around(p, known)
    width = ends[:, 0, 1] - ends[:, 0, 0]
    fewest = known[:, :2].min(axis=1)
    new, old = fewest < 15, fewest > 150
    assert width[new].mean() > 2 * width[old].mean()
    assert inside(fitted, p, line, known)[new, 0].mean() == pytest.approx(LEVEL, abs=0.08)


def test_an_interval_holds_its_forecast_and_stays_between_0_and_1(fitted):
    p = np.array([[1.0, 0.0, 0.0], [0.98, 0.015, 0.005], [0.4, 0.3, 0.3]])
    ends = fitted.around(p, np.zeros((3, len(KNOWN))))
    assert (ends > 0.0).all()
    assert (ends < 1.0).all()
    within = np.clip(p, 1e-4, 1 - 1e-4)
    assert (ends[:, :, 0] <= within + 1e-12).all()
    assert (ends[:, :, 1] >= within - 1e-12).all()


def test_a_line_on_one_side_of_all_forecasts_still_leaves_the_forecast_inside():
    p, _, known = made(2000, seed=4)
    line = of_strength(np.log(p[:, 0] / p[:, 2]) / 2 + 0.5)
    found = fit_intervals(p, line, known, latest=np.ones(2000, dtype=bool), level=LEVEL, l2=10.0)
    ends = found.around(p, known)
    assert (ends[:, :, 0] <= p + 1e-12).all()
    assert (ends[:, :, 1] >= p - 1e-12).all()


def test_a_missing_feature_counts_as_nothing_known(fitted):
    p = np.array([[0.5, 0.3, 0.2]])
    missing, nothing = np.full((1, len(KNOWN)), np.nan), np.zeros((1, len(KNOWN)))
    np.testing.assert_array_equal(fitted.around(p, missing), fitted.around(p, nothing))


def test_one_match_has_the_same_interval_alone_and_among_others(fitted):
    p, _, known = made(50, seed=5)
    together = fitted.around(p, known)
    alone = np.concatenate([fitted.around(p[i : i + 1], known[i : i + 1]) for i in range(50)])
    np.testing.assert_allclose(alone, together, rtol=0, atol=1e-15)


def test_they_come_back_from_json_as_they_were(fitted):
    again = Intervals.from_dict(json.loads(json.dumps(fitted.as_dict())))
    assert again == fitted
