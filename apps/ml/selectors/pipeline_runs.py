"""Pipeline runs, and the history that a run would have to learn from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db.models import Count, F, Func, Min, QuerySet, TextField
from django.utils import timezone

from apps.matches.composed import composed_once
from apps.matches.locks import Lock, is_taken
from apps.matches.models import Match, World
from apps.ml.forecasting import scoring
from apps.ml.models import PipelineRun

UNFINISHED: Final = (PipelineRun.RunStatus.QUEUED, PipelineRun.RunStatus.RUNNING, PipelineRun.RunStatus.INTERRUPTED)
"""Statuses of unfinished runs."""

SILENT_AFTER: Final = timedelta(seconds=3)
"""Age of the heartbeat after which the lock decides whether the executor of a run is alive."""


def runs(world: World) -> QuerySet[PipelineRun]:
    """Return the pipeline runs of a world, newest first."""
    return PipelineRun.objects.filter(world=world).order_by("-id")


@composed_once
def newest_runs(world: World, limit: int) -> QuerySet[PipelineRun]:
    """Return the newest pipeline runs of a world that train, without their logs and numbers."""
    training = runs(world).filter(kind=PipelineRun.RunKind.TRAINING)
    return training.defer("log", "params", "dvc_lock", "metrics")[:limit]


def latest_run(world: World) -> PipelineRun | None:
    """Return the newest pipeline run of a world, with its actual status."""
    run = runs(world).first()
    return None if run is None else with_actual_status(run)


def with_actual_status(run: PipelineRun) -> PipelineRun:
    """Return a run for display: as interrupted when its executor died without updating the row.

    The heartbeat alone does not decide, because it may be late on a busy machine; the lock of a dead executor is free.
    """
    if run.status == PipelineRun.RunStatus.RUNNING and run.heartbeat_at is not None:
        is_silent = timezone.now() - run.heartbeat_at > SILENT_AFTER
        if is_silent and not is_taken(Lock.RUN):
            run.status = PipelineRun.RunStatus.INTERRUPTED
            run.stages = [
                stage | {"status": "interrupted"} if stage["status"] == "running" else stage for stage in run.stages
            ]
    return run


def run_before(run: PipelineRun) -> PipelineRun | None:
    """Return the unfinished run that is executed right before another."""
    earlier = PipelineRun.objects.filter(status__in=UNFINISHED, pk__lt=run.pk)
    return earlier.only("id").order_by("-id").first()


def run_tags() -> list[str]:
    """Return the tags that any run has, in their order."""
    tags = Func(F("tags"), function="jsonb_array_elements_text", output_field=TextField())
    return sorted(PipelineRun.objects.exclude(tags=[]).annotate(tag=tags).values_list("tag", flat=True).distinct())


def runs_by_status() -> dict[str, int]:
    """Return the number of runs by their actual status."""
    found = dict(PipelineRun.objects.values_list("status").annotate(n=Count("id")).order_by("status"))
    for run in PipelineRun.objects.filter(status=PipelineRun.RunStatus.RUNNING).only(
        "status", "heartbeat_at", "stages"
    ):
        if with_actual_status(run).status != PipelineRun.RunStatus.RUNNING:
            found[PipelineRun.RunStatus.RUNNING] -= 1
            found[run.status] = found.get(run.status, 0) + 1
    return found


@dataclass(frozen=True, slots=True)
class TrainingHistory:
    """The history that a run as of some instant would learn from."""

    first_known_at: datetime | None  # when the first result of the world was known
    first_kickoff_at: datetime | None  # when the first match with a result kicked off
    known: int  # matches whose result was known before the instant
    warm_up_days: int  # required by the walk-forward evaluation, like `least_rows`
    least_rows: int
    is_enough: bool  # whether one step has enough matches to train on and to test


def history(world: World, *, as_of: datetime, split: Mapping[str, Any]) -> TrainingHistory:
    """Return the history of a world before an instant, and whether it suffices for the section `split`.

    The stage `split` checks more closely: a history that is too short here is too short there.
    """
    finished = Match.objects.filter(world=world, status=Match.Status.FINISHED, known_at__isnull=False)
    first = finished.aggregate(known_at=Min("known_at"), kickoff_at=Min("kickoff_at"))
    known, least = finished.filter(known_at__lt=as_of), split["least_rows"]
    is_enough = False
    if first["kickoff_at"] is not None:
        begin = first["kickoff_at"] + timedelta(days=split["warm_up_days"])
        # Of the refits with enough matches after them, the latest has the most matches before it.
        latest = known.order_by("-kickoff_at").values_list("kickoff_at", flat=True)[least - 1 : least].first()
        starts = scoring.season_starts(begin, latest or begin, split["refit_month"], split["refit_day"])
        before = known.filter(kickoff_at__gte=begin, known_at__lt=starts[-1]) if starts else known.none()
        is_enough = before[:least].count() >= least
    return TrainingHistory(
        first_known_at=first["known_at"],
        first_kickoff_at=first["kickoff_at"],
        known=known.count(),
        warm_up_days=split["warm_up_days"],
        least_rows=least,
        is_enough=is_enough,
    )
