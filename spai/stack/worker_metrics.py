"""Metrics of the processes of a worker, over HTTP: `python -m spai.stack.worker_metrics` in a container beside it.

A worker has no web server. Its pod shares the folder PROMETHEUS_MULTIPROC_DIR, and this process, which imports nothing
of the site and takes 40 MB, serves `/metrics` from it to clients that send SPAI_METRICS_TOKEN.
"""

from __future__ import annotations

import os
import secrets
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Final
from wsgiref.simple_server import WSGIRequestHandler

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.exposition import ThreadingWSGIServer
from prometheus_client.multiprocess import MultiProcessCollector

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

PORT: Final = 9808
"""Port of the metrics of a worker."""


class MetricsHandler(WSGIRequestHandler):
    """Handles a request; the connection of a client that sends nothing for 10 s is closed."""

    timeout = 10

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the name of the base class
        """Log nothing: Prometheus sends a request each minute."""


def application(folder: Path, token: str) -> WSGIApplication:
    """Return the WSGI application that serves the metrics in `folder` to clients with `token`; to none if empty."""

    def answer(environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
        scheme, _, sent = str(environ.get("HTTP_AUTHORIZATION", "")).partition(" ")
        may_read = bool(token) and scheme.lower() == "bearer"
        if not may_read or not secrets.compare_digest(sent.strip().encode(), token.encode()):
            refusal = [("Content-Type", "text/plain"), ("WWW-Authenticate", 'Bearer realm="metrics"')]
            start_response("401 Unauthorized", refusal)
            return [b"Metrics are shown to programs that send SPAI_METRICS_TOKEN as Bearer token.\n"]
        counted = CollectorRegistry()
        # The worker deletes and creates the folder when it starts.
        if folder.is_dir():
            MultiProcessCollector(counted, path=str(folder))
        start_response("200 OK", [("Content-Type", CONTENT_TYPE_LATEST)])
        return [generate_latest(counted)]

    return answer


def main() -> None:
    """Serve until the container ends."""
    folder = Path(os.environ["PROMETHEUS_MULTIPROC_DIR"])
    server = ThreadingWSGIServer(("0.0.0.0", PORT), MetricsHandler)  # noqa: S104  a pod has an address of its own
    server.set_app(application(folder, os.environ.get("SPAI_METRICS_TOKEN", "")))
    server.serve_forever()


if __name__ == "__main__":
    main()
