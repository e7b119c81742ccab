"""Traces from a request through rows to the worker that takes them up; nothing is imported unless `start` was called.

A row that is work for another process keeps the traceparent (W3C Trace Context) of what wrote it, and the process that
takes it up goes on with that trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

_is_on = False


def start() -> None:
    """Let this module use OpenTelemetry, which the process has set up."""
    global _is_on
    _is_on = True


def traceparent() -> str:
    """Return the trace of the work at hand as a row keeps it; empty where nothing is traced."""
    if not _is_on:
        return ""
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    carrier: dict[str, str] = {}
    TraceContextTextMapPropagator().inject(carrier)
    return carrier.get("traceparent", "")


@contextmanager
def continued(trace: str, name: str, **attributes: str | int) -> Iterator[None]:
    """Trace a piece of work under a name, as a part of the trace that its row keeps."""
    if not _is_on:
        yield
        return
    from opentelemetry.trace import get_tracer
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    parent = TraceContextTextMapPropagator().extract({"traceparent": trace}) if trace else None
    with get_tracer("spai").start_as_current_span(name, context=parent, attributes=attributes):
        yield
