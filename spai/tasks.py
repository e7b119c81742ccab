"""The task that looks for alerts; it stands above the apps, because it reads the metrics of all."""

from __future__ import annotations

import logging
from collections.abc import Iterator

from celery import shared_task
from django.utils import timezone
from prometheus_client import Metric

from apps.api import services
from spai.metrics import registries

logger = logging.getLogger(__name__)


@shared_task(name="spai.watch", soft_time_limit=50, time_limit=60)
def watch() -> None:
    """Evaluate all alerts, and send the messages about them."""
    logger.info("watch: %s", services.watch(read=_metrics, clock=timezone.now))


def _metrics() -> Iterator[Metric]:
    for registry in registries():
        yield from registry.collect()
