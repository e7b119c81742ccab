"""Requests for scrape runs, made as rows; a worker takes them up. A run that waits already is not requested twice."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction

from apps.matches.events import start_tasks_after_commit
from apps.matches.models import Match, World
from apps.matches.services import record_action
from apps.scraping import selectors
from apps.scraping.models import ScrapeRun, Snapshot, Source
from apps.scraping.scopes import ScrapeScope
from apps.scraping.services.sources import UnknownSourceError, ensure_sources, source_named, why_off

TIMETABLE: Final = "the timetable"

RESULTS_BACK: Final = timedelta(days=3)
"""Days before today whose results are read again: corrections come late."""

CATCH_UP: Final = timedelta(days=62)
"""Furthest back that a run for results reaches after an outage; a back-fill covers what is before."""

FIXTURES_AHEAD: Final = timedelta(days=15)
ODDS_AHEAD: Final = timedelta(days=1)

LEAST_GAP: Final = timedelta(seconds=25)
"""A second scheduler would request the same run within seconds, when it has just been made."""

FIRST_DAY: Final = date(1990, 1, 1)
"""No source reaches further back."""

SANDBOX_REACHES: Final = timedelta(days=366 * 9)
"""Eight past seasons lie before the anchor of the simulated world."""

LONGEST_BACKFILL: Final = timedelta(days=366 * 40)


class SourceIsOffError(Exception):
    """The source is not scraped; the text says why and what to do."""


class WindowError(ValueError):
    """The requested days cannot be scraped; the text says why."""


@dataclass(frozen=True, slots=True)
class RunRequest:
    """The run that a request made or found, or a note that says why there is none."""

    run: ScrapeRun | None
    note: str = ""

    def __str__(self) -> str:
        return self.note or f"{self.run} waits"


def request_scheduled_run(*, source: str, scope: str, now: datetime) -> RunRequest:
    """Request a run for the timetable and wake the worker, unless one was just made, is not needed or not allowed.

    Parameters
    ----------
    source, scope : str
        Name of a source; results, fixtures, odds or backfill (once, of everything).
    now : datetime
        Aware.

    Raises
    ------
    UnknownSourceError
        When there is no such source or scope.
    """
    ensure_sources(now=now)
    row = source_named(source)
    wanted = _scope(scope)
    if reason := why_off(row):
        return RunRequest(None, f"{source} is not scraped: {reason}")
    start, end = window_of(row, wanted, now)
    filled = row.runs.filter(scope=wanted, outcome__in=selectors.COMPLETE, window_start__lte=start)
    if wanted == ScrapeScope.BACKFILL and filled.exists():
        return RunRequest(None, f"{source} has been back-filled already")
    latest = row.runs.filter(scope=wanted).order_by("-requested_at").first()
    if latest is not None and timedelta(0) <= now - latest.requested_at < LEAST_GAP:
        return RunRequest(None, f"{scope} of {source} were requested a moment ago")
    if wanted == ScrapeScope.ODDS and not _is_match_day(row, now):
        return RunRequest(None, f"{source} has no match within a day: no odds are read")
    with transaction.atomic():
        run = _request(row, wanted, start, end, by=TIMETABLE, now=now)
        start_tasks_after_commit("scrape_requested")
    return RunRequest(run)


def request_run(*, source: Source, scope: str, by: str, now: datetime) -> ScrapeRun:
    """Request a run outside the timetable and wake the worker.

    Raises
    ------
    SourceIsOffError
    """
    _refuse_if_off(source)
    start, end = window_of(source, _scope(scope), now)
    with transaction.atomic():
        run = _request(source, _scope(scope), start, end, by=by, now=now)
        _record_request(run, by=by, now=now)
        start_tasks_after_commit("scrape_requested")
    return run


def request_backfill(*, source: Source, start: date, end: date, by: str, now: datetime) -> list[ScrapeRun]:
    """Request a run for each month from `start` to `end`, oldest first, and wake the worker.

    Raises
    ------
    SourceIsOffError
    WindowError
        When the last day is before the first, or the period is longer than any source reaches back.
    """
    _refuse_if_off(source)
    if end < start:
        raise WindowError(f"The last day, {end}, is before the first, {start}.")
    if end - start > LONGEST_BACKFILL or end > (now + FIXTURES_AHEAD).date():
        raise WindowError(
            f"No source has matches for all of {start} to {end}. Choose at most forty years, and a last day that is at "
            f"most {FIXTURES_AHEAD.days} days ahead."
        )
    batch = uuid.uuid4()
    with transaction.atomic():
        runs = [
            _request(source, ScrapeScope.BACKFILL, first, last, by=by, now=now, batch=batch)
            for first, last in months(start, end)
        ]
        record_action(
            by=by,
            action="requested a back-fill",
            about=source,
            after=f"{start} to {end}, in {len(runs)} runs",
            now=now,
        )
        start_tasks_after_commit("scrape_requested")
    return runs


def request_reparse(*, source: Source, by: str, now: datetime) -> ScrapeRun:
    """Request that stored pages are parsed again by the current code; nothing is fetched, so the source may be off.

    Raises
    ------
    WindowError
        When no page of the source is stored.
    """
    newest = Snapshot.objects.filter(source=source).order_by("fetched_at").last()
    if newest is None:
        raise WindowError(f"No page of {source.name} is stored yet.")
    last = (newest.fetched_at + FIXTURES_AHEAD).date()
    with transaction.atomic():
        run = _request(source, ScrapeScope.REPARSE, FIRST_DAY, last, by=by, now=now)
        _record_request(run, by=by, now=now)
        start_tasks_after_commit("scrape_requested")
    return run


def cancel(*, run: ScrapeRun, by: str, now: datetime) -> bool:
    """End a run that is not over; a worker that is at it stops after its page. Return False for one that is over."""
    open_run = ScrapeRun.objects.filter(pk=run.pk, finished_at__isnull=True)
    with transaction.atomic():
        if not open_run.update(finished_at=now, outcome="failed", detail=f"Cancelled by {by}.", doing=""):
            return False
        before = "running" if run.started_at else "waiting"
        record_action(by=by, action="cancelled a scrape run", about=run, before=before, after="cancelled", now=now)
    return True


def window_of(source: Source, scope: str, now: datetime) -> tuple[date, date]:
    """Return the first and last day of a run: those of its scope, for results back to the latest complete run."""
    today = now.astimezone(UTC).date()
    if scope == ScrapeScope.RESULTS:
        latest = selectors.latest_complete_run(source, ScrapeScope.RESULTS)
        since = latest.requested_at.astimezone(UTC).date() if latest else today
        return max(min(today - RESULTS_BACK, since), today - CATCH_UP), today
    if scope == ScrapeScope.FIXTURES:
        return today, today + FIXTURES_AHEAD
    if scope == ScrapeScope.ODDS:
        return today, today + ODDS_AHEAD
    if source.is_simulated and source.anchor_at is not None:
        return (source.anchor_at - SANDBOX_REACHES).date(), today
    return FIRST_DAY, today


def months(start: date, end: date) -> Iterator[tuple[date, date]]:
    """Yield the first and last day of each month from `start` to `end`, cut to that period."""
    first = start
    while first <= end:
        following = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield first, min(end, following - timedelta(days=1))
        first = following


def _scope(scope: str) -> str:
    if scope not in list(ScrapeScope):
        raise UnknownSourceError(f"there is no scope {scope!r}; choose one of {', '.join(ScrapeScope)}")
    return ScrapeScope(scope).value


def _record_request(run: ScrapeRun, *, by: str, now: datetime) -> None:
    """Record who requested a run; one that waited already was requested by somebody else, or by a first click."""
    if run.requested_at == now:
        what = f"{run.get_scope_display()}, {run.window_start} to {run.window_end}"
        record_action(by=by, action="requested a scrape run", about=run, also=[run.source], after=what, now=now)


def _refuse_if_off(source: Source) -> None:
    if reason := why_off(source):
        raise SourceIsOffError(f"{source.name} is not scraped: {reason}")


def _is_match_day(source: Source, now: datetime) -> bool:
    return Match.objects.filter(
        world=World.SANDBOX if source.is_simulated else World.REAL,
        kickoff_at__gte=now - timedelta(hours=3),
        kickoff_at__lte=now + ODDS_AHEAD,
        status=Match.Status.SCHEDULED,
    ).exists()


def _request(
    source: Source, scope: str, start: date, end: date, *, by: str, now: datetime, batch: uuid.UUID | None = None
) -> ScrapeRun:
    """Create the row of a run, or return the same run where it waits already; a constraint forbids a second one."""
    wanted = {"source": source, "scope": scope, "window_start": start, "window_end": end}
    waiting = ScrapeRun.objects.filter(**wanted, finished_at__isnull=True)
    if found := waiting.first():
        return found
    try:
        with transaction.atomic():
            return ScrapeRun.objects.create(**wanted, batch=batch, requested_by=by, requested_at=now)
    except IntegrityError:
        # Another process requested it in the same moment; when that run is over by now, it is recent enough.
        found = waiting.first() or ScrapeRun.objects.filter(**wanted).order_by("-pk").first()
        assert found is not None
        return found
