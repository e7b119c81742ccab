"""How far a run is, and how long it takes: measured on earlier runs of the same world and profile."""

from __future__ import annotations

import statistics
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from apps.matches.models import World
from apps.ml.models import PipelineRun
from apps.ml.pipeline.progress import DONE, RUNNING, UNCHANGED, WAITING

RUNS_MEASURED: Final = 20
"""Latest runs whose durations are taken."""

ALMOST: Final = 0.95
"""Largest share of a running stage that counts as done, since its end is not known."""


@dataclass(frozen=True, slots=True)
class StageDuration:
    """How long one stage took in earlier runs that executed it, in seconds."""

    name: str
    runs: int
    latest: float
    median: float
    shortest: float
    longest: float


@dataclass(frozen=True, slots=True)
class StageProgress:
    """One stage of a run; `usual` is its median duration in earlier runs, in seconds."""

    name: str
    status: str
    seconds: float | None  # that it took, or has taken so far
    usual: float | None


@dataclass(frozen=True, slots=True)
class RunProgress:
    """How far a run is."""

    stages: tuple[StageProgress, ...]
    ended: int  # stages
    percent: int  # of the expected time; of the stages while no duration is known
    seconds_left: float | None  # None without earlier runs, and for a run that has ended

    def __str__(self) -> str:
        return f"{self.ended} of {len(self.stages)} stages" if self.stages else "the stages are being listed"


def stage_durations(
    world: World | str,
    profile: str,
    *,
    kind: str = PipelineRun.RunKind.TRAINING,
    before: int | None = None,
) -> dict[str, StageDuration]:
    """Return how long each stage took in the latest runs of a world, profile and kind that executed it.

    `before` is the id of a run; only earlier ones count.
    """
    runs = PipelineRun.objects.filter(world=world, profile=profile, kind=kind).order_by("-id")
    if before is not None:
        runs = runs.filter(pk__lt=before)
    found: dict[str, list[float]] = {}
    for stages in runs.values_list("stages", flat=True)[:RUNS_MEASURED]:
        for stage in stages:
            if stage["status"] == DONE and stage["seconds"] is not None:
                found.setdefault(stage["name"], []).append(stage["seconds"])
    return {
        name: StageDuration(name, len(each), each[0], statistics.median(each), min(each), max(each))
        for name, each in found.items()
    }


def run_progress(run: PipelineRun, durations: Mapping[str, StageDuration], *, now: datetime) -> RunProgress:
    """Return how far a run is, given how long its stages take."""
    stages = tuple(_stage(stage, durations, now) for stage in run.stages)
    # A stage that has never been measured counts as an average one.
    known = [stage.usual for stage in stages if stage.usual]
    average = statistics.fmean(known) if known else 1.0
    total = done = 0.0
    for stage in stages:
        weight = stage.usual or average
        total += weight
        if stage.status in (DONE, UNCHANGED):
            done += weight
        elif stage.status == RUNNING and stage.usual:
            done += weight * min((stage.seconds or 0.0) / stage.usual, ALMOST)
    left = None
    if not stages and durations and not run.is_over:
        left = sum(each.median for each in durations.values())
    elif known and not run.is_over:
        left = sum(
            max((stage.usual or average) - (stage.seconds or 0.0), 0.0)
            for stage in stages
            if stage.status not in (DONE, UNCHANGED)
        )
    ended = sum(stage.status in (DONE, UNCHANGED) for stage in stages)
    return RunProgress(stages, ended, int(100.0 * done / total) if total else 0, left)


def _stage(stage: Mapping[str, Any], durations: Mapping[str, StageDuration], now: datetime) -> StageProgress:
    seconds = stage.get("seconds")
    if stage["status"] == WAITING:
        seconds = None
    elif stage["status"] == RUNNING and stage.get("started_at"):
        seconds = max((now - datetime.fromisoformat(stage["started_at"])).total_seconds(), 0.0)
    usual = durations.get(stage["name"])
    return StageProgress(stage["name"], stage["status"], seconds, usual.median if usual else None)
