"""A back-test: which seasons it is about, what it fits, and that its forecasts are those of the walk forward."""

from __future__ import annotations

import dataclasses
import shutil
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from apps.ml.pipeline import back_test, calibrate, comparison, evaluate, files, split, train
from apps.ml.pipeline.columns import RAW
from tests.pure.pipeline.small_world import AS_OF
from tests.shared import made_once

NOW = datetime(2026, 11, 30, tzinfo=UTC)


def matches(*rows: tuple[str, str, str]) -> pd.DataFrame:
    """Matches from competition, season and day."""
    frame = pd.DataFrame(rows, columns=back_test.COLUMNS)
    return frame.assign(kickoff_at=pd.to_datetime(frame["kickoff_at"], utc=True))


NONE = matches()


def seasons(finished: pd.DataFrame, upcoming: pd.DataFrame = NONE) -> dict[str, str]:
    return back_test.latest_finished_seasons(finished, upcoming, NOW)


def test_the_season_before_the_one_that_is_played_is_the_latest_finished_one():
    played = matches(
        ("league", "2024-25", "2025-05-20"), ("league", "2025-26", "2026-05-20"), ("league", "2026-27", "2026-11-28")
    )
    assert seasons(played) == {"league": "2025-26"}


def test_a_season_that_is_announced_ends_the_one_before():
    assert seasons(matches(("league", "2026", "2026-11-22")), matches(("league", "2027", "2027-03-20"))) == {
        "league": "2026"
    }


def test_a_season_with_fixtures_left_has_not_ended_even_after_a_long_break():
    played = matches(("league", "2025-26", "2026-05-20"), ("league", "2026-27", "2026-08-20"))
    assert seasons(played, matches(("league", "2026-27", "2027-02-14"))) == {"league": "2025-26"}


def test_without_fixtures_a_season_ends_by_a_silence_that_no_winter_break_reaches():
    assert seasons(matches(("league", "2026", "2026-09-10"))) == {"league": "2026"}
    assert seasons(matches(("league", "2026", "2026-09-20"))) == {}


def test_a_competition_that_ended_years_ago_is_left_out():
    assert seasons(matches(("cup", "2019", "2019-05-20"), ("cup", "2020", "2020-05-20"))) == {}


def test_each_competition_has_a_latest_season_of_its_own():
    played = matches(
        *(("autumn", "2025-26", "2026-05-20"), ("autumn", "2026-27", "2026-11-28")),
        *(("spring", "2025", "2025-11-20"), ("spring", "2026", "2026-11-22")),
    )
    assert seasons(played, matches(("spring", "2026", "2026-12-01"))) == {"autumn": "2025-26", "spring": "2025"}


def test_a_pool_is_fitted_with_its_members():
    sections = {"base_rates": {}, "logit": {}, "elo_logit": {}, "pool": {"members": {"logit": {}}}}
    assert train.fitted({}, sections) == set(sections)
    assert train.fitted({"back_test": "elo_logit"}, sections) == {"base_rates", "elo_logit"}
    assert train.fitted({"back_test": "pool"}, sections) == {"base_rates", "pool", "logit"}


def test_an_estimator_without_parameters_is_refused_by_its_name():
    with pytest.raises(ValueError, match=r"no section train\.smoke\.logit"):
        train.fitted({"back_test": "logit", "profile": "smoke"}, {"base_rates": {}})


