"""Push requests: each is one ingest and one transaction, and a repeated request is answered from a stored response.

A key has one request in progress at a time, and a process at most `CONCURRENT_PUSHES`.
"""

from __future__ import annotations

import hashlib
import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final
from uuid import UUID

from django.db import transaction

from apps.api.intake.bodies import PushBody
from apps.api.intake.line_ingest import LineIngest, TooManyNamesError, WorldForbiddenError
from apps.api.models import ApiKey, Upload
from apps.api.services import (
    OtherRequestError,
    delete_expired_responses,
    store_response,
    stored_response,
    worlds_of,
)
from apps.matches.ingest import RecordOutcome
from apps.matches.locks import Lock, LockClass, StillBusyError, try_lock_of, wait_for
from apps.matches.services import ingestion
from apps.scraping.services import count_records

logger = logging.getLogger(__name__)

CONCURRENT_PUSHES: Final = 2
"""Pushes that one process works on; its other threads stay free for the admin and for probes."""

TIMEOUT: Final = timedelta(seconds=5)
"""Longest wait for another ingest to end."""

RETRY_AFTER: Final = 5
"""Seconds after which a refused client may try again."""

UPLOADS_KEPT: Final = timedelta(days=30)
"""After the latest request of an upload."""

_slots = threading.BoundedSemaphore(CONCURRENT_PUSHES)


class BusyError(Exception):
    """Another request or ingest must end first; `is_own` is true for a request of the same key."""

    def __init__(self, detail: str, *, is_own: bool) -> None:
        super().__init__(detail)
        self.is_own = is_own


class OutOfStepError(Exception):
    """The lines do not begin at `next_line`, with which the upload continues."""

    def __init__(self, next_line: int, from_line: int) -> None:
        super().__init__(f"The next line of this upload is {next_line:,}; this request begins with {from_line:,}.")
        self.next_line = next_line


REFUSALS: Final = (BusyError, OtherRequestError, OutOfStepError, TooManyNamesError, WorldForbiddenError)
"""Reasons why nothing of a request was stored."""


@dataclass(frozen=True, slots=True)
class PushResult:
    """The response to a push request: status 200, or 422 when no line could be used, and the report.

    `is_replayed` is true for the stored response to an earlier, equal request.
    """

    status: int
    content: dict[str, Any]
    is_replayed: bool = False


@contextmanager
def exclusive_use(key: ApiKey) -> Iterator[None]:
    """Lock a key for one request, from the first byte of the body to the response.

    The lock belongs to the database session, so that it ends with the process.

    Raises
    ------
    BusyError
        When another request of the key is in progress, or the process has no free slot.
    """
    if not _slots.acquire(blocking=False):
        raise BusyError("The maximum number of pushes is in progress; try again in a moment.", is_own=False)
    try:
        with try_lock_of(LockClass.API_KEY, key.pk) as is_alone:
            if not is_alone:
                raise BusyError(
                    "A request of this API key is in progress; send the next one when it has ended.", is_own=True
                )
            yield
    finally:
        _slots.release()


def push(
    body: PushBody,
    *,
    key: ApiKey,
    now: datetime,
    idempotency_key: str = "",
    upload: UUID | None = None,
    from_line: int = 1,
) -> PushResult:
    """Store the lines of a body in one ingest and one transaction; call it within `exclusive_use` of the key.

    Parameters
    ----------
    body : PushBody
    key : ApiKey
        Its source and worlds apply to the lines.
    now : datetime
        Aware.
    idempotency_key : str, optional
        Names the request: an equal request under the same name gets the stored response.
    upload : UUID, optional
        The upload that the lines belong to.
    from_line : int
        Number of the first line within the upload, from 1.

    Raises
    ------
    OtherRequestError, OutOfStepError, WorldForbiddenError, TooManyNamesError, BusyError
        Nothing was stored.
    WorldConflictError
        When simulated and real competitions are mixed; nothing was stored.
    """
    request_sha256 = hashlib.sha256(f"{upload}|{from_line}|{body.sha256}".encode()).hexdigest()
    with transaction.atomic():
        kept = stored_response(api_key=key, key=idempotency_key, request_sha256=request_sha256, now=now)
        if kept is not None:
            return PushResult(kept.status, kept.answer, is_replayed=True)
        _delete_expired(now)
        progress = _progress(key, upload, from_line, now) if upload else None
        lines = LineIngest(worlds=worlds_of(key), source=key.source, from_line=from_line)
        _lock_ingests()
        with ingestion(source=key.source, now=now) as run:
            lines.store(body, run)
        report = run.report()
        if progress is not None:
            progress.next_line = from_line + body.lines
            progress.stored += lines.stored
            progress.refused += lines.refused
            progress.updated_at = now
            progress.save()
        result = _result(body, lines, ingest_id=report.ingest_id, upload=upload, from_line=from_line)
        store_response(
            api_key=key,
            key=idempotency_key,
            request_sha256=request_sha256,
            status=result.status,
            answer=result.content,
            now=now,
        )
    count_records(key.source, report)
    logger.info(
        "key %s pushed %d lines of %s: ingest %s, %d stored, %d refused, %.2f s",
        *(key.prefix, body.lines, key.source, report.ingest_id, lines.stored, lines.refused, report.seconds),
    )
    return result


def _result(
    body: PushBody, lines: LineIngest, *, ingest_id: int | None, upload: UUID | None, from_line: int
) -> PushResult:
    content = {
        "ingest": ingest_id,
        "lines": body.lines,
        "created": lines.outcomes[RecordOutcome.CREATED],
        "changed": lines.outcomes[RecordOutcome.CHANGED],
        "same": lines.outcomes[RecordOutcome.SAME],
        "refused": lines.refused,
        "errors": [{"line": each.line, "pointer": each.pointer, "reason": each.reason} for each in lines.errors],
        "errors_left_out": lines.refused - len(lines.errors),
        "upload": str(upload) if upload else None,
        "next_line": from_line + body.lines,
    }
    return PushResult(200 if lines.stored else 422, content)


def _progress(key: ApiKey, upload: UUID, from_line: int, now: datetime) -> Upload:
    progress = Upload.objects.filter(api_key=key, uuid=upload).first()
    if progress is None:
        progress = Upload(api_key=key, uuid=upload, created_at=now)
    if from_line != progress.next_line:
        raise OutOfStepError(progress.next_line, from_line)
    return progress


def _lock_ingests() -> None:
    """Take the lock of ingests until the transaction ends; BusyError when another does not end within `TIMEOUT`."""
    try:
        wait_for(Lock.INGEST, timeout=TIMEOUT)
    except StillBusyError as error:
        raise BusyError("Another ingest is in progress; try again in a moment.", is_own=False) from error


def _delete_expired(now: datetime) -> None:
    delete_expired_responses(now)
    Upload.objects.filter(updated_at__lte=now - UPLOADS_KEPT).delete()
