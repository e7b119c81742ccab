"""The home page of the admin: what happened, what is late, and what waits for a decision.

`templates/admin/index.html` lists the panels. Each is a template and what `home` adds to the context for it, in few
queries that read few rows. The health of the parts comes later, because a part that hangs takes seconds to tell.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db.models import Count, Exists, Max, Min, Model, OuterRef, QuerySet
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils import timezone
from django.utils.text import capfirst
from django_celery_beat.models import PeriodicTask

from apps.api import selectors as api_selectors
from apps.api.models import PredictionJob, Webhook, WebhookDelivery
from apps.matches.models import AuditEntry, Contradiction, Event, Ingest, Match, TeamAlias, World
from apps.matches.selectors import Amount, amount, disk_use, retention_begins_at
from apps.ml import selectors as ml_selectors
from apps.ml.models import PipelineRun, Prediction, Promotion, Score
from apps.ml.selectors.forecasts import LiveRecord
from apps.scraping import selectors as scraping_selectors
from apps.scraping.admin.sources.summaries import (
    SPARK_HEIGHT,
    Bar,
    add_summaries,
    bars,
    next_request_of,
)
from apps.scraping.models import ScrapeRun
from apps.scraping.services import why_off
from spai import broker
from spai.broker import QUEUES
from spai.stack import health as checks

FAILURES_SHOWN: Final = timedelta(days=1)
COVERED: Final = timedelta(days=15)
NOT_EVALUATED_AFTER: Final = timedelta(minutes=5)
"""Age of the latest evaluation of the alerts from which the home page shows a warning."""
COMPLETE: Final = (PipelineRun.RunStatus.SUCCEEDED, PipelineRun.RunStatus.UNCHANGED)
"""Statuses of a pipeline run that reached its end."""
RUNS_SHOWN: Final = 8
ACTIONS_SHOWN: Final = 8
MOST_COUNTED: Final = 1_000
"""What waits for a decision is counted up to here."""

CHART_WIDTH: Final = 240.0
CHART_HEIGHT: Final = 48.0


def home(request: HttpRequest, context: dict[str, Any]) -> dict[str, Any]:
    """Add what the panels show to the context of the home page."""
    now = timezone.now()
    since = now - FAILURES_SHOWN
    served = ml_selectors.served_world()
    failed = PipelineRun.objects.filter(status=PipelineRun.RunStatus.FAILED, finished_at__gte=since)
    runs = latest_runs()
    evaluated_at = api_selectors.alerts_evaluated_at()
    return context | {
        "alerts": api_selectors.firing_alerts(),
        "of_one_container": api_selectors.alerts_of_one_container(),
        "evaluated_at": evaluated_at,
        "is_evaluated": evaluated_at is not None and now - evaluated_at <= NOT_EVALUATED_AFTER,
        "queues": queues(now),
        "decisions": decisions(),
        "worlds": [world_panel(world, served=served, now=now) for world in sorted(World, key=lambda w: w != served)],
        "sources": [source_line(source) for source in with_summaries(scraping_selectors.sources())],
        "disk": disk_use(),
        "retention_begins_at": retention_begins_at(now),
        "drifts": [drift for world in World if (drift := ml_selectors.latest_drift(world))],
        "runs": runs,
        "run_bars": run_bars(runs[::-1]),
        "failed_runs": failed.defer("log", "params", "dvc_lock", "metrics").order_by("-id")[:5],
        "troubled_runs": scraping_selectors.troubled_runs(since)[:5],
        "halted_hosts": scraping_selectors.halted_hosts(),
        "actions": AuditEntry.objects.order_by("-id")[:ACTIONS_SHOWN]
        if request.user.has_perm("matches.view_auditentry")
        else None,
    }


# ── Worlds ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class WorldPanel:
    """Key figures of one world; `line` is the live record as the points of a chart, `zero` the height of its axis."""

    world: World
    is_served: bool
    champion: Promotion | None
    record: LiveRecord | None
    line: str
    zero: float
    matches: Amount
    results: Amount
    fresh_at: datetime | None
    data_snapshot: int | None
    fixtures: int
    forecasts: int
    scored: Amount


def world_panel(world: World, *, served: World, now: datetime) -> WorldPanel:
    """Collect the figures of one world."""
    matches = Match.objects.filter(world=world)
    fixtures = matches.filter(status=Match.Status.SCHEDULED, kickoff_at__gt=now, kickoff_at__lte=now + COVERED)
    newest = Ingest.objects.filter(world=world, changed_facts=True).order_by("-id").first()
    champion = ml_selectors.champion(world)
    record = ml_selectors.live_record(champion) if champion else None
    line, zero = chart_line(record.running if record else ())
    return WorldPanel(
        world=world,
        is_served=world == served,
        champion=champion,
        record=record,
        line=line,
        zero=zero,
        matches=amount(matches),
        results=amount(matches.filter(status=Match.Status.FINISHED)),
        fresh_at=newest.finished_at if newest else None,
        data_snapshot=newest.pk if newest else None,
        fixtures=fixtures.count(),
        forecasts=fixtures.filter(Exists(Prediction.objects.filter(match_id=OuterRef("id")))).count(),
        scored=amount(Score.objects.filter(world=world)),
    )


def chart_line(values: Sequence[float]) -> tuple[str, float]:
    """Return some values as points of an SVG polyline, and the height of zero, which is always inside the picture."""
    if len(values) < 2:
        return "", 0.0
    top, bottom = max(0.0, *values), min(0.0, *values)
    span = (top - bottom) or 1.0

    def y(value: float) -> float:
        return round(CHART_HEIGHT * (top - value) / span, 1)

    step = CHART_WIDTH / (len(values) - 1)
    return " ".join(f"{round(i * step, 1)},{y(value)}" for i, value in enumerate(values)), y(0.0)


# ── Queues and decisions ─────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class QueueLine:
    """Rows that wait for a worker: how many, since when the oldest, and whether that is too long."""

    name: str
    address: str
    length: int
    oldest_at: datetime | None
    is_late: bool


def queues(now: datetime) -> list[QueueLine]:
    """Return what waits for a worker, as the tables have it; back-fills wait for all other scrape runs."""
    unfinished = PipelineRun.objects.filter(status__in=ml_selectors.UNFINISHED)
    jobs = PredictionJob.objects.filter(state__in=("queued", "running"))
    due = WebhookDelivery.objects.filter(state="pending", next_attempt_at__lte=now, webhook__is_active=True)
    scrapes = ScrapeRun.objects.filter(finished_at__isnull=True).exclude(scope__in=scraping_selectors.CAN_WAIT)
    back_fills = ScrapeRun.objects.filter(finished_at__isnull=True, scope__in=scraping_selectors.CAN_WAIT)
    lines: tuple[tuple[str, str, QuerySet[Any], str, timedelta], ...] = (
        ("scrape runs", "scraping_scraperun", scrapes, "requested_at", timedelta(minutes=30)),
        ("back-fills", "scraping_scraperun", back_fills, "requested_at", timedelta(days=7)),
        ("pipeline runs", "ml_pipelinerun", unfinished, "created_at", timedelta(days=1)),
        ("prediction jobs", "api_predictionjob", jobs, "created_at", timedelta(minutes=10)),
        ("webhook messages", "api_webhookdelivery", due, "next_attempt_at", timedelta(minutes=10)),
        ("events to number", "matches_event", Event.objects.filter(number=None), "created_at", timedelta(minutes=1)),
    )
    found = []
    for name, page, rows, since, timeout in lines:
        waiting = rows.aggregate(length=Count("pk"), oldest=Min(since))
        is_late = waiting["oldest"] is not None and now - waiting["oldest"] > timeout
        address = reverse(f"admin:{page}_changelist")
        found.append(QueueLine(name, address, waiting["length"], waiting["oldest"], is_late))
    return found


@dataclass(frozen=True, slots=True)
class Decision:
    """What waits for a person, how many of it where it is counted, and where to decide."""

    count: int | None
    what: str
    address: str
    reason: str = ""


def decisions() -> list[Decision]:
    """Return what waits for a decision of a person, without what does not."""
    found = [
        Decision(
            None,
            f"{capfirst(str(proposal.candidate))} may take over from {proposal.champion}",
            _page_of(proposal.candidate),
            proposal.reason,
        )
        for world in World
        for proposal in ml_selectors.proposals(world)
    ]
    names = TeamAlias.objects.filter(reviewed_at=None)
    contradictions = Contradiction.objects.filter(resolved_at=None)
    disabled = Webhook.objects.filter(is_active=False).exclude(disabled_reason="")
    waiting: tuple[tuple[QuerySet[Any], str, str, str], ...] = (
        (names, "team names to review", "matches_teamalias", "review=waiting"),
        (contradictions, "open contradictions", "matches_contradiction", "state=open"),
        (disabled, "webhooks that failed and are off", "api_webhook", "is_active__exact=0"),
    )
    for rows, what, page, query in waiting:
        if count := rows.order_by()[:MOST_COUNTED].count():
            found.append(Decision(count, what, f"{reverse(f'admin:{page}_changelist')}?{query}"))
    return found


def _page_of(row: Model) -> str:
    return reverse(f"admin:{row._meta.app_label}_{row._meta.model_name}_change", args=[row.pk])


# ── Sources and runs ─────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class SourceLine:
    """A source with its next visit, what its history speaks against, and the bars of its latest runs."""

    source: Any
    why_off: str
    next_at: datetime | None
    troubles: str
    bars: list[Bar]


def with_summaries(found: QuerySet[Any]) -> list[Any]:
    """Return sources with their hosts, timetable and latest runs."""
    sources = list(found)
    add_summaries(sources)
    return sources


def source_line(source: Any) -> SourceLine:
    """Return the line of a source; one that is off is neither visited nor stale."""
    reason = why_off(source)
    coming = [] if reason else [next_request_of(row) for row in source.summary.timetable]
    troubles = "" if reason else "; ".join(source.summary.health.troubles)
    return SourceLine(source, reason, min(coming, default=None), troubles, bars(source.summary.runs))


def latest_runs() -> list[PipelineRun]:
    """Return the newest pipeline runs with their actual status, without their large fields."""
    rows = PipelineRun.objects.defer("log", "params", "dvc_lock", "metrics").order_by("-id")[:RUNS_SHOWN]
    return [ml_selectors.with_actual_status(run) for run in rows]


def run_bars(runs: Sequence[PipelineRun]) -> list[Bar]:
    """Return a bar for each run that has ended: its height is the duration, its colour whether it reached its end."""
    ended = [run for run in runs if run.started_at and run.finished_at]
    seconds = [(run.finished_at - run.started_at).total_seconds() for run in ended]  # type: ignore[operator]
    longest = max(seconds, default=0.0) or 1.0
    return [
        Bar(
            height=round(SPARK_HEIGHT * max(0.1, took / longest), 1),
            tone="succeeded" if run.status in COMPLETE else "failed",
            title=f"{run}: {run.get_status_display().lower()}, {timedelta(seconds=round(took))}",
        )
        for run, took in zip(ended, seconds, strict=True)
    ]


# ── Health ───────────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True, slots=True)
class PartHealth:
    """A part of the installation, whether it is well, and the result of its check."""

    name: str
    is_well: bool
    said: str


def health(request: HttpRequest) -> HttpResponse:
    """Show the health of every part: checked over the network, or by the time of its latest work."""
    with ThreadPoolExecutor() as threads:
        submitted = [(name, threads.submit(check)) for name, check in network_checks()]
        parts = [PartHealth("postgres", True, "answers"), _beat(timezone.now()), *_outcomes(submitted)]
    return render(
        request, "admin/health.html", {"parts": parts, "unwell": [part for part in parts if not part.is_well]}
    )


def network_checks() -> list[tuple[str, Callable[[], Any]]]:
    """Return the checks of parts over the network, by name."""
    found: list[tuple[str, Callable[[], Any]]] = [
        ("web", checks.http(f"{settings.SPAI_WEB_URL}/readyz")),
        ("push", checks.http(f"{settings.SPAI_PUSH_URL}/readyz")),
        ("redis", checks.redis_server(settings.REDIS_URL)),
        ("workers", _workers),
    ]
    if settings.SPAI_SANDBOX:
        found.append(("sandbox", checks.http(f"{settings.SPAI_SANDBOX_URL}/")))
    if settings.MLFLOW_TRACKING_URI:
        found.append(("mlflow", checks.http(f"{settings.MLFLOW_TRACKING_URI}/health")))
    return found


def _outcomes(submitted: Sequence[tuple[str, Any]]) -> list[PartHealth]:
    parts: list[PartHealth] = []
    for name, answer in submitted:
        try:
            said = answer.result()
        except checks.Unhealthy as reason:
            parts.append(PartHealth(name, False, str(reason)))
        else:
            parts += said if isinstance(said, list) else [PartHealth(name, True, said)]
    return parts


def _workers() -> list[PartHealth]:
    """Return the health of the worker of each queue, which has its name, with the messages that wait for it."""
    alive: set[str] = set()
    try:
        control = checks.bare_celery(settings.BROKER).control
        # Of more workers than queues, those that answer first may be of one queue: then all are waited for.
        for limit in (len(QUEUES), None):
            answers = control.ping(timeout=2.0, limit=limit) or []
            alive |= {name.partition("@")[0] for answer in answers for name in answer}
            if alive.issuperset(QUEUES):
                break
        waiting = {queue: each.messages for queue, each in broker.waiting(settings.BROKER, timeout=2).items()}
    except Exception as error:  # kombu raises the errors of each transport
        raise checks.Unhealthy(f"the broker does not answer: {checks.first_line(error)}") from error
    return [
        PartHealth(
            f"worker {queue}",
            queue in alive,
            ("answers" if queue in alive else "does not answer")
            + (f", {waiting[queue]} messages wait" if waiting.get(queue) else ""),
        )
        for queue in QUEUES
    ]


def _beat(now: datetime) -> PartHealth:
    """Return the health of celery-beat, by the time of the latest task that it sent."""
    latest = PeriodicTask.objects.filter(enabled=True).aggregate(latest=Max("last_run_at"))["latest"]
    if latest is None:
        return PartHealth("beat", False, "has never sent a task")
    silence = now - latest
    return PartHealth(
        "beat", silence <= checks.LONGEST_SILENCE_OF_BEAT, f"sent a task {silence.total_seconds():.0f} s ago"
    )
