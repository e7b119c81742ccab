"""The form family beside grouped and rolled pandas, on the world that the benchmark of features simulates."""

from __future__ import annotations

import numpy as np

from apps.ml.forecasting.features import build_features
from benchmarks.features import CLUBS, LEAGUES, SEASON, in_pandas, simulated


def test_every_club_meets_every_other_at_home_and_away():
    matches = simulated(LEAGUES * SEASON)
    pairs = matches.groupby(["home_team_id", "away_team_id"]).size()
    assert len(matches) == len(pairs) == LEAGUES * CLUBS * (CLUBS - 1)
    assert (matches.groupby("home_team_id").size() == CLUBS - 1).all()
    assert matches["match_id"].is_unique


def test_form_equals_grouped_and_rolled_pandas(params):
    matches = simulated(9_000)
    section = params["features"]
    values, names = build_features(matches, matches, params=section, families=["form"])
    peer = in_pandas(matches, list(section["form"]["windows"]))
    assert set(peer) == set(names)
    other = peer[list(names)].to_numpy()
    np.testing.assert_array_equal(np.isnan(other), np.isnan(values))
    np.testing.assert_allclose(other, values, rtol=0.0, atol=1e-9, equal_nan=True)
