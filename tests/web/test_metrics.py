"""The metrics for Prometheus: every metric that the system had which SPAI replaces, but the drift score."""

from __future__ import annotations

import pytest

OF_REQUESTS = (
    "django_http_requests_total_by_method_total",
    "django_http_requests_latency_including_middlewares_seconds",
)
OF_FORECASTS = (
    "spai_predictions_total",
    "spai_prediction_seconds",
    "spai_inference_seconds",
    "spai_prediction_confidence",
)
OF_MODELS = ("spai_model_info", "spai_model_registered_timestamp_seconds")


@pytest.fixture
def told(client, settings):
    """What a program that may see the metrics is answered."""
    settings.SPAI_METRICS_TOKEN = "scraper"
    return lambda: client.get("/metrics", headers={"Authorization": "Bearer scraper"}).content.decode()


@pytest.mark.django_db
def test_requests_forecasts_and_the_champion_are_told(client, build, told):
    build.promote(build.version())
    client.get("/livez")
    said = told()
    missing = [
        name
        for name in (*OF_REQUESTS, *OF_FORECASTS, *OF_MODELS)
        if f"# TYPE {name.removesuffix('_total')}" not in said and f"# TYPE {name}" not in said
    ]
    assert missing == []
    assert "spai_model_info{" in said


@pytest.mark.django_db
def test_runs_and_queues_are_told(told):
    said = told()
    assert "spai_scrape_runs_waiting" in said
    assert "spai_queue_length" in said
