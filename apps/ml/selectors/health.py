"""Selectors for monitoring: fixtures without a forecast, results without a grade, runs, gates and live scores."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.db.models import Exists, F, Min, OuterRef

from apps.matches.models import Match, World
from apps.ml.models import ModelVersion, PipelineRun, Prediction, Score
from apps.ml.selectors.forecasts import predictions_before_kickoff, valid_scores

SOON: Final = timedelta(hours=1)
"""A fixture that kicks off within this time should have a forecast."""

GRADED_AFTER: Final = timedelta(hours=1)
"""Time after which a known result should be graded."""
LOOKED_BACK_FOR_GRADES: Final = timedelta(days=7)

RECENT: Final = 500
"""Latest graded forecasts over which live scores are averaged."""
ENOUGH: Final = 200
"""Fewest of them for a difference of means to be shown: its standard error is then about 0.02 nats."""


def fixtures_without_forecast(world: World, now: datetime) -> int:
    """Return how many fixtures of the next hour have no forecast."""
    soon = Match.objects.filter(
        world=world, status=Match.Status.SCHEDULED, kickoff_at__gt=now, kickoff_at__lte=now + SOON
    )
    return soon.exclude(Exists(Prediction.objects.filter(match_id=OuterRef("id")))).count()


def matches_not_graded(world: World, now: datetime) -> int:
    """Return how many results of the last week have been known for an hour without a grade of their forecast."""
    scores = Score.objects.filter(match_id=OuterRef("id"), revision=OuterRef("revision"))
    in_time = predictions_before_kickoff().filter(match_id=OuterRef("id"))
    ended = Match.objects.filter(
        world=world,
        status=Match.Status.FINISHED,
        kickoff_at__gt=now - LOOKED_BACK_FOR_GRADES,
        kickoff_at__lte=now - GRADED_AFTER,
        known_at__lte=now - GRADED_AFTER,
        updated_at__lte=now - GRADED_AFTER,
        home_goals__isnull=False,
    )
    return ended.filter(Exists(in_time), ~Exists(scores)).count()


def forecasts_at_kickoff(
    since: datetime, until: datetime, *, champions_since: dict[World, datetime]
) -> tuple[int, int]:
    """Return how many matches kicked off in a period without a forecast published before it, and how many kicked off in
    total.

    A match counts if it was known an hour before its kick-off and its world had a champion by then.
    """
    without = total = 0
    for world, first in champions_since.items():
        kicked_off = Match.objects.filter(
            world=world,
            kickoff_at__gt=max(since, first + SOON),
            kickoff_at__lte=until,
            created_at__lte=F("kickoff_at") - SOON,
        ).exclude(status__in=(Match.Status.POSTPONED, Match.Status.CANCELLED))
        total += kicked_off.count()
        without += kicked_off.exclude(Exists(predictions_before_kickoff().filter(match_id=OuterRef("id")))).count()
    return without, total


def gates_failed(world: World) -> int:
    """Return how many gates the newest version of a world failed; 0 without one."""
    newest = ModelVersion.objects.filter(world=world).order_by("-number").values_list("gates", flat=True).first()
    return sum(not gate["passed"] for gate in newest or [])


@dataclass(frozen=True, slots=True)
class RunHealth:
    """The latest ended training of a world, and the oldest heartbeat of all unfinished runs."""

    latest_failed: bool
    latest_seconds: float | None
    heartbeat_at: datetime | None


def run_health(world: World) -> RunHealth:
    """Return the health of the pipeline runs of a world."""
    status = PipelineRun.RunStatus
    training = PipelineRun.RunKind.TRAINING
    ended = PipelineRun.objects.filter(world=world, kind=training, finished_at__isnull=False)
    latest = ended.order_by("-id").values_list("status", "started_at", "finished_at").first()
    under_way = PipelineRun.objects.filter(world=world, status__in=(status.RUNNING, status.INTERRUPTED))
    heartbeat_at = under_way.aggregate(oldest=Min("heartbeat_at"))["oldest"]
    if latest is None:
        return RunHealth(False, None, heartbeat_at)
    state, started_at, finished_at = latest
    seconds = (finished_at - started_at).total_seconds() if started_at and finished_at else None
    return RunHealth(state == status.FAILED, seconds, heartbeat_at)


@dataclass(frozen=True, slots=True)
class LiveScores:
    """Means over the latest graded forecasts; `market` is over those that have closing prices."""

    n: int
    model: float
    base_rates: float
    n_with_market: int
    model_with_market: float
    market: float


def live_log_loss(world: World) -> LiveScores | None:
    """Return the mean log loss, in nats, of the latest graded forecasts of a world; None without any."""
    columns = ("log_loss", "base_log_loss", "market_log_loss")
    rows = list(valid_scores(world).order_by("-settled_at").values_list(*columns)[:RECENT])
    if not rows:
        return None
    with_market = [row for row in rows if row[2] is not None]

    def mean(values: list[float]) -> float:
        return sum(values) / len(values) if values else 0.0

    return LiveScores(
        n=len(rows),
        model=mean([row[0] for row in rows]),
        base_rates=mean([row[1] for row in rows]),
        n_with_market=len(with_market),
        model_with_market=mean([row[0] for row in with_market]),
        market=mean([row[2] for row in with_market]),
    )
