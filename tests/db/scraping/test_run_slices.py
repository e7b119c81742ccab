"""Runs that are worked on in slices, taken up after the death of a worker, and worked on by one process."""

from __future__ import annotations

from datetime import timedelta

import pytest

from apps.matches.locks import LockClass
from apps.matches.unknown_work import says_unknown, warn_of_unknown
from apps.scraping import services
from apps.scraping.models import HostState, ScrapeRun, Source
from apps.scraping.politeness import host_of
from apps.scraping.responses import FetchError, FetchOutcome
from apps.scraping.services import runs
from apps.scraping.services.runs import ATTEMPTS
from apps.scraping.tasks import scrape_due as scrape_due_task
from tests.database import locked_elsewhere
from tests.db.scraping.conftest import NOW
from tests.db.scraping.small_site import FEED, HOME, MORE, somebody_waits, tables
from tests.fakes import page_of

pytestmark = pytest.mark.django_db


def test_a_slice_ends_after_a_page_and_the_next_goes_on_where_the_kept_pages_end(filled):
    filled.fetcher.pages[HOME] = page_of(follow=(FEED, MORE))
    filled.fetcher.pages[MORE] = page_of({"number": 4, "goals": (1, 1)})
    filled.ask()
    somebody_waits(filled)
    reports = [report for report in filled.work(slice_seconds=0.0) if report.source == "sandbox"]
    assert [report.outcome for report in reports] == ["", "", "stored"]
    assert filled.fetcher.asked.count(FEED) == filled.fetcher.asked.count(MORE) == 2
    assert reports[-1].created == 4


@pytest.mark.parametrize("what", ["scope", "reader"])
def test_a_run_of_a_scope_or_reader_of_a_newer_release_stays_in_the_queue(filled, caplog, what):
    warn_of_unknown.cache_clear()
    run = filled.ask()
    if what == "scope":
        ScrapeRun.objects.filter(pk=run.pk).update(scope="injuries")
    else:
        Source.objects.filter(pk=run.source_id).update(reader="injuries")
    assert [*filled.work(), *filled.work()] == []
    run.refresh_from_db()
    assert (run.finished_at, run.started_at, run.attempts) == (None, None, 0)
    (said,) = [record.message for record in caplog.records if "does not know" in record.message]
    assert said == says_unknown(str(run), "injuries")


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


def test_the_task_works_on_what_waits(filled, monkeypatch):
    filled.ask()
    monkeypatch.setattr("apps.scraping.tasks.services.scrape_due", lambda *, now: filled.work())
    scrape_due_task.run()
    assert ScrapeRun.objects.get().outcome == "stored"
