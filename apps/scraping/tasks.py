"""Celery tasks: each takes the time, calls one service and logs its report."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from apps.scraping import services

logger = logging.getLogger(__name__)


@shared_task(name="scraping.request_scheduled_run", soft_time_limit=25, time_limit=30)
def request_scheduled_run(source: str, scope: str) -> None:
    """Request the run that the timetable asks for."""
    request = services.request_scheduled_run(source=source, scope=scope, now=timezone.now())
    logger.info("request_scheduled_run: %s", request)


@shared_task(name="scraping.scrape_due", soft_time_limit=600, time_limit=660)
def scrape_due() -> None:
    """Work on the runs that wait."""
    for report in services.scrape_due(now=timezone.now()):
        logger.info("scrape_due: %s", report)


@shared_task(name="scraping.note_days", soft_time_limit=50, time_limit=60)
def note_days() -> None:
    """Note what each source delivered today and yesterday."""
    logger.info("note_days: %d rows", services.note_source_days(now=timezone.now()))
