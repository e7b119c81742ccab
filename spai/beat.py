"""The scheduler of celery-beat, which keeps the operator's changes of the timetable.

django-celery-beat's own scheduler overwrites the schedule of each row at every start. This one creates a row once;
afterwards the operator decides when the task is sent, and whether it is. The description of a row contains the default
schedule: a row that still has it follows a new default, and a row whose entry was removed from the code is deleted.

A task is not sent when the database has no work for it. No work waits for longer because of that: what
is added a moment later has its own message; otherwise the next check, seconds later, finds it.

Several processes may run: one sends, and the others wait for its lock.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from apps.api.models import PredictionJob, Webhook
from apps.matches.locks import Lock, try_take_while_active, wait_for
from apps.ml.models import PipelineRun
from apps.ml.selectors import UNFINISHED
from apps.scraping.models import ScrapeRun
from spai.celery import TIMETABLE

logger = logging.getLogger(__name__)

MARK: Final = "By default "
"""Prefix of the description of a row that the code has created."""

HAS_WORK: Final[dict[str, Callable[[], bool]]] = {
    "scraping.scrape_due": ScrapeRun.objects.filter(finished_at__isnull=True).exists,
    "ml.run_due": PipelineRun.objects.filter(status__in=UNFINISHED).exists,
    "api.run_jobs": PredictionJob.objects.filter(state__in=("queued", "running")).exists,
    # Events make messages for it.
    "api.deliver_webhooks": Webhook.objects.filter(is_active=True).exists,
}
"""Task that is sent several times a minute → whether it may find work, by one short query."""


class SenderLock:
    """The lock of the one celery-beat that sends tasks, held by its own database session.

    It makes a query at least every `CELERY_BEAT_MAX_LOOP_INTERVAL` seconds.
    """

    def __init__(self) -> None:
        self._session: BaseDatabaseWrapper = connection.copy()
        self.is_held = False

    def take(self) -> bool:
        """Return whether this process holds the lock; take it when it is free.

        While PostgreSQL does not answer nobody holds it.
        """
        try:
            if self.is_held:
                with self._session.cursor() as cursor:
                    cursor.execute("SELECT 1")
            else:
                self.is_held = try_take_while_active(Lock.BEAT, self._session)
        except (DatabaseError, InterfaceError) as error:
            logger.warning("no task is sent, because the lock of celery-beat is not held: %s", error)
            self.release()
        return self.is_held

    def release(self) -> None:
        """End the session, which frees the lock."""
        self.is_held = False
        self._session.close()


class Scheduler(DatabaseScheduler):
    """The scheduler that keeps the operator's changes, and sends while it holds the lock."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._lock = SenderLock()
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send a task that is due and return the seconds until the next look; without the lock only look again."""
        held_before = self._lock.is_held
        if not self._lock.take():
            self._dirty.clear()  # the times of another process are newer
            return self.max_interval
        if not held_before:
            logger.info("this celery-beat sends the tasks from now on")
            self._read_again()
        return super().tick(*args, **kwargs)

    def _read_again(self) -> None:
        """Read the timetable, with the times at which another process has sent its tasks."""
        self._initial_read, self._heap = True, None

    def close(self) -> None:
        """Store the times, then let another process send."""
        super().close()
        self._lock.release()

    def setup_schedule(self) -> None:
        """Update the rows of the timetable, then load them."""
        write_timetable(TIMETABLE)
        self.update_from_dict({})

    def apply_entry(self, entry: ModelEntry, producer: Any = None) -> None:
        """Send the task of an entry, unless it has no work."""
        if has_work(entry.task):
            super().apply_entry(entry, producer=producer)


def has_work(task: str) -> bool:
    """Return whether a task may find work; True when the database does not answer."""
    try:
        return HAS_WORK[task]() if task in HAS_WORK else True
    except (DatabaseError, InterfaceError) as error:
        logger.warning("%s is sent without a check of its work: %s", task, error)
        connection.close()
        return True


@transaction.atomic
def write_timetable(timetable: Mapping[str, Mapping[str, Any]]) -> None:
    """Create missing rows, update unchanged ones to the current default, delete those that the code no longer has.

    Of two processes that start at once, the second finds the rows of the first.
    """
    wait_for(Lock.TIMETABLE)
    locked = PeriodicTask.objects.select_for_update(of=("self",)).select_related("interval", "crontab")
    rows = {row.name: row for row in locked}
    for name, entry in timetable.items():
        schedule, kind = ModelEntry.to_model_schedule(entry["schedule"])
        # As PostgreSQL stores it: 60 seconds, not 60.0.
        schedule.refresh_from_db()
        default = f"{MARK}{schedule}."
        fields = {
            "task": entry["task"],
            "kwargs": json.dumps(entry.get("kwargs", {})),
            "expire_seconds": int(entry["options"]["expires"]),
            "description": f"{default} {entry['missed']}",
        }
        row = rows.get(name)
        if row is None:
            PeriodicTask.objects.create(name=name, **{kind: schedule}, **fields)
            continue
        present = row.interval or row.crontab or row.solar or row.clocked
        is_unchanged = row.description.startswith(f"{MARK}{present}.")
        if is_unchanged:
            fields |= {"interval": None, "crontab": None, kind: schedule}
        if any(getattr(row, field) != value for field, value in fields.items()):
            PeriodicTask.objects.filter(pk=row.pk).update(**fields)
    gone = [row.pk for row in rows.values() if row.name not in timetable and row.description.startswith(MARK)]
    PeriodicTask.objects.filter(pk__in=gone).delete()
