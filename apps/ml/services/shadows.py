"""Forecasts in shadow: what challengers and the previous champion would have published in place of the champion."""

from __future__ import annotations

import logging
from collections import defaultdict
from dataclasses import dataclass
from datetime import datetime

from django.db import DatabaseError

from apps.matches.locks import Lock, try_lock
from apps.matches.models import Match, World
from apps.matches.selectors import data_snapshot
from apps.ml import metrics, selectors, serving
from apps.ml.models import Prediction, ShadowForecast

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ShadowReport:
    """Number of forecasts in shadow of one round, by world; `busy` when another round was running."""

    made: dict[str, int]
    busy: bool = False


def shadow_due(*, now: datetime) -> ShadowReport:
    """Forecast in shadow what the champions have published on the present facts."""
    with try_lock(Lock.SHADOW) as ours:
        if not ours:
            return ShadowReport({}, busy=True)
        made = {}
        for world in World:
            try:
                made[str(world)] = _shadow_world(world, now=now)
            except (DatabaseError, ValueError) as error:
                # An error in one world must not stop the other.
                metrics.ERRORS.labels("shadow").inc()
                logger.exception("forecasts in shadow of the %s world: %s", world, error)
        return ShadowReport(made)


def _shadow_world(world: World, *, now: datetime) -> int:
    """Make a world's forecasts in shadow that are due; return how many.

    Only for predictions of the present data snapshot, because a version whose state has seen later results would know
    more than the champion did.
    """
    promotion = selectors.champion(world)
    versions = selectors.shadow_versions(world)
    if promotion is None or not versions:
        return 0
    snapshot = data_snapshot(world)
    predictions = Prediction.objects.filter(
        version=promotion.version_id,
        data_snapshot=snapshot,
        match__world=world,
        match__status=Match.Status.SCHEDULED,
        match__kickoff_at__gt=now,
    )
    made = 0
    for served in serving.shadows(world, [version.pk for version in versions], now=now):
        if served.data_snapshot != snapshot:
            # An ingest came in between: the champion publishes again, and the next round follows it.
            continue
        due = predictions.exclude(shadows__version=served.version_id).order_by("match__kickoff_at", "id")
        made += _forecast(served, list(due.only("id", "match_id", "as_of")), now=now)
    return made


def _forecast(served: serving.ServedModel, predictions: list[Prediction], *, now: datetime) -> int:
    # Loads pandas.
    from apps.ml import dataset

    by_moment: dict[datetime, list[Prediction]] = defaultdict(list)
    for prediction in predictions:
        by_moment[prediction.as_of].append(prediction)
    rows = []
    for as_of, group in by_moment.items():
        # As of the moment of the prediction: the same line-ups were known. Without the metrics of published forecasts.
        p = serving.numbers(served, dataset.fixtures([each.match_id for each in group]), now=as_of).probabilities
        rows += [
            ShadowForecast(
                prediction=prediction,
                version_id=served.version_id,
                p_home=float(p[i, 0]),
                p_draw=float(p[i, 1]),
                p_away=float(p[i, 2]),
                made_at=now,
            )
            for i, prediction in enumerate(group)
        ]
    ShadowForecast.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)
