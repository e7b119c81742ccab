"""The frame around a decision of an operator that changes facts: one ingest of the source `operator`."""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from typing import Final

from django.db import transaction

from apps.matches.events import start_tasks_after_commit
from apps.matches.ingest import tables
from apps.matches.locks import StillBusyError
from apps.matches.models import Ingest, World
from apps.matches.trust import OPERATOR

REASON_LIMIT: Final = 400

SYSTEM: Final = "SPAI"
"""Who joins teams, in merges that no operator asked for."""

TIMEOUT: Final = timedelta(seconds=5)
"""Longest wait of an operator for another ingest, such as an import: meanwhile a thread of the admin is occupied."""


def checked_reason(reason: str, error: type[Exception]) -> str:
    """Return a reason without white space around it; raise `error` where it is none."""
    reason = reason.strip()
    if not reason:
        raise error("a reason is needed")
    if len(reason) > REASON_LIMIT or "\x00" in reason:
        raise error(f"a reason has at most {REASON_LIMIT} readable characters")
    return reason


def acquire_ingest_lock(error: type[Exception]) -> None:
    """Keep other ingests out until the transaction ends; raise `error` where one does not end within `TIMEOUT`."""
    try:
        tables.lock(timeout=TIMEOUT)
    except StillBusyError as busy:
        raise error("matches are being stored; try again in a moment") from busy


@contextmanager
def operator_ingest(*, world: World, now: datetime, error: type[Exception]) -> Iterator[Ingest]:
    """Yield the ingest that a decision belongs to, in one transaction and with the lock of ingests.

    The data snapshot of the world moves with it, and the tasks that use facts start after the commit. `error` is raised
    where another ingest does not end within `TIMEOUT`.
    """
    with transaction.atomic():
        acquire_ingest_lock(error)
        began = time.perf_counter()
        row = Ingest.objects.create(world=world, source=OPERATOR, started_at=now.astimezone(UTC))
        yield row
        row.changed_facts = True
        row.finished_at = row.started_at + timedelta(seconds=time.perf_counter() - began)
        row.save()
        start_tasks_after_commit("facts_changed")
