"""Which matches are finished, which are fixtures, and as of when each is forecast."""

from __future__ import annotations

import pandas as pd

from apps.ml.pipeline import files, preprocess
from tests.pure.pipeline.small_world import AS_OF, HOUR, write_export


def test_a_finished_match_is_forecast_an_hour_before_kickoff_and_a_dated_one_at_the_start_of_its_day(built, frame):
    finished = pd.read_parquet(built / files.FINISHED)
    timed = finished[finished["kickoff_precision"] == "minute"]
    dated = finished[finished["kickoff_precision"] == "date"]
    assert (timed["kickoff_at"] - timed["as_of"] == HOUR).all()
    assert (dated["kickoff_at"] == dated["as_of"]).all()
    assert (dated["as_of"].dt.hour == 0).all()
    assert set(finished["match_id"]) == set(frame.loc[frame["status"] == "finished", "match_id"])


def test_fixtures_are_those_after_the_export_and_none_is_forecast_before_it(built, frame):
    upcoming = pd.read_parquet(built / files.UPCOMING)
    assert len(upcoming) == (frame["kickoff_at"] >= AS_OF).sum() > 10
    assert (upcoming["as_of"] >= AS_OF).all()
    assert (upcoming["as_of"] <= upcoming["kickoff_at"]).all()
    assert upcoming[["home_goals", "away_goals", "known_at"]].isna().all().all()


def test_a_match_under_way_at_the_export_is_neither_finished_nor_upcoming(built, frame):
    under_way = set(frame.loc[frame["status"] == "unknown", "match_id"])
    seen = set(pd.read_parquet(built / files.FEATURES)["match_id"])
    assert under_way
    assert not under_way & seen


def test_a_called_off_fixture_is_not_forecast(tmp_path, frame):
    changed = frame.copy()
    off = changed.index[changed["status"] == "scheduled"][:2]
    changed.loc[off[0], "status"], changed.loc[off[1], "status"] = "postponed", "cancelled"
    root = write_export(tmp_path, changed)
    preprocess.main(root)
    assert not set(changed.loc[off, "match_id"]) & set(pd.read_parquet(root / files.UPCOMING)["match_id"])
