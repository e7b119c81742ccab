"""The gap to the closing line on the record page and over REST: live, back-tested, their difference, and the power."""

from __future__ import annotations

import pytest

from tests.web.test_pages import text_of

ROUTE = "/api/v1/scores/closing-gap/"
TITLE = "As good live as in the back-test?"


@pytest.fixture
def run(build, champion):
    return build.run(kind="back-test", back_test_of=champion, status="succeeded")


def section(client, query: str = "") -> str:
    """What the record page says about the gap."""
    return text_of(client.get("/track-record/" + query)).split(TITLE)[1].split("Every graded match")[0]


def interval(low: float, high: float) -> dict:
    both = {"mean": (low + high) / 2, "low": low, "high": high}
    return {"log_loss": both, "rps": both, "points": 19 * (low + high)}


def test_the_page_says_how_it_stands_and_how_many_matches_would_show_a_difference(client, build, champion, run):
    build.gap(champion, run)
    said = section(client)
    for words in (
        "As far as chance lets us tell.",
        "we stand at −0.8 points live, and at −0.6 points in the back-test",
        "After about 2,400 more graded matches with closing prices a difference of 0.4 points would show in 8 of 10 "
        "cases.",
        "Live 120 +0.0200 0.0000 to +0.0400",
        "Back-tested 500 +0.0150 −0.0050 to +0.0350",
        "Difference +0.0050 −0.0150 to +0.0250",
        "model 1 on the latest finished season of each league, August 2025 to May 2026",
        "a difference of 0.0300 nats shows in 8 of 10 cases",
    ):
        assert words in said


@pytest.mark.parametrize(
    ("low", "high", "words"),
    [(0.001, 0.01, "No, worse."), (-0.01, -0.001, "Yes, even better."), (None, None, "Too early to say.")],
)
def test_the_verdict_is_that_of_the_interval(client, build, champion, run, low, high, words):
    found = interval(low or 0.0, high or 0.0)
    if low is None:
        found["log_loss"] = found["rps"] = {"mean": 0.0, "low": None, "high": None}
    build.gap(champion, run, difference=found)
    assert words in section(client)


def test_a_season_that_is_too_short_for_any_number_of_matches_is_called_so(client, build, champion, run):
    made = build.gap(champion, run)
    made.content["power"] |= {"needed": None, "more": None}
    made.save()
    said = section(client)
    assert "These seasons are too short to show a difference of 0.4 points in 8 of 10 cases" in said
    assert "the smallest that they can show is 0.3 points" in said


def test_enough_matches_are_called_enough(client, build, champion, run):
    made = build.gap(champion, run)
    made.content["power"] |= {"needed": 100, "more": 0}
    made.save()
    assert "Enough matches are graded for a difference of 0.4 points to show in 8 of 10 cases." in section(client)


def test_without_a_model_the_page_speaks_of_none(client, db):
    assert "Not known yet. No model forecasts yet." in section(client)


def test_before_anything_is_known_the_page_says_what_is_missing(client, build, champion, run):
    assert "has no back-test of its own yet" in section(client)
    made = build.gap(None, None, back_test=None, difference=None, power=None)
    assert "has no back-test of its own yet" in section(client)
    assert "Live 120" in section(client)
    made.delete()
    build.gap(champion, run, live=None, difference=None)
    said = section(client)
    assert "No published forecast has been graded yet. In the back-test of the latest finished seasons we stand" in said
    assert "After about 2,400 more graded matches" in said


def test_matches_without_closing_prices_are_no_gap(client, build, champion, run):
    nothing = {"n": 0, "of": 40, "log_loss": None, "rps": None, "points": None}
    made = build.gap(champion, run, back_test=nothing, difference=None, power=None)
    assert "No match of the back-tested seasons has closing prices" in section(client)
    made.delete()
    build.gap(champion, run, live=nothing, difference=None)
    assert "No graded match has closing prices yet." in section(client)


def test_the_page_is_in_german_too(client, build, champion, run):
    build.gap(champion, run)
    page = text_of(client.get("/track-record/", headers={"accept-language": "de"}))
    assert "Nach etwa 2.400 weiteren bewerteten Spielen" in page
    assert "Gegen die Schlussquoten stehen wir live bei −0,8 Punkten" in page


def test_programs_get_the_same_numbers(client, build, champion, run):
    made = build.gap(champion, run)
    found = client.get(ROUTE + "?world=sandbox").json()
    assert found["live"]["log_loss"] == made.content["live"]["log_loss"]
    assert found["back_test"]["rps"] == made.content["back_test"]["rps"]
    assert (found["back_test"]["version"], found["back_test"]["first_at"]) == (1, "2025-08-07T20:00:00Z")
    assert found["difference"]["log_loss"] == made.content["difference"]["log_loss"]
    assert (found["power"]["needed"], found["power"]["more"]) == (2465, 2345)


def test_a_world_of_which_nothing_is_known_is_null_and_an_unknown_world_refused(client, db):
    found = client.get(ROUTE + "?world=real").json()
    assert found == {"world": "real"} | dict.fromkeys(("live", "back_test", "difference", "power", "computed_at"))
    assert client.get(ROUTE + "?world=mars").status_code == 400
