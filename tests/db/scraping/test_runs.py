"""What comes of a run: its outcome, what it stores, and what it reports."""

from __future__ import annotations

import pytest
from django.db import OperationalError

from apps.matches.models import Event, Ingest, Match
from apps.scraping import selectors, services
from apps.scraping.models import Address, HostState, ScrapeRun, Snapshot
from apps.scraping.politeness import host_of
from apps.scraping.responses import FetchError, FetchOutcome, FetchResponse
from apps.scraping.sources import ParseError
from tests.db.scraping.conftest import NOW
from tests.db.scraping.small_site import FEED, FIRST_OF_TWO, HOME, MORE, ONE, TWO, tables
from tests.fakes import page_of

pytestmark = pytest.mark.django_db


def test_a_run_keeps_its_pages_and_stores_what_they_tell(filled):
    report = filled.visit()
    assert (report.outcome, report.created, report.pages) == ("stored", 3, 2)
    run = ScrapeRun.objects.get()
    assert (run.outcome, run.pages_done, run.pages_known, run.records, run.doing) == ("stored", 2, 2, 3, "")
    assert [page["kind"] for page in run.pages] == ["home", "list"]
    assert run.ingest == Ingest.objects.get()
    assert Snapshot.objects.count() == 2
    assert tables() == (3, 2, 1)


def test_the_same_run_twice_writes_no_row_but_its_own(filled):
    filled.visit()
    before = (Snapshot.objects.count(), Address.objects.count(), Match.objects.count())
    filled.clock.later(minutes=2)
    report = filled.visit()
    assert (report.outcome, report.created, report.changed) == ("unchanged", 0, 0)
    assert (Snapshot.objects.count(), Address.objects.count(), Match.objects.count()) == before


def test_what_matters_of_the_headers_is_kept_and_the_rest_is_not(filled):
    filled.visit()
    assert Snapshot.objects.first().headers == {"content-type": "application/json"}


def test_a_page_that_shows_no_list_any_more_stops_the_store_names_it_and_is_kept(filled):
    filled.visit()
    filled.fetcher.pages[FEED] = {"games": []}
    filled.clock.later(minutes=2)
    report = filled.visit()
    assert report.outcome == "changed_layout"
    assert "http://fake/feed does not show the list of matches" in report.detail
    assert "re-parse" in report.detail
    assert Snapshot.objects.filter(url=FEED).count() == 2
    assert tables() == (3, 2, 1)
    assert Event.objects.filter(topic="scrape.troubled").get().payload["outcome"] == "changed_layout"


def test_a_run_after_a_changed_layout_asks_for_the_page_again(filled):
    good = filled.fetcher.pages[FEED]
    filled.fetcher.pages[FEED] = {"games": []}
    assert filled.visit().outcome == "changed_layout"
    filled.fetcher.pages[FEED] = good
    filled.clock.later(minutes=2)
    assert filled.visit().outcome == "stored"


@pytest.mark.parametrize(
    ("outcome", "asked_on"),
    [(FetchOutcome.BLOCKED, False), (FetchOutcome.TIMEOUT, False), (FetchOutcome.HTTP_ERROR, True)],
)
def test_a_fault_ends_its_chain_and_a_block_or_a_silence_the_run(stage, outcome, asked_on):
    stage.site.first = [*stage.site.first, *FIRST_OF_TWO]
    stage.fetcher.pages = {MORE: page_of(TWO)}
    stage.fetcher.faults = {HOME: FetchError(outcome, "no luck", FetchResponse(HOME, 503, b"sorry", NOW))}
    report = stage.visit()
    assert report.outcome == outcome.value
    assert report.detail.startswith("no luck")
    assert (MORE in stage.fetcher.asked) is asked_on
    assert Match.objects.count() == (1 if asked_on else 0)
    assert Snapshot.objects.get(url=HOME).outcome == outcome.value


