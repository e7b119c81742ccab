"""Celery requests of tasks that continue when the connection to the broker is lost."""

from __future__ import annotations

from typing import Any

from celery.worker.request import Request


class LongTaskRequest(Request):
    """The request of a `tasks.LongTask`, which continues when the worker loses the broker."""

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
        """Do nothing: the message was acknowledged, so it is not delivered again, and the task needs no broker.

        When the worker shuts down, the task notices it by `tasks.is_shutting_down`.
        """
