"""What the list of sources shows from other tables: host, timetable and latest runs."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.contrib.humanize.templatetags.humanize import naturaltime
from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django_celery_beat.models import PeriodicTask

from apps.scraping import selectors, services
from apps.scraping.models import HostState, ScrapeRun
from apps.scraping.politeness import host_of

SPARK_HEIGHT: Final = 24.0
"""Height of the sparkline, in its own units."""


@dataclass(frozen=True, slots=True)
class SourceSummary:
    """Host of a source, its rows of the timetable, its latest runs, oldest first, and its health."""

    host: HostState | None
    timetable: list[PeriodicTask]
    runs: list[ScrapeRun]
    health: selectors.SourceHealth


def add_summaries(sources: Iterable[Any]) -> None:
    """Set `summary` of each source; five queries for all of them."""
    shown = list(sources)
    sparks = selectors.sparks(source.pk for source in shown)
    hosts = {state.host: state for state in HostState.objects.all()}
    healths = {health.name: health for health in selectors.source_health(now=timezone.now())}
    rows: dict[str, list[PeriodicTask]] = {}
    for row in PeriodicTask.objects.filter(task="scraping.request_scheduled_run", enabled=True).select_related(
        "interval", "crontab"
    ):
        rows.setdefault(json.loads(row.kwargs).get("source", ""), []).append(row)
    for source in shown:
        try:
            host = hosts.get(host_of(services.base_url_of(source)))
        except ValueError:
            host = None  # The address has no host: `why_off` says so.
        source.summary = SourceSummary(host, rows.get(source.name, []), sparks[source.pk], healths[source.name])


@dataclass(frozen=True, slots=True)
class Bar:
    """One run in a sparkline: its height, its colour and its tooltip."""

    height: float
    tone: str
    title: str

    @property
    def top(self) -> float:
        """Its upper edge, counted from the top of the picture."""
        return SPARK_HEIGHT - self.height


def bars(runs: Sequence[ScrapeRun]) -> list[Bar]:
    """Return the bars of some runs: the longest fills the height of the picture, none is lower than a tenth of it."""
    seconds = [run.seconds or 0.0 for run in runs]
    longest = max(seconds, default=0.0) or 1.0
    return [
        Bar(
            height=round(SPARK_HEIGHT * max(0.1, took / longest), 1),
            tone="succeeded" if run.outcome in selectors.COMPLETE else "failed",
            title=f"{run.requested_at:%Y-%m-%d %H:%M} UTC, {run.scope}: {run.get_outcome_display()}, {took:.1f} s",
        )
        for run, took in zip(runs, seconds, strict=True)
    ]


def shown_moment(moment: datetime) -> SafeString:
    """Return how long ago a moment is; a script of the page may show it in the reader's time zone."""
    return format_html(
        '<time datetime="{}" title="{} UTC">{}</time>',
        moment.isoformat(),
        f"{moment:%Y-%m-%d %H:%M:%S}",
        naturaltime(moment),
    )


def next_request_of(row: PeriodicTask) -> datetime:
    """Return when a row of the timetable is due next."""
    latest = row.last_run_at or row.date_changed
    return timezone.now() + row.schedule.remaining_estimate(latest)
