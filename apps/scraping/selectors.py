"""Queries for sources, their runs, hosts and pages."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import takewhile
from statistics import fmean, median
from typing import Any, Final

from django.conf import settings
from django.db.models import BooleanField, Count, ExpressionWrapper, F, OuterRef, Q, QuerySet, Subquery
from django.db.models.functions import Coalesce, Now

from apps.scraping.models import Address, HostState, ScrapeRun, Snapshot, Source, SourceDay
from apps.scraping.plausibility import RUNS_COMPARED, out_of_band
from apps.scraping.politeness import BreakerState, host_of
from apps.scraping.responses import FetchOutcome
from apps.scraping.scopes import ScrapeScope

COMPLETE: Final = (FetchOutcome.STORED.value, FetchOutcome.UNCHANGED.value)
"""Outcomes of a run that read everything it was to read."""

TROUBLED: Final = tuple(outcome.value for outcome in FetchOutcome if outcome.value not in COMPLETE)
"""Outcomes that an operator should check."""

CAN_WAIT: Final = (ScrapeScope.BACKFILL.value, ScrapeScope.REPARSE.value)
"""Scopes of old matches: their runs wait for all others."""

FRESHENS: Final = {"outcome__in": COMPLETE, "scope__in": ("results", "fixtures", "odds"), "pages_done__gt": 0}
"""Runs that count for the freshness of their source: of current matches, and with at least one page."""

RUNS_IN_A_SPARK: Final = 24

STALE_AFTER: Final = 3
"""A source is stale when its latest complete run is older than so many of its usual gaps between two …"""
STALE_AT_LEAST: Final = timedelta(minutes=15)
"""… and than this."""

RHYTHM_DAYS: Final = 28
"""Latest days that tell how often a source is usually complete."""

LEAST_DAYS: Final = 4
"""Fewest noted days of a week, or of those that tell the rhythm, for a comparison."""

YEAR: Final = timedelta(days=364)
"""The same weekday a year ago."""


def freshness_of_sources() -> QuerySet[Source]:
    """Return the sources, annotated with their latest run and the latest complete one.

    Adds `latest_requested_at`, `latest_outcome`, `latest_run_id` and `complete_at`.
    """
    newest = ScrapeRun.objects.filter(source=OuterRef("pk"), started_at__isnull=False).order_by("-requested_at")
    complete = ScrapeRun.objects.filter(source=OuterRef("pk"), **FRESHENS).order_by("-requested_at")
    return Source.objects.annotate(
        latest_requested_at=Subquery(newest.values("requested_at")[:1]),
        latest_outcome=Subquery(newest.values("outcome")[:1]),
        latest_run_id=Subquery(newest.values("pk")[:1]),
        complete_at=Subquery(complete.values("requested_at")[:1]),
    )


def sources() -> QuerySet[Source]:
    """Return the sources by name with their freshness, and with `waiting`, the number of open runs."""
    waiting = Count("runs", filter=Q(runs__finished_at__isnull=True))
    return freshness_of_sources().annotate(waiting=waiting).order_by("name")


def sparks(source_ids: Iterable[int]) -> dict[int, list[ScrapeRun]]:
    """Return the latest ended runs of each source, oldest first, without their pages; one query."""
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
    """Return the runs that are not over, in the order in which they are worked on.

    Back-fills and re-parses come last; otherwise the run comes first that has waited longest since its latest slice.
    """
    return (
        ScrapeRun.objects.filter(finished_at__isnull=True)
        .select_related("source")
        .annotate(
            waits_since=Coalesce(F("worked_at"), F("requested_at")),
            can_wait=ExpressionWrapper(Q(scope__in=CAN_WAIT), output_field=BooleanField()),
        )
        .order_by("can_wait", "waits_since", "window_start", "pk")
    )


def is_other_run_waiting(run: ScrapeRun) -> bool:
    """Return whether a run of another source waits; for a back-fill or re-parse also one of the same source."""
    waiting = ScrapeRun.objects.filter(finished_at__isnull=True).exclude(pk=run.pk)
    elsewhere = ~Q(source_id=run.source_id)
    if run.scope in CAN_WAIT:
        elsewhere |= ~Q(scope__in=CAN_WAIT)
    return waiting.filter(elsewhere).exists()


def is_halted(url: str, now: datetime) -> bool:
    """Return whether the host of an address may get no request now."""
    state = host_state_of(url)
    return state is not None and state.open_until is not None and now < state.open_until


def latest_complete_run(source: Source, scope: str) -> ScrapeRun | None:
    """Return the newest complete run of a scope."""
    return source.runs.filter(outcome__in=COMPLETE, scope=scope).order_by("-requested_at").first()


def troubled_runs(since: datetime) -> QuerySet[ScrapeRun]:
    """Return the runs that ended badly since a moment, newest first."""
    return (
        ScrapeRun.objects.filter(outcome__in=TROUBLED, finished_at__gte=since)
        .select_related("source")
        .defer("pages", "notes")
        .order_by("-finished_at")
    )


def halted_hosts() -> QuerySet[HostState]:
    """Return the hosts that get no request now because they refused or failed."""
    return HostState.objects.exclude(state=BreakerState.CLOSED).filter(open_until__gt=Now()).order_by("host")


def host_state_of(url: str) -> HostState | None:
    """Return the state of an address's host, None before its first request and for an address without a host."""
    try:
        host = host_of(url)
    except ValueError:
        return None
    return HostState.objects.filter(host=host).first()


