"""Celery tasks of prediction jobs and webhooks: each calls one service and logs its report."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from apps.api import services
from apps.ml.tasks import LongTask, is_shutting_down

logger = logging.getLogger(__name__)


@shared_task(name="api.run_jobs", base=LongTask, time_limit=900)
def run_jobs() -> None:
    """Work on the prediction jobs that wait."""
    logger.info("run_jobs: %s", services.run_jobs(clock=timezone.now, is_stopping=is_shutting_down))


@shared_task(name="api.deliver_webhooks", soft_time_limit=110, time_limit=120)
def deliver_webhooks() -> None:
    """Send the messages of webhooks that are due."""
    report = services.deliver_due(clock=timezone.now, is_stopping=is_shutting_down)
    logger.info("deliver_webhooks: %s", report)


@shared_task(name="api.expire_jobs", soft_time_limit=50, time_limit=60)
def expire_jobs() -> None:
    """Delete results of jobs and messages of webhooks that are kept no longer."""
    now = timezone.now()
    logger.info(
        "expire_jobs: %d results, %d messages", services.expire_jobs(now=now), services.delete_old_deliveries(now=now)
    )
