"""The Celery app, the whole timetable in one table, and which tasks a wake-up topic starts."""

from __future__ import annotations

import os
from typing import Any, Final

from celery import Celery
from celery.schedules import crontab

from spai import preload  # noqa: F401  connects itself to the start of a worker

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spai.settings")

app = Celery("spai")
app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

QUEUES: Final = ("scrape", "ml", "forecast", "default")
"""Queues of the workers, each of which executes one task at a time.

`scrape` visits sites. `ml` has what may take an hour and can wait as long: pipeline runs, their mirror in MLflow, the
deletion of old pages. `forecast` has what uses the champion. `default` has tasks that end within a minute, so that
visits are asked for and results graded whatever the others do.
"""

# Celery deprecates a queue at the task's own declaration; what is not named here goes to `default`.
app.conf.task_routes = {
    "scraping.scrape_due": {"queue": "scrape"},
    "scraping.prune": {"queue": "ml"},
    "ml.run_due": {"queue": "ml"},
    "ml.mirror_aliases": {"queue": "ml"},
    "ml.predict_due": {"queue": "forecast"},
    "ml.simulate_due": {"queue": "forecast"},
    "ml.compare_due": {"queue": "forecast"},
}

SECOND: Final = 1.0
MINUTE: Final = 60.0
HOUR: Final = 3600.0

LATE_IS_FINE: Final = "A missed run does no harm: the next one asks the database what is due."
RESULTS_LATE: Final = (
    "A missed run is made up: the next one reaches back to the latest complete visit, at most 62 days; what lies "
    "before is a back-fill's work."
)
FIXTURES_LATE: Final = "A missed run is not made up: the next one sees the same fifteen days."
ODDS_LATE: Final = "A missed run is lost: prices of then are gone, and the next one reads those of its own moment."
ONCE: Final = "Asks for one back-fill of everything; once it is complete there is nothing to do any more."


def _visit(source: str, scope: str, schedule: Any, missed: str) -> dict[str, Any]:
    return {
        "task": "scraping.visit_due",
        "schedule": schedule,
        "kwargs": {"source": source, "scope": scope},
        "options": {"expires": schedule if isinstance(schedule, float) else HOUR},
        "missed": missed,
    }


def _ask(task: str, every: float) -> dict[str, Any]:
    return {"task": task, "schedule": every, "options": {"expires": max(every, MINUTE)}, "missed": LATE_IS_FINE}


# All in UTC, so that no hour is skipped or doubled by a change of clocks. `missed` is the written policy for runs that
# did not happen; it stands beside the row in the admin. What the operator changes there stays (`spai.beat`).
TIMETABLE: Final[dict[str, dict[str, Any]]] = {
    "sandbox: results": _visit("sandbox", "results", MINUTE, RESULTS_LATE),
    "sandbox: fixtures": _visit("sandbox", "fixtures", 5 * MINUTE, FIXTURES_LATE),
    "sandbox: past seasons": _visit("sandbox-files", "backfill", MINUTE, ONCE),
    **{
        f"{source}: {scope}": _visit(source, scope, schedule, missed)
        for minute, source in enumerate(("football-data", "openfootball", "whoscored"))
        for scope, schedule, missed in (
            ("results", crontab(minute=str(7 + minute)), RESULTS_LATE),
            ("fixtures", crontab(minute=str(23 + minute), hour="5"), FIXTURES_LATE),
            ("odds", crontab(minute=str(41 + minute), hour="*/4"), ODDS_LATE),
        )
        # openfootball tells no prices.
        if (source, scope) != ("openfootball", "odds")
    },
    "scrape what is due": _ask("scraping.scrape_due", 30 * SECOND),
    "prune kept pages": _ask("scraping.prune", 6 * HOUR),
    "forecast what is due": _ask("ml.predict_due", MINUTE),
    "grade what is due": _ask("ml.settle_due", MINUTE),
    "simulate the seasons that are due": _ask("ml.simulate_due", 5 * MINUTE),
    "start and resume pipeline runs": _ask("ml.run_due", 30 * SECOND),
    "train a first champion": _ask("ml.retrain_due", 5 * MINUTE),
    "compare candidates with the champion": _ask("ml.compare_due", 10 * MINUTE),
    "mirror the aliases in the registry": _ask("ml.mirror_aliases", 10 * MINUTE),
}

# topic of `apps.matches.events.start_tasks_after_commit` → tasks that it starts at once.
app.conf.tasks_by_topic = {
    "facts_changed": ("ml.settle_due", "ml.predict_due", "ml.retrain_due"),
    "scrape_requested": ("scraping.scrape_due",),
    "run_requested": ("ml.run_due",),
    "promoted": ("ml.predict_due", "ml.simulate_due", "ml.compare_due", "ml.mirror_aliases"),
    "compared": ("ml.mirror_aliases",),
}
