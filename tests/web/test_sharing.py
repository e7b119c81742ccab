"""What search engines, social sites and phones read: addresses, pictures, sitemap, robots, manifest."""

from __future__ import annotations

import re
import struct
from datetime import timedelta
from html import unescape
from xml.etree import ElementTree

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from apps.api import services
from apps.api.throttle import Admission

LOC = "{http://www.sitemaps.org/schemas/sitemap/0.9}loc"
SITE = "http://127.0.0.1:8000"
LEAGUE = "/competitions/aldermark-crown-league/"


def meta_of(response) -> dict[str, str]:
    page = response.content.decode()
    return {
        name: unescape(value)
        for name, value in re.findall(r'<meta (?:name|property)="([^"]+)" content="([^"]*)"', page)
    }


def canonical_of(response) -> str:
    return unescape(re.search(r'rel="canonical" href="([^"]+)"', response.content.decode())[1])


def addresses_in(response) -> list[str]:
    assert (response.status_code, response["Content-Type"]) == (200, "application/xml")
    return [each.text for each in ElementTree.fromstring(response.content).iter(LOC)]


@pytest.fixture
def coming(build, champion):
    match = build.match(kickoff_at=build.now + timedelta(days=1))
    build.prediction(match, champion, (0.5, 0.3, 0.2))
    build.season_end(match.season, champion, ["Northgate", "Old Mill"])
    return match


class TestHead:
    def test_a_match_says_who_and_how_likely(self, client, coming):
        meta = meta_of(client.get(f"/matches/{coming.pk}/"))
        assert meta["og:title"] == "Northgate – Old Mill"
        assert meta["og:description"] == "Forecast: Northgate 50%, draw 30%, Old Mill 20%. Crown League."
        assert meta["og:url"] == f"{SITE}/matches/{coming.pk}/"
        assert meta["og:image"].startswith(f"{SITE}/share/match/{coming.pk}.png?state=scheduled-0-")
        assert meta["twitter:card"] == "summary_large_image"

    def test_a_team_names_its_next_match_its_feed_and_its_calendar(self, client, coming):
        response = client.get("/teams/northgate/")
        assert meta_of(response)["og:description"].startswith("Next: Northgate – Old Mill. Forecast: Northgate 50%")
        page = response.content.decode()
        assert 'href="/teams/northgate/feed/"' in page
        assert 'href="/teams/northgate/calendar.ics"' in page

    def test_a_competition_names_the_likely_champion(self, client, coming):
        meta = meta_of(client.get(LEAGUE))
        assert meta["og:description"] == "Northgate 50% for the title, by 10,000 simulated seasons."

    @pytest.mark.parametrize(
        ("address", "canonical"),
        [
            ("/?day=2026-11-23&utm=x", "/?day=2026-11-23"),
            (f"{LEAGUE}?season=2026-27&x=<", f"{LEAGUE}?season=2026-27"),
            ("/competitions/?world=sandbox", "/competitions/"),
            ("/competitions/?world=real", "/competitions/?world=real"),
        ],
    )
    def test_each_page_has_one_address(self, client, coming, address, canonical):
        assert canonical_of(client.get(address)) == f"{SITE}{canonical}"


