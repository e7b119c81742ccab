"""Reads of sources and their runs."""

from __future__ import annotations

from datetime import datetime

from django.db.models import F, Max, OuterRef, Q, QuerySet, Subquery

from apps.scraping.models import ScrapeRun, Source


def sources() -> QuerySet[Source]:
    """Return the sources by name, each with `latest_started_at` and `latest_outcome` of its newest run."""
    newest = ScrapeRun.objects.filter(source=OuterRef("pk")).order_by("-started_at")
    return Source.objects.annotate(
        latest_started_at=Subquery(newest.values("started_at")[:1]),
        latest_outcome=Subquery(newest.values("outcome")[:1]),
    ).order_by("name")


def due_sources(now: datetime) -> QuerySet[Source]:
    """Return the enabled sources whose visit is due: never made, long enough ago, or asked for since."""
    return sources().filter(
        Q(latest_started_at__isnull=True)
        | Q(latest_started_at__lte=now - F("every"))
        | Q(requested_at__gt=F("latest_started_at")),
        is_enabled=True,
    )


def latest_complete_run(source: Source) -> ScrapeRun | None:
    """Return the newest run that took all that its source then told."""
    return (
        source.runs.filter(outcome__in=[ScrapeRun.Outcome.STORED, ScrapeRun.Outcome.UNCHANGED])
        .order_by("-started_at")
        .first()
    )


def freshness() -> list[tuple[str, datetime]]:
    """Return when each source was last told in full."""
    rows = (
        ScrapeRun.objects.filter(outcome__in=[ScrapeRun.Outcome.STORED, ScrapeRun.Outcome.UNCHANGED])
        .values_list("source__name")
        .annotate(latest=Max("started_at"))
        .order_by("source__name")
    )
    return list(rows)
