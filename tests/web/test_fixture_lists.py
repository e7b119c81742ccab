"""The list of a day's matches: what its rows say, before there is anything to show, and what a refresh changes."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone

from apps.api.selectors import days_around, nearest_day
from apps.matches.models import Match, World
from apps.ml.models import ServedWorld
from tests.web.conftest import HTMX, text_of


def ids_of(page: str) -> list[str]:
    return re.findall(r'\sid="([^"]*)"', page)


class TestFixtures:
    def test_a_row_says_when_who_how_likely_and_what_came(self, client, build, today):
        page = client.get("/").content.decode()
        assert 'aria-label="Our forecast: home 46%, draw 27%, away 27%."' in page
        assert "We gave this <b>46%</b>" in page
        assert '<span class="now">Live</span>' in page
        assert re.search(r"In play\.\s+Before kick-off: [A-Z]{3} 50%, draw 30%, [A-Z]{3} 20%", page)
        assert page.count('class="fx') == 3
        assert "Forecasts by <a" in page
        assert "<b>Home +20</b> against market" in page

    def test_a_row_that_is_pulled_comes_alone(self, client, today):
        over = today[0]
        response = client.get(f"/matches/{over.pk}/", headers={**HTMX, "HX-Target": f"row-{over.pk}"})
        assert re.match(rf'\s*<a\s+class="fx"\s+id="row-{over.pk}"', response.content.decode())
        assert "HX-Request" in response["Vary"]

    def test_the_changing_part_comes_alone_for_a_script(self, client, today):
        body = client.get("/", headers=HTMX).content.decode()
        assert re.match(r'\s*<div\s+id="fixtures"', body)
        assert "<html" not in body

    def test_days_are_those_of_the_readers_zone(self, client, build, champion, noon):
        build.match(kickoff_at=datetime(2026, 11, 24, 0, 30, tzinfo=UTC))
        page = client.get("/?day=2026-11-23").content.decode()
        assert 'class="fx' not in page
        client.cookies["zone_here"] = "America/New_York"
        page = client.get("/?day=2026-11-23").content.decode()
        assert '<time datetime="2026-11-24T00:30:00Z">19:30</time>' in page
        assert "Times in New York ·" in " ".join(re.sub(r"<[^>]+>", "", page).split())

    def test_a_match_without_a_time_stays_on_its_date_everywhere(self, client, build, champion, noon):
        build.match(kickoff_at=datetime(2026, 11, 24, tzinfo=UTC), kickoff_precision="date")
        for zone in ("America/Los_Angeles", "Pacific/Auckland", "UTC"):
            client.cookies["zone_here"] = zone
            assert 'class="fx' in client.get("/?day=2026-11-24").content.decode()
            assert 'class="fx' not in client.get("/?day=2026-11-23").content.decode()

    def test_west_of_utc_the_nearest_days_are_found_by_day_and_not_by_instant(self, build):
        # A date-only match is stored at 00:00 UTC of its date, which is still the evening before in New York.
        midnight, zone = datetime(2026, 11, 30, tzinfo=UTC), ZoneInfo("America/New_York")
        build.match("Ashby", "Birk", kickoff_at=midnight, kickoff_precision="date")
        build.match("Cray", "Dorn", kickoff_at=midnight + timedelta(minutes=30))
        days = [date(2026, 11, 20), date(2026, 11, 29), date(2026, 11, 30), date(2026, 12, 10)]
        assert [*days_around(World.SANDBOX, days[0], zone, before=2, after=5)] == days[:3]
        assert [*days_around(World.SANDBOX, days[0], zone, before=2, after=1)] == days[:2]
        assert [*days_around(World.SANDBOX, days[3], zone, before=5, after=2)] == days[1:]
        assert [*days_around(World.SANDBOX, days[3], zone, before=1, after=2)] == days[2:]
        assert [*days_around(World.SANDBOX, days[1], zone, before=9, after=9)] == days[1:3]
        assert nearest_day(World.SANDBOX, datetime(2026, 11, 20, tzinfo=UTC), zone) == date(2026, 11, 29)
        assert nearest_day(World.SANDBOX, datetime(2026, 12, 20, tzinfo=UTC), zone) == date(2026, 11, 30)

    def test_only_days_with_matches_stand_above_the_list_with_a_mark_where_some_are_left_out(
        self, client, build, champion, noon
    ):
        for day in (1, 22, 23, 23):
            build.match(f"H{day}", f"A{Match.objects.count()}", kickoff_at=datetime(2026, 11, day, 15, tzinfo=UTC))
        build.match("Later", "Still", kickoff_at=datetime(2026, 12, 2, 15, tzinfo=UTC))
        strip = re.search(r'<nav class="days".*?</nav>', client.get("/").content.decode(), re.S)[0]
        told = " ".join(re.sub(r"<[^>]+>", " ", strip.replace('<span class="skipped"', "| <span")).split())
        assert told == ("Sun 1 1 match | Sun 22 1 match Today 2 matches | Wed 2 Dec 1 match Calendar any day")

    def test_a_day_without_matches_leads_to_the_next_that_has_one(self, client, build, champion, noon):
        build.match(kickoff_at=datetime(2026, 11, 26, 15, tzinfo=UTC))
        assert "Thursday 26 November" in text_of(client.get("/"))

    def test_of_a_long_day_the_rows_around_now_are_shown_and_the_rest_counted(self, client, build, champion, noon):
        season = build.season()
        for n in range(30):
            at = noon + timedelta(minutes=4 * (n - 12) + 2)
            build.match(f"Home {n}", f"Away {n}", season=season, kickoff_at=at)
        page = client.get("/").content.decode()
        assert page.count('class="fx') == 12
        assert "8 earlier today" in page
        assert "10 later today" in page
        whole = client.get("/?day=2026-11-23&competition=aldermark-crown-league").content.decode()
        assert whole.count('class="fx') == 30

    def test_today_is_said_of_today_alone(self, client, build, champion, noon):
        for n in range(30):
            build.match(f"Home {n}", f"Away {n}", kickoff_at=noon + timedelta(days=1, minutes=n))
        page = text_of(client.get("/?day=2026-11-24"))
        assert "22 later" in page
        assert "later today" not in page

    def test_west_of_utc_a_day_whose_date_has_begun_there_is_the_next_one(self, client, build, champion, monkeypatch):
        # 19:00 of the 23rd in New York; a match of the 24th, and a later one with its time.
        monkeypatch.setattr(timezone, "now", lambda: datetime(2026, 11, 24, 0, 30, tzinfo=UTC))
        client.cookies["zone_here"] = "America/New_York"
        build.match(kickoff_at=datetime(2026, 11, 26, 15, tzinfo=UTC))
        assert "Thursday 26 November" in text_of(client.get("/"))
        build.match("Redfield", kickoff_at=datetime(2026, 11, 24, tzinfo=UTC), kickoff_precision="date")
        assert "Tuesday 24 November" in text_of(client.get("/"))

    def test_of_a_date_and_a_time_the_earlier_day_of_the_reader_is_next(self, client, build, champion, noon):
        # 20:00 of the 24th in New York comes after 00:00 UTC of the 25th, and on an earlier day.
        client.cookies["zone_here"] = "America/New_York"
        build.match(kickoff_at=datetime(2026, 11, 25, tzinfo=UTC), kickoff_precision="date")
        build.match("Redfield", kickoff_at=datetime(2026, 11, 25, 1, tzinfo=UTC))
        assert "Tuesday 24 November" in text_of(client.get("/"))

    def test_whatever_may_have_the_focus_when_the_list_is_replaced_has_an_id_of_its_own(self, client, build, champion):
        season = build.season()
        for n in range(30):
            build.match(f"Home {n}", f"Away {n}", season=season, kickoff_at=build.now + timedelta(minutes=4 * (n - 12)))
        build.match("Redfield", season=build.season("Shield League"), kickoff_at=build.now)
        for day in (-40, 40):
            build.match("Lakeside", kickoff_at=build.now + timedelta(days=day))
        for query in ("", "?day=2026-11-23&competition=aldermark-crown-league"):
            body = client.get(f"/{query}", headers=HTMX).content.decode()
            focusable = re.findall(r"<(?:a|summary)\b[^>]*>", body)
            assert [each for each in focusable if not re.search(r'\sid="', each)] == []
            assert len(set(ids_of(body))) == len(ids_of(body))

    def test_a_competition_that_cannot_be_named_has_no_match(self, client, build, today):
        assert client.get("/?competition=%00").status_code == 200

    @pytest.mark.parametrize(
        "query", ["day=tomorrow", "day=0001-01-01", "day=9999-12-31", "day=2026-02-30", "world=mars"]
    )
    def test_an_address_that_means_nothing_is_not_found(self, client, db, query):
        response = client.get(f"/?{query}")
        assert response.status_code == 404
        assert "Request" in text_of(response)

    def test_simulated_competitions_say_so(self, client, today):
        page = text_of(client.get("/"))
        assert "simulated" in page
        assert "No real club plays in these" in page

    def test_the_operators_world_comes_first_and_the_other_is_a_link(self, client, build, today):
        build.match("Leeds", "Hull", season=build.season("Premier League", simulated=False))
        page = client.get("/").content.decode()
        assert 'href="/?world=real"' in page
        assert "Leeds" not in page
        ServedWorld.objects.create(id=1, world="real", chosen_at=build.now)
        page = client.get("/").content.decode()
        assert "Leeds" in page
        assert 'href="/?world=sandbox"' in page
        assert "No real club" not in page


class TestFirstStart:
    def test_before_anything_is_stored_the_page_says_what_happens(self, client, db):
        page = text_of(client.get("/"))
        assert "Waiting for the first matches" in page
        assert 'data-refresh="soon"' in client.get("/").content.decode()

    def test_the_stages_of_the_first_run_are_shown(self, client, build):
        build.match()
        stages = [
            {"name": "export", "status": "succeeded", "seconds": 1.25},
            {"name": "train", "status": "running", "seconds": None},
        ]
        build.run(stages=stages)
        page = client.get("/").content.decode()
        assert re.search(r'class="is-running">\s*<span>Learn from the results', page)
        assert "1.2 s" in page
        assert "No forecast yet" in page

    def test_a_failed_run_says_why_and_what_to_do(self, client, build):
        build.match()
        build.run(status="failed", error={"stage": "train", "message": "Too few rows.", "next_step": "Import more."})
        page = text_of(client.get("/"))
        assert "Too few rows." in page
        assert "Import more." in page


class TestRefresh:
    """A part that has not changed is not sent again."""

    def etag_of(self, page: str) -> str:
        return unescape(re.search(r'data-etag="([^"]+)"', page)[1])

    @pytest.mark.parametrize("address", ["/", "/competitions/aldermark-crown-league/", "/models/", "/matches/{}/"])
    @pytest.mark.parametrize("is_served", [True, False])
    def test_an_idle_page_is_answered_without_a_body(self, client, build, address, is_served):
        match = build.match()
        if is_served:
            version = build.version()
            build.promote(version)
            build.prediction(match, version)
        address = address.format(match.pk)
        etag = self.etag_of(client.get(address).content.decode())
        response = client.get(address, headers={**HTMX, "If-None-Match": etag})
        assert (response.status_code, response.content, response["ETag"]) == (304, b"", etag)
        assert "HX-Request" in response["Vary"]
        build.match("Redfield", "Northgate", kickoff_at=build.now + timedelta(minutes=5), status="live")
        build.run(status="failed")
        type(match).objects.filter(pk=match.pk).update(status="cancelled")
        response = client.get(address, headers={**HTMX, "If-None-Match": etag})
        assert response.status_code == 200
        assert response["ETag"] != etag

    def test_the_list_of_zones_is_a_page_of_its_own(self, client, build):
        build.match()
        assert "Asia/Tokyo" not in client.get("/").content.decode()
        assert "Asia/Tokyo" in client.get("/zone/").content.decode()

    def test_a_step_back_in_the_history_brings_the_whole_page(self, client, today):
        restored = client.get("/", headers={**HTMX, "HX-History-Restore-Request": "true"})
        assert "<html" in restored.content.decode()

    def test_a_row_says_when_it_changes_by_the_clock(self, client, build, champion):
        build.match(kickoff_at=build.now + timedelta(minutes=5))
        build.match("Redfield", "Lakeside", kickoff_at=build.now - timedelta(minutes=30))
        build.match("Harbour City", "Kingsmoor", kickoff_at=build.now - timedelta(hours=3), goals=(1, 0))
        page = client.get("/").content.decode()
        assert re.findall(r'data-changes-at="([^"]+)"', page) == [
            "2026-11-23T14:00:00+00:00",
            "2026-11-23T12:05:00+00:00",
        ]
