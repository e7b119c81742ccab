"""Reads of sources, their visits, their lanes and their pages."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Final

from django.db.models import BooleanField, Count, ExpressionWrapper, F, Max, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now

from apps.scraping.models import Address, Lane, ScrapeRun, Snapshot, Source
from apps.scraping.politeness import host_of
from apps.scraping.responses import Outcome

COMPLETE: Final = (Outcome.STORED.value, Outcome.UNCHANGED.value)
"""Outcomes of a visit that took all that its source then told."""

TROUBLED: Final = tuple(outcome.value for outcome in Outcome if outcome.value not in COMPLETE)
"""Outcomes that an operator should look at."""

OF_OLD: Final = (ScrapeRun.Scope.BACKFILL.value, ScrapeRun.Scope.REPARSE.value)
"""What can wait for what is fresh."""

_FRESHENS: Final = {"outcome__in": COMPLETE, "scope__in": ("results", "fixtures", "odds"), "pages_done__gt": 0}
"""A visit that tells how fresh its source is: not one of old pages, nor one that asked for none."""

RUNS_IN_A_SPARK: Final = 24


def sources() -> QuerySet[Source]:
    """Return the sources by name, each with start, outcome and run of its latest visit and when it was last complete.

    Adds `latest_requested_at`, `latest_outcome`, `latest_run_id`, `complete_at` and `waiting` (open visits).
    """
    newest = ScrapeRun.objects.filter(source=OuterRef("pk"), started_at__isnull=False).order_by("-requested_at")
    complete = ScrapeRun.objects.filter(source=OuterRef("pk"), **_FRESHENS).order_by("-requested_at")
    return Source.objects.annotate(
        latest_requested_at=Subquery(newest.values("requested_at")[:1]),
        latest_outcome=Subquery(newest.values("outcome")[:1]),
        latest_run_id=Subquery(newest.values("pk")[:1]),
        complete_at=Subquery(complete.values("requested_at")[:1]),
        waiting=Count("runs", filter=Q(runs__finished_at__isnull=True)),
    ).order_by("name")


def sparks(source_ids: Iterable[int]) -> dict[int, list[ScrapeRun]]:
    """Return the latest ended visits of each source, oldest first, without their pages; one query."""
    wanted = list(source_ids)
    found = ScrapeRun.objects.raw(
        "SELECT r.id, r.source_id, r.scope, r.outcome, r.requested_at, r.started_at, r.finished_at, r.records "
        "FROM unnest(%s::bigint[]) AS s (id) CROSS JOIN LATERAL (SELECT * FROM scraping_scraperun "
        "WHERE source_id = s.id AND finished_at IS NOT NULL ORDER BY requested_at DESC LIMIT %s) AS r",
        [wanted, RUNS_IN_A_SPARK],
    )
    rows: dict[int, list[ScrapeRun]] = {source_id: [] for source_id in wanted}
    for run in found:
        rows[run.source_id].insert(0, run)
    return rows


def open_runs() -> QuerySet[ScrapeRun]:
    """Return the visits that are not over, in the order of their turns.

    What is fresh goes before what is old, a back-fill or a re-reading; among equals whoever waits longest for a turn.
    """
    return (
        ScrapeRun.objects.filter(finished_at__isnull=True)
        .select_related("source")
        .annotate(
            turn=Coalesce(F("worked_at"), F("requested_at")),
            is_of_old=ExpressionWrapper(Q(scope__in=OF_OLD), output_field=BooleanField()),
        )
        .order_by("is_of_old", "turn", "window_start", "pk")
    )


def is_anybody_waiting(run: ScrapeRun) -> bool:
    """Return whether a visit to another source, or a fresher one to the same, waits while one is at work."""
    waiting = ScrapeRun.objects.filter(finished_at__isnull=True).exclude(pk=run.pk)
    elsewhere = ~Q(source_id=run.source_id)
    if run.scope in OF_OLD:
        elsewhere |= ~Q(scope__in=OF_OLD)
    return waiting.filter(elsewhere).exists()


def is_halted(url: str, now: datetime) -> bool:
    """Return whether the host of an address is not to be asked for anything now."""
    lane = lane_of(url)
    return lane is not None and lane.open_until is not None and now < lane.open_until


def latest_complete_run(source: Source, scope: str) -> ScrapeRun | None:
    """Return the newest visit of a kind that took all that its source then told."""
    return source.runs.filter(outcome__in=COMPLETE, scope=scope).order_by("-requested_at").first()


def troubled_runs(since: datetime) -> QuerySet[ScrapeRun]:
    """Return the visits that ended badly since a moment, newest first."""
    return (
        ScrapeRun.objects.filter(outcome__in=TROUBLED, finished_at__gte=since)
        .select_related("source")
        .defer("pages", "notes")
        .order_by("-finished_at")
    )


def halted_lanes() -> QuerySet[Lane]:
    """Return the hosts that are not visited now because they refused or failed."""
    return Lane.objects.exclude(state=Lane.State.CLOSED).filter(open_until__gt=Now()).order_by("host")


def lane_of(url: str) -> Lane | None:
    """Return the lane of an address's host, None before the first request and for an address without a host."""
    try:
        host = host_of(url)
    except ValueError:
        return None
    return Lane.objects.filter(host=host).first()


def address(source: Source, url: str) -> Address | None:
    """Return what is known of an address, with its latest good page."""
    return Address.objects.select_related("snapshot").filter(source=source, url=url).first()


def doubted_addresses(run: ScrapeRun) -> QuerySet[Address]:
    """Return the addresses of a visit whose pages told far more or fewer matches than before."""
    urls = [page["url"] for page in run.pages if page["came"] == Outcome.INVALID.value]
    return Address.objects.filter(source=run.source_id, url__in=urls).exclude(doubts=[])


def pages_of(source: Source, url: str) -> QuerySet[Snapshot]:
    """Return the pages of an address that a reader, mended meanwhile, may read, in the order in which they came."""
    readable = (Outcome.STORED.value, Outcome.CHANGED_LAYOUT.value)
    return Snapshot.objects.filter(source=source, url=url, outcome__in=readable).order_by("fetched_at")


def freshness() -> list[tuple[str, datetime]]:
    """Return when each source was last told in full."""
    rows = (
        ScrapeRun.objects.filter(**_FRESHENS)
        .values_list("source__name")
        .annotate(latest=Max("requested_at"))
        .order_by("source__name")
    )
    return list(rows)
