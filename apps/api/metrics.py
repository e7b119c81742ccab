"""Metrics of what other programs get: prediction jobs, webhooks and push; and of the alerts."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from django.db import DatabaseError
from django.db.models import Count, Max, Min, Q
from django.utils import timezone
from prometheus_client import Gauge, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.api.models import Alert, AlertMessage, PredictionJob, ServiceLevelCount, Webhook, WebhookDelivery
from apps.matches.feed import newest_event_number, oldest_unnumbered_event_at

COUNTED: Final = ("freshness", "job-completion", "forecast-before-kick-off")
"""Service levels whose events are counted in the tables, by `apps.api.services.alerts`."""

PUSH_CLIENTS: Final = Gauge(
    "spai_push_clients", "Open websockets and event streams.", ["kind"], multiprocess_mode="livesum"
)

EVENT_DELAY: Final = Histogram(
    "spai_event_delay_seconds",
    "From the commit of an event until push numbered it, which is when clients get it; an upper bound.",
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 30, 300),
)


class ApiCollector(Collector):
    """Gauges of jobs, webhooks, events and alerts, read from the database at each scrape."""

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; none while the database is away, so that the other metrics are still served."""
        jobs = GaugeMetricFamily("spai_jobs", "Prediction jobs that are not over, by state.", labels=["state"])
        job_age = GaugeMetricFamily("spai_job_age_seconds", "How long the oldest queued prediction job has waited.")
        pending = GaugeMetricFamily("spai_webhook_messages_pending", "Messages to webhooks that are not accepted yet.")
        failing = GaugeMetricFamily(
            "spai_webhooks_failing", "Webhooks that are on and have accepted nothing since their latest failure."
        )
        newest = GaugeMetricFamily("spai_event_newest_number", "Number of the newest event of the push feed.")
        lag = GaugeMetricFamily("spai_event_lag_seconds", "Age of the oldest event that has no number yet; 0 for none.")
        alerts = GaugeMetricFamily(
            "spai_alerts_firing", "Alerts that SPAI itself finds to fire.", labels=["alert", "severity"]
        )
        evaluated = GaugeMetricFamily(
            "spai_alerts_evaluated_timestamp_seconds", "When SPAI itself last evaluated the alerts."
        )
        unsent = GaugeMetricFamily(
            "spai_alert_messages_failed", "Messages about alerts of the last day that could not be sent."
        )
        counts = [
            CounterMetricFamily(
                "spai_slo_events", "Events of the service levels that are counted in tables.", labels=["slo"]
            ),
            CounterMetricFamily("spai_slo_bad_events", "Bad ones of these events.", labels=["slo"]),
        ]
        now = timezone.now()
        try:
            state = PredictionJob.JobState
            unfinished = PredictionJob.objects.filter(state__in=(state.QUEUED, state.RUNNING))
            by_state = dict(unfinished.values_list("state").annotate(n=Count("id")).order_by("state"))
            for each in (state.QUEUED, state.RUNNING):
                jobs.add_metric([each], by_state.get(each, 0))
            oldest = unfinished.filter(state=state.QUEUED).aggregate(oldest=Min("created_at"))["oldest"]
            job_age.add_metric([], (now - oldest).total_seconds() if oldest else 0)
            waiting = WebhookDelivery.objects.filter(
                state=WebhookDelivery.DeliveryState.PENDING, webhook__is_active=True
            )
            pending.add_metric([], waiting.count())
            failing.add_metric([], Webhook.objects.filter(is_active=True, failing_since__isnull=False).count())
            newest.add_metric([], newest_event_number())
            unnumbered = oldest_unnumbered_event_at()
            lag.add_metric([], max((now - unnumbered).total_seconds(), 0) if unnumbered else 0)
            firing = Alert.objects.filter(state=Alert.AlertState.FIRING)
            for name, severity, n in firing.values_list("name", "severity").annotate(n=Count("id")).order_by("name"):
                alerts.add_metric([name, severity], n)
            latest = ServiceLevelCount.objects.filter(slo__in=COUNTED).aggregate(at=Max("at"))["at"]
            if latest:
                evaluated.add_metric([], latest.timestamp())
            for row in ServiceLevelCount.objects.filter(slo__in=COUNTED, at=latest):
                counts[0].add_metric([row.slo], row.total)
                counts[1].add_metric([row.slo], row.bad)
            is_failed = Q(state=AlertMessage.MessageState.FAILED, created_at__gt=now - timedelta(days=1))
            unsent.add_metric([], AlertMessage.objects.filter(is_failed).count())
        except DatabaseError:
            return
        yield from (jobs, job_age, pending, failing, newest, lag, alerts, evaluated, unsent, *counts)
