"""Each expectation of each gate against a row that breaks it: the gate stops, and names the row."""

from __future__ import annotations

import shutil
import warnings
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from apps.ml.forecasting.features.schema import LINEUPS, MATCHES, ODDS, STATS, XG
from apps.ml.pipeline import batch_checks, columns, featurize, files, preprocess
from apps.ml.pipeline.columns import KEYS
from tests.pure.pipeline.small_world import AS_OF, matches, write_export

with warnings.catch_warnings():
    # Importing Great Expectations warns of its own old habits.
    warnings.simplefilter("ignore")
    from apps.ml.pipeline import expectations, validate

pytestmark = pytest.mark.filterwarnings("ignore::DeprecationWarning", "ignore::FutureWarning")

Spoil = Callable[[pd.DataFrame], pd.DataFrame]

SCHEMAS = {
    files.MATCHES: MATCHES,
    files.ODDS: ODDS,
    files.LINEUPS: LINEUPS,
    files.FINISHED: columns.DESCRIBED,
    files.UPCOMING: columns.DESCRIBED,
}


@pytest.fixture(scope="module")
def good(tmp_path_factory) -> Path:
    """A workspace with everything that the gates look at, all of it sound."""
    root = write_export(tmp_path_factory.mktemp("good"), matches())
    preprocess.main(root)
    featurize.main(root)
    return root


def first(frame: pd.DataFrame, status: str | None = None) -> int:
    """Return the label of the first row of a status; the tenth row where any will do."""
    return int(frame.index[frame["status"] == status][0]) if status else 10


def put(column: str, value: Any, status: str | None = None) -> Spoil:
    """Return what writes a value into one row."""

    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[first(frame, status), column] = value
        return frame

    return spoil


def again(**changes: Any) -> Spoil:
    """Return what adds a row like the tenth but for some values."""

    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        return pd.concat([frame, frame.iloc[[10]].assign(**changes)], ignore_index=True)

    return spoil


def same_team(frame: pd.DataFrame) -> pd.DataFrame:
    frame.loc[10, "away_team_id"] = frame.loc[10, "home_team_id"]
    return frame


def known_at_kickoff(frame: pd.DataFrame) -> pd.DataFrame:
    frame.loc[10, "known_at"] = frame.loc[10, "kickoff_at"]
    return frame


def xg_at_kickoff(frame: pd.DataFrame) -> pd.DataFrame:
    row = frame.index[frame["xg_known_at"].notna()][0]
    frame.loc[row, "xg_known_at"] = frame.loc[row, "kickoff_at"]
    return frame


def xg_without_time(name: str) -> Spoil:
    """Return what removes the time of the xG of one match, and the xG of its other side."""

    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        row = frame.index[frame["xg_known_at"].notna()][0]
        frame.loc[row, [other for other in XG if other != name]] = np.nan
        frame.loc[row, "xg_known_at"] = pd.NaT
        return frame

    return spoil


def as_of_known(frame: pd.DataFrame) -> pd.DataFrame:
    frame.loc[10, "as_of"] = frame.loc[10, "known_at"]
    return frame


def as_of_after_kickoff(frame: pd.DataFrame) -> pd.DataFrame:
    frame.loc[10, "as_of"] = frame.loc[10, "kickoff_at"] + timedelta(seconds=1)
    return frame


NOW = pd.Timestamp(AS_OF)
BEFORE = NOW - pd.Timedelta(days=1)
GOALS = [
    ("home goals lie between 0 and 99", put("home_goals", 100.0)),
    ("away goals lie between 0 and 99", put("away_goals", -1.0)),
]
COUNTS = [(f"{name} lie between 0 and 150", put(name, 151.0)) for name in STATS]

