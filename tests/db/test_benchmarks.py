"""Benchmarks on a fresh checkout: they need no stack, and they name what they refuse of the files that they read."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from benchmarks.report import Refusal, folder_of, print_refused
from spai.stack import temporary

ROOT = Path(__file__).resolve().parents[2]
HEAD = "Div,Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR\n"
ROWS = "E0,11/08/2023,Burnley,Man City,0,3,A\nE0,31/02/2024,Arsenal,Nott'm Forest,2,1,H\n"
REFUSED_FILE = "2022-23/E0.csv, the whole file: "
REFUSED_ROW = "2023-24/E0.csv, line 3: "


@pytest.fixture
def files(tmp_path) -> Path:
    """A file with one row that is refused, and a file that is refused as a whole."""
    for season, content in (("2023-24", HEAD + ROWS), ("2022-23", "a,b\n1,2\n")):
        (tmp_path / season).mkdir()
        (tmp_path / season / "E0.csv").write_text(content)
    return tmp_path


def run(name: str, *arguments: object) -> tuple[int, str, str]:
    """Run a benchmark from a shell that knows of no stack."""
    environment = temporary.without_stack(os.environ) | {"SPAI_VAR_DIR": "/nonexistent", "SPAI_ENV_FILE": ""}
    command = [sys.executable, "-m", f"benchmarks.{name}", *map(str, arguments)]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr


@pytest.mark.benchmarks
def test_an_import_is_measured_without_a_stack_and_what_it_refused_is_named(files, tmp_path):
    document = tmp_path / "ingest.json"
    code, said, errors = run("ingest", "--data", files, "--json", document)
    assert code == 0, errors
    assert "refused: 1 of 2 files, and 1 rows of 1 others" in said
    assert REFUSED_FILE in said
    assert REFUSED_ROW in said
    told = json.loads(document.read_text())
    assert [(row["file"], row["line"]) for row in told["refused"]] == [("2022-23/E0.csv", 0), ("2023-24/E0.csv", 3)]
    assert all(row["reason"] for row in told["refused"])
    counts = {measure["name"]: measure["value"] for measure in told["measures"]}
    assert (counts["files refused"], counts["rows refused"], counts["matches stored"]) == (1, 1, 1)


@pytest.mark.benchmarks
def test_what_is_refused_is_named_before_seasons_are_chosen(files):
    code, said, errors = run("forecast_quality", "--data", files, "--test-from", "2020-21", "--test-to", "2020-21")
    assert code == 1
    assert REFUSED_FILE in said
    assert REFUSED_ROW in said
    assert errors.splitlines()[-1] == "no match of the seasons 2020 to 2020: the files hold 2023-24 to 2023-24"


@pytest.mark.benchmarks
@pytest.mark.parametrize("name", ["pipeline", "season_quality"])
def test_files_of_which_none_can_be_read_are_named_and_end_it(files, name):
    (files / "2023-24" / "E0.csv").unlink()
    code, said, errors = run(name, "--data", files)
    assert code == 1
    assert "refused: 1 of 1 files, and 0 rows of 0 others" in said
    assert REFUSED_FILE in said
    assert errors.strip().endswith("that could be read")


SMALL: dict[str, str] = {
    "drift": "--draws 10 --weeks 1",
    "fall_back": "20",
    "features": "--matches 100000",
    "fixtures": "--fixtures 50",
    "jobs": "--jobs 12 --kills 1",
    "operating": "--matches 15200",
    "push": "--clients 20 --forecasts 3 --fault-clients 8 --fault-events 300 --cuts 2 --kept 5000 --waiting 20",
    "push_in": "",
    "releases": "--rounds 1",
    "scale": "--matches 100000",
    "season": "--seasons 200",
    "serving_lists": "--seconds 1",
    "serving_single": "--matches 400 --seconds 0.3",
    "throttle": "",
}
"""Benchmarks that need no files, no running stack and no browser: the arguments of a small one."""


@pytest.mark.each_benchmark
@pytest.mark.parametrize("name", SMALL)
def test_a_small_benchmark_ends_with_a_table(name, monkeypatch):
    monkeypatch.delenv("SPAI_REAL_DATA", raising=False)
    code, said, errors = run(name, *SMALL[name].split())
    assert code == 0, errors
    assert ("fell back" if name == "fall_back" else "processors, load") in said


@pytest.mark.parametrize("name", ["ingest", "queries", "forecast_quality", "season_quality"])
def test_without_files_a_benchmark_says_in_one_line_what_it_needs(name, monkeypatch):
    monkeypatch.delenv("SPAI_REAL_DATA", raising=False)
    assert run(name)[0::2] == (1, "there is nothing to measure with: give --data DIR, or set SPAI_REAL_DATA\n")


def test_a_folder_without_files_is_named(tmp_path):
    with pytest.raises(SystemExit, match=f"{tmp_path} holds no csv files"):
        folder_of(str(tmp_path))


def test_each_refusal_has_its_line(capsys):
    print_refused([Refusal("a/E0.csv", 0, "column Date is missing"), Refusal("b/E0.csv", 7, "no date", "x,y")], 3)
    assert capsys.readouterr().out.splitlines() == [
        "refused: 1 of 3 files, and 1 rows of 1 others",
        "  a/E0.csv, the whole file: column Date is missing",
        "  b/E0.csv, line 7: no date | x,y",
    ]


def test_what_a_stack_takes_is_not_measured_where_none_runs():
    assert run("idle")[0::2] == (1, "The stack of this checkout does not run; `make up` starts it.\n")
