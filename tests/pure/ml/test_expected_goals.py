"""Expected goals (xG): events of their own, later than the result, that move two families and no other."""

from __future__ import annotations

import io
import json
import zipfile

import numpy as np
import pandas as pd
import pytest

from apps.ml.forecasting.features import FAMILIES, FeatureState, LateResultError, StateFormatError, build_features
from apps.ml.forecasting.features import events as feature_events
from apps.ml.forecasting.features.schema import XG
from apps.ml.forecasting.features.state import BEFORE_SEASON_FORM, BEFORE_XG, FORMAT
from tests.pure.ml.look_ahead import HOUR, same

READERS = ("performance", "market")
"""Families that read xG."""

each_reader = pytest.mark.parametrize("family", READERS)

MORNING = pd.Timedelta(hours=30)


@pytest.fixture(scope="module")
def with_xg(world) -> pd.DataFrame:
    """The small world with xG in both leagues of Northland, known at 06:00 UTC of the next day."""
    generator = np.random.default_rng(12)
    goals = world[["home_goals", "away_goals"]].to_numpy()
    xg = pd.DataFrame(0.5 + 0.6 * goals + generator.normal(0.0, 0.1, goals.shape), world.index, list(XG))
    has_xg = world["competition_id"].isin([1, 2])
    known_at = world["kickoff_at"].dt.floor("D") + MORNING
    return world.assign(**{name: xg[name].where(has_xg) for name in XG}, xg_known_at=known_at.where(has_xg))


def features_of(results: pd.DataFrame, fixtures: pd.DataFrame, params: dict, family: str) -> np.ndarray:
    values, _ = build_features(results, fixtures, params=params["features"], families=[family])
    return values


@each_reader
def test_xg_moves_the_ratings(with_xg, params, family):
    values = features_of(with_xg, with_xg, params, family)
    without = features_of(with_xg.drop(columns="xg_known_at"), with_xg, params, family)
    assert (values != without).any(axis=1).sum() > 50


@pytest.mark.parametrize("family", [name for name in FAMILIES if name not in READERS])
def test_no_other_family_reads_xg(with_xg, params, family):
    values = features_of(with_xg, with_xg, params, family)
    assert same(values, features_of(with_xg.drop(columns="xg_known_at"), with_xg, params, family))


@each_reader
def test_the_xg_of_the_future_does_not_move_the_past(with_xg, params, family):
    values = features_of(with_xg, with_xg, params, family)
    for share in (0.3, 0.6, 0.9):
        moment = with_xg["as_of"].sort_values().iloc[int(share * len(with_xg))]
        later, past = with_xg["xg_known_at"] >= moment, (with_xg["as_of"] <= moment).to_numpy()
        assert later.sum() > 10
        random, none = with_xg.copy(), with_xg.copy()
        random.loc[later, list(XG)] = np.random.default_rng(3).uniform(0.0, 4.0, (int(later.sum()), 2))
        none.loc[later, [*XG, "xg_known_at"]] = [np.nan, np.nan, pd.NaT]
        for future in (random, none):
            assert same(features_of(future, with_xg, params, family)[past], values[past])


@each_reader
def test_a_leak_of_xg_by_an_hour_is_caught(with_xg, params, family):
    moved = with_xg.assign(xg_known_at=with_xg["xg_known_at"] - HOUR)
    between = with_xg["xg_known_at"].dropna().sort_values().iloc[-40] - HOUR / 2
    fixtures = with_xg.assign(as_of=between)
    assert same(
        features_of(with_xg, fixtures, params, family),
        features_of(with_xg[with_xg["known_at"] < between], fixtures, params, family),
    )
    assert not same(features_of(with_xg, fixtures, params, family), features_of(moved, fixtures, params, family))


def of_period(matches: pd.DataFrame, after: pd.Timestamp, before: pd.Timestamp) -> pd.DataFrame:
    """What `dataset.results_between` returns of a period."""
    found = matches[matches["known_at"] < before].copy()
    found.loc[found["known_at"] <= after, "known_at"] = pd.NaT
    outside = (found["xg_known_at"] <= after) | (found["xg_known_at"] >= before)
    found.loc[outside, [*XG, "xg_known_at"]] = [np.nan, np.nan, pd.NaT]
    return found[found["known_at"].notna() | found["xg_known_at"].notna()]


