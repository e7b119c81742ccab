"""The betting simulation: every number by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from apps.ml.pipeline import betting, files
from apps.ml.pipeline.columns import CALIBRATED

EVALUATE = {"bootstrap_draws": 50, "bootstrap_level": 0.95}
SECTION = {
    "edge": 0.05,
    "kelly": 0.25,
    "day_limit": 0.5,
    "lines": [{"name": "average", "bookmaker": "Avg", "moment": "opening"}],
}
DAYS = np.array(["2024-01-01", "2024-01-01", "2024-01-02", "2024-01-03"], dtype="datetime64[D]")

P = np.array([[0.5, 0.3, 0.2], [0.6, 0.25, 0.15], [0.2, 0.3, 0.5], [0.4, 0.3, 0.3]])
PRICES = np.array([[2.4, 3.0, 4.0], [2.0, 4.0, 8.0], [5.0, 3.6, 1.9], [np.nan] * 3])
Y = np.array([0, 1, 1, 0])
# Probability × price: 1.20, 0.90, 0.80 | 1.20, 1.00, 1.20 | 1.00, 1.08, 0.95 | none.


def forecasts(p: np.ndarray = P) -> pd.DataFrame:
    """Forecasts of four matches as the evaluation holds them."""
    table = {"match_id": [1, 2, 3, 4], "as_of": pd.to_datetime(DAYS).tz_localize("UTC"), "outcome": Y}
    return pd.DataFrame(table | {name: p[:, place] for place, name in enumerate(CALIBRATED)})


def quoted(prices: np.ndarray = PRICES) -> pd.DataFrame:
    """The same prices as rows of an export."""
    rows = [
        (match, "Avg", "opening", *row) for match, row in zip(range(1, 5), prices, strict=True) if np.isfinite(row[0])
    ]
    return pd.DataFrame(rows, columns=["match_id", "bookmaker", "moment", "home", "draw", "away"])


def test_the_outcome_that_promises_most_is_backed_where_it_promises_enough():
    bets = betting.place_bets(P, PRICES, Y, edge=0.05)
    assert bets.rows.tolist() == [0, 1, 2]
    assert bets.outcome.tolist() == [0, 0, 1], "of two that promise the same the first is taken"
    assert bets.price.tolist() == [2.4, 2.0, 3.6]
    assert bets.gain.tolist() == pytest.approx([1.4, -1.0, 2.6])
    assert betting.place_bets(P, PRICES, Y, edge=0.1).rows.tolist() == [0, 1]
    assert betting.place_bets(P, PRICES, Y, edge=0.2).rows.size == 0, "the edge itself is not above it"


def test_kelly_stakes_the_edge_over_the_odds_and_never_below_nothing():
    # (0.5 · 2.4 − 1) / 1.4 = 1/7; (0.6 · 2 − 1) / 1 = 0.2; a bad bet: (0.4 · 2 − 1) / 1 < 0.
    found = betting.kelly(np.array([0.5, 0.6, 0.4]), np.array([2.4, 2.0, 2.0]), 0.25)
    assert found.tolist() == pytest.approx([0.25 / 7, 0.05, 0.0])


def test_the_return_is_profit_over_stakes_and_its_interval_draws_days():
    profit, staked = np.array([1.4, -1.0, 2.6]), np.ones(3)
    found = betting.return_on_stakes(profit, staked, DAYS[:3], draws=400, level=0.95)
    assert found["mean"] == pytest.approx(1.0)
    assert (found["n"], found["days"]) == (3, 2)
    # Both days the first: (1.4 − 1) / 2; both the second: 2.6; nothing lies outside.
    assert found["low"] == pytest.approx(0.2)
    assert found["high"] == pytest.approx(2.6)
    one = betting.return_on_stakes(profit[:2], staked[:2], DAYS[:2], draws=10, level=0.95)
    assert one["low"] == one["high"] == pytest.approx(0.2)


def test_the_deepest_fall_is_taken_between_days_and_from_the_highest_before():
    days = np.array([1, 1, 2, 3, 4, 5])
    # By day: +3 − 1 = 2, −1.5, +1, −2, +5: running 2, 0.5, 1.5, −0.5, 4.5.
    assert betting.drawdown(days, np.array([3.0, -1.0, -1.5, 1.0, -2.0, 5.0])) == pytest.approx(2.5)
    assert betting.drawdown(days[:2], np.array([1.0, 2.0])) == 0.0
    assert betting.drawdown(days[:1], np.array([-1.0])) == 1.0, (
        "the beginning counts as the highest before the first bet"
    )


def test_a_bankroll_grows_day_by_day_and_stakes_no_more_than_its_limit():
    days, gain = np.array([1, 1, 2]), np.array([1.0, -1.0, 2.0])
    # Day 1: 1 + 0.2 − 0.1 = 1.1; day 2: 1 − 0 + 0.1 · 2 = 1.2 on it.
    assert betting.bankroll(days, np.array([0.2, 0.1, 0.1]), gain, 0.5) == pytest.approx((1.32, 0.0))
    # Day 1 asks 1.0 and may stake 0.5: 1 + 0.3 − 0.2 = 1.1; day 2 loses 0.1 of 1.1.
    end, deepest = betting.bankroll(days, np.array([0.6, 0.4, 0.1]), np.array([1.0, -1.0, -1.0]), 0.5)
    assert (end, deepest) == pytest.approx((0.99, 0.1))


def test_closing_value_is_the_price_over_the_fair_closing_price():
    bets = betting.place_bets(P, PRICES, Y, edge=0.05)
    closing = np.array([[0.45, 0.3, 0.25], [np.nan] * 3, [0.3, 0.25, 0.45], [0.4, 0.3, 0.3]])
    found = betting.closing_value(bets, closing, DAYS[bets.rows], draws=20, level=0.95)
    # ln(2.4 · 0.45) and ln(3.6 · 0.25): 1.08 and 0.9.
    assert found["mean"] == pytest.approx((np.log(1.08) + np.log(0.9)) / 2)
    assert (found["n"], found["positive"]) == (2, 0.5)
    assert betting.closing_value(bets, np.full((4, 3), np.nan), DAYS[bets.rows], 20, 0.95) is None


def test_the_simulation_holds_the_strategies_by_hand():
    nothing = np.full((4, 3), np.nan)
    found = betting.simulation({"logit": forecasts()}, "logit", quoted(), nothing, SECTION, EVALUATE)
    blind, flat, kelly = found["strategies"]
    assert (blind["model"], blind["bets"], blind["matches"]) == (betting.EVERYTHING, 9, 3)
    # Winners paid 2.4, 4.0 and 3.6 for nine units.
    assert blind["profit"] == pytest.approx(1.0)
    assert blind["roi"]["mean"] == pytest.approx(1.0 / 9.0)
    assert (flat["bets"], flat["profit"], flat["fall"]) == (3, pytest.approx(3.0), 0.0)
    shares = np.array([0.25 / 7, 0.05, 0.25 * 0.08 / 2.6])
    first = 1.0 + shares[0] * 1.4 - shares[1]
    assert kelly["end"] == pytest.approx(first * (1.0 + shares[2] * 2.6))
    assert kelly["roi"]["mean"] == pytest.approx((shares @ [1.4, -1.0, 2.6]) / shares.sum())
    assert kelly["clv"] is None
    assert "closing-line value is unknown" in " ".join(found["summary"])
    assert "3 flat bets on 3 matches and won 100.0% of the stakes" in found["summary"][0]


def test_a_forecast_that_sees_no_edge_places_no_bet_and_says_so():
    same = np.tile([0.4, 0.3, 0.3], (4, 1))
    low = np.full((4, 3), 2.0)
    found = betting.simulation({"logit": forecasts(same)}, "logit", quoted(low), low * 0.2, SECTION, EVALUATE)
    assert [row["roi"] for row in found["strategies"][1:]] == [None, None]
    assert "no bet would have been placed" in found["summary"][0]


def test_without_prices_the_simulation_is_empty_and_says_so():
    found = betting.simulation({"logit": forecasts()}, "logit", quoted().iloc[:0], P * np.nan, SECTION, EVALUATE)
    assert found["strategies"] == []
    assert found["summary"] == ["No price was quoted before the tested matches: no bet can be simulated."]


def test_a_profit_on_paper_is_called_one_to_doubt_and_a_clear_loss_a_loss():
    lucky = np.where(np.arange(3) == Y[:, None], 0.9, 0.05)
    won = betting.simulation({"logit": forecasts(lucky)}, "logit", quoted(), P * np.nan, SECTION, EVALUATE)
    assert "first look for a leak" in won["summary"][0]
    assert any(
        said.startswith("Above 0 on paper: logit (no odds) at the average, flat stakes") for said in won["summary"]
    )
    wrong = np.roll(lucky, 1, axis=1)
    lost = betting.simulation({"logit": forecasts(wrong)}, "logit", quoted(), P * np.nan, SECTION, EVALUATE)
    assert "lost 100.0% of the stakes" in lost["summary"][0]
    assert "a loss that chance does not explain" in lost["summary"][0]


def test_the_served_model_and_those_labelled_with_prices_bet_and_no_other_does(built):
    found = files.read_json(built / files.BETTING)
    best = files.read_json(built / files.METRICS)["best"]
    assert {row["model"] for row in found["strategies"]} == {betting.EVERYTHING, best, "price_rating", "market_aware"}
    # The prices of the small world are those of fair chances with a margin of 6 %: 1 / 1.06 − 1.
    blind = found["strategies"][0]
    assert blind["roi"]["low"] < 1.0 / 1.06 - 1.0 < blind["roi"]["high"]