def test_half_a_chain_is_never_stored(filled):
    filled.fetcher.pages[HOME] = page_of(ONE, follow=(FEED, MORE))
    filled.fetcher.faults = {MORE: FetchError(FetchOutcome.HTTP_ERROR, "reset")}
    assert filled.visit().outcome == "http_error"
    assert tables() == (0, 0, 0)


def test_a_page_that_must_hold_matches_and_holds_none_is_empty(filled):
    filled.fetcher.pages[FEED] = page_of(may_be_empty=False)
    report = filled.visit()
    assert report.outcome == "empty"
    assert tables() == (0, 0, 0)


def test_far_fewer_matches_than_in_the_runs_before_are_not_believed(filled):
    filled.fetcher.pages[FEED] = page_of(*({"number": number, "goals": (1, 0)} for number in range(20)))
    for _ in range(3):
        assert filled.visit().outcome in ("stored", "unchanged")
        filled.clock.later(minutes=2)
    filled.fetcher.pages[FEED] = page_of({"number": 1, "goals": (5, 5)})
    report = filled.visit()
    assert report.outcome == "invalid"
    assert "1 matches where the latest 3 runs found 20 to 20" in report.detail
    assert Match.objects.get(refs__source_id="1").home_goals == 1


def test_counts_that_the_operator_accepts_are_believed_from_then_on(filled):
    filled.fetcher.pages[FEED] = page_of(*({"number": number, "goals": (1, 0)} for number in range(20)))
    for _ in range(3):
        filled.visit()
        filled.clock.later(minutes=2)
    filled.fetcher.pages[FEED] = page_of({"number": 1, "goals": (5, 5)})
    refused = filled.visit()
    run = ScrapeRun.objects.get(pk=refused.run_id)
    assert services.accept_counts(run=run, by="ann", now=NOW) == 1
    assert services.accept_counts(run=run, by="ann", now=NOW) == 0
    assert Address.objects.get(url=HOME).counts == [0, 0, 0]
    filled.clock.later(minutes=2)
    assert filled.visit().outcome == "stored"


def test_pages_that_contradict_each_other_store_nothing(filled):
    filled.fetcher.pages[HOME] = page_of(ONE, follow=(FEED,))
    filled.fetcher.pages[FEED] = page_of(ONE | {"goals": (3, 3)})
    report = filled.visit()
    assert report.outcome == "invalid"
    assert "ended 2–1 and 3–3" in report.detail
    assert tables() == (0, 0, 0)


def test_a_match_that_is_reported_twice_is_one(filled):
    filled.fetcher.pages[FEED] = page_of(ONE, ONE, TWO)
    report = filled.visit()
    assert (report.outcome, report.created, report.refused) == ("stored", 2, 0)


def test_a_page_that_may_be_missing_is_noted_and_the_others_count(stage):
    stage.fetcher.pages = {HOME: page_of(follow=(FEED, MORE)), MORE: page_of(ONE)}
    stage.site.rules = {FEED: {"may_be_missing": True}}
    report = stage.visit()
    assert (report.outcome, report.created) == ("stored", 1)
    assert ScrapeRun.objects.get().notes == {"list pages that are not there yet": 1}


@pytest.mark.parametrize("status", [300, 404, 410])
def test_pages_that_are_not_there_end_nothing_but_their_chains(stage, status):
    gone = [f"http://fake/gone/{n}" for n in range(5)]
    chains = {url: {"begins_chain": True} for url in (*gone, MORE)}
    stage.site.rules = chains
    stage.fetcher.pages = {HOME: page_of(follow=(*gone, MORE)), MORE: page_of(ONE)}
    for url in gone:
        response = FetchResponse(url, status, b"no such page", stage.clock())
        stage.fetcher.faults[url] = FetchError(FetchOutcome.HTTP_ERROR, f"{status} for {url}", response)
    report = stage.visit()
    assert (report.created, stage.fetcher.asked[-1]) == (1, MORE)
    assert f"{status} for {gone[0]}" in report.detail


