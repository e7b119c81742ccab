"""How a Celery worker treats the messages of tasks that outlast the connection to the broker."""

from __future__ import annotations

from typing import Any

from celery.worker.request import Request


class LongTaskRequest(Request):
    """The request of a `tasks.LongTask`, which goes on when the worker loses the broker."""

    def cancel(self, pool: Any, signal: Any = None, emit_retry: bool = True) -> None:
        """Do nothing: the message was acknowledged, so nobody else is given it, and the work does not need the broker.

        A worker that ends is told so by `tasks.is_shutting_down`, which the work heeds.
        """