RAW: list[tuple[str, Spoil]] = [
    ("each match is there once", again(kickoff_at=NOW)),
    ("a pairing is not there twice at one time", again(match_id=999_999)),
    ("a team does not play itself", same_team),
    ("the status is a known one", put("status", "halted")),
    ("the precision is minute or date", put("kickoff_precision", "hour")),
    ("the kick-off is a plausible time", put("kickoff_at", pd.Timestamp("1850-01-01", tz="UTC"))),
    ("a result is known after the kick-off", known_at_kickoff),
    ("no result was known after the export's as_of", put("known_at", NOW)),
    ("a finished match has the time when its result was known", put("known_at", pd.NaT)),
    ("a finished match has home goals", put("home_goals", np.nan)),
    ("a finished match has away goals", put("away_goals", np.nan)),
    ("a fixture has no home goals", put("home_goals", 1.0, "scheduled")),
    ("a fixture has no away goals", put("away_goals", 0.0, "scheduled")),
    ("a fixture is after as_of", put("kickoff_at", BEFORE, "scheduled")),
    *GOALS,
    *COUNTS,
    *((f"{name} lies between 0 and 20.0", put(name, 20.5)) for name in XG),
    *((f"{name} has the time when it became known", xg_without_time(name)) for name in XG),
    *((f"a fixture has no {name}", put(name, 1.0, "scheduled")) for name in XG),
    ("expected goals are known after the kick-off", xg_at_kickoff),
    ("no expected goals were known after the export's as_of", put("xg_known_at", NOW)),
    ("the level lies between 0 and 20", put("level", 21)),
]

FINISHED: list[tuple[str, Spoil]] = [
    ("each match is there once", again()),
    ("only finished matches", put("status", "awarded")),
    ("home goals are there", put("home_goals", np.nan)),
    ("away goals are there", put("away_goals", np.nan)),
    ("the moment of the result is there", put("known_at", pd.NaT)),
    ("a match is forecast before its result is known", as_of_known),
    ("a match is forecast not later than its kick-off", as_of_after_kickoff),
    ("every result was known before the export's as_of", put("known_at", NOW)),
]

UPCOMING: list[tuple[str, Spoil]] = [
    ("each fixture is there once", again()),
    ("only scheduled matches", put("status", "live")),
    ("a fixture is after the export's as_of", put("kickoff_at", BEFORE)),
    ("a fixture is forecast not before the export's as_of", put("as_of", BEFORE)),
    ("a fixture is forecast not later than its kick-off", as_of_after_kickoff),
    *(
        (f"a fixture has no {name}", put(name, BEFORE if name.endswith("known_at") else 2.0))
        for name in ("home_goals", "away_goals", "known_at", *STATS, *XG, "xg_known_at")
    ),
]

ODDS_ROWS: list[tuple[str, Spoil]] = [
    ("a price is there once", again()),
    ("the moment is opening or closing", put("moment", "later")),
    *((f"the {outcome} price lies above 1", put(outcome, 1.0)) for outcome in ("home", "draw", "away")),
    ("the inverse prices of a line sum to 0.7 to 2.0", put("home", 0.5)),
]

LINEUP_ROWS: list[tuple[str, Spoil]] = [
    ("a player is there once in a part of a match", again()),
    ("the side is home or away", put("side", "left")),
    ("the role is a known one", put("role", "ball boy")),
    ("no line-up was known after the export's as_of", put("known_at", NOW)),
]


def times_24(column: str) -> Spoil:
    """Return what gives a feature of the latest results in another unit, as hours are for days."""

    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[frame[frame["outcome"].notna()].nlargest(50, "as_of").index, column] *= 24
        return frame

    return spoil


def feature_rows(root: Path) -> list[tuple[str, Spoil]]:
    """Return a bad row for every expectation of the features, by what the catalogue says of their units."""
    catalogue = files.read_catalogue(root)
    name_of = {row["unit"]: row["name"] for row in catalogue}
    rows: list[tuple[str, Spoil]] = [
        ("each match is there once", again()),
        ("the outcome is 0, 1 or 2", put("outcome", 3)),
        *((f"{row['name']} is there", put(row["name"], np.nan)) for row in catalogue if row["unit"] == "probability"),
        ("no feature is in other units than before", times_24("elo_diff")),
    ]
    for unit, name in name_of.items():
        rows += [(f"no {unit} is too small", put(name, -np.inf)), (f"no {unit} is too large", put(name, np.inf))]
    return rows


@dataclass(frozen=True)
class Outcome:
    """What a gate did with spoiled rows."""

    status: int
    result: dict[str, Any]
    frame: pd.DataFrame


