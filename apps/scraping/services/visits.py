"""Visits: taken up from their rows, worked on in slices, stored as a whole, ended with an outcome.

A slice is some seconds long, so that a slow source does not keep the others waiting; the next one goes on where the
pages that are kept by then end. So does the worker that takes up a visit whose worker died.
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

from django.utils import timezone

from apps.matches.aliases import aliases_for
from apps.matches.events import publish
from apps.matches.ingest import IngestReport, ingest
from apps.matches.locks import LockClass, try_lock_of
from apps.matches.records import readable
from apps.scraping import metrics, plausibility, selectors
from apps.scraping.models import Address, ScrapeRun, Source
from apps.scraping.responses import Outcome
from apps.scraping.services.crawl import Crawl, Doors, Told
from apps.scraping.services.reread import Reread
from apps.scraping.services.sources import base_url_of, site_of, why_off
from apps.scraping.sources import Errand, Scope, Site, Window

logger = logging.getLogger(__name__)

SLICE: Final = 20.0
"""Seconds for which one visit is worked on while others wait."""

BUDGET: Final = 500.0
"""Seconds for which one task works; less than its time limit by a page's longest time and the storing."""

FAIR_TIME: Final = BUDGET / 2
"""Seconds of reading kept pages, with nothing gained, that are an attempt; less is left of a task's time by chance."""

SIGN_OF_LIFE: Final = 0.5
"""Shortest time in seconds between two writes of a visit's progress."""

ATTEMPTS: Final = 3
"""How often a visit is taken up; one whose worker dies each time ends as failed."""

DETAIL_LIMIT: Final = 4_000
REFUSALS_KEPT: Final = 100

GRAVEST: Final = (
    Outcome.BLOCKED,
    Outcome.CHANGED_LAYOUT,
    Outcome.INVALID,
    Outcome.EMPTY,
    Outcome.TIMEOUT,
    Outcome.HTTP_ERROR,
)
"""Of several faults of one visit the first of these names its outcome."""

NEXT_STEPS: Final = {
    Outcome.BLOCKED: "A halted lane is not tried before its pause is over: open the page yourself, ask the site's "
    "owner, then resume the lane in the admin. What robots.txt forbids is never asked for: take it out of what the "
    "source follows, or switch the source off.",
    Outcome.CHANGED_LAYOUT: "The page is kept and the tables are as they were. Mend the reader, then re-parse.",
    Outcome.INVALID: "The tables are as they were. Look at the kept page; where only its count was not believed and "
    "it is right, accept it.",
    Outcome.EMPTY: "The tables are as they were. Look at the kept page: is there no football, or no list any more?",
    Outcome.TIMEOUT: "The site did not answer in time; the next visit takes what this one missed.",
    Outcome.HTTP_ERROR: "The site did not answer as it should; the next visit takes what this one missed.",
}

MakeDoors = Callable[[Source], AbstractContextManager[Doors]]
MakeSite = Callable[[Source], Site]


@dataclass(frozen=True, slots=True)
class ScrapeReport:
    """What one slice of a visit, or its end, came to.

    Parameters
    ----------
    source, scope : str
    run_id : int
    outcome : str
        Empty while the visit goes on.
    created, changed, same, refused : int
        Records by what became of them.
    pages : int
        Pages behind it.
    detail : str
        What went wrong and what to do.
    """

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
        """Return what the row says."""
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


def open_doors(source: Source) -> AbstractContextManager[Doors]:
    """Return the doors that lead outside."""
    # The admin asks for visits and has no library of a browser: only who makes them loads it.
    from apps.scraping.services.doors import OpenDoors

    return OpenDoors(source)


def scrape_due(
    *,
    now: datetime,
    clock: Callable[[], datetime] = timezone.now,
    make_doors: MakeDoors = open_doors,
    make_site: MakeSite = site_of,
    budget: float = BUDGET,
    slice_seconds: float = SLICE,
) -> Iterator[ScrapeReport]:
    """Work on the visits that wait, by turns, until none is left or the time is used up; yield what each came to.

    Parameters
    ----------
    now : datetime
        Aware.
    clock : callable, optional
        Tells the time while it works.
    make_doors, make_site : callable, optional
        What makes the requests and reads the pages of a source.
    budget, slice_seconds : float, optional
        Seconds for all, and for one visit while others wait.
    """
    end = time.monotonic() + budget
    busy: set[int] = set()
    while time.monotonic() < end:
        run = next((run for run in selectors.open_runs() if run.source_id not in busy), None)
        if run is None:
            return
        if run.scope == ScrapeRun.Scope.BACKFILL and selectors.is_halted(base_url_of(run.source), clock()):
            # What is old can wait until the host is well; what is fresh ends and says that it is halted.
            busy.add(run.source_id)
            continue
        with try_lock_of(LockClass.SOURCE, run.source_id) as is_ours:
            if not is_ours:
                # Another worker is at this source; it will take the next visit too.
                busy.add(run.source_id)
                continue
            run.refresh_from_db()
            if run.is_over:
                continue
            yield _work(run, make_site, make_doors, clock, slice_seconds, end)


