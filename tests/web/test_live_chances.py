"""Chances of a match in play for programs: in the answer of its forecast, in pages of events and in webhooks."""

from __future__ import annotations

import re
from datetime import timedelta

import pytest

from apps.api.services import webhooks
from apps.matches import events
from apps.matches.ingest.changes import publish_matches
from apps.matches.models import Event, LiveScore, Match
from tests.web.test_direct import Direct
from tests.web.test_events_api import document, validator_of
from tests.web.test_response_cache import Site, comparable, site

__all__ = ["document", "site"]  # fixtures


@pytest.fixture
def match(build, champion) -> Match:
    """A match in its 67th minute, of which Northgate were favourites with 50%."""
    found = build.match(kickoff_at=build.now - timedelta(minutes=80), status="live")
    build.prediction(found, champion, (0.5, 0.3, 0.2))
    return found


@pytest.fixture
def score(build, match) -> LiveScore:
    """Old Mill lead, as a feed said nine minutes ago."""
    read_at = build.now - timedelta(minutes=9)
    return LiveScore.objects.create(match=match, source="feed", minute=67, home_goals=0, away_goals=1, read_at=read_at)


def address(match: Match) -> str:
    return f"/api/v1/matches/{match.pk}/prediction/"


def live(client, match: Match, query: str = "") -> dict | None:
    return client.get(address(match) + query).json()["live"]


class TestAnswer:
    def test_it_has_minute_score_and_chances_that_sum_to_one(self, client, score):
        found = live(client, score.match)
        assert {name: found[name] for name in ("minute", "home_goals", "away_goals", "read_at")} == {
            "minute": 67,
            "home_goals": 0,
            "away_goals": 1,
            "read_at": "2026-11-23T11:51:00Z",
        }
        assert sum(found["probabilities"].values()) == pytest.approx(1.0, abs=1e-9)
        assert found["probabilities"]["home"] < 0.15
        assert found["probabilities"]["away"] > 0.5

    def test_the_forecast_beside_it_stays_what_it_was(self, client, match, score):
        answer = client.get(address(match)).json()
        assert answer["probabilities"] == {"home": 0.5, "draw": 0.3, "away": 0.2}
        assert answer["is_frozen"] is True

    def test_it_says_what_the_page_says(self, client, match, score):
        found = live(client, match)["probabilities"]
        page = re.sub(r"<[^>]+>|\s+", " ", client.get(f"/matches/{match.pk}/").content.decode())
        said = re.search(r"now win (\d+) times in a hundred, Old Mill\s+(\d+); a draw comes (\d+) times", page)
        assert said
        for percent, name in zip(said.groups(), ("home", "away", "draw"), strict=True):
            assert abs(int(percent) - 100 * found[name]) < 1

    def test_it_is_null_without_news(self, client, build, match, score):
        score.read_at = build.now - timedelta(minutes=10)
        score.save()
        assert live(client, match) is None
        score.delete()
        assert live(client, match) is None

    def test_it_is_null_once_the_match_is_over(self, client, match, score):
        Match.objects.filter(pk=match.pk).update(status="finished", home_goals=0, away_goals=1, known_at=score.read_at)
        assert live(client, match) is None

    def test_it_is_null_for_what_stood_at_a_moment(self, client, match, score):
        assert live(client, match, f"?as_of={match.kickoff_at:%Y-%m-%dT%H:%M:%SZ}") is None

    def test_a_what_if_has_none(self, client, answers, match):
        answer = client.get("/api/v1/what-if/?home=northgate&away=old-mill")
        assert answer.status_code == 200
        assert "live" not in answer.json()

    def test_a_kept_answer_ends_when_its_score_is_too_old(self, site: Site, build, match, score):
        assert site.slow(address(match)).status == 200
        assert site.keep[1] == (score.read_at + timedelta(minutes=10)).timestamp()
        score.read_at = build.now
        score.save()
        site.slow(address(match))
        assert site.keep[1] == (build.now + timedelta(minutes=5)).timestamp()

    def test_it_is_the_same_without_djangos_middlewares(self, site: Site, build, champion, match, score):
        direct, other = Direct(site), build.match("Westham")
        build.prediction(other, champion)
        direct(address(other))
        asked = direct.asked
        made = direct(address(match))
        assert direct.asked == asked
        assert b'"minute":67' in made.body
        assert comparable(made) == comparable(direct.by_django(address(match)))


def publish(match: Match, score: LiveScore | None, now) -> None:
    """Publish a change of a match as an ingest does, and number it."""
    publish_matches([match], now=now, live={match.pk: score} if score else {})
    events.number_events()


class TestEvents:
    def test_an_event_of_a_score_has_the_chances_that_the_answer_has(self, client, document, build, match, score):
        publish(match, score, build.now)
        (event,) = client.get("/api/v1/events/?after=0").json()["results"]
        probabilities = live(client, match)["probabilities"]
        assert event["payload"]["live"] == {
            "minute": 67, "home_goals": 0, "away_goals": 1, "probabilities": probabilities
        }  # fmt: skip
        validator_of(document, "Event").validate({"type": "event"} | event)

    def test_an_event_that_is_read_again_later_has_the_chances_of_its_score(self, client, build, match, score):
        publish(match, score, build.now)
        first = client.get("/api/v1/events/?after=0").json()["results"]
        score.minute, score.home_goals = 89, 1
        score.save()
        publish(match, score, build.now)
        again = client.get("/api/v1/events/?after=0").json()["results"]
        assert again[:1] == first
        assert again[1]["payload"]["live"]["probabilities"]["draw"] > 0.7

    def test_without_a_forecast_they_are_null(self, client, document, build, champion):
        match = build.match(kickoff_at=build.now - timedelta(minutes=80), status="live")
        score = LiveScore.objects.create(
            match=match, source="feed", minute=90, home_goals=2, away_goals=2, read_at=build.now
        )
        publish(match, score, build.now)
        (event,) = client.get("/api/v1/events/?after=0").json()["results"]
        assert event["payload"]["live"]["probabilities"] is None
        validator_of(document, "Event").validate({"type": "event"} | event)

    def test_a_change_without_a_score_has_no_such_member_and_needs_no_query(
        self, client, build, match, django_assert_num_queries
    ):
        publish(match, None, build.now)
        (row,) = Event.objects.all()
        with django_assert_num_queries(0):
            (message,) = webhooks.messages_of([row])
        assert "live" not in message["payload"]

    def test_many_events_of_scores_need_one_query(self, build, match, score, django_assert_num_queries):
        for minute in (67, 68, 69):
            score.minute = minute
            publish(match, score, build.now)
        rows = list(Event.objects.order_by("number"))
        with django_assert_num_queries(1):
            messages = webhooks.messages_of(rows)
        assert [message["payload"]["live"]["minute"] for message in messages] == [67, 68, 69]

    def test_what_is_stored_is_not_changed(self, build, match, score):
        publish(match, score, build.now)
        (row,) = Event.objects.all()
        webhooks.messages_of([row])
        assert "probabilities" not in row.payload["live"]
