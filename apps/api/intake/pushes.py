"""Lines that a program pushes in: one ingest a request, whole or not at all, and no request twice."""

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
from apps.api.models import ApiKey, IdempotencyKey, Upload
from apps.api.services import worlds_of
from apps.matches.aliases import aliases_for
from apps.matches.ingest import Ingestion
from apps.matches.locks import Lock, LockClass, StillBusyError, try_lock_of, wait_for
from apps.scraping import metrics

logger = logging.getLogger(__name__)

SEATS: Final = 2
"""Requests that one process works on at a time; its other threads stay free for people and for probes."""

PATIENCE: Final = timedelta(seconds=5)
"""Longest wait for another ingest to end."""

RETRY_AFTER: Final = 5
"""Seconds after which a client that was told to wait may try again."""

ANSWERS_KEPT: Final = timedelta(hours=48)
UPLOADS_KEPT: Final = timedelta(days=30)
"""After the latest request of it."""

_seats = threading.BoundedSemaphore(SEATS)


class BusyError(Exception):
    """Something else must end first.

    Parameters
    ----------
    detail : str
    is_own : bool
        Whether it is a request of the same key.
    """

    def __init__(self, detail: str, *, is_own: bool) -> None:
        super().__init__(detail)
        self.is_own = is_own


class OtherRequestError(Exception):
    """The idempotency key was used for another request before."""


class OutOfStepError(Exception):
    """The lines do not follow those that were taken before.

    Parameters
    ----------
    next_line : int
        The line to go on with.
    """

    def __init__(self, next_line: int, from_line: int) -> None:
        super().__init__(f"The next line of this upload is {next_line:,}; this request begins with {from_line:,}.")
        self.next_line = next_line


REFUSALS: Final = (BusyError, OtherRequestError, OutOfStepError, TooManyNamesError, WorldForbiddenError)
"""Why nothing of a request was stored."""


@dataclass(frozen=True, slots=True)
class PushResult:
    """What a client is told.

    Parameters
    ----------
    status : int
        200, or 422 when no line could be used.
    content : dict
        The account, in the shape of the API.
    is_replayed : bool
        Whether it is the answer to the same request before.
    """

    status: int
    content: dict[str, Any]
    is_replayed: bool = False


@contextmanager
def exclusive_use(key: ApiKey) -> Iterator[None]:
    """Hold the turn of a key: one request of it at a time, from the first byte to the answer.

    The turn belongs to the database session and goes with it when the process dies.

    Raises
    ------
    BusyError
        When another request of the key is under way, or the process is full.
    """
    if not _seats.acquire(blocking=False):
        raise BusyError("Other feeds are being stored; try again in a moment.", is_own=False)
    try:
        with try_lock_of(LockClass.API_KEY, key.pk) as is_alone:
            if not is_alone:
                raise BusyError("A request of this API key is under way; send the next when it has ended.", is_own=True)
            yield
    finally:
        _seats.release()


def push(
    body: PushBody,
    *,
    key: ApiKey,
    now: datetime,
    idempotency_key: str = "",
    upload: UUID | None = None,
    from_line: int = 1,
) -> PushResult:
    """Store the lines of a body, in one ingest and one transaction; within `exclusive_use` the key.

    Parameters
    ----------
    body : PushBody
    key : ApiKey
        Whose lines they are.
    now : datetime
        Aware.
    idempotency_key : str, optional
        The same one with the same request gets the same answer again, without work.
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
        kept = IdempotencyKey.objects.filter(api_key=key, key=idempotency_key).first() if idempotency_key else None
        if kept is not None and kept.created_at > now - ANSWERS_KEPT:
            if kept.request_sha256 != request_sha256:
                raise OtherRequestError(f"The Idempotency-Key {idempotency_key!r} belongs to another request.")
            return PushResult(kept.status, kept.answer, is_replayed=True)
        _forget(now)
        progress = _progress(key, upload, from_line, now) if upload else None
        intake = LineIngest(worlds=worlds_of(key), source=key.source, from_line=from_line)
        _wait_for_turn()
        with Ingestion(source=key.source, now=now, aliases=aliases_for) as run:
            intake.take(body, run)
        report = run.report()
        if progress is not None:
            progress.next_line = from_line + body.lines
            progress.stored += intake.stored
            progress.refused += intake.refused
            progress.updated_at = now
            progress.save()
        answer = _answer(body, intake, ingest_id=report.ingest_id, upload=upload, from_line=from_line)
        if idempotency_key:
            IdempotencyKey.objects.create(
                api_key=key,
                key=idempotency_key,
                request_sha256=request_sha256,
                status=answer.status,
                answer=answer.content,
                created_at=now,
            )
    metrics.count_records(
        key.source, created=report.created, changed=report.changed, same=report.same, refused=report.refused
    )
    logger.info(
        "key %s pushed %d lines of %s: ingest %s, %d stored, %d refused, %.2f s",
        *(key.prefix, body.lines, key.source, report.ingest_id, intake.stored, intake.refused, report.seconds),
    )
    return answer


def _answer(
    body: PushBody, intake: LineIngest, *, ingest_id: int | None, upload: UUID | None, from_line: int
) -> PushResult:
    content = {
        "ingest": ingest_id,
        "lines": body.lines,
        "created": intake.created,
        "changed": intake.changed,
        "same": intake.same,
        "refused": intake.refused,
        "errors": [{"line": each.line, "pointer": each.pointer, "reason": each.reason} for each in intake.errors],
        "errors_left_out": intake.refused - len(intake.errors),
        "upload": str(upload) if upload else None,
        "next_line": from_line + body.lines,
    }
    return PushResult(200 if intake.stored else 422, content)


def _progress(key: ApiKey, upload: UUID, from_line: int, now: datetime) -> Upload:
    progress = Upload.objects.filter(api_key=key, uuid=upload).first()
    if progress is None:
        progress = Upload(api_key=key, uuid=upload, created_at=now)
    if from_line != progress.next_line:
        raise OutOfStepError(progress.next_line, from_line)
    return progress


def _wait_for_turn() -> None:
    """Take the lock of ingests, and keep it until the transaction ends.

    Raises
    ------
    BusyError
        When another ingest, such as an import of files, does not end within `PATIENCE`.
    """
    try:
        wait_for(Lock.INGEST, patience=PATIENCE)
    except StillBusyError as error:
        raise BusyError("Other matches are being stored; try again in a moment.", is_own=False) from error


def _forget(now: datetime) -> None:
    """Delete the answers and uploads that nobody will ask for again."""
    IdempotencyKey.objects.filter(created_at__lte=now - ANSWERS_KEPT).delete()
    Upload.objects.filter(updated_at__lte=now - UPLOADS_KEPT).delete()
