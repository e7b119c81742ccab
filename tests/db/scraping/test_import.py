"""Files become matches."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.matches.models import Ingest, Match, Odds, Team
from apps.scraping.services import UnknownSourceError, find_files, import_files
from apps.scraping.sources import SOURCES

NOW = datetime(2024, 7, 1, tzinfo=UTC)
HEADER = "Div,Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR,HS,AS,PSCH,PSCD,PSCA"
ROWS = """\
E0,19/08/2023,Arsenal,Chelsea,2,1,H,14,9,1.80,3.90,4.60
E0,26/08/2023,Chelsea,Arsenal,0,0,D,7,12,2.90,3.40,2.50
E0,02/09/2023,Arsenal,Fulham,3,0,H,20,4,1.30,5.75,10.5
"""

pytestmark = pytest.mark.django_db


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    season = tmp_path / "2023-24"
    season.mkdir()
    (season / "E0.csv").write_text(f"{HEADER}\n{ROWS}")
    (season / "notes.txt").write_text("not a file of matches")
    return tmp_path


def command(*arguments: object) -> str:
    out = StringIO()
    call_command("import_matches", *map(str, arguments), stdout=out)
    return out.getvalue()


def test_a_folder_is_searched_and_its_rows_stored(folder):
    report = import_files([folder], source="football-data", now=NOW)
    (file,) = report.files
    assert (file.name, file.created, file.refused, file.error) == ("2023-24/E0.csv", 3, 0, "")
    assert (Match.objects.count(), Odds.objects.count(), Team.objects.count()) == (3, 3, 3)
    assert report.ingest.created == 3


def test_a_second_import_of_the_same_folder_changes_nothing(folder):
    import_files([folder], source="football-data", now=NOW)
    again = import_files([folder], source="football-data", now=NOW)
    assert (again.ingest.created, again.ingest.changed, again.ingest.same) == (0, 0, 3)
    assert not Ingest.objects.get(pk=again.ingest.ingest_id).changed_facts


def test_a_file_named_twice_is_read_once(folder):
    file = folder / "2023-24" / "E0.csv"
    report = import_files([folder, file, folder / "2023-24"], source="football-data", now=NOW)
    assert len(report.files) == 1


def test_files_that_cannot_be_read_are_named_and_the_others_go_in(folder):
    (folder / "2023-24" / "E1.csv").write_bytes(b"\x89PNG\r\n\x1a\n\x00\x00")
    (folder / "2023-24" / "E2.csv").write_text("")
    (folder / "2023-24" / "SP1.csv").mkdir()
    report = import_files([folder, folder / "nowhere"], source="football-data", now=NOW)
    errors = {file.name.removeprefix(str(folder)): file.error for file in report.failed}
    assert set(errors) == {"2023-24/E1.csv", "2023-24/E2.csv", "/nowhere"}
    assert errors["/nowhere"] == "there is no such file or folder; check the path"
    assert "is it really a file of football-data?" in errors["2023-24/E1.csv"]
    assert Match.objects.count() == 3


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_file_without_permission_says_so(folder):
    (folder / "2023-24" / "E0.csv").chmod(0)
    report = import_files([folder], source="football-data", now=NOW)
    assert "check its permissions" in report.failed[0].error


def test_refused_rows_keep_their_line_and_their_reason(folder):
    file = folder / "2023-24" / "E0.csv"
    file.write_text(file.read_text() + "E0,someday,Arsenal,Leeds,1,0,H,,,,,\nE0,09/09/2023,Arsenal,Leeds,1,0,A,,,,,\n")
    report = import_files([folder], source="football-data", now=NOW)
    (told,) = report.files
    assert (told.created, told.refused) == (3, 2)
    assert [refusal.line for refusal in told.refusals] == [5, 6]
    stored = Ingest.objects.get(pk=report.ingest.ingest_id)
    assert stored.refused == 2
    assert stored.refusals[0]["record"].startswith("2023-24/E0.csv, line 5: E0,someday")


def test_a_contradiction_of_two_sources_is_told_with_the_file(folder):
    import_files([folder], source="football-data", now=NOW)
    other = folder / "2023-24" / "en.1.json"
    match = {"round": "Matchday 2", "date": "2023-08-19", "team1": "Arsenal FC", "team2": "Chelsea FC"}
    other.write_text(
        json.dumps({"name": "English Premier League 2023/24", "matches": [match | {"score": {"ft": [2, 2]}}]})
    )
    report = import_files([folder], source="openfootball", now=NOW)
    (told,) = report.files
    assert told.refused == 1
    assert told.refusals[0].reason == "openfootball reports 2–2, football-data has reported 2–1"
    other.write_text(
        json.dumps({"name": "English Premier League 2023/24", "matches": [match | {"score": {"ft": [2, 1]}}]})
    )
    assert import_files([folder], source="openfootball", now=NOW).ingest.refused == 0
    assert Match.objects.count() == 3


def test_a_folder_without_files_of_the_source_says_what_to_do(folder):
    (found,) = find_files([folder], SOURCES["openfootball"])
    assert "name the folder that holds its seasons" in found.error
    (found,) = find_files([folder / "2023-24" / "notes.txt"], SOURCES["football-data"])
    assert "check --source" in found.error


def test_an_unknown_source_is_named(folder):
    with pytest.raises(UnknownSourceError, match="there are football-data, openfootball, understat"):
        import_files([folder], source="teletext", now=NOW)


def test_progress_is_told_file_by_file(folder):
    (folder / "2023-24" / "E1.csv").write_text("nothing")
    told = []
    import_files(
        [folder],
        source="football-data",
        now=NOW,
        on_start=lambda files: told.append(files),
        on_file=lambda report: told.append(report.name),
    )
    assert told[0] == 2
    assert sorted(told[1:]) == ["2023-24/E0.csv", "2023-24/E1.csv"]


# ── The command ──────────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_command_tells_files_rows_and_totals(folder):
    text = command(folder, "--source", "football-data")
    assert "2023-24/E0.csv" in text
    assert text.rstrip().endswith("3 created, 0 changed, 0 same, 0 refused")


def test_the_command_answers_in_json_with_the_totals_at_the_end(folder):
    answer = json.loads(command(folder, "--source", "football-data", "--json"))
    assert list(answer)[-1] == "totals"
    assert answer["totals"] == {
        "files": 1, "failed_files": 0, "created": 3, "changed": 0, "same": 0, "refused": 0
    }  # fmt: skip
    assert answer["files"][0]["name"] == "2023-24/E0.csv"


def test_the_command_lists_refused_rows(folder):
    file = folder / "2023-24" / "E0.csv"
    file.write_text(file.read_text() + "E0,someday,Arsenal,Leeds,1,0,H,,,,,\n")
    text = command(folder, "--source", "football-data")
    assert "2023-24/E0.csv, line 5: date 'someday' cannot be read | E0,someday" in text


def test_the_command_fails_after_it_has_stored_what_it_could(folder):
    with pytest.raises(CommandError, match="1 of 2 files could not be read; the others are stored"):
        command(folder, folder / "nowhere", "--source", "football-data")
    assert Match.objects.count() == 3


# ── Real files ───────────────────────────────────────────────────────────────────────────────────────────────────────
def real_data() -> Path:
    folder = os.environ.get("SPAI_REAL_DATA")
    if not folder:
        pytest.skip("SPAI_REAL_DATA names no folder of real files")
    return Path(folder)


@pytest.mark.real_data
def test_real_seasons_of_both_sources_are_stored_once():
    root = real_data()
    first = import_files([root / "football-data" / "2018-19"], source="football-data", now=NOW)
    assert (first.ingest.created, first.ingest.refused, first.failed) == (7690, 0, ())
    names = ["en.1.json", "es.1.json", "de.1.json", "it.1.json", "fr.1.json", "sco.1.json"]
    files = [root / "openfootball" / "2018-19" / name for name in names]
    other = import_files(files, source="openfootball", now=NOW)
    # Every match of the five leagues and of Scotland, whose pairs meet twice at home, is one that is there.
    assert (other.ingest.created, other.ingest.refused) == (0, 0)
    assert Match.objects.count() == 7690
    for paths, source in (([root / "football-data" / "2018-19"], "football-data"), (files, "openfootball")):
        again = import_files(paths, source=source, now=NOW)
        assert (again.ingest.created, again.ingest.changed, again.ingest.refused) == (0, 0, 0)


@pytest.mark.real_data
def test_champions_of_real_seasons_are_known():
    """Champions, points and goal differences of the leagues' own final tables; two were decided between level teams."""
    from apps.matches.models import Season
    from apps.matches.selectors import league_table

    root = real_data() / "football-data"
    known = {
        # Level on 76 points: the matches between them went to Madrid, Barcelona's goal difference was better by 19.
        ("2006-07", "SP1"): [("Real Madrid", 76, 26), ("Barcelona", 76, 45), ("Sevilla", 71, 29)],
        # Level on 89 points: goal difference.
        ("2011-12", "E0"): [("Man City", 89, 64), ("Man United", 89, 56), ("Arsenal", 70, 25)],
        # Two points for a win.
        ("1994-95", "D1"): [("Dortmund", 49, 34), ("Werder Bremen", 48, 31), ("Freiburg", 46, 22)],
    }
    for (label, division), expected in known.items():
        import_files([root / label / f"{division}.csv"], source="football-data", now=NOW)
        season = Season.objects.select_related("competition__region").get(label=label)
        table = league_table(season)
        assert [(row.team.name, row.points, row.goal_difference) for row in table[:3]] == expected
        assert len(table) == (18 if division == "D1" else 20)


