"""Groups of matches and the reliability of what was called: bins and errors by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from apps.ml.forecasting import scoring, weaknesses
from apps.ml.pipeline import breakdown, evaluate, files, reliability
from apps.ml.pipeline.columns import CALIBRATED, RAW

SECTION = {
    "bootstrap_draws": 20,
    "bootstrap_level": 0.95,
    "devig": "power",
    "ece_draws": 200,
    "ece_quantile": 0.975,
    "least_matches": 4,
}
NO_LINE = np.full((4, 3), np.nan)


def rows_of(p: np.ndarray, y: list[int], raw: np.ndarray | None = None) -> pd.DataFrame:
    """Forecasts of one model, a match a day."""
    table = {
        "match_id": range(1, len(y) + 1),
        "as_of": pd.date_range("2024-01-01", periods=len(y), tz="UTC"),
        "outcome": y,
    }
    first = p if raw is None else raw
    return pd.DataFrame(
        table
        | {name: p[:, place] for place, name in enumerate(CALIBRATED)}
        | {name: first[:, place] for place, name in enumerate(RAW)}
    )


def test_a_rating_gap_has_no_sign_and_an_edge_belongs_to_the_bin_above():
    gaps = breakdown.rating_gaps(pd.Series([0.0, -49.9, 50.0, -120.0, 300.0]), [50, 100, 250])
    assert gaps.tolist() == [
        "0 to 50 points",
        "0 to 50 points",
        "50 to 100 points",
        "100 to 250 points",
        "250 points and more",
    ]
    assert gaps.cat.categories.tolist()[0] == "0 to 50 points"


def test_sides_that_came_up_or_went_down_are_reported_apart():
    home, away = pd.Series([0.0, 1.0, 0.0, -1.0, 1.0]), pd.Series([0.0, 0.0, -2.0, 1.0, 1.0])
    assert breakdown.promotions(home, away).tolist() == [
        "neither side moved",
        "a promoted side",
        "a relegated side",
        "a promoted and a relegated side",
        "a promoted side",
    ]


def test_months_pool_the_years_in_the_order_of_the_calendar():
    kickoff = pd.Series(pd.to_datetime(["2024-12-31", "2023-01-05", "2024-01-07"], utc=True))
    found = breakdown.months(kickoff)
    assert found.tolist() == ["December", "January", "January"]
    base = rows_of(np.tile([0.4, 0.3, 0.3], (3, 1)), [0, 1, 2])
    rows = breakdown.by_group(base, base, found, "month", NO_LINE[:3], SECTION)
    assert [(row["month"], row["n"]) for row in rows] == [("January", 2), ("December", 1)]


def test_the_parts_of_a_season_end_where_they_say():
    found = breakdown.season_parts(pd.Series([0.0, 0.25, 0.6, 0.75, 0.9, 1.0]))
    assert found.tolist() == [
        "first quarter",
        "second quarter",
        "third quarter",
        "until nine tenths",
        "last tenth",
        "last tenth",
    ]


def test_a_forecast_counts_for_the_first_of_its_weaknesses():
    usual = dict.fromkeys(weaknesses.COLUMNS, 0.0) | {
        **{f"elo_matches_{side}": 100.0 for side in ("home", "away")},
        **{f"filter_counted_{side}": 1.0 for side in ("home", "away")},
        "table_progress": 0.5,
        "level": 1.0,
    }
    new = {"elo_matches_away": 3.0, "table_progress": 0.0}
    found = breakdown.first_weaknesses(pd.DataFrame([usual, usual | new, usual | {"table_progress": 0.0}]))
    assert found.tolist() == ["none", "a new club", "the start of a season"]


def test_every_weakness_that_features_show_has_a_group():
    assert set(breakdown.WEAKNESSES) == {"", *weaknesses.CODES} - {weaknesses.FALLBACK}


def test_a_group_has_the_means_of_its_own_matches_and_of_those_that_are_quoted():
    own = rows_of(np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.8, 0.1, 0.1], [0.8, 0.1, 0.1]]), [0, 1, 0, 2])
    base = rows_of(np.full((4, 3), 1.0 / 3.0), [0, 1, 0, 2])
    line = NO_LINE.copy()
    line[0] = [0.6, 0.2, 0.2]
    first, second = breakdown.by_group(own, base, pd.Series(["a", "a", "b", "b"]), "league", line, SECTION)
    assert (first["league"], first["n"], first["quoted_n"]) == ("a", 2, 1)
    assert first["log_loss"] == pytest.approx(np.log(2.0))
    assert first["base_gap"]["mean"] == pytest.approx(np.log(2.0) - np.log(3.0))
    # RPS of a home win, halved: ((1 − p_home)² + p_away²) / 2.
    assert first["quoted_rps"] == pytest.approx((0.5**2 + 0.25**2) / 2)
    assert first["line_gap"]["mean"] == pytest.approx((0.5**2 + 0.25**2) / 2 - (0.4**2 + 0.2**2) / 2)
    assert second["line_gap"] is None
    assert second["quoted_rps"] is None
    assert second["log_loss"] == pytest.approx(-(np.log(0.8) + np.log(0.1)) / 2)


def test_a_group_in_which_one_outcome_alone_came_is_scored_all_the_same():
    own = rows_of(np.tile([0.5, 0.3, 0.2], (4, 1)), [0, 0, 0, 0])
    (row,) = breakdown.by_group(own, own, pd.Series(["2024-01"] * 4), "month", NO_LINE, SECTION)
    assert row["log_loss"] == pytest.approx(np.log(2.0))
    assert row["base_gap"]["low"] == row["base_gap"]["high"] == 0.0


def test_the_differences_over_time_are_those_of_each_month():
    own = rows_of(np.array([[0.5, 0.25, 0.25], [0.25, 0.5, 0.25], [0.8, 0.1, 0.1], [0.8, 0.1, 0.1]]), [0, 1, 0, 2])
    own["as_of"] = pd.to_datetime(["2023-12-31", "2024-01-01", "2024-01-02", "2025-01-02"], utc=True)
    base = rows_of(np.full((4, 3), 1.0 / 3.0), [0, 1, 0, 2])
    line = NO_LINE.copy()
    line[2] = [0.7, 0.2, 0.1]
    rows = breakdown.over_time(own, base, line)
    assert [(row["month"], row["n"]) for row in rows] == [("2023-12", 1), ("2024-01", 2), ("2025-01", 1)]
    assert rows[0]["less_base"] == pytest.approx(np.log(2.0) - np.log(3.0))
    assert rows[1]["less_base"] == pytest.approx((np.log(2.0) - np.log(0.8)) / 2 - np.log(3.0))
    # RPS of a home win: ((1 − 0.8)² + 0.1²) / 2 less ((1 − 0.7)² + 0.1²) / 2.
    assert rows[1]["less_line"] == pytest.approx((0.04 - 0.09) / 2)
    assert rows[0]["less_line"] is None


def test_bins_hold_the_mean_forecast_and_how_often_it_came():
    p, hit = np.array([0.12, 0.18, 0.55, 1.0]), np.array([False, True, True, True])
    assert reliability.binned(p, hit) == [
        {"low": 0.1, "high": 0.2, "n": 2, "mean_p": pytest.approx(0.15), "frequency": 0.5},
        {"low": 0.5, "high": 0.6, "n": 1, "mean_p": pytest.approx(0.55), "frequency": 1.0},
        {"low": 0.9, "high": 1.0, "n": 1, "mean_p": 1.0, "frequency": 1.0},
    ]
    # |0.30 − 1| + |0.55 − 1| + |1 − 1| over four forecasts.
    assert reliability.error(p, hit) == pytest.approx((0.7 + 0.45) / 4)


def test_a_perfect_forecaster_stays_below_the_limit_and_an_overconfident_one_does_not():
    generator = np.random.default_rng(5)
    p = generator.uniform(0.1, 0.7, size=4000)
    hit = generator.random(4000) < p
    limit = reliability.limit(p, SECTION)
    assert reliability.error(p, hit) < limit
    sharper = np.clip(p + 0.5 * (p - 0.4), 0.01, 0.99)
    assert reliability.error(sharper, hit) > reliability.limit(sharper, SECTION)


def test_reliability_stands_before_and_after_calibration_and_only_for_competitions_with_enough_matches():
    after, before = np.tile([0.5, 0.3, 0.2], (6, 1)), np.tile([0.9, 0.05, 0.05], (6, 1))
    rows = rows_of(after, [0, 1, 0, 2, 0, 0], before)
    home = reliability.by_outcome(rows, SECTION)[0]
    # Home came in four of six.
    assert home["ece"] == pytest.approx(4 / 6 - 0.5)
    assert home["before"]["ece"] == pytest.approx(0.9 - 4 / 6)
    (league,) = reliability.by_competition(rows, pd.Series(["big"] * 4 + ["small"] * 2), SECTION)
    assert (league["competition"], league["n"]) == ("big", 4)
    assert league["before"]["ece"] == pytest.approx(scoring.ece(before[:4], [0, 1, 0, 2]))
    assert league["outcomes"][0]["points"] == [[4, pytest.approx(0.5), 0.5]]


def test_lines_and_models_meet_on_the_matches_that_every_line_quotes():
    p = np.tile([0.5, 0.3, 0.2], (4, 1))
    models = {"base_rates": rows_of(p, [0, 1, 0, 2]), "logit": rows_of(p[:, ::-1], [0, 1, 0, 2])}
    odds = pd.DataFrame(
        [(match, "PS", "closing", 2.0, 4.0, 4.0) for match in (1, 2, 3)]
        + [(match, "Avg", "opening", 4.0, 4.0, 2.0) for match in (2, 3, 4)],
        columns=["match_id", "bookmaker", "moment", "home", "draw", "away"],
    )
    found = evaluate.on_common_matches(models, odds, SECTION)
    assert (found["n"], found["reference"]) == (2, "closing line of Pinnacle")
    assert [row["name"] for row in found["rows"]] == [
        "closing line of Pinnacle",
        "average of bookmakers before the match",
        "base_rates",
        "logit",
    ]
    closing, average = found["rows"][:2]
    # Matches 2 and 3 end 1 and 0: ln 4 and ln 2 by the one, ln 4 twice by the other.
    assert closing["log_loss"] == pytest.approx((np.log(4.0) + np.log(2.0)) / 2)
    assert average["gap"]["log_loss"]["mean"] == pytest.approx(np.log(2.0) / 2)
    assert (
        evaluate.on_common_matches(models, odds.assign(match_id=odds["match_id"].replace({2: 9, 3: 8})), SECTION)
        is None
    )
    assert evaluate.on_common_matches(models, odds.iloc[:0], SECTION) is None


def test_every_table_of_groups_holds_each_tested_match_once(built):
    metrics, apart = files.read_json(built / files.METRICS), files.read_json(built / files.BREAKDOWN)
    tables = {**apart["groups"], "competitions": metrics["competitions"], "seasons": metrics["seasons"]}
    assert set(tables) >= {"months", "promotions", "rating_gaps", "season_parts", "weaknesses"}
    whole = metrics["models"][metrics["best"]]["log_loss"]
    for rows in tables.values():
        assert sum(row["n"] for row in rows) == metrics["test"]["n"]
        assert sum(row["n"] * row["log_loss"] for row in rows) / metrics["test"]["n"] == pytest.approx(whole)


def test_the_difference_of_two_models_is_that_of_their_scores(built):
    metrics, apart = files.read_json(built / files.METRICS), files.read_json(built / files.BREAKDOWN)
    scores, best = metrics["models"], metrics["best"]
    for row in apart["paired"]:
        name = row["model"]
        for to, other in (("base", "base_rates"), ("best", best)):
            if name == other:
                assert row[to] is None
            else:
                expected = scores[name]["rps"] - scores[other]["rps"]
                assert row[to]["rps"]["mean"] == pytest.approx(expected, abs=1e-12)
