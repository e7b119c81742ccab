"""Lines of prices take part while they agree with the others."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest

from apps.ml.forecasting.line_agreement import Disagreement, disagreements, in_words, without

SECTION = {
    "least_matches": 30,
    "least_months": 12,
    "deviations": 6.0,
    "floors": {"distance": 0.0005, "above": 0.1},
}
MONTHS = pd.date_range("2023-01-01", periods=24, freq="MS", tz="UTC")


@pytest.fixture
def matches() -> pd.DataFrame:
    """Forty matches in each of 24 months."""
    kickoffs = np.repeat(MONTHS, 40)
    return pd.DataFrame({"match_id": np.arange(len(kickoffs)) + 5, "kickoff_at": kickoffs})


@pytest.fixture
def odds(matches) -> pd.DataFrame:
    """Four bookmakers around the same probabilities, with their average and their maximum."""
    generator = np.random.default_rng(1)
    p = generator.dirichlet((6.0, 4.0, 4.0), len(matches))
    lines = {
        name: 0.95 / np.clip(p + generator.normal(0.0, 0.006, p.shape), 0.02, 0.96) for name in ("A", "B", "C", "PS")
    }
    stacked = np.stack(list(lines.values()))
    lines |= {"Avg": stacked.mean(axis=0), "Max": stacked.max(axis=0), "TRUE": 1.0 / np.clip(p[::-1], 0.01, 0.98)}
    return pd.concat(
        pd.DataFrame(prices, columns=["home", "draw", "away"]).assign(
            match_id=matches["match_id"], bookmaker=name, moment="closing"
        )
        for name, prices in lines.items()
    )


def of(odds: pd.DataFrame, matches: pd.DataFrame, bookmaker: str, since: str) -> np.ndarray:
    late = matches.loc[matches["kickoff_at"] >= since, "match_id"]
    return ((odds["bookmaker"] == bookmaker) & odds["match_id"].isin(late)).to_numpy()


def test_lines_that_agree_stay_and_the_truth_of_a_simulation_is_no_line(odds, matches):
    assert disagreements(odds, matches, SECTION) == []
    assert len(without(odds, matches, [])) == len(odds)


def test_prices_above_the_maximum_leave_the_line_out_from_that_month_on(odds, matches):
    odds.loc[of(odds, matches, "PS", "2024-09-01"), ["home", "draw", "away"]] *= 1.05
    found = disagreements(odds, matches, SECTION)
    assert {(each.bookmaker, each.moment) for each in found} == {("PS", "closing")}
    assert [each.month for each in found] == ["2024-09", "2024-10", "2024-11", "2024-12"]
    assert min(each.above for each in found) > 0.5
    assert in_words(found) == "PS closing in 4 months from 2024-09 to 2024-12"
    left = without(odds, matches, found)
    assert not of(left, matches, "PS", "2024-09-01").any()
    assert len(odds) - len(left) == 4 * 40


def test_other_probabilities_leave_the_line_out(odds, matches):
    rows = of(odds, matches, "B", "2024-12-01")
    odds.loc[rows, ["home", "away"]] = odds.loc[rows, ["away", "home"]].to_numpy()
    (found,) = disagreements(odds, matches, SECTION)
    assert (found.bookmaker, found.month, found.matches) == ("B", "2024-12", 40)
    assert in_words([found]) == "B closing in 2024-12"


def test_what_nothing_was_compared_with_is_null_in_a_report(odds, matches):
    odds = odds[odds["bookmaker"] != "Max"]
    rows = of(odds, matches, "Avg", "2024-12-01")
    odds.loc[rows, ["home", "away"]] = odds.loc[rows, ["away", "home"]].to_numpy()
    (found,) = disagreements(odds, matches, SECTION)
    assert found.bookmaker == "Avg"
    assert found.above is None
    said = json.loads(json.dumps(found.as_dict(), allow_nan=False))
    assert (said["above"], said["distance"] > 0.0005) == (None, True)


@pytest.mark.parametrize(("months_later", "month"), [(0, "2024-03"), (1, "2024-04")])
def test_features_leave_a_line_out_a_month_later_so_that_no_later_price_decides(odds, matches, months_later, month):
    found = [Disagreement("PS", "closing", "2024-03", 40, 0.01, 0.9)]
    left = without(odds, matches, found, months_later=months_later)
    of_month = set(matches.loc[matches["kickoff_at"].dt.strftime("%Y-%m") == month, "match_id"])
    is_gone = (odds["bookmaker"] == "PS") & odds["match_id"].isin(of_month)
    pd.testing.assert_frame_equal(left, odds[~is_gone])


@pytest.mark.parametrize("change", [{"least_months": 30}, {"least_matches": 41}], ids=["few months", "few matches"])
def test_without_a_past_or_with_few_matches_nothing_is_judged(odds, matches, change):
    odds.loc[of(odds, matches, "PS", "2024-09-01"), ["home", "draw", "away"]] *= 1.05
    assert disagreements(odds, matches, SECTION | change) == []


def test_without_prices_there_is_nothing(odds, matches):
    assert disagreements(odds.iloc[:0], matches, SECTION) == []
