"""The form family beside grouped and rolled pandas, on the world that the benchmark of features simulates."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from apps.ml.forecasting.features import build_features
from benchmarks.features import CLUBS, LEAGUES, SEASON, in_pandas, in_polars, simulated


def test_every_club_meets_every_other_at_home_and_away():
    matches = simulated(LEAGUES * SEASON)
    pairs = matches.groupby(["home_team_id", "away_team_id"]).size()
    assert len(matches) == len(pairs) == LEAGUES * CLUBS * (CLUBS - 1)
    assert (matches.groupby("home_team_id").size() == CLUBS - 1).all()
    assert matches["match_id"].is_unique


@pytest.fixture(scope="module")
def two_cups() -> pd.DataFrame:
    """Three years of two leagues, of which every third round counts as a cup; what nobody counted is missing."""
    matches = simulated(3 * LEAGUES * SEASON)
    chosen = matches[matches["competition_id"] <= 2].reset_index(drop=True)
    generator = np.random.default_rng(4)
    cup = (chosen["kickoff_at"] - chosen["kickoff_at"].min()).dt.days // 7 % 3 == 0
    chosen.loc[cup, ["competition_id", "season_id"]] += 1000
    for name in ("home_shots", "away_shots", "home_corners", "away_shots_on_target"):
        chosen.loc[generator.random(len(chosen)) < 0.3, name] = np.nan
    return chosen


@pytest.fixture(scope="module")
def ours(two_cups, params) -> pd.DataFrame:
    values, names = build_features(two_cups, two_cups, params=params["features"], families=["form"])
    return pd.DataFrame(values, columns=list(names))


def same(peer: pd.DataFrame, ours: pd.DataFrame) -> None:
    assert set(peer) == set(ours)
    other, values = peer[list(ours)].to_numpy(), ours.to_numpy()
    np.testing.assert_array_equal(np.isnan(other), np.isnan(values))
    np.testing.assert_allclose(other, values, rtol=0.0, atol=1e-9, equal_nan=True)


def test_form_in_every_scope_equals_grouped_and_rolled_pandas(two_cups, ours, params):
    same(in_pandas(two_cups, params["features"]["form"]), ours)
    scopes = {name.split("_")[1] for name in ours}
    assert scopes == {"all", "season", "competition", "venue", "head"}
    assert (ours["form_head_to_head_3_coverage"] == 1.0).any()


def test_form_in_every_scope_equals_polars(two_cups, ours, params):
    pytest.importorskip("polars", reason="polars is a peer only: it is not installed here")
    same(in_polars(two_cups, params["features"]["form"]), ours)
