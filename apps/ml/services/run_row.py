"""The row of a run, written by the process that executes it, also across the loss of the database.

When the database is lost, the stages continue and the row is written once it is back.
"""

from __future__ import annotations

import logging
import os
import socket
import time
import uuid
from collections.abc import Callable
from datetime import datetime
from typing import Final, TypeVar

from django.conf import settings
from django.db import connection

from apps.matches import connections, events, locks
from apps.matches.locks import Lock, try_take_while_active
from apps.matches.models import Topic
from apps.ml.models import PipelineRun, StageLog
from apps.ml.pipeline.progress import Progress
from apps.ml.pipeline.revision import code_revision
from apps.ml.services.processes import POLL_SECONDS

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

SILENCE: Final = 1.0
"""Longest time in seconds between two writes of the row."""

STOPPED: Final = "its worker was stopped (SIGTERM), for example by `make down` or `make restart`"
DIED: Final = "its worker ended unexpectedly: it was killed, or the machine stopped"
BUSY: Final = "another process is still working in its folder"
"""Why a run was interrupted, as its page says; see also `loaded_code.NEW_CODE`."""

WRITTEN_WHILE_RUNNING: Final = ("heartbeat_at", "stages", "log")

WRITTEN: Final = (
    *WRITTEN_WHILE_RUNNING,
    *("status", "started_at", "finished_at", "attempts", "error", "interruptions"),
    *("params", "code_revision", "dvc_lock", "metrics"),
)


class RunInterruptedError(Exception):
    """The execution has to stop for a cause outside the pipeline; the run resumes later."""


class RunTakenOverError(Exception):
    """The run belongs to this process no more: it was cancelled, or another process executes it."""


