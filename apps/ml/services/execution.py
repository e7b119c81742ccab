"""The execution of a run: the pipeline as a child process, followed until it ends.

Only the crash of a stage counts as an attempt. When the database is lost, the stages continue and the row is written
once it is back. When the worker shuts down, it stops the stages and records why; the run resumes later, and DVC repeats
only unfinished stages.
"""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import socket
import time
import uuid
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, TypeVar

from django.conf import settings
from django.db import connection
from django.utils import timezone

from apps.matches import connections, events, locks, tracing
from apps.matches.locks import Lock, try_take_while_active
from apps.matches.log_fields import logged_as
from apps.matches.models import Topic, World
from apps.matches.selectors import data_snapshot
from apps.ml import selectors
from apps.ml.models import ModelVersion, PipelineRun, StageLog
from apps.ml.pipeline import files
from apps.ml.pipeline.progress import Progress, signal_of, storable
from apps.ml.pipeline.revision import DIRTY, code_revision, params_sha256, run_code_sha256
from apps.ml.services import back_test_results, workspaces
from apps.ml.services.champion import promote_first_champion
from apps.ml.services.comparison import compare_due
from apps.ml.services.failures import AFTER_CRASHES, AFTER_GONE, AFTER_LIMIT, GONE, NEXT_STEP, error_of
from apps.ml.services.processes import POLL_SECONDS, dvc, next_line, sigterm_noted, started

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

ATTEMPTS: Final = 3
"""Number of crashes of stages after which a run fails."""

SILENCE: Final = 1.0
"""Longest time in seconds between two writes of the row."""

PUSH_LIMIT: Final = timedelta(minutes=10)
"""Time limit of the copy of a run's files to the DVC remote."""

STOP_PATIENCE: Final = 5.0
"""Seconds to wait, after a SIGTERM has ended a stage, for the SIGTERM of the worker: then both are shutting down."""


STOPPED: Final = "its worker was stopped (SIGTERM), for example by `make down` or `make restart`"

DIED: Final = "its worker ended unexpectedly: it was killed, or the machine stopped"

NEW_CODE: Final = "its code was replaced while it ran, as an upgrade does; it goes on after the restart"

LOADED_CODE: Final = run_code_sha256()
"""Hash of the code of runs when this process loaded it; stages are processes of their own and load what is there."""

BUSY: Final = "another process is still working in its folder"

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


def code_was_replaced() -> bool:
    """Whether stages load other code than this process has, which may not go with the tables until the restart."""
    return run_code_sha256() != LOADED_CODE


def waits_for_restart(run: PipelineRun) -> bool:
    """Whether a run was interrupted because its code was replaced, and this process still has the code of before."""
    is_interrupted = run.status == PipelineRun.RunStatus.INTERRUPTED
    causes = [noted["cause"] for noted in run.interruptions[-1:]]
    return is_interrupted and causes == [NEW_CODE] and code_was_replaced()


class StageTimeoutError(RuntimeError):
    """A stage exceeded its time limit and was killed."""


def execute_run(
    run: PipelineRun,
    *,
    clock: Callable[[], datetime] = timezone.now,
    is_stopping: Callable[[], bool] = lambda: False,
    command: tuple[str, ...] | None = None,
) -> PipelineRun:
    """Run the pipeline in the workspace of a run and store the result.

    `is_stopping` returns whether this process is shutting down; `command` is started instead of ``dvc repro``.
    """
    with (
        sigterm_noted() as is_terminated,
        logged_as(run=run.pk),
        tracing.continued(run.trace, "pipeline run", run=run.pk, world=run.world),
    ):
        return Execution(run, clock, lambda: is_terminated() or is_stopping()).execute(command)


