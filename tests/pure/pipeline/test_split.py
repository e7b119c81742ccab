"""Steps of the walk forward: what each may train on, and when a history is too short."""

from __future__ import annotations

import shutil
from datetime import datetime

import pandas as pd
import pytest

from apps.ml.pipeline import files, split, train
from tests.pure.pipeline.small_world import HOUR


def test_a_step_trains_on_nothing_that_was_unknown_when_it_began(built):
    keys = train.Matrix.read(built, [], files.FEATURES).keys
    plan = files.read_json(built / files.FOLDS)["folds"]
    assert [step["purpose"] for step in plan] == ["calibrate", "test", "test"]
    seen: set[int] = set()
    for step in plan:
        start = datetime.fromisoformat(step["start"])
        learnt = split.training_rows(keys, datetime.fromisoformat(step["train_from"]), start)
        asked = split.test_rows(keys, step)
        assert (learnt["known_at"] < start).all()
        assert (asked["as_of"] >= start).all()
        assert (len(learnt), len(asked)) == (step["train_rows"], step["test_rows"])
        assert not seen & set(asked["match_id"])
        seen |= set(asked["match_id"])


def test_a_step_that_is_too_short_is_joined_to_the_one_before(frame):
    finished = frame[frame["status"] == "finished"].assign(as_of=lambda rows: rows["kickoff_at"] - HOUR)
    section = {"refit_month": 7, "refit_day": 1, "warm_up_days": 300, "train_days": 5000, "enough_tested": {}}
    params = {"split": section | {"least_rows": 200, "test_refits": 9, "calibrate_refits": 0}}
    # The fifth season has 260 rows before AS_OF; cut off in October it has fewer than a step needs.
    short = finished[finished["kickoff_at"] < "2023-10-15"]
    assert split.folds(finished, params)[-1]["start"].startswith("2023-07-01")
    joined = split.folds(short, params)[-1]
    assert joined["start"].startswith("2022-07-01")
    assert joined["end"] is None
    assert joined["test_rows"] > 270


def test_a_profile_that_tests_little_tests_as_few_steps_as_hold_enough(built):
    finished = pd.read_parquet(built / files.FINISHED)
    section = files.read_params(built)["split"]
    plan = split.folds(finished, {"split": section}, "smoke")
    assert [step["purpose"] for step in plan] == ["calibrate", "test", "test"]
    latest = plan[-1]["test_rows"]
    for enough, steps in ((latest, 1), (latest + 1, 2), (10**9, 2)):
        few = split.folds(finished, {"split": section | {"enough_tested": {"smoke": enough}}}, "smoke")
        assert sum(step["purpose"] == "test" for step in few) == steps
        assert few[-1]["start"] == plan[-1]["start"]


def test_a_history_of_one_season_is_refused_with_what_is_missing(frame):
    season = frame[frame["season_id"] == 1].assign(as_of=lambda rows: rows["kickoff_at"])
    section = {
        "refit_month": 7,
        "refit_day": 1,
        "warm_up_days": 30,
        "train_days": 50,
        "enough_tested": {},
        "least_rows": 200,
        "test_refits": 1,
        "calibrate_refits": 0,
    }
    with pytest.raises(split.TooLittleHistoryError, match="90 finished matches since 2019-08-03 are too few"):
        split.folds(season, {"split": section})


def test_another_profile_trains_anew_and_another_day_does_not(built, copy):
    shutil.copy(built / files.FOLDS, copy / "before.json")
    manifest = files.RawManifest.read(copy)
    files.RawManifest(manifest.world, manifest.as_of + HOUR.to_pytimedelta(), manifest.profile, 1, 1).write(
        copy / files.MANIFEST
    )
    split.main(copy)
    assert (copy / files.FOLDS).read_bytes() == (copy / "before.json").read_bytes()
    files.RawManifest(manifest.world, manifest.as_of, "production", 1, 1).write(copy / files.MANIFEST)
    split.main(copy)
    assert (copy / files.FOLDS).read_bytes() != (copy / "before.json").read_bytes()
