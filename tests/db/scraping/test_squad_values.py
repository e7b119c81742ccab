"""Squad values enter from tables, under teams that are stored already."""

from __future__ import annotations

from datetime import UTC, date, datetime
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command

from apps.matches.models import SquadValue, Team
from apps.matches.services import merge_teams, undo_merge
from tests.factories import IngestFactory, RegionFactory, TeamAliasFactory, TeamFactory

pytestmark = pytest.mark.django_db

NOW = datetime(2024, 7, 1, tzinfo=UTC)
HEADER = "region,team,known_on,value_eur,squad_size"


@pytest.fixture
def teams():
    england, scotland = RegionFactory(name="England"), RegionFactory(name="Scotland")
    return {
        "Arsenal": TeamFactory(region=england, name="Arsenal"),
        "Wolves": TeamFactory(region=england, name="Wolves"),
        "Town": TeamFactory(region=england, name="Town"),
        "Town in Scotland": TeamFactory(region=scotland, name="Town"),
    }


def run(folder: Path, *rows: str, header: str = HEADER, **options: str) -> str:
    file, out = folder / "values.csv", StringIO()
    file.write_text("\n".join((header, *rows)) + "\n", encoding="utf-8")
    try:
        call_command("import_squad_values", str(file), stdout=out, **options)
    except CommandError as error:
        return f"{out.getvalue()}{error}"
    return out.getvalue()


def stored():
    return sorted(SquadValue.objects.values_list("team__name", "known_on", "value_eur", "squad_size"))


def test_values_are_stored_once_and_corrected_where_they_differ(tmp_path, teams):
    rows = "England,Arsenal,2023-08-01,1000000,25", "England,Arsenal,2023-09-01,1100000,"
    assert run(tmp_path, *rows).strip() == ("values.csv: 2 created, 0 changed, 0 same, 0 refused, 0 of unknown teams")
    assert "0 created, 0 changed, 2 same" in run(tmp_path, *rows)
    assert "0 created, 1 changed, 0 same" in run(tmp_path, "England,Arsenal,2023-08-01,1200000,")
    assert stored() == [("Arsenal", date(2023, 8, 1), 1_200_000, 25), ("Arsenal", date(2023, 9, 1), 1_100_000, None)]


def test_sources_keep_values_of_their_own(tmp_path, teams):
    run(tmp_path, "England,Arsenal,2023-08-01,1000000,")
    run(tmp_path, "England,Arsenal,2023-08-01,2000000,", source="somebody")
    assert sorted(SquadValue.objects.values_list("source", "value_eur")) == [
        ("somebody", 2_000_000), ("transfermarkt", 1_000_000)
    ]  # fmt: skip


def test_names_lead_to_stored_teams_and_unknown_ones_are_listed(tmp_path, teams):
    """By the names of a source, by the table of aliases, by the team's own; no team is created."""
    TeamAliasFactory(source="transfermarkt", region=teams["Wolves"].region, name="The Wanderers", team=teams["Wolves"])
    before = Team.objects.count()
    names = "The Wanderers", "Wolverhampton Wanderers", "Wolves", "Dogs", "Dogs"
    rows = [f"England,{name},2023-08-0{day},1," for day, name in enumerate(names, 1)]
    text = run(tmp_path, *rows, names="transfermarkt")
    assert "  Dogs (England): no stored team has this name (2 lines)" in text
    assert "2 lines were not stored; the others are." in text
    assert "The Wanderers (England): no stored team" in run(tmp_path, *rows)
    assert {name for name, *_ in stored()} == {"Wolves"}
    assert (len(stored()), Team.objects.count()) == (3, before)


def test_a_table_without_regions_is_read_where_names_are_clear(tmp_path, teams):
    text = run(tmp_path, "Arsenal,2023-08-01,5", "Town,2023-08-01,6", header="football_data,value_date,value_eur")
    assert "line 3: Town is a team in England, Scotland; add a column region" in text
    assert stored() == [("Arsenal", date(2023, 8, 1), 5, None)]
    run(tmp_path, "SC0,Town,2023-08-01,6", header="div,team,known_on,value_eur")
    assert SquadValue.objects.get(team=teams["Town in Scotland"]).value_eur == 6


@pytest.mark.parametrize(
    ("row", "reason"),
    [
        ("England,Arsenal,01/08/2023,1,", "day '01/08/2023' is not written as 2023-08-01"),
        ("England,Arsenal,,1,", "day '' is not written as 2023-08-01"),
        ("England,Arsenal,2023,1,", "day '2023' is not written as 2023-08-01"),
        ("England,Arsenal,2999-08-01,1,", "2999-08-01 is still to come"),
        ("England,Arsenal,2023-08-01,1.5m,", "value '1.5m' is no whole number of euros"),
        ("England,Arsenal,2023-08-01,,", "value '' is no whole number of euros"),
        ("England,Arsenal,2023-08-01,0,", "a value of 0 euros is none"),
        ("England,Arsenal,2023-08-01,1,0", "a squad of 0 players"),
        ("England,Arsenal,2023-08-01,1,some", "squad 'some' is no whole number of players"),
        ("England,,2023-08-01,1,", "the team needs a name"),
        ("England,Arsenal", "day '' is not written as 2023-08-01"),
    ],
)
def test_a_line_that_cannot_be_used_is_refused_with_its_number(tmp_path, teams, row, reason):
    text = run(tmp_path, "England,Wolves,2023-08-01,9,", row)
    assert f"values.csv, line 3: {reason}" in text
    assert stored() == [("Wolves", date(2023, 8, 1), 9, None)]


def test_two_values_of_one_day_are_refused_two_equal_ones_are_one(tmp_path, teams):
    rows = [f"England,Arsenal,2023-08-01,{value}," for value in (7, 7, 8)]
    assert "line 4: line 2 has another value of this team and day" in run(tmp_path, *rows)
    assert len(stored()) == 1


@pytest.mark.parametrize("header", ["team,value_eur", "known_on,value_eur", "team,known_on,season", ""])
def test_a_table_without_a_column_is_refused_as_a_whole(tmp_path, teams, header):
    assert "is missing" in run(tmp_path, "Arsenal,2023-24,1", header=header)


def test_a_file_that_is_no_table_is_refused(tmp_path):
    (tmp_path / "values.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(CommandError, match="a table of text in UTF-8 is missing"):
        call_command("import_squad_values", str(tmp_path / "values.csv"))
    with pytest.raises(CommandError, match="No such file"):
        call_command("import_squad_values", str(tmp_path / "nowhere.csv"))


def test_values_pass_to_the_team_that_stays_and_back(teams):
    IngestFactory()
    gone, stays = teams["Town"], teams["Arsenal"]
    for team, day, value in ((gone, 1, 5), (gone, 2, 6), (stays, 2, 60), (stays, 3, 70)):
        SquadValue.objects.create(team=team, source="x", known_on=date(2023, 8, day), value_eur=value)
    before = stored()
    done = merge_teams(team_id=gone.pk, into_id=stays.pk, by="ann", reason="one club", now=NOW)
    assert [(team, value) for team, _, value, _ in stored()] == [("Arsenal", 5), ("Arsenal", 60), ("Arsenal", 70)]
    undo_merge(merge_id=done.pk, by="ann", reason="two clubs", now=NOW)
    assert stored() == before