@pytest.fixture
def spoiled(good, tmp_path, monkeypatch) -> Callable[..., Outcome]:
    """A function that runs a gate, with one of its expectations alone, on a copy of one file with a bad row."""
    subjects_of = validate.subjects_of

    def run(gate: str, path: Path, name: str, spoil: Spoil) -> Outcome:
        root = Path(shutil.copytree(good, tmp_path / "root", dirs_exist_ok=True))
        frame = spoil(pd.read_parquet(root / path))
        names = tuple(column for column in frame if column not in KEYS.names)
        features = columns.features(names) if path == files.FEATURES else None
        files.write_frame(root / path, frame, SCHEMAS.get(path, features))

        def one(gate: str, root: Path) -> list[expectations.Subject]:
            here = next(subject for subject in subjects_of(gate, root) if subject.path == path)
            return [replace(here, checks=[check for check in here.checks if check.name == name])]

        monkeypatch.setattr(validate, "subjects_of", one)
        status = validate.main([gate], root)
        return Outcome(status, files.read_json(root / files.VALIDATION / f"{gate}.json"), frame)

    return run


@pytest.mark.parametrize("gate", validate.GATES)
def test_sound_files_pass(gate, good, tmp_path):
    root = Path(shutil.copytree(good, tmp_path / "root"))
    assert validate.main([gate], root) == 0
    result = files.read_json(root / files.VALIDATION / f"{gate}.json")
    assert result["passed"] is True
    assert result["broken"] == []


LEAST_ROWS = 200
"""What params.yaml asks for."""

CASES = [
    *(("raw", files.MATCHES, *case) for case in RAW),
    *(("raw", files.ODDS, *case) for case in ODDS_ROWS),
    *(("raw", files.LINEUPS, *case) for case in LINEUP_ROWS),
    *(("finished", files.FINISHED, *case) for case in FINISHED),
    *(("upcoming", files.UPCOMING, *case) for case in UPCOMING),
]


def assert_names_the_row(capsys, outcome: Outcome, name: str, path: Path) -> None:
    assert outcome.status == 1
    (verdict,) = outcome.result["broken"]
    assert (verdict["name"], verdict["file"]) == (name, path.as_posix())
    ids = {row["match_id"] for row in verdict["rows"]}
    assert ids
    assert ids <= set(outcome.frame["match_id"])
    printed = capsys.readouterr().out
    assert f"FAILED {path.as_posix()}: {name}" in printed
    assert all(f"match_id={identity}" in printed for identity in ids)


@pytest.mark.parametrize(("gate", "path", "name", "spoil"), CASES, ids=[f"{case[0]}: {case[2]}" for case in CASES])
def test_a_bad_row_stops_the_gate_and_is_named(gate, path, name, spoil, spoiled, capsys):
    assert_names_the_row(capsys, spoiled(gate, path, name, spoil), name, path)


def test_a_bad_feature_stops_the_gate_and_is_named(good, spoiled, capsys):
    for name, spoil in feature_rows(good):
        assert_names_the_row(capsys, spoiled("features", files.FEATURES, name, spoil), name, files.FEATURES)


@pytest.mark.parametrize(("world", "status"), [("real", 1), ("sandbox", 0)])
def test_rest_days_in_hours_stop_the_real_world_while_the_sandbox_changes_its_pace(
    good, tmp_path, world, status, capsys
):
    root = Path(shutil.copytree(good, tmp_path / "root"))
    replace(files.RawManifest.read(root), world=world).write(root / files.MANIFEST)
    frame = times_24("rest_home")(pd.read_parquet(root / files.FEATURES))
    names = tuple(name for name in frame if name not in KEYS.names)
    files.write_frame(root / files.FEATURES, frame, columns.features(names))
    assert validate.main(["features"], root) == status
    assert ("in other units=rest_home " in capsys.readouterr().out) == (status == 1)


