"""Points that leagues took or gave, and results by verdict, in the features of the table."""

from __future__ import annotations

import json
import zipfile
from io import BytesIO

import numpy as np
import pandas as pd
import pytest

from apps.ml.forecasting.features import FeatureState
from apps.ml.forecasting.features.schema import ADJUSTMENTS
from tests.pure.ml.look_ahead import same
from tests.pure.ml.test_features_families import matches

FIRST = pd.Timestamp("2024-01-01 15:00", tz="UTC").as_unit("us")


@pytest.fixture
def frame() -> pd.DataFrame:
    """Team 1 wins twice, team 2 once; then they meet on days 20 and 30."""
    return matches([(1, 2, 2, 0, 0), (1, 3, 1, 0, 3), (2, 3, 1, 0, 6), (2, 1, None, None, 20), (1, 2, None, None, 30)])


def adjustments(*rows: tuple) -> pd.DataFrame:
    """Rows of (team, day on which it was known, points, played, difference, scored)."""
    return pd.DataFrame(
        [(1, team, FIRST + pd.Timedelta(days=day), *more) for team, day, *more in rows], columns=ADJUSTMENTS.names
    )


def described(frame: pd.DataFrame, params: dict, known: pd.DataFrame) -> pd.DataFrame:
    state = FeatureState.new({"table": params["features"]["table"]})
    state.adjust(known)
    return pd.DataFrame(state.fold(frame, frame), columns=list(state.names))


def test_points_that_were_taken_count_in_matches_after_the_day_they_were_known(frame, params):
    found = described(frame, params, adjustments((1, 25, -4, 0, 0, 0)))
    # Team 1 has six points of two matches, and two after the deduction: less than the three of team 2.
    assert found.loc[3, ["table_points_away", "table_place_away"]].tolist() == [3.0, 0.0]
    assert found.loc[4, ["table_points_home", "table_place_home"]].tolist() == [1.0, 0.5]
    assert found.loc[4, ["table_points_away", "table_place_away"]].tolist() == [1.5, 0.0]
    assert found.loc[4, "stake_title_home"] < 0 < found.loc[3, "stake_title_away"]


def test_points_that_are_given_back_count_from_their_own_day(frame, params):
    found = described(frame, params, adjustments((1, 10, -4, 0, 0, 0), (1, 25, 3, 0, 0, 0)))
    assert found.loc[[3], "table_points_away"].tolist() == [1.0]
    assert found.loc[[4], "table_points_home"].tolist() == [2.5]


def test_a_result_by_verdict_is_a_match_of_the_table(frame, params):
    found = described(frame, params, adjustments((2, 10, 3, 1, 3, 3), (3, 10, 0, 1, -3, 0)))
    # Team 2: one point and a half of two matches, then six points of three, with goals 1-2 and 3-0.
    assert found.loc[3, "table_points_home"] == 2.0
    assert found.loc[3, "table_margin_home"] == pytest.approx((-2 + 1 + 3) / 3)
    assert found.loc[3, "table_left_home"] == 1.0


def test_what_concerns_another_season_or_a_club_without_a_result_changes_nothing(frame, params):
    plain = described(frame, params, adjustments())
    other = adjustments((1, 1, -4, 0, 0, 0)).assign(season_id=2)
    stranger = adjustments((77, 1, -4, 0, 0, 0))
    assert same(described(frame, params, other).to_numpy(), plain.to_numpy())
    assert same(described(frame, params, stranger).to_numpy(), plain.to_numpy())


def test_what_becomes_known_later_does_not_move_the_past(frame, params):
    plain = described(frame, params, adjustments())
    # Exactly at the moment of the forecast is too late.
    moment = (frame.loc[3, "as_of"] - FIRST) / pd.Timedelta(days=1)
    found = described(frame, params, adjustments((1, moment, -4, 0, 0, 0)))
    assert same(found.to_numpy()[:4], plain.to_numpy()[:4])
    assert found.loc[4, "table_points_home"] == 1.0


def test_every_row_online_equals_the_row_offline(world, params):
    generator = np.random.default_rng(3)
    rows = world.sample(n=40, random_state=3)
    known = pd.DataFrame(
        {
            "season_id": rows["season_id"],
            "team_id": rows["home_team_id"],
            "known_at": rows["kickoff_at"] + pd.Timedelta(minutes=1),
            "points": generator.integers(-12, 6, size=40),
            "played": generator.integers(0, 2, size=40),
            "difference": generator.integers(-3, 4, size=40),
            "scored": generator.integers(0, 4, size=40),
        }
    )
    section = {"table": params["features"]["table"]}
    state = FeatureState.new(section)
    state.adjust(known)
    offline = state.fold(world, world)
    blocks = FeatureState.new(section)
    blocks.adjust(known.sample(frac=1.0, random_state=5))
    for block in blocks.stream(world, world, block=50):
        assert same(block.values.T, offline[block.rows].astype(np.float32))
    online, seen = FeatureState.new(section), pd.Timestamp.min.tz_localize("UTC")
    online.adjust(known)
    for moment in world["as_of"].drop_duplicates().sort_values():
        online.observe(world[(world["known_at"] >= seen) & (world["known_at"] < moment)])
        seen = moment
        here = np.flatnonzero(world["as_of"] == moment)
        assert same(FeatureState.from_bytes(online.to_bytes()).describe(world.iloc[here]), offline[here])


def test_a_state_from_before_there_were_adjustments_is_read(frame, params):
    state = FeatureState.new({"table": params["features"]["table"]})
    state.observe(frame)
    written = BytesIO()
    with zipfile.ZipFile(BytesIO(state.to_bytes())) as old, zipfile.ZipFile(written, "w") as new:
        for member in old.namelist():
            content = old.read(member)
            if member == "state.json":
                content = json.dumps({k: v for k, v in json.loads(content).items() if k != "adjustments"}).encode()
            new.writestr(member, content)
    restored = FeatureState.from_bytes(written.getvalue())
    assert same(restored.describe(frame[3:]), state.describe(frame[3:]))
