"""Kept pages that are read again, with no request."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest

from apps.matches.models import Match
from apps.scraping import selectors, services
from apps.scraping.models import ScrapeRun
from apps.scraping.services import runs
from apps.scraping.services.runs import ATTEMPTS
from apps.scraping.sources import Request
from tests.db.scraping.conftest import NOW
from tests.db.scraping.small_site import COMING, FEED, HOME, MORE, ONE, TWO, forget_matches
from tests.fakes import door_of, page_of

pytestmark = pytest.mark.django_db


def test_kept_pages_give_the_same_rows_again_with_no_request(filled):
    filled.visit()
    filled.fetcher.pages[FEED] = page_of(ONE, TWO | {"goals": (3, 3)}, COMING)
    filled.clock.later(minutes=5)
    filled.visit()
    before = list(Match.objects.order_by("refs__source_id").values("kickoff_at", "status", "home_goals", "away_goals"))
    forget_matches()
    asked = len(filled.fetcher.asked)
    services.request_reparse(source=filled.source, by="somebody", now=filled.clock())
    report = filled.work()[-1]
    assert (report.outcome, report.created) == ("stored", 3)
    after = list(Match.objects.order_by("refs__source_id").values("kickoff_at", "status", "home_goals", "away_goals"))
    assert after == before
    assert len(filled.fetcher.asked) == asked


def test_reading_kept_pages_again_when_all_is_stored_changes_nothing(filled):
    filled.visit()
    services.request_reparse(source=filled.source, by="somebody", now=filled.clock())
    assert filled.work()[-1].outcome == "unchanged"


def test_a_page_that_was_not_believed_is_not_believed_when_it_is_read_again(filled):
    filled.fetcher.pages[FEED] = page_of(*({"number": number, "goals": (1, 0)} for number in range(20)))
    for _ in range(3):
        filled.visit()
        filled.clock.later(minutes=2)
        # Another page each time, so that each is kept.
        filled.fetcher.pages[FEED] = filled.fetcher.pages[FEED] | {"edition": str(filled.clock())}
    filled.fetcher.pages[FEED] = page_of({"number": 1, "goals": (5, 5)})
    assert filled.visit().outcome == "invalid"
    services.request_reparse(source=filled.source, by="somebody", now=filled.clock())
    assert filled.work()[-1].outcome == "unchanged"


def test_a_kept_page_that_could_never_be_read_is_passed_over(filled):
    filled.visit()
    filled.fetcher.pages[FEED] = {"games": []}
    filled.clock.later(minutes=2)
    filled.visit()
    forget_matches()
    services.request_reparse(source=filled.source, by="somebody", now=filled.clock())
    report = filled.work()[-1]
    assert (report.outcome, report.created) == ("stored", 3)
    assert ScrapeRun.objects.get(pk=report.run_id).notes == {"stored pages without the list of matches": 1}


def test_a_source_without_a_kept_page_cannot_be_read_again(stage):
    with pytest.raises(services.WindowError, match="No page of sandbox is stored yet"):
        services.request_reparse(source=stage.source, by="somebody", now=NOW)


def test_a_re_reading_that_others_wait_for_goes_on_behind_the_chains_that_it_has_stored(filled, monkeypatch):
    filled.fetcher.pages[HOME] = page_of({"number": 7, "goals": (0, 1)}, follow=(FEED, MORE))
    filled.fetcher.pages[MORE] = page_of({"number": 4, "goals": (1, 1)}, notes={"odd": 2})
    filled.site.rules = {key: {"begins_chain": True} for key in (FEED, MORE)}
    assert filled.visit().created == 5
    forget_matches()
    services.request_reparse(source=filled.source, by="somebody", now=filled.clock())
    read = []
    original = filled.site.read

    def reading(request, page, job):
        read.append(request.url)
        return original(request, page, job)

    monkeypatch.setattr(filled.site, "read", reading)
    monkeypatch.setattr(selectors, "is_other_run_waiting", lambda run: True)
    reports = filled.work(slice_seconds=0.0)
    assert [report.outcome for report in reports] == ["", "", "stored"]
    assert [report.created for report in reports] == [1, 4, 5]
    assert read == [HOME, HOME, FEED, HOME, MORE]
    run = ScrapeRun.objects.get(scope="reparse")
    assert (run.created, run.same, run.records, run.pages_done, run.pages_known) == (5, 0, 5, 3, 3)
    assert run.notes == {"odd": 2}
    assert Match.objects.count() == 5


def test_a_chain_that_cannot_be_read_again_is_reported_at_the_end_of_all_slices(filled, monkeypatch):
    filled.fetcher.pages[HOME] = page_of(follow=(FEED, MORE))
    filled.fetcher.pages[MORE] = page_of({"number": 4, "goals": (1, 1)})
    filled.site.rules = {url: {"begins_chain": True} for url in (FEED, MORE)}
    filled.visit()
    forget_matches()
    services.request_reparse(source=filled.source, by="somebody", now=filled.clock())
    original = filled.site.read

    def reading(request, page, job):
        told = original(request, page, job)
        return replace(told, follow=[door_of("http://fake/" + "x" * 1000)]) if request.url == FEED else told

    monkeypatch.setattr(filled.site, "read", reading)
    monkeypatch.setattr(selectors, "is_other_run_waiting", lambda run: True)
    reports = filled.work(slice_seconds=0.0)
    assert len(reports) > 1
    assert (reports[-1].outcome, reports[-1].created) == ("invalid", 1)


@pytest.mark.parametrize("scope", ["reparse", "results"])
def test_a_run_whose_kept_pages_alone_use_up_the_time_ends_and_says_so(filled, monkeypatch, scope):
    filled.site.rules = {FEED: {"final_after": NOW - timedelta(days=9)}}
    filled.fetcher.pages[HOME] = page_of(follow=(FEED, MORE))
    filled.site.first = [Request(HOME, "home", final_after=NOW - timedelta(days=9))]
    filled.visit()
    if scope == "reparse":
        services.request_reparse(source=filled.source, by="somebody", now=filled.clock())
    else:
        filled.ask()
    monkeypatch.setattr(runs, "FAIR_TIME", 0.0)
    seconds = itertools.count(step=10.0)
    monkeypatch.setattr(runs.time, "monotonic", lambda: next(seconds))
    reports = []
    while not reports or not reports[-1].outcome:
        reports += filled.work(budget=25.0)
    assert (len(reports), reports[-1].outcome) == (ATTEMPTS + 1, "failed")
    assert "spent its time on stored pages only" in reports[-1].detail
