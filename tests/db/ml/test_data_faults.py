"""Twelve faults of data, each put into a sound export: a gate before the features stops it and names a row at fault."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from apps.ml.forecasting import prices
from apps.ml.forecasting.features.schema import MATCHES, ODDS, STATS, XG
from apps.ml.pipeline import batch_checks, files
from tests.pure.pipeline.small_world import AS_OF, matches, odds_of, write_export

with warnings.catch_warnings():
    # Importing Great Expectations warns of its own old habits.
    warnings.simplefilter("ignore")
    from apps.ml.pipeline import validate

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
    moved.loc[:, [*XG, "xg_known_at"]] = [np.nan, np.nan, pd.NaT]
    moved["season"] = "S " + moved["season"]
    return moved


def first(chosen: pd.Series, place: int = 0) -> int:
    return int(chosen.index[chosen][place])


def a_null_score(frame: pd.DataFrame) -> None:
    frame.loc[first(lately(frame)), "home_goals"] = np.nan


def gone_counts(frame: pd.DataFrame) -> None:
    frame.loc[lately(frame, 1), list(STATS)] = np.nan


def swapped_teams(frame: pd.DataFrame) -> None:
    """Swap the sides of a match of the last season whose return match was played."""
    chosen = frame.index[frame["season_id"] == frame["season_id"].max()][-20]
    names = ["home_team_id", "away_team_id", "home_team", "away_team"]
    frame.loc[chosen, names] = frame.loc[chosen, [*names[1::-1], *names[:1:-1]]].to_numpy()


def swapped_ids(frame: pd.DataFrame) -> None:
    ids = ["home_team_id", "away_team_id"]
    frame.loc[first(lately(frame), 1), ids] = frame.loc[first(lately(frame), 1), ids[::-1]].to_numpy()


def a_result_from_the_future(frame: pd.DataFrame) -> None:
    chosen = first(frame["status"] == "scheduled")
    frame.loc[chosen, ["status", "home_goals", "away_goals"]] = ["finished", 2.0, 1.0]
    frame.loc[chosen, "known_at"] = frame.loc[chosen, "kickoff_at"] + pd.Timedelta(hours=3)


def a_duplicate_id(frame: pd.DataFrame) -> None:
    frame.loc[11, "match_id"] = frame.loc[10, "match_id"]


def an_impossible_score(frame: pd.DataFrame) -> None:
    frame.loc[20, "home_goals"] = -1.0


def half_a_goal(frame: pd.DataFrame) -> None:
    frame.loc[30, "away_goals"] = 1.5


def shots_in_other_units(frame: pd.DataFrame) -> None:
    """Five times as many shots, which no row shows by itself."""
    frame.loc[lately(frame, 2), ["home_shots", "away_shots"]] *= 5


def a_missing_league(frame: pd.DataFrame) -> None:
    gone = (frame["competition_id"] == 1) & (frame["kickoff_at"] > NOW - pd.Timedelta(days=61))
    frame.drop(frame.index[gone], inplace=True)


def no_results_of_a_league(frame: pd.DataFrame) -> None:
    own = lately(frame, 3) & (frame["kickoff_at"] < NOW - pd.Timedelta(days=3))
    frame.loc[own, "status"] = "unknown"
    frame.loc[own, ["home_goals", "away_goals", *STATS]] = np.nan
    frame.loc[own, "known_at"] = pd.NaT


def a_clock_two_years_late(frame: pd.DataFrame) -> None:
    frame.loc[40, ["kickoff_at", "known_at"]] -= pd.Timedelta(days=730)


def a_clock_of_the_results_behind(frame: pd.DataFrame) -> None:
    frame.loc[first(lately(frame), 2), "known_at"] -= pd.Timedelta(hours=6)


def a_clock_of_the_results_ahead(frame: pd.DataFrame) -> None:
    frame.loc[50, "known_at"] += pd.Timedelta(days=40)


def one_match_under_two_ids(frame: pd.DataFrame) -> None:
    """A second source writes the sides the other way round, an hour later."""
    row = frame.loc[first(lately(frame), 3)].copy()
    names = ["home_team_id", "away_team_id", "home_team", "away_team"]
    row[names] = row[[*names[1::-1], *names[:1:-1]]].to_numpy()
    row["match_id"], row["kickoff_at"] = 900_000, row["kickoff_at"] + pd.Timedelta(hours=1)
    row["known_at"] += pd.Timedelta(hours=1)
    frame.loc[900_000] = row


Fault = Callable[[pd.DataFrame], None]

OF_ROWS: list[tuple[str, Fault, str]] = [
    # First, because it takes rows away.
    ("a missing league", a_missing_league, "a competition that plays at this time of the year is there"),
    ("nulls", a_null_score, "a finished match has home goals"),
    ("swapped teams", swapped_teams, "no club hosts another one twice that it never visits"),
    ("swapped teams", swapped_ids, "the id of a club has one name"),
    ("results from the future", a_result_from_the_future, "no result was known after the export's as_of"),
    ("duplicate ids", a_duplicate_id, "each match is there once"),
    ("impossible scores", an_impossible_score, "home goals lie between 0 and 99"),
    ("impossible scores", half_a_goal, "goals and counts are whole numbers"),
    ("a wrong clock", a_clock_two_years_late, "a match kicks off in its season"),
    ("a wrong clock", a_clock_of_the_results_behind, "a result is known after the kick-off"),
    ("a wrong clock", a_clock_of_the_results_ahead, "a result is known within a month"),
    ("one match twice", one_match_under_two_ids, "two clubs do not meet again at once"),
]

OF_LEAGUES: list[tuple[str, Fault, str]] = [
    ("nulls", gone_counts, "counts that a competition has are there"),
    ("drifted units", shots_in_other_units, "counts are about as high as in earlier years"),
    ("results that do not come", no_results_of_a_league, "a competition has the results of what was played"),
]
"""Faults of a league that it takes some rounds to see."""


def broken(root: Path, gate: str = "raw") -> dict[str, dict]:
    """Run a gate; return what stopped it, by name."""
    status = validate.main([gate], root)
    found = {result["name"]: result for result in files.read_json(root / files.VALIDATION / f"{gate}.json")["broken"]}
    assert status == (1 if found else 0)
    return found


@pytest.mark.parametrize(
    ("change", "faults"), [(pd.DataFrame.copy, OF_ROWS), (dense, OF_LEAGUES)], ids=["of rows", "of leagues"]
)
def test_each_fault_of_matches_is_stopped_before_the_features(change, faults, tmp_path):
    """All at once, since a run of a gate takes seconds: each by its own expectation, with a row at fault."""
    frame, spoilt = change(matches()), {}
    for _, put, stopped_by in faults:
        before = frame.copy()
        put(frame)
        common = frame.index.intersection(before.index)
        differs = frame.loc[common].compare(before.loc[common]).index
        spoilt[stopped_by] = set(frame.loc[differs, "match_id"]) | set(frame["match_id"]) - set(before["match_id"])
    found = broken(write_export(tmp_path, frame))
    assert set(found) >= set(spoilt)
    for stopped_by, ids in spoilt.items():
        named = {row["match_id"] for row in found[stopped_by]["rows"]}
        assert named & ids or not ids, stopped_by


@pytest.mark.parametrize(
    ("price", "stopped_by"),
    [(0.95, "the home price lies above 1"), (150.0, "the inverse prices of a line sum to 0.7 to 2.0")],
    ids=["odds below 1", "odds in other units"],
)
def test_a_fault_of_odds_is_stopped_before_the_features(price, stopped_by, tmp_path):
    frame = matches()
    root = write_export(tmp_path, frame)
    odds = odds_of(frame)
    odds.loc[7, ["home"] if price < 1 else ["home", "draw", "away"]] = price
    files.write_frame(root / files.ODDS, odds, ODDS)
    assert set(broken(root)) == {stopped_by}


def test_a_typing_error_among_thousands_of_lines_stops_nothing_and_no_model_reads_it(tmp_path):
    frame = matches()
    root = write_export(tmp_path, frame)
    line = odds_of(frame).iloc[[0]]
    odds = pd.concat([line] * 6000, ignore_index=True).assign(match_id=range(6000))
    odds.loc[7, ["home", "away"]] = 150.0
    files.write_frame(root / files.ODDS, odds, ODDS)
    assert "the inverse prices of a line sum to 0.7 to 2.0" not in broken(root)
    quoted = prices.line_of(odds, *line[["bookmaker", "moment"]].iloc[0])
    assert set(odds["match_id"]) - set(quoted.index) == {7}


def test_a_truncated_file_is_stopped_before_the_features(tmp_path):
    root = write_export(tmp_path, matches())
    files.write_frame(root / files.MATCHES, matches().iloc[:-40], MATCHES)
    assert set(broken(root)) == {"there are as many matches as were exported"}


def test_twenty_sound_batches_are_not_stopped(tmp_path):
    write_export(tmp_path, matches())
    subject = validate.subjects_of("raw", tmp_path)[0]
    for seed in range(10):
        weekly = matches(seed)
        for name, frame in (("weekly", weekly), ("dense", dense(weekly))):
            files.write_frame(tmp_path / files.MATCHES, frame, MATCHES)
            results = validate.check(validate.frame_of("raw", subject, tmp_path), subject)
            assert [each for each in results if not each["passed"]] == [], (seed, name)


def test_a_league_that_is_silent_beside_all_others_is_not_missing():
    frame = matches()
    silent = batch_checks.silent_competitions
    assert not silent(frame[frame["kickoff_at"] < NOW - pd.Timedelta(days=61)], NOW).any()
    a_missing_league(frame)
    assert set(frame.loc[silent(frame, NOW), "competition"]) == {"league-0"}


def many_leagues(frame: pd.DataFrame, copies: int = 4) -> pd.DataFrame:
    """Return the three leagues several times, each time with clubs and names of their own."""
    parts = []
    for number in range(copies):
        part = frame.copy()
        for name in ("competition_id", "season_id", "home_team_id", "away_team_id", "match_id"):
            part[name] += 100_000 * number
        for name in ("competition", "home_team", "away_team"):
            part[name] += f" {number}"
        parts.append(part)
    return pd.concat(parts, ignore_index=True)


@pytest.mark.parametrize("silent", [3, 5, 9])
def test_leagues_that_fall_silent_at_once_are_one_finding_that_names_them_all(silent, tmp_path):
    frame = many_leagues(matches())
    leagues = sorted(frame["competition"].unique())
    assert len(leagues) == 12
    gone = frame["competition"].isin(leagues[:silent]) & (frame["kickoff_at"] > NOW - pd.Timedelta(days=61))
    found = broken(write_export(tmp_path, frame[~gone].reset_index(drop=True)))
    assert set(found) == {"a competition that plays at this time of the year is there"}
    (finding,) = found.values()
    assert sorted(row["competition"] for row in finding["rows"]) == leagues[:silent]
    assert finding["count"] == silent


@pytest.mark.parametrize("lacking", [3, 7])
def test_leagues_whose_results_stay_away_at_once_are_all_named(lacking):
    frame = dense(many_leagues(matches()))
    leagues = sorted(frame["competition"].unique())
    own = (
        lately(frame)
        & (frame["kickoff_at"] < NOW - pd.Timedelta(days=3))
        & frame["competition"].isin(leagues[:lacking])
    )
    frame.loc[own, "status"] = "unknown"
    frame.loc[own, ["home_goals", "away_goals", *STATS]] = np.nan
    frame.loc[own, "known_at"] = pd.NaT
    found = frame.loc[batch_checks.without_results(frame, NOW), "competition"]
    assert sorted(set(found)) == leagues[:lacking]


def test_where_hardly_a_league_plays_there_is_no_football():
    frame = many_leagues(matches())
    leagues = sorted(frame["competition"].unique())
    gone = frame["competition"].isin(leagues[:10]) & (frame["kickoff_at"] > NOW - pd.Timedelta(days=61))
    assert not batch_checks.silent_competitions(frame[~gone], NOW).any()


def test_two_meetings_at_each_ground_are_a_format_and_no_swap():
    frame = matches()
    again = frame.assign(
        match_id=frame["match_id"] + 10_000,
        kickoff_at=frame["kickoff_at"] + pd.Timedelta(days=1),
        known_at=frame["known_at"] + pd.Timedelta(days=1),
    )
    both = pd.concat([frame, again], ignore_index=True)
    swapped_teams(both)
    assert not batch_checks.hosted_twice_never_visited(both, NOW).any()


def test_every_check_of_a_batch_is_tried_here():
    assert set(batch_checks.CHECKS) <= {stopped_by for _, _, stopped_by in (*OF_ROWS, *OF_LEAGUES)}
