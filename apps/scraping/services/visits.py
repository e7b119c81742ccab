"""Visits to sources: which are due, what a visit takes, and how it is recorded."""

from __future__ import annotations

import logging
import time
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from django.conf import settings
from django.db import DatabaseError, connection, transaction

from apps.matches.events import wake
from apps.matches.records import MatchRecord
from apps.matches.services import WorldConflictError, ingest
from apps.scraping import metrics, selectors
from apps.scraping.models import ScrapeRun, Source
from apps.scraping.sandbox.world import World

logger = logging.getLogger(__name__)

SANDBOX: Final = "sandbox"
SANDBOX_SEED: Final = 20_261_123
SANDBOX_EVERY: Final = timedelta(seconds=60)

MARGIN: Final = timedelta(hours=1)
"""A visit takes again what was told up to so long before the latest complete one."""

LOCK_CLASS: Final = 0x5350_4149
"""First half of the advisory locks of sources; the second is the source's id."""

DETAIL_LIMIT: Final = 4_000

Fetch = Callable[[Source, datetime, datetime | None], Iterable[MatchRecord]]
"""What a source tells at a moment, given the moment up to which all is known already."""


class UnknownSourceError(Exception):
    """No such source can be visited."""


@dataclass(frozen=True, slots=True)
class ScrapeReport:
    """What one visit did.

    Parameters
    ----------
    source : str
        Name of the source.
    run_id : int or None
        The row of the visit; None when another process was already there.
    outcome : str
        `ScrapeRun.Outcome`, or empty when another process was already there.
    created, changed, same, refused : int
        Records by what became of them.
    detail : str
        Of a failed visit, what went wrong.
    """

    source: str
    run_id: int | None
    outcome: str
    created: int = 0
    changed: int = 0
    same: int = 0
    refused: int = 0
    detail: str = ""


@lru_cache(maxsize=2)
def sandbox_world(seed: int, anchor_at: datetime) -> World:
    """Return the simulated world of a seed and an anchor, kept because its seasons take time to play."""
    return World(seed, anchor_at)


def tell_sandbox(source: Source, now: datetime, since: datetime | None) -> Iterable[MatchRecord]:
    """Return what the simulated world shows at `now`."""
    if source.seed is None or source.anchor_at is None:
        raise ValueError("the source sandbox has lost its seed or its anchor; restore them in the admin")
    return sandbox_world(source.seed, source.anchor_at).records(now, since)


FETCHERS: Final[Mapping[str, Fetch]] = {SANDBOX: tell_sandbox}
"""Every source that can be visited."""


def ensure_sandbox(*, now: datetime) -> Source:
    """Return the source of the simulated world; the first call decides when its dense season began."""
    source, _ = Source.objects.get_or_create(
        name=SANDBOX,
        defaults={
            "seed": SANDBOX_SEED,
            "anchor_at": now.replace(second=0, microsecond=0),
            "every": SANDBOX_EVERY,
        },
    )
    return source


def scrape(source_name: str, *, now: datetime, fetchers: Mapping[str, Fetch] = FETCHERS) -> ScrapeReport:
    """Visit one source and store what it tells.

    The first visit takes everything, a later one what was told since the latest complete one and a margin. A failure is
    recorded with its reason and stores nothing; what it missed the next visit takes. One process visits a source at a
    time.

    Parameters
    ----------
    source_name : str
        Such as ``"sandbox"``, whose row is made here when it is missing.
    now : datetime
        Aware.
    fetchers : mapping, optional
        How each source is asked.

    Raises
    ------
    UnknownSourceError
        When there is no such source.
    """
    fetch = fetchers.get(source_name)
    if fetch is None:
        raise UnknownSourceError(f"no source is called {source_name!r}; there are {', '.join(sorted(fetchers))}")
    if source_name == SANDBOX:
        ensure_sandbox(now=now)
    source = Source.objects.filter(name=source_name).first()
    if source is None:
        raise UnknownSourceError(f"the source {source_name!r} has no row; add it in the admin")
    with _alone_with(source) as alone:
        if not alone:
            return ScrapeReport(source=source_name, run_id=None, outcome="")
        return _visit(source, fetch, now)


def scrape_due(*, now: datetime, fetchers: Mapping[str, Fetch] = FETCHERS) -> list[ScrapeReport]:
    """Visit every enabled source whose visit is due; the simulated world only where it is switched on."""
    if settings.SPAI_SANDBOX:
        ensure_sandbox(now=now)
    names = [source.name for source in selectors.due_sources(now) if source.name in fetchers]
    if not settings.SPAI_SANDBOX:
        names = [name for name in names if name != SANDBOX]
    return [scrape(name, now=now, fetchers=fetchers) for name in names]


def request_visits(source_ids: Iterable[int], *, now: datetime) -> list[str]:
    """Make the enabled ones of some sources due at once, and wake the worker; return their names."""
    with transaction.atomic():
        chosen = Source.objects.filter(pk__in=list(source_ids), is_enabled=True)
        names = list(chosen.order_by("name").values_list("name", flat=True))
        chosen.update(requested_at=now)
        if names:
            wake("scrape_requested")
    return names


def _visit(source: Source, fetch: Fetch, now: datetime) -> ScrapeReport:
    # Nobody else is here, so a run without an end has lost its process.
    source.runs.filter(finished_at__isnull=True).update(
        finished_at=now, outcome=ScrapeRun.Outcome.FAILED, detail="The process that made this visit was lost."
    )
    latest = selectors.latest_complete_run(source)
    run = ScrapeRun.objects.create(source=source, started_at=now)
    began = time.perf_counter()
    try:
        report = ingest(fetch(source, now, latest.started_at - MARGIN if latest else None), source=source.name, now=now)
    except (ValueError, OSError, DatabaseError, WorldConflictError) as error:
        logger.exception("visit to %s failed", source.name)
        detail = "".join(traceback.format_exception_only(error)).strip()[:DETAIL_LIMIT]
        _end(run, began, ScrapeRun.Outcome.FAILED, detail=detail)
        return ScrapeReport(source=source.name, run_id=run.pk, outcome=run.outcome, detail=detail)
    run.ingest_id = report.ingest_id
    _end(run, began, ScrapeRun.Outcome.STORED if report.changed_facts else ScrapeRun.Outcome.UNCHANGED)
    metrics.count_records(
        source.name, created=report.created, changed=report.changed, same=report.same, refused=report.refused
    )
    return ScrapeReport(
        source=source.name,
        run_id=run.pk,
        outcome=run.outcome,
        created=report.created,
        changed=report.changed,
        same=report.same,
        refused=report.refused,
    )


def _end(run: ScrapeRun, began: float, outcome: ScrapeRun.Outcome, *, detail: str = "") -> None:
    seconds = time.perf_counter() - began
    run.outcome = outcome
    run.detail = detail
    run.finished_at = run.started_at + timedelta(seconds=seconds)
    run.save(update_fields=["outcome", "detail", "finished_at", "ingest"])
    metrics.RUNS.labels(run.source.name, outcome).inc()
    metrics.RUN_SECONDS.labels(run.source.name).observe(seconds)


@contextmanager
def _alone_with(source: Source) -> Iterator[bool]:
    """Hold the lock of a source for this database session; yield False while another process holds it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s, %s)", [LOCK_CLASS, source.pk])
        held = bool(cursor.fetchone()[0])
    try:
        yield held
    finally:
        if held and connection.is_usable():
            with connection.cursor() as cursor:
                cursor.execute("SELECT pg_advisory_unlock(%s, %s)", [LOCK_CLASS, source.pk])
