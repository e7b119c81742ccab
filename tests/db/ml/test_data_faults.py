"""Twelve faults of data, each put into a sound export: a gate before the features stops it and names a row at fault."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from apps.ml.forecasting.features.schema import MATCHES, ODDS, STATS
from apps.ml.pipeline import files, preprocess
from tests.pure.pipeline.small_world import AS_OF, matches, odds_of, write_export

with warnings.catch_warnings():
    # Importing Great Expectations warns of its own old habits.
    warnings.simplefilter("ignore")
    from apps.ml.pipeline import expectations, validate

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

NOW = pd.Timestamp(AS_OF)
LATELY = pd.Timedelta(days=28)


def lately(frame: pd.DataFrame, league: int | None = None) -> pd.Series:
    """Return which rows have ended in the latest four weeks, of one league or of all."""
    ended = (frame["status"] == "finished") & (frame["kickoff_at"] > NOW - LATELY)
    return ended if league is None else ended & (frame["competition_id"] == league)


def dense(frame: pd.DataFrame) -> pd.DataFrame:
    """Return the matches a third as far from now as they were: seven rounds in four weeks, not two."""
    moved = frame.copy()
    for name in ("kickoff_at", "known_at"):
        moved[name] = NOW - (NOW - frame[name]) / 3
    moved["known_at"] = moved["known_at"].where(moved["known_at"].isna(), moved["kickoff_at"] + pd.Timedelta(hours=3))
    hidden = moved["known_at"] >= NOW
    moved.loc[hidden, "known_at"] = pd.NaT
    moved["season"] = "S " + moved["season"]
    return moved


def a_null_score(frame: pd.DataFrame) -> None:
    frame.loc[frame.index[lately(frame)][0], "home_goals"] = np.nan


def gone_counts(frame: pd.DataFrame) -> None:
    frame.loc[lately(frame, 1), list(STATS)] = np.nan


def swapped_teams(frame: pd.DataFrame) -> None:
    """Swap the sides of a match whose return match was played."""
    last = frame[frame["season_id"] == frame["season_id"].max()]
    chosen = last.index[-20]
    names = ["home_team_id", "away_team_id", "home_team", "away_team"]
    swapped = ["away_team_id", "home_team_id", "away_team", "home_team"]
    frame.loc[chosen, names] = frame.loc[chosen, swapped].to_numpy()


def swapped_ids(frame: pd.DataFrame) -> None:
    chosen = frame.index[lately(frame)][0]
    frame.loc[chosen, ["home_team_id", "away_team_id"]] = frame.loc[chosen, ["away_team_id", "home_team_id"]].to_numpy()


def a_result_from_the_future(frame: pd.DataFrame) -> None:
    chosen = frame.index[frame["status"] == "scheduled"][0]
    frame.loc[chosen, ["status", "home_goals", "away_goals"]] = ["finished", 2.0, 1.0]
    frame.loc[chosen, "known_at"] = frame.loc[chosen, "kickoff_at"] + pd.Timedelta(hours=3)


def a_duplicate_id(frame: pd.DataFrame) -> None:
    frame.loc[11, "match_id"] = frame.loc[10, "match_id"]


def an_impossible_score(frame: pd.DataFrame) -> None:
    frame.loc[10, "home_goals"] = -1.0


def half_a_goal(frame: pd.DataFrame) -> None:
    frame.loc[10, "away_goals"] = 1.5


def shots_in_other_units(frame: pd.DataFrame) -> None:
    """Ten times as many shots, which no row shows by itself: 80 are possible."""
    frame.loc[lately(frame, 1), ["home_shots", "away_shots"]] *= 5


def a_missing_league(frame: pd.DataFrame) -> None:
    """Results of a league stop, its matches with them, while the others go on."""
    gone = frame.index[(frame["competition_id"] == 1) & (frame["kickoff_at"] > NOW - pd.Timedelta(days=61))]
    frame.drop(gone, inplace=True)


def no_results_of_a_league(frame: pd.DataFrame) -> None:
    own = lately(frame, 2) & (frame["kickoff_at"] < NOW - pd.Timedelta(days=3))
    frame.loc[own, "status"] = "unknown"
    frame.loc[own, ["home_goals", "away_goals", *STATS]] = np.nan
    frame.loc[own, "known_at"] = pd.NaT


def a_clock_a_year_ahead(frame: pd.DataFrame) -> None:
    """Kick-offs of a round two years early, as a wrong clock or a wrong year writes them, with their results."""
    own = frame.index[lately(frame)][:3]
    frame.loc[own, "kickoff_at"] -= pd.Timedelta(days=730)
    frame.loc[own, "known_at"] -= pd.Timedelta(days=730)


def a_clock_of_the_results_behind(frame: pd.DataFrame) -> None:
    frame.loc[frame.index[lately(frame)][0], "known_at"] -= pd.Timedelta(hours=6)


def one_match_under_two_ids(frame: pd.DataFrame) -> None:
    """The second source writes the sides the other way round, an hour later."""
    chosen = frame.index[lately(frame)][0]
    row = frame.loc[chosen].copy()
    row[["home_team_id", "away_team_id", "home_team", "away_team"]] = frame.loc[
        chosen, ["away_team_id", "home_team_id", "away_team", "home_team"]
    ].to_numpy()
    row["match_id"], row["kickoff_at"] = 900_000, row["kickoff_at"] + pd.Timedelta(hours=1)
    row["known_at"] = row["known_at"] + pd.Timedelta(hours=1)
    frame.loc[900_000] = row


Fault = Callable[[pd.DataFrame], None]

IN_MATCHES: list[tuple[str, Fault, str]] = [
    ("nulls", a_null_score, "a finished match has home goals"),
    ("nulls", gone_counts, "counts that a competition has are there"),
    ("swapped teams", swapped_teams, "no club hosts another one twice that it never visits"),
    ("swapped teams", swapped_ids, "the id of a club has one name"),
    ("results from the future", a_result_from_the_future, "no result was known after the export's as_of"),
    ("duplicate ids", a_duplicate_id, "each match is there once"),
    ("impossible scores", an_impossible_score, "home goals lie between 0 and 99"),
    ("impossible scores", half_a_goal, "goals and counts are whole numbers"),
    ("drifted units", shots_in_other_units, "counts are about as high as in earlier years"),
    ("a missing league", a_missing_league, "a competition that plays at this time of the year is there"),
    ("results that do not come", no_results_of_a_league, "a competition has the results of what was played"),
    ("a wrong clock", a_clock_a_year_ahead, "a match kicks off in its season"),
    ("a wrong clock", a_clock_of_the_results_behind, "a result is known after the kick-off"),
    ("one match twice", one_match_under_two_ids, "two clubs do not meet again at once"),
]

DENSE = {"gone_counts", "shots_in_other_units", "no_results_of_a_league"}
"""Faults of a league that it takes some rounds to see."""


def export_of(root: Path, frame: pd.DataFrame) -> Path:
    """Write matches, and the prices that a sound export had of them."""
    write_export(root, frame)
    return root


def broken(root: Path, gate: str = "raw") -> dict[str, dict]:
    """Run a gate; return what stopped it, by name."""
    status = validate.main([gate], root)
    found = {result["name"]: result for result in files.read_json(root / files.VALIDATION / f"{gate}.json")["broken"]}
    assert status == (1 if found else 0)
    return found


@pytest.mark.parametrize(
    ("fault", "put", "stopped_by"), IN_MATCHES, ids=[f"{fault}: {put.__name__}" for fault, put, _ in IN_MATCHES]
)
def test_a_fault_of_matches_is_stopped_before_the_features(fault, put, stopped_by, tmp_path):
    frame = dense(matches()) if put.__name__ in DENSE else matches()
    put(frame)
    found = broken(export_of(tmp_path, frame))
    assert stopped_by in found
    rows = found[stopped_by]["rows"]
    assert rows
    assert {"home_team", "away_team", "kickoff_at"} <= set(rows[0])


@pytest.mark.parametrize(
    ("price", "stopped_by"),
    [(0.95, "the home price lies above 1"), (150.0, "the inverse prices of a line sum to 0.7 to 2.0")],
    ids=["odds below 1", "odds in other units"],
)
def test_a_fault_of_odds_is_stopped_before_the_features(price, stopped_by, tmp_path):
    frame = matches()
    root = export_of(tmp_path, frame)
    odds = odds_of(frame)
    odds.loc[7, ["home"] if price < 1 else ["home", "draw", "away"]] = price
    files.write_frame(root / files.ODDS, odds, ODDS)
    assert set(broken(root)) == {stopped_by}


def test_a_truncated_file_is_stopped_before_the_features(tmp_path):
    root = export_of(tmp_path, matches())
    files.write_frame(root / files.MATCHES, matches().iloc[:-40], MATCHES)
    assert set(broken(root)) == {"there are as many matches as were exported"}


def test_twenty_sound_batches_are_not_stopped(tmp_path):
    for seed in range(10):
        for name, change in (("as it is", lambda frame: frame), ("dense", dense)):
            root = export_of(tmp_path / f"{seed} {name}", change(matches(seed)))
            preprocess.main(root)
            found = [broken(root, gate) for gate in ("raw", "finished", "upcoming")]
            assert found == [{}, {}, {}], (seed, name)


def test_a_league_that_is_silent_beside_all_others_is_not_missing(tmp_path):
    frame = matches()
    frame = frame[frame["kickoff_at"] < NOW - pd.Timedelta(days=61)]
    assert broken(export_of(tmp_path, frame)) == {}


def test_every_check_of_a_batch_is_tried_here_or_with_the_other_expectations():
    tried = {stopped_by for _, _, stopped_by in IN_MATCHES}
    assert set(expectations.CHECKS) - tried == {"a result is known within a month"}
