from __future__ import annotations

from math import exp, factorial

import numpy as np
import pytest

from apps.scraping.sandbox.market import power_margin
from apps.scraping.sandbox.play import final_places
from apps.scraping.sandbox.scores import draw_scores, outcome_probabilities, over_probability, score_grid


def dixon_coles(home: float, away: float, rho: float, size: int) -> list[list[float]]:
    """The formula of Dixon and Coles (1997), equations 4.2 and 4.3, in plain Python."""

    def tau(x: int, y: int) -> float:
        return {
            (0, 0): 1 - home * away * rho,
            (0, 1): 1 + home * rho,
            (1, 0): 1 + away * rho,
            (1, 1): 1 - rho,
        }.get((x, y), 1.0)

    def poisson(mean: float, count: int) -> float:
        return exp(-mean) * mean**count / factorial(count)

    return [[tau(x, y) * poisson(home, x) * poisson(away, y) for y in range(size)] for x in range(size)]


def test_the_grid_is_the_one_of_dixon_and_coles() -> None:
    for home, away in ((1.4, 1.1), (0.3, 2.9), (3.5, 0.4)):
        by_hand = np.array(dixon_coles(home, away, -0.07, 11))
        grid = score_grid(np.array([home]), np.array([away]))[0]
        np.testing.assert_allclose(grid, by_hand / by_hand.sum(), rtol=1e-12)


def test_outcomes_and_totals_are_read_off_the_grid() -> None:
    grid = score_grid(np.array([1.7, 0.8]), np.array([0.9, 1.6]))
    home = [sum(one[x, y] for x in range(11) for y in range(11) if x > y) for one in grid]
    draw = [sum(one[x, x] for x in range(11)) for one in grid]
    over = [sum(one[x, y] for x in range(11) for y in range(11) if x + y >= 3) for one in grid]
    outcomes = outcome_probabilities(grid)
    np.testing.assert_allclose(outcomes[:, 0], home, rtol=1e-12)
    np.testing.assert_allclose(outcomes[:, 1], draw, rtol=1e-12)
    np.testing.assert_allclose(outcomes.sum(axis=1), 1.0, rtol=1e-12)
    np.testing.assert_allclose(over_probability(grid), over, rtol=1e-12)


def test_scores_are_drawn_as_often_as_the_grid_says() -> None:
    n = 40_000
    grid = np.repeat(score_grid(np.array([1.5]), np.array([1.2])), n, axis=0)
    home, away = draw_scores(grid, np.random.default_rng(5))
    for score in ((0, 0), (1, 0), (1, 1), (2, 1), (0, 3)):
        share = float(grid[0][score])
        seen = float(((home == score[0]) & (away == score[1])).mean())
        assert abs(seen - share) < 4 * (share * (1 - share) / n) ** 0.5


def test_a_certain_score_is_always_drawn() -> None:
    grid = np.zeros((3, 11, 11))
    grid[0, 0, 0] = grid[1, 10, 10] = grid[2, 4, 7] = 1.0
    home, away = draw_scores(grid, np.random.default_rng(1))
    assert (home.tolist(), away.tolist()) == ([0, 10, 4], [0, 10, 7])


def test_a_power_margin_is_taken_off_by_the_power_method() -> None:
    shares = np.array([[0.5, 0.3, 0.2], [0.9, 0.07, 0.03]])
    priced = power_margin(shares, np.array([0.05, 0.03]))
    np.testing.assert_allclose(priced.sum(axis=1), [1.05, 1.03], rtol=1e-12)
    # By bisection, independently: the power that brings the sum back to 1 gives the shares back.
    for row, given in zip(priced, shares, strict=True):
        low, high = 1.0, 3.0
        for _ in range(80):
            middle = (low + high) / 2
            low, high = (middle, high) if (row**middle).sum() > 1 else (low, middle)
        np.testing.assert_allclose(row**low, given, rtol=1e-9)


def test_an_outsider_carries_more_of_the_margin_than_a_favourite() -> None:
    priced = power_margin(np.array([[0.7, 0.2, 0.1]]), np.array([0.06]))[0]
    loading = priced / np.array([0.7, 0.2, 0.1])
    assert loading[0] < loading[1] < loading[2]


@pytest.mark.parametrize(
    ("goals_of_5", "goals_of_3", "above"),
    [
        # Clubs 3 and 5 each beat club 0 at home by these goals and draw everything else 0-0.
        ((3, 1), (2, 0), 5),  # equal points and difference, club 5 scored more
        ((2, 0), (3, 0), 3),  # equal points, club 3 has the better difference
        ((2, 0), (2, 0), 3),  # all equal: the lower number
    ],
)
def test_places_go_by_points_then_difference_then_goals_then_number(
    goals_of_5: tuple[int, int], goals_of_3: tuple[int, int], above: int
) -> None:
    home, away = [], []
    for league in range(4):
        clubs = range(12 * league, 12 * league + 12)
        home += [one for one in clubs for other in clubs if one != other]
        away += [other for one in clubs for other in clubs if one != other]
    home_goals, away_goals = [0] * 528, [0] * 528
    for club, (scored, conceded) in ((5, goals_of_5), (3, goals_of_3)):
        match = list(zip(home, away, strict=True)).index((club, 0))
        home_goals[match], away_goals[match] = scored, conceded
    places = final_places(*(np.array(column) for column in (home, away, home_goals, away_goals)))
    assert places[above] == 0
    assert places[8 - above] == 1
    assert places[0] == 11
    assert sorted(places[:12].tolist()) == list(range(12))