@pytest.fixture(scope="module")
def tested(built: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The small world with a back-test of its logit."""

    def make(root: Path) -> None:
        workspace = root / "workspace"
        shutil.copytree(built, workspace)
        for path in (files.TRAINED, files.MODEL):
            shutil.rmtree(workspace / path)
        manifest = files.RawManifest.read(workspace)
        dataclasses.replace(manifest, back_test="logit").write(workspace / files.MANIFEST)
        for stage in (split, train, calibrate, evaluate):
            stage.main(workspace)

    return made_once("back-tested", tmp_path_factory, make) / "workspace"


def test_it_forecasts_the_latest_finished_season_of_each_competition_and_nothing_else(tested):
    rows = comparison.forecasts_in(comparison.stored_forecasts(tested, "logit"))
    about = pd.read_parquet(tested / files.FINISHED).set_index("match_id")
    found = about.loc[rows["match_id"], ["competition", "season"]].drop_duplicates()
    chosen = files.read_json(tested / files.FOLDS)["seasons"]
    assert dict(found.itertuples(index=False)) == chosen
    assert set(chosen) == set(about["competition"])
    upcoming = pd.read_parquet(tested / files.UPCOMING)
    assert not set(zip(upcoming["competition"], upcoming["season"], strict=True)) & set(chosen.items())
    whole = about[[chosen[row.competition] == row.season for row in about.itertuples()]]
    assert set(rows["match_id"]) == set(whole.index), "the whole of each season"


def test_nothing_of_its_season_was_known_when_the_model_was_fitted(tested):
    plan = files.read_json(tested / files.FOLDS)
    rows = comparison.forecasts_in(comparison.stored_forecasts(tested, "logit"))
    starts = {step["number"]: pd.Timestamp(step["start"]) for step in plan["folds"]}
    assert (rows["as_of"] >= rows["fold"].map(starts)).all()
    first = rows["fold"].min()
    assert [step["purpose"] for step in plan["folds"]] == [
        "calibrate" if step["number"] < first else "test" for step in plan["folds"]
    ]


def test_only_its_estimator_and_base_rates_are_fitted_and_nothing_is_made_to_be_served(tested):
    assert set(pd.read_parquet(tested / files.OUT_OF_SAMPLE)["model"]) == {"base_rates", "logit"}
    assert [path.name for path in (tested / files.TRAINED).iterdir()] == [files.ABOUT]
    assert not list((tested / files.MODEL).iterdir())


def test_its_forecasts_are_those_of_the_training_run_with_the_same_facts_and_parameters(tested, built):
    own = pd.read_parquet(tested / files.OUT_OF_SAMPLE)
    other = pd.read_parquet(built / files.OUT_OF_SAMPLE)
    both = own[own["model"] == "logit"].merge(
        other[other["model"] == "logit"], on="match_id", suffixes=("", "_trained")
    )
    assert len(both) > 100
    trained = both[[f"{name}_trained" for name in RAW]].to_numpy()
    assert both[RAW].to_numpy() == pytest.approx(trained, abs=1e-12)


def test_it_is_scored_as_the_model_that_it_is_about_against_base_rates_and_the_closing_line(tested):
    metrics = files.read_json(tested / files.METRICS)
    assert metrics["best"] == "logit"
    assert set(metrics["models"]) == {"base_rates", "logit"}
    line = next(line for line in metrics["benchmarks"] if line["bookmaker"] == "PS")
    assert line["gap"]["log_loss"]["low"] < line["gap"]["log_loss"]["mean"] < line["gap"]["log_loss"]["high"]
    assert line["gap"]["rps"]["days"] > 10
    assert line["distance"]["mean"] > 0


def test_a_world_in_which_no_season_has_ended_is_refused_in_words(tmp_path, built):
    root = Path(shutil.copytree(built, tmp_path / "copy"))
    manifest = files.RawManifest.read(root)
    dataclasses.replace(manifest, back_test="logit", as_of=AS_OF + pd.Timedelta(days=4000)).write(root / files.MANIFEST)
    finished = pd.read_parquet(root / files.FINISHED)
    upcoming = pd.read_parquet(root / files.UPCOMING)
    upcoming["season"] = finished["season"].iloc[0]
    upcoming.to_parquet(root / files.UPCOMING)
    with pytest.raises(split.TooLittleHistoryError, match="no season of any competition has ended"):
        split.main(root)
