"""What a process keeps of pages ends with what it shows."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils.safestring import SafeString

from apps.api.pages.parts import PartCache
from apps.matches.models import AwardedResult, Match, PointsAdjustment, Stage, Team
from apps.matches.selectors import PLAY_OFF_STAGE, state_of_season
from tests.web.test_pages import text_of

LEAGUE = "/competitions/aldermark-crown-league/"


@pytest.fixture
def season(build):
    return build.season()


@pytest.fixture
def played(build, season) -> Match:
    """Northgate beat Old Mill; a match of two others is to come."""
    build.match("Lakeside", "Redfield", season=season, kickoff_at=build.now + timedelta(hours=3))
    return build.match("Northgate", "Old Mill", season=season, kickoff_at=build.now - timedelta(days=8), goals=(2, 0))


def rows(client) -> str:
    """The table of the league: places, clubs, form and points."""
    table = re.search(r"<tbody>.*?</tbody>", client.get(LEAGUE).content.decode(), re.DOTALL)
    assert table
    return re.sub(r"<[^>]+>|\s+", " ", table.group())


class TestKeptParts:
    def test_a_part_is_found_until_it_is_too_old(self):
        now = [0.0]
        parts = PartCache(seconds=60.0, clock=lambda: now[0])
        parts.set(("a", 1), SafeString("one"))
        now[0] = 59.0
        assert parts.get(("a", 1)) == "one"
        assert parts.get(("a", 2)) is None
        now[0] = 60.0
        assert parts.get(("a", 1)) is None

    def test_the_part_that_was_not_asked_for_the_longest_goes_first(self):
        parts = PartCache(characters=6)
        for name in "abc":
            parts.set(name, SafeString(name * 2))
        parts.get("a")
        parts.set("d", SafeString("dd"))
        assert [parts.get(name) for name in "abcd"] == ["aa", None, "cc", "dd"]

    def test_a_part_that_is_kept_again_counts_once(self):
        parts = PartCache(characters=6)
        for _ in range(9):
            parts.set("a", SafeString("aaaa"))
        parts.set("b", SafeString("bb"))
        assert parts.get("a") == "aaaa"

    def test_a_part_larger_than_all_may_be_is_not_kept(self):
        parts = PartCache(characters=6)
        parts.set("a", SafeString("a" * 7))
        assert parts.get("a") is None


class TestStateOfASeason:
    @pytest.mark.parametrize("change", ["result", "kick-off", "name", "deduction", "verdict", "play-off", "deletion"])
    def test_whatever_the_table_is_made_of_changes_it(self, build, season, played, change):
        before = state_of_season(season)
        decision = {
            "season": season,
            "decided_on": build.now.date(),
            "reason": "unpaid wages",
            "source": "the league",
            "recorded_at": build.now,
        }
        match change:
            case "result":
                Match.objects.filter(pk=played.pk).update(home_goals=3)
            case "kick-off":
                Match.objects.filter(home_goals=None).update(kickoff_at=build.now + timedelta(hours=4))
            case "name":
                Team.objects.filter(name="Redfield").update(short_name="Reds")
            case "deduction":
                PointsAdjustment.objects.create(team=played.home_team, points=-3, **decision)
            case "verdict":
                AwardedResult.objects.create(
                    home_team=played.home_team,
                    away_team=played.away_team,
                    played_on=played.kickoff_at.date(),
                    home_goals=0,
                    away_goals=3,
                    **decision,
                )
            case "play-off":
                Match.objects.filter(pk=played.pk).update(
                    stage=Stage.objects.create(season=season, name=PLAY_OFF_STAGE)
                )
            case "deletion":
                Match.objects.filter(home_goals=None).delete()
        assert state_of_season(season) != before

    def test_nothing_else_changes_it(self, build, season, played):
        before = state_of_season(season)
        other = build.season("Shield League")
        build.match("Eastport", "Westport", season=other, goals=(1, 0), kickoff_at=build.now - timedelta(days=1))
        Team.objects.filter(name="Eastport").update(short_name="East")
        assert state_of_season(season) == before

    def test_while_it_is_the_same_no_match_of_the_season_is_read(self, client, played):
        client.get(LEAGUE)
        with CaptureQueriesContext(connection) as queries:
            client.get(LEAGUE)
        reads = [query["sql"] for query in queries if re.search(r'FROM "matches_match" WHERE', query["sql"])]
        assert reads == []


class TestPageOfALeague:
    def test_a_corrected_result_is_in_the_table_at_once(self, client, played):
        assert re.search(r"1\s+NOR\s+Northgate\s+W\s+1 \s*\+2 \s*3", rows(client))
        Match.objects.filter(pk=played.pk).update(home_goals=0, away_goals=1)
        assert re.search(r"1\s+OLM\s+Old Mill\s+W", rows(client))

    def test_a_club_with_a_new_name_has_it_at_once(self, client, played):
        rows(client)
        Team.objects.filter(name="Northgate").update(short_name="The Gate")
        assert "The Gate" in rows(client)

    def test_a_deduction_is_in_the_table_at_once(self, client, build, season, played):
        rows(client)
        PointsAdjustment.objects.create(
            season=season,
            team=played.home_team,
            points=-6,
            decided_on=build.now.date() - timedelta(days=1),
            reason="unpaid wages",
            source="the league",
            recorded_at=build.now,
        )
        assert "−3" in rows(client)

    def test_the_followed_team_of_one_reader_is_not_marked_for_another(self, client, played):
        client.cookies["follow"] = str(played.home_team_id)
        assert "Stop following" in client.get(LEAGUE).content.decode()
        del client.cookies["follow"]
        assert "Stop following" not in client.get(LEAGUE).content.decode()


class TestOtherPages:
    def test_a_row_of_today_has_the_new_forecast_at_once(self, client, build, champion, season):
        match = build.match(kickoff_at=build.now + timedelta(hours=2))
        build.prediction(match, champion, (0.5, 0.3, 0.2))
        assert "home 50%" in client.get("/").content.decode()
        build.prediction(match, champion, (0.6, 0.2, 0.2), data_snapshot=2)
        assert "home 60%" in client.get("/").content.decode()

    def test_the_days_of_today_count_a_new_match(self, client, build, season):
        build.match(kickoff_at=build.now + timedelta(hours=2))
        assert "Today 1 match" in text_of(client.get("/"))
        build.match("Lakeside", "Redfield", kickoff_at=build.now + timedelta(hours=2))
        assert "Today 2 matches" in text_of(client.get("/"))

    def test_the_page_of_a_match_has_the_earlier_match_that_was_just_stored(self, client, build, champion, season):
        match = build.match(kickoff_at=build.now + timedelta(hours=2))
        address = f"/matches/{match.pk}/"
        assert "None yet." in text_of(client.get(address))
        build.match(kickoff_at=build.now - timedelta(days=30), goals=(4, 4), season=build.season(label="2025-26"))
        assert "4–4" in text_of(client.get(address))

    def test_the_result_of_a_match_is_on_the_page_of_its_team_at_once(self, client, build, season, played):
        assert "2–0 at home to Old Mill" in text_of(client.get("/teams/northgate/"))
        Match.objects.filter(pk=played.pk).update(home_goals=5)
        assert "5–0 at home to Old Mill" in text_of(client.get("/teams/northgate/"))

    def test_the_list_of_leagues_has_the_next_match_at_once(self, client, build, season, played):
        assert "next Mon 23 Nov" in text_of(client.get("/competitions/"))
        Match.objects.filter(home_goals=None).update(kickoff_at=build.now + timedelta(days=2))
        assert "next Wed 25 Nov" in text_of(client.get("/competitions/"))

    def test_parts_are_in_the_zone_of_each_reader(self, client, build, season):
        build.match(kickoff_at=build.now + timedelta(hours=2))
        client.cookies["zone"] = "Europe/Berlin"
        assert "15:00" in text_of(client.get("/"))
        client.cookies["zone"] = "Asia/Tokyo"
        assert "23:00" in text_of(client.get("/"))
