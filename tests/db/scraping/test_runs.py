"""Visits: taken up from rows, walked page by page, stored as a whole, ended with an outcome."""

from __future__ import annotations

import itertools
from dataclasses import replace
from datetime import timedelta

import pytest
from django.db import OperationalError, connection

from apps.matches.locks import LockClass
from apps.matches.models import Event, Ingest, Match
from apps.scraping import selectors, services
from apps.scraping.models import Address, HostState, ScrapeRun, Snapshot, Source
from apps.scraping.politeness import host_of
from apps.scraping.responses import FetchError, FetchOutcome, FetchResponse
from apps.scraping.services import runs
from apps.scraping.services.runs import ATTEMPTS
from apps.scraping.sources import ParseError, Request
from apps.scraping.tasks import scrape_due as scrape_due_task
from tests.database import locked_elsewhere
from tests.db.scraping.conftest import NOW
from tests.fakes import door_of, page_of

pytestmark = pytest.mark.django_db

HOME = "http://fake/home"
FEED = "http://fake/feed"
MORE = "http://fake/more"

ONE = {"number": 1, "goals": (2, 1)}
TWO = {"number": 2, "goals": (0, 0)}
COMING = {"number": 3, "day": 28}
FIRST_OF_TWO = [door_of(MORE)]


@pytest.fixture
def filled(stage):
    """A site whose first page leads to a feed of two results and a fixture."""
    stage.fetcher.pages = {HOME: page_of(follow=(FEED,)), FEED: page_of(ONE, TWO, COMING)}
    return stage


def tables() -> tuple[int, int, int]:
    """Return how many matches there are, their results, and the ingests that changed something."""
    return (
        Match.objects.count(),
        Match.objects.filter(status="finished").count(),
        Ingest.objects.filter(changed_facts=True).count(),
    )


def forget_matches() -> None:
    """Empty the tables of matches, as no service can."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE matches_match, matches_matchchange CASCADE")


def somebody_waits(stage) -> None:
    """Let a run to another source wait, which reads the same pages."""
    other = Source.objects.get(name="sandbox-files")
    services.request_run(source=other, scope="results", by="somebody", now=stage.clock())


# ── What comes of a run ────────────────────────────────────────────────────────────────────────────────────────────
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


# ── Which pages are asked for ────────────────────────────────────────────────────────────────────────────────────────
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


# ── Slices, deaths, two at once ──────────────────────────────────────────────────────────────────────────────────────
def test_a_slice_ends_after_a_page_and_the_next_goes_on_where_the_kept_pages_end(filled):
    filled.fetcher.pages[HOME] = page_of(follow=(FEED, MORE))
    filled.fetcher.pages[MORE] = page_of({"number": 4, "goals": (1, 1)})
    filled.ask()
    somebody_waits(filled)
    reports = [report for report in filled.work(slice_seconds=0.0) if report.source == "sandbox"]
    assert [report.outcome for report in reports] == ["", "", "stored"]
    assert filled.fetcher.asked.count(FEED) == filled.fetcher.asked.count(MORE) == 2
    assert reports[-1].created == 4


def test_a_run_that_nobody_waits_for_is_not_interrupted(filled):
    filled.ask()
    assert [report.outcome for report in filled.work(slice_seconds=0.0)] == ["stored"]


def test_pages_that_are_missing_or_broken_are_requested_once_in_all_slices(filled):
    absent = tuple(f"http://fake/absent{number}" for number in range(6))
    filled.fetcher.pages[HOME] = page_of(follow=(*absent, FEED, MORE))
    filled.site.rules = {url: {"may_be_missing": True} for url in absent}
    filled.fetcher.faults = {MORE: FetchError(FetchOutcome.HTTP_ERROR, "reset")}
    filled.ask()
    somebody_waits(filled)
    reports = [report for report in filled.work(slice_seconds=0.0) if report.source == "sandbox"]
    assert len(reports) <= 10
    assert reports[-1].outcome == "http_error"
    # Once for each of the two sources.
    assert max(filled.fetcher.asked.count(url) for url in (*absent, MORE)) == 2


def test_a_back_fill_waits_while_its_host_is_halted(filled):
    services.request_backfill(source=filled.source, start=NOW.date(), end=NOW.date(), by="somebody", now=filled.clock())
    state = HostState.objects.create(
        host=host_of(services.base_url_of(filled.source)), state="open", open_until=NOW + timedelta(minutes=9)
    )
    assert filled.work() == []
    services.resume(state=state, by="ann", now=NOW)
    assert filled.work()[-1].outcome == "stored"


def test_sources_take_turns(filled):
    filled.fetcher.pages[HOME] = page_of(follow=(FEED, MORE))
    filled.fetcher.pages[MORE] = page_of({"number": 4, "goals": (1, 1)})
    filled.ask()
    somebody_waits(filled)
    filled.fetcher.seconds = 1
    worked = [report.source for report in filled.work(slice_seconds=0.0)]
    assert worked[:4] == ["sandbox", "sandbox-files", "sandbox", "sandbox-files"]


def test_a_run_whose_worker_died_is_taken_up_and_asks_for_no_page_twice(filled, monkeypatch):
    monkeypatch.setattr(runs, "SIGN_OF_LIFE", 0.0)
    run = filled.ask()

    class Death(BaseException):
        pass

    filled.fetcher.faults = {FEED: Death()}
    with pytest.raises(Death):
        filled.work()
    run.refresh_from_db()
    assert (run.is_over, run.doing) == (False, FEED)
    filled.fetcher.faults = {}
    assert filled.work()[-1].outcome == "stored"
    run.refresh_from_db()
    assert run.attempts == 1
    assert filled.fetcher.asked.count(HOME) == 1


def test_a_run_that_kills_its_worker_again_and_again_ends_as_failed(filled, monkeypatch):
    monkeypatch.setattr(runs, "SIGN_OF_LIFE", 0.0)

    class Death(BaseException):
        pass

    filled.ask()
    filled.fetcher.faults = {FEED: Death()}
    for _ in range(ATTEMPTS):
        with pytest.raises(Death):
            filled.work()
    report = filled.work()[-1]
    assert report.outcome == "failed"
    assert FEED in report.detail


def test_only_one_process_runs_a_source_at_a_time(filled):
    filled.ask()
    with locked_elsewhere(int(LockClass.SOURCE), filled.source.pk):
        assert filled.work() == []
    assert filled.work()[-1].outcome == "stored"


def test_a_run_that_is_cancelled_ends_after_its_page(filled):
    run = filled.ask()
    original = filled.fetcher.get

    def get(request, *, stored):
        services.cancel(run=run, by="the operator", now=filled.clock())
        return original(request, stored=stored)

    filled.fetcher.get = get
    # Progress is written at most twice a second: the walk looks at the row before the first page and after a pause.
    filled.work()
    run.refresh_from_db()
    assert run.outcome == "failed"
    assert run.detail == "Cancelled by the operator."
    assert tables() == (0, 0, 0)


# ── Kept pages are read again ────────────────────────────────────────────────────────────────────────────────────────
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


# ── What the admin and the metrics ask ──────────────────────────────────────────────────────────────────────────────
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


def test_the_task_works_on_what_waits(filled, monkeypatch):
    filled.ask()
    monkeypatch.setattr("apps.scraping.tasks.services.scrape_due", lambda *, now: filled.work())
    scrape_due_task.run()
    assert ScrapeRun.objects.get().outcome == "stored"
