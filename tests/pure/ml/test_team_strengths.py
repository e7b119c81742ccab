"""Strengths are what the filter expects of teams against an average side of a league, on neutral ground."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest

from apps.ml.forecasting.features import FeatureState

EVER = datetime(1970, 1, 2, tzinfo=UTC)


@pytest.fixture
def state(params, world) -> FeatureState:
    state = FeatureState.new({"poisson_filter": params["features"]["poisson_filter"]})
    state.observe(world)
    return state


def leagues(world) -> dict[int, int]:
    """Season → its own competition."""
    rows = world[world["level"] > 0].drop_duplicates("season_id")
    return dict(zip(rows["season_id"], rows["competition_id"], strict=True))


def test_a_strength_agrees_with_the_features_of_a_match_on_neutral_ground(state, world):
    found = {each.team_id: each for each in state.team_strengths(leagues(world), since=EVER, least=1)}
    last = world[world["level"] > 0].iloc[[-1]]
    fixture = last.assign(is_neutral=True, as_of=state.observed_until + timedelta(hours=1))
    row = dict(zip(state.names, state.describe(fixture)[0], strict=True))
    home = found[int(last["home_team_id"].iloc[0])]
    assert np.log(home.scored) == pytest.approx(row["filter_base_home"] + row["filter_attack_home"])
    assert np.log(home.conceded) == pytest.approx(row["filter_base_home"] + row["filter_concession_home"])


def test_teams_that_have_not_played_lately_or_often_or_in_a_known_league_are_left_out(state, world):
    every = leagues(world)
    season_id, competition_id = next(iter(every.items()))
    assert not state.team_strengths({}, since=EVER, least=1)
    assert not state.team_strengths(every, since=state.observed_until, least=1)
    assert not state.team_strengths(every, since=EVER, least=10_000)
    only = state.team_strengths({season_id: competition_id}, since=EVER, least=1)
    assert {each.season_id for each in only} <= {season_id}


def test_a_state_without_the_filter_knows_no_strengths(params, world):
    state = FeatureState.new({"elo": params["features"]["elo"]})
    state.observe(world)
    assert state.team_strengths(leagues(world), since=EVER, least=1) == []
