"""Reads of models, predictions and their scores."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

import numpy as np
from django.db.models import Exists, F, OuterRef, QuerySet

from apps.matches.models import Match, Season, World
from apps.ml.forecasting import scoring
from apps.ml.models import ModelVersion, PipelineRun, Prediction, Promotion, Score, SeasonForecast, ServedWorld

INTERVAL_FROM: Final = 30
"""Matches from which a bootstrap interval means anything."""


def served_world() -> World:
    """Return the world that pages show first: the operator's choice, else the sandbox."""
    chosen = ServedWorld.objects.values_list("world", flat=True).first()
    return World(chosen) if chosen else World.SANDBOX


def champion(world: World) -> Promotion | None:
    """Return the newest promotion of a world with its version, the bundle left in the database."""
    return (
        Promotion.objects.filter(world=world).select_related("version").defer("version__bundle").order_by("-id").first()
    )


def model_versions(world: World) -> QuerySet[ModelVersion]:
    """Return the registered versions of a world, newest first, the bundles left in the database."""
    return ModelVersion.objects.filter(world=world).defer("bundle").order_by("-number")


def promotions(world: World) -> QuerySet[Promotion]:
    """Return who promoted what and why, newest first."""
    return (
        Promotion.objects.filter(world=world)
        .select_related("version", "previous")
        .defer("version__bundle", "previous__bundle")
        .order_by("-id")
    )


def runs(world: World) -> QuerySet[PipelineRun]:
    """Return the pipeline runs of a world, newest first."""
    return PipelineRun.objects.filter(world=world).order_by("-id")


def latest_run(world: World) -> PipelineRun | None:
    """Return the newest pipeline run of a world."""
    return runs(world).first()


def predictions_in_time() -> QuerySet[Prediction]:
    """Return the predictions that were published before the kick-off as it came to be; a late one is void."""
    return Prediction.objects.filter(published_at__lt=F("match__kickoff_at"))


def latest_predictions(match_ids: Iterable[int]) -> dict[int, Prediction]:
    """Return for each match the latest prediction published before kick-off; for a finished match the graded one."""
    rows = (
        predictions_in_time()
        .filter(match_id__in=list(match_ids))
        .select_related("version")
        .defer("version__bundle", "version__metrics", "version__gates")
        .order_by("match_id", "-published_at", "-id")
        .distinct("match_id")
    )
    return {row.match_id: row for row in rows}


def prediction_history(match_id: int) -> QuerySet[Prediction]:
    """Return every prediction of a match in the order of time."""
    return (
        Prediction.objects.filter(match_id=match_id)
        .select_related("version")
        .defer("version__bundle", "version__metrics", "version__gates")
        .order_by("published_at", "id")
    )


def season_forecast(season: Season) -> SeasonForecast | None:
    """Return the latest simulation of a season with the version that made it, the bundle left in the database."""
    return (
        SeasonForecast.objects.filter(season=season)
        .select_related("version")
        .defer("version__bundle", "version__metrics", "version__gates")
        .order_by("-as_of", "-id")
        .first()
    )


def scores_that_count(world: World | None = None) -> QuerySet[Score]:
    """Return the scores of graded predictions against the newest revision of the result."""
    later = predictions_in_time().filter(
        match_id=OuterRef("match_id"), published_at__gt=OuterRef("prediction__published_at")
    )
    rows = Score.objects.filter(
        ~Exists(later),
        revision=F("match__revision"),
        match__status=Match.Status.FINISHED,
        prediction__published_at__lt=F("match__kickoff_at"),
    )
    return rows.filter(world=world) if world else rows


def newest_scores(match_ids: Iterable[int]) -> dict[int, Score]:
    """Return the score that counts of each match that has one."""
    return {row.match_id: row for row in scores_that_count().filter(match_id__in=list(match_ids))}


@dataclass(frozen=True, slots=True)
class Measures:
    """Mean scores over some matches; log loss in nats, RPS in [0, 1]."""

    n: int
    log_loss: float
    rps: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """The model and an alternative on the same matches.

    `difference` is that of log loss (model − alternative), `interval` its paired bootstrap interval; None while there
    are fewer than `INTERVAL_FROM` matches, which no interval describes.
    """

    model: Measures
    other: Measures
    difference: float
    interval: scoring.Interval | None


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """How the published forecasts of a world did.

    `brier` is that of the model on all graded matches; `void` counts finished matches whose every forecast came after
    the kick-off as it came to be.
    """

    n: int
    brier: float | None
    against_base_rates: Comparison | None
    against_market: Comparison | None
    first_at: datetime | None
    latest_at: datetime | None
    void: int


def track_record(world: World, *, since: datetime | None = None) -> TrackRecord:
    """Return the grades of the published forecasts of a world beside base rates and market on the same matches."""
    scores = scores_that_count(world)
    finished = Match.objects.filter(
        season__competition__is_simulated=world == World.SANDBOX, status=Match.Status.FINISHED
    )
    if since:
        scores = scores.filter(match__kickoff_at__gte=since)
        finished = finished.filter(kickoff_at__gte=since)
    any_prediction = Prediction.objects.filter(match_id=OuterRef("id"))
    in_time = predictions_in_time().filter(match_id=OuterRef("id"))
    void = finished.filter(Exists(any_prediction), ~Exists(in_time)).count()
    rows = list(
        scores.order_by("match__kickoff_at", "match_id").values_list(
            "match__kickoff_at",
            "log_loss",
            "rps",
            "brier",
            "base_log_loss",
            "base_rps",
            "market_log_loss",
            "market_rps",
        )
    )
    if not rows:
        return TrackRecord(0, None, None, None, None, None, void)
    kickoffs = [row[0] for row in rows]
    table = np.array([row[1:] for row in rows], dtype=np.float64)
    # Matches that kick off together share their news: the bootstrap draws kick-offs, not matches.
    together = np.array([int(at.timestamp()) for at in kickoffs])
    with_market = ~np.isnan(table[:, 5])
    return TrackRecord(
        n=len(rows),
        brier=float(table[:, 2].mean()),
        against_base_rates=_compare(table[:, 0:2], table[:, 3:5], together),
        against_market=_compare(table[with_market, 0:2], table[with_market, 5:7], together[with_market])
        if with_market.any()
        else None,
        first_at=kickoffs[0],
        latest_at=kickoffs[-1],
        void=void,
    )


def _compare(model: np.ndarray, other: np.ndarray, together: np.ndarray) -> Comparison:
    difference = model[:, 0] - other[:, 0]
    return Comparison(
        model=Measures(len(model), float(model[:, 0].mean()), float(model[:, 1].mean())),
        other=Measures(len(other), float(other[:, 0].mean()), float(other[:, 1].mean())),
        difference=float(difference.mean()),
        interval=scoring.paired_bootstrap(difference, together) if len(difference) >= INTERVAL_FROM else None,
    )
