"""Deletion of what is old, in small batches, by the one database role that may delete facts.

A batch is one transaction. A run that is killed has deleted the batches before that, and the next run continues;
two at once find the same rows, of which each deletes some.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import QuerySet

from apps.matches import disk
from apps.matches.feed import newest_event_number
from apps.matches.models import Event, RetentionPeriod, RetentionRun
from apps.matches.retention import KINDS, PAGES, RetentionKind

ROLE: Final = "spai_retention"

BATCH: Final = 2_000

EVENTS_IN_MEMORY: Final = 10_000
"""Newest events that stay whatever their age: a push process that starts reads them."""


class RoleMissingError(Exception):
    """The database lacks the role that may delete, or this user may not take it."""


@dataclass(frozen=True, slots=True)
class Deletion:
    """What one kind lost, or would lose; `bytes` counts only files."""

    rows: int = 0
    files: int = 0
    bytes: int = 0

    def __add__(self, other: Deletion) -> Deletion:
        return Deletion(self.rows + other.rows, self.files + other.files, self.bytes + other.bytes)


@dataclass(frozen=True, slots=True)
class PeriodInForce:
    """How long data of a kind is stored: the operator's decision, or the default."""

    kind: RetentionKind
    days: int  # 0 for ever
    newest: int

    @property
    def is_default(self) -> bool:
        """Whether the operator has decided nothing else."""
        return (self.days, self.newest) == (default_days(self.kind), self.kind.newest or 0)


def default_days(kind: RetentionKind) -> int:
    """Return for how many days a kind is stored by default; 0 for ever.

    For raw pages of real sources `SPAI_KEEP_DAYS` sets it.
    """
    period: timedelta | None = settings.SPAI_KEEP
    return (period.days if period else 0) if kind.name == PAGES else kind.days


def periods_in_force() -> dict[str, PeriodInForce]:
    """Return how long each kind is stored, by its name."""
    decided = {row.kind: row for row in RetentionPeriod.objects.all()}
    found = {}
    for name, kind in KINDS.items():
        row = decided.get(name)
        days = row.days if row is not None and row.days is not None else default_days(kind)
        newest = row.newest if row is not None and row.newest is not None else kind.newest
        found[name] = PeriodInForce(kind, days, newest or 0)
    return found


def ensure_periods() -> None:
    """Create the rows of kinds that have none, so that the admin lists all; they decide nothing."""
    RetentionPeriod.objects.bulk_create((RetentionPeriod(kind=name) for name in KINDS), ignore_conflicts=True)


@dataclass
class Retention:
    """One run of retention: its time, its periods, and the deletion in batches.

    Parameters
    ----------
    now : datetime
    is_dry : bool, optional
        Count, and delete nothing.
    is_stopping : callable, optional
        Whether to end after the current batch.
    """

    now: datetime
    is_dry: bool = False
    is_stopping: Callable[[], bool] = lambda: False
    periods_in_force: dict[str, PeriodInForce] = field(default_factory=periods_in_force)

    def before(self, kind: str) -> datetime | None:
        """Return the moment before which a kind is old; None where it is kept for ever."""
        days = self.periods_in_force[kind].days
        return self.now - timedelta(days=days) if days else None

    def newest(self, kind: str) -> int:
        """Return how many of each world stay whatever their age."""
        return self.periods_in_force[kind].newest

    def rows(
        self,
        found: QuerySet[Any],
        *,
        by_role: bool = False,
        key: str = "id",
        first: Callable[[list[int]], Deletion] = lambda batch: Deletion(),
    ) -> Deletion:
        """Delete rows in batches, in the order of a unique column.

        Parameters
        ----------
        found : QuerySet
        by_role : bool, optional
            For facts, which only the role may delete.
        key : str, optional
            The unique column.
        first : callable, optional
            Deletes what belongs to a batch before its rows go, so that the next run finds it again after a kill.
        """
        if self.is_dry:
            return Deletion(found.count())
        done, table, later = Deletion(), found.model._meta, found
        while not self.is_stopping() and (batch := list(later.order_by(key).values_list(key, flat=True)[:BATCH])):
            done += first(batch)
            if by_role:
                with as_retention(), connection.cursor() as cursor:
                    cursor.execute(f"DELETE FROM {table.db_table} WHERE {key} = ANY(%s)", [batch])
                    done += Deletion(cursor.rowcount)
            else:
                gone = found.model._default_manager.filter(pk__in=batch).delete()[1]
                done += Deletion(gone.get(table.label, 0))
            later = found.filter(**{f"{key}__gt": batch[-1]})
        return done

    def paths(self, found: Iterable[Path]) -> Deletion:
        """Delete files, and folders with all that is in them; links are removed and not followed."""
        done = Deletion()
        for path in found:
            if self.is_stopping():
                break
            size = disk.used(path)
            if not self.is_dry:
                disk.remove(path)
            done += Deletion(files=1, bytes=size)
        return done


def may_delete() -> bool:
    """Return whether the role exists and this user may take it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_has_role(current_user, oid, 'member') FROM pg_roles WHERE rolname = %s", [ROLE])
        found = cursor.fetchone()
    return bool(found and found[0])


@contextmanager
def as_retention() -> Iterator[None]:
    """Act as the role that may delete facts, for the rest of a transaction.

    Raises
    ------
    RoleMissingError
    """
    with transaction.atomic():
        if not may_delete():
            raise RoleMissingError(
                f"the database has no role {ROLE} that this user may take; have a superuser run: "
                f"CREATE ROLE {ROLE} NOLOGIN; GRANT {ROLE} TO <user>; and grant it SELECT and DELETE on "
                "scraping_snapshot, scraping_scraperun, matches_event, ml_prediction and ml_shadowforecast"
            )
        with connection.cursor() as cursor:
            cursor.execute(f"SET LOCAL ROLE {ROLE}")
        yield
        with connection.cursor() as cursor:
            # SET LOCAL lasts to the end of the outermost transaction, which may be longer than this one.
            cursor.execute("RESET ROLE")


def delete_events(run: Retention, *, delivered_until: int | None = None) -> Deletion:
    """Delete the oldest events up to the first that is to stay, so that the numbers that are left have no gap.

    Parameters
    ----------
    run : Retention
    delivered_until : int, optional
        Number up to which every webhook has its messages; None without a webhook.
    """
    before = run.before("events")
    if before is None:
        return Deletion()
    bounds = [newest_event_number() - EVENTS_IN_MEMORY, *([] if delivered_until is None else [delivered_until])]
    # Numbers follow the order of commits, times the clocks of processes: the first young event ends it.
    young = Event.objects.filter(number__isnull=False, created_at__gte=before).order_by("number")
    bounds += [number - 1 for number in young.values_list("number", flat=True)[:1] if number is not None]
    return run.rows(Event.objects.filter(number__lte=min(bounds)), by_role=True, key="number")


def delete_reports(run: Retention) -> Deletion:
    """Delete old reports of retention but the newest."""
    before = run.before("retention-runs")
    if before is None:
        return Deletion()
    newest = RetentionRun.objects.order_by("-started_at").values("pk")[:1]
    return run.rows(RetentionRun.objects.filter(started_at__lt=before).exclude(pk__in=newest))
