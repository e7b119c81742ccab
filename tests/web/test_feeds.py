"""Calendars and feeds, as programs that subscribe to them see them."""

from __future__ import annotations

from datetime import timedelta
from xml.etree import ElementTree

import pytest

from apps.matches.models import Competition, MatchChange
from tests.pure.api.test_icalendar import lines_of, unescaped

ATOM = "{http://www.w3.org/2005/Atom}"
TEAM = "/teams/northgate/calendar.ics"


def events_of(response) -> list[dict[str, str]]:
    assert response.status_code == 200
    assert response["Content-Type"] == "text/calendar; charset=utf-8"
    found: list[dict[str, str]] = []
    for line in lines_of(response.content.decode()):
        name, _, value = line.partition(":")
        if line == "BEGIN:VEVENT":
            found.append({})
        elif found:
            found[-1][name] = unescaped(value)
    return found


def entries_of(response) -> list[ElementTree.Element]:
    assert response.status_code == 200
    assert response["Content-Type"].startswith("application/atom+xml")
    return ElementTree.fromstring(response.content).findall(f"{ATOM}entry")


def field(entry: ElementTree.Element, name: str) -> str:
    return entry.findtext(f"{ATOM}{name}") or ""


@pytest.fixture
def two(build, champion):
    """A match of Northgate that ended as its forecast gave 20%, and one to come."""
    over = build.match(kickoff_at=build.now - timedelta(days=2), goals=(0, 1))
    build.prediction(over, champion, (0.7, 0.2, 0.1))
    coming = build.match("Redfield", "Northgate", kickoff_at=build.now + timedelta(days=2))
    build.prediction(coming, champion, (0.5, 0.3, 0.2))
    build.match("Redfield", "Old Mill")
    return over, coming


class TestCalendar:
    def test_a_team_has_its_results_and_fixtures(self, client, two):
        over, coming = events_of(client.get(TEAM))
        assert over["SUMMARY"] == "Northgate 0–1 Old Mill"
        assert over["DESCRIPTION"].startswith("We gave this 10%.")
        assert coming["SUMMARY"] == "Redfield – Northgate"
        assert coming["DESCRIPTION"] == "Forecast: Redfield 50%, draw 30%, Northgate 20%. Crown League."
        assert (coming["DTSTART"], coming["DTEND"]) == ("20261125T120000Z", "20261125T140000Z")
        assert coming["URL"].endswith(f"/matches/{two[1].pk}/")

    @pytest.mark.parametrize("address", ["/competitions/aldermark-crown-league/calendar.ics", "/follow/calendar.ics"])
    def test_a_competition_and_the_teams_of_an_address_have_theirs(self, client, two, address):
        query = {"teams": f"{two[0].home_team_id},{two[0].away_team_id},999999"} if "follow" in address else {}
        assert len(events_of(client.get(address, query))) == 3

    def test_a_date_without_a_time_takes_the_day(self, client, build):
        midnight = build.now.replace(hour=0) + timedelta(days=3)
        build.match(kickoff_at=midnight, kickoff_precision="date")
        (event,) = events_of(client.get(TEAM))
        assert event["DTSTART;VALUE=DATE"] == "20261126"
        assert "The time of the kick-off is not known yet." in event["DESCRIPTION"]

    @pytest.mark.parametrize(
        ("status", "written", "begins"),
        [
            ("postponed", "TENTATIVE", "Postponed: Northgate"),
            ("cancelled", "CANCELLED", "Cancelled: Northgate"),
            ("abandoned", "CONFIRMED", "Abandoned: Northgate"),
            ("live", "CONFIRMED", "Northgate –"),
        ],
    )
    def test_the_status_is_said_to_people_and_programs(self, client, build, status, written, begins):
        build.match(status=status)
        (event,) = events_of(client.get(TEAM))
        assert event["STATUS"] == written
        assert event["SUMMARY"].startswith(begins)

    def test_a_moved_match_stays_the_same_event_with_a_higher_sequence(self, client, build):
        match = build.match()
        (before,) = events_of(client.get(TEAM))
        match.kickoff_at += timedelta(days=7)
        match.updated_at = build.now + timedelta(minutes=1)
        match.save()
        MatchChange.objects.create(match=match, ingest=build.ingest, changed_at=build.now, before={}, after={})
        (after,) = events_of(client.get(TEAM))
        assert after["UID"] == before["UID"]
        assert (before["SEQUENCE"], after["SEQUENCE"]) == ("0", "1")
        assert after["LAST-MODIFIED"] > before["LAST-MODIFIED"]

    def test_a_program_that_has_it_is_answered_304(self, client, two):
        first = client.get(TEAM)
        assert first["Cache-Control"] == "public, max-age=900"
        assert client.get(TEAM, headers={"If-None-Match": first["ETag"]}).status_code == 304

    def test_no_cookie_is_set_or_asked_for(self, client, two):
        response = client.get(TEAM)
        assert response.cookies == {}
        assert "Cookie" not in response["Vary"]

    @pytest.mark.parametrize(
        "address",
        [
            "/teams/nobody/calendar.ics",
            "/competitions/none/feed/",
            "/follow/calendar.ics",
            "/follow/feed/?teams=x",
            "/feed/?world=mars",
        ],
    )
    def test_what_does_not_exist_has_none(self, client, db, address):
        assert client.get(address).status_code == 404

    def test_teams_that_are_no_more_leave_an_empty_calendar(self, client, db):
        assert events_of(client.get("/follow/calendar.ics?teams=999999")) == []


