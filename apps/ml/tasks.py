"""Tasks of the models: each takes the clock, calls one service and logs its report."""

from __future__ import annotations

import logging

from celery import shared_task
from django.utils import timezone

from apps.ml import services

logger = logging.getLogger(__name__)


@shared_task(name="ml.predict_due", soft_time_limit=240, time_limit=300)
def predict_due() -> None:
    """Publish the forecasts that are due."""
    logger.info("predict_due: %s", services.predict_due(now=timezone.now()))


@shared_task(name="ml.settle_due", soft_time_limit=50, time_limit=60)
def settle_due() -> None:
    """Grade the forecasts whose matches have ended."""
    logger.info("settle_due: %s", services.settle_due(now=timezone.now()))


@shared_task(name="ml.simulate_due", soft_time_limit=240, time_limit=300)
def simulate_due() -> None:
    """Simulate the rest of the seasons that are due."""
    logger.info("simulate_due: %s", services.simulate_due(now=timezone.now()))


@shared_task(name="ml.run_due", soft_time_limit=3300, time_limit=3600)
def run_due() -> None:
    """Execute the pipeline run that waits longest, if any."""
    logger.info("run_due: %s", services.run_due(now=timezone.now()))


@shared_task(name="ml.retrain_due", soft_time_limit=50, time_limit=60)
def retrain_due() -> None:
    """Queue a run where a world needs one."""
    logger.info("retrain_due: %s", services.retrain_due(now=timezone.now()))


@shared_task(name="ml.compare_due", soft_time_limit=240, time_limit=300)
def compare_due() -> None:
    """Compare candidates with a champion that they were not yet compared with."""
    logger.info("compare_due: %s", services.compare_due(now=timezone.now()))


@shared_task(name="ml.mirror_aliases", soft_time_limit=50, time_limit=60)
def mirror_aliases() -> None:
    """Set the aliases and model cards in the MLflow registry."""
    logger.info("mirror_aliases: %s", services.mirror_aliases())
