"""Every query of every dashboard, run by a real Prometheus that scrapes the metrics of a site with some history."""

from __future__ import annotations

import json
import re
import shutil
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import httpx
import pytest
from django.utils import timezone
from prometheus_client import generate_latest

from apps.api import metrics as api_metrics
from apps.api import services
from apps.ml import metrics as ml_metrics
from apps.ml import selectors as ml_selectors
from apps.scraping import metrics as scraping_metrics
from apps.scraping.models import ScrapeRun, Source
from spai import metrics as site_metrics
from spai.monitoring.files import RULE_FILE, written
from spai.stack.ports import free_port
from tests.subprocesses import child_process

TIMEOUT = 120.0
"""Seconds after which a query that has no data counts as one that never has any."""
COUNTED = re.compile(r"^((?:spai|django)_\w+_(?:total|count|sum|bucket)(?:\{.*\})?) (\S+)$", re.M)

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("prometheus") is None, reason="Prometheus is not installed"),
]


@contextmanager
def site_that_tells(text: str) -> Iterator[int]:
    """Serve metrics whose counters grow by ten with each scrape; return the port."""
    scrapes = iter(range(1, 10**6))

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            more = 10 * next(scrapes)
            body = COUNTED.sub(lambda found: f"{found[1]} {float(found[2]) + more}", text).encode()
            self.send_response(200)
            self.send_header("Content-Type", "text/plain; version=0.0.4; charset=utf-8")
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server.server_port
        server.shutdown()


@contextmanager
def prometheus(folder: Path, target: int) -> Iterator[str]:
    """Run a Prometheus that scrapes a port each second and knows our rules; return its address."""
    config = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "rule_files": [str(RULE_FILE)],
        "scrape_configs": [{"job_name": "spai", "static_configs": [{"targets": [f"127.0.0.1:{target}"]}]}],
    }
    file, port = folder / "prometheus.yml", free_port()
    file.write_text(json.dumps(config))
    command = ["prometheus", f"--config.file={file}", f"--storage.tsdb.path={folder / 'data'}"]
    command += [f"--web.listen-address=127.0.0.1:{port}", "--log.level=warn"]
    with (folder / "log").open("w") as log, child_process(command, stderr=log):
        yield f"http://127.0.0.1:{port}"


def count_something():
    """Let everything happen once that processes count."""
    ml_metrics.PREDICTIONS.labels("sandbox", "live").inc()
    for histogram in (ml_metrics.PREDICTION_SECONDS, ml_metrics.INFERENCE_SECONDS, ml_metrics.CONFIDENCE):
        histogram.labels("sandbox").observe(0.4)
    ml_metrics.SETTLED.labels("sandbox").inc()
    ml_metrics.ERRORS.labels("load").inc()
    ml_metrics.CHAMPION_NOT_SERVED.labels("sandbox").set(0)
    scraping_metrics.RUNS.labels("understat", "stored").inc()
    scraping_metrics.RUN_SECONDS.labels("understat").observe(1.0)
    scraping_metrics.PAGES.labels("a.example", "stored").inc()
    scraping_metrics.RECORDS.labels("understat", "same").inc()
    site_metrics.TASKS.labels("ml.settle_due", "succeeded").inc()
    site_metrics.TASK_SECONDS.labels("ml.settle_due").observe(0.1)
    api_metrics.PUSH_CLIENTS.labels("websocket").set(0)
    api_metrics.EVENT_DELAY.observe(0.01)


@pytest.mark.django_db
def test_every_query_of_every_dashboard_returns_data(client, build, monkeypatch, tmp_path):
    count_something()
    client.get("/about/")
    now = timezone.now()
    version = build.version()
    build.promote(version)
    build.run(status="succeeded", started_at=now - timedelta(hours=1), finished_at=now)
    played = build.match("Northgate", "Old Mill", kickoff_at=now - timedelta(hours=5), goals=(2, 1))
    build.score(build.prediction(played, version))
    monkeypatch.setattr(ml_selectors, "ENOUGH", 1)
    source = Source.objects.get_or_create(name="understat", defaults={"reader": "understat"})[0]
    Source.objects.filter(pk=source.pk).update(is_enabled=True, needs_permission=False)
    today = {"window_start": now.date(), "window_end": now.date(), "requested_at": now, "started_at": now}
    ScrapeRun.objects.create(source=source, **today, finished_at=now, outcome="stored", pages_done=1)
    services.watch(read=list, clock=timezone.now)
    text = "".join(generate_latest(registry).decode() for registry in site_metrics.registries())

    files = {path: content for path, content in written().items() if path.parent.parent == RULE_FILE.parent}
    boards = [json.loads(content) for content in files.values()]
    assert len(boards) == 4
    waiting = {
        target["expr"]: f"{board['title']}: {panel['title']}"
        for board in boards
        for panel in board["panels"]
        for target in panel["targets"]
    }
    end = time.monotonic() + TIMEOUT
    with site_that_tells(text) as port, prometheus(tmp_path, port) as address, httpx.Client(trust_env=False) as asked:
        while waiting and time.monotonic() < end:
            for query in list(waiting):
                try:
                    answer = asked.get(f"{address}/api/v1/query", params={"query": query}).json()
                except (httpx.TransportError, ValueError):
                    time.sleep(0.2)
                    break
                assert answer["status"] == "success", answer
                if answer["data"]["result"]:
                    del waiting[query]
            time.sleep(0.1)
    assert waiting == {}, (tmp_path / "log").read_text()
