"""Log lines, traces and error reports; nothing is imported or sent where no address is set."""

from __future__ import annotations

import gzip
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from logging.config import DictConfigurator
from pathlib import Path

import pytest
from django.conf import settings as real_settings
from django.core.exceptions import DisallowedHost
from django.core.handlers.exception import response_for_exception
from django.test import RequestFactory

from apps.matches import tracing
from apps.matches.log_fields import log_fields, logged_as
from spai import observability
from spai.stack.logs import readable
from tests.web.processes import environment_of

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def written():
    """A function that returns a log record as a format of the settings writes it."""

    def write(name: str, record: logging.LogRecord) -> str:
        configurator = DictConfigurator(real_settings.LOGGING)
        observability.IdFilter().filter(record)
        return configurator.configure_formatter(dict(real_settings.LOGGING["formatters"][name])).format(record)

    return write


def record(message: str = "one of %s", *given: object, **extra: object) -> logging.LogRecord:
    return logging.getLogger("apps.tests").makeRecord(
        *("apps.tests", logging.INFO, "file.py", 1, message, given or ("two",), None), extra=extra or None
    )


def test_a_line_of_json_has_time_level_logger_message_role_and_ids(written):
    with logged_as(run=12, model="real 3"):
        said = json.loads(written("json", record()))
    assert datetime.fromisoformat(said.pop("time")).utcoffset() is not None
    assert said == {
        "level": "INFO",
        "logger": "apps.tests",
        "message": "one of two",
        "role": "web",
        "run": "12",
        "model": "real 3",
    }


def test_hostile_text_stays_one_line_of_json(written):
    line = written("json", record('evil"}\n{"level": "ERROR", "message": %s', "fake\r\n\x00\u2028"))
    assert len(line.splitlines()) == 1 or "\n" not in line
    assert json.loads(line)["level"] == "INFO"


def test_the_request_that_django_adds_is_not_written(written):
    assert "request" not in json.loads(written("json", record(request=object(), status_code=404)))


def test_a_request_that_is_refused_is_a_warning_of_one_line(written, caplog):
    refused = response_for_exception(RequestFactory().get("/api/v1/"), DisallowedHost("evil.example"))
    assert refused.status_code == 400
    (logged,) = caplog.records
    said = json.loads(written("json", logged))
    assert (said["level"], said["message"], "error" in said) == ("WARNING", "evil.example", False)


def test_an_error_of_the_site_keeps_its_traceback():
    failed = logging.getLogger("django.request").makeRecord(
        "django.request",
        logging.ERROR,
        "file.py",
        1,
        "failed",
        (),
        (ValueError, ValueError("no"), None),
        extra={"status_code": 500},
    )
    assert observability.RefusalFilter().filter(failed)
    assert (failed.levelno, failed.exc_info is None) == (logging.ERROR, False)


def test_a_line_for_people_ends_with_the_ids(written):
    with logged_as(job="1234"):
        assert written("line", record()).endswith("INFO apps.tests one of two job=1234")
    assert written("line", record()).endswith("one of two")


def test_ids_belong_to_a_piece_of_work_and_to_no_other():
    with logged_as(run=1):
        with logged_as(model="real 2"):
            assert log_fields() == {"run": "1", "model": "real 2"}
        found = {}
        thread = threading.Thread(target=lambda: found.update(log_fields()))
        thread.start()
        thread.join()
        assert (log_fields(), found) == ({"run": "1"}, {})
    assert log_fields() == {}


def test_lines_of_a_request_carry_its_id(client, db, caplog, settings, tmp_path):
    settings.STATIC_ROOT = tmp_path
    handler = caplog.handler
    handler.addFilter(observability.IdFilter())
    with caplog.at_level(logging.WARNING):
        client.get("/api/v1/nowhere/", headers={"X-Request-ID": "a" * 32})
    assert {getattr(each, "request_id", "") for each in caplog.records if each.name == "django.request"} == {"a" * 32}