def accept_counts(*, run: ScrapeRun) -> int:
    """Forget what the pages used to hold whose counts a visit did not believe; return how many pages.

    The next visit believes them. The other pages of the visit are held against their counts as before.
    """
    return selectors.doubted_addresses(run).update(counts=[], doubts=[])


def _work(
    run: ScrapeRun,
    make_site: MakeSite,
    make_doors: MakeDoors,
    clock: Callable[[], datetime],
    slice_seconds: float,
    end: float,
) -> ScrapeReport:
    """Take a visit up, go on with it for a slice, and end it when the way is walked."""
    began = time.perf_counter()
    is_reparse = run.scope == ScrapeRun.Scope.REPARSE
    if not is_reparse and (reason := why_off(run.source)):
        return _end(run, Outcome.FAILED, clock(), detail=f"No request left: {reason}")
    if not _take_up(run, clock()):
        reason = f"Its worker was lost, or its time was used up by kept pages alone, {ATTEMPTS} times, at {run.doing}."
        return _end(run, Outcome.FAILED, clock(), detail=f"{reason}\nA visit of fewer days has fewer pages.")
    try:
        with make_doors(run.source) as doors:
            crawl = (Reread if is_reparse else Crawl)(run, make_site(run.source), _errand(run), doors, clock=clock)
            is_over = _walk(run, crawl, clock, slice_seconds, end)
        if not is_over:
            run.refresh_from_db()
            return ScrapeReport.of(run)
        return _store(run, crawl.told, clock)
    except Exception as error:
        logger.exception("%s of %s failed", run, run.source.name)
        detail = "".join(traceback.format_exception_only(error)).strip()
        return _end(run, Outcome.FAILED, clock(), detail=detail)
    finally:
        metrics.RUN_SECONDS.labels(run.source.name).observe(time.perf_counter() - began)


def _take_up(run: ScrapeRun, now: datetime) -> bool:
    """Write down that a worker is at it; False when it has cost too many workers their life."""
    if run.doing:
        # Nobody else holds the lock of the source: whoever wrote this is gone.
        run.attempts += 1
    if run.attempts >= ATTEMPTS:
        return False
    run.started_at = run.started_at or now
    run.worked_at, run.doing = now, run.doing or "beginning"
    run.save(update_fields=["started_at", "worked_at", "attempts", "doing"])
    return True


def _walk(run: ScrapeRun, crawl: Crawl, clock: Callable[[], datetime], slice_seconds: float, end: float) -> bool:
    """Go on until the way is walked (True), or the slice is over or somebody has ended the visit (False).

    The time of a slice begins where it comes further than the one before.
    """
    began, latest, until = time.monotonic(), 0.0, math.inf
    for url in crawl.walk():
        moment = time.monotonic()
        if crawl.is_further:
            until = min(until, moment + slice_seconds)
        if moment >= min(until, end):
            if moment >= end or selectors.is_anybody_waiting(run):
                _rest(run, crawl, clock, seconds=moment - began)
                return False
            until = moment + slice_seconds
        if moment - latest >= SIGN_OF_LIFE:
            latest = moment
            run.doing = url
            if not _note_progress(run, crawl.told, clock()):
                return False
    return _note_progress(run, crawl.told, clock())


def _rest(run: ScrapeRun, crawl: Crawl, clock: Callable[[], datetime], *, seconds: float) -> None:
    """End a slice of some seconds, so that the next one can go on."""
    if not crawl.is_further:
        # The next one would fare no better if this had its time: then it counts as if its worker were lost.
        run.doing = run.doing if seconds >= FAIR_TIME else ""
        _note_progress(run, crawl.told, clock())
        return
    if isinstance(crawl, Reread):
        if not _note_progress(run, crawl.told, clock()):
            return
        _take(run, crawl.told, clock)
        crawl.settle()
        run.save(update_fields=["met", "pages", "notes", "records", "ingest", "created", "changed", "same", "refused"])
    run.doing, run.attempts = "", 0
    _note_progress(run, crawl.told, clock())