def test_a_page_of_the_site_in_place_of_a_file_that_may_be_missing_is_noted(stage):
    stage.fetcher.pages = {
        HOME: page_of(follow=(FEED, MORE)),
        MORE: page_of(ONE),
        FEED: b"<p>The fake league: no file</p>",
    }
    stage.site.rules = {FEED: {"may_be_missing": True, "is_file": True}}
    assert stage.visit().outcome == "stored"
    assert ScrapeRun.objects.get().notes == {"list pages that are not there yet": 1}


def test_a_challenge_of_unknown_words_in_place_of_a_page_halts_the_host(filled):
    filled.fetcher.pages[FEED] = b"<html><body>Einen Moment<script src=/x.js></script></body></html>"
    report = filled.visit()
    assert report.outcome == "blocked"
    assert f"{FEED}: a small page without anything of this site came in its place" in report.detail
    state = HostState.objects.get(host=host_of(FEED))
    assert (state.state, state.reason) == (
        "open",
        f"{FEED}: a small page without anything of this site came in its place",
    )


def test_a_defect_of_our_own_is_reported_as_failed_and_stores_nothing(filled, monkeypatch):
    def broken(*args, **kwargs):
        raise ValueError("match: -1 goals")

    monkeypatch.setattr("apps.scraping.services.runs.ingest", broken)
    report = filled.visit()
    assert (report.outcome, report.detail) == ("failed", "ValueError: match: -1 goals")
    assert tables() == (0, 0, 0)


def test_what_a_broken_chain_reported_is_reported_again_by_the_next_run(filled):
    filled.fetcher.pages[HOME] = page_of(follow=(FEED, MORE))
    filled.site.rules = {FEED: {"final_after": NOW, "is_leaf": True}}
    filled.fetcher.faults = {MORE: FetchError(FetchOutcome.HTTP_ERROR, "reset")}
    filled.visit()
    filled.fetcher.faults, filled.fetcher.pages[MORE] = {}, page_of()
    filled.clock.later(minutes=2)
    assert filled.visit().created == 3


def test_what_could_not_be_stored_is_reported_again_by_the_next_run(filled, monkeypatch):
    filled.site.rules = {FEED: {"final_after": NOW, "is_leaf": True}}

    def broken(*args, **kwargs):
        raise OperationalError("the server closed the connection")

    with monkeypatch.context() as patch:
        patch.setattr("apps.scraping.services.runs.ingest", broken)
        assert filled.visit().outcome == "failed"
    filled.clock.later(minutes=2)
    report = filled.visit()
    assert (report.outcome, report.created) == ("stored", 3)


def test_a_count_that_comes_three_times_is_believed(filled):
    filled.fetcher.pages[FEED] = page_of(*({"number": number, "goals": (1, 0)} for number in range(20)))
    for _ in range(3):
        filled.visit()
        filled.clock.later(minutes=2)
    filled.fetcher.pages[FEED] = page_of({"number": 1, "goals": (5, 5)})
    outcomes = []
    for _ in range(4):
        outcomes.append(filled.visit().outcome)
        filled.clock.later(minutes=2)
    assert outcomes == ["invalid", "invalid", "stored", "unchanged"]


def test_a_chain_that_contradicts_itself_does_not_drop_the_others(stage):
    stage.site.first = [*stage.site.first, *FIRST_OF_TWO]
    stage.fetcher.pages = {HOME: page_of(ONE, ONE | {"goals": (3, 3)}), MORE: page_of(TWO)}
    report = stage.visit()
    assert (report.outcome, report.created) == ("invalid", 1)
    assert HOME in report.detail


