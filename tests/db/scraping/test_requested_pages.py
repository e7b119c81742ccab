"""Which pages a run asks for, and from which moment a page counts."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.matches.models import Match
from apps.scraping.models import ScrapeRun
from apps.scraping.responses import FetchError, FetchOutcome
from tests.db.scraping.conftest import NOW
from tests.db.scraping.small_site import COMING, FEED, HOME, MORE, ONE, TWO, somebody_waits
from tests.fakes import door_of, page_of

pytestmark = pytest.mark.django_db


def test_a_final_page_is_never_requested_again(filled):
    filled.site.rules = {FEED: {"final_after": NOW - timedelta(days=9)}}
    filled.visit()
    filled.clock.later(days=40)
    filled.visit()
    assert filled.fetcher.asked == [HOME, FEED, HOME]


def test_a_page_that_was_fetched_before_it_became_final_is_requested_once_more(filled):
    filled.site.rules = {FEED: {"final_after": NOW + timedelta(days=9)}}
    for days in (0, 10, 10):
        filled.clock.later(days=days)
        filled.visit()
    assert filled.fetcher.asked.count(FEED) == 2


def test_a_young_page_serves_until_its_age(filled):
    filled.site.rules = {FEED: {"max_age": timedelta(hours=1)}}
    for minutes in (0, 59, 2):
        filled.clock.later(minutes=minutes)
        filled.visit()
    assert filled.fetcher.asked.count(FEED) == 2


def test_a_leaf_that_a_run_has_taken_is_not_even_read_again(filled):
    filled.site.rules = {FEED: {"final_after": NOW, "is_leaf": True}}
    filled.visit()
    filled.clock.later(minutes=2)
    report = filled.visit()
    assert (report.outcome, report.same) == ("unchanged", 0)
    assert ScrapeRun.objects.order_by("-pk")[0].pages[1]["came"] == "taken before"


def test_the_final_version_of_a_leaf_is_taken_although_an_earlier_one_was(filled):
    filled.site.rules = {FEED: {"final_after": NOW + timedelta(hours=6), "is_leaf": True}}
    filled.visit()
    filled.fetcher.pages[HOME] = page_of(follow=(FEED, MORE))
    filled.fetcher.pages[FEED] = page_of(ONE | {"goals": (2, 2)}, TWO, COMING)
    filled.fetcher.faults = {MORE: FetchError(FetchOutcome.HTTP_ERROR, "reset")}
    filled.clock.later(hours=7)
    assert filled.visit().outcome == "http_error"
    filled.fetcher.faults, filled.fetcher.pages[MORE] = {}, page_of()
    filled.clock.later(minutes=2)
    assert filled.visit().changed == 1
    assert Match.objects.get(refs__source_id="1").away_goals == 2
    assert filled.fetcher.asked.count(FEED) == 2


def test_final_pages_that_contradict_each_other_are_requested_again_by_the_next_run_alone(filled):
    filled.fetcher.pages[HOME] = page_of(follow=(FEED, MORE, "http://fake/third"))
    filled.fetcher.pages |= {MORE: page_of(ONE | {"goals": (3, 3)}), "http://fake/third": page_of({"number": 9})}
    filled.site.rules = {key: {"final_after": NOW - timedelta(days=9)} for key in (FEED, MORE, "http://fake/third")}
    assert filled.visit().outcome == "invalid"
    filled.fetcher.pages[MORE] = page_of(ONE)
    filled.clock.later(minutes=2)
    assert filled.visit().outcome == "stored"
    assert filled.fetcher.asked.count(FEED) == filled.fetcher.asked.count(MORE) == 2
    assert filled.fetcher.asked.count("http://fake/third") == 1
    filled.clock.later(minutes=2)
    assert filled.visit().outcome == "unchanged"
    assert filled.fetcher.asked.count(MORE) == 2


def test_pages_that_contradict_each_other_are_not_requested_again_by_a_later_slice(filled):
    other = door_of("http://fake/other")
    filled.site.first = [*filled.site.first, other]
    filled.fetcher.pages[HOME] = page_of(ONE, follow=(FEED,))
    filled.fetcher.pages |= {
        FEED: page_of(ONE | {"goals": (3, 3)}),
        other.url: page_of(follow=(MORE,)),
        MORE: page_of(),
    }
    filled.site.rules = {FEED: {"final_after": NOW - timedelta(days=9)}}
    filled.ask()
    somebody_waits(filled)
    reports = [report for report in filled.work(slice_seconds=0.0) if report.source == "sandbox"]
    assert reports[-1].outcome == "invalid"
    # Once for each of the two sources.
    assert filled.fetcher.asked.count(FEED) == 2


@pytest.fixture
def moments(filled, monkeypatch):
    """The moments at which the feed came, as its reader was given them."""
    told = []
    original = filled.site.read

    def read(request, page, job):
        if request.url == FEED:
            told.append(page.fetched_at)
        return original(request, page, job)

    monkeypatch.setattr(filled.site, "read", read)
    return told


@pytest.mark.parametrize("answers", ["304", "the same page"])
def test_a_page_that_is_as_it_was_counts_from_the_moment_of_its_confirmation(filled, moments, answers):
    filled.visit()
    filled.fetcher.unchanged = {FEED} if answers == "304" else set()
    filled.clock.later(hours=3)
    filled.fetcher.pages[HOME] = page_of(follow=(FEED, MORE))
    filled.fetcher.pages[MORE] = page_of()
    filled.ask()
    somebody_waits(filled)
    filled.fetcher.seconds = 1
    filled.work(slice_seconds=0.0)
    # The feed is the second page of its slice's run; a later slice reads it as of the same moment.
    assert moments[0] == NOW
    assert len(moments) > 2
    assert all(moment - NOW >= timedelta(hours=3) for moment in moments[1:])


def test_a_final_page_counts_from_the_moment_at_which_it_came(filled, moments):
    filled.site.rules = {FEED: {"final_after": NOW - timedelta(days=9)}}
    filled.visit()
    filled.clock.later(days=1)
    filled.visit()
    assert moments == [NOW, NOW]


def test_a_kept_page_whose_bytes_are_gone_is_requested_anew(filled, raw_pages):
    filled.site.rules = {FEED: {"final_after": NOW - timedelta(days=9)}}
    filled.visit()
    for file in raw_pages.rglob("*.gz"):
        file.write_bytes(b"rust")
    filled.clock.later(minutes=2)
    assert filled.visit().outcome == "unchanged"
    assert filled.fetcher.asked == [HOME, FEED, HOME, FEED]