def _note_progress(run: ScrapeRun, told: Told, now: datetime) -> bool:
    """Write how far it is; False when somebody has ended the visit meanwhile."""
    run.worked_at, run.pages_done, run.pages_known = now, told.done, max(told.known, told.done)
    return bool(
        ScrapeRun.objects.filter(pk=run.pk, finished_at__isnull=True).update(
            worked_at=now,
            doing=run.doing,
            attempts=run.attempts,
            met=run.met,
            pages_done=run.pages_done,
            pages_known=run.pages_known,
        )
    )


def _store(run: ScrapeRun, told: Told, clock: Callable[[], datetime]) -> ScrapeReport:
    """Store what whole chains told, and end the visit."""
    run.pages_done = run.pages_known = told.done
    _take(run, told, clock)
    if told.faults:
        outcome = next((grave for grave in GRAVEST if any(f.outcome == grave for f in told.faults)), Outcome.FAILED)
        reasons = "\n".join(fault.reason for fault in told.faults[:5])
        return _end(run, outcome, clock(), detail=_advised(outcome, reasons))
    return _end(run, Outcome.STORED if run.created or run.changed else Outcome.UNCHANGED, clock())


def _take(run: ScrapeRun, told: Told, clock: Callable[[], datetime]) -> None:
    """Store what whole chains told, and keep the account of it in the row, which is not saved here."""
    run.pages = told.pages
    run.records += len(told.records)
    for note, count in told.notes.items():
        run.notes[note] = run.notes.get(note, 0) + count
    if run.scope == ScrapeRun.Scope.REPARSE:
        inputs = plausibility.apart(told.records)
    else:
        inputs = iter([plausibility.together((record for _, record in told.records), in_time=True)])
    for records in inputs:
        report = ingest(records, source=run.source.name, now=clock(), aliases=aliases_for)
        _take_report(run, report)
        metrics.count_records(
            run.source.name, created=report.created, changed=report.changed, same=report.same, refused=report.refused
        )
    if run.scope != ScrapeRun.Scope.REPARSE:
        # Not before: what is marked as taken is not read again.
        _remember_counts(run, told, clock())
    _take_refusals(run, told)


def _take_report(run: ScrapeRun, report: IngestReport) -> None:
    run.ingest_id = report.ingest_id or run.ingest_id
    run.created += report.created
    run.changed += report.changed
    run.same += report.same
    run.refused += report.refused
    refused = [{"row": refusal.record, "reason": refusal.reason} for refusal in report.refusals]
    if refused:
        run.notes["refused"] = [*run.notes.get("refused", ()), *refused][:REFUSALS_KEPT]


def _take_refusals(run: ScrapeRun, told: Told) -> None:
    run.refused += len(told.refusals)
    if told.refusals:
        run.notes["refused"] = [*told.refusals, *run.notes.get("refused", ())][:REFUSALS_KEPT]


def _remember_counts(run: ScrapeRun, told: Told, now: datetime) -> None:
    """Let later visits compare with this one, for the pages of chains that came whole."""
    rows = list(Address.objects.filter(source=run.source, url__in=list(told.counts)))
    for row in rows:
        row.counts = [*row.counts, told.counts[row.url]][-plausibility.VISITS_COMPARED :]
        row.taken_at, row.doubts = now, []
    Address.objects.bulk_update(rows, ["counts", "taken_at", "doubts"], batch_size=500)


def _advised(outcome: Outcome, reason: str) -> str:
    return f"{reason}\n{NEXT_STEPS.get(outcome, '')}".strip()


def _end(run: ScrapeRun, outcome: Outcome, now: datetime, *, detail: str = "") -> ScrapeReport:
    run.outcome, run.detail, run.doing = outcome.value, readable(detail[:DETAIL_LIMIT]), ""
    run.finished_at = max(now, run.started_at or now)
    run.save()
    metrics.RUNS.labels(run.source.name, outcome.value).inc()
    if outcome.value in selectors.TROUBLED:
        logger.error("%s of %s ended: %s: %s", run.get_scope_display(), run.source.name, outcome.value, run.detail)
        publish(
            topic="scrape.troubled",
            key=run.source.name,
            payload={"run": run.pk, "outcome": outcome.value, "detail": run.detail},
            now=now,
        )
    return ScrapeReport.of(run)


def _errand(run: ScrapeRun) -> Errand:
    return Errand(
        Scope(run.scope), Window(run.window_start, run.window_end), (run.started_at or run.requested_at).astimezone(UTC)
    )
