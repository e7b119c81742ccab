"""The Celery app, the whole timetable in one table, and which tasks a wake-up topic starts."""

from __future__ import annotations

import os
from typing import Final

from celery import Celery

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spai.settings")

app = Celery("spai")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

QUEUES: Final = ("scrape", "ml", "default")
"""Queues of the workers: visits to sites, pipeline runs, and everything short."""

# Celery deprecates a queue at the task's own declaration; what is not named here is short and goes to `default`.
app.conf.task_routes = {
    "scraping.*": {"queue": "scrape"},
    "ml.run_due": {"queue": "ml"},
    "ml.mirror_champions": {"queue": "ml"},
}

SECOND: Final = 1.0
MINUTE: Final = 60.0

# name → (task, every so many seconds). All in UTC; each task asks the database what is due, so that a missed run is
# made up by the next and a doubled one finds nothing to do. django-celery-beat copies new names into rows at each
# start; what the operator changed or switched off there stays.
TIMETABLE: Final[dict[str, tuple[str, float]]] = {
    "scrape what is due": ("scraping.scrape_due", 30 * SECOND),
    "forecast what is due": ("ml.predict_due", MINUTE),
    "grade what is due": ("ml.settle_due", MINUTE),
    "start and resume pipeline runs": ("ml.run_due", 30 * SECOND),
    "retrain when it is due": ("ml.retrain_due", 5 * MINUTE),
    "mirror the champion in the registry": ("ml.mirror_champions", 10 * MINUTE),
}
app.conf.beat_schedule = {name: {"task": task, "schedule": every} for name, (task, every) in TIMETABLE.items()}

# topic of `apps.matches.events.wake` → tasks that it starts at once.
app.conf.wake_ups = {
    "facts_changed": ("ml.settle_due", "ml.predict_due", "ml.retrain_due"),
    "scrape_requested": ("scraping.scrape_due",),
    "run_requested": ("ml.run_due",),
    "promoted": ("ml.predict_due", "ml.mirror_champions"),
}
