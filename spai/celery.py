"""The Celery app, its queues, its timetable, and the tasks that events of the site trigger."""

from __future__ import annotations

import logging
import os
from typing import Any, Final

from celery import Celery
from celery.schedules import crontab
from celery.signals import setup_logging, task_unknown

from spai import preload  # noqa: F401  connects to the signal of a starting worker
from spai.broker import QUEUES as QUEUES
from spai.broker import sending_options

logger = logging.getLogger(__name__)

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spai.settings")


class App(Celery):
    """The Celery app, whose messages are sent at once or not at all."""

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        """Return a connection for sending."""
        to_send = sending_options(self.conf.broker_write_url or "")
        options["transport_options"] = to_send | (options.get("transport_options") or {})
        return super().connection_for_write(url, **options)


app = App("spai")


@setup_logging.connect
def _keep_logging(**_: Any) -> None:
    """Keep the logging of the settings: Celery configures its own only where nobody listens to this signal."""


@task_unknown.connect
def _warn_of_unknown_task(*, name: str, **_: Any) -> None:
    """Log what to do about a message that Celery drops because this release does not have its task."""
    logger.warning(
        "Another release sent the task %s, which this one does not have. What it was to do stays due in the database. "
        "Upgrade this worker to the newer release, or restart it where the code is that of the newer release already.",
        name,
    )


app.config_from_object("django.conf:settings", namespace="CELERY")
app.autodiscover_tasks()

# Celery deprecates naming a queue in the declaration of a task. Tasks that are not listed here go to `default`.
app.conf.task_routes = {
    "scraping.scrape_due": {"queue": "scrape"},
    "api.apply_retention": {"queue": "ml"},
    "ml.run_due": {"queue": "ml"},
    "ml.mirror_aliases": {"queue": "ml"},
    "ml.drift_due": {"queue": "ml"},
    "ml.predict_due": {"queue": "forecast"},
    "ml.simulate_due": {"queue": "forecast"},
    "ml.summarize_due": {"queue": "forecast"},
    "ml.rate_due": {"queue": "forecast"},
    "ml.back_test_due": {"queue": "forecast"},
    "ml.compare_due": {"queue": "forecast"},
    "ml.shadow_due": {"queue": "forecast"},
    "ml.promote_due": {"queue": "forecast"},
    "ml.fall_back_due": {"queue": "forecast"},
    "ml.close_ledger": {"queue": "forecast"},
    "api.run_jobs": {"queue": "jobs"},
    "api.deliver_webhooks": {"queue": "webhooks"},
}

SECOND: Final = 1.0
MINUTE: Final = 60.0
HOUR: Final = 3600.0

LATE_IS_FINE: Final = "A missed run does no harm: the next one finds what is due in the database."
RESULTS_LATE: Final = (
    "A missed run is made up for: the next one goes back to the latest complete one, at most 62 days; a back-fill "
    "fetches what is older."
)
FIXTURES_LATE: Final = "A missed run does no harm: the next one fetches the same fifteen days."
ODDS_LATE: Final = "The prices of a missed run are lost: the next one fetches those of its own time."
ONCE: Final = "Requests one back-fill of everything; once that is complete, it does nothing."


def _scrape(source: str, scope: str, schedule: Any, missed: str) -> dict[str, Any]:
    return {
        "task": "scraping.request_scheduled_run",
        "schedule": schedule,
        "kwargs": {"source": source, "scope": scope},
        "options": {"expires": schedule if isinstance(schedule, float) else HOUR},
        "missed": missed,
    }


def _every(task: str, every: float) -> dict[str, Any]:
    return {"task": task, "schedule": every, "options": {"expires": max(every, MINUTE)}, "missed": LATE_IS_FINE}