class TestImages:
    @pytest.mark.parametrize("path", ["match/{}", "team/northgate", "competition/aldermark-crown-league"])
    def test_a_picture_of_the_size_that_sites_ask_for(self, client, coming, path):
        address = f"/share/{path.format(coming.pk)}.png?state=1"
        response = client.get(address)
        assert (response["Content-Type"], response.cookies) == ("image/png", {})
        assert struct.unpack(">II", response.content[16:24]) == (1200, 630)
        assert response["Cache-Control"] == "public, max-age=3600"
        assert client.get(address, headers={"If-None-Match": response["ETag"]}).status_code == 304

    def test_a_picture_without_forecast_match_or_season(self, client, build):
        match = build.match(kickoff_at=build.now - timedelta(days=300), goals=(1, 0))
        for path in (f"match/{match.pk}", "team/northgate", "competition/aldermark-crown-league"):
            assert client.get(f"/share/{path}.png").status_code == 200

    @pytest.mark.parametrize("path", ["match/999999999", "team/nobody", "competition/none", "team/../x"])
    def test_what_does_not_exist_has_no_picture(self, client, db, path):
        assert client.get(f"/share/{path}.png").status_code == 404

    def test_drawing_counts_against_the_limit_of_an_address(self, client, coming, monkeypatch, settings):
        asked = []

        def admit(client, *, cost, now):
            asked.append((client, cost))
            return Admission(False, "anonymous", 600, 0, 30)

        monkeypatch.setattr(services, "admit", admit)
        response = client.get(f"/share/match/{coming.pk}.png")
        assert (response.status_code, response["Retry-After"]) == (429, "30")
        assert "public" not in response.get("Cache-Control", "")
        assert asked == [("127.0.0.1", settings.SPAI_COMPUTED_COST)]


class TestSitemap:
    def test_the_index_lists_each_part_and_a_page_for_each_season(self, client, build, coming):
        build.season(label="2025-26")
        build.season("Premier League", simulated=False)
        assert addresses_in(client.get("/sitemap.xml")) == [
            "http://testserver/sitemap-pages.xml",
            "http://testserver/sitemap-competitions.xml",
            "http://testserver/sitemap-teams.xml",
            "http://testserver/sitemap-matches.xml",
            "http://testserver/sitemap-matches.xml?p=2",
        ]

    def test_parts_list_what_is_shown_first(self, client, build, coming):
        build.match("Arsenal", "Chelsea", season=build.season("Premier League", simulated=False))
        assert addresses_in(client.get("/sitemap-matches.xml")) == [f"{SITE}/matches/{coming.pk}/"]
        assert addresses_in(client.get("/sitemap-competitions.xml")) == [f"{SITE}{LEAGUE}"]
        assert addresses_in(client.get("/sitemap-teams.xml")) == [f"{SITE}/teams/northgate/", f"{SITE}/teams/old-mill/"]
        assert f"{SITE}/track-record/" in addresses_in(client.get("/sitemap-pages.xml"))

    @pytest.mark.parametrize("address", ["/sitemap-x.xml", "/sitemap-matches.xml?p=9", "/sitemap-teams.xml?p=x"])
    def test_a_part_that_does_not_exist(self, client, coming, address):
        assert client.get(address).status_code == 404

    def test_every_page_of_it_is_there(self, client, coming):
        for address in addresses_in(client.get("/sitemap-pages.xml")):
            assert client.get(address.removeprefix(SITE)).status_code == 200

    def test_a_page_of_matches_needs_few_queries_and_reads_one_season(self, client, build, champion, coming):
        build.round(build.season(label="2025-26"), finished=6, coming=2, version=champion)
        with CaptureQueriesContext(connection) as queries:
            found = addresses_in(client.get("/sitemap-matches.xml?p=2"))
        assert (len(found), len(queries)) == (8, 4)


def test_robots_are_sent_to_the_sitemap_and_away_from_forms(client):
    response = client.get("/robots.txt")
    lines = response.content.decode().splitlines()
    assert response["Content-Type"] == "text/plain; charset=utf-8"
    assert f"Sitemap: {SITE}/sitemap.xml" in lines
    assert {"Disallow: /search/", "Disallow: /follow/", "Disallow: /api/", "Allow: /api/docs/"} <= set(lines)


def test_the_manifest_has_icons_that_exist(client, db, settings):
    response = client.get("/manifest.webmanifest")
    assert response["Content-Type"] == "application/manifest+json"
    icons = response.json()["icons"]
    assert [icon["sizes"] for icon in icons] == ["any", "192x192", "512x512"]
    for icon in icons:
        assert (settings.BASE_DIR / "spai/static" / icon["src"].removeprefix("/static/")).is_file()
