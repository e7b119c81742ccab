"""Count cached responses in the metrics in which django_prometheus counts those that Django makes."""

from __future__ import annotations

from functools import cache
from typing import Any

from django.conf import settings
from django_prometheus.middleware import Metrics


def count(view: str, status: int, size: int, seconds: float) -> None:
    """Count one response to a GET request without a body, as both middlewares of django_prometheus do."""
    counters, request_bytes, response_bytes, latencies = _metrics(view, str(status))
    for counter in counters:
        counter.inc()
    request_bytes.observe(0)
    response_bytes.observe(size)
    for latency in latencies:
        latency.observe(seconds)


@cache
def _metrics(view: str, status: str) -> tuple[list[Any], Any, Any, list[Any]]:
    """Return the counters, the histograms of sizes and those of times; labels are looked up once."""
    metrics: Any = Metrics.get_instance()
    transport = "https" if settings.SECURE_SSL_REDIRECT else "http"
    counters = [
        metrics.requests_total,
        metrics.responses_total,
        metrics.requests_by_method.labels(method="GET"),
        metrics.requests_by_transport.labels(transport=transport),
        metrics.requests_by_view_transport_method.labels(view=view, transport=transport, method="GET"),
        metrics.responses_by_status.labels(status=status),
        metrics.responses_by_status_view_method.labels(status=status, view=view, method="GET"),
        metrics.responses_by_charset.labels(charset="utf-8"),
        # What REST framework's responses have for a template.
        metrics.responses_by_templatename.labels(templatename="None"),
    ]
    latencies = [
        metrics.requests_latency_before,
        metrics.requests_latency_by_view_method.labels(view=view, method="GET"),
    ]
    return counters, metrics.requests_body_bytes, metrics.responses_body_bytes, latencies