class Execution:
    """Executes one run. It writes the row only while `PipelineRun.executor` names this process."""

    def __init__(self, run: PipelineRun, clock: Callable[[], datetime], is_stopping: Callable[[], bool]) -> None:
        self.run, self.clock, self.is_stopping = run, clock, is_stopping
        names = workspaces.stages_of(run)
        stage_logs = dict(run.stage_logs.values_list("stage", "text"))
        self.progress = Progress(names, stages=run.stages, log=run.log, stage_logs=stage_logs)
        self._executor = f"{socket.gethostname()[:60]} {os.getpid()} {uuid.uuid4().hex[:12]}"
        self._written = 0.0
        self._is_new = self._has_new_results = False
        self._is_connected = self._is_locked = True

    def execute(self, command: tuple[str, ...] | None) -> PipelineRun:
        """Execute the run until it ends or this process has to stop."""
        try:
            self._begin()
            self._make_or_fail(command)
        except RunInterruptedError as interrupted:
            self._interrupt(str(interrupted))
        except RunTakenOverError as taken:
            logger.warning("%s", taken)
        return self.run

    def _make_or_fail(self, command: tuple[str, ...] | None) -> None:
        try:
            self._make(command)
        except (RunInterruptedError, RunTakenOverError):
            raise
        except StageTimeoutError as error:
            self._fail({"message": str(error), "next_step": AFTER_LIMIT})
        except Exception as error:
            logger.exception("%s failed", self.run)
            if not self.run.is_over:
                message = f"{type(error).__name__}: {connections.first_line(error)}"
                self._fail({"message": message, "next_step": NEXT_STEP})

    # ── The row ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _begin(self) -> None:
        """Become the executor of the run."""
        run, now = self.run, self.clock()
        if run.status == PipelineRun.RunStatus.RUNNING:
            self._note_interruption("died", DIED, stage=running_stage(run), at=run.heartbeat_at or now)
        elif run.status == PipelineRun.RunStatus.INTERRUPTED:
            self._log("The run resumes.")
        found = PipelineRun.objects.filter(pk=run.pk, status=run.status, executor=run.executor)
        run.status, run.started_at, run.finished_at = PipelineRun.RunStatus.RUNNING, run.started_at or now, None
        run.attempts, run.error = max(run.attempts, 1), {}
        run.code_revision = code_revision(settings.SPAI_REVISION)
        if not self._persist(lambda: found.update(executor=self._executor, status=run.status, heartbeat_at=now)):
            raise RunTakenOverError(f"{run} was taken by another process")
        run.executor = self._executor
        self._store()

    def _store(self) -> None:
        """Write the row and publish it, waiting for the database if need be."""
        self._persist(lambda: self._write(WRITTEN))
        self._publish()

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

    def _write_if_due(self) -> None:
        """Write the row when it is due. Without the database the stages continue, and the next call tries again."""
        since = time.monotonic() - self._written
        if since < (POLL_SECONDS if self._is_new else SILENCE):
            return
        try:
            self._write((*WRITTEN_WHILE_RUNNING, "dvc_lock") if self._has_new_results else WRITTEN_WHILE_RUNNING)
        except connections.ERRORS as error:
            self._note_loss(error)
            self._written = time.monotonic()
            return
        self._is_connected, self._has_new_results = True, False
        if self._is_new:
            self._is_new = False
            self._publish()

    def _persist(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns, repeating it while the database is away.

        It runs only while this process holds the lock of the runs, so that no other executor is at work. Raise
        `RunInterruptedError` when this process shuts down meanwhile, `RunTakenOverError` when another has taken the run
        over.
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

    def _note_loss(self, error: Exception) -> None:
        """Record that the connection was lost; raise an error with another cause."""
        if not connections.is_lost(error):
            raise error
        if self._is_connected:
            self._log(
                f"The connection to PostgreSQL was lost at {self.clock():%H:%M:%S} UTC: "
                f"{connections.first_line(error)}. The stages continue; the row is updated once it is back."
            )
        self._is_connected = self._is_locked = False

    def _log(self, line: str) -> None:
        logger.info("%s: %s", self.run, line)
        self.progress.note(line)
        self._is_new = True

    def _note_interruption(self, kind: str, cause: str, *, stage: str | None, at: datetime) -> None:
        latest = self.run.interruptions[-1:]
        if cause == BUSY and [noted["cause"] for noted in latest] == [BUSY]:
            # The interruption is recorded already: the run is retried every few seconds.
            return
        noted = {"at": at.isoformat(), "stage": stage, "kind": kind, "cause": cause}
        self.run.interruptions = [*self.run.interruptions, noted]
        self._log(f"Interrupted in {stage or 'the start'}: {cause}.")

    def _interrupt(self, cause: str) -> None:
        """Record the interruption, so that another process can resume the run."""
        if self.run.is_over:
            # The result is stored; only the copy to the remote was cut short.
            self._log(f"dvc push: stopped, {cause}")
        else:
            now, stage = self.clock(), self.progress.running
            self.progress.interrupt(now=now)
            self._note_interruption("stopped", cause, stage=stage, at=now)
            self.run.status = PipelineRun.RunStatus.INTERRUPTED
        try:
            self._write(WRITTEN)
            publish(self.run, self.clock())
        except (RunTakenOverError, *connections.ERRORS) as error:
            logger.warning("%s: the interruption is not stored: %s", self.run, error)

    # ── The pipeline ─────────────────────────────────────────────────────────────────────────────────────────────────
    def _make(self, command: tuple[str, ...] | None) -> None:
        run, progress = self.run, self.progress
        may_skip = command is None and not run.first_stage and not run.is_back_test
        same = self._persist(lambda: _made_from_the_same(run)) if may_skip else None
        if same is not None:
            self._end_unchanged(same)
            return
        with workspaces.locked(run) as handle:
            if handle is None:
                raise RunInterruptedError(BUSY)
            folder = workspaces.make(run)
            if run.first_stage and not self._has_earlier_stages(folder, handle):
                self._fail({"message": GONE, "next_step": AFTER_GONE})
                return
            # The stages of a retry are executed although DVC knows their results.
            last = [workspaces.LAST_OF_BACK_TEST] if run.is_back_test else []
            command = command or dvc("repro", *(["--no-run-cache"] if run.first_stage else []), *last)
            while True:
                status = self._reproduce(folder, command, handle)
                progress.end(succeeded=status == 0, now=self.clock())
                if status == 0 and run.is_back_test:
                    self._succeed_back_test(folder)
                    return
                if status == 0:
                    self._succeed(folder, handle)
                    return
                crash = progress.ended_by or signal_of(status)
                if crash is None and code_was_replaced():
                    raise RunInterruptedError(NEW_CODE)
                if crash is None:
                    self._fail(error_of(folder, progress))
                    return
                self._note_crash(crash)
                if run.attempts >= ATTEMPTS:
                    message = f"A stage was ended by a signal {ATTEMPTS} times in this run, at last by {crash.name}."
                    self._fail({"message": message, "next_step": AFTER_CRASHES})
                    return
                run.attempts += 1
                progress.begin()
                self._store()

    def _has_earlier_stages(self, folder: Path, handle: int) -> bool:
        """Fetch the files of the stages before a retry from the cache; return whether they are all there."""
        earlier = workspaces.earlier_stages(self.run)
        return self._follow(folder, dvc("checkout", *earlier), handle, self.progress.note, lambda: None) == 0

    def _reproduce(self, folder: Path, command: tuple[str, ...], handle: int) -> int:
        """Start the pipeline, follow it to its end, and return its exit status."""
        stage, since = self.progress.running, time.monotonic()

        def check() -> None:
            nonlocal stage, since
            # A monotonic clock, which stops while the machine sleeps.
            limit: timedelta = settings.SPAI_STAGE_LIMIT
            if self.progress.running != stage:
                stage, since = self.progress.running, time.monotonic()
                self._note_results(folder)
            elif time.monotonic() - since > limit.total_seconds():
                raise StageTimeoutError(
                    f"It did not end within {limit.total_seconds() / 60:.0f} minutes and was stopped."
                )

        def take(line: str) -> None:
            self.progress.read(line, now=self.clock())
            self._is_new = True

        return self._follow(folder, command, handle, take, check)

    def _note_results(self, folder: Path) -> None:
        """Take the results of finished stages into the row, so that a retry of a cancelled run can begin with them."""
        with contextlib.suppress(OSError):
            self.run.dvc_lock = read_lock_file(folder)
            self._has_new_results = True

    def _note_crash(self, crash: signal.Signals) -> None:
        """Record that a signal ended a stage, unless the worker is shutting down too."""
        if crash in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            end = time.monotonic() + STOP_PATIENCE
            while time.monotonic() < end:
                if self.is_stopping():
                    raise RunInterruptedError(STOPPED)
                time.sleep(POLL_SECONDS)
        self._note_interruption(
            "crashed", f"its process was ended by {crash.name}", stage=self.progress.failed, at=self.clock()
        )

    def _follow(
        self,
        folder: Path,
        command: tuple[str, ...],
        handle: int,
        take: Callable[[str], None],
        check: Callable[[], None],
    ) -> int:
        """Start a command, pass its output to `take` line by line, keep the row current, and return the exit status."""
        with started(folder, command, handle) as (process, lines):
            while (line := next_line(lines)) is not None:
                if line:
                    take(line)
                if self.is_stopping():
                    raise RunInterruptedError(STOPPED)
                self._write_if_due()
                check()
            return process.wait()

    # ── The end ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _end_unchanged(self, version: ModelVersion) -> None:
        """End a run without executing its stages, because a version with the same inputs exists."""
        self.progress.skip()
        self._log(f"{version} was made from the same facts, parameters and code")
        self._decide()
        self.run.metrics = version.metrics
        self._finish(PipelineRun.RunStatus.UNCHANGED)

    def _succeed(self, folder: Path, handle: int) -> None:
        """Take the registered version, promote a first champion, compare, and copy the files to the remote."""
        run, registered = self.run, files.read_json(folder / files.REGISTERED)
        # Read first: a run whose files cannot be read must fail before it has any effect.
        metrics, lock_file = files.read_json(folder / files.METRICS), read_lock_file(folder)
        version = self._persist(lambda: ModelVersion.objects.defer("bundle").get(pk=registered["id"]))
        # A version that this run made before an interruption still counts as new.
        is_new = registered["created"] or version.pipeline_run_id == run.pk
        self._log(f"{'new' if is_new else 'the same as'} {version}")
        self._decide()
        run.metrics, run.dvc_lock = metrics, lock_file
        # The result is stored before the copy to the remote, which may take long.
        self._finish(PipelineRun.RunStatus.SUCCEEDED if is_new else PipelineRun.RunStatus.UNCHANGED)
        if self.progress.changed:
            self._log(f"dvc push: {self.push(folder, handle)}")
            self._store()

    def _succeed_back_test(self, folder: Path) -> None:
        """Store what a back-test forecast; `record.summarize_due` takes it into the back-tests of the champion.

        Its files are not copied to the remote: nothing is served from them, and the next night makes them again.
        """
        run = self.run
        metrics, lock_file = files.read_json(folder / files.METRICS), read_lock_file(folder)
        kept = back_test_results.read(folder)
        # First, so that a run that was cancelled meanwhile leaves nothing.
        self._persist(lambda: self._write(WRITTEN_WHILE_RUNNING))
        self._persist(lambda: back_test_results.store(run, kept, now=self.clock()))
        self._log(back_test_results.result_in_words(metrics))
        run.metrics, run.dvc_lock = metrics, lock_file
        is_new = self.progress.changed
        self._finish(PipelineRun.RunStatus.SUCCEEDED if is_new else PipelineRun.RunStatus.UNCHANGED)
        events.start_tasks_after_commit("back_tested")

    def _decide(self) -> None:
        """Promote a first champion, or compare new candidates with the champion; not for a cancelled run."""
        self._persist(lambda: self._write(WRITTEN_WHILE_RUNNING))
        world = World(self.run.world)
        self._persist(lambda: promote_first_champion(world=world, now=self.clock()))
        for made in self._persist(lambda: compare_due(now=self.clock())):
            self._log(f"model {made.candidate.number} {made.get_verdict_display()}: {made.reason}")

    def _fail(self, error: dict[str, Any]) -> None:
        self.progress.end(succeeded=False, now=self.clock())
        self.run.error = {"stage": self.progress.failed, "rows": []} | error
        self.run.metrics = {}
        # The failure must be stored even when this file cannot be read.
        with contextlib.suppress(OSError):
            self.run.dvc_lock = read_lock_file(workspaces.folder_of(self.run))
        self._finish(PipelineRun.RunStatus.FAILED)

    def _finish(self, status: PipelineRun.RunStatus) -> None:
        """End the run. The status is set last, when everything that is stored with it is known."""
        self.run.finished_at, self.run.status = self.clock(), status
        self._store()

    def push(self, folder: Path, handle: int) -> str:
        """Copy the files of a run to the DVC remote; return DVC's last line. A failure does not fail the run."""
        output, end = ["done"], time.monotonic() + PUSH_LIMIT.total_seconds()

        def take(line: str) -> None:
            output.append(line.strip() or output[-1])

        def check() -> None:
            if time.monotonic() > end:
                raise StageTimeoutError

        try:
            self._follow(folder, dvc("push", "--run-cache"), handle, take, check)
        except StageTimeoutError:
            return f"no answer within {PUSH_LIMIT.total_seconds():.0f} s"
        return output[-1]


def running_stage(run: PipelineRun) -> str | None:
    """Return the name of the running stage."""
    return next((stage["name"] for stage in run.stages if stage["status"] == "running"), None)


def read_lock_file(folder: Path) -> str:
    """Return the content of `dvc.lock`; empty when DVC has not written it."""
    path = folder / "dvc.lock"
    return storable(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else ""


def publish(run: PipelineRun, now: datetime) -> None:
    """Publish the status of a run on the push feed."""
    payload = {"status": run.status, "stage": running_stage(run) or "", "world": run.world}
    events.publish(topic=Topic.RUN_CHANGED, key=str(run.pk), now=now, payload=payload, world=run.world)


def _made_from_the_same(run: PipelineRun) -> ModelVersion | None:
    """Return the version made before from the same facts, parameters and code, so that DVC need not run.

    None when code has uncommitted changes, because then only DVC can compare it; and for a version that this run made
    before an interruption, because the steps after its registration are still to be done.
    """
    if run.code_revision.endswith(DIRTY) or not run.params:
        return None
    return (
        selectors.model_versions(World(run.world))
        .filter(
            as_of=run.as_of,
            code_revision=run.code_revision,
            files_deleted_at__isnull=True,
            data_snapshot=data_snapshot(World(run.world)),
            inputs=files.NO_ODDS,
            params_sha256=params_sha256(run.params, run.profile),
            profile=run.profile,
        )
        .exclude(pipeline_run=run)
        .first()
    )
