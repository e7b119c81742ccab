"""The start page: who is followed, which league comes first, what is picked out; its calendar, search and choices."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import pytest
from django.test import RequestFactory

from apps.api.pages.context import MOST_FOLLOWED, followed_teams
from apps.matches.leagues import importance, known_leagues
from apps.matches.models import Competition, Region
from apps.ml.models import RecordSummary, ServedWorld
from tests.web.test_record import record_of

HTMX = {"HX-Request": "true"}


def text_of(response) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", response.content.decode()).split())


@pytest.fixture
def real(build, db):
    """The real world is the one that is shown."""
    ServedWorld.objects.create(id=1, world="real", chosen_at=build.now)


class TestFirstLine:
    def test_it_says_what_this_is_and_how_it_did(self, client, build, champion):
        assert "published before kick-off and graded after the match in a public record ." in text_of(client.get("/"))
        few = record_of(n=12, p=(0.6, 0.25, 0.15), outcomes=[0] * 12)
        summary = RecordSummary.objects.create(
            world="sandbox", is_back_tested=False, content=few, computed_at=build.now, seconds=1
        )
        assert "So far 12 matches graded in public ." in text_of(client.get("/"))
        summary.content = record_of(n=300, p=(0.6, 0.25, 0.15), outcomes=[0] * 180 + [1] * 75 + [2] * 45)
        summary.computed_at += timedelta(minutes=1)
        summary.save()
        said = "When we said 60%, it happened 60% of the time: 300 matches, level with the market ."
        assert said in text_of(client.get("/"))

    def test_before_anything_is_graded_it_tells_of_past_seasons_and_says_so(self, client, build, champion):
        content = record_of(n=1000, p=(0.6, 0.25, 0.15), outcomes=[0] * 600 + [1] * 250 + [2] * 150)
        RecordSummary.objects.create(
            world="sandbox", is_back_tested=True, version=champion, content=content, computed_at=build.now, seconds=1
        )
        said = "Tried on 1,000 matches of past seasons: where it says 60%, it happened 60% of the time ."
        assert said in text_of(client.get("/"))


class TestFollowed:
    @pytest.mark.parametrize(
        ("cookie", "ids"),
        [
            ("", ()),
            ("3,12,7", (3, 12, 7)),
            ("3,3,x,-1,,1.5,٣,7", (3, 7)),
            ("9" * 30, ()),
            (",".join(map(str, range(999))), tuple(range(MOST_FOLLOWED))),
        ],
    )
    def test_the_cookie_holds_ids_and_nothing_else_counts(self, cookie, ids):
        request = RequestFactory().get("/")
        request.COOKIES["follow"] = cookie
        assert followed_teams(request) == ids

    def test_their_matches_come_first_and_again_in_their_league(self, client, build, champion, noon):
        match = build.match("Northgate", "Old Mill", kickoff_at=noon + timedelta(hours=1))
        other = build.match("Redfield", "Lakeside", kickoff_at=noon + timedelta(hours=2))
        assert 'id="followed"' not in client.get("/").content.decode()
        client.cookies["follow"] = str(match.away_team_id)
        page = client.get("/").content.decode()
        assert re.findall(r'id="(row-[^"]+)"', page) == [
            f"row-{match.pk}-followed",
            f"row-{match.pk}",
            f"row-{other.pk}",
        ]

    def test_a_row_that_is_pulled_keeps_its_place(self, client, build, champion, noon):
        match = build.match(kickoff_at=noon)
        row = client.get(f"/matches/{match.pk}/", headers={**HTMX, "HX-Target": f"row-{match.pk}-followed"})
        assert f'id="row-{match.pk}-followed"' in row.content.decode()

    def test_of_a_long_day_they_are_shown_however_far_they_are(self, client, build, champion, noon):
        season = build.season()
        for n in range(30):
            build.match(f"Home {n}", f"Away {n}", season=season, kickoff_at=noon + timedelta(minutes=4 * n + 2))
        last = build.match("Northgate", "Old Mill", season=season, kickoff_at=noon + timedelta(hours=8))
        client.cookies["follow"] = str(last.home_team_id)
        assert f"row-{last.pk}-followed" in client.get("/").content.decode()
        assert f'"row-{last.pk}"' not in client.get("/").content.decode()


class TestLeagues:
    def test_those_that_most_readers_look_for_come_first_and_unknown_ones_by_tier(self):
        known = [("England", "Premier League", 1), ("Spain", "La Liga", 1), ("Scotland", "League Two", 4)]
        unknown = [("Aldermark", "Crown League", 1), ("Aldermark", "Shield League", 2), ("Aldermark", "Cup", 0)]
        keys = [importance(*each) for each in (*known, *unknown)]
        assert all(one < other for one, other in pairwise(keys))

    def test_a_position_of_the_operator_comes_before_the_league_that_has_it_by_default(self):
        second = ("Aldermark", "Crown League", 1, 2)
        assert importance("England", "Premier League", 1) < importance(*second) < importance("Spain", "La Liga", 1)
        assert importance("England", "Premier League", 1, 90) > importance("Scotland", "League Two", 4)

    def test_pages_and_the_search_have_the_order_of_the_operator_at_once(self, client, build, champion, real, noon):
        names = ["Premier League", "Alpha Division", "Zenith Division"]
        for n, name in enumerate(names):
            build.match(f"A{n}", f"B{n}", season=build.season(name, simulated=False), kickoff_at=noon)

        def shown(address: str) -> list[str]:
            page = client.get(address).content.decode()
            return sorted(names, key=page.index)

        for address in ("/", "/competitions/", "/search/?q=england"):
            assert shown(address) == names
        Competition.objects.filter(name="Zenith Division").update(position=1)
        for address in ("/", "/competitions/", "/search/?q=england"):
            assert shown(address) == ["Zenith Division", "Premier League", "Alpha Division"]

    def test_every_league_of_the_sources_has_a_row(self):
        from apps.scraping.sources.competitions import DIVISIONS, LEAGUES, OPENFOOTBALL_CODES

        sources = {*DIVISIONS.values(), *LEAGUES.values(), *OPENFOOTBALL_CODES.values()}
        assert {(key.region, key.name) for key in sources} == set(known_leagues())

    def test_the_page_has_them_in_this_order(self, client, build, champion, real, noon):
        for n, name in enumerate(("Zenith Division", "Premier League", "Alpha Division")):
            build.match(f"A{n}", f"B{n}", season=build.season(name, simulated=False), kickoff_at=noon)
        page = client.get("/").content.decode()
        assert re.findall(r'<h2 id="c\d+">([^<]+)', page) == ["Premier League", "Alpha Division", "Zenith Division"]

    def test_leagues_beyond_the_rows_of_a_page_are_counted(self, client, build, champion, noon):
        for league in "ABCDEF":
            season = build.season(f"{league} League")
            for n in range(12):
                build.match(f"{league}{n} home", f"{league}{n} away", season=season, kickoff_at=noon)
        page = client.get("/").content.decode()
        assert page.count('class="fx') == 36
        assert "D League" in page.split("More leagues on this day")[1]
        link = re.search(r'id="other-[^"]*d-league" href="([^"]+)"', page)[1].replace("&amp;", "&")
        assert client.get(f"/{link}").content.decode().count('class="fx') == 12


class TestPicks:
    def test_the_closest_match_the_widest_gap_and_the_greatest_surprise(self, client, build, champion, noon):
        def match(home, p, *, hours, goals=None, prices=None):
            found = build.match(home, f"{home} away", kickoff_at=noon + timedelta(hours=hours), goals=goals)
            build.prediction(found, champion, p)
            if prices:
                build.odds(found, prices=prices)

        match("Even", (0.36, 0.28, 0.36), hours=1)
        match("Strong", (0.7, 0.2, 0.1), hours=2, prices=(2.0, 4.0, 4.0))
        match("Level", (0.5, 0.26, 0.24), hours=3, prices=(2.0, 4.0, 4.0))
        match("Beaten", (0.7, 0.2, 0.1), hours=-3, goals=(0, 1), prices=(2.0, 4.0, 4.0))
        match("Winner", (0.7, 0.2, 0.1), hours=-3, goals=(2, 1))
        picks = text_of(client.get("/")).split("Closest match")[1]
        assert "EVE Even" in picks
        assert "36% against 36% , and 28% for a draw." in picks
        assert "We give Strong 70% , the market 50% ." in picks
        assert "Beaten away won away. We gave this 10% , the market 25% ." in picks

    def test_without_any_there_is_no_rail(self, client, build, champion, noon):
        build.match(kickoff_at=noon)
        assert 'class="rail"' not in client.get("/").content.decode()


class TestCalendar:
    def test_a_month_has_a_link_for_each_day_with_matches(self, client, build, noon):
        for day in (1, 22, 22):
            build.match(kickoff_at=noon.replace(day=day))
        build.match("Later", "Still", kickoff_at=datetime(2027, 2, 2, 15, tzinfo=UTC))
        page = client.get("/calendar/?month=2026-11").content.decode()
        assert re.findall(r'href="/\?day=([\d-]+)"', page) == ["2026-11-01", "2026-11-22"]
        assert 'href="?month=2027-02"' in page
        assert "February 2027" in text_of(client.get("/calendar/?month=2027-02"))
        assert "November 2026" in text_of(client.get("/calendar/?month=2027-02"))

    def test_days_are_those_of_the_readers_zone(self, client, build, noon):
        build.match(kickoff_at=datetime(2026, 11, 30, 23, 30, tzinfo=UTC))
        assert 'day=2026-11-30"' in client.get("/calendar/?month=2026-11").content.decode()
        client.cookies["zone_here"] = "Asia/Tokyo"
        assert 'day=2026-12-01"' in client.get("/calendar/?month=2026-12").content.decode()

    @pytest.mark.parametrize("month", ["2026", "2026-13", "x", "0001-01", "9999-12", "2026-11-01"])
    def test_a_month_that_there_is_not_is_not_found(self, client, db, month):
        assert client.get("/calendar/", {"month": month}).status_code == 404

    def test_without_matches_it_is_empty(self, client, db):
        assert 'href="/?day=' not in client.get("/calendar/").content.decode()


class TestSearch:
    @pytest.fixture
    def leagues(self, build, real):
        england, germany = (Region.objects.get_or_create(name=name)[0] for name in ("England", "Germany"))
        seasons = {}
        for region, name, level in (
            (england, "Premier League", 1),
            (germany, "Bundesliga", 1),
            (germany, "2. Bundesliga", 2),
        ):
            seasons[name] = build.season(name, simulated=False)
            Competition.objects.filter(pk=seasons[name].competition_id).update(region=region, level=level)
        return seasons

    @pytest.mark.parametrize(
        ("text", "found"),
        [
            ("epl", ["Premier League"]),
            ("premier", ["Premier League"]),
            ("england prem", ["Premier League"]),
            ("bundesliga", ["Bundesliga", "2. Bundesliga"]),
            ("bundeslga", ["Bundesliga", "2. Bundesliga"]),
            ("BÜNDESLIGA", ["Bundesliga", "2. Bundesliga"]),
            ("mars", []),
        ],
    )
    def test_a_league_is_found_by_any_name_with_accents_and_slips(self, client, leagues, text, found):
        page = client.get("/search/", {"q": text}, headers=HTMX).content.decode()
        assert re.findall(r'href="/competitions/[^>]+>\s*<span class="name">([^<]+)', page) == found

    @pytest.mark.parametrize(
        "text", ["Northgate v Old Mill", "old mill vs northgate", "Northgate – Old Mill", "northgat"]
    )
    def test_a_match_is_found_by_its_teams_or_as_the_next_one_of_a_team(self, client, build, noon, text):
        match = build.match("Northgate", "Old Mill", kickoff_at=noon + timedelta(days=1))
        assert f'href="/matches/{match.pk}/"' in client.get("/search/", {"q": text}).content.decode()

    def test_nothing_found_says_what_to_try(self, client, db):
        assert "No team or league matches “zzz”. Try a part of its name" in text_of(client.get("/search/?q=zzz"))


class TestTheme:
    def test_a_choice_is_kept_and_can_be_forgotten(self, client, db):
        assert "data-theme" not in client.get("/").content.decode()
        assert client.get("/theme/", {"theme": "dark", "next": "/about/"})["Location"] == "/about/"
        page = client.get("/about/").content.decode()
        assert 'data-theme="dark"' in page
        assert '<meta name="color-scheme" content="dark">' in page
        assert '<button name="theme" value="dark" aria-pressed="true">' in page
        client.get("/theme/", {"theme": ""})
        assert "data-theme" not in client.get("/").content.decode()

    @pytest.mark.parametrize("theme", ["pink", 'dark" onload="x', "\x00"])
    def test_any_other_counts_as_none(self, client, db, theme):
        client.cookies["theme"] = theme.replace("\x00", "0")
        assert "data-theme" not in client.get("/").content.decode()
        assert client.get("/theme/", {"theme": theme}).status_code == 302