@each_reader
def test_a_row_online_equals_the_row_offline_where_xg_comes_later_than_the_result(with_xg, params, family):
    offline = features_of(with_xg, with_xg, params, family)
    state = FeatureState.new(params["features"], [family])
    until, observed = pd.Timestamp("2000-01-01", tz="UTC"), 0
    for number, moment in enumerate(with_xg["as_of"].drop_duplicates().sort_values()):
        observed += state.observe(of_period(with_xg, until, moment))
        until = state.observed_until or until
        if number % 15 == 0:
            state = FeatureState.from_bytes(state.to_bytes())
        rows = np.flatnonzero(with_xg["as_of"] == moment)
        assert same(state.describe(with_xg.iloc[rows]), offline[rows])
    # Only results are counted.
    assert observed == (with_xg["known_at"] < moment).sum()


def test_xg_is_observed_after_the_results_of_the_same_instant(with_xg):
    at_once = with_xg.head(40).assign(known_at=with_xg["xg_known_at"].max(), xg_known_at=with_xg["xg_known_at"].max())
    rows = feature_events.result_rows(at_once.sample(frac=1.0, random_state=3)).events
    assert rows["kind"].tolist() == sorted(rows["kind"].tolist())
    results, later = (rows[rows["kind"] == kind] for kind in (feature_events.OBSERVE, feature_events.OBSERVE_XG))
    assert len(results) == 40
    assert len(later) == at_once["home_xg"].notna().sum()
    assert np.isnan(results["xg"]).all()
    assert not np.isnan(later["xg"]).any()


def test_xg_before_what_was_observed_asks_for_a_rebuild(with_xg, params):
    state = FeatureState.new(params["features"], ["performance"])
    state.observe(with_xg.drop(columns="xg_known_at"))
    late = with_xg[with_xg["home_xg"].notna()].head(1).assign(known_at=pd.to_datetime([pd.NaT], utc=True))
    with pytest.raises(LateResultError, match="were observed already"):
        state.observe(late)


def as_before(content: bytes, version: int) -> bytes:
    """A state as an earlier version wrote it."""
    found = io.BytesIO()
    with zipfile.ZipFile(io.BytesIO(content)) as archive, zipfile.ZipFile(found, "w") as other:
        for name in archive.namelist():
            body = archive.read(name)
            if name == "state.json":
                header = json.loads(body)
                # States that have not changed are written so that older code reads them.
                assert header["format"] == (FORMAT if "market" in header["params"] else BEFORE_SEASON_FORM)
                if version == BEFORE_XG and header["latest"]:
                    at, _, kickoff, match = header["latest"]
                    header["latest"] = [at, kickoff, match]
                body = json.dumps(header | {"format": version}).encode()
            other.writestr(name, body)
    return found.getvalue()


@pytest.mark.parametrize("version", [BEFORE_XG, BEFORE_SEASON_FORM])
def test_a_state_of_an_earlier_format_is_read_unless_it_has_ratings_made_of_prices(world, params, version):
    families = [name for name in FAMILIES if name not in READERS]
    state = FeatureState.new(params["features"], families)
    for results in (world.head(0), world):
        state.observe(results)
        again = FeatureState.from_bytes(as_before(state.to_bytes(), version))
        assert again.to_bytes() == state.to_bytes()
    priced = FeatureState.new(params["features"], ["market"])
    priced.observe(world)
    with pytest.raises(StateFormatError, match=f"format {version}"):
        FeatureState.from_bytes(as_before(priced.to_bytes(), version))


def test_a_state_of_an_unknown_format_is_refused(world, params):
    state = FeatureState.new(params["features"], ["elo"])
    with pytest.raises(StateFormatError, match="format 3"):
        FeatureState.from_bytes(as_before(state.to_bytes(), 3))
