"""The execution of a run: the pipeline as a child process, followed until it ends.

Only the crash of a stage counts as an attempt. When the worker shuts down, it stops the stages and records why; the run
resumes later, and DVC repeats only unfinished stages. `run_row` keeps the row of the run, `run_outcomes` ends it.
"""

from __future__ import annotations

import contextlib
import logging
import signal
import time
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from django.conf import settings
from django.utils import timezone

from apps.matches import connections, tracing
from apps.matches.log_fields import logged_as
from apps.ml.models import PipelineRun
from apps.ml.pipeline.progress import Progress, signal_of
from apps.ml.services import run_outcomes, workspaces
from apps.ml.services.failures import AFTER_CRASHES, AFTER_GONE, AFTER_LIMIT, GONE, NEXT_STEP, error_of
from apps.ml.services.loaded_code import NEW_CODE, code_was_replaced
from apps.ml.services.processes import POLL_SECONDS, dvc, next_line, sigterm_noted, started
from apps.ml.services.run_row import BUSY, STOPPED, RunInterruptedError, RunRow, RunTakenOverError

logger = logging.getLogger(__name__)

ATTEMPTS: Final = 3
"""Number of crashes of stages after which a run fails."""

PUSH_LIMIT: Final = timedelta(minutes=10)
"""Time limit of the copy of a run's files to the DVC remote."""

STOP_TIMEOUT: Final = 5.0
"""Seconds to wait, after a SIGTERM has ended a stage, for the SIGTERM of the worker: then both are shutting down."""


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
    """Executes one run."""

    def __init__(self, run: PipelineRun, clock: Callable[[], datetime], is_stopping: Callable[[], bool]) -> None:
        self.run, self.clock, self.is_stopping = run, clock, is_stopping
        names = workspaces.stages_of(run)
        stage_logs = dict(run.stage_logs.values_list("stage", "text"))
        self.progress = Progress(names, stages=run.stages, log=run.log, stage_logs=stage_logs)
        self.row = RunRow(run, self.progress, clock, is_stopping)

    def execute(self, command: tuple[str, ...] | None) -> PipelineRun:
        """Execute the run until it ends or this process has to stop."""
        try:
            self.row.begin()
            self._make_or_fail(command)
        except RunInterruptedError as interrupted:
            self.row.interrupt(str(interrupted))
        except RunTakenOverError as taken:
            logger.warning("%s", taken)
        return self.run

    def _make_or_fail(self, command: tuple[str, ...] | None) -> None:
        try:
            self._make(command)
        except (RunInterruptedError, RunTakenOverError):
            raise
        except StageTimeoutError as error:
            self._fail(str(error), AFTER_LIMIT)
        except Exception as error:
            logger.exception("%s failed", self.run)
            if not self.run.is_over:
                self._fail(f"{type(error).__name__}: {connections.first_line(error)}", NEXT_STEP)

    def _fail(self, message: str, next_step: str) -> None:
        run_outcomes.fail(self.row, {"message": message, "next_step": next_step})

    def _make(self, command: tuple[str, ...] | None) -> None:
        run, progress = self.run, self.progress
        may_skip = command is None and not run.first_stage and not run.is_back_test
        same = self.row.persist(lambda: run_outcomes.made_from_the_same(run)) if may_skip else None
        if same is not None:
            run_outcomes.end_unchanged(self.row, same)
            return
        with workspaces.locked(run) as handle:
            if handle is None:
                raise RunInterruptedError(BUSY)
            folder = workspaces.make(run)
            if run.first_stage and not self._has_earlier_stages(folder, handle):
                self._fail(GONE, AFTER_GONE)
                return
            # The stages of a retry are executed although DVC knows their results.
            last = [workspaces.LAST_OF_BACK_TEST] if run.is_back_test else []
            command = command or dvc("repro", *(["--no-run-cache"] if run.first_stage else []), *last)
            while True:
                status = self._reproduce(folder, command, handle)
                progress.end(succeeded=status == 0, now=self.clock())
                if status == 0:
                    self._succeed(folder, handle)
                    return
                crash = progress.ended_by or signal_of(status)
                if crash is None and code_was_replaced():
                    raise RunInterruptedError(NEW_CODE)
                if crash is None:
                    run_outcomes.fail(self.row, error_of(folder, progress))
                    return
                self._note_crash(crash)
                if run.attempts >= ATTEMPTS:
                    message = f"A stage was ended by a signal {ATTEMPTS} times in this run, at last by {crash.name}."
                    self._fail(message, AFTER_CRASHES)
                    return
                run.attempts += 1
                progress.begin()
                self.row.store()

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
            self.row.has_news = True

        return self._follow(folder, command, handle, take, check)

    def _note_results(self, folder: Path) -> None:
        """Take the results of finished stages into the row, so that a retry of a cancelled run can begin with them."""
        with contextlib.suppress(OSError):
            self.run.dvc_lock = workspaces.read_lock_file(folder)
            self.row.has_new_results = True

    def _note_crash(self, crash: signal.Signals) -> None:
        """Record that a signal ended a stage, unless the worker is shutting down too."""
        if crash in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            end = time.monotonic() + STOP_TIMEOUT
            while time.monotonic() < end:
                if self.is_stopping():
                    raise RunInterruptedError(STOPPED)
                time.sleep(POLL_SECONDS)
        self.row.note_interruption(
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
                self.row.write_if_due()
                check()
            return process.wait()

    def _succeed(self, folder: Path, handle: int) -> None:
        """Store the result, then copy the files to the remote, which may take long.

        Those of a back-test are not copied: nothing is served from them, and the next night makes them again.
        """
        if self.run.is_back_test:
            run_outcomes.succeed_back_test(self.row, folder)
            return
        run_outcomes.succeed(self.row, folder)
        if self.progress.changed:
            self.row.log(f"dvc push: {self.push(folder, handle)}")
            self.row.store()

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
