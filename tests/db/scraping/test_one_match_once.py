"""Files of real shapes in which one match comes twice, or at another time: imported by the command."""

from __future__ import annotations

import json
from io import StringIO

import pytest
from django.core.management import call_command

from apps.matches.models import Contradiction, Match

pytestmark = pytest.mark.django_db


def imported(folder, source):
    out = StringIO()
    call_command("import_matches", str(folder), source=source, json=True, stdout=out)
    return json.loads(out.getvalue())["totals"]


def stored():
    return [
        (f"{match.kickoff_at:%Y-%m-%d %H:%M}", match.status, match.home_goals, match.away_goals)
        for match in Match.objects.order_by("kickoff_at", "id")
    ]


def write(folder, name, text):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return folder


def openfootball(title, *matches):
    keys = ("round", "date", "time", "team1", "team2", "score")
    return json.dumps({"name": title, "matches": [dict(zip(keys, match, strict=True)) for match in matches]})


def test_a_fixture_and_its_result_in_one_folder_are_one_match(tmp_path):
    write(tmp_path, "fixtures.csv", "Div,Date,HomeTeam,AwayTeam\nE0,22/02/86,Aldermoor,Cotswell\n")
    results = [
        "07/09/85,Aldermoor,Birkfell,1,0,H",
        "08/03/86,Aldermoor,Cotswell,3,1,H",
        "15/03/86,Cotswell,Aldermoor,0,0,D",
    ]
    write(tmp_path, "E0.csv", "Div,Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR\n" + "".join(f"E0,{row}\n" for row in results))
    assert imported(tmp_path, "football-data")["refused"] == 0
    assert stored()[1:] == [("1986-03-08 00:00", "finished", 3, 1), ("1986-03-15 00:00", "finished", 0, 0)]
    assert imported(tmp_path, "football-data")["changed"] == 0


def test_a_match_without_a_score_and_its_result_in_one_file_are_one_match(tmp_path):
    text = openfootball(
        "English Premier League 1986/87",
        ("Matchday 31", "1987-03-14", None, "Birkfell FC", "Aldermoor FC", {}),
        ("Matchday 31", "1987-04-22", None, "Birkfell FC", "Aldermoor FC", {"ft": [0, 2]}),
        ("Matchday 38", "1987-05-09", None, "Cotswell FC", "Birkfell FC", {"ft": [1, 1]}),
    )
    write(tmp_path, "1986-87/en.1.json", text)
    assert imported(tmp_path, "openfootball")["created"] == 2
    assert stored()[0] == ("1987-04-22 00:00", "finished", 0, 2)
    again = imported(tmp_path, "openfootball")
    assert (again["created"], again["changed"], again["same"]) == (0, 0, 3)


@pytest.mark.parametrize("goals", [[2, 1], [3, 1]])
@pytest.mark.parametrize(("division", "code"), [("E0", "en.1"), ("E2", "en.3")])
def test_the_result_of_a_pair_four_days_later_is_refused_in_every_league(tmp_path, division, code, goals):
    header = "Div,Date,HomeTeam,AwayTeam,FTHG,FTAG,FTR\n"
    write(tmp_path, f"1/{division}.csv", f"{header}{division},10/09/88,Aldermoor,Birkfell,2,1,H\n")
    write(
        tmp_path,
        f"2/1988-89/{code}.json",
        openfootball("x 1988/89", ("5", "1988-09-14", None, "Aldermoor", "Birkfell", {"ft": goals})),
    )
    imported(tmp_path / "1", "football-data")
    assert imported(tmp_path / "2", "openfootball")["refused"] == 1
    assert stored() == [("1988-09-10 00:00", "finished", 2, 1)]
    assert Contradiction.objects.count() == (goals == [3, 1])


def test_rescheduled_fixtures_have_the_time_of_the_more_trusted_source(tmp_path):
    fixtures = [
        ("19", "2026-12-12", "14:00", "Aldermoor", "Birkfell", {}),
        ("19", "2026-12-12", "14:00", "Cotswell", "Dunmarsh", {}),
    ]
    write(tmp_path, "1/2026-27/en.4.json", openfootball("English League Two 2026/27", *fixtures))
    moved = "E3,12/12/2026,15:00,Aldermoor,Birkfell\nE3,13/12/2026,12:30,Cotswell,Dunmarsh\n"
    write(tmp_path, "2/fixtures.csv", f"Div,Date,Time,HomeTeam,AwayTeam\n{moved}")
    imported(tmp_path / "1", "openfootball")
    assert imported(tmp_path / "2", "football-data")["changed"] == 2
    assert imported(tmp_path / "1", "openfootball")["changed"] == 0
    assert [row[0] for row in stored()] == ["2026-12-12 15:00", "2026-12-13 12:30"]
