"""WhoScored's parsers on pages that are not what they should be."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.scraping.sources import CrawlJob, Page, ParseError, Reading, Request, ScrapeScope, WhoScored, Window
from apps.scraping.sources.whoscored.pages import DEEPEST_NESTING, LARGEST_PAGE
from tests.pure.scraping.test_whoscored import centre, entry, feed
from tests.pure.scraping.test_whoscored_golden import CASES, FETCHED_AT, FOLDER, read

CALENDAR_MASK = "key mask of years, months from 0 and days"
FIXTURES = 'selector a[href*="/fixtures" i] or select#stages option with a stage'


@pytest.mark.parametrize(
    ("name", "content", "missing"),
    [
        ("home.html", "<html></html>", "variable allRegions"),
        ("home.html", "<script>var allRegions = null;</script>", "variable allRegions"),
        ("home.html", "<script>var allRegions = [{</script>", "a readable value of allRegions"),
        ("home.html", "<script>var allRegions = {};</script>", "a list in variable allRegions"),
        ("home.html", "<script>var allRegions = [];</script>", "a tournament in variable allRegions"),
        ("tournament.html", "<html></html>", "selector select#seasons"),
        ("tournament.html", '<select id="seasons"></select>', "selector select#seasons option with a season"),
        ("season.html", "<html></html>", FIXTURES),
        ("stage.html", "<html></html>", "variable wsCalendar"),
        ("stage.html", "<script>wsCalendar = {min: 1};</script>", "key mask"),
        ("stage.html", "<script>wsCalendar = {mask: {2020: {12: {1: 1}}}};</script>", CALENDAR_MASK),
        ("stage.html", "<script>wsCalendar = {mask: {2020: 4}};</script>", CALENDAR_MASK),
        ("feed.month.json", "<html><body>Just a moment...</body></html>", "valid JSON"),
        ("feed.month.json", "[]", "key tournaments"),
        ("feed.month.json", '{"tournaments": [{}]}', "key matches"),
        ("feed.month.json", '{"tournaments": [{"matches": [], "regionId": 252, "tournamentId": 2}]}', "key seasonName"),
        ("match_centre.html", "<html></html>", 'variable require.config.params["args"]'),
        ("match_centre.html", '<script>require.config.params["args"] = {matchId: 1}</script>', "key matchCentreData"),
        ("match_centre.html", '<script>require.config.params["args"] = {matchCentreData: {}}</script>', "key home"),
        ("match_centre.html", "require.config.params.args = {matchCentreData: {home: {}}}", "key teamId"),
        ("preview.html", "<html></html>", "selector div#missing-players"),
    ],
)  # fmt: skip
def test_a_page_that_has_changed_names_what_is_missing(name: str, content: str, missing: str) -> None:
    with pytest.raises(ParseError) as caught:
        read(name, content.encode())
    assert (caught.value.missing, caught.value.where) == (missing, f"https://football.test/{name}")


def test_a_page_of_an_unknown_kind_or_place_is_an_error() -> None:
    job = CrawlJob(ScrapeScope.RESULTS, Window(date(2032, 2, 1), date(2032, 2, 1)), FETCHED_AT)
    page = Page("x", b"<html></html>", FETCHED_AT)
    for request in (Request("x", "shop"), Request("x", "match_centre"), Request("x", "feed")):
        with pytest.raises(ParseError):
            WhoScored().read(request, page, job)


N = 150_000
WORK = 60.0
"""Processor seconds, which no other process uses up; work that grows with the square of N takes many more."""
HOSTILE = {
    "nested elements": b"<div>" * N,
    "nested and closed elements": b"<div>" * N + b"</div>" * N,
    "open options": b'<select id="seasons">' + b"<option>" * N,
    "open rows": b'<div id="missing-players">' + b"<table><tr><td>" * N,
    "open formatting": b"<b><i><a href=x>" * N,
    "nested lists": b"var allRegions = " + b"[" * N + b"]" * N,
    "nested objects": b"wsCalendar = " + b"{a:" * N + b"1" + b"}" * N,
    "an endless string": b'require.config.params["args"] = {a: "' + b"x" * 1_500_000,
    "endless escapes": b"var allRegions = ['" + b"\\x4" * N,
    "endless spaces": b"allRegions" + b" " * 1_500_000 + b"!",
    "many beginnings": b"allRegions = [" * N,
    "many variables": b"wsCalendar = 1;" * N,
    "nested JSON": b'{"tournaments":' + b"[" * N + b"]" * N + b"}",
    "one long number": b'{"tournaments": ' + b"9" * 1_500_000 + b"}",
    "wrappers without an end": b"<pre" * N,
    "pre within pre": b"<pre>" * N + b"{}",
    "zeros": bytes(1_500_000),
    "links": b'<a href="/regions/252/tournaments/2/seasons/1/stages/1/fixtures/">' * (N // 4),
    "entities": b"<pre>" + b"&#x110000;&lt" * N,
    "too large": b" " * (LARGEST_PAGE + 1),
}


@pytest.mark.parametrize("what", HOSTILE)
def test_a_hostile_page_ends_as_a_parse_error_after_little_work(what: str) -> None:
    for name in (
        "home.html",
        "tournament.html",
        "season.html",
        "stage.html",
        "feed.month.json",
        "match_centre.html",
        "preview.html",
    ):
        began = time.process_time()
        with pytest.raises(ParseError):
            read(name, HOSTILE[what])
        assert time.process_time() - began < WORK, name


def test_a_page_as_deep_as_the_limit_is_read_with_little_work() -> None:
    body = b"<div>" * (DEEPEST_NESTING - 1) + b"<p>x</p>" * 500_000 + b"</div>" * (DEEPEST_NESTING - 1)
    began = time.process_time()
    with pytest.raises(ParseError, match="select#seasons"):
        read("tournament.html", body)
    assert time.process_time() - began < WORK


@settings(max_examples=60)
@given(st.sampled_from(CASES), st.binary(max_size=300))
def test_random_bytes_are_read_or_end_as_a_parse_error(name: str, content: bytes) -> None:
    accepts_or_refuses(name, content)


@settings(max_examples=200)
@given(st.data())
def test_a_damaged_page_is_read_or_ends_as_a_parse_error(data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(CASES))
    content = bytearray((FOLDER / name).read_bytes())
    for _ in range(data.draw(st.integers(0, 4))):
        place = data.draw(st.integers(0, len(content) - 1))
        content[place : place + data.draw(st.integers(0, 3))] = data.draw(st.binary(max_size=3))
    accepts_or_refuses(name, bytes(content[: data.draw(st.integers(0, len(content)))]))


CENTRE_KEYS = [
    "home",
    "away",
    "events",
    "score",
    "htScore",
    "ftScore",
    "referee",
    "attendance",
    "playerIdNameDictionary",
]
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8) | st.just("2020-09-12T11:30:00Z"),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(max_size=4), children, max_size=3),
    max_leaves=8,
)


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from([*entry(), "incidents", "bets", "winnerField", "homePenaltyScore"]), JSON))
def test_whatever_an_entry_holds_it_is_a_match_or_a_refusal(more: dict[str, Any]) -> None:
    found = feed(entry(**more), entry(id=77))
    placeholders = found.notes["placeholders whose teams are not decided"]
    assert len(found.records) + len(found.refused) + placeholders + found.notes["matches listed twice"] >= 1
    assert "77" in {record.source_id for record in found.records}


@settings(max_examples=300)
@given(st.dictionaries(st.sampled_from(CENTRE_KEYS), JSON))
def test_whatever_a_match_centre_holds_it_is_read_or_ends_as_a_parse_error(more: dict[str, Any]) -> None:
    accepts_or_refuses("match_centre.html", centre(**more))


def accepts_or_refuses(name: str, content: bytes) -> None:
    try:
        reading = read(name, content)
    except ParseError:
        return
    assert isinstance(reading, Reading)
