"""Prometheus metrics of the models.

Counters and histograms are written where the work is done. Gauges are read from the database at each scrape, so that a
restart loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Final

from django.db import DatabaseError
from django.utils import timezone
from prometheus_client import Counter, Gauge, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.matches.models import World
from apps.ml import selectors

PREDICTIONS: Final = Counter("spai_predictions_total", "Forecasts made, published or live.", ["world", "kind"])
"""`kind` is published (stored and scored) or live (returned, not stored)."""

PREDICTION_SECONDS: Final = Histogram(
    "spai_prediction_seconds",
    "Duration of a forecast, features included, for one batch.",
    ["world"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1, 5, 30),
)

INFERENCE_SECONDS: Final = Histogram(
    "spai_inference_seconds",
    "Duration of the model's prediction, without features, for one batch.",
    ["world"],
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.25, 1),
)

CONFIDENCE: Final = Histogram(
    "spai_prediction_confidence",
    "The largest of the three probabilities.",
    ["world"],
    buckets=(0.35, 0.4, 0.45, 0.5, 0.55, 0.6, 0.65, 0.7, 0.8, 0.9, 1.0),
)

SETTLED: Final = Counter("spai_scores_total", "Forecasts scored.", ["world"])

ERRORS: Final = Counter("spai_model_errors_total", "Errors of models, by step.", ["step"])

CHAMPION_NOT_SERVED: Final = Gauge(
    "spai_champion_not_served",
    "1 while a process serves another version than the champion, or none, because it cannot load the champion.",
    ["world"],
    multiprocess_mode="livemax",
)


class ModelCollector(Collector):
    """Gauges of champions, forecasts, drift and pipeline runs, read from the database at each scrape."""

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; none while the database is away, so that the other metrics are still served."""
        try:
            gauges = [*_of_champions(timezone.now()), *_of_live_scores(), *_of_drift(), *_of_runs()]
        except DatabaseError:
            return
        yield from gauges


def _of_champions(now: datetime) -> list[Metric]:
    info = GaugeMetricFamily(
        "spai_model_info", "The champion: 1.", labels=["world", "version", "estimator", "profile", "revision"]
    )
    registered = GaugeMetricFamily(
        "spai_model_registered_timestamp_seconds", "When the champion was registered.", labels=["world"]
    )
    gates = GaugeMetricFamily("spai_gates_failed", "Gates that the newest version failed.", labels=["world"])
    unforecast = GaugeMetricFamily(
        "spai_fixtures_without_forecast",
        "Fixtures of the next hour without a forecast, in a world that has a champion.",
        labels=["world"],
    )
    ungraded = GaugeMetricFamily(
        "spai_matches_not_graded",
        "Matches of the last week whose result is known for an hour and whose forecast is not graded.",
        labels=["world"],
    )
    for world in World:
        if promotion := selectors.champion(world):
            version = promotion.version
            labels = [version.estimator, version.profile, version.code_revision]
            info.add_metric([world, str(version.number), *labels], 1)
            registered.add_metric([world], version.created_at.timestamp())
            unforecast.add_metric([world], selectors.fixtures_without_forecast(world, now))
        gates.add_metric([world], selectors.gates_failed(world))
        ungraded.add_metric([world], selectors.matches_not_graded(world, now))
    return [info, registered, gates, unforecast, ungraded]


def _of_live_scores() -> list[Metric]:
    scores = GaugeMetricFamily(
        "spai_live_log_loss",
        "Mean log loss in nats over the latest 500 graded forecasts; of the market over those with closing prices.",
        labels=["world", "of"],
    )
    scored = GaugeMetricFamily("spai_live_graded", "Graded forecasts in spai_live_log_loss.", labels=["world", "of"])
    differences = GaugeMetricFamily(
        "spai_live_log_loss_difference",
        "Log loss of the forecasts less that of an alternative on the same matches, from 200 matches on.",
        labels=["world", "against"],
    )
    for world in World:
        live = selectors.live_log_loss(world)
        if live is None:
            continue
        for of, n, loss in (
            ("model", live.n, live.model),
            ("base rates", live.n, live.base_rates),
            ("market", live.n_with_market, live.market),
        ):
            scored.add_metric([world, of], n)
            if n:
                scores.add_metric([world, of], loss)
        if live.n >= selectors.ENOUGH:
            differences.add_metric([world, "base rates"], live.model - live.base_rates)
        if live.n_with_market >= selectors.ENOUGH:
            differences.add_metric([world, "market"], live.model_with_market - live.market)
    return [scores, scored, differences]


def _of_drift() -> list[Metric]:
    drifted = GaugeMetricFamily(
        "spai_drift_score",
        "Largest statistic over its threshold in the latest check of the champion: 1 and more is drift.",
        labels=["world", "kind"],
    )
    looked = GaugeMetricFamily("spai_drift_timestamp_seconds", "When drift was last checked.", labels=["world"])
    for world in World:
        latest = selectors.latest_drift(world)
        if latest is None:
            continue
        looked.add_metric([world], latest.computed_at.timestamp())
        for kind, test in latest.tests.items():
            if test.measured:
                drifted.add_metric([world, kind], test.score)
    return [drifted, looked]


def _of_runs() -> list[Metric]:
    runs = GaugeMetricFamily("spai_pipeline_runs", "Pipeline runs by status.", labels=["status"])
    failed = GaugeMetricFamily(
        "spai_pipeline_latest_run_failed", "1 while the latest ended training failed.", labels=["world"]
    )
    seconds = GaugeMetricFamily(
        "spai_pipeline_latest_run_seconds", "Duration of the latest ended training.", labels=["world"]
    )
    heartbeat = GaugeMetricFamily(
        "spai_pipeline_run_heartbeat_timestamp_seconds",
        "When a pipeline run that is under way last wrote its heartbeat.",
        labels=["world"],
    )
    for world in World:
        health = selectors.run_health(world)
        failed.add_metric([world], health.latest_failed)
        if health.latest_seconds is not None:
            seconds.add_metric([world], health.latest_seconds)
        if health.heartbeat_at is not None:
            heartbeat.add_metric([world], health.heartbeat_at.timestamp())
    for status, count in selectors.runs_by_status().items():
        runs.add_metric([status], count)
    return [runs, failed, seconds, heartbeat]
