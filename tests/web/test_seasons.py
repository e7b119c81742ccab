"""How seasons may end, and matches that nobody plays: their pages and their REST."""

from __future__ import annotations

import re
from datetime import timedelta
from html import unescape

import pytest

from apps.matches.models import Competition, Match, Region, Team
from tests.web.test_api import problem_of
from tests.web.test_pages import HTMX, text_of

LEAGUE = "/competitions/aldermark-crown-league/"
REST_END = "/api/v1/competitions/aldermark-crown-league/season-forecast/"
WHAT_IF = "/what-if/"
REST_WHAT_IF = "/api/v1/what-if/"
CLUBS = ["Northgate", "Old Mill", "Lakeside"]


@pytest.fixture
def ended(build, champion):
    season = build.season()
    build.match("Northgate", "Old Mill", season=season)
    return build.season_end(season, champion, CLUBS)


@pytest.fixture
def clubs(build, champion):
    """Two clubs of one league, one of the second, one abroad, one of the real world, and one that nobody plays."""
    build.match("Northgate", "Old Mill")
    build.match("Redfield", "Kingsmoor", season=build.season("Shield League"))
    build.match("Leeds", "Hull", season=build.season("Premier League", simulated=False))
    build.team("Nobody", region=build.season().competition.region)


class TestTheEndOfASeason:
    def test_it_carries_no_inline_style(self, client, ended):
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", client.get(LEAGUE).content.decode())

    def test_programs_get_the_same_numbers(self, client, ended):
        body = client.get(REST_END).json()
        assert (body["competition"]["slug"], body["season"]) == ("aldermark-crown-league", "2026-27")
        assert body["clubs"][0]["team"] == {
            "id": Team.objects.get(slug="northgate").pk,
            "slug": "northgate",
            "name": "Northgate",
            "display_name": "Northgate",
            "code": "NOR",
            "colours": [],
        }
        assert body["clubs"][0]["chances"] == {"title": 0.5, "down": 0.25}
        assert body["clubs"][0]["places"] == [0.5, 0.25, 0.25]
        assert body["lines"][1] == {"name": "down", "places": 1, "from_end": True}
        assert (body["model"]["version"], body["data_snapshot"], body["is_whole"]) == (1, 1, True)
        assert body["as_of"] == "2026-11-23T12:00:00Z"

    @pytest.mark.parametrize(
        ("address", "status", "kind"),
        [
            ("/api/v1/competitions/nowhere/season-forecast/", 404, "unknown-competition"),
            (f"{REST_END}?season=1888", 404, "unknown-season"),
            (f"{REST_END}?season=18%0088", 404, "unknown-season"),
            (f"{REST_END}?when=now", 400, "bad-input"),
            ("/api/v1/competitions/aldermark-shield-league/season-forecast/", 404, "no-forecast"),
        ],
    )
    def test_what_there_is_not_is_a_problem(self, client, build, ended, address, status, kind):
        build.season("Shield League")
        assert problem_of(client.get(address), status)["type"] == f"urn:spai:problem:{kind}"


