"""Prediction jobs: rows that any worker takes up, each worked on by one process at a time.

A process holds the advisory lock of a job for as long as it works on it. The lock belongs to its database session: when
the process dies, the job is running and its lock is free, and the next worker takes it up again from the beginning. The
result and everything else that a job changes are written in the transaction that ends it.
"""

from __future__ import annotations

import hashlib
import logging
import time
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import orjson
from django.db import IntegrityError, transaction
from django.db.models import F, OuterRef, Subquery

from apps.api.models import ApiKey, PredictionJob, PredictionJobResult
from apps.api.services import job_kinds
from apps.api.services.idempotency import delete_expired_responses, store_response, stored_response
from apps.api.services.job_kinds import JobRefusedError
from apps.api.services.webhooks import announce_job
from apps.matches import tracing
from apps.matches.connections import is_lost
from apps.matches.events import start_tasks_after_commit
from apps.matches.locks import LockClass, try_lock_of
from apps.matches.log_fields import logged_as
from apps.matches.unknown_work import warn_of_unknown

logger = logging.getLogger(__name__)

State = PredictionJob.JobState

UNFINISHED: Final = (State.QUEUED, State.RUNNING)

WAITING_LIMIT: Final = 1000
"""Unfinished jobs of one API key."""

ATTEMPTS: Final = 3
"""Starts after which a job that kills its worker fails."""

JOB_LIMIT: Final = timedelta(minutes=10)
"""Longest time of one attempt, checked between two chunks."""

RESULT_LIMIT: Final = 64 * 1024 * 1024
"""Bytes of a result before it is compressed."""

RESULTS_KEPT: Final = timedelta(days=7)
"""After the end of a job."""

SLICE: Final = 20.0
"""Seconds after which a worker lets its other tasks have a turn before it starts another job."""

PROGRESS_EVERY: Final = 0.5
"""Shortest time in seconds between two writes of the progress."""

LOOKED_AT: Final = 50
"""Jobs that a worker tries to take up; the others are under way."""


class TooManyJobsError(Exception):
    """The key has as many unfinished jobs as it may have."""


class _StopError(Exception):
    """The worker shuts down: the job is put back."""


class _CancelledError(Exception):
    """The client or the operator has cancelled the job."""


class _TakenOverError(Exception):
    """Another worker has started the job: this process had lost its session, and with it the lock."""


@dataclass(frozen=True, slots=True)
class SubmittedJob:
    """A job that waits; `is_replayed` is true when an earlier, equal request created it."""

    job: PredictionJob
    is_replayed: bool = False


@dataclass(frozen=True, slots=True)
class JobsReport:
    """Jobs that this round worked on, by the state in which it left them, and whether more wait."""

    ended: dict[str, int]
    has_more: bool


def submit_job(
    *, api_key: ApiKey, kind: str, parameters: dict[str, Any], idempotency_key: str = "", now: datetime
) -> SubmittedJob:
    """Queue a job; an equal request with the same idempotency key, even at the same moment, gets the same job.

    Raises
    ------
    OtherRequestError
        When the idempotency key belongs to another request.
    TooManyJobsError
        When the key has `WAITING_LIMIT` unfinished jobs.
    """
    content = orjson.dumps([kind, parameters], option=orjson.OPT_SORT_KEYS | orjson.OPT_UTC_Z)
    request_sha256 = hashlib.sha256(b"prediction-job" + content).hexdigest()
    kept: dict[str, Any] = {"api_key": api_key, "key": idempotency_key, "request_sha256": request_sha256, "now": now}

    @transaction.atomic
    def submit() -> SubmittedJob:
        earlier = stored_response(**kept)
        if earlier is not None:
            return SubmittedJob(PredictionJob.objects.get(uuid=earlier.answer["job"]), is_replayed=True)
        delete_expired_responses(now)
        # Of two simultaneous requests of a key the second waits here for the first.
        ApiKey.objects.select_for_update(no_key=True).get(pk=api_key.pk)
        waiting = PredictionJob.objects.filter(api_key=api_key, state__in=UNFINISHED)
        if waiting[:WAITING_LIMIT].count() == WAITING_LIMIT:
            raise TooManyJobsError(f"This API key has {WAITING_LIMIT:,} unfinished jobs. Submit more when some ended.")
        job = PredictionJob.objects.create(
            api_key=api_key, kind=kind, parameters=orjson.loads(content)[1], created_at=now, trace=tracing.traceparent()
        )
        store_response(**kept, status=202, answer={"job": str(job.uuid)})
        start_tasks_after_commit("job_submitted")
        with logged_as(job=job.uuid):
            logger.info("%s is queued: %s", job, kind)
        return SubmittedJob(job)

    try:
        return submit()
    except IntegrityError:
        # An equal request was faster by a moment, and its response is stored now.
        return submit()


