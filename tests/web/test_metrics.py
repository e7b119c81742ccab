"""The metrics for Prometheus: those of the table, and all that SPAI's predecessor had but the drift score."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from datetime import timedelta
from pathlib import Path

import orjson
import pytest
import redis
from django.utils import timezone
from prometheus_client import REGISTRY, CollectorRegistry, generate_latest

from apps.api.alerting import RULES, SERVICE_LEVELS
from apps.api.alerting.conditions import BurnRate
from apps.api.models import PredictionJob
from spai import metrics as site_metrics
from spai.buffering import refusals  # noqa: F401  has a metric of its own
from spai.celery import app
from spai.metrics import MachineCollector, registries

DOCUMENT = Path(__file__).parents[2] / "docs" / "metrics.md"
TABLE = re.compile(r"(## Metrics of SPAI\n.*?\|---\|---\|---\|---\|\n)(.*?)(?=\n## )", re.S)

OF_REQUESTS = (
    "django_http_requests_total_by_method_total",
    "django_http_requests_latency_including_middlewares_seconds",
)
OF_FORECASTS = (
    "spai_predictions_total",
    "spai_prediction_seconds",
    "spai_inference_seconds",
    "spai_prediction_confidence",
)
OF_MODELS = ("spai_model_info", "spai_model_registered_timestamp_seconds")


@pytest.fixture
def told(client, settings):
    """What a program that may see the metrics is answered."""
    settings.SPAI_METRICS_TOKEN = "scraper"
    return lambda: client.get("/metrics", headers={"Authorization": "Bearer scraper"}).content.decode()


@pytest.mark.django_db
def test_requests_forecasts_and_the_champion_are_told(client, build, told):
    build.promote(build.version())
    client.get("/livez")
    said = told()
    missing = [
        name
        for name in (*OF_REQUESTS, *OF_FORECASTS, *OF_MODELS)
        if f"# TYPE {name.removesuffix('_total')}" not in said and f"# TYPE {name}" not in said
    ]
    assert missing == []
    assert "spai_model_info{" in said


@pytest.mark.django_db
def test_runs_and_queues_are_told(told):
    said = told()
    assert "spai_scrape_runs_waiting" in said
    assert "spai_queue_length" in said


def rows_of_the_code():
    """A row of the table for each metric: counted ones from their declarations, read ones from a scrape."""
    counted = {each for each in REGISTRY._collector_to_names if getattr(each, "_name", "").startswith("spai_")}
    found = [(each._name, each._type, each._labelnames, each._documentation) for each in counted]
    _, read = registries()
    found += [(each.name, each.type, each._labelnames, each.documentation) for each in read.collect()]
    for name, kind, labels, text in sorted(found):
        suffix = "_total" if kind == "counter" else ""
        yield f"| `{name}{suffix}` | {kind} | {', '.join(labels)} | {text} |\n"


@pytest.mark.django_db
def test_the_document_has_a_row_for_every_metric(renew):
    text = DOCUMENT.read_text(encoding="utf-8")
    rows = "".join(rows_of_the_code())
    if renew:
        text = TABLE.sub(lambda found: found[1] + rows, text)
        DOCUMENT.write_text(text, encoding="utf-8")
    assert TABLE.search(text)[2] == rows, "pytest tests/web/test_metrics.py --renew"


@pytest.mark.django_db
def test_what_tables_hold_is_told(build, champion, told):
    build.match("Northgate", "Old Mill", kickoff_at=timezone.now() + timedelta(minutes=30))
    said = told()
    assert 'spai_fixtures_without_forecast{world="sandbox"} 1.0' in said
    assert 'spai_gates_failed{world="sandbox"} 0.0' in said
    assert 'spai_jobs{state="queued"} 0.0' in said
    assert not PredictionJob.objects.exists()
    assert "spai_event_lag_seconds" in said
    assert 'spai_disk_free_bytes{place="var"}' in said


@pytest.mark.django_db
def test_the_age_of_a_queue_is_that_of_its_oldest_message(settings, told):
    now = time.time()
    with redis.Redis.from_url(settings.BROKER) as broker:
        for message in (b"no message", orjson.dumps({"headers": {"sent_at": now - 90}})):
            broker.rpush("jobs", message)
            broker.lpush("jobs", orjson.dumps({"headers": {"sent_at": now}}))
        ages = [re.search(r'spai_queue_age_seconds\{queue="jobs"\} (\S+)', told())[1]]
        broker.delete("jobs")
        ages.append(re.search(r'spai_queue_age_seconds\{queue="jobs"\} (\S+)', told())[1])
    assert 90 <= float(ages[0]) < 3600
    assert float(ages[1]) == 0


@pytest.mark.django_db
def test_alerts_say_of_which_metrics_each_container_knows_its_own_part_alone():
    """What is read from servers is the same in every container; what is counted, and disk and monitor, is not."""
    read = {each.name for each in registries()[1].collect()} - {each.name for each in MachineCollector().collect()}
    used = {level.name: level.total for level in SERVICE_LEVELS}
    for rule in (rule for rule in RULES if rule.condition is not None):
        selectors = used[rule.condition.level] if isinstance(rule.condition, BurnRate) else (rule.condition.selector,)
        names = {re.sub("_(total|count|bucket)$", "", selector.name) for selector in selectors}
        assert rule.each_container == (not names <= read), rule.name


COUNTING = """
import sys
from prometheus_client import Counter, Gauge
count, clients = Counter("spai_x", ""), Gauge("spai_y", "", multiprocess_mode="livesum")
for _ in range(int(sys.argv[1])):
    count.inc()
clients.set(3)
print("counted", flush=True)
sys.stdin.read()
"""


def test_counts_of_killed_processes_go_on_counting_and_their_gauges_do_not(tmp_path, settings):
    settings.PROMETHEUS_MULTIPROC_DIR = str(tmp_path)
    environment = os.environ | {"PROMETHEUS_MULTIPROC_DIR": str(tmp_path)}
    command = [sys.executable, "-c", COUNTING]
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE}
    processes = [subprocess.Popen([*command, str(times)], env=environment, **pipes) for times in (600, 400)]
    assert [process.stdout.readline() for process in processes] == [b"counted\n"] * 2

    def said(registry: CollectorRegistry) -> dict[str, float]:
        return {
            name: float(value) for name, value in re.findall(rb"^(spai_\w+) (\S+)$", generate_latest(registry), re.M)
        }

    counted, _ = registries()
    assert said(counted) == {b"spai_x_total": 1000.0, b"spai_y": 6.0}
    processes[0].kill()
    processes[0].communicate()
    counted, _ = registries()
    assert said(counted) == {b"spai_x_total": 1000.0, b"spai_y": 3.0}
    processes[1].communicate()


def test_how_tasks_end_is_counted():
    def ended(outcome):
        return site_metrics.TASKS.labels("ml.settle_due", outcome)._value.get()

    task = app.tasks["ml.settle_due"]
    before = ended("succeeded"), ended("failed")
    site_metrics.task_success.send(sender=task, result=None)
    site_metrics.task_failure.send(sender=task, exception=ValueError(), traceback=None, einfo=None)
    assert (ended("succeeded"), ended("failed")) == (before[0] + 1, before[1] + 1)
