"""The scheduler of celery-beat, which keeps the operator's changes of the timetable.

django-celery-beat's own scheduler overwrites the schedule of each row at every start. This one creates a row once;
afterwards the operator decides when the task is sent, and whether it is. The description of a row contains the default
schedule: a row that still has it follows a new default, and a row whose entry was removed from the code is deleted.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Mapping
from typing import Any, Final

from django.db import transaction
from django_celery_beat.models import PeriodicTask
from django_celery_beat.schedulers import DatabaseScheduler, ModelEntry

from spai.celery import TIMETABLE

logger = logging.getLogger(__name__)

MARK: Final = "By default "
"""Prefix of the description of a row that the code has created."""


class Scheduler(DatabaseScheduler):
    """The scheduler that keeps the operator's changes."""

    def setup_schedule(self) -> None:
        """Update the rows of the timetable, then load them."""
        write_timetable(TIMETABLE)
        self.update_from_dict({})


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
