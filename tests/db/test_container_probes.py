"""What containers without a web server answer: whether they are alive, and what their processes have counted."""

from __future__ import annotations

import subprocess
import sys
import threading
import urllib.error
import urllib.request
from datetime import UTC, datetime

import pytest
from django_celery_beat.models import IntervalSchedule, PeriodicTask
from prometheus_client.exposition import ThreadingWSGIServer

from spai.stack import alive, health
from spai.stack.worker_metrics import MetricsHandler, application

NOWHERE = {"DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}


# ── Alive ────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", ["worker-scrape", "beat"])
def test_a_process_whose_server_is_away_is_left_alone(name, monkeypatch, tmp_path, capsys):
    for variable, value in (NOWHERE | {"SPAI_VAR_DIR": str(tmp_path), "CELERY_BROKER_URL": ""}).items():
        monkeypatch.setenv(variable, value)
    monkeypatch.setattr(health, "TIMEOUT", 0.2)
    alive.main(name)
    assert "is not restarted" in capsys.readouterr().out


def test_a_worker_that_answers_no_ping_is_not_alive(monkeypatch, tmp_path, settings):
    monkeypatch.setattr(health, "TIMEOUT", 0.2)
    monkeypatch.setenv("SPAI_VAR_DIR", str(tmp_path))
    monkeypatch.setenv("REDIS_URL", settings.REDIS_URL)
    with pytest.raises(SystemExit, match="no answer to a ping"):
        alive.main("worker-scrape")


@pytest.mark.django_db(transaction=True)
def test_beat_is_not_alive_once_it_has_sent_nothing_for_five_minutes(monkeypatch, settings, capsys):
    database = settings.DATABASES["default"]
    address = "postgresql://{USER}:{PASSWORD}@{HOST}:{PORT}/{NAME}".format(**database)
    monkeypatch.setenv("DATABASE_URL", address)
    minute = IntervalSchedule.objects.create(every=1, period=IntervalSchedule.MINUTES)
    long_ago = datetime(2026, 1, 1, tzinfo=UTC)
    PeriodicTask.objects.create(name="a", task="ml.settle_due", interval=minute, last_run_at=long_ago)
    monkeypatch.setattr(alive, "started_at", lambda: datetime.now(UTC))
    alive.main("beat")
    assert "nothing was due yet" in capsys.readouterr().out
    monkeypatch.setattr(alive, "started_at", lambda: long_ago)
    with pytest.raises(SystemExit, match="has sent no task for"):
        alive.main("beat")


# ── Metrics of a worker ──────────────────────────────────────────────────────────────────────────────────────────────
COUNT = "from prometheus_client import Counter; Counter('spai_pages', 'Pages.', ['host']).labels('a').inc({})"


@pytest.fixture
def asked(tmp_path):
    """Asks a server of the metrics in `tmp_path` whose token is "secret"; returns status and text."""
    server = ThreadingWSGIServer(("127.0.0.1", 0), MetricsHandler)
    server.set_app(application(tmp_path / "metrics", "secret"))
    thread = threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True)
    thread.start()

    def ask(authorization: str = "Bearer secret") -> tuple[int, str]:
        headers = {"Authorization": authorization} if authorization else {}
        request = urllib.request.Request(f"http://127.0.0.1:{server.server_port}/metrics", headers=headers)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(request, timeout=30) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            return error.code, error.read().decode()

    yield ask
    server.shutdown()
    server.server_close()
    thread.join()


def test_the_counts_of_all_processes_are_summed_those_included_that_have_ended(asked, tmp_path):
    assert asked() == (200, "")
    folder = tmp_path / "metrics"
    folder.mkdir()
    for pages in (2, 3):
        environment = {"PROMETHEUS_MULTIPROC_DIR": str(folder)}
        subprocess.run([sys.executable, "-c", COUNT.format(pages)], env=environment, check=True)
    status, text = asked()
    assert status == 200
    assert 'spai_pages_total{host="a"} 5.0' in text


@pytest.mark.parametrize("authorization", ["", "Bearer wrong", "Bearer ", "secret", "Basic secret"])
def test_whoever_has_no_token_learns_nothing(asked, authorization):
    status, text = asked(authorization)
    assert (status, "Bearer token" in text) == (401, True)


def test_without_a_token_nobody_may_read(tmp_path):
    statuses = []
    answer = application(tmp_path, "")
    answer({"PATH_INFO": "/metrics", "HTTP_AUTHORIZATION": "Bearer "}, lambda status, headers: statuses.append(status))
    assert statuses == ["401 Unauthorized"]
