"""What a worker imports before it takes tasks, by queue.

A time limit may end a task at any line. One that ends it inside an `import` leaves a module half imported, and every
later task of that process fails on it. So a worker imports whatever its tasks import, and has their kernels compiled,
before it asks for the first task. Its child processes inherit all of that, those too that replace a killed one.

The site's processes start without these libraries: tasks and services import them inside functions. A test runs every
task in a fresh process and compares what is imported then with this table.
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
    "ml": _MODELS + _MLFLOW,
    "forecast": _MODELS,
    "default": (),
}
"""Queue → modules that its tasks import inside functions, the libraries' own late imports among them."""

USE_KERNELS: Final = frozenset({"ml", "forecast"})
"""Queues whose tasks, or the pipeline stages that they start, call compiled kernels."""


def preload(queue: str) -> None:
    """Import what the tasks of a queue import, and have the kernels that they call compiled."""
    began = time.monotonic()
    for name in PRELOADED.get(queue, ()):
        try:
            import_module(name)
        except ModuleNotFoundError as missing:
            # MLflow shows things by IPython where that is installed; an image does without it.
            logger.warning("%s is not imported before the first task: %s", name, missing)
    if queue in USE_KERNELS:
        import_module("apps.ml.pipeline.warm_up").run()
    logger.info("tasks of the queue %s find their libraries imported, after %.1f s", queue, time.monotonic() - began)


@worker_init.connect(dispatch_uid="spai.preload")
def _before_the_first_task(sender: Any, **_: Any) -> None:
    # This is the parent of the processes that execute tasks, before it starts them.
    for queue in sender.app.amqp.queues.consume_from:
        preload(queue)
