"""Celery tasks of prediction jobs and webhooks: each calls one service and logs its report."""

from __future__ import annotations

import logging
import time

from celery import shared_task
from django.utils import timezone

from apps.api import services
from apps.matches.selectors import retention_begins_at
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
    """Delete results of jobs that are kept no longer."""
    logger.info("expire_jobs: %d results", services.expire_jobs(now=timezone.now()))


@shared_task(name="api.apply_retention", soft_time_limit=1_740, time_limit=1_800)
def apply_retention() -> None:
    """Delete what is kept no longer, for at most twenty minutes; the next round continues.

    In the first week after the upgrade it only measures.
    """
    from apps.api.services.retention import apply_retention as apply

    end = time.monotonic() + 1_200
    report = apply(
        requested_by="the timetable",
        only_measures=retention_begins_at(timezone.now()) is not None,
        is_stopping=lambda: is_shutting_down() or time.monotonic() > end,
    )
    logger.info("apply_retention: %s", report)
