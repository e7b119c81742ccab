"""The clock: django-celery-beat's scheduler, with a timetable that belongs to the operator once it is written.

The stock scheduler writes the code's schedule over the row's at each start. Here a row is made once; afterwards the
operator's choice of schedule, and whether it runs at all, stands. What the code means by default is kept in the row's
description, so that a row that nobody has touched follows a new default, and a row whose entry is gone goes too.
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
"""Begins the description of a row that the code has made."""


class Scheduler(DatabaseScheduler):
    """The scheduler that keeps what the operator chose."""

    def setup_schedule(self) -> None:
        """Write the timetable into rows, then read it as it stands there."""
        write_timetable(TIMETABLE)
        self.update_from_dict({})


@transaction.atomic
def write_timetable(timetable: Mapping[str, Mapping[str, Any]]) -> None:
    """Make the rows that are missing, move those that nobody has touched to the default of now, remove the others.

    Parameters
    ----------
    timetable : mapping
        Name → task, schedule, kwargs, options and the policy for missed runs, as in `spai.celery.TIMETABLE`.
    """
    locked = PeriodicTask.objects.select_for_update(of=("self",)).select_related("interval", "crontab")
    rows = {row.name: row for row in locked}
    for name, entry in timetable.items():
        schedule, kind = ModelEntry.to_model_schedule(entry["schedule"])
        # As PostgreSQL keeps it: 60 seconds, not 60.0.
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
        is_untouched = row.description.startswith(f"{MARK}{present}.")
        if is_untouched:
            fields |= {"interval": None, "crontab": None, kind: schedule}
        if any(getattr(row, field) != value for field, value in fields.items()):
            PeriodicTask.objects.filter(pk=row.pk).update(**fields)
    gone = [row.pk for row in rows.values() if row.name not in timetable and row.description.startswith(MARK)]
    PeriodicTask.objects.filter(pk__in=gone).delete()
