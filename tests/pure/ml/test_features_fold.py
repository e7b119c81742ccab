"""The three properties of every family, and the state that serving stands on."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pandas as pd
import pytest

from apps.ml.forecasting.features import (
    FAMILIES,
    FeatureState,
    LateResultError,
    LookAheadError,
    StateFormatError,
    build_features,
    catalogue,
    offline_as_of,
)
from tests.pure.ml.look_ahead import SeenTooEarlyError, an_hour_early, refuse_look_ahead, same, tempting, told

each_family = pytest.mark.parametrize("family", list(FAMILIES))


@each_family
def test_rows_come_in_the_order_of_the_caller(world, lineups, params, family):
    values, _ = build_features(world, world, params=params["features"], families=[family], lineups=lineups)
    order = np.random.default_rng(1).permutation(len(world))
    shuffled, _ = build_features(
        world.sample(frac=1.0, random_state=2),
        world.iloc[order],
        params=params["features"],
        families=[family],
        lineups=lineups.sample(frac=1.0, random_state=4),
    )
    assert same(shuffled, values[order])


@pytest.fixture(scope="module")
def offline_and_online(world, lineups, params) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """All rows by one fold, and each alone: from a state that observed what was known, restored now and then."""
    offline, names = build_features(world, world, params=params["features"], lineups=lineups)
    online = np.empty_like(offline)
    state = FeatureState.new(params["features"])
    state.schedule(world)
    known = pd.Timestamp.min.tz_localize("UTC")
    for number, moment in enumerate(world["as_of"].drop_duplicates().sort_values()):
        told = lineups[lineups["known_at"] < moment]
        state.observe(world[(world["known_at"] >= known) & (world["known_at"] < moment)], lineups=told)
        known = moment
        if number % 20 == 0:
            state = FeatureState.from_bytes(state.to_bytes())
        for row in np.flatnonzero(world["as_of"] == moment)[::-1]:
            fixture = world.iloc[[row]]
            own = told[told["match_id"] == fixture["match_id"].iloc[0]]
            online[row] = state.describe(fixture, lineups=own)[0]
    return offline, online, names


@each_family
def test_a_row_online_equals_the_row_offline_for_every_match(offline_and_online, params, family):
    offline, online, names = offline_and_online
    columns = [names.index(feature.name) for feature in catalogue(params["features"], [family])]
    assert same(online[:, columns], offline[:, columns])


@each_family
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_the_future_does_not_move_the_past(world, lineups, params, family, share):
    section = {"params": params["features"], "families": [family]}
    values, _ = build_features(world, world, **section, lineups=lineups)
    moment = world["as_of"].sort_values().iloc[int(share * len(world))]
    refuse_look_ahead(world, values, [moment], **section, lineups=lineups)


@each_family
@pytest.mark.parametrize("share", [0.2, 0.5, 0.8])
def test_line_ups_that_are_named_later_do_not_move_the_past(world, lineups, params, family, share):
    section = {"params": params["features"], "families": [family]}
    values, _ = build_features(world, world, **section, lineups=lineups)
    moment = world["as_of"].sort_values().iloc[int(share * len(world))]
    past, told = (world["as_of"] <= moment).to_numpy(), lineups["known_at"] < moment
    others = lineups.assign(player_id=lineups["player_id"].where(told, lineups["player_id"] % 97))
    for people in (others, lineups[told]):
        found, _ = build_features(world, world, **section, lineups=people)
        assert same(found[past], values[past])


@pytest.fixture(scope="module")
def hourly(world) -> pd.DataFrame:
    """The same matches, one an hour: each result becomes known half an hour after a later match is forecast."""
    kickoff = world["kickoff_at"].iloc[0] + pd.to_timedelta(np.arange(len(world)), "h")
    known_at = kickoff + pd.Timedelta(hours=3.5)
    return world.assign(kickoff_at=kickoff, known_at=known_at, as_of=kickoff - pd.Timedelta(hours=1))


@pytest.fixture(scope="module")
def hourly_lineups(world, hourly, lineups) -> pd.DataFrame:
    """The line-ups, named as long before or after kick-off as they were."""
    moved = hourly["kickoff_at"] - world["kickoff_at"]
    by_match = pd.Series(moved.to_numpy(), index=world["match_id"])
    return lineups.assign(known_at=lineups["known_at"] + by_match.loc[lineups["match_id"]].to_numpy())


def sharp(params: dict, family: str) -> dict:
    """The parameters of one family, with which ratings are refitted at every result."""
    section = params["features"][family]
    return {family: section | ({"refit_matches": 1} if family == "dixon_coles" else {})}


@each_family
def test_no_row_knows_what_becomes_known_within_the_hour_after_it(hourly, hourly_lineups, params, family):
    section = {"params": sharp(params, family), "lineups": hourly_lineups}
    values, _ = build_features(hourly, hourly, **section)
    moments = tempting(hourly)
    assert len(moments) > 250
    refuse_look_ahead(hourly, values, moments[::20], **section)


@pytest.mark.parametrize("family", [name for name in FAMILIES if name != "context"])
def test_a_leak_of_a_result_by_an_hour_is_caught(hourly, hourly_lineups, params, family):
    section = {"params": sharp(params, family), "build": an_hour_early, "lineups": hourly_lineups}
    values, _ = an_hour_early(hourly, hourly, params=section["params"], lineups=hourly_lineups)
    with pytest.raises(SeenTooEarlyError, match="became known later"):
        refuse_look_ahead(hourly, values, tempting(hourly), **section)


@each_family
def test_a_fixture_does_not_see_its_own_result(world, lineups, params, family):
    values, _ = build_features(world, world, params=params["features"], families=[family], lineups=lineups)
    blind = world.assign(**dict.fromkeys(told(world), np.nan), known_at=pd.NaT, status="scheduled")
    found, _ = build_features(world, blind, params=params["features"], families=[family], lineups=lineups)
    assert same(found, values)


@each_family
def test_a_result_that_becomes_known_at_the_very_moment_of_the_forecast_is_not_used(world, lineups, params, family):
    state = FeatureState.new(params["features"], [family])
    history = world.sort_values("known_at").iloc[:100]
    at_once = world[world["known_at"] > history["known_at"].max()].iloc[:1]
    fixture = world[world["home_team_id"] == at_once["home_team_id"].iloc[0]].tail(1)
    fixture = fixture.assign(as_of=at_once["known_at"].iloc[0])
    with_it = state.fold(pd.concat([history, at_once]), fixture, world, lineups=lineups)
    without = FeatureState.new(params["features"], [family]).fold(history, fixture, world, lineups=lineups)
    assert same(with_it, without)


def test_results_of_one_instant_are_observed_by_kick_off_and_match_id(world, lineups, params):
    together = world.assign(known_at=world["known_at"].dt.ceil("7D"))
    fixtures = world.assign(as_of=world["as_of"].dt.ceil("7D"))
    values, _ = build_features(together, fixtures, params=params["features"], lineups=lineups)
    shuffled = together.sample(frac=1.0, random_state=5)
    mixed, _ = build_features(shuffled, fixtures, params=params["features"], lineups=lineups)
    assert same(mixed, values)


def test_a_name_is_given_once_and_described_in_the_catalogue(params):
    rows = catalogue(params["features"])
    state = FeatureState.new(params["features"])
    assert tuple(row.name for row in rows) == state.names
    assert len({row.name for row in rows}) == len(rows)
    assert {row.family for row in rows} == set(FAMILIES) == set(state.families)
    assert all(row.unit and row.meaning for row in rows)
    assert "form_all_5_points_home" in state.names
    assert {"elo_home", "elo_away", "elo_diff"} <= set(state.names)


def test_families_are_put_in_one_order_and_an_unknown_one_is_refused(params):
    state = FeatureState.new(params["features"], ["elo", "base_rates"])
    assert state.families == ("base_rates", "elo")
    with pytest.raises(ValueError, match="stars"):
        FeatureState.new(params["features"], ["stars"])


def test_a_state_survives_its_bytes_and_equal_states_give_equal_bytes(world, lineups, params):
    first, second = FeatureState.new(params["features"]), FeatureState.new(params["features"])
    first.fold(world, world, lineups=lineups)
    second.schedule(world)
    half = world.sort_values(["known_at", "kickoff_at", "match_id"])
    second.observe(half.iloc[:130], lineups=lineups)
    second.observe(half.iloc[130:], lineups=lineups)
    second.describe(world.tail(1).assign(as_of=pd.Timestamp("2030-01-01", tz="UTC")))
    first.describe(world.tail(1).assign(as_of=pd.Timestamp("2030-01-01", tz="UTC")))
    content = first.to_bytes()
    assert content == second.to_bytes()
    again = FeatureState.from_bytes(content)
    assert again.to_bytes() == content
    assert again.observed_until == world["known_at"].max().to_pydatetime()
    assert again.names == first.names


def test_what_a_copy_is_asked_about_a_later_day_leaves_the_state_as_it_was(world, params):
    ordered = world.sort_values(["known_at", "kickoff_at", "match_id"])
    asked = world.tail(1).assign(as_of=pd.Timestamp("2030-01-01", tz="UTC"))
    state, other = FeatureState.new(params["features"]), FeatureState.new(params["features"])
    for one in (state, other):
        one.schedule(world)
        one.observe(ordered.iloc[:150])
    early = state.copy().describe(asked)
    for one in (state, other):
        one.observe(ordered.iloc[150:])
    assert state.to_bytes() == other.to_bytes()
    assert not same(early, state.copy().describe(asked))


def test_a_late_result_asks_for_a_rebuild_and_changes_nothing(world, params):
    state = FeatureState.new(params["features"])
    assert state.observed_until is None
    ordered = world.sort_values(["known_at", "kickoff_at", "match_id"])
    assert state.observe(ordered.iloc[:200]) == 200
    content = state.to_bytes()
    with pytest.raises(LateResultError, match="became known"):
        state.observe(ordered.iloc[199:])
    assert state.to_bytes() == content
    assert state.observe(ordered.iloc[200:]) == len(world) - 200


def test_a_fixture_is_not_described_as_of_a_moment_before_what_is_known(world, params):
    state = FeatureState.new(params["features"])
    state.observe(world)
    with pytest.raises(LookAheadError):
        state.describe(world.tail(1).assign(as_of=world["known_at"].max()))


def test_matches_without_a_result_are_not_observed(world, params):
    unfinished = world.assign(status="abandoned")
    assert FeatureState.new(params["features"]).observe(unfinished) == 0
    without_goals = world.assign(home_goals=np.nan)
    assert FeatureState.new(params["features"]).observe(without_goals) == 0


def test_two_unknown_teams_of_an_unknown_league_are_described(world, params):
    state = FeatureState.new(params["features"])
    state.observe(world)
    fixture = world.tail(1).assign(
        competition_id=99,
        region="Nowhere",
        season_id=990,
        home_team_id=901,
        away_team_id=902,
        as_of=pd.Timestamp("2030-01-01", tz="UTC"),
    )
    row = dict(zip(state.names, state.describe(fixture)[0], strict=True))
    assert row["base_home"] + row["base_draw"] + row["base_away"] == pytest.approx(1.0)
    assert row["elo_matches_home"] == 0.0
    assert row["dc_mu_home"] > row["dc_mu_away"] > 0.0
    assert np.isnan(row["form_all_5_points_home"])


@pytest.mark.parametrize("block", [40, 1000])
def test_blocks_hold_the_rows_of_the_fold_in_32_bits(world, params, block):
    shuffled = world.sample(frac=1.0, random_state=4)
    folded, streamed = FeatureState.new(params["features"]), FeatureState.new(params["features"])
    values = folded.fold(shuffled, shuffled)
    found, seen = np.empty(values.shape, dtype=np.float32), []
    for part in streamed.stream(shuffled, shuffled, block=block, threads=3):
        found[part.rows] = part.values.T
        seen += part.rows.tolist()
    assert sorted(seen) == list(range(len(world)))
    assert world["as_of"].reindex(shuffled.index[seen]).is_monotonic_increasing
    assert same(found, values.astype(np.float32))
    assert streamed.to_bytes() == folded.to_bytes()


def test_blocks_of_more_fixtures_than_a_family_describes_at_once_are_whole(world, params, monkeypatch):
    monkeypatch.setattr("apps.ml.forecasting.features.blocks.FIXTURES", 7)
    values, _ = build_features(world, world, params=params["features"])
    found = np.empty(values.shape, dtype=np.float32)
    for part in FeatureState.new(params["features"]).stream(world, world, block=100):
        found[part.rows] = part.values.T
    assert same(found, values.astype(np.float32))


def test_blocks_without_a_fixture_still_observe_the_results(world, params):
    folded, streamed = FeatureState.new(params["features"]), FeatureState.new(params["features"])
    folded.fold(world, world.iloc[:0])
    parts = list(streamed.stream(world, world.iloc[:0]))
    assert [part.values.shape for part in parts] == [(len(folded.names), 0)]
    assert streamed.to_bytes() == folded.to_bytes()


def test_threads_that_ask_one_state_at_once_get_what_one_thread_gets(world, params):
    ordered = world.sort_values(["known_at", "kickoff_at", "match_id"])
    asked = world.tail(40).assign(as_of=pd.Timestamp("2030-01-01", tz="UTC"))
    state, alone = FeatureState.new(params["features"]), FeatureState.new(params["features"])
    state.observe(ordered)
    alone.observe(ordered)
    expected = alone.describe(asked)
    with ThreadPoolExecutor(8) as pool:
        rows = list(pool.map(lambda row: state.describe(asked.iloc[[row]])[0], list(range(len(asked))) * 3))
    assert same(np.array(rows), np.concatenate([expected] * 3))
    assert state.to_bytes() == alone.to_bytes()


def test_nothing_to_describe_gives_no_rows(world, params):
    values, names = build_features(world, world.iloc[:0], params=params["features"])
    assert values.shape == (0, len(names))


@pytest.mark.parametrize("content", [b"", b"PK nothing", b"\x80\x04K\x01."])
def test_broken_bytes_are_refused_by_name(content):
    with pytest.raises(StateFormatError):
        FeatureState.from_bytes(content)


def test_times_without_a_zone_are_refused(world, params):
    with pytest.raises(TypeError, match="aware"):
        build_features(world, world.assign(as_of=world["as_of"].dt.tz_localize(None)), params=params["features"])


def test_a_past_match_is_forecast_an_hour_before_or_at_the_start_of_its_day():
    matches = pd.DataFrame(
        {
            "kickoff_at": pd.to_datetime(["2024-03-02 15:00", "2024-03-02 00:00"], utc=True),
            "kickoff_precision": ["minute", "date"],
        },
        index=[7, 3],
    )
    found = offline_as_of(matches, pd.Timedelta(hours=1).to_pytimedelta())
    assert list(found.index) == [7, 3]
    assert [str(moment) for moment in found] == ["2024-03-02 14:00:00+00:00", "2024-03-02 00:00:00+00:00"]