@transaction.atomic
def cancel_job(*, job: PredictionJob, now: datetime) -> bool:
    """Cancel a job: at once while it waits, before its next chunk while it runs; return False when it is over."""
    row = PredictionJob.objects.select_for_update().get(pk=job.pk)
    if row.is_over:
        return False
    row.is_cancelled = True
    row.save(update_fields=["is_cancelled"])
    if row.state == State.QUEUED:
        _end(row, State.CANCELLED, now=now)
    return True


def cancel_jobs_of(key: ApiKey, *, now: datetime) -> int:
    """Cancel the unfinished jobs of a key, as `cancel_job` does, and return their number."""
    unfinished = PredictionJob.objects.filter(api_key=key, state__in=UNFINISHED).order_by("pk")
    return sum(cancel_job(job=job, now=now) for job in unfinished)


@transaction.atomic
def retry_job(*, job: PredictionJob) -> bool:
    """Queue a job again that failed or was cancelled; return False for any other."""
    fields = {"state": State.QUEUED, "attempts": 0, "done": 0, "is_cancelled": False, "error": None}
    is_over = PredictionJob.objects.filter(pk=job.pk, state__in=(State.FAILED, State.CANCELLED))
    if not is_over.update(**fields, started_at=None, finished_at=None, expires_at=None):
        return False
    start_tasks_after_commit("job_submitted")
    return True


def run_jobs(*, clock: Callable[[], datetime], is_stopping: Callable[[], bool] = lambda: False) -> JobsReport:
    """Work on the jobs that wait, one after the other, for about `SLICE` seconds.

    Several processes may do so at once: each starts jobs that no other works on. Jobs of a kind that only a newer
    release knows are left to its workers.
    """
    _warn_of_unknown_kinds()
    ended: dict[str, int] = {}
    end = time.monotonic() + SLICE
    while not is_stopping():
        state = _work_on_next(clock, is_stopping)
        if state is None:
            return JobsReport(ended, has_more=False)
        ended[state] = ended.get(state, 0) + 1
        if time.monotonic() >= end:
            with transaction.atomic():
                start_tasks_after_commit("job_submitted")
            return JobsReport(ended, has_more=True)
    return JobsReport(ended, has_more=True)


def expire_jobs(*, now: datetime) -> int:
    """Delete results that are kept no longer; return how many there were. Retention deletes the jobs."""
    due = PredictionJob.objects.filter(expires_at__lte=now, state=State.SUCCEEDED)
    with transaction.atomic():
        PredictionJobResult.objects.filter(job__in=due).delete()
        return due.update(state=State.EXPIRED, parameters={})


def result_of(job: PredictionJob) -> tuple[bytes, str] | None:
    """Return the result of a job and its media type; None when there is none."""
    result = PredictionJobResult.objects.filter(pk=job.pk).first()
    return None if result is None else (zlib.decompress(result.content, zlib.MAX_WBITS | 16), result.media_type)


def _work_on_next(clock: Callable[[], datetime], is_stopping: Callable[[], bool]) -> str | None:
    """Work on one job that no other process works on; return how it ended, None when there is no such job."""
    for pk in _unfinished():
        with try_lock_of(LockClass.JOB, pk % 2**31) as is_ours:
            job = _taken_up(pk, clock()) if is_ours else None
            if job is None:
                continue
            if job.state == State.RUNNING:
                with logged_as(job=job.uuid), tracing.continued(job.trace, "prediction job", job=str(job.uuid)):
                    _work_on(job, clock, is_stopping)
                    logger.info("%s: %s", job, job.state)
            return job.state
    return None


def _unfinished() -> list[int]:
    """Return unfinished jobs of known kinds, those first whose key has waited longest.

    So none waits for all jobs of another key.
    """
    latest = PredictionJob.objects.filter(api_key=OuterRef("api_key"), started_at__isnull=False).order_by("-started_at")
    rows = PredictionJob.objects.filter(state__in=UNFINISHED, kind__in=job_kinds.KINDS).annotate(
        key_started_at=Subquery(latest.values("started_at")[:1])
    )
    return list(rows.order_by(F("key_started_at").asc(nulls_first=True), "id").values_list("pk", flat=True)[:LOOKED_AT])


def _warn_of_unknown_kinds() -> None:
    """Log which jobs this release leaves in the queue."""
    unknown = PredictionJob.objects.filter(state__in=UNFINISHED).exclude(kind__in=job_kinds.KINDS)
    for job in unknown.only("uuid", "kind").order_by("pk")[:LOOKED_AT]:
        warn_of_unknown(str(job), job.kind)


