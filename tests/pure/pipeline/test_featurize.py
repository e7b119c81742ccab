"""Features, prices and the kept state: what each file holds, and no line-up, price or future in the wrong one."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from apps.ml.forecasting.estimators import REGISTRY, Estimator
from apps.ml.forecasting.estimators.base import MARKET_PREFIXES
from apps.ml.forecasting.features import FAMILIES, FeatureState, build_features
from apps.ml.forecasting.features.schema import LINEUPS
from apps.ml.forecasting.prices import before_the_match, with_prices
from apps.ml.pipeline import featurize, files, preprocess
from apps.ml.pipeline.columns import KEYS
from apps.ml.pipeline.featurize import MARKET
from tests.pure.pipeline.small_world import write_export


def test_the_feature_file_holds_what_the_mathematics_gives_in_32_bits(built):
    table = pd.read_parquet(built / files.FEATURES)
    described = pd.concat([pd.read_parquet(built / path) for path in (files.FINISHED, files.UPCOMING)])
    values, names = build_features(
        pd.read_parquet(built / files.MATCHES),
        described,
        params=files.read_params(built)["features"],
        families=[family for family in FAMILIES if family not in MARKET],
        lineups=pd.read_parquet(built / files.LINEUPS),
    )
    assert table["match_id"].tolist() == described["match_id"].tolist()
    np.testing.assert_array_equal(table[list(names)].to_numpy(), values.astype(np.float32))


def test_the_outcome_is_0_for_home_1_for_draw_2_for_away(built):
    table = pd.read_parquet(built / files.FEATURES).set_index("match_id")["outcome"]
    finished = pd.read_parquet(built / files.FINISHED)
    margin = (finished["home_goals"] - finished["away_goals"]).to_numpy()
    expected = np.where(margin > 0, 0, np.where(margin == 0, 1, 2))
    assert (table.loc[finished["match_id"]].to_numpy() == expected).all()
    assert table.loc[pd.read_parquet(built / files.UPCOMING)["match_id"]].isna().all()


def test_the_kept_state_describes_a_fixture_as_the_feature_file_does(built):
    upcoming = pd.read_parquet(built / files.UPCOMING)
    state = FeatureState.from_bytes((built / files.STATE).read_bytes())
    state.schedule(pd.read_parquet(built / files.MATCHES))
    table = pd.read_parquet(built / files.FEATURES).set_index("match_id").loc[upcoming["match_id"]]
    online = state.describe(upcoming, lineups=pd.read_parquet(built / files.LINEUPS)).astype(np.float32)
    np.testing.assert_array_equal(table[list(state.names)].to_numpy(), online)


def test_the_catalogue_has_a_row_for_every_column(built):
    plain, priced = (
        [name for name in pd.read_parquet(built / path) if name not in KEYS.names]
        for path in (files.FEATURES, files.PRICES)
    )
    assert [row["name"] for row in files.read_catalogue(built)] == plain
    assert [row["name"] for row in files.read_catalogue(built, with_prices=True)] == [*plain, *priced]


def test_a_column_that_is_made_of_prices_is_marked_with_the_inputs_of_the_models_that_may_see_it(built):
    marks = {row["name"]: row["inputs"] for row in files.read_catalogue(built, with_prices=True)}
    labelled = {kind.inputs for kind in REGISTRY.values() if kind.uses_market}
    assert {mark for name, mark in marks.items() if name.startswith(MARKET_PREFIXES)} == labelled
    assert {mark for name, mark in marks.items() if not name.startswith(MARKET_PREFIXES)} == {Estimator.inputs}
    assert (marks["odds_home"], marks["price_seen_home"]) == ("prices before the match", "prices of earlier matches")


def test_a_poisoned_future_leaves_the_features_of_the_past_as_they_were(built, frame, tmp_path):
    cut = pd.Timestamp("2023-02-01", tz="UTC")
    poisoned = frame.copy()
    later = (poisoned["known_at"] >= cut) & (poisoned["status"] == "finished")
    poisoned.loc[later, "home_goals"] += 7
    root = write_export(tmp_path, poisoned)
    preprocess.main(root)
    featurize.main(root)
    before, after = (pd.read_parquet(path / files.FEATURES) for path in (built, root))
    past = before["as_of"] < cut
    names = [name for name in before if name not in KEYS.names]
    pd.testing.assert_frame_equal(before.loc[past, names], after.loc[past, names], check_exact=True)
    assert not before.loc[~past, names].equals(after.loc[~past, names])


def test_an_export_without_line_ups_passes_every_stage_and_says_nothing_of_them(frame, tmp_path):
    root = write_export(tmp_path, frame)
    files.write_table(root / files.LINEUPS, LINEUPS.empty_table())
    preprocess.main(root)
    featurize.main(root)
    table = pd.read_parquet(root / files.FEATURES).filter(like="lineup_")
    told = table.filter(like="coverage")
    assert (told == 0.0).all().all()
    assert table.drop(columns=told.columns).isna().all().all()


def test_nothing_made_of_prices_is_in_the_features_or_the_served_state(built):
    columns_of_features = pd.read_parquet(built / files.FEATURES).columns
    state = FeatureState.from_bytes((built / files.STATE).read_bytes())
    priced = [name for name in (*columns_of_features, *state.names) if name.startswith(MARKET_PREFIXES)]
    assert priced == []
    prices = [name for name in pd.read_parquet(built / files.PRICES) if name not in KEYS.names]
    assert all(name.startswith(MARKET_PREFIXES) for name in prices)


def test_the_line_before_a_match_is_the_mean_of_those_quoted_and_the_one_left_behind_the_first(frame):
    matches = frame[frame["status"] == "finished"].head(3)[["match_id"]]
    first, second, _ = matches["match_id"]
    odds = pd.DataFrame(
        [
            (first, "A", "opening", 2.0, 4.0, 4.0),
            (first, "B", "opening", 4.0, 4.0, 2.0),
            (second, "B", "closing", 2, 4, 4),
        ],
        columns=["match_id", "bookmaker", "moment", "home", "draw", "away"],
    )
    section = {
        "devig": "power",
        "before": [["A", "opening"], ["B", "opening"]],
        "lines": [["A", "closing"], ["B", "closing"]],
    }
    before = before_the_match(matches, odds, section)
    # Log-odds of home against away: ln 2 and -ln 2; of the draw: 0 and -ln 2.
    assert before.iloc[0].tolist() == pytest.approx([0.0, -np.log(2.0) / 2.0])
    assert before.iloc[1:].isna().all().all()
    left = with_prices(matches, odds, section)
    assert left.iloc[1][["price_home", "price_draw", "price_away"]].tolist() == pytest.approx([0.5, 0.25, 0.25])
    assert left.iloc[[0, 2]]["price_home"].isna().all()