class RunRow:
    """The row of a run with its progress. It is written only while `PipelineRun.executor` names this process.

    `has_news` and `has_new_results` say that lines, and lock files of finished stages, wait to be written.
    """

    def __init__(
        self,
        run: PipelineRun,
        progress: Progress,
        clock: Callable[[], datetime],
        is_stopping: Callable[[], bool],
    ) -> None:
        self.run, self.progress, self.clock, self.is_stopping = run, progress, clock, is_stopping
        self.has_news = self.has_new_results = False
        self._executor = f"{socket.gethostname()[:60]} {os.getpid()} {uuid.uuid4().hex[:12]}"
        self._written = 0.0
        self._is_connected = self._is_locked = True

    def begin(self) -> None:
        """Become the executor of the run.

        Raises
        ------
        RunTakenOverError
            When another process was faster.
        """
        run, now = self.run, self.clock()
        if run.status == PipelineRun.RunStatus.RUNNING:
            self.note_interruption("died", DIED, stage=running_stage(run), at=run.heartbeat_at or now)
        elif run.status == PipelineRun.RunStatus.INTERRUPTED:
            self.log("The run resumes.")
        found = PipelineRun.objects.filter(pk=run.pk, status=run.status, executor=run.executor)
        run.status, run.started_at, run.finished_at = PipelineRun.RunStatus.RUNNING, run.started_at or now, None
        run.attempts, run.error = max(run.attempts, 1), {}
        run.code_revision = code_revision(settings.SPAI_REVISION)
        if not self.persist(lambda: found.update(executor=self._executor, status=run.status, heartbeat_at=now)):
            raise RunTakenOverError(f"{run} was taken by another process")
        run.executor = self._executor
        self.store()

    def store(self) -> None:
        """Write the row and publish it, waiting for the database if need be."""
        self.persist(lambda: self._write(WRITTEN))
        self._publish()

    def confirm(self) -> None:
        """Make sure that the run still belongs to this process, before a step that cannot be taken back.

        Raises
        ------
        RunTakenOverError
            When it was cancelled, or another process executes it.
        """
        self.persist(lambda: self._write(WRITTEN_WHILE_RUNNING))

    def write_if_due(self) -> None:
        """Write the row when it is due. Without the database the stages continue, and the next call tries again."""
        since = time.monotonic() - self._written
        if since < (POLL_SECONDS if self.has_news else SILENCE):
            return
        try:
            self._write((*WRITTEN_WHILE_RUNNING, "dvc_lock") if self.has_new_results else WRITTEN_WHILE_RUNNING)
        except connections.ERRORS as error:
            self._note_loss(error)
            self._written = time.monotonic()
            return
        self._is_connected, self.has_new_results = True, False
        if self.has_news:
            self.has_news = False
            self._publish()

    def persist(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns, repeating it while the database is away.

        It runs only while this process holds the lock of the runs, so that no other executor is at work.

        Raises
        ------
        RunInterruptedError
            When this process shuts down meanwhile.
        RunTakenOverError
            When another has taken the run over.
        """
        while True:
            try:
                if self._lock_again():
                    found = work()
                    self._is_connected = True
                    return found
            except connections.ERRORS as error:
                self._note_loss(error)
            if self.is_stopping():
                raise RunInterruptedError(STOPPED)
            time.sleep(POLL_SECONDS)

    def log(self, line: str) -> None:
        """Add a line to the log of the run."""
        logger.info("%s: %s", self.run, line)
        self.progress.note(line)
        self.has_news = True

    def note_interruption(self, kind: str, cause: str, *, stage: str | None, at: datetime) -> None:
        """Add an interruption to those of the run: of the kind ``died``, ``stopped`` or ``crashed``."""
        latest = self.run.interruptions[-1:]
        if cause == BUSY and [noted["cause"] for noted in latest] == [BUSY]:
            # The interruption is recorded already: the run is retried every few seconds.
            return
        noted = {"at": at.isoformat(), "stage": stage, "kind": kind, "cause": cause}
        self.run.interruptions = [*self.run.interruptions, noted]
        self.log(f"Interrupted in {stage or 'the start'}: {cause}.")

    def interrupt(self, cause: str) -> None:
        """Record that this process stops, so that another one can resume the run."""
        if self.run.is_over:
            # The result is stored; only the copy to the remote was cut short.
            self.log(f"dvc push: stopped, {cause}")
        else:
            now, stage = self.clock(), self.progress.running
            self.progress.interrupt(now=now)
            self.note_interruption("stopped", cause, stage=stage, at=now)
            self.run.status = PipelineRun.RunStatus.INTERRUPTED
        try:
            self._write(WRITTEN)
            publish(self.run, self.clock())
        except (RunTakenOverError, *connections.ERRORS) as error:
            logger.warning("%s: the interruption is not stored: %s", self.run, error)

    def _write(self, names: tuple[str, ...]) -> None:
        run = self.run
        run.heartbeat_at, run.stages, run.log = self.clock(), self.progress.stages, self.progress.log
        # If another process holds the lock, the executor in the row decides.
        self._lock_again()
        values = {name: getattr(run, name) for name in names}
        if not PipelineRun.objects.filter(pk=run.pk, executor=self._executor).update(**values):
            raise RunTakenOverError(f"{run} was cancelled, or taken over by another process; this one stops")
        self._write_stage_logs()
        self._written = time.monotonic()

    def _write_stage_logs(self) -> None:
        names, progress = sorted(self.progress.unstored), self.progress
        rows = [StageLog(run=self.run, stage=name, text=progress.stage_log(name)) for name in names]
        StageLog.objects.bulk_create(
            rows, update_conflicts=True, unique_fields=["run", "stage"], update_fields=["text"]
        )
        progress.unstored.difference_update(names)

    def _lock_again(self) -> bool:
        """Take the lock again if it went with a lost connection; return whether this process holds it.

        Raise `RunTakenOverError` when another process has taken the run over meanwhile.
        """
        if not self._is_locked:
            self._is_locked = try_take_while_active(Lock.RUN, connection, pause=locks.RUN_PAUSE)
            if not PipelineRun.objects.filter(pk=self.run.pk, executor=self.run.executor).exists():
                raise RunTakenOverError(f"{self.run} was cancelled, or taken over by another process; this one stops")
        return self._is_locked

    def _publish(self) -> None:
        try:
            publish(self.run, self.clock())
        except connections.ERRORS as error:
            self._note_loss(error)

    def _note_loss(self, error: Exception) -> None:
        """Record that the connection was lost; raise an error with another cause."""
        if not connections.is_lost(error):
            raise error
        if self._is_connected:
            self.log(
                f"The connection to PostgreSQL was lost at {self.clock():%H:%M:%S} UTC: "
                f"{connections.first_line(error)}. The stages continue; the row is updated once it is back."
            )
        self._is_connected = self._is_locked = False


def running_stage(run: PipelineRun) -> str | None:
    """Return the name of the running stage."""
    return next((stage["name"] for stage in run.stages if stage["status"] == "running"), None)


def publish(run: PipelineRun, now: datetime) -> None:
    """Publish the status of a run on the push feed."""
    payload = {"status": run.status, "stage": running_stage(run) or "", "world": run.world}
    events.publish(topic=Topic.RUN_CHANGED, key=str(run.pk), now=now, payload=payload, world=run.world)