def test_a_page_that_begins_a_chain_of_its_own_fails_alone(stage):
    stage.site.rules = {FEED: {"begins_chain": True}, MORE: {"begins_chain": True}}
    stage.fetcher.pages = {HOME: page_of(follow=(FEED, MORE)), FEED: page_of(ONE, TWO)}
    report = stage.visit()
    assert (report.outcome, report.created) == ("http_error", 2)


@pytest.mark.parametrize("url", [f"http://fake/{'x' * 1000}", "http://fake/a\x00b\ud800c"])
def test_an_address_that_cannot_be_one_is_invalid_and_ends_its_chain_alone(stage, url):
    stage.site.first = [*stage.site.first, *FIRST_OF_TWO]
    stage.fetcher.pages = {HOME: page_of(ONE, follow=(url,)), MORE: page_of(TWO)}
    report = stage.visit()
    assert (report.outcome, report.created) == ("invalid", 1)
    assert "an address has 1,0" in report.detail or "a␀b?c" in report.detail
    assert stage.fetcher.asked == [HOME, MORE]


NUL_AND_HALF = "a\x00b\ud800c"
"""What neither text nor jsonb of PostgreSQL takes."""


def test_what_no_database_takes_is_reported_in_text_that_it_takes(filled):
    row = {"file": NUL_AND_HALF, "line": 1, "reason": NUL_AND_HALF, "row": NUL_AND_HALF}
    filled.fetcher.pages[FEED] = page_of(ONE, refused=[row], notes={f"status {NUL_AND_HALF}": 2})
    report = filled.visit()
    assert (report.outcome, report.created, report.refused) == ("stored", 1, 1)
    notes = ScrapeRun.objects.get().notes
    assert notes == {
        "status a␀b?c": 2,
        "refused": [{"page": "a␀b?c", "line": 1, "row": "a␀b?c", "reason": "a␀b?c"}],
    }
    filled.fetcher.pages[FEED] = page_of(ONE, refused=[row | {"is_contradiction": True}])
    filled.clock.later(minutes=2)
    report = filled.visit()
    assert report.outcome == "invalid"
    assert "a␀b?c" in ScrapeRun.objects.get(pk=report.run_id).detail


def test_a_failure_that_quotes_what_no_database_takes_ends_its_run(filled, monkeypatch):
    def broken(request, page, job):
        raise ValueError(f"no moment: {NUL_AND_HALF}")

    def without(request, page, job):
        raise ParseError(f"the key {NUL_AND_HALF}", page.url)

    monkeypatch.setattr(filled.site, "read", broken)
    assert filled.visit().detail == "ValueError: no moment: a␀b?c"
    monkeypatch.setattr(filled.site, "read", without)
    filled.clock.later(minutes=2)
    report = filled.visit()
    assert (report.outcome, "a␀b?c" in report.detail) == ("changed_layout", True)


def test_a_defect_in_a_reader_is_the_outcome_of_its_run(filled):
    def broken(request, page, job):
        raise TypeError("NoneType")

    filled.site.read = broken
    report = filled.visit()
    assert (report.outcome, report.detail) == ("failed", "TypeError: NoneType")


def test_freshness_is_when_the_latest_run_that_took_all_was_requested(filled):
    filled.visit()
    filled.fetcher.faults = {FEED: FetchError(FetchOutcome.TIMEOUT, "silence")}
    filled.clock.later(minutes=2)
    filled.visit()
    assert selectors.freshness() == [("sandbox", NOW)]
    assert [run.outcome for run in selectors.troubled_runs(NOW)] == ["timeout"]
    spark = selectors.sparks([filled.source.pk])[filled.source.pk]
    assert [run.outcome for run in spark] == ["stored", "timeout"]


def test_neither_old_pages_nor_an_empty_run_make_a_source_fresh(filled):
    filled.visit()
    filled.clock.later(days=3)
    services.request_reparse(source=filled.source, by="somebody", now=filled.clock())
    filled.work()
    filled.site.first = []
    filled.visit("odds")
    assert selectors.freshness() == [("sandbox", NOW)]
