"""Scrape runs: started from their rows, worked on in slices, stored as a whole, ended with an outcome.

A slice takes some seconds, so that a slow source does not keep the others waiting; the next one continues after the
pages that are stored by then. So does a worker that starts a run whose worker was lost.
"""

from __future__ import annotations

import logging
import math
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from django.db import transaction
from django.utils import timezone

from apps.matches.aliases import aliases_for
from apps.matches.events import publish
from apps.matches.ingest import IngestReport, ingest
from apps.matches.locks import LockClass, try_lock_of
from apps.matches.models import Topic
from apps.matches.records import readable
from apps.matches.services import join_clubs, record_action
from apps.matches.unknown_work import warn_of_unknown
from apps.scraping import metrics, plausibility, selectors
from apps.scraping.models import Address, ScrapeRun, Source
from apps.scraping.responses import FetchOutcome
from apps.scraping.scopes import ScrapeScope
from apps.scraping.services.crawl import Crawl, CrawlResult, Fetcher
from apps.scraping.services.reparse import ReparseCrawl
from apps.scraping.services.sources import base_url_of, site_of, why_off
from apps.scraping.sources import CrawlJob, Site, Window

logger = logging.getLogger(__name__)

SLICE: Final = 20.0
"""Seconds for which one run is worked on while others wait."""

BUDGET: Final = 500.0
"""Seconds for which one task works; its time limit less the longest time of a page and of storing."""

FAIR_TIME: Final = BUDGET / 2
"""Seconds of reading stored pages without progress that count as an attempt; a shorter slice can be left by chance."""

SIGN_OF_LIFE: Final = 0.5
"""Shortest time in seconds between two writes of a run's progress."""

ATTEMPTS: Final = 3
"""How often a run is started; one whose worker is lost each time ends as failed."""

DETAIL_LIMIT: Final = 4_000
REFUSALS_KEPT: Final = 100

GRAVEST: Final = (
    FetchOutcome.BLOCKED,
    FetchOutcome.CHANGED_LAYOUT,
    FetchOutcome.INVALID,
    FetchOutcome.EMPTY,
    FetchOutcome.TIMEOUT,
    FetchOutcome.HTTP_ERROR,
)
"""A run with several failures has the outcome that comes first here."""

NEXT_STEPS: Final = {
    FetchOutcome.BLOCKED: "A halted host gets no request before its pause is over: open the page yourself, ask the "
    "site's owner, then resume the host in the admin. Pages that robots.txt forbids are never requested: remove them "
    "from the source's competitions, or switch the source off.",
    FetchOutcome.CHANGED_LAYOUT: "The page is stored and no match was changed. Correct the reader, then re-parse.",
    FetchOutcome.INVALID: "No match was changed. Look at the stored page; if only its count was refused and it is "
    "right, accept it.",
    FetchOutcome.EMPTY: "No match was changed. Look at the stored page: is there no football now, or does the page "
    "have another form?",
    FetchOutcome.TIMEOUT: "The site did not respond in time; the next run reads what this one missed.",
    FetchOutcome.HTTP_ERROR: "The site did not respond as it should; the next run reads what this one missed.",
}

MakeFetcher = Callable[[Source], AbstractContextManager[Fetcher]]
MakeSite = Callable[[Source], Site]


@dataclass(frozen=True, slots=True)
class ScrapeReport:
    """State of a run after a slice; `outcome` is empty while the run is not over."""

    source: str
    scope: str
    run_id: int
    outcome: str
    created: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0
    pages: int = 0
    detail: str = ""

    @classmethod
    def of(cls, run: ScrapeRun) -> ScrapeReport:
        """Return the report of a row."""
        return cls(
            run.source.name,
            run.scope,
            run.pk,
            run.outcome,
            run.created,
            run.changed,
            run.same,
            run.refused,
            run.pages_done,
            run.detail,
        )


def open_fetcher(source: Source) -> AbstractContextManager[Fetcher]:
    """Return the fetcher that sends real requests."""
    # The process that serves the admin only requests runs and has no browser library: load it where runs are made.
    from apps.scraping.services.fetching import SourceFetcher

    return SourceFetcher(source)


def scrape_due(
    *,
    now: datetime,
    clock: Callable[[], datetime] = timezone.now,
    make_fetcher: MakeFetcher = open_fetcher,
    make_site: MakeSite = site_of,
    budget: float = BUDGET,
    slice_seconds: float = SLICE,
) -> Iterator[ScrapeReport]:
    """Work on the waiting runs in turn until none is left or the time is used up; yield a report after each slice.

    Runs of a scope, or of a reader, that only a newer release knows are left to its workers.

    Parameters
    ----------
    now : datetime
        Aware.
    clock : callable, optional
        Gives the time during the work.
    make_fetcher, make_site : callable, optional
        What sends the requests for a source and reads its pages.
    budget, slice_seconds : float, optional
        Seconds for all runs, and for one run while others wait.
    """
    end = time.monotonic() + budget
    busy: set[int] = set()
    while time.monotonic() < end:
        run = next((run for run in selectors.open_runs() if run.source_id not in busy and _is_known(run)), None)
        if run is None:
            return
        if run.scope == ScrapeScope.BACKFILL and selectors.is_halted(base_url_of(run.source), clock()):
            # A back-fill can wait until the host is resumed; any other run ends and reports that it is halted.
            busy.add(run.source_id)
            continue
        with try_lock_of(LockClass.SOURCE, run.source_id) as is_ours:
            if not is_ours:
                # Another worker scrapes this source; it will take the next run too.
                busy.add(run.source_id)
                continue
            run.refresh_from_db()
            if run.is_over:
                continue
            yield _work(run, make_site, make_fetcher, clock, slice_seconds, end)


