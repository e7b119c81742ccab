"""Columns in other units: a factor is seen whatever the values are, and what earlier windows did is none."""

from __future__ import annotations

import numpy as np
import pytest

from apps.ml.forecasting import units


def windows(values: np.ndarray, n: int) -> list[slice]:
    return [slice(start, start + n) for start in range(0, len(values), n)]


def test_the_size_is_the_mean_magnitude_of_values_that_are_there_and_not_zero():
    column = np.full(50, np.nan)
    column[:20], column[20:40] = [2.0, -4.0] * 10, 0.0
    assert units.sizes(column[:, None], [slice(0, 50)]).tolist() == [[3.0]]


def test_a_window_with_few_values_has_no_size():
    column = np.r_[np.ones(units.LEAST_VALUES - 1), np.zeros(40)]
    assert np.isnan(units.sizes(column[:, None], [slice(0, len(column))])).all()


def test_a_factor_is_the_ratio_to_the_nearest_size_of_earlier_windows():
    past = np.column_stack([np.linspace(2.0, 6.0, 30)] * 4)
    change = units.size_change(past, np.array([24.0, 0.5, 5.0, np.nan]))
    assert change.factors.tolist() == [4.0, 0.25, 1.0, 1.0]
    assert change.is_other_unit.tolist() == [True, True, False, False]


def test_beyond_sizes_that_lie_far_apart_more_is_plausible():
    """The fourth root of 16 is 2: up to 3 times the largest size, in place of 1.5."""
    alike, apart = np.full(30, 16.0), np.r_[1.0, np.full(29, 16.0)]
    change = units.size_change(np.column_stack([alike, apart]), np.array([40.0, 40.0]))
    assert change.limits.tolist() == [1.5, 3.0]
    assert change.is_other_unit.tolist() == [True, False]


def test_a_column_without_enough_earlier_windows_is_not_compared():
    past = np.full((units.LEAST_WINDOWS + 5, 2), 3.0)
    past[:6, 1] = np.nan
    assert units.size_change(past, np.array([72.0, 72.0])).factors.tolist() == [24.0, 1.0]


@pytest.mark.parametrize("factor", [1 / 100, 1 / 24, 2.54, 24.0])
@pytest.mark.parametrize("kind", ["normal", "poisson", "exponential", "shares"])
def test_a_factor_is_seen_in_columns_of_any_shape(kind, factor):
    generator = np.random.default_rng(1)
    column = {
        "normal": generator.normal(1500.0, 90.0, 6000),
        "poisson": generator.poisson(1.4, 6000).astype(float),
        "exponential": generator.exponential(3.0, 6000),
        "shares": generator.beta(4.0, 5.0, 6000),
    }[kind][:, None]
    sound = units.sizes(column, windows(column, 200))
    assert not units.size_change(sound[:-1], sound[-1]).is_other_unit.any()
    column[-200:] *= factor
    found = units.sizes(column, windows(column, 200))
    assert units.size_change(found[:-1], found[-1]).is_other_unit.all()


def test_the_words_say_how_far_above_or_below():
    assert units.in_words(24.0) == "24 times the largest size of earlier windows"
    assert units.in_words(1 / 24) == "24 times below the smallest size of earlier windows"