class TestFeed:
    @pytest.mark.parametrize("about", ["", "teams/northgate/", "competitions/aldermark-crown-league/"])
    def test_forecasts_and_surprises_have_ids_that_stay(self, client, build, champion, two, about):
        expected = build.match("Northgate", "Lakeside", kickoff_at=build.now - timedelta(days=1), goals=(3, 0))
        build.prediction(expected, champion, (0.7, 0.2, 0.1))
        entries = entries_of(client.get(f"/{about}feed/"))
        over, coming = two
        assert {field(entry, "id") for entry in entries} == {
            f"tag:127.0.0.1,2026:surprise/{over.pk}",
            f"tag:127.0.0.1,2026:forecast/{coming.pk}",
        }
        texts = {field(entry, "title"): field(entry, "summary") for entry in entries}
        assert texts["Northgate 0–1 Old Mill"].startswith("We gave this 10%.")
        assert texts["Redfield – Northgate"].startswith("Forecast: Redfield 50%")

    def test_the_latest_news_come_first(self, client, two):
        updated = [field(entry, "updated") for entry in entries_of(client.get("/teams/northgate/feed/"))]
        assert updated == sorted(updated, reverse=True)

    def test_a_name_with_markup_is_a_name(self, client, build, champion):
        build.prediction(build.match("A <b> & Sons", "Old Mill"), champion)
        (entry,) = entries_of(client.get("/feed/"))
        assert field(entry, "title") == "A <b> & Sons – Old Mill"
        assert "A &lt;b&gt; &amp; Sons 50%" in field(entry, "summary")

    @pytest.mark.parametrize("character", ["\x01", "\x0b", "\x1f", "\ufffe", "\uffff"])
    def test_a_character_that_xml_does_not_have_is_left_out(self, client, build, champion, character):
        match = build.match(f"North{character}gate", "Old Mill")
        build.prediction(match, champion)
        Competition.objects.update(name=f"Crown{character} League")
        for path in ("/feed/", f"/competitions/{match.season.competition.slug}/feed/"):
            (entry,) = entries_of(client.get(path))
            assert field(entry, "title") == "Northgate – Old Mill"

    def test_the_feed_names_its_own_address_with_its_query(self, client, two):
        address = f"/follow/feed/?teams={two[0].home_team_id}"
        links = ElementTree.fromstring(client.get(address).content).findall(f"{ATOM}link")
        assert {link.get("href") for link in links if link.get("rel") == "self"} == {f"http://testserver{address}"}

    def test_a_reader_that_has_it_is_answered_304(self, client, two):
        first = client.get("/feed/")
        assert client.get("/feed/", headers={"If-None-Match": first["ETag"]}).status_code == 304
