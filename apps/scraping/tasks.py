"""Tasks of the sources: each takes the clock, calls one service and logs its report."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from apps.scraping import services

logger = logging.getLogger(__name__)


@shared_task(
    name="scraping.visit_due",
    acks_late=True,
    reject_on_worker_lost=True,
    soft_time_limit=25,
    time_limit=30,
)
def visit_due(source: str, scope: str) -> None:
    """Ask for the visit that the timetable wants."""
    logger.info("visit_due: %s", services.visit_due(source=source, scope=scope, now=timezone.now()))


@shared_task(
    name="scraping.scrape_due",
    acks_late=True,
    reject_on_worker_lost=True,
    soft_time_limit=600,
    time_limit=660,
)
def scrape_due() -> None:
    """Work on the visits that wait."""
    for report in services.scrape_due(now=timezone.now()):
        logger.info("scrape_due: %s", report)


@shared_task(
    name="scraping.prune",
    acks_late=True,
    reject_on_worker_lost=True,
    soft_time_limit=540,
    time_limit=600,
)
def prune() -> None:
    """Delete kept pages and visits that are older than the settings say."""
    logger.info("prune: %s", services.prune(now=timezone.now()))