def address(source: Source, url: str) -> Address | None:
    """Return the row of an address with its latest good page."""
    return Address.objects.select_related("snapshot").filter(source=source, url=url).first()


def doubted_addresses(run: ScrapeRun) -> QuerySet[Address]:
    """Return the addresses of a run whose counts of matches were refused."""
    urls = [page["url"] for page in run.pages if page["came"] == FetchOutcome.INVALID.value]
    return Address.objects.filter(source=run.source_id, url__in=urls).exclude(doubts=[])


def pages_of(source: Source, url: str) -> QuerySet[Snapshot]:
    """Return the stored pages of an address that a corrected reader may be able to parse, oldest first."""
    readable = (FetchOutcome.STORED.value, FetchOutcome.CHANGED_LAYOUT.value)
    return Snapshot.objects.filter(source=source, url=url, outcome__in=readable).order_by("fetched_at")


def freshness() -> list[tuple[str, datetime]]:
    """Return when the latest complete run of each source that is switched on was requested."""
    rows: Any = freshness_of_sources().filter(_is_on())
    return list(rows.filter(complete_at__isnull=False).order_by("name").values_list("name", "complete_at"))


def failures_in_a_row() -> dict[str, int]:
    """Return how many of the latest ended runs of each source that is switched on ended badly, by its name."""
    names = dict(Source.objects.filter(_is_on()).values_list("pk", "name"))
    return {
        names[source_id]: sum(1 for _ in takewhile(lambda run: run.outcome in TROUBLED, reversed(runs)))
        for source_id, runs in sparks(names).items()
    }


def _is_on() -> Q:
    is_on = Q(is_enabled=True)
    return is_on if settings.SPAI_SANDBOX else is_on & Q(is_simulated=False)


@dataclass(frozen=True, slots=True)
class SourceHealth:
    """Freshness and volume of a source against its own history; without enough of it nothing is said against it."""

    name: str
    is_enabled: bool
    complete_at: datetime | None  # request of the latest complete run
    usual_gap: timedelta | None  # between two complete runs
    is_stale: bool
    per_day: float | None  # matches created or changed, mean over the noted ones of the latest seven whole days
    volume: str  # why `per_day` is implausible after earlier weeks; empty when it is not

    @property
    def troubles(self) -> list[str]:
        """What an operator should check, in words."""
        found = []
        if self.is_stale and self.usual_gap:
            since = f" since {self.complete_at:%Y-%m-%d %H:%M} UTC" if self.complete_at else ""
            found.append(f"no complete run{since}; usually there is one every {_words(self.usual_gap)}")
        return [*found, self.volume] if self.volume else found


def source_health(*, now: datetime) -> list[SourceHealth]:
    """Return freshness and volume of all sources, by name; two queries.

    A week is compared with the eight before it and, since leagues pause in summer and winter, with the three around it
    a year ago.
    """
    today = now.astimezone(UTC).date()
    weeks = [today - timedelta(days=7 * number) for number in range(1, RUNS_COMPARED + 2)]
    weeks += [weeks[0] - YEAR + timedelta(days=7 * number) for number in (-1, 0, 1)]
    recent, earlier = Q(day__gte=weeks[RUNS_COMPARED]), Q(day__gte=weeks[-3], day__lt=weeks[-1] + timedelta(days=7))
    days: dict[int, dict[date, SourceDay]] = {}
    for row in SourceDay.objects.filter(recent | earlier, day__lt=today):
        days.setdefault(row.source_id, {})[row.day] = row
    return [_health(source, days.get(source.pk, {}), weeks, now) for source in freshness_of_sources().order_by("name")]


def _health(source: Any, days: Mapping[date, SourceDay], weeks: list[date], now: datetime) -> SourceHealth:
    """Judge a source; `weeks` are the first days of the latest week and of those that it is compared with."""
    lately = now.astimezone(UTC).date() - timedelta(days=RHYTHM_DAYS)
    runs = [row.complete for row in days.values() if row.day >= lately and row.complete]
    gap = timedelta(days=1) / median(runs) if len(runs) >= LEAST_DAYS else None
    at = source.complete_at
    late = gap is not None and (at is None or now - at > max(STALE_AFTER * gap, STALE_AT_LEAST))
    means = [_per_day(days, first) for first in weeks]
    earlier = [round(7 * mean) for mean in means[1:] if mean is not None]
    volume = "" if means[0] is None else out_of_band(round(7 * means[0]), earlier)
    return SourceHealth(
        name=source.name,
        is_enabled=source.is_enabled,
        complete_at=at,
        usual_gap=gap,
        is_stale=source.is_enabled and late,
        per_day=means[0],
        volume=volume.replace("runs found", "weeks had") if source.is_enabled else "",
    )


def _per_day(days: Mapping[date, SourceDay], first: date) -> float | None:
    """Return the matches stored on a day of a week, the mean of its noted days; None with too few of them."""
    week = (days.get(first + timedelta(days=number)) for number in range(7))
    noted = [row.stored for row in week if row is not None]
    return fmean(noted) if len(noted) >= LEAST_DAYS else None


def _words(gap: timedelta) -> str:
    minutes = gap / timedelta(minutes=1)
    return f"{minutes:.0f} minutes" if minutes < 120 else f"{minutes / 60:.0f} hours"
