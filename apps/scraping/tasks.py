"""Tasks of the sources: each takes the clock, calls one service and logs its report."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from apps.scraping import services

logger = logging.getLogger(__name__)


@shared_task(
    name="scraping.scrape_due",
    acks_late=True,
    reject_on_worker_lost=True,
    soft_time_limit=540,
    time_limit=600,
)
def scrape_due() -> None:
    """Visit the sources whose visit is due."""
    for report in services.scrape_due(now=timezone.now()):
        logger.info("scrape_due: %s", report)