class TestWhatIf:
    def test_the_page_asks_for_two_teams_and_proposes_the_next_saturday(self, client, clubs):
        page = client.get(WHAT_IF).content.decode()
        assert 'value="2026-11-28"' in page
        assert "What if they met?" in page
        assert 'class="bar"' not in page

    def test_two_teams_get_a_forecast_with_its_scorelines_and_reasons(self, client, clubs, answers):
        response = client.get(WHAT_IF, {"home": "Redfield", "away": "old mill", "date": "2026-12-05"})
        page, text = response.content.decode(), text_of(response)
        assert 'aria-label="Our forecast: home 50%, draw 30%, away 20%"' in page
        assert "Sat 5 Dec 2026" in text
        for said in ("Shield League, Aldermark", "Every score", "Why", "not stored or graded", "By model 1"):
            assert said in text
        # They could meet in either league.
        assert '<option value="aldermark-crown-league" >Crown League</option>' in re.sub(r"\s+", " ", page)
        assert "home=old-mill&amp;away=redfield" in page

    def test_another_competition_and_neutral_ground_can_be_chosen(self, client, clubs, answers):
        asked = {"home": "redfield", "away": "old-mill", "competition": "aldermark-crown-league", "neutral": "on"}
        text = text_of(client.get(WHAT_IF, asked))
        assert "Crown League, Aldermark · at a neutral venue" in text

    def test_the_link_for_programs_asks_the_api_for_the_same_match(self, client, clubs, answers):
        asked = {"home": "redfield", "away": "old-mill", "competition": "aldermark-crown-league", "neutral": "on"}
        page = client.get(WHAT_IF, {**asked, "world": "sandbox"}).content.decode()
        (address,) = re.findall(r'href="(/api/v1/what-if/[^"]*)"', page)
        body = client.get(unescape(address)).json()
        assert (body["home_team"]["slug"], body["away_team"]["slug"]) == ("redfield", "old-mill")
        assert (body["competition"]["slug"], body["is_neutral"]) == ("aldermark-crown-league", True)

    def test_a_part_of_a_name_asks_which_team_is_meant(self, client, clubs, answers):
        page = client.get(WHAT_IF, {"home": "r", "away": "Old Mill"}).content.decode()
        assert "Which team is meant?" in page
        assert 'href="/what-if/?home=redfield&amp;away=Old+Mill"' in page
        assert "No team has “xyz” in its name" in text_of(client.get(WHAT_IF, {"home": "xyz", "away": "Old Mill"}))

    def test_the_page_of_a_team_asks_in_its_own_world(self, client, clubs):
        page = client.get("/teams/leeds/").content.decode()
        assert 'href="/what-if/?home=leeds&amp;world=real"' in page
        assert 'href="/what-if/?home=northgate"' in client.get("/teams/northgate/").content.decode()

    def test_where_no_world_is_requested_it_is_that_of_the_first_known_team(self, client, clubs):
        for asked in ("home=leeds&away=hul", "home=hul&away=leeds"):
            page = client.get(f"{WHAT_IF}?{asked}").content.decode()
            assert "away=hull" in page or "home=hull" in page
            assert '<input type="hidden" name="world" value="real">' in page
            assert "simulated" not in text_of(client.get(f"{WHAT_IF}?{asked}"))
        page = client.get(f"{WHAT_IF}?home=northgate&world=real").content.decode()
        assert '<input type="hidden" name="world" value="real">' in page

    def test_names_are_suggested_while_one_writes(self, client, clubs):
        headers = {**HTMX, "HX-Target": "away-found"}
        body = client.get(WHAT_IF, {"home": "northgate", "away": "mil"}, headers=headers).content.decode()
        assert 'href="/what-if/?home=northgate&amp;away=old-mill"' in body
        assert "<html" not in body
        assert "Redfield" not in body

    @pytest.mark.parametrize(
        ("asked", "said"),
        [
            ({"home": "northgate", "away": "Northgate"}, "cannot meet itself"),
            ({"home": "northgate", "away": "leeds"}, "belong to different worlds"),
            ({"home": "northgate", "away": "nobody"}, "plays in no league"),
            ({"home": "northgate", "away": "old-mill", "date": "2026-11-22"}, "This day is over"),
            ({"home": "northgate", "away": "old-mill", "date": "2028-01-01"}, "latest day that can be forecast"),
            ({"home": "northgate", "away": "old-mill", "date": "soon"}, "written like 2026-11-23"),
            ({"home": "northgate", "away": "old-mill", "date": "2026-02-30"}, "written like 2026-11-23"),
            (
                {"home": "northgate", "away": "old-mill", "competition": "x"},
                "could meet in aldermark-crown-league",
            ),
        ],
    )
    def test_what_cannot_be_asked_is_said_why(self, client, clubs, answers, asked, said):
        response = client.get(WHAT_IF, asked)
        assert response.status_code == 200
        assert said in text_of(response)
        assert 'class="bar"' not in response.content.decode()

    def test_before_the_first_champion_the_missing_forecast_is_explained(self, client, build):
        build.match("Northgate", "Old Mill")
        assert "No model makes forecasts yet" in text_of(client.get(WHAT_IF, {"home": "northgate", "away": "old-mill"}))

    def test_a_club_that_left_and_clubs_of_two_countries_are_noted(self, client, build, clubs, answers):
        valdoria = Region.objects.create(name="Valdoria")
        league = Competition.objects.create(region=valdoria, name="Liga", slug="liga", level=1, is_simulated=True)
        season = league.seasons.create(label="2023-24")
        build.match("Oro", "Plata", season=season, kickoff_at=build.now - timedelta(days=900), goals=(1, 0))
        body = client.get(REST_WHAT_IF, {"home": "oro", "away": "northgate"}).json()
        left, countries = body["notes"]
        assert left == "Oro has played no league match since June 2024: its rating dates from then."
        assert "different countries" in countries
        text = text_of(client.get(WHAT_IF, {"home": "oro", "away": "northgate"}))
        assert left in text

    def test_programs_get_the_forecast_and_nothing_is_stored(self, client, clubs, answers):
        before = Match.objects.count()
        body = client.get(REST_WHAT_IF, {"home": "northgate", "away": "redfield", "neutral": "true"}).json()
        assert body["probabilities"] == {"home": 0.5, "draw": 0.3, "away": 0.2}
        assert (body["home_team"]["slug"], body["away_team"]["slug"]) == ("northgate", "redfield")
        assert (body["kickoff_at"], body["is_neutral"], body["season"]) == ("2026-11-28T15:00:00Z", True, "2026-27")
        assert body["competition"]["slug"] == "aldermark-crown-league"
        assert body["notes"] == []
        assert not {"match", "published_at", "is_frozen"} & body.keys()
        assert Match.objects.count() == before

    @pytest.mark.parametrize(
        ("asked", "status", "kind"),
        [
            ({"home": "northgate"}, 400, "bad-input"),
            ({"home": "northgate", "away": "old-mill", "date": "tomorrow"}, 400, "bad-input"),
            ({"home": "northgate", "away": "old-mill", "neutral": "maybe"}, 400, "bad-input"),
            ({"home": "northgate", "away": "old-mill", "world": "real"}, 400, "bad-input"),
            ({"home": "northgate", "away": "atlantis"}, 404, "unknown-team"),
            ({"home": "northgate", "away": "north\x00gate"}, 422, "same-team"),
            ({"home": "northgate", "away": "northgate"}, 422, "same-team"),
            ({"home": "northgate", "away": "leeds"}, 422, "two-worlds"),
            ({"home": "nobody", "away": "leeds"}, 422, "no-league"),
            ({"home": "northgate", "away": "old-mill", "competition": "x"}, 422, "other-competition"),
            ({"home": "northgate", "away": "old-mill", "date": "2026-11-22"}, 422, "past"),
            ({"home": "northgate", "away": "old-mill", "date": "9999-12-31"}, 422, "too-far"),
        ],
    )
    def test_what_cannot_be_asked_is_a_problem_of_its_own_kind(self, client, clubs, answers, asked, status, kind):
        body = problem_of(client.get(REST_WHAT_IF, asked), status)
        assert body["type"] == f"urn:spai:problem:{kind}"
        if status == 422:
            assert body["parameter"] in ("home", "away", "date", "competition")

    def test_without_a_champion_a_program_is_reported_so(self, client, build):
        build.match("Northgate", "Old Mill")
        body = problem_of(client.get(REST_WHAT_IF, {"home": "northgate", "away": "old-mill"}), 404)
        assert body["type"] == "urn:spai:problem:no-forecast"

    @pytest.mark.parametrize("text", ["\x00", "<script>alert(1)</script>", "x" * 5000, "'; DROP TABLE", "\\"])
    def test_any_text_is_only_text(self, client, clubs, text):
        response = client.get(WHAT_IF, {"home": text, "away": text, "date": text})
        assert response.status_code == 200
        assert "<script>alert" not in response.content.decode()
        assert not re.search(r"<script(?![^>]*\bsrc=)|<style|\sstyle=|\son\w+=", response.content.decode())
