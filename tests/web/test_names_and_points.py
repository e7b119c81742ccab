"""One name per club on pages and in REST, and the footnotes of tables."""

from __future__ import annotations

from datetime import date

import pytest

from apps.matches.clubs import club_of
from apps.matches.models import AwardedResult, Match, PointsAdjustment, Region, Team
from tests.factories import CompetitionFactory, TeamFactory
from tests.web.conftest import NOON
from tests.web.test_api import problem_of
from tests.web.test_pages import HTMX, text_of

pytestmark = pytest.mark.django_db
LEAGUE = "/competitions/england-premier-league/"
REST_TABLE = "/api/v1/competitions/england-premier-league/table/"


@pytest.fixture
def season(build):
    """Manchester United 2–1 Nottingham Forest, from which four points were taken in March 2024."""
    season = build.season("Premier League", simulated=False, label="2023-24")
    build.match("Man United", "Nott'm Forest", season=season, goals=(2, 1))
    for team in Team.objects.all():
        Team.objects.filter(pk=team.pk).update(**club_of("England", team.name)._asdict())
    PointsAdjustment.objects.create(
        season=season,
        team=Team.objects.get(name="Nott'm Forest"),
        points=-4,
        decided_on=date(2024, 3, 18),
        reason="Breach of the financial rules",
        source="Independent commission",
        recorded_at=NOON,
    )
    return season


def test_the_table_shows_points_with_deductions_and_says_why(client, season):
    page = client.get(LEAGUE).content.decode()
    text = text_of(client.get(LEAGUE))
    assert "Nottingham Forest L 1 −1 −4 †" in text
    assert (
        "† Nottingham Forest: −4 points, decided on 18 March 2024: Breach of the financial rules. "
        "Source: Independent commission." in text
    )
    assert 'href="#deduction"' in page


def test_the_table_says_which_results_are_verdicts(client, season):
    Match.objects.update(status=Match.Status.AWARDED)
    text = text_of(client.get(LEAGUE))
    assert "Manchester United W 1 +1 3" in text
    assert "Awarded: Manchester United 2–1 Nottingham Forest" in text


def test_a_table_without_decisions_has_no_footnotes(client, build):
    build.match("Northgate", "Old Mill")
    assert 'id="deduction"' not in client.get("/competitions/aldermark-crown-league/").content.decode()


def test_the_table_says_which_results_a_league_set(client, season):
    match = Match.objects.get()
    AwardedResult.objects.create(
        season=season,
        home_team=match.home_team,
        away_team=match.away_team,
        played_on=match.kickoff_at.date(),
        home_goals=0,
        away_goals=3,
        decided_on=date(2024, 3, 18),
        reason="An ineligible player",
        source="The league",
        recorded_at=NOON,
    )
    text = text_of(client.get(LEAGUE))
    assert "Manchester United L 1 −3 0" in text
    assert "Awarded: Manchester United 0–3 Nottingham Forest of" in text
    assert "An ineligible player. Source: The league." in text
    (verdict,) = client.get(REST_TABLE).json()["awarded_results"]
    assert (verdict["away_team"]["code"], verdict["away_goals"], verdict["decided_on"]) == ("NFO", 3, "2024-03-18")


def test_rest_has_the_table_and_its_footnotes(client, season):
    answer = client.get(REST_TABLE, {"season": "2023-24"}).json()
    first, second = answer["standings"]
    assert (first["team"]["display_name"], first["points"], first["place"]) == ("Manchester United", 3, 1)
    assert (second["team"]["code"], second["points"], second["goal_difference"]) == ("NFO", -4, -1)
    (decision,) = answer["adjustments"]
    assert (decision["points"], decision["decided_on"], decision["known_at"]) == (
        -4,
        "2024-03-18",
        "2024-03-19T00:00:00Z",
    )
    assert answer["as_of"] is None
    assert answer["awarded"] == []


def test_rest_has_the_table_as_of_a_moment(client, season):
    answer = client.get(REST_TABLE, {"as_of": "2024-03-18T12:00:00Z"}).json()
    assert answer["adjustments"] == []
    assert {row["points"] for row in answer["standings"]} == {0}
    problem_of(client.get(REST_TABLE, {"as_of": "soon"}), 400)


def test_a_table_that_is_not_there_is_a_problem(client, season):
    problem_of(client.get("/api/v1/competitions/nowhere/table/"), 404)
    problem_of(client.get(REST_TABLE, {"season": "1901"}), 404)


@pytest.mark.parametrize("text", ["man utd", "MANCHESTER", "red devils", "mun"])
def test_pages_and_rest_find_a_club_by_what_people_call_it(client, season, text):
    page = client.get("/search/", {"q": text, "world": "real"}, headers=HTMX).content.decode()
    assert "Manchester United" in page
    (found,) = client.get("/api/v1/teams/", {"q": text, "world": "real"}).json()["results"]
    assert client.get(found["url"]).json() == found
    assert {name: value for name, value in found.items() if name not in ("id", "url")} == {
        "slug": "man-united",
        "name": "Man United",
        "display_name": "Manchester United",
        "code": "MUN",
        "colours": ["#da291c", "#ffffff"],
        "full_name": "Manchester United Football Club",
        "other_names": ["Man Utd", "Manchester Utd", "United", "Red Devils", "MUFC"],
        "region": "England",
    }


def test_rest_lists_clubs_by_slug_and_finds_those_of_one_world(client, season):
    problem_of(client.get("/api/v1/teams/?q="), 400)
    assert client.get("/api/v1/teams/", {"q": "man utd", "world": "sandbox"}).json()["results"] == []
    slugs = [team["slug"] for team in client.get("/api/v1/teams/", {"world": "real"}).json()["results"]]
    assert "man-united" in slugs
    assert slugs == sorted(slugs)


def test_a_club_of_a_country_is_found_however_many_other_countries_have_one_of_the_name(client, season):
    abroad = Region.objects.create(name="Wales")
    TeamFactory(region=abroad, name="Vale Rovers")
    for number in range(25):
        TeamFactory(region=season.competition.region, name=f"Rovers {number}")
    CompetitionFactory(region=abroad, is_simulated=False)
    found = client.get("/api/v1/teams/", {"q": "rovers", "world": "real", "region": "Wales"}).json()["results"]
    assert [team["name"] for team in found] == ["Vale Rovers"]


def test_every_page_shows_the_one_name_of_a_club(client, season):
    match = Match.objects.get()
    for address in (
        f"/matches/{match.pk}/",
        LEAGUE,
        "/teams/man-united/",
        f"/?day={match.kickoff_at:%Y-%m-%d}&world=real",
    ):
        text = text_of(client.get(address))
        assert "Manchester United" in text, address
        assert "Man United" not in text.replace("Man Utd", ""), address
    assert client.get(f"/api/v1/matches/{match.pk}/").json()["home_team"]["display_name"] == "Manchester United"


def test_a_what_if_match_takes_the_names_that_people_type(client, season):
    page = client.get("/what-if/?home=man+utd&away=forest&world=real").content.decode()
    assert 'value="Manchester United"' in page
    assert 'value="Nottingham Forest"' in page