@pytest.mark.real_data
def test_points_of_real_seasons_are_those_that_the_leagues_gave():
    """Points of the leagues' own final tables, after deductions, appeals and a verdict."""
    from apps.matches.models import Season
    from apps.matches.selectors import league_table
    from apps.scraping.sources.competitions import DIVISIONS

    root = real_data() / "football-data"
    known = {
        ("2023-24", "E0"): {"Everton": 40, "Nott'm Forest": 32, "Man City": 91},
        ("2008-09", "E3"): {"Luton": 26, "Bournemouth": 46, "Rotherham": 58, "Darlington": 62},
        ("2006-07", "I1"): {"Lazio": 62, "Milan": 61, "Fiorentina": 58, "Reggina": 40, "Siena": 40},
        ("2006-07", "I2"): {"Juventus": 85},
        ("2020-21", "I1"): {"Napoli": 77, "Roma": 62, "Verona": 45},
        ("2022-23", "I1"): {"Juventus": 62},
        ("2022-23", "E1"): {"Wigan": 39, "Reading": 44},
        ("2014-15", "I1"): {"Parma": 19},
        ("2010-11", "I1"): {"Bologna": 42},
        ("1999-00", "D1"): {"Ein Frankfurt": 39},
        ("2013-14", "E3"): {"AFC Wimbledon": 53},
    }
    for (label, division), expected in known.items():
        file = root / label / f"{division}.csv"
        import_files([file], source="football-data", now=NOW)
        league = DIVISIONS[division]
        season = Season.objects.get(label=label, competition__name=league.name, competition__region__name=league.region)
        points = {row.team.name: row.points for row in league_table(season)}
        assert {name: points.get(name) for name in expected} == expected, file
