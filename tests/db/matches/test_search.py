"""Search finds clubs by the names that people type."""

from __future__ import annotations

import csv

import pytest

from apps.matches import clubs, selectors
from apps.matches.clubs import club_of, plain
from apps.matches.models import Region, Team, TeamAlias
from tests.factories import KICKOFF, TeamFactory

pytestmark = pytest.mark.django_db


@pytest.fixture
def every_club():
    """Every club of the data file, as an import would store it."""
    keys = [key for key in clubs.clubs() if key in _stored_names()]
    regions = {name: Region.objects.create(name=name) for name in {region for region, _ in keys}}
    Team.objects.bulk_create(
        Team(region=regions[region], name=name, slug=f"club-{number}", **club_of(region, name)._asdict())
        for number, (region, name) in enumerate(keys)
    )


def _stored_names() -> set[tuple[str, str]]:
    with clubs.TABLE.open(encoding="utf-8", newline="") as file:
        return {(row["region"], row["name"]) for row in csv.DictReader(file)}


def test_typed_names_find_the_club_that_is_meant_first(every_club):
    wanted = {
        "man utd": "Manchester United",
        "MAN UNITED": "Manchester United",
        "man u": "Manchester United",
        "utd man": "Manchester United",
        "mufc": "Manchester United",
        "man city": "Manchester City",
        "spurs": "Tottenham",
        "psg": "Paris Saint-Germain",
        "paris sg": "Paris Saint-Germain",
        "paris st germain": "Paris Saint-Germain",
        "atletico": "Atlético Madrid",
        "atlético": "Atlético Madrid",
        "wolves": "Wolves",
        "wolverhampton": "Wolves",
        "inter": "Inter",
        "inter milan": "Inter",
        "barca": "Barcelona",
        "Barça": "Barcelona",
        "gladbach": "Borussia Mönchengladbach",
        "m'gladbach": "Borussia Mönchengladbach",
        "moenchengladbach": "Borussia Mönchengladbach",
        "bvb": "Borussia Dortmund",
        "bayern": "Bayern Munich",
        "bayern münchen": "Bayern Munich",
        "koeln": "1. FC Köln",
        "cologne": "1. FC Köln",
        "nottm forest": "Nottingham Forest",
        "notts forest": "Nottingham Forest",
        "sheff wed": "Sheffield Wednesday",
        "brighton and hove": "Brighton",
        "brighton & hove": "Brighton",
        "juve": "Juventus",
        "om": "Marseille",
        "sporting lisbon": "Sporting CP",
        "qpr": "QPR",
        "queens park rangers": "QPR",
        "queen's park rangers": "QPR",
        "besiktas": "Beşiktaş",
        "bodo glimt": "Bodø/Glimt",
        "st pauli": "St. Pauli",
        "dc united": "D.C. United",
        "hibs": "Hibernian",
        "mun": "Manchester United",
        "machester utd": "Manchester United",
        "totenham": "Tottenham",
        "liverpol": "Liverpool",
        "borusia dortmund": "Borussia Dortmund",
        "fenerbache": "Fenerbahçe",
    }
    found = {text: (selectors.search_teams(text) or [None])[0] for text in wanted}
    assert {text: team and team.display_name for text, team in found.items()} == wanted


def test_a_city_finds_all_its_clubs(every_club):
    assert {team.display_name for team in selectors.search_teams("manchester")} == {
        "Manchester City",
        "Manchester United",
    }
    assert {"Real Madrid", "Atlético Madrid", "Rayo Vallecano"} <= {
        team.display_name for team in selectors.search_teams("madrid")
    }


def test_a_name_in_a_source_is_found_without_its_accents():
    team = TeamFactory(name="Velez")
    TeamAlias.objects.create(source="x", region=team.region, name="Vélez Sársfield", team=team, created_at=KICKOFF)
    assert selectors.search_teams("velez sarsfield") == [team]
    assert selectors.search_teams("SARSFIELD") == [team]


def test_words_are_found_in_one_name_or_across_the_names_of_a_club():
    team = TeamFactory(name="Man United", full_name="Manchester United Football Club", other_names="Red Devils")
    assert selectors.search_teams("red manchester") == [team]
    assert selectors.search_teams("red arsenal") == []


def test_what_no_club_is_called_finds_nothing(every_club):
    assert selectors.search_teams("zzyzx") == []
    assert selectors.search_teams("quidditch wanderers of nowhere") == []


@pytest.mark.parametrize("text", ["", " ", "|", "%", "_", "'", "\x00", ".", "-- |"])
def test_a_text_without_a_letter_finds_nothing(text):
    TeamFactory(name="Northgate 1")
    assert selectors.search_teams(text) == []


@pytest.mark.parametrize(
    "name",
    ["Atlético  Madrid", "D.C. United", "Brighton & Hove", "İstanbul Başakşehir", "Łódź – ŁKS (1908)", "Œuf ß Æ"],
)
def test_postgresql_writes_names_as_python_does(name):
    assert Team.objects.get(pk=TeamFactory(name=name).pk).search_text == f"| {plain(name)} | | | | |"
