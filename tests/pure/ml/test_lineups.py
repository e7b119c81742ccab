"""What line-ups say, by hand, and that nobody's line-up is read before it is known."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pandas as pd
import pytest

from apps.ml.forecasting.contributions import group_of
from apps.ml.forecasting.estimators import create
from apps.ml.forecasting.features import FAMILIES, FeatureState, build_features, catalogue
from apps.ml.forecasting.features.schema import LINEUPS
from tests.pure.ml.test_features_families import matches

HOME = list(range(101, 112))
AWAY = list(range(201, 212))


def sheet(match, side: str, *, players=(), absent=(), doubtful=(), bench=(), source="paper", hours=2.0) -> pd.DataFrame:
    """One side of one match of a frame, known so many hours before its kick-off."""
    roles = {"starter": players, "substitute": bench, "absent": absent, "doubtful": doubtful}
    known_at = match["kickoff_at"] - pd.Timedelta(hours=hours)
    rows = [(match["match_id"], source, side, player, role, known_at) for role, ids in roles.items() for player in ids]
    frame = pd.DataFrame(rows, columns=LINEUPS.names)
    return frame.assign(known_at=pd.to_datetime(frame["known_at"], utc=True).dt.as_unit("us"))


def both(match, home=HOME, away=AWAY, **more) -> pd.DataFrame:
    return pd.concat([sheet(match, "home", players=home, **more), sheet(match, "away", players=away, **more)])


def described(frame: pd.DataFrame, people: list[pd.DataFrame] | None, params: dict, **changes) -> pd.DataFrame:
    section = {"lineups": params["features"]["lineups"] | changes}
    told = None if people is None else pd.concat(people)
    values, names = build_features(frame, frame, params=section, lineups=told)
    return pd.DataFrame(values, columns=[name.removeprefix("lineup_") for name in names])


def test_all_who_began_share_what_the_margin_was_beyond_the_promise(params):
    frame = matches([(1, 2, 2, 0, 0), (2, 1, 1, 1, 7), (1, 2, None, None, 14)])
    people = [both(frame.loc[0]), both(frame.loc[1], AWAY, HOME)]
    found = described(frame, people, params, rate=0.1, edge=0.3, edge_rate=0, margin_cap=3)
    # First 2 - 0.3 = 1.7: 0.17 for each of the home side, -0.17 for the other. Then club 2 is at home, promised
    # -0.17 - 0.17 + 0.3 = -0.04: a draw is 0.04 more, of which its players take 0.004.
    assert found.loc[1, ["usual_home", "usual_away"]].tolist() == pytest.approx([-0.17, 0.17])
    assert found.loc[2, ["usual_home", "usual_away"]].tolist() == pytest.approx([0.166, -0.166])
    assert found.loc[2, "usual_diff"] == pytest.approx(0.332)


def test_a_wide_win_counts_as_the_cap_and_neutral_ground_has_no_edge(params):
    frame = matches([(1, 2, 7, 0, 0), (1, 2, None, None, 7)], is_neutral=True)
    found = described(frame, [both(frame.loc[0])], params, rate=0.1, edge=0.3, margin_cap=3)
    assert found.loc[1, "usual_home"] == pytest.approx(0.3)


def test_the_home_edge_is_learnt(params):
    frame = matches([(1, 2, 1, 0, 0), (3, 4, 0, 0, 1), (3, 4, None, None, 14)])
    others = [[player + 200 for player in side] for side in (HOME, AWAY)]
    people = [both(frame.loc[0]), both(frame.loc[1], *others)]
    found = described(frame, people, params, rate=0.1, edge=0.0, edge_rate=0.5, margin_cap=3)
    # The first match moves the edge to 0.5 goals, so that the draw of the second is half a goal too little.
    assert found.loc[2, "usual_home"] == pytest.approx(-0.05)


def test_a_named_eleven_is_compared_with_the_usual_one(params):
    frame = matches([(1, 2, 2, 0, 0), (1, 3, 0, 0, 7), (1, 2, None, None, 14)])
    # Player 111 misses the second match, of which nobody knows the other side; 112 is a newcomer in it.
    second = sheet(frame.loc[1], "home", players=[*HOME[:10], 112])
    named = both(frame.loc[2], [*HOME[:9], 112, 999], AWAY)
    found = described(frame, [both(frame.loc[0]), second, named], params, rate=0.1, edge=0.0, half_life=10)
    # Every home player of the first match is at 0.2, and the newcomer took the mean of those he joined. An unknown
    # player passes for the mean of the usual eleven, so the strength is that of the usual one.
    row = found.loc[2]
    assert row[["named_home", "named_away"]].tolist() == [1.0, 1.0]
    assert row["usual_home"] == pytest.approx(0.2)
    assert row["strength_home"] == pytest.approx(0.0, abs=1e-12)
    # The usual eleven are 101 to 110, who began twice, and of two who began once the one of the later match.
    assert row["missing_home"] == 1.0
    assert row["missing_away"] == 0.0
    assert row["missing_diff"] == 1.0


def test_a_weaker_player_makes_the_eleven_weaker_by_an_eleventh(params):
    frame = matches([(1, 2, 2, 0, 0), (1, 2, None, None, 7)])
    # Player 205 of the beaten side has gone to the other club.
    named = both(frame.loc[1], [*HOME[:10], 205], AWAY)
    found = described(frame, [both(frame.loc[0]), named], params, rate=0.1, edge=0.0)
    assert found.loc[1, "strength_home"] == pytest.approx(-0.4 / 11)
    assert found.loc[1, "strength_diff"] == pytest.approx(-0.4 / 11)


def test_reports_of_the_missing_count_until_the_eleven_is_named(params):
    frame = matches([(1, 2, 2, 0, 0), (1, 2, None, None, 7)])
    reports = sheet(frame.loc[1], "home", absent=[101, 102, 777], doubtful=[103], hours=30)
    row = described(frame, [both(frame.loc[0]), reports], params).loc[1]
    assert row[["named_home", "named_away"]].tolist() == [0.0, 0.0]
    # 103 may play, 777 is nobody's regular; a source that reports of one side has looked at the other.
    assert row[["missing_home", "missing_away"]].tolist() == [2.0, 0.0]
    named = both(frame.loc[1], [*HOME[:10], 120])
    row = described(frame, [both(frame.loc[0]), reports, named], params).loc[1]
    assert row[["named_home", "missing_home"]].tolist() == [1.0, 1.0]


def test_who_stands_in_for_the_missing_is_the_next_of_the_squad(params):
    frame = matches([(1, 2, 0, 3, 0), (1, 2, 3, 0, 7), (1, 2, None, None, 14)])
    people = [
        both(frame.loc[0], [*HOME[:10], 112]),
        both(frame.loc[1]),
        sheet(frame.loc[2], "home", absent=[111]),
    ]
    found = described(frame, people, params, rate=0.1, edge=0.0, edge_rate=0, margin_cap=3)
    # After 0-3 all are at -0.3; 3-0 was promised as -0.3 - 0.3 (111 came in at the mean): a surprise of 3.6, so
    # that who played it is at 0.06. 112, who did not, stayed at -0.3.
    assert found.loc[2, "usual_home"] == pytest.approx(0.06)
    assert found.loc[2, "strength_home"] == pytest.approx(-0.36 / 11)
    assert found.loc[2, "missing_home"] == 1.0


@pytest.mark.parametrize("hours", [1.0, 0.5, -2.0, -100.0])
def test_a_line_up_that_is_not_known_before_the_forecast_does_not_move_its_row(params, hours):
    frame = matches([(1, 2, 2, 0, 0), (1, 2, 1, 0, 7), (1, 2, None, None, 14)])
    strange = [player + 50 for player in HOME]
    late = [
        both(frame.loc[1], strange, AWAY, hours=hours),
        sheet(frame.loc[1], "away", absent=AWAY[:4], hours=hours),
    ]
    without = described(frame, [both(frame.loc[0])], params)
    with_it = described(frame, [both(frame.loc[0]), *late], params)
    pd.testing.assert_frame_equal(with_it.loc[:1], without.loc[:1], check_exact=True)
    # It is history for the next match, unless it came after the result had been observed.
    assert with_it.loc[2].equals(without.loc[2]) is (hours == -100.0)


def test_each_row_of_a_world_is_the_same_without_what_it_could_not_know(world, lineups, params):
    values, _ = build_features(world, world, params=params["features"], families=["lineups"], lineups=lineups)
    as_of = lineups["match_id"].map(world.set_index("match_id")["as_of"])
    late = lineups["known_at"] >= as_of
    assert 0.3 < late.mean() < 0.8
    section = {"lineups": params["features"]["lineups"]}
    for number in np.flatnonzero(world["match_id"].isin(lineups.loc[late, "match_id"]))[::6]:
        match = world.iloc[number]
        unknown = late & (lineups["match_id"] == match["match_id"])
        poisoned = lineups.assign(player_id=lineups["player_id"].where(~unknown, 5))
        past = world[world["known_at"] < match["as_of"]]
        for people in (lineups[~unknown], poisoned):
            found, _ = build_features(past, world.iloc[[number]], params=section, lineups=people)
            assert found.tobytes() == values[number].tobytes()


def test_the_generated_world_fills_every_column(world, lineups, params):
    values, names = build_features(world, world, params=params["features"], families=["lineups"], lineups=lineups)
    found = pd.DataFrame(values, columns=names)
    assert found.notna().any().all()
    assert (found.nunique() > 1).all()
    assert found.filter(like="lineup_missing").min().min() >= -11
    assert found["lineup_missing_home"].between(0, 11).sum() == found["lineup_missing_home"].notna().sum()


@pytest.mark.parametrize("people", [None, "nothing"])
def test_a_world_without_line_ups_knows_nothing_and_keeps_nothing(world, params, people):
    told = None if people is None else LINEUPS.empty_table().to_pandas()
    state = FeatureState.new({"lineups": params["features"]["lineups"]})
    values = state.fold(world, world, lineups=told)
    coverage = [name.startswith("lineup_coverage") for name in state.names]
    assert (values[:, coverage] == 0.0).all()
    assert np.isnan(values[:, ~np.array(coverage)]).all()
    assert not state.reads_lineups
    with zipfile.ZipFile(io.BytesIO(state.to_bytes())) as archive:
        kept = {name: len(np.load(io.BytesIO(archive.read(f"lineups/{name}.npy")))) for name in ("players", "clubs")}
    assert kept == {"players": 1, "clubs": 1}


def test_coverage_is_the_share_of_the_latest_matches(params):
    frame = matches([(1, 2, 1, 0, day) for day in range(6)] + [(1, 3, None, None, 9)])
    people = [both(frame.loc[0]), sheet(frame.loc[3], "home", players=HOME), both(frame.loc[5])]
    found = described(frame, people, params, latest=4)
    assert found.loc[6, ["coverage_home", "coverage_away"]].tolist() == [0.5, 0.0]
    assert found.loc[1, "coverage_home"] == 0.25
    assert np.isnan(found.loc[6, "usual_away"])


@pytest.mark.parametrize("count", [6, 12])
def test_a_list_of_too_few_or_too_many_is_no_eleven(params, count):
    frame = matches([(1, 2, 1, 0, 0), (1, 2, None, None, 7)])
    people = both(frame.loc[0], range(101, 101 + count), range(201, 201 + count))
    found = described(frame, [people], params)
    assert found.loc[1, ["coverage_home", "coverage_away"]].tolist() == [0.0, 0.0]


def test_of_two_sources_the_first_by_name_that_knew_in_time_counts(params):
    frame = matches([(1, 2, 1, 0, 0), (1, 2, None, None, 7)])
    radio = both(frame.loc[1], [*HOME[:7], 120, 121, 122, 123], source="radio")
    paper = both(frame.loc[1], [*HOME[:10], 120], source="paper")
    late = both(frame.loc[1], [*HOME[:10], 120], source="paper", hours=0.5)
    for people, missing in (([radio, paper], 1.0), ([radio, late], 4.0)):
        found = described(frame, [both(frame.loc[0]), *people], params)
        assert found.loc[1, "missing_home"] == missing


def test_a_full_squad_gives_the_place_of_who_began_least_to_a_newcomer(params):
    frame = matches([(1, 2, 0, 0, day) for day in range(12)] + [(1, 2, None, None, 20)])
    # Eleven others in each of the first matches: 110 players for 40 places; then twice the first eleven.
    people = [both(frame.loc[day], [1000 * (day % 10) + player for player in HOME], AWAY, hours=2) for day in range(12)]
    named = both(frame.loc[12], [1000 + player for player in HOME], AWAY)
    found = described(frame, [*people, named], params, half_life=1)
    assert found.loc[12, ["missing_home", "missing_away"]].tolist() == [0.0, 0.0]


def test_more_matches_than_bits_are_refused(params):
    with pytest.raises(ValueError, match="62 bits"):
        FeatureState.new({"lineups": params["features"]["lineups"] | {"latest": 63}})


def test_trees_forecast_the_same_bits_in_a_world_without_line_ups_as_if_there_were_no_such_columns(world, params):
    values, names = build_features(
        world, world, params=params["features"], families=[name for name in FAMILIES if name != "market"]
    )
    y = 1 - np.sign(world["home_goals"] - world["away_goals"]).to_numpy().astype(int)
    section = params["train"]["smoke"]["xgboost"] | {"rounds": 5}
    section["booster"] = section["booster"] | {"min_child_weight": 1}
    assert "lineup_*" in section["columns"]
    kept = [not name.startswith("lineup_") for name in names]
    without = [name for name in names if not name.startswith("lineup_")]
    one = create("xgboost", section, seed=1).fit(values, y, names=names)
    bare = section | {"columns": [pattern for pattern in section["columns"] if pattern != "lineup_*"]}
    other = create("xgboost", bare, seed=1).fit(values[:, kept], y, names=without)
    assert one.columns == other.columns
    assert one.predict_proba(values).tobytes() == other.predict_proba(values[:, kept]).tobytes()


def test_trees_read_line_ups_where_there_are_some_and_no_line_up_of_a_match_is_no_trouble(world, lineups, params):
    values, names = build_features(
        world, world, params=params["features"], families=["base_rates", "elo", "lineups"], lineups=lineups
    )
    y = 1 - np.sign(world["home_goals"] - world["away_goals"]).to_numpy().astype(int)
    section = params["train"]["smoke"]["xgboost"] | {"rounds": 5, "logit": {"columns": ["elo_diff"], "l2": 1.0}}
    section |= {"columns": ["elo_*", "base_*", "lineup_*"], "leave_out": []}
    section["booster"] = section["booster"] | {"min_child_weight": 1}
    model = create("xgboost", section, seed=1).fit(values, y, names=names)
    assert {"lineup_strength_home", "lineup_coverage_away"} <= set(model.columns)
    assert np.isfinite(model.predict_proba(values)).all()
    parts = model.contributions(values)
    assert "line-ups" in parts
    assert np.allclose(sum(parts.values()), model.raw_score(values), atol=1e-9)


def test_columns_belong_to_one_group_of_contributions(params):
    assert {group_of(row.name) for row in catalogue(params["features"], ["lineups"])} == {"line-ups"}
