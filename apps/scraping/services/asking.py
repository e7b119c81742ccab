"""Visits are asked for here, as rows; a worker takes them up. A visit that waits already is not asked for again."""

from __future__ import annotations

import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from django.db import IntegrityError, transaction

from apps.matches.events import start_tasks_after_commit
from apps.matches.models import Match, World
from apps.scraping import selectors
from apps.scraping.models import ScrapeRun, Snapshot, Source
from apps.scraping.services.sources import UnknownSourceError, ensure_sources, why_off

Scope = ScrapeRun.Scope

TIMETABLE: Final = "the timetable"

RESULTS_BACK: Final = timedelta(days=3)
"""Days before today whose results are looked at again: corrections come late."""

CATCH_UP: Final = timedelta(days=62)
"""Furthest back that a visit for results reaches after a stand-still; what lies before is a back-fill's work."""

FIXTURES_AHEAD: Final = timedelta(days=15)
ODDS_AHEAD: Final = timedelta(days=1)

LEAST_GAP: Final = timedelta(seconds=25)
"""A second beat asks within seconds of the first; what it asks for has just been done."""

FIRST_DAY: Final = date(1990, 1, 1)
"""No source reaches further back."""

SANDBOX_REACHES: Final = timedelta(days=366 * 9)
"""Eight past seasons lie before the anchor of the simulated world."""

LONGEST_BACKFILL: Final = timedelta(days=366 * 40)


class SourceIsOffError(Exception):
    """No request may leave for the source; the text says why and what to do."""


class WindowError(ValueError):
    """The days that were asked for are none."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What became of a wish for a visit: its row, and a word where none was made."""

    run: ScrapeRun | None
    note: str = ""

    def __str__(self) -> str:
        return self.note or f"{self.run} waits"


def visit_due(*, source: str, scope: str, now: datetime) -> Asked:
    """Ask for a visit that the timetable wants, and wake the worker; not for one just made, needless or forbidden.

    Parameters
    ----------
    source, scope : str
        Name of a source; results, fixtures, odds or backfill (once, of all there is).
    now : datetime
        Aware.

    Raises
    ------
    UnknownSourceError
        When the timetable names a source or a scope that does not exist.
    """
    row = _source(source, now)
    wanted = _scope(scope)
    if reason := why_off(row):
        return Asked(None, f"{source} is not visited: {reason}")
    start, end = window_of(row, wanted, now)
    filled = row.runs.filter(scope=wanted, outcome__in=selectors.COMPLETE, window_start__lte=start)
    if wanted == Scope.BACKFILL and filled.exists():
        return Asked(None, f"{source} has been filled already")
    latest = row.runs.filter(scope=wanted).order_by("-requested_at").first()
    if latest is not None and timedelta(0) <= now - latest.requested_at < LEAST_GAP:
        return Asked(None, f"{source} was asked for {scope} a moment ago")
    if wanted == Scope.ODDS and not _is_match_day(row, now):
        return Asked(None, f"{source} has no match within a day: no odds are read")
    with transaction.atomic():
        run = _ask(row, wanted, start, end, by=TIMETABLE, now=now)
        start_tasks_after_commit("scrape_requested")
    return Asked(run)


def request_visit(*, source: Source, scope: str, by: str, now: datetime) -> ScrapeRun:
    """Ask for a visit out of turn, and wake the worker.

    Raises
    ------
    SourceIsOffError
        When no request may leave for the source.
    """
    _refuse_if_off(source)
    start, end = window_of(source, _scope(scope), now)
    with transaction.atomic():
        run = _ask(source, _scope(scope), start, end, by=by, now=now)
        start_tasks_after_commit("scrape_requested")
    return run


def request_backfill(*, source: Source, start: date, end: date, by: str, now: datetime) -> list[ScrapeRun]:
    """Ask for every month that a stretch of days touches, oldest first, and wake the worker.

    Raises
    ------
    SourceIsOffError
        When no request may leave for the source.
    WindowError
        When the stretch ends before it begins, or is longer than any source reaches back.
    """
    _refuse_if_off(source)
    if end < start:
        raise WindowError(f"The last day, {end}, lies before the first, {start}.")
    if end - start > LONGEST_BACKFILL or end > (now + FIXTURES_AHEAD).date():
        raise WindowError(f"From {start} to {end} is no stretch that a source can tell of.")
    batch = uuid.uuid4()
    with transaction.atomic():
        runs = [
            _ask(source, Scope.BACKFILL, first, last, by=by, now=now, batch=batch) for first, last in months(start, end)
        ]
        start_tasks_after_commit("scrape_requested")
    return runs