@transaction.atomic
def accept_counts(*, run: ScrapeRun, by: str, now: datetime) -> int:
    """Forget the earlier counts of the pages whose counts a run refused; return the number of pages.

    The next run accepts them. The other pages of the run are compared with their earlier counts as before.
    """
    pages = selectors.doubted_addresses(run).update(counts=[], doubts=[])
    if pages:
        what = f"earlier counts of {pages} pages are forgotten"
        record_action(by=by, action="accepted the counts of a run", about=run, also=[run.source], after=what, now=now)
    return pages


def _is_known(run: ScrapeRun) -> bool:
    """Return whether this release has the scope of a run and the reader of its source; log it otherwise."""
    if run.scope not in list(ScrapeScope):
        warn_of_unknown(str(run), run.scope)
        return False
    if run.source.reader not in Source.Reader.values:
        warn_of_unknown(str(run), run.source.reader)
        return False
    return True


def _work(
    run: ScrapeRun,
    make_site: MakeSite,
    make_fetcher: MakeFetcher,
    clock: Callable[[], datetime],
    slice_seconds: float,
    end: float,
) -> ScrapeReport:
    """Take up a run, work on it for a slice, and end it when no page is left."""
    began = time.perf_counter()
    is_reparse = run.scope == ScrapeScope.REPARSE
    if not is_reparse and (reason := why_off(run.source)):
        return _end(run, FetchOutcome.FAILED, clock(), detail=f"No request was sent: {reason}")
    if not _take_up(run, clock()):
        reason = (
            f"Its worker was lost, or spent its time on stored pages only, {ATTEMPTS} times, latest at {run.doing}."
        )
        return _end(run, FetchOutcome.FAILED, clock(), detail=f"{reason}\nRequest fewer days: they have fewer pages.")
    try:
        with make_fetcher(run.source) as fetcher:
            crawl = (ReparseCrawl if is_reparse else Crawl)(run, make_site(run.source), _job(run), fetcher, clock=clock)
            is_over = _crawl_slice(run, crawl, clock, slice_seconds, end)
        if not is_over:
            run.refresh_from_db()
            return ScrapeReport.of(run)
        return _store_and_end(run, crawl.result, clock)
    except Exception as error:
        logger.exception("%s of %s failed", run, run.source.name)
        detail = "".join(traceback.format_exception_only(error)).strip()
        return _end(run, FetchOutcome.FAILED, clock(), detail=detail)
    finally:
        metrics.RUN_SECONDS.labels(run.source.name).observe(time.perf_counter() - began)


def _take_up(run: ScrapeRun, now: datetime) -> bool:
    """Record that a worker is at the run; return False when too many workers were lost at it."""
    if run.doing:
        # This worker holds the lock of the source, so the one that wrote this is gone.
        run.attempts += 1
    if run.attempts >= ATTEMPTS:
        return False
    run.started_at = run.started_at or now
    run.worked_at, run.doing = now, run.doing or "beginning"
    run.save(update_fields=["started_at", "worked_at", "attempts", "doing"])
    return True


def _crawl_slice(run: ScrapeRun, crawl: Crawl, clock: Callable[[], datetime], slice_seconds: float, end: float) -> bool:
    """Crawl until no page is left (True), or until the slice is over or somebody has ended the run (False).

    The time of a slice counts from its first progress beyond the slice before.
    """
    began, latest, until = time.monotonic(), 0.0, math.inf
    for url in crawl.crawl():
        moment = time.monotonic()
        if crawl.has_progress:
            until = min(until, moment + slice_seconds)
        if moment >= min(until, end):
            if moment >= end or selectors.is_other_run_waiting(run):
                _end_slice(run, crawl, clock, seconds=moment - began)
                return False
            until = moment + slice_seconds
        if moment - latest >= SIGN_OF_LIFE:
            latest = moment
            run.doing = url
            if not _save_progress(run, crawl.result, clock()):
                return False
    return _save_progress(run, crawl.result, clock())