def test_the_stack_shows_lines_of_json_as_people_read_them():
    line = json.dumps(
        {"level": "ERROR", "logger": "apps.ml", "message": "no", "role": "web", "run": "7"}
        | {"time": "2026-11-29T17:00:00.123456+00:00", "error": "Traceback"}
    )
    assert readable(line) == "2026-11-29 17:00:00 ERROR apps.ml no run=7\nTraceback"
    for other in ("plain", "{not json", '{"another": "form"}', "", '["list"]', "{}"):
        assert readable(other) == other


# ── Traces and reports ───────────────────────────────────────────────────────────────────────────────────────────────
def test_without_tracing_a_row_keeps_nothing_and_work_goes_on():
    assert tracing.traceparent() == ""
    with tracing.continued("", "work", run=1):
        assert tracing.traceparent() == ""


class Collector(BaseHTTPRequestHandler):
    """Keeps what is sent to it."""

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self.server.received.append((self.path, dict(self.headers), body))  # type: ignore[attr-defined]
        self.send_response(200)
        self.send_header("Content-Length", "2")
        self.end_headers()
        self.wfile.write(b"{}")

    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture
def collector() -> Iterator[ThreadingHTTPServer]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Collector) as server:
        server.received = []  # type: ignore[attr-defined]
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


def run(code: str, **variables: str) -> list[str]:
    """Run code in a process of the site; return its lines."""
    command = [sys.executable, "-c", f"import django; django.setup()\n{code}"]
    environment = environment_of("web", **variables)
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


LOADED = """
import sys
import spai.celery, spai.urls
libraries = ('opentelemetry.exporter', 'opentelemetry.instrumentation', 'sentry_sdk')
print(*(name for name in libraries if name in sys.modules))
"""
"""The package redis imports what it finds of OpenTelemetry by itself, and sends nothing."""


@pytest.mark.django_db(transaction=True)
def test_without_an_address_nothing_is_imported():
    assert run(LOADED) == [""]


TRACED = """
from django.test import Client
from django.utils import timezone
from opentelemetry import trace
from apps.matches import events, tracing
from apps.matches.models import Event

with trace.get_tracer("test").start_as_current_span("request"):
    row = tracing.traceparent()
with tracing.continued(row, "worker", run=3):
    events.publish(topic="run.changed", key="3", now=timezone.now())
kept = Event.objects.get().trace
print(row[3:35], kept[3:35], kept != row)
Client(SERVER_NAME="localhost").get("/api/v1/")
trace.get_tracer_provider().force_flush()
"""


@pytest.mark.django_db(transaction=True)
def test_a_trace_goes_from_the_request_through_rows_to_what_is_pushed(collector):
    endpoint = f"http://127.0.0.1:{collector.server_port}"
    ((request, event, is_deeper),) = (line.split() for line in run(TRACED, OTEL_EXPORTER_OTLP_ENDPOINT=endpoint))
    assert (request, is_deeper) == (event, "True")
    paths = {path for path, _, _ in collector.received}
    sent = b"".join(body for _, _, body in collector.received)
    assert paths == {"/v1/traces"}
    for name in (b"spai-web", b"worker", b"GET", b"INSERT"):
        assert name in sent


REPORTED = """
import logging, sentry_sdk
from django.test import Client
from apps.matches.log_fields import logged_as

Client().get("/api/v1/", HTTP_HOST="evil.example")

with logged_as(run=12):
    try:
        # Put together, because a report has lines of the source, since Python 3.13 also those of -c.
        password = "hunter" + str(2)
        raise RuntimeError("no space left")
    except RuntimeError:
        logging.getLogger("apps.ml").exception("run failed")
sentry_sdk.flush()
"""


@pytest.mark.django_db(transaction=True)
def test_an_error_is_reported_with_the_ids_of_its_work_and_without_values(collector):
    run(REPORTED, SENTRY_DSN=f"http://public@127.0.0.1:{collector.server_port}/1")
    bodies = [
        gzip.decompress(body) if headers.get("Content-Encoding") == "gzip" else body
        for _, headers, body in collector.received
    ]
    sent = b"".join(bodies)
    assert b"no space left" in sent
    # The refused request is no error of the site.
    assert len(bodies) == 1
    assert b'"run":"12"' in sent.replace(b" ", b"")
    assert b"hunter2" not in sent
