"""Prometheus metrics of the models.

Counters and histograms are written where the work is done. Gauges are read from the database at each scrape, so that a
restart loses nothing.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.db import DatabaseError
from prometheus_client import Counter, Histogram
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


class ModelCollector(Collector):
    """Gauges of the champion and of the pipeline runs, read from the database at each scrape."""

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; none while the database is away, so that the other metrics are still served."""
        info = GaugeMetricFamily(
            "spai_model_info", "The champion: 1.", labels=["world", "version", "estimator", "profile", "revision"]
        )
        registered = GaugeMetricFamily(
            "spai_model_registered_timestamp_seconds", "When the champion was registered.", labels=["world"]
        )
        drifted = GaugeMetricFamily(
            "spai_drift_score",
            "Largest statistic over its threshold in the latest look at the champion: 1 and more is drift.",
            labels=["world", "kind"],
        )
        looked = GaugeMetricFamily("spai_drift_timestamp_seconds", "When drift was last looked at.", labels=["world"])
        waiting = GaugeMetricFamily("spai_pipeline_runs", "Pipeline runs by status.", labels=["status"])
        try:
            for world in World:
                promotion = selectors.champion(world)
                if promotion is None:
                    continue
                version = promotion.version
                labels = [str(world), str(version.number), version.estimator, version.profile, version.code_revision]
                info.add_metric(labels, 1)
                registered.add_metric([str(world)], version.created_at.timestamp())
            for world in World:
                latest = selectors.latest_drift(world)
                if latest is None:
                    continue
                looked.add_metric([str(world)], latest.computed_at.timestamp())
                for kind, test in latest.tests.items():
                    if test.measured:
                        drifted.add_metric([str(world), kind], test.score)
            for status, count in selectors.runs_by_status().items():
                waiting.add_metric([status], count)
        except DatabaseError:
            return
        yield from (info, registered, drifted, looked, waiting)