def _end_slice(run: ScrapeRun, crawl: Crawl, clock: Callable[[], datetime], *, seconds: float) -> None:
    """Save what the next slice needs to continue."""
    if not crawl.has_progress:
        # After a fair time without progress the next slice would do no better: count it like a lost worker.
        run.doing = run.doing if seconds >= FAIR_TIME else ""
        _save_progress(run, crawl.result, clock())
        return
    if isinstance(crawl, ReparseCrawl):
        if not _save_progress(run, crawl.result, clock()):
            return
        _store(run, crawl.result, clock)
        crawl.mark_stored()
        stored = ["stored_chains", "pages", "notes", "records", "ingest", "created", "changed", "same", "refused"]
        run.save(update_fields=stored)
    run.doing, run.attempts = "", 0
    _save_progress(run, crawl.result, clock())


def _save_progress(run: ScrapeRun, result: CrawlResult, now: datetime) -> bool:
    """Save the progress; return False when somebody has ended the run meanwhile."""
    run.worked_at, run.pages_done, run.pages_known = now, result.done, max(result.known, result.done)
    return bool(
        ScrapeRun.objects.filter(pk=run.pk, finished_at__isnull=True).update(
            worked_at=now,
            doing=run.doing,
            attempts=run.attempts,
            failed_urls=run.failed_urls,
            pages_done=run.pages_done,
            pages_known=run.pages_known,
        )
    )


def _store_and_end(run: ScrapeRun, result: CrawlResult, clock: Callable[[], datetime]) -> ScrapeReport:
    run.pages_done = run.pages_known = result.done
    _store(run, result, clock)
    if result.failures:
        outcomes = {failure.outcome for failure in result.failures}
        outcome = next((grave for grave in GRAVEST if grave in outcomes), FetchOutcome.FAILED)
        reasons = "\n".join(failure.reason for failure in result.failures[:5])
        return _end(run, outcome, clock(), detail=f"{reasons}\n{NEXT_STEPS.get(outcome, '')}".strip())
    return _end(run, FetchOutcome.STORED if run.created or run.changed else FetchOutcome.UNCHANGED, clock())


def _store(run: ScrapeRun, result: CrawlResult, clock: Callable[[], datetime]) -> None:
    """Store the records of complete chains and add up their report in the row, which is not saved here."""
    run.pages = result.pages
    run.records += len(result.records)
    for note, count in result.notes.items():
        run.notes[note] = run.notes.get(note, 0) + count
    if run.scope == ScrapeScope.REPARSE:
        inputs = plausibility.merge_in_batches(result.records)
    else:
        inputs = iter([plausibility.merge((record for _, record in result.records), in_time=True)])
    for records in inputs:
        now = clock()
        with transaction.atomic():
            report = ingest(records, source=run.source.name, now=now, aliases=aliases_for)
            join_clubs(ingest_id=report.ingest_id, now=now)
        _add_report(run, report)
        metrics.count_records(run.source.name, report)
    if run.scope != ScrapeScope.REPARSE:
        # Only now: a page that is marked as taken is not read again.
        _save_counts(run, result, clock())
    _add_refusals(run, result)


def _add_report(run: ScrapeRun, report: IngestReport) -> None:
    run.ingest_id = report.ingest_id or run.ingest_id
    run.created += report.created
    run.changed += report.changed
    run.same += report.same
    run.refused += report.refused
    refused = [{"row": refusal.record, "reason": refusal.reason} for refusal in report.refusals]
    if refused:
        run.notes["refused"] = [*run.notes.get("refused", ()), *refused][:REFUSALS_KEPT]


def _add_refusals(run: ScrapeRun, result: CrawlResult) -> None:
    run.refused += len(result.refusals)
    if result.refusals:
        run.notes["refused"] = [*result.refusals, *run.notes.get("refused", ())][:REFUSALS_KEPT]


def _save_counts(run: ScrapeRun, result: CrawlResult, now: datetime) -> None:
    """Save the matches per page of complete chains, with which later runs are compared."""
    rows = list(Address.objects.filter(source=run.source, url__in=list(result.counts)))
    for row in rows:
        row.counts = [*row.counts, result.counts[row.url]][-plausibility.RUNS_COMPARED :]
        row.taken_at, row.doubts = now, []
    Address.objects.bulk_update(rows, ["counts", "taken_at", "doubts"], batch_size=500)


def _end(run: ScrapeRun, outcome: FetchOutcome, now: datetime, *, detail: str = "") -> ScrapeReport:
    run.outcome, run.detail, run.doing = outcome.value, readable(detail[:DETAIL_LIMIT]), ""
    run.finished_at = max(now, run.started_at or now)
    run.save()
    metrics.RUNS.labels(run.source.name, outcome.value).inc()
    if outcome.value in selectors.TROUBLED:
        logger.error("%s of %s ended: %s: %s", run.get_scope_display(), run.source.name, outcome.value, run.detail)
        publish(
            topic=Topic.SCRAPE_TROUBLED,
            key=run.source.name,
            payload={"run": run.pk, "outcome": outcome.value, "detail": run.detail},
            now=now,
        )
    return ScrapeReport.of(run)


def _job(run: ScrapeRun) -> CrawlJob:
    began = (run.started_at or run.requested_at).astimezone(UTC)
    return CrawlJob(ScrapeScope(run.scope), Window(run.window_start, run.window_end), began)
