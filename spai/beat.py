"""The scheduler of celery-beat, which keeps the operator's changes of the timetable.

django-celery-beat's own scheduler overwrites the schedule of each row at every start. This one creates a row once;
afterwards the operator decides when the task is sent, and whether it is. The description of a row contains the default
schedule: a row that still has it follows a new default, and a row whose entry was removed from the code is deleted.

A task of which the database says that it has nothing to do is not sent. No work waits for longer because of that: what
is added a moment later has a message of its own, and else the next look, seconds later, finds it.

Several may run: one has the lock of the timetable and sends tasks, the others try to take it every few seconds. The
lock belongs to a database session of its own. PostgreSQL ends that session when the process is killed, and also when it
asks nothing for `LEASE`, because it is frozen or cut off.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any, Final

from django.db import DatabaseError, InterfaceError, connection, transaction
from django.db.backends.base.base import BaseDatabaseWrapper
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from apps.api.models import PredictionJob, Webhook
from apps.matches.connections import first_line
from apps.matches.locks import Lock
from apps.ml.models import PipelineRun
from apps.ml.selectors import UNFINISHED
from apps.scraping.models import ScrapeRun
from spai.celery import TIMETABLE

logger = logging.getLogger(__name__)

LEASE: Final = timedelta(seconds=15)
"""How long a celery-beat that gives no sign of life keeps the right to send; it gives one every five seconds."""

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


class Turn:
    """The right to send tasks, which one celery-beat has at a time."""

    def __init__(self) -> None:
        # Not the connection of the scheduler, which it closes now and then.
        self._session: BaseDatabaseWrapper = connection.copy()
        self._is_ours = False

    def is_ours(self) -> bool:
        """Return whether this process has the turn, which it takes where no other has it; False without the database.

        Without the database there is nothing to send either: each task looks there for its work.
        """
        was_ours, self._is_ours = self._is_ours, False
        try:
            with self._session.cursor() as cursor:
                if was_ours:
                    cursor.execute("SELECT 1")
                else:
                    milliseconds = LEASE // timedelta(milliseconds=1)
                    cursor.execute("SELECT set_config('idle_session_timeout', %s, false)", [str(milliseconds)])
                    cursor.execute("SELECT pg_try_advisory_lock(%s)", [Lock.TIMETABLE])
                self._is_ours = was_ours or bool(cursor.fetchone()[0])
        except (DatabaseError, InterfaceError) as error:
            logger.warning("the timetable waits for the database: %s", first_line(error))
            self._session.close()
        if self._is_ours != was_ours:
            logger.info("this celery-beat %s", "sends the tasks now" if self._is_ours else "sends no tasks any more")
        return self._is_ours

    def give_up(self) -> None:
        """Let another process have it."""
        self._session.close()


class Scheduler(DatabaseScheduler):
    """The scheduler that keeps the operator's changes."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._turn = Turn()
        self._had_turn = False
        super().__init__(*args, **kwargs)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """Send what is due where it is the turn of this process; return the seconds to wait."""
        had_turn, self._had_turn = self._had_turn, self._turn.is_ours()
        if not self._had_turn:
            return float(self.max_interval)
        if not had_turn:
            # What another process has sent meanwhile is not due again.
            self._initial_read = True
            self._heap = None
        return float(super().tick(*args, **kwargs))

    def close(self) -> None:
        """Store the times of the tasks that were sent, and let another process go on."""
        super().close()
        self._turn.give_up()

    def setup_schedule(self) -> None:
        """Update the rows of the timetable, then load them."""
        write_timetable(TIMETABLE)
        self.update_from_dict({})

    def apply_entry(self, entry: ModelEntry, producer: Any = None) -> None:
        """Send the task of an entry, unless it has no work."""
        if has_work(entry.task):
            super().apply_entry(entry, producer=producer)


def has_work(task: str) -> bool:
    """Return whether a task may find work; True when the database does not say."""
    try:
        return HAS_WORK[task]() if task in HAS_WORK else True
    except (DatabaseError, InterfaceError) as error:
        logger.warning("%s is sent without a look at its work: %s", task, error)
        connection.close()
        return True


@transaction.atomic
def write_timetable(timetable: Mapping[str, Mapping[str, Any]]) -> None:
    """Create missing rows, update unchanged ones to the current default, delete those that the code no longer has."""
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