def request_reparse(
    *, source: Source, by: str, now: datetime, start: date | None = None, end: date | None = None
) -> ScrapeRun:
    """Ask for kept pages to be read again by the code of today; no request leaves, so the source may be off.

    Raises
    ------
    WindowError
        When no page of the source is kept.
    """
    kept = Snapshot.objects.filter(source=source).order_by("fetched_at")
    oldest, newest = kept.first(), kept.last()
    if oldest is None or newest is None:
        raise WindowError(f"No page of {source.name} is kept yet.")
    first = start or FIRST_DAY
    last = end or (newest.fetched_at + FIXTURES_AHEAD).date()
    if last < first:
        raise WindowError(f"The last day, {last}, lies before the first, {first}.")
    with transaction.atomic():
        run = _ask(source, Scope.REPARSE, first, last, by=by, now=now)
        start_tasks_after_commit("scrape_requested")
    return run


def cancel(*, run: ScrapeRun, by: str, now: datetime) -> bool:
    """End a visit that waits; one that is at work ends after its page. Return whether there was anything to end."""
    return bool(
        ScrapeRun.objects.filter(pk=run.pk, finished_at__isnull=True).update(
            finished_at=now, outcome="failed", detail=f"Cancelled by {by}.", doing=""
        )
    )


def window_of(source: Source, scope: str, now: datetime) -> tuple[date, date]:
    """Return the first and last day of a visit: what its scope says, wider after a stand-still."""
    today = now.astimezone(UTC).date()
    if scope == Scope.RESULTS:
        latest = selectors.latest_complete_run(source, Scope.RESULTS)
        since = latest.requested_at.astimezone(UTC).date() if latest else today
        return max(min(today - RESULTS_BACK, since), today - CATCH_UP), today
    if scope == Scope.FIXTURES:
        return today, today + FIXTURES_AHEAD
    if scope == Scope.ODDS:
        return today, today + ODDS_AHEAD
    if source.is_simulated and source.anchor_at is not None:
        return (source.anchor_at - SANDBOX_REACHES).date(), today
    return FIRST_DAY, today


def months(start: date, end: date) -> Iterator[tuple[date, date]]:
    """Yield the first and last day of each month from `start` to `end`, cut to that stretch."""
    first = start
    while first <= end:
        following = (first.replace(day=1) + timedelta(days=32)).replace(day=1)
        yield first, min(end, following - timedelta(days=1))
        first = following


def _source(name: str, now: datetime) -> Source:
    ensure_sources(now=now)
    found = Source.objects.filter(name=name).first()
    if found is None:
        names = ", ".join(Source.objects.order_by("name").values_list("name", flat=True))
        raise UnknownSourceError(f"no source is called {name!r}; there are {names}")
    return found


def _scope(scope: str) -> str:
    if scope not in Scope.values:
        raise UnknownSourceError(f"nothing is called {scope!r}; a visit is after one of {', '.join(Scope.values)}")
    return Scope(scope).value


def _refuse_if_off(source: Source) -> None:
    if reason := why_off(source):
        raise SourceIsOffError(f"{source.name} is not visited: {reason}")


def _is_match_day(source: Source, now: datetime) -> bool:
    return Match.objects.filter(
        world=World.SANDBOX if source.is_simulated else World.REAL,
        kickoff_at__gte=now - timedelta(hours=3),
        kickoff_at__lte=now + ODDS_AHEAD,
        status=Match.Status.SCHEDULED,
    ).exists()


def _ask(
    source: Source, scope: str, start: date, end: date, *, by: str, now: datetime, batch: uuid.UUID | None = None
) -> ScrapeRun:
    """Make the row of a visit, or return the one of the same kind that waits; the database refuses a second one."""
    wanted = {"source": source, "scope": scope, "window_start": start, "window_end": end}
    waiting = ScrapeRun.objects.filter(**wanted, finished_at__isnull=True)
    if found := waiting.first():
        return found
    try:
        with transaction.atomic():
            return ScrapeRun.objects.create(**wanted, batch=batch, requested_by=by, requested_at=now)
    except IntegrityError:
        # Another process asked in the same moment; should its visit be over already, it was just made.
        found = waiting.first() or ScrapeRun.objects.filter(**wanted).order_by("-pk").first()
        assert found is not None
        return found