@pytest.mark.parametrize("factor", [1 / 1000, 1 / 100, 10, 24, 60, 100])
def test_a_unit_that_changes_by_any_usual_factor_is_seen_in_nearly_all_features_that_have_values(
    good, tmp_path, factor
):
    """In the frame that the gate looks at: for the latest results all columns at once, and none of the fixtures."""
    catalogue, frame = files.read_catalogue(good), pd.read_parquet(good / files.FEATURES)
    names = [row["name"] for row in catalogue if row["name"] in frame]
    latest = frame[frame["outcome"].notna()].nlargest(43, "as_of").index
    are_told = frame[names].fillna(0) != 0
    counted = are_told.columns[(are_told.mean() > 0.7) & (are_told.loc[latest].sum() >= 20)]
    frame.loc[latest, names] *= factor
    files.write_frame(tmp_path / "features.parquet", frame, columns.features(tuple(names)))
    found = expectations.ranges(tmp_path / "features.parquet", [row for row in catalogue if row["name"] in names])
    told = found[expectations.OTHER_UNITS].dropna()
    assert told.index.isin(latest).all()
    assert told.nunique() == 1
    seen = {words.split()[0] for words in told.iloc[0].split("; ")}
    assert len(counted) > 100
    # Counts that began at 0 a few windows ago may be anything.
    assert len(seen.intersection(counted)) > 0.9 * len(counted)


@pytest.mark.parametrize(
    ("gate", "path", "name", "rows"),
    [
        ("raw", files.MATCHES, "there are matches", 0),
        ("raw", files.MATCHES, "there are as many matches as were exported", 50),
        ("raw", files.ODDS, "there are as many prices as were exported", 50),
        ("raw", files.LINEUPS, "there are as many players as were exported", 50),
        ("finished", files.FINISHED, f"there are at least {LEAST_ROWS} matches", LEAST_ROWS - 1),
        ("features", files.FEATURES, "there is a row for each match", 50),
    ],
)
def test_too_few_rows_stop_the_gate_although_no_row_is_at_fault(gate, path, name, rows, spoiled, capsys):
    outcome = spoiled(gate, path, name, lambda frame: frame.iloc[:rows])
    assert (outcome.status, outcome.result["broken"][0]["observed"]) == (1, rows)
    assert f"{name}: observed {rows}" in capsys.readouterr().out


def test_every_expectation_has_a_bad_row_in_these_tests(good):
    tried = {(gate, path.as_posix(), name) for gate, path, name, _ in CASES}
    tried |= {("features", files.FEATURES.as_posix(), name) for name, _ in feature_rows(good)}
    counts = {"there are matches", f"there are at least {LEAST_ROWS} matches", "there is a row for each match"}
    counts |= {f"there are as many {what} as were exported" for what in ("matches", "prices", "players")}
    declared = {
        (gate, subject.path.as_posix(), check.name)
        for gate in validate.GATES
        for subject in validate.subjects_of(gate, good)
        for check in subject.checks
        # Those of rows against other rows have their own tests: test_data_faults.py.
        if check.name not in counts and check.name not in batch_checks.CHECKS
    }
    assert declared == tried


def test_a_gate_shows_twenty_rows_of_many_and_counts_the_rest(spoiled, capsys):
    def spoil(frame: pd.DataFrame) -> pd.DataFrame:
        frame.loc[:29, "home_goals"] = 120.0
        return frame

    verdict = spoiled("raw", files.MATCHES, "home goals lie between 0 and 99", spoil).result["broken"][0]
    assert (verdict["count"], len(verdict["rows"])) == (30, 20)
    assert {"match_id", "home_goals", "home_team", "away_team", "kickoff_at"} <= set(verdict["rows"][0])
    assert "; and 10 more" in capsys.readouterr().out


def test_two_gates_are_both_run_though_the_first_one_fails(good, tmp_path):
    root = Path(shutil.copytree(good, tmp_path / "root"))
    for path, name in ((files.FINISHED, "status"), (files.UPCOMING, "status")):
        frame = pd.read_parquet(root / path)
        frame.loc[0, name] = "halted"
        files.write_frame(root / path, frame, SCHEMAS[path])
    assert validate.main(["finished", "upcoming"], root) == 1
    for gate in ("finished", "upcoming"):
        assert len(files.read_json(root / files.VALIDATION / f"{gate}.json")["broken"]) == 1


def test_an_unknown_gate_is_refused(capsys):
    assert validate.main(["doors"]) == 2
    assert "there are raw, finished, upcoming, features" in capsys.readouterr().out


def test_a_unit_without_bounds_of_its_own_must_be_finite():
    checks = expectations.features(["furlongs"], [], 1)[0].checks
    check = next(check for check in checks if check.name == "no furlongs is too large")
    assert check.expectation.max_value == expectations.WIDEST[1]