# Times are in UTC, so that daylight saving time neither skips nor repeats an hour. `missed` is the policy for missed
# runs; the admin shows it with the row. `spai.beat` keeps what the operator changes there.
TIMETABLE: Final[dict[str, dict[str, Any]]] = {
    "sandbox: results": _scrape("sandbox", "results", MINUTE, RESULTS_LATE),
    "sandbox: fixtures": _scrape("sandbox", "fixtures", 5 * MINUTE, FIXTURES_LATE),
    "sandbox: past seasons": _scrape("sandbox-files", "backfill", MINUTE, ONCE),
    **{
        f"{source}: {scope}": _scrape(source, scope, schedule, missed)
        for minute, source in enumerate(("football-data", "openfootball", "whoscored", "understat"))
        for scope, schedule, missed in (
            ("results", crontab(minute=str(7 + minute)), RESULTS_LATE),
            ("fixtures", crontab(minute=str(23 + minute), hour="5"), FIXTURES_LATE),
            ("odds", crontab(minute=str(41 + minute), hour="*/4"), ODDS_LATE),
        )
        # openfootball has no prices; of Understat only xG is read, which comes with results.
        if (source, scope) not in {("openfootball", "odds"), ("understat", "fixtures"), ("understat", "odds")}
    },
    "scrape what is due": _every("scraping.scrape_due", 30 * SECOND),
    "note what sources delivered": _every("scraping.note_days", HOUR),
    "delete what is kept no longer": _every("api.apply_retention", HOUR),
    "forecast what is due": _every("ml.predict_due", MINUTE),
    "grade what is due": _every("ml.settle_due", MINUTE),
    "rate the clubs": _every("ml.rate_due", 10 * MINUTE),
    "compute the record": _every("ml.summarize_due", 5 * MINUTE),
    "simulate the seasons that are due": _every("ml.simulate_due", 5 * MINUTE),
    "close the ledger of days that ended": _every("ml.close_ledger", 10 * MINUTE),
    "start and resume pipeline runs": _every("ml.run_due", 30 * SECOND),
    "train where there is a reason": _every("ml.retrain_due", 5 * MINUTE),
    # Each hour, because a run that is under way holds a back-test back; a champion has one of a day, soon after 00:00.
    "back-test the champions once a day": _every("ml.back_test_due", HOUR),
    "compare candidates with the champion": _every("ml.compare_due", 10 * MINUTE),
    "forecast in shadow": _every("ml.shadow_due", 5 * MINUTE),
    "promote what the policy promotes by itself": _every("ml.promote_due", 10 * MINUTE),
    "fall back where live scores leave their limit": _every("ml.fall_back_due", 10 * MINUTE),
    "look for drift once a day": _every("ml.drift_due", HOUR),
    "mirror the aliases in the registry": _every("ml.mirror_aliases", 10 * MINUTE),
    "look for alerts": _every("spai.watch", MINUTE),
    "work on prediction jobs": _every("api.run_jobs", 15 * SECOND),
    "deliver webhooks": _every("api.deliver_webhooks", 5 * SECOND),
    "delete expired results of jobs": _every("api.expire_jobs", HOUR),
}

# Topic of `apps.matches.events.start_tasks_after_commit` → tasks that it sends at once.
app.conf.tasks_by_topic = {
    "facts_changed": ("ml.settle_due", "ml.predict_due", "ml.retrain_due"),
    "scrape_requested": ("scraping.scrape_due",),
    "run_requested": ("ml.run_due",),
    "promoted": (
        "ml.predict_due",
        "ml.simulate_due",
        "ml.compare_due",
        "ml.mirror_aliases",
        "ml.drift_due",
        "ml.summarize_due",
        "ml.rate_due",
    ),
    "back_tested": ("ml.summarize_due",),
    "compared": ("ml.promote_due", "ml.mirror_aliases"),
    "policy_changed": ("ml.compare_due", "ml.promote_due", "ml.fall_back_due", "ml.retrain_due"),
    "predicted": ("ml.shadow_due",),
    "graded": ("ml.fall_back_due", "ml.summarize_due"),
    "job_submitted": ("api.run_jobs",),
    "webhook_due": ("api.deliver_webhooks",),
}
