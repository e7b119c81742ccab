"""Which tasks share a worker, and what that worker has imported before it takes one."""

from __future__ import annotations

import pytest
from celery.signals import task_unknown, worker_init

from spai import preload
from spai.celery import QUEUES, TIMETABLE, app
from spai.stack import processes

MINUTE = 60


@pytest.fixture(scope="module")
def by_queue() -> dict[str, dict[str, object]]:
    """Queue → name → task, of the tasks of this project."""
    app.loader.import_default_modules()
    found: dict[str, dict[str, object]] = {}
    for name, task in app.tasks.items():
        if not name.startswith("celery."):
            found.setdefault(app.amqp.router.route({}, name)["queue"].name, {})[name] = task
    return found


def test_every_queue_has_a_worker_and_a_table_of_imports(by_queue):
    assert set(by_queue) == set(QUEUES) == set(processes.QUEUES) == set(preload.PRELOADED)


def test_a_request_for_scrape_runs_never_waits_longer_than_it_is_valid(by_queue):
    assert set(by_queue["default"]) >= {"scraping.request_scheduled_run", "ml.settle_due", "ml.retrain_due"}
    lifetimes = {
        entry["options"]["expires"] for entry in TIMETABLE.values() if entry["task"] == "scraping.request_scheduled_run"
    }
    assert max(task.time_limit for task in by_queue["default"].values()) <= min(lifetimes) == MINUTE


def test_each_kind_of_work_that_must_not_wait_for_another_has_a_worker_of_its_own(by_queue):
    tasks = ("scraping.scrape_due", "ml.run_due", "ml.predict_due", "ml.settle_due")
    tasks += ("api.run_jobs", "api.deliver_webhooks")
    queues = [queue for queue, names in by_queue.items() for task in tasks if task in names]
    assert sorted(queues) == sorted(QUEUES)


def test_a_task_of_a_newer_release_is_dropped_with_a_line_that_says_what_to_do(caplog):
    message = {"task": "ml.of_tomorrow"}
    task_unknown.send(sender=None, name=message["task"], id="1", message=message, exc=KeyError("ml.of_tomorrow"))
    (said,) = [record.message for record in caplog.records if "ml.of_tomorrow" in record.message]
    assert "stays due in the database" in said
    assert "Upgrade this worker" in said


def test_a_worker_imports_for_its_queues_before_it_starts_the_processes_of_tasks(monkeypatch):
    class Worker:
        class app:  # noqa: N801
            class amqp:  # noqa: N801
                class queues:  # noqa: N801
                    consume_from = {"forecast": None}

    seen = []
    monkeypatch.setattr(preload, "preload", seen.append)
    worker_init.send(sender=Worker)
    assert seen == ["forecast"]
