"""Traces from a request through rows to the worker that processes them; OpenTelemetry is imported only by `start`.

A row that is work for another process stores the traceparent (W3C Trace Context) of the process that wrote it. The
process that works on it continues that trace.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from opentelemetry.trace import Tracer
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator


@dataclass(frozen=True, slots=True)
class _Tracing:
    tracer: Tracer
    propagator: TraceContextTextMapPropagator


_tracing: _Tracing | None = None


def start() -> None:
    """Use OpenTelemetry, which the process has set up already."""
    from opentelemetry.trace import get_tracer
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    global _tracing
    _tracing = _Tracing(get_tracer("spai"), TraceContextTextMapPropagator())


def traceparent() -> str:
    """Return the traceparent of the current work, for a column of a row; empty when tracing is off."""
    carrier: dict[str, str] = {}
    if _tracing is not None:
        _tracing.propagator.inject(carrier)
    return carrier.get("traceparent", "")


@contextmanager
def continued(trace: str, name: str, **attributes: str | int) -> Iterator[None]:
    """Trace a piece of work under a name, as a span of the trace that its row stores."""
    if _tracing is None:
        yield
        return
    parent = _tracing.propagator.extract({"traceparent": trace}) if trace else None
    with _tracing.tracer.start_as_current_span(name, context=parent, attributes=attributes):
        yield
