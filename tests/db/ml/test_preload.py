"""No task imports a module that its worker has not: a time limit that falls into an import breaks the worker."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from apps.ml import services
from spai.celery import QUEUES
from tests.db.ml.conftest import PARAMS
from tests.web.processes import environment_of

ROOT = Path(__file__).resolve().parents[3]
ARGUMENTS = {"scraping.request_scheduled_run": {"source": "sandbox", "scope": "results"}}

# Each queue in a fork of its own: setting Django up takes longer than most of what follows.
EXECUTE = f"""
import json, os, sys
import django

django.setup()
from spai.celery import app
from spai.preload import preload

app.loader.import_default_modules()
for queue in sys.argv[1:]:
    if child := os.fork():
        status = os.waitpid(child, 0)[1]
        if status:
            sys.exit(f"queue {{queue}}: status {{status}}")
        continue
    preload(queue)
    present, ended = set(sys.modules), {{}}
    for name in sorted(app.tasks):
        if not name.startswith("celery.") and app.amqp.router.route({{}}, name)["queue"].name == queue:
            try:
                ended[name] = repr(app.tasks[name](**{ARGUMENTS!r}.get(name, {{}})))
            except Exception as error:
                ended[name] = repr(error)
    # A worker itself runs on these.
    worker = ("amqp", "billiard", "celery", "kombu", "redis", "vine")
    imported = sorted(name for name in set(sys.modules) - present if not name.startswith(worker))
    print("RESULT", json.dumps([queue, ended, imported]), flush=True)
    sys.exit()
"""


class Registry(BaseHTTPRequestHandler):
    """As much of MLflow as it takes to set an alias and to keep a card."""

    def do_GET(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        version = {"name": "spai-sandbox", "version": "1", "run_id": "run1", "description": ""}
        run = {"info": {"run_id": "run1", "artifact_uri": "mlflow-artifacts:/0/run1/artifacts"}, "data": {}}
        body = {"registered_model": {"name": "spai-sandbox", "aliases": []}, "model_version": version, "run": run}
        content = json.dumps(body).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    do_POST = do_PUT = do_PATCH = do_DELETE = do_GET  # noqa: N815

    def log_message(self, *arguments: object) -> None:
        return


@pytest.fixture
def registry() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Registry) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.mark.slow
@pytest.mark.timeout(900)  # on a new checkout it is the first to have the kernels compiled
@pytest.mark.django_db(transaction=True)
def test_no_task_imports_anything_that_its_worker_has_not_imported(make_version, registry, now, tmp_path, monkeypatch):
    # The columns that there are in the small world of these tests.
    trees = PARAMS["train"]["smoke"]["xgboost"]
    columns = {"columns": ["base_*", "elo_*"]}
    wanted = trees | columns | {"logit": columns | {"l2": trees["logit"]["l2"]}}
    monkeypatch.setitem(PARAMS["train"]["smoke"], "xgboost", wanted)
    services.promote(version=make_version(1, estimator="xgboost", home=0.55), user=None, reason="first", now=now)
    make_version(2, home=0.6)
    environment = environment_of(
        "admin", MLFLOW_TRACKING_URI=registry, SPAI_SANDBOX_URL=registry, SPAI_VAR_DIR=str(tmp_path)
    )

    # The first asks for the run that `scrape` then makes.
    command = [sys.executable, "-c", EXECUTE, "default", "scrape", "ml", "forecast", "jobs", "webhooks"]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    lines = [line.removeprefix("RESULT ") for line in done.stdout.splitlines() if line.startswith("RESULT ")]
    found = {queue: (ended, imported) for queue, ended, imported in map(json.loads, lines)}
    assert set(found) == set(QUEUES)
    ended = {name: said for executed, _ in found.values() for name, said in executed.items()}
    assert not {name: said for name, said in ended.items() if said != "None" and name != "ml.mirror_aliases"}
    assert {queue: imported for queue, (_, imported) in found.items() if imported} == {}
