"""The modules that a worker imports before its first task, by queue.

A time limit may interrupt a task at any line. Inside an `import` that leaves a module half imported, and every later
task of the process fails on it. Therefore a worker imports everything that its tasks import, and compiles their
kernels, before it accepts the first task. Its child processes inherit both, including those that replace a killed one.

The site's processes start without these libraries: tasks and services import them inside functions. A test runs every
task in a fresh process and compares its imports with this table.
"""

from __future__ import annotations

import logging
import time
from importlib import import_module
from typing import Any, Final

from celery.signals import worker_init

logger = logging.getLogger(__name__)

_MODELS: Final = (
    "apps.ml.dataset",
    "apps.ml.forecasting.estimators",
    "apps.ml.forecasting.season",
    "apps.ml.pipeline.bundle",
    "apps.ml.pipeline.comparison",
    "apps.ml.pipeline.warm_up",
    "pandas.api.internals",
    "pandas.core.arrays.arrow.extension_types",
    "pyarrow.dataset",
    "pyarrow.parquet",
    "xgboost",
)
_MLFLOW: Final = (
    "IPython.core.interactiveshell",
    "IPython.display",
    "mlflow",
    "mlflow.store.artifact.mlflow_artifacts_repo",
    "mlflow.tracing.export.utils",
    "mlflow.tracing.processor.base_mlflow",
    "mlflow.tracing.processor.otel",
    "mlflow.tracing.utils.environment",
    "mlflow.tracking.request_header.registry",
    "netrc",
)
_SITES: Final = (
    "anyio",
    "apps.scraping.sandbox.clubs",
    "apps.scraping.sandbox.site.addresses",
    "apps.scraping.services.fetching",
    "httpcore",
    "playwright._impl.json_pipe",
    "playwright._impl.local_utils",
    "playwright._impl.protocol_channels",
)

PRELOADED: Final[dict[str, tuple[str, ...]]] = {
    "scrape": _SITES,
    "ml": (*_MODELS, *_MLFLOW, "apps.api.services.retention", "apps.ml.pipeline.preprocess"),
    "forecast": _MODELS,
    # The first job imports them, because many installations never have one. Its task has no soft time limit; the hard
    # one ends the process, and leaves no module half imported.
    "jobs": (),
    "webhooks": (),
    "default": (),
}
"""Queue → modules that its tasks import inside functions, including late imports of the libraries."""

USE_KERNELS: Final = frozenset({"ml", "forecast"})
"""Queues whose tasks, or the pipeline stages that they start, call compiled kernels."""


def preload(queue: str) -> None:
    """Import the modules of a queue's tasks and compile their kernels."""
    began = time.monotonic()
    for name in PRELOADED.get(queue, ()):
        try:
            import_module(name)
        except ModuleNotFoundError as missing:
            # MLflow uses IPython only where that is installed.
            logger.warning("%s is not imported before the first task: %s", name, missing)
    if queue in USE_KERNELS:
        import_module("apps.ml.pipeline.warm_up").run()
    logger.info("imported the libraries of the queue %s in %.1f s", queue, time.monotonic() - began)


@worker_init.connect(dispatch_uid="spai.preload")
def _before_the_first_task(sender: Any, **_: Any) -> None:
    # Runs in the parent of the processes that execute tasks, before it starts them.
    for queue in sender.app.amqp.queues.consume_from:
        preload(queue)
