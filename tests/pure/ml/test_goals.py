"""The scoreline grid: exact sums, markets that agree, expected goals from probabilities."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.ml.forecasting import goals

means = st.floats(0.02, 7.0)
shares = st.tuples(*[st.floats(0.001, 1.0)] * 3).map(lambda parts: tuple(part / math.fsum(parts) for part in parts))


def region(cells, sign: int) -> float:
    return math.fsum(cells[h][a] for h in range(11) for a in range(11) if (h > a) - (h < a) == sign)


@settings(max_examples=60)
@given(means, means, shares, st.floats(-0.3, 0.3))
def test_regions_of_the_grid_sum_to_the_forecast_to_the_last_bit(mu_home, mu_away, p, rho):
    grid = goals.grid(mu_home, mu_away, p, rho)
    assert (region(grid.cells, 1), region(grid.cells, 0), region(grid.cells, -1)) == p
    assert min(min(row) for row in grid.cells) >= 0.0


@settings(max_examples=200)
@given(means, means, shares, st.floats(-0.3, 0.3))
def test_the_expected_goals_of_one_match_are_those_of_its_cells(mu_home, mu_away, p, rho):
    cells, number = goals.scorelines([[mu_home, mu_away]], [p], rho)[0], np.arange(11)
    expected = cells.sum(axis=1) @ number, cells.sum(axis=0) @ number
    assert goals.expected_goals(mu_home, mu_away, p, rho) == pytest.approx(expected, abs=1e-9)


def test_a_team_that_is_expected_not_to_score_has_expected_goals():
    home, away = goals.expected_goals(0.0, 1.0, (0.2, 0.3, 0.5), 0.0)
    assert home < 1.0
    assert away > 0.5


def test_a_grid_with_its_own_probabilities_is_that_of_dixon_and_coles():
    # Means 1.4 and 1.1, rho -0.1: tau of 0-0 is 1 + 1.4 * 1.1 * 0.1, of 1-1 it is 1.1, of 0-1 0.86, of 1-0 0.89
    p = goals.outcome_probabilities([1.4], [1.1], -0.1)[0]
    cells = goals.grid(1.4, 1.1, p, -0.1).cells
    both = math.exp(-2.5)
    assert cells[0][0] == pytest.approx(both * 1.154, rel=1e-12)
    assert cells[0][1] == pytest.approx(both * 1.1 * 0.86, rel=1e-12)
    assert cells[1][0] == pytest.approx(both * 1.4 * 0.89, rel=1e-12)
    assert cells[1][1] == pytest.approx(both * 1.4 * 1.1 * 1.1, rel=1e-12)
    assert cells[3][2] == pytest.approx(both * 1.4**3 / 6 * 1.1**2 / 2, rel=1e-12)


def test_markets_agree_with_each_other():
    grid = goals.grid(1.6, 1.1, (0.5, 0.26, 0.24), -0.05)
    markets = grid.markets()
    for line in goals.LINES:
        assert markets.over[line] + markets.under[line] == pytest.approx(1.0, abs=1e-15)
    assert markets.under[0.5] == grid.cells[0][0]
    assert markets.both_score == pytest.approx(
        1.0 - markets.clean_sheet_home - markets.clean_sheet_away + grid.cells[0][0], abs=1e-15
    )
    assert markets.home_or_draw == pytest.approx(0.76)
    assert markets.p_most_likely == max(max(row) for row in grid.cells)
    home, away = markets.most_likely
    assert grid.cells[home][away] == markets.p_most_likely
    assert markets.expected_home == pytest.approx(1.6, abs=0.05)


def test_the_last_cell_holds_the_tail():
    p = goals.outcome_probabilities([9.0], [9.0], 0.0)[0]
    grid = goals.grid(9.0, 9.0, p)
    # 10 or more of a Poisson with mean 9: 0.41259
    assert math.fsum(grid.cells[10]) == pytest.approx(0.41259, abs=1e-5)


def test_a_certain_forecast_empties_the_other_regions():
    grid = goals.grid(1.2, 1.0, (1.0, 0.0, 0.0))
    assert (region(grid.cells, 1), region(grid.cells, 0), region(grid.cells, -1)) == (1.0, 0.0, 0.0)


@pytest.mark.parametrize(
    ("mu", "p"), [((0.0, 1.0), (0.5, 0.3, 0.2)), ((1.0, 1.0), (0.5, 0.3, 0.3)), ((1.0, math.nan), (0.5, 0.3, 0.2))]
)
def test_what_is_no_forecast_is_refused(mu, p):
    with pytest.raises(ValueError, match=r"expected goals|probabilities"):
        goals.grid(*mu, p)


def test_goals_are_split_so_that_the_grid_leans_as_the_forecast():
    home, away = np.array([1.9, 0.8, 1.2]), np.array([0.9, 1.7, 1.2])
    p = goals.outcome_probabilities(home, away)
    found = goals.split_total(p, home + away)
    assert found == pytest.approx(np.stack((home, away), axis=1), abs=1e-6)


def test_an_extreme_rho_gives_no_negative_chance():
    assert (goals.outcome_probabilities([6.0, 0.1], [5.0, 0.1], 0.9) >= 0.0).all()
