"""Deletion of old pages and runs, by the one database role that may delete them."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from django.conf import settings
from django.core.files.storage import storages
from django.db import connection, transaction

from apps.scraping.models import ScrapeRun, Snapshot, Source

logger = logging.getLogger(__name__)

ROLE: Final = "spai_retention"

SANDBOX_KEPT: Final = timedelta(days=2)
"""Pages of the sandbox can be fetched again at any time."""

BATCH: Final = 2_000


class RoleMissingError(Exception):
    """The database lacks the role that may delete, or this user may not take it."""


@dataclass(frozen=True, slots=True)
class PruneReport:
    """How many pages, files and runs were deleted."""

    snapshots: int
    files: int
    runs: int


def prune(*, now: datetime) -> PruneReport:
    """Delete pages and runs older than `SPAI_KEEP_DAYS`, those of the sandbox after two days.

    The latest good page of an address is kept whatever its age, since later runs are compared with it; in the sandbox
    only until the address has not been seen for four days.

    Raises
    ------
    RoleMissingError
    """
    snapshots = files = runs = 0
    for source in Source.objects.order_by("pk"):
        age = SANDBOX_KEPT if source.is_simulated else settings.SPAI_KEEP
        if age is None:
            continue
        if source.is_simulated:
            # Each of its matches has its own pages, and the simulation never ends.
            source.addresses.filter(seen_at__lt=now - 2 * age).delete()
        gone, names = _prune_snapshots(source, now - age)
        snapshots += gone
        files += _prune_files(names)
        runs += _prune_runs(source, now - age)
    return PruneReport(snapshots, files, runs)


def _prune_snapshots(source: Source, before: datetime) -> tuple[int, set[str]]:
    gone = 0
    names: set[str] = set()
    while True:
        old = Snapshot.objects.filter(source=source, fetched_at__lt=before)
        spare = source.addresses.values("snapshot_id")
        batch = list(old.exclude(pk__in=spare).order_by("fetched_at")[:BATCH].values_list("pk", "stored_as"))
        if not batch:
            return gone, names
        with _as_retention(), connection.cursor() as cursor:
            cursor.execute("DELETE FROM scraping_snapshot WHERE id = ANY(%s)", [[pk for pk, _ in batch]])
            gone += cursor.rowcount
        names |= {name for _, name in batch}


def _prune_files(names: set[str]) -> int:
    """Delete the files that no row names any more; a row that is created meanwhile has its page fetched again."""
    wanted = sorted(names)
    used: set[str] = set()
    for start in range(0, len(wanted), BATCH):
        part = wanted[start : start + BATCH]
        used |= set(Snapshot.objects.filter(stored_as__in=part).values_list("stored_as", flat=True))
    for name in wanted:
        if name not in used:
            storages["snapshots"].delete(name)
    return len(names - used)


def _prune_runs(source: Source, before: datetime) -> int:
    old = ScrapeRun.objects.filter(source=source, finished_at__lt=before)
    # The newest run of each scope shows how fresh the source is.
    newest = old.order_by("scope", "-requested_at").distinct("scope").values_list("pk", flat=True)
    ids = list(old.exclude(pk__in=list(newest)).values_list("pk", flat=True))
    if not ids:
        return 0
    with _as_retention(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM scraping_scraperun WHERE id = ANY(%s)", [ids])
        return int(cursor.rowcount)


def may_prune() -> bool:
    """Return whether the role exists and this user may take it."""
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_has_role(current_user, oid, 'member') FROM pg_roles WHERE rolname = %s", [ROLE])
        found = cursor.fetchone()
    return bool(found and found[0])


@contextmanager
def _as_retention() -> Iterator[None]:
    with transaction.atomic():
        with connection.cursor() as cursor:
            if not may_prune():
                raise RoleMissingError(
                    f"the database has no role {ROLE} that this user may take; have a superuser run: "
                    f"CREATE ROLE {ROLE} NOLOGIN; GRANT {ROLE} TO <user>; and migrate scraping again"
                )
            cursor.execute(f"SET LOCAL ROLE {ROLE}")
        yield
        with connection.cursor() as cursor:
            # SET LOCAL lasts to the end of the outermost transaction, which may be longer than this one.
            cursor.execute("RESET ROLE")
