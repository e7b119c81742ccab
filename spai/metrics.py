"""All metrics: those that processes count, and those that are read from tables, queues and disks at each scrape."""

from __future__ import annotations

import fcntl
import json
import logging
import os
import shutil
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, Final

from celery.signals import before_task_publish, task_failure, task_postrun, task_prerun, task_success
from django.conf import settings
from django.db import DatabaseError, connection
from prometheus_client import REGISTRY, CollectorRegistry, Counter, Histogram
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from apps.api.metrics import ApiCollector
from apps.api.services import metric_files
from apps.ml.metrics import ModelCollector
from apps.scraping.metrics import ScrapingCollector
from spai import broker

logger = logging.getLogger(__name__)

TASKS: Final = Counter("spai_tasks_total", "Tasks by how they ended: succeeded or failed.", ["task", "outcome"])

TASK_SECONDS: Final = Histogram(
    "spai_task_seconds",
    "Duration of a task.",
    ["task"],
    buckets=(0.01, 0.05, 0.25, 1, 5, 15, 60, 300, 1800),
)

_began: dict[str, float] = {}


@before_task_publish.connect(dispatch_uid="spai.metrics")
def _note_time(headers: dict[str, Any], **_: Any) -> None:
    headers[broker.SENT_AT] = time.time()


@task_prerun.connect(dispatch_uid="spai.metrics")
def _note_begin(task_id: str, **_: Any) -> None:
    _began[task_id] = time.perf_counter()


@task_postrun.connect(dispatch_uid="spai.metrics")
def _note_end(task_id: str, task: Any, **_: Any) -> None:
    if began := _began.pop(task_id, None):
        TASK_SECONDS.labels(task.name).observe(time.perf_counter() - began)


@task_success.connect(dispatch_uid="spai.metrics")
def _note_success(sender: Any, **_: Any) -> None:
    TASKS.labels(sender.name, "succeeded").inc()


@task_failure.connect(dispatch_uid="spai.metrics")
def _note_failure(sender: Any, **_: Any) -> None:
    TASKS.labels(sender.name, "failed").inc()


class QueueCollector(Collector):
    """How many messages wait in each queue, and for how long where the broker tells it: Redis does."""

    def collect(self) -> Iterator[Metric]:
        """Yield lengths and ages; without the broker none, so that the other metrics are still delivered."""
        lengths = GaugeMetricFamily("spai_queue_length", "Messages that wait for a worker.", labels=["queue"])
        ages = GaugeMetricFamily(
            "spai_queue_age_seconds",
            "How long the oldest message has waited; 0 for none. RabbitMQ does not report it.",
            labels=["queue"],
        )
        try:
            waiting = broker.waiting(settings.BROKER, timeout=5)
        except Exception as error:  # kombu raises the errors of each transport
            logger.warning("the lengths of the queues are unknown: %s", error)
            return
        for queue, each in waiting.items():
            lengths.add_metric([queue], each.messages)
            if each.age is not None:
                ages.add_metric([queue], each.age)
        yield from (lengths, ages)


class MachineCollector(Collector):
    """The disk, the database, and the processes of the one-machine stack as its monitor last found them."""

    def collect(self) -> Iterator[Metric]:
        """Yield what can be read; the monitor's files are only there where the stack runs."""
        disk = {
            name: GaugeMetricFamily(f"spai_disk_{name}", text, labels=["place"])
            for name, text in (
                ("size_bytes", "Size of the disk that holds a folder of SPAI."),
                ("free_bytes", "Free space of that disk."),
                ("used_ratio", "Used part of that disk, from 0 to 1."),
            )
        }
        database = GaugeMetricFamily("spai_database_size_bytes", "Size of the database.")
        unhealthy = GaugeMetricFamily(
            "spai_process_unhealthy", "1 for a process of the stack that fails its health check.", labels=["process"]
        )
        restarts = CounterMetricFamily(
            "spai_process_restarts", "Restarts of a process since the stack was started.", labels=["process"]
        )
        with suppress(OSError):
            # The folder is made by the first file in it.
            folders = (settings.SPAI_VAR_DIR, *settings.SPAI_VAR_DIR.absolute().parents)
            usage = shutil.disk_usage(next(folder for folder in folders if folder.exists()))
            for name, value in (
                ("size_bytes", usage.total),
                ("free_bytes", usage.free),
                # As df has it: what only root may use is neither used nor free.
                ("used_ratio", usage.used / (usage.used + usage.free)),
            ):
                disk[name].add_metric(["var"], value)
        with suppress(DatabaseError), connection.cursor() as cursor:
            cursor.execute("SELECT pg_database_size(current_database())")
            database.add_metric([], cursor.fetchone()[0])
        for process, is_healthy in _read(settings.SPAI_VAR_DIR / "run" / "health.json").items():
            unhealthy.add_metric([process], not is_healthy)
        for process, record in _read(settings.SPAI_VAR_DIR / "run" / "restarts.json").items():
            restarts.add_metric([process], record["restarts"])
        yield from (*disk.values(), database, unhealthy, restarts)


def _read(path: Path) -> dict[str, Any]:
    try:
        content: dict[str, Any] = json.loads(path.read_text())
    except (OSError, ValueError):
        return {}
    return content


class _AllProcesses(MultiProcessCollector):
    """Reads the files of all processes while none is merged into another."""

    def collect(self) -> list[Metric]:
        with metric_files.locked(Path(self._path), fcntl.LOCK_SH):
            return list(super().collect())


def registries() -> tuple[CollectorRegistry, CollectorRegistry]:
    """Return what processes have counted, and what is read now.

    With PROMETHEUS_MULTIPROC_DIR the former is of all processes that share the folder, without it of this one.
    """
    counted = REGISTRY
    if folder := settings.PROMETHEUS_MULTIPROC_DIR:
        _drop_gauges_of_the_dead(Path(folder))
        counted = CollectorRegistry()
        _AllProcesses(counted, path=folder)
    read = CollectorRegistry()
    for collector in (ApiCollector(), ModelCollector(), ScrapingCollector(), QueueCollector(), MachineCollector()):
        read.register(collector)
    return counted, read


def _drop_gauges_of_the_dead(folder: Path) -> None:
    """Remove the gauges of processes that have ended: a killed one could not; counters of ended processes stay."""
    for file in folder.glob("gauge_live*_*.db"):
        try:
            os.kill(int(file.stem.rsplit("_", 1)[1]), 0)
        except ProcessLookupError:
            file.unlink(missing_ok=True)
        except (PermissionError, ValueError):
            continue
