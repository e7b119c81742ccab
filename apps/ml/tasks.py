"""Celery tasks of the models: each calls one service with the current time and logs its report."""

from __future__ import annotations

import logging
import mmap
from typing import Any, Final

from celery import Task, shared_task
from celery.signals import worker_shutting_down
from django.utils import timezone

from apps.ml import services

logger = logging.getLogger(__name__)

_SHUTDOWN: Final = mmap.mmap(-1, 1)
"""One byte shared by the main process of a worker and its forked children; 1 once the worker shuts down."""


@worker_shutting_down.connect
def note_shutdown(**_: Any) -> None:
    """Let all processes of this worker see that it shuts down."""
    _SHUTDOWN[0] = 1


def is_shutting_down() -> bool:
    """Return whether the worker of this process shuts down."""
    return bool(_SHUTDOWN[0])


class LongTask(Task):
    """A task without a time limit that survives the loss of the broker; its work is in rows, not in the message.

    The message is acknowledged before the task begins, so that the broker does not deliver it again meanwhile. All
    other tasks are acknowledged late, by `CELERY_TASK_ACKS_LATE`.
    """

    abstract = True
    acks_late = False
    reject_on_worker_lost = False
    Request = "apps.ml.task_requests:LongTaskRequest"


@shared_task(name="ml.predict_due", soft_time_limit=240, time_limit=300)
def predict_due() -> None:
    """Publish forecasts that are due."""
    logger.info("predict_due: %s", services.predict_due(now=timezone.now()))


@shared_task(name="ml.settle_due", soft_time_limit=50, time_limit=60)
def settle_due() -> None:
    """Score forecasts whose matches have ended."""
    logger.info("settle_due: %s", services.settle_due(now=timezone.now()))


@shared_task(name="ml.summarize_due", soft_time_limit=540, time_limit=600)
def summarize_due() -> None:
    """Compute the record of graded forecasts, and store the back-tests of a new champion."""
    logger.info("summarize_due: %s", services.summarize_due(now=timezone.now()))


@shared_task(name="ml.simulate_due", soft_time_limit=240, time_limit=300)
def simulate_due() -> None:
    """Simulate seasons that are due."""
    logger.info("simulate_due: %s", services.simulate_due(now=timezone.now()))


@shared_task(name="ml.rate_due", soft_time_limit=540, time_limit=600)
def rate_due() -> None:
    """Store the ratings of clubs where new results have moved them."""
    logger.info("rate_due: %s", services.rate_due(now=timezone.now()))


@shared_task(name="ml.run_due", base=LongTask)
def run_due() -> None:
    """Execute the oldest unfinished pipeline run, if any; its stages have their own time limits."""
    logger.info("run_due: %s", services.run_due(now=timezone.now(), is_stopping=is_shutting_down))


@shared_task(name="ml.back_test_due", soft_time_limit=50, time_limit=60)
def back_test_due() -> None:
    """Queue the back-tests of this night."""
    logger.info("back_test_due: %s", services.back_test_due(now=timezone.now()))


@shared_task(name="ml.retrain_due", soft_time_limit=50, time_limit=60)
def retrain_due() -> None:
    """Decide for each world whether it is trained again."""
    logger.info("retrain_due: %s", services.retrain_due(now=timezone.now()))


@shared_task(name="ml.compare_due", soft_time_limit=240, time_limit=300)
def compare_due() -> None:
    """Compare candidates that have not been compared with the champion."""
    logger.info("compare_due: %s", services.compare_due(now=timezone.now()))


@shared_task(name="ml.shadow_due", soft_time_limit=540, time_limit=600)
def shadow_due() -> None:
    """Forecast in shadow what the champions have published."""
    logger.info("shadow_due: %s", services.shadow_due(now=timezone.now()))


@shared_task(name="ml.promote_due", soft_time_limit=240, time_limit=300)
def promote_due() -> None:
    """Promote challengers where the policy lets the system do so."""
    logger.info("promote_due: %s", services.promote_due(now=timezone.now()))


@shared_task(name="ml.fall_back_due", soft_time_limit=240, time_limit=300)
def fall_back_due() -> None:
    """Roll back to the previous champion where the policy requires it."""
    logger.info("fall_back_due: %s", services.fall_back_due(now=timezone.now()))


@shared_task(name="ml.drift_due", soft_time_limit=1740, time_limit=1800)
def drift_due() -> None:
    """Measure the drift of champions that was not measured today."""
    logger.info("drift_due: %s", services.drift_due(now=timezone.now()))


@shared_task(name="ml.mirror_aliases", soft_time_limit=50, time_limit=60)
def mirror_aliases() -> None:
    """Set the aliases and model cards in the MLflow registry."""
    logger.info("mirror_aliases: %s", services.mirror_aliases())


@shared_task(name="ml.close_ledger", soft_time_limit=240, time_limit=300)
def close_ledger() -> None:
    """Close the days of the ledger that have ended."""
    logger.info("close_ledger: %s", services.close_due(now=timezone.now()))
