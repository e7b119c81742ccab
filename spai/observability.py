"""Ids and refusals in log lines; traces and error reports, whose libraries are imported where an address is set."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any, Final

from celery import current_task
from django_guid import get_guid

from apps.matches import tracing
from apps.matches.log_fields import log_fields

if TYPE_CHECKING:
    from sentry_sdk.types import Event, Hint

IDS: Final = ("request_id", "task", "job", "run", "model", "trace")
"""Ids that a log line may carry, in their order on a terminal."""


def ids() -> dict[str, str]:
    """Return the ids of the current work: of the request, the task, and what `logged_as` names."""
    known = {
        "request_id": get_guid() or "",
        "task": current_task.name if current_task else "",
        # traceparent is version-trace-span-flags.
        "trace": tracing.traceparent()[3:35],
    } | log_fields()
    return {name: known[name] for name in IDS if known.get(name)}


class IdFilter(logging.Filter):
    """Gives every record the ids of the current work: as attributes, and as `ids` for a line on a terminal."""

    def filter(self, record: logging.LogRecord) -> bool:
        """Add the ids; let every record through."""
        found = ids()
        for name, value in found.items():
            setattr(record, name, value)
        record.ids = "".join(f" {name}={value}" for name, value in found.items())
        return True


class RefusalFilter(logging.Filter):
    """Logs a request that was refused (4xx) as a warning without a traceback.

    Anyone can send such requests, and Django logs some of them, such as those with an unknown Host header, as errors.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Change a record of a refusal; let every record through."""
        if _is_refusal(record):
            record.exc_info = None
            if record.levelno > logging.WARNING:
                record.levelno, record.levelname = logging.WARNING, logging.getLevelName(logging.WARNING)
        return True


def _is_refusal(record: logging.LogRecord | None) -> bool:
    return 400 <= getattr(record, "status_code", 0) < 500


def start_tracing(endpoint: str, role: str) -> None:
    """Send traces of requests, queries, tasks and `tracing.continued` to an OTLP endpoint over HTTP."""
    from opentelemetry import trace
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.instrumentation.celery import CeleryInstrumentor
    from opentelemetry.instrumentation.django import DjangoInstrumentor
    from opentelemetry.instrumentation.psycopg import PsycopgInstrumentor
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    provider = TracerProvider(resource=Resource.create({"service.name": f"spai-{role}", "service.namespace": "spai"}))
    exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces")
    # It sends from its own thread, also after a fork, and drops spans when the endpoint does not answer.
    provider.add_span_processor(BatchSpanProcessor(exporter))
    trace.set_tracer_provider(provider)
    DjangoInstrumentor().instrument(excluded_urls="readyz,metrics")
    CeleryInstrumentor().instrument()
    PsycopgInstrumentor().instrument()
    tracing.start()


def start_error_reports(dsn: str, *, revision: str, role: str) -> None:
    """Send errors to Sentry with the ids of the work, without bodies, users, cookies and values of variables."""
    import sentry_sdk

    sentry_sdk.init(
        dsn=dsn,
        release=revision or None,
        server_name=role,
        send_default_pii=False,
        max_request_body_size="never",
        include_local_variables=False,
        before_send=_report,
    )


def _report(event: Event, hint: Hint) -> Event | None:
    """Return an error report with the ids of the work; None for a request that was refused."""
    if _is_refusal(hint.get("log_record")):
        return None
    tags: dict[str, Any] = {**(event.get("tags") or {}), **ids()}
    event["tags"] = tags
    return event
