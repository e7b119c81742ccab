"""Why a forecast is less sure than usual, by its features."""

from __future__ import annotations

import numpy as np
import pytest

from apps.ml.forecasting import weaknesses
from apps.ml.forecasting.features import FAMILIES, FeatureState
from apps.ml.forecasting.weaknesses import Weakness
from apps.ml.pipeline import files
from apps.ml.pipeline.warm_up import CHECKOUT

USUAL = {
    "elo_matches_home": 300.0,
    "elo_matches_away": 200.0,
    "filter_counted_home": 1.0,
    "filter_counted_away": 0.9,
    "table_moved_home": 0.0,
    "table_moved_away": 0.0,
    "rest_home": 7.0,
    "rest_away": 3.5,
    "table_progress": 0.5,
    "level": 1.0,
}
"""Features of a match in the middle of a season, of which all is known."""


def found(**features: float) -> list[Weakness]:
    """The weaknesses of the usual match with other features."""
    row = USUAL | features
    return weaknesses.weaknesses(list(row), np.array([list(row.values())]))[0]


def test_the_usual_match_has_none():
    assert found() == []


@pytest.mark.parametrize(
    ("features", "expected"),
    [
        ({"elo_matches_away": 4.0}, [Weakness("new_club", "away", 4)]),
        ({"elo_matches_home": 0.0, "elo_matches_away": 14.0}, [("new_club", "home", 0), ("new_club", "away", 14)]),
        ({"elo_matches_home": 15.0}, []),
        ({"filter_counted_home": 0.0, "filter_counted_away": 0.3}, [("no_statistics", "", 0)]),
        ({"filter_counted_away": 0.49}, [("no_statistics", "away", 0)]),
        ({"filter_counted_away": 0.5}, []),
        ({"table_moved_home": 1.0, "table_progress": 0.2}, [("promoted", "home", 0)]),
        ({"table_moved_away": -1.0, "table_progress": 0.2}, [("relegated", "away", 0)]),
        ({"table_moved_home": 1.0, "table_progress": 0.25}, []),
        ({"table_progress": 0.0}, [("season_start", "", 0)]),
        ({"table_progress": 0.1}, []),
        ({"rest_home": 21.0}, [("long_break", "home", 21)]),
        ({"rest_home": 20.9}, []),
    ],
)
def test_each_code_has_its_limit(features, expected):
    assert found(**features) == expected


def test_a_cup_has_no_start_of_a_season_but_long_breaks():
    assert found(level=0.0, table_progress=0.0, rest_away=21.0) == [("long_break", "away", 21)]


def test_the_summer_before_the_first_matches_is_not_said_twice():
    assert found(table_progress=0.0, rest_home=21.0, rest_away=21.0) == [("season_start", "", 0)]


def test_of_a_club_without_known_matches_nothing_else_is_said():
    features = {"elo_matches_home": 0.0, "filter_counted_home": 0.0, "rest_home": 21.0}
    assert found(**features) == [("new_club", "home", 0)]


def test_weaknesses_stand_in_the_order_of_the_codes():
    features = {"elo_matches_away": 3.0, "filter_counted_home": 0.0, "table_moved_home": 1.0, "table_moved_away": -1.0}
    codes = [each.code for each in found(**features, table_progress=0.05)]
    assert codes == ["new_club", "no_statistics", "promoted", "relegated", "season_start"]
    assert codes == [code for code in weaknesses.CODES if code in codes]


def test_features_that_a_model_does_not_have_name_no_weakness():
    assert weaknesses.weaknesses(["elo_matches_home"], np.array([[2.0], [20.0]])) == [[("new_club", "home", 2)], []]


def test_many_matches_at_once_have_the_weaknesses_that_each_has_alone():
    rng = np.random.default_rng(3)
    few, shares, moves, days = [0, 14, 15, 200], [0.0, 0.49, 0.5, 1.0], [-1, 0, 1], [3, 20.9, 21]
    choices = [few, few, shares, shares, moves, moves, days, days, [0.0, 0.09, 0.1, 0.24, 0.25, 0.9], [0, 1]]
    table = np.column_stack([rng.choice(each, 500) for each in choices]).astype(float)
    table[rng.random(table.shape) < 0.05] = np.nan
    together = weaknesses.weaknesses(list(USUAL), table)
    assert together == [weaknesses.weaknesses(list(USUAL), row[None])[0] for row in table]
    assert {each.code for one in together for each in one} == set(weaknesses.CODES) - {"fallback"}


def test_the_features_exist_and_count_far_enough():
    params = files.read_params(CHECKOUT)
    state = FeatureState.new(params["features"], [name for name in FAMILIES if name != "market"])
    assert set(USUAL) <= set(state.names)
    assert params["features"]["context"]["rest_cap_days"] >= weaknesses.LONG_BREAK_DAYS
