"""What single families say, by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from apps.ml.forecasting.features import FeatureState, build_features
from apps.ml.forecasting.features.form import SCOPES
from apps.ml.forecasting.features.places import Places, places_of


def matches(rows: list[tuple], **more) -> pd.DataFrame:
    """Matches from (home, away, home goals, away goals, day); later columns as given."""
    frame = pd.DataFrame(rows, columns=["home_team_id", "away_team_id", "home_goals", "away_goals", "day"])
    frame["kickoff_at"] = pd.Timestamp("2024-01-01 15:00", tz="UTC").as_unit("us") + pd.to_timedelta(frame["day"], "D")
    frame["known_at"] = frame["kickoff_at"] + pd.Timedelta(hours=3)
    frame["as_of"] = frame["kickoff_at"] - pd.Timedelta(hours=1)
    frame["match_id"] = np.arange(1, len(frame) + 1)
    frame[["home_goals", "away_goals"]] = frame[["home_goals", "away_goals"]].astype(float)
    frame["status"] = np.where(frame["home_goals"].isna(), "scheduled", "finished")
    frame.loc[frame["home_goals"].isna(), "known_at"] = pd.NaT
    defaults = {"competition_id": 1, "region": "X", "level": 1, "season_id": 1, "is_neutral": False, "stage": ""}
    return frame.assign(**(defaults | more))


def described(frame: pd.DataFrame, params: dict, family: str, **changes) -> pd.DataFrame:
    section = {family: params["features"][family] | changes}
    values, names = build_features(frame, frame, params=section)
    return pd.DataFrame(values, columns=list(names))


def test_elo_moves_by_the_margin_as_hvattum_and_arntzen_say(params):
    frame = matches([(1, 2, 2, 0, 0), (2, 1, None, None, 7)])
    found = described(
        frame, params, "elo", base=1500, k0=10, margin_power=1.0, home_edge=70, edge_rate=0, season_pull=0
    )
    # Expected score of the home side: 1 / (1 + 10 ** (-70 / 400)) = 0.599397; step: 10 * (1 + 2) * 0.400603 = 12.0181
    assert found.loc[0, "elo_expected"] == pytest.approx(0.599397, abs=1e-6)
    assert found.loc[1, "elo_home"] == pytest.approx(1500 - 12.0181, abs=1e-4)
    assert found.loc[1, "elo_away"] == pytest.approx(1500 + 12.0181, abs=1e-4)
    assert found.loc[1, "elo_diff"] == pytest.approx(70 - 24.0362, abs=1e-4)
    assert found.loc[1, ["elo_matches_home", "elo_matches_away"]].tolist() == [1, 1]


def test_elo_carries_a_team_through_promotion_and_meets_newcomers_below_the_mean(params):
    frame = matches([(1, 2, 5, 0, 0), (1, 3, None, None, 7), (8, 9, None, None, 8)])
    frame.loc[1:, "competition_id"] = [2, 1]
    frame.loc[1, "level"] = 2
    found = described(frame, params, "elo", settled_matches=1, newcomer_gap=60, level_gap=150, season_pull=0)
    assert found.loc[1, "elo_home"] > 1500
    assert found.loc[1, "elo_away"] == 1350
    assert found.loc[2, "elo_home"] == 1440


def test_elo_has_no_home_edge_on_neutral_ground(params):
    frame = matches([(1, 2, None, None, 0)], is_neutral=True)
    found = described(frame, params, "elo")
    assert found.loc[0, ["elo_diff", "elo_edge", "elo_expected"]].tolist() == [0.0, 0.0, 0.5]


def test_base_rates_are_shrunk_counts(params):
    frame = matches([(1, 2, 1, 0, 0), (2, 1, 2, 2, 1), (1, 2, 3, 1, 2), (2, 1, None, None, 9)])
    prior = [0.5, 0.25, 0.25, 1.5, 1.0]
    found = described(frame, params, "base_rates", half_life=1e15, half_life_all=1e15, strength=1, prior=prior)
    assert found.loc[0].tolist() == [*prior, 0.0]
    # All together: (2 + 0.5, 1 + 0.25, 0.25) / 4; the competition: (2 + 0.625, 1 + 0.3125, 0.0625) / 4
    assert found.loc[3, ["base_home", "base_draw", "base_away"]].tolist() == pytest.approx(
        [0.65625, 0.328125, 0.015625], abs=1e-12
    )
    # Goals of home sides: all together (6 + 1.5) / 4 = 1.875, then (6 + 1.875) / 4
    assert found.loc[3, "base_goals_home"] == pytest.approx(1.96875, abs=1e-12)


def test_base_rates_forget_with_the_half_life(params):
    frame = matches([(1, 2, 1, 0, 0), (2, 1, 0, 1, 1), (2, 1, None, None, 9)])
    found = described(frame, params, "base_rates", half_life=1, half_life_all=1, strength=1e-9)
    assert found.loc[2, ["base_home", "base_away"]].tolist() == pytest.approx([1 / 3, 2 / 3], abs=1e-6)


def shifted(params: dict, doubt: float) -> pd.DataFrame:
    """Two thousand matches of which home sides win half, then four hundred of which they win a quarter."""
    generator = np.random.default_rng(6)
    chances = [(0.5, 0.25, 0.25)] * 2000 + [(0.25, 0.25, 0.5)] * 400
    goals = [[(1, 0), (1, 1), (0, 1)][generator.choice(3, p=chance)] for chance in chances]
    rows = [(1, 2, *score, number / 4) for number, score in enumerate(goals)]
    frame = matches([*rows, (1, 2, None, None, 700)])
    return described(frame, params, "base_rates", half_life=1e15, half_life_shift=300, shift_doubt=doubt)


def test_base_rates_follow_a_change_for_everybody_and_leave_chance_alone(params):
    found, slow = shifted(params, 2.0), shifted(params, 1e9)
    assert (slow["base_shift"] == 0.0).all()
    assert (found["base_shift"].iloc[500:2000] == 0.0).mean() > 0.8
    assert -0.6 < found["base_shift"].iloc[-1] < -0.1
    moved = found.iloc[-1] - slow.iloc[-1]
    assert moved["base_home"] == pytest.approx(found["base_shift"].iloc[-1] / 2)
    assert moved["base_away"] == pytest.approx(-found["base_shift"].iloc[-1] / 2)
    assert moved["base_draw"] == 0.0


def test_form_means_over_the_latest_matches(params):
    frame = matches([(1, 2, 2, 0, 0), (3, 1, 1, 1, 3), (1, 3, 0, 4, 6), (1, 2, 1, 0, 9), (1, 2, None, None, 12)])
    frame["home_shots_on_target"] = [5.0, 3.0, np.nan, 7.0, np.nan]
    found = described(frame, params, "form", windows=[1, 3])
    assert np.isnan(found.loc[0, "form_all_1_points_home"])
    assert found.loc[0, "form_all_3_coverage_home"] == 0.0
    row = found.loc[4]
    # Latest three of team 1: draw 1-1 away, loss 0-4, win 1-0
    assert row["form_all_3_points_home"] == pytest.approx(4 / 3)
    assert row["form_all_3_goals_for_home"] == pytest.approx(2 / 3)
    assert row["form_all_3_goals_against_home"] == pytest.approx(5 / 3)
    assert row[["form_all_3_wins_home", "form_all_3_draws_home", "form_all_3_losses_home"]].tolist() == [1 / 3] * 3
    # At home: 2-0, 0-4, 1-0, of which one has no count of shots
    assert row["form_venue_3_points_home"] == 2.0
    assert row["form_venue_3_shots_on_target_for_home"] == 6.0
    assert row["form_all_1_shots_on_target_for_home"] == 7.0
    # Team 2 was only ever away: 0-2 and 0-1
    assert row["form_venue_3_goals_against_away"] == 1.5
    assert row["form_venue_3_coverage_away"] == pytest.approx(2 / 3)
    assert row["form_all_1_points_diff"] == 3.0


def form(frame: pd.DataFrame, **changes) -> pd.DataFrame:
    every = {scope: ["wins", "points", "goals_for"] for scope in SCOPES}
    return described(frame, {"features": {"form": {"windows": [1, 3], "scopes": every}}}, "form", **changes)


def test_form_of_a_season_and_of_a_competition_leaves_other_matches_out():
    frame = matches([(1, 2, 3, 0, 0), (1, 3, 0, 0, 3), (2, 1, 1, 4, 6), (1, 3, 0, 5, 9), (1, 2, None, None, 12)])
    frame["competition_id"], frame["season_id"] = [1, 1, 1, 2, 1], [1, 2, 2, 3, 2]
    row = form(frame).loc[4]
    # Of this season: 0-0 and 4-1; in the competition also the 3-0; the 0-5 was in another.
    assert row["form_season_3_points_home"] == 2.0
    assert row["form_season_3_coverage_home"] == pytest.approx(2 / 3)
    assert row["form_season_1_goals_for_home"] == 4.0
    assert row["form_competition_3_goals_for_home"] == pytest.approx(7 / 3)
    assert row["form_competition_3_coverage_home"] == 1.0
    assert row["form_all_1_goals_for_home"] == 0.0
    assert row["form_season_3_goals_for_away"] == 1.0
    assert row["form_competition_3_wins_diff"] == pytest.approx(2 / 3)


def test_form_head_to_head_is_reported_from_each_side_wherever_the_clubs_met():
    frame = matches([(1, 2, 3, 0, 0), (2, 1, 1, 1, 3), (1, 3, 0, 9, 5), (1, 2, None, None, 12), (4, 2, None, None, 13)])
    found = form(frame)
    row = found.loc[3]
    assert row[["form_head_to_head_3_wins_home", "form_head_to_head_3_wins_away"]].tolist() == [0.5, 0.0]
    assert row[["form_head_to_head_3_points_home", "form_head_to_head_3_points_away"]].tolist() == [2.0, 0.5]
    assert row[["form_head_to_head_3_goals_for_home", "form_head_to_head_3_goals_for_away"]].tolist() == [2.0, 0.5]
    assert row["form_head_to_head_3_points_diff"] == 1.5
    assert row[["form_head_to_head_1_coverage", "form_head_to_head_3_coverage"]].tolist() == pytest.approx([1.0, 2 / 3])
    assert found.loc[4, "form_head_to_head_1_coverage"] == 0.0
    assert np.isnan(found.loc[4, "form_head_to_head_1_points_home"])


def test_form_says_what_it_was_requested_and_refuses_what_it_does_not_know():
    frame = matches([(1, 2, 3, 0, 0)])
    assert list(form(frame, windows=[2], scopes={"head_to_head": ["draws"]})) == [
        "form_head_to_head_2_draws_home",
        "form_head_to_head_2_draws_away",
        "form_head_to_head_2_draws_diff",
        "form_head_to_head_2_coverage",
    ]
    with pytest.raises(ValueError, match="derbies"):
        form(frame, scopes={"derbies": ["wins"]})
    with pytest.raises(ValueError, match="throw_ins"):
        form(frame, scopes={"all": ["throw_ins"]})
    with pytest.raises(ValueError, match="longer than 2000"):
        form(frame, windows=[2001])


def test_rest_and_congestion_count_scheduled_matches_played_or_not(params):
    frame = matches([(1, 2, 1, 0, 0), (1, 3, None, None, 10), (1, 4, None, None, 13), (2, 1, None, None, 14)])
    frame.loc[2, "status"] = "postponed"
    found = described(frame, params, "context", rest_cap_days=21, congestion_days=14)
    row = found.loc[3]
    assert row["rest_away"] == 4.0
    assert row["rest_home"] == 14.0
    assert row["rest_diff"] == 10.0
    assert row["congestion_14_away"] == 2.0
    assert row["season_matches_away"] == 2.0
    assert found.loc[0, "rest_home"] == 21.0


def test_rest_since_another_competition_looks_back_alone(params):
    frame = matches([(1, 2, 1, 0, 0), (3, 1, 1, 0, 3), (1, 4, None, None, 10), (1, 5, None, None, 12)])
    frame["competition_id"] = [9, 1, 1, 9]
    row = described(frame, params, "context", rest_cap_days=21).loc[2]
    assert row[["other_competition_rest_home", "rest_home"]].tolist() == [10.0, 7.0]
    assert row["other_competition_rest_away"] == 21.0
    # The tie of day 12 may have been drawn after the forecast: nothing of day 10 knows of it.
    without = described(frame.drop(3), params, "context", rest_cap_days=21).loc[2]
    assert row.equals(without)


def test_closed_fetchers_are_those_of_the_order_from_its_first_day_to_its_last(params):
    frame = matches([(1, 2, None, None, day) for day in (0, 1, 3, 4)] + [(1, 2, None, None, 1)])
    frame.loc[4, "region"] = "Y"
    orders = [["X", "2024-01-02", "2024-01-04"]]
    assert described(frame, params, "context", closed_doors=orders)["closed_doors"].tolist() == [0, 1, 1, 0, 0]
    everywhere = [["*", "2024-01-05", "2024-01-05"]]
    assert described(frame, params, "context", closed_doors=everywhere)["closed_doors"].tolist() == [0, 0, 0, 1, 0]
    assert described(frame, params, "context", closed_doors=[])["closed_doors"].eq(0.0).all()


def test_the_orders_of_the_parameters_name_regions_and_close_the_big_leagues_in_the_spring_of_2021(params):
    orders = params["features"]["context"]["closed_doors"]
    assert all(first <= last for _, first, last in orders)
    closed = {region for region, first, last in orders if first <= "2021-02-06" <= last}
    assert {"England", "Germany", "Italy", "Spain", "France"} <= closed


def test_the_calendar_is_replaced_and_a_moved_match_counts_once(params):
    frame = matches([(1, 2, None, None, 0), (1, 2, None, None, 3), (1, 3, None, None, 8)])
    frame.loc[1, "match_id"] = 1
    state = FeatureState.new({"context": params["features"]["context"]})
    state.schedule(frame)
    row = dict(zip(state.names, state.describe(frame.tail(1))[0], strict=True))
    assert row["rest_home"] == 5.0
    assert row["congestion_14_home"] == 1.0
    state.schedule(frame.tail(1))
    assert dict(zip(state.names, state.describe(frame.tail(1))[0], strict=True))["rest_home"] == 21.0


def test_attack_and_defence_find_the_strengths_that_made_the_goals(params):
    generator = np.random.default_rng(11)
    attack = np.exp(generator.normal(0.0, 0.3, size=10))
    rows = []
    for number in range(2700):
        home, away = generator.choice(10, size=2, replace=False)
        goals = generator.poisson([1.4 * attack[home], 1.1 * attack[away]])
        rows.append((home + 1, away + 1, *goals, number / 10))
    frame = matches([*rows, (1, 2, None, None, 280)])
    found = described(frame, params, "dixon_coles", half_life_days=1e6, window_days=1000, prior_matches=0.1)
    assert found["dc_mu_home"].iloc[-1] == pytest.approx(1.4 * attack[0], rel=0.08)
    assert found["dc_mu_away"].iloc[-1] == pytest.approx(1.1 * attack[1], rel=0.08)
    row = found.iloc[-1]
    log_home = row["dc_base_home"] + row["dc_attack_home"] + row["dc_concession_away"]
    assert np.exp(log_home) == pytest.approx(row["dc_mu_home"], rel=1e-12)


def test_attack_and_defence_of_a_first_match_are_those_of_the_start(params):
    found = described(matches([(1, 2, None, None, 0)]), params, "dixon_coles", goals=1.35, home=1.3)
    section = params["features"]["dixon_coles"]
    newcomer = section["newcomer_attack"] * section["newcomer_concession"]
    assert found.loc[0, "dc_mu_home"] == pytest.approx(1.35 * 1.3 * newcomer)
    assert found.loc[0, "dc_mu_away"] == pytest.approx(1.35 * newcomer)


def test_a_result_moves_attack_and_defence_only_after_its_period(params):
    frame = matches([(1, 2, 1, 1, 0), (1, 2, 6, 0, 7), (1, 2, None, None, 7.2), (1, 2, None, None, 9)])
    found = described(frame, params, "dixon_coles", refit_days=1)
    assert found.loc[2, "dc_mu_home"] == found.loc[1, "dc_mu_home"]
    assert found.loc[3, "dc_mu_home"] > found.loc[1, "dc_mu_home"]


def test_many_results_move_attack_and_defence_before_their_period_ends(params):
    frame = matches(
        [(1, 2, 1, 1, 0), (1, 2, 6, 0, 7), (1, 2, None, None, 7.2), (3, 4, 1, 0, 7.21), (1, 2, None, None, 7.4)]
    )
    found = described(frame, params, "dixon_coles", refit_days=1, refit_matches=2)
    assert found.loc[2, "dc_mu_home"] == found.loc[1, "dc_mu_home"]
    assert found.loc[4, "dc_mu_home"] > found.loc[1, "dc_mu_home"]


def test_form_refuses_windows_that_do_not_rise(params):
    with pytest.raises(ValueError, match="rise"):
        FeatureState.new({"form": {"windows": [5, 3]}})


def test_pi_ratings_move_as_constantinou_and_fenton_say(params):
    frame = matches([(1, 2, 4, 1, 0), (1, 2, None, None, 7), (2, 1, None, None, 8)])
    found = described(frame, params, "pi", rate=0.1, spread=3.0, catch_up=0.5, season_pull=0.0, newcomer=0.0)
    # Error of 3 goals: 0.1 * 3 * log10(4) = 0.180618
    assert found.loc[1, ["pi_home", "pi_away"]].tolist() == pytest.approx([0.180618, -0.180618], abs=1e-6)
    assert found.loc[2, ["pi_home", "pi_away"]].tolist() == pytest.approx([-0.090309, 0.090309], abs=1e-6)
    assert found.loc[1, "pi_diff"] == pytest.approx(2 * (10 ** (0.180618 / 3.0) - 1.0), abs=1e-6)


def test_generalised_ratings_move_by_the_share_of_surprise(params):
    frame = matches([(1, 2, 2, 1, 0), (3, 4, 3, 1, 1), (3, 4, None, None, 9), (5, 6, None, None, 10)])
    rates = {"goals": 0.1, "shots": 0.1, "shots_on_target": 0.1, "corners": 0.1}
    found = described(frame, params, "gap", rates=rates, other_venue=0.0, newcomer=0.0, mean_rate=0.0, level_rate=0.0)
    # Home goals half a mean more than expected: 0.05 for the attack at home and for the other side's concession away;
    # half of the mean over sides and venues, 0.00625, is the level that both are measured against.
    assert found.loc[2, "gap_goals_home"] == pytest.approx(2 * (0.05 - 0.00625))
    assert found.loc[2, "gap_goals_away"] == pytest.approx(-2 * 0.00625)
    # Nobody counted corners: goals stand in for them.
    assert found.loc[2, "gap_corners_home"] == found.loc[2, "gap_goals_home"]


def test_a_step_of_the_filter_is_that_of_kalman(params):
    still = {"goals": [0.1, 0.1, 0.0], "shots": [0.1] * 3, "shots_on_target": [0.1] * 3, "corners": [0.1] * 3}
    none = dict.fromkeys(still, [0.0] * 3)
    frame = matches([(1, 2, 2, 1, 0), (3, 4, 4, 1, 1), (3, 4, None, None, 9)])
    found = described(
        frame, params, "poisson_filter", start=still, drift=none, jump=none, newcomer=0.0, mean_rate=0.0, level_rate=0.0
    )
    # Two goals more than the 2 of the mean: 0.1 / (1 + 2 * 0.2) * 2 = 0.142857 for attack and concession, each against
    # the level, which went half of the way to the mean of both sides.
    strength = 0.142857 - 0.142857 / 4.0
    assert found.loc[2, "filter_goals_home"] == pytest.approx(2 * strength, abs=1e-5)
    assert found.loc[2, ["filter_attack_home", "filter_concession_away"]].tolist() == pytest.approx(
        [strength, strength], abs=1e-5
    )
    # A variance of 0.1 loses 0.1 * 2 / 1.4 of itself where the count was 2, and 0.1 / 1.2 where it was 1.
    left = 2 * 0.1 * (1 - 0.2 / 1.4) + 2 * 0.1 * (1 - 0.1 / 1.2)
    assert found.loc[2, "filter_doubt"] == pytest.approx(np.sqrt(left), abs=1e-6)
    assert np.exp(found.loc[2, ["filter_base_home", "filter_base_away"]]).tolist() == pytest.approx([3.0, 1.0])


def test_the_filter_takes_goals_where_nobody_counted_and_says_how_often_somebody_did(params):
    frame = matches([(1, 2, 2, 1, 0), (1, 2, 3, 1, 1), (1, 2, None, None, 9)])
    frame["home_shots"], frame["away_shots"] = [10.0, np.nan, np.nan], [10.0, np.nan, np.nan]
    found = described(frame, params, "poisson_filter", counted_rate=0.0)
    assert found.loc[1, "filter_shots_home"] == 0.0
    assert found.loc[2, "filter_shots_home"] > 0.0
    assert found.loc[2, "filter_counted_home"] == 0.5


def test_a_filter_needs_a_number_for_each_strength(params):
    with pytest.raises(ValueError, match="attack"):
        described(matches([(1, 2, None, None, 0)]), params, "poisson_filter", start={"goals": [1], **_others(params)})


def _others(params: dict) -> dict:
    return {name: [1] for name in params["features"]["poisson_filter"]["start"] if name != "goals"}


def test_the_table_says_what_is_at_stake(params):
    frame = matches([(1, 2, 2, 0, 0), (3, 1, 0, 1, 3), (2, 1, None, None, 6), (9, 1, None, None, 7)])
    found = described(frame, params, "table", match_variance=1.7, tie_variance=0.6, cap=4.0)
    row = found.loc[2]
    # Three clubs play four matches each; the leader has six points after two, the home side none after one.
    assert row[["table_left_home", "table_left_away"]].tolist() == [3.0, 2.0]
    assert row[["table_points_home", "table_points_away"]].tolist() == [0.0, 3.0]
    assert row[["table_place_home", "table_place_away"]].tolist() == [1.0, 0.0]
    assert row[["table_margin_home", "table_margin_away"]].tolist() == [-2.0, 1.5]
    assert row[["stake_title_home", "stake_title_away"]].tolist() == [-2.0, 3.0]
    assert row["table_progress"] == pytest.approx((1 / 4 + 2 / 4) / 2)
    # Two deviations of points: (6 + 1.5) / 2 and (6 - 1.5) / 2
    assert row["leverage_title_away"] == pytest.approx(0.99991158 - 0.98777553, abs=1e-7)
    assert row["leverage_most_away"] == row["leverage_title_away"]
    assert row["leverage_root_away"] == pytest.approx(row["leverage_most_away"] ** 0.5)
    # A league of three clubs has no place that is not both Europe and relegation.
    assert row["stake_first_home"] == row["leverage_first_home"] == 0.0
    assert found.loc[3, ["table_place_home", "stake_title_home", "table_left_home"]].tolist() == [0.5, 0.0, 4.0]


def test_the_table_knows_who_came_up_and_who_went_down(params):
    frame = matches(
        [(1, 2, 2, 0, 0), (3, 4, 0, 1, 1), (1, 3, None, None, 300), (2, 1, 1, 1, 301), (2, 4, None, None, 310)]
    )
    frame["season_id"], frame["competition_id"] = [1, 2, 3, 3, 3], [1, 2, 1, 1, 1]
    frame["level"] = [1, 2, 1, 1, 1]
    found = described(frame, params, "table")
    assert found.loc[2, ["table_moved_home", "table_moved_away"]].tolist() == [0.0, 1.0]
    assert found.loc[2, ["table_tenure_home", "table_tenure_away"]].tolist() == [1.0, 0.0]
    assert found.loc[4, ["table_moved_home", "table_tenure_home", "table_moved_away"]].tolist() == [0.0, 1.0, 1.0]


def test_play_offs_cups_and_late_results_of_the_season_before_leave_the_table_alone(params):
    frame = matches([(1, 2, 1, 0, 0), (1, 2, 1, 0, 300), (2, 1, 9, 0, 301), (2, 1, 9, 0, 302), (1, 2, None, None, 310)])
    frame["season_id"] = [1, 2, 2, 1, 2]
    frame.loc[2, "stage"] = "play-offs"
    found = described(frame, params, "table")
    assert found.loc[4, ["table_points_home", "table_points_away"]].tolist() == [3.0, 0.0]
    cup = described(frame.assign(level=0), params, "table")
    assert (cup.loc[4, ["table_place_home", "stake_title_home", "table_moved_home"]] == [0.5, 0.0, 0.0]).all()


def test_places_are_those_of_the_rules_and_a_league_that_is_not_listed_has_some():
    assert places_of("England", 2) == Places(title=1, first=2, second=6, play_off=3, down=3)
    assert places_of("Atlantis", 1).down > 0
    assert places_of("Atlantis", 3).first > 0
    assert places_of("England", 0) == Places(0, 0, 0, 0, 0)


def test_ratings_of_prices_follow_the_log_odds(params):
    frame = matches([(1, 2, 1, 1, 0), (1, 2, None, None, 7), (3, 4, 1, 0, 8), (1, 2, None, None, 14)])
    frame["price_home"], frame["price_draw"], frame["price_away"] = 0.5, 0.25, 0.25
    frame.loc[2, ["price_home", "price_draw", "price_away"]] = np.nan
    quiet = dict.fromkeys(("drift", "win", "goal", "shots", "level_rate", "edge_rate", "newcomer", "start_home"), 0.0)
    calm = {"start": 0.25, "season": 0.25, "season_days": 1e9, "noise": 1.0} | quiet
    found = described(frame, params, "market", **calm)
    # An error of ln 2, of which each side takes 2 * 0.25 / 2, and the home edge, at the first match, all.
    strength = 0.25 * np.log(2.0)
    assert found.loc[1, "price_diff"] == pytest.approx(np.log(2.0) + 2 * strength)
    assert found.loc[1, ["price_seen_home", "price_seen_away"]].tolist() == [1.0, 1.0]
    # A match without a price moves nothing.
    assert found.loc[3, "price_diff"] == pytest.approx(found.loc[1, "price_diff"])
    # A draw is an eighth of a score less than the price said, and 1.8 * 0.25 goals: both sides move by so much.
    moved = described(frame, params, "market", **(calm | {"win": 0.1}))
    assert moved.loc[1, "price_diff"] == pytest.approx(found.loc[1, "price_diff"] - 2 * 0.1 * 0.125)
    moved = described(frame, params, "market", **(calm | {"goal": 0.1}))
    assert moved.loc[1, "price_diff"] == pytest.approx(found.loc[1, "price_diff"] - 2 * 0.1 * 1.8 * 0.25)


def priced(frame: pd.DataFrame, params: dict, **changes) -> pd.DataFrame:
    """Ratings of prices that nothing moves but what a test is about."""
    names = ("start", "start_home", "drift", "jump", "season", "win", "goal", "shots", "newcomer", "level_rate")
    calm = dict.fromkeys((*names, "edge_rate", "promoted", "relegated"), 0.0)
    return described(frame, params, "market", **(calm | {"noise": 1.0} | changes))


def test_the_form_of_a_season_in_prices_decays_and_ends_with_it_and_a_promotion_is_a_step(params):
    frame = matches([(1, 2, 1, 1, 0), (1, 2, None, None, 60), (1, 2, None, None, 61)])
    frame["price_home"], frame["price_draw"], frame["price_away"] = 0.5, 0.25, 0.25
    frame["level"], frame.loc[2, ["level", "season_id"]] = 2, [1, 2]
    found = priced(frame, params, season=0.5, season_days=60, promoted=0.9)
    # Of an error of ln 2 each side takes 0.5 / 2 as form; after 60 days 1/e of it is left, and in the next season none.
    assert found.loc[1, "price_strength_home"] == pytest.approx(0.25 * np.log(2.0) / np.e)
    assert found.loc[2, ["price_strength_home", "price_strength_away"]].tolist() == [-0.9, -0.9]
    assert found.loc[2, "price_doubt"] == 0.0


def test_a_club_has_an_edge_at_home_in_prices_which_counts_at_home_alone(params):
    frame = matches([(1, 2, 1, 1, 0), (1, 3, None, None, 7), (3, 1, None, None, 8), (1, 3, None, None, 9)])
    frame["price_home"], frame["price_draw"], frame["price_away"] = 0.5, 0.25, 0.25
    frame["is_neutral"] = [False, False, False, True]
    found = priced(frame, params, start_home=1.0)
    # Of an error of ln 2 the edge at home takes 1 / 2, and the home edge of the competition, at its first match, all.
    edges = [np.log(2.0) + np.log(2.0) / 2, np.log(2.0), 0.0]
    assert found.loc[1:, "price_diff"].tolist() == pytest.approx(edges)
    assert found.loc[1, ["price_strength_home", "price_strength_away"]].tolist() == [0.0, 0.0]


def performance(frame: pd.DataFrame, params: dict, **changes) -> pd.DataFrame:
    calm = dict.fromkeys(("drift", "jump", "season_pull", "newcomer", "promoted", "relegated", "level_rate"), 0.0)
    calm |= {"start": 0.1, "short": 0.0, "noise_goals": 0.8, "noise_counts": 0.3, "mean_rate": 0.0, "surprise_cap": 9.0}
    return described(frame, params, "performance", **(calm | changes))


def test_performance_moves_by_the_surprise_in_goals_where_nothing_else_is_counted(params):
    frame = matches([(1, 2, 2, 1, 0), (1, 2, 4, 1, 3), (1, 2, None, None, 6)])
    found = performance(frame, params)
    assert found.loc[:1].eq(0.0).all().all()
    # The mean of home sides is the two goals of the first match, after which nothing moves: there was no mean before.
    # Then four goals are a surprise of 1, of which attack and concession take 0.1 / (0.1 + 0.1 + 0.8) each. The mean
    # attack and the mean concession of the competition follow by a quarter of that.
    assert found.loc[2, "performance_home"] == pytest.approx(0.2 - 0.05)
    assert found.loc[2, "performance_away"] == pytest.approx(-0.05)
    assert found.loc[2, "performance_diff"] == pytest.approx(0.2)


def test_performance_weighs_goals_and_counts_together_and_is_surer_of_them(params):
    frame = matches([(1, 2, 2, 1, 0), (1, 2, 4, 1, 3), (1, 2, None, None, 6)])
    for name in ("shots", "shots_on_target", "corners"):
        frame[f"home_{name}"], frame[f"away_{name}"] = [10.0, 10.0, np.nan], [8.0, 8.0, np.nan]
    weights = {"goals": 0.4, "shots": 0.2, "shots_on_target": 0.2, "corners": 0.2}
    found = performance(frame, params, weights=weights)
    # Goals were twice their mean and all else as before: 0.4 of a surprise of 1, shared as 0.1 : 0.1 : 0.3.
    assert found.loc[2, "performance_home"] == pytest.approx(1.5 * 0.4 * 0.1 / 0.5)


def test_performance_takes_a_club_down_by_a_step_when_it_comes_up(params):
    frame = matches([(1, 2, 2, 2, 0), (1, 3, None, None, 300), (2, 4, None, None, 300)])
    frame["level"], frame["season_id"], frame["competition_id"] = [2, 1, 3], [1, 2, 3], [1, 2, 3]
    found = performance(frame, params, promoted=0.2, relegated=0.1)
    # A club that is new to the league is as the mean there; the step is taken from attack and added to concession.
    assert found.loc[1, ["performance_home", "performance_away"]].tolist() == pytest.approx([-0.2, 0.2])
    assert found.loc[2, ["performance_home", "performance_away"]].tolist() == pytest.approx([0.1, -0.1])