@transaction.atomic
def _taken_up(pk: int, now: datetime) -> PredictionJob | None:
    """Return a job that this process may work on, as running; or as failed, when it has killed its workers.

    None when it has ended meanwhile. The caller holds its lock: if it is running anyway, its worker died.
    """
    job = PredictionJob.objects.select_for_update(skip_locked=True).filter(pk=pk, state__in=UNFINISHED).first()
    if job is None:
        return None
    if job.is_cancelled:
        _end(job, State.CANCELLED, now=now)
    elif job.attempts >= ATTEMPTS:
        detail = (
            f"The process that worked on this job died {ATTEMPTS} times. Submit a smaller job, or ask the operator."
        )
        _end(job, State.FAILED, now=now, error={"kind": "worker-died", "detail": detail})
    else:
        job.state, job.attempts, job.started_at, job.done = State.RUNNING, job.attempts + 1, now, 0
        job.save(update_fields=["state", "attempts", "started_at", "done"])
    return job


def _work_on(job: PredictionJob, clock: Callable[[], datetime], is_stopping: Callable[[], bool]) -> None:
    """Compute the result of a running job and end it; put it back when the worker shuts down."""
    try:
        result = _computed(job, clock(), is_stopping)
    except JobRefusedError as error:
        _finish(job, State.FAILED, now=clock(), error={"kind": error.kind, "detail": str(error)})
    except _CancelledError:
        _finish(job, State.CANCELLED, now=clock())
    except _StopError:
        ours = PredictionJob.objects.filter(pk=job.pk, state=State.RUNNING, attempts=job.attempts)
        ours.update(state=State.QUEUED, attempts=F("attempts") - 1)
        job.state = State.QUEUED
    except _TakenOverError:
        _tell_taken_over(job)
    except Exception as error:
        if is_lost(error):
            # The lock went with the session: the next worker starts the job again.
            logger.warning("the connection to the database was lost while %s was worked on", job)
            return
        logger.exception("%s failed", job)
        detail = f"An error of the site ({type(error).__name__}), which its log has. Ask the operator."
        _finish(job, State.FAILED, now=clock(), error={"kind": "internal-error", "detail": detail})
    else:
        _finish(job, State.SUCCEEDED, now=clock(), result=result)


def _computed(job: PredictionJob, now: datetime, is_stopping: Callable[[], bool]) -> tuple[bytes, str]:
    """Return the compressed result of a job and its media type, and write its progress meanwhile."""
    began = written = time.monotonic()
    work = job_kinds.KINDS[job.kind](job.parameters, now)
    packer, content, size = zlib.compressobj(1, wbits=zlib.MAX_WBITS | 16), bytearray(), 0
    _report(job, 0, work.total)
    for done, piece in work.chunks:
        size += len(piece)
        content += packer.compress(piece)
        if size > RESULT_LIMIT:
            limit = RESULT_LIMIT // 1024 // 1024
            raise JobRefusedError("result-too-large", f"The result exceeds {limit} MiB. Submit several smaller jobs.")
        if is_stopping():
            raise _StopError
        if time.monotonic() - began > JOB_LIMIT.total_seconds():
            limit = JOB_LIMIT // timedelta(minutes=1)
            raise JobRefusedError("too-long", f"The job took more than {limit} minutes. Submit several smaller jobs.")
        if done < work.total and time.monotonic() - written >= PROGRESS_EVERY:
            _report(job, done, work.total)
            written = time.monotonic()
    job.done = job.total
    return bytes(content + packer.flush()), work.media_type


def _report(job: PredictionJob, done: int, total: int) -> None:
    """Write the progress of a job, and end it here when it was cancelled or another worker has it."""
    job.done, job.total = done, total
    ours = PredictionJob.objects.filter(pk=job.pk, state=State.RUNNING, attempts=job.attempts)
    if not ours.update(done=done, total=total):
        raise _TakenOverError
    if ours.filter(is_cancelled=True).exists():
        raise _CancelledError


@transaction.atomic
def _finish(
    job: PredictionJob,
    state: PredictionJob.JobState,
    *,
    now: datetime,
    error: dict[str, str] | None = None,
    result: tuple[bytes, str] | None = None,
) -> None:
    """End a job that this process works on, with its result; nothing happens when another has taken it up."""
    ours = PredictionJob.objects.filter(pk=job.pk, state=State.RUNNING, attempts=job.attempts)
    if ours.select_for_update().only("pk").first() is None:
        _tell_taken_over(job)
        return
    if result is not None:
        PredictionJobResult.objects.create(job=job, content=result[0], media_type=result[1])
    _end(job, state, now=now, error=error)


def _tell_taken_over(job: PredictionJob) -> None:
    logger.warning("%s was started by another worker; this attempt changes nothing", job)


def _end(
    job: PredictionJob, state: PredictionJob.JobState, *, now: datetime, error: dict[str, str] | None = None
) -> None:
    """Write the end of a job, and announce it to the webhooks of its key."""
    job.state, job.error, job.finished_at, job.expires_at = state, error, now, now + RESULTS_KEPT
    job.save(update_fields=["state", "error", "finished_at", "expires_at", "done", "total"])
    announce_job(job, now=now)
