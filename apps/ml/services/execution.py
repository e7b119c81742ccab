"""The execution of a run: the pipeline in a process of its own, followed until it ends.

Only the crash of a stage counts as an attempt. A lost database is waited for while the stages go on; a worker that is
asked to end stops the stages, writes down why, and the run resumes later. DVC then repeats only the stages that were
not finished.
"""

from __future__ import annotations

import contextlib
import logging
import os
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
import uuid
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final, TypeVar

from django.conf import settings
from django.utils import timezone

from apps.matches import connections, events
from apps.matches.locks import Lock, try_take
from apps.matches.models import World
from apps.ml import selectors
from apps.ml.models import ModelVersion, PipelineRun
from apps.ml.pipeline import files, kill_with_parent
from apps.ml.pipeline.progress import Progress, signal_of, stage_names, storable
from apps.ml.pipeline.revision import DIRTY, code_revision, params_sha256
from apps.ml.services import workspaces
from apps.ml.services.champion import promote_first_champion
from apps.ml.services.comparison import compare_due

logger = logging.getLogger(__name__)

Result = TypeVar("Result")

ATTEMPTS: Final = 3
"""How often a run is begun when its stages crash; then it ends as failed."""

BEAT: Final = 0.5
"""Longest wait for a line, and shortest time between two writes of the row, in seconds."""

SILENCE: Final = 1.0
"""Longest time in seconds between two heartbeats."""

PUSH_LIMIT: Final = timedelta(minutes=10)
"""Longest copy of a run's files to the remote."""

STOP_PATIENCE: Final = 5.0
"""Seconds after the SIGTERM of a stage within which that of its worker follows, when both were asked to end."""

TOPIC: Final = "run.changed"

STOPPED: Final = "its worker was stopped (SIGTERM), as `make down` and `make restart` do"
DIED: Final = "the worker that executed it ended without notice: it was killed, or the machine went down"
BUSY: Final = "another process still works in its folder"

WRITTEN_WHILE_RUNNING: Final = ("heartbeat_at", "stages", "log")
WRITTEN: Final = (
    *WRITTEN_WHILE_RUNNING,
    *("status", "started_at", "finished_at", "attempts", "error", "interruptions"),
    *("params", "code_revision", "dvc_lock", "metrics"),
)

CORRECT_ROWS: Final = "Look at the rows in the admin under Matches, correct or re-import their source, then run again."
NEXT_STEPS: Final = {
    "export": "The database could not be read, or holds no matches of this world. Import some, then run again.",
    "validate_raw": CORRECT_ROWS,
    "validate_matches": CORRECT_ROWS,
    "validate_features": "A feature is out of bounds: look at the teams' matches before these rows, then run again.",
    "split": "The history is too short for a walk forward. Import older seasons, then run again.",
    "register": "Is MLflow up? `manage.py stack status` tells. Then run again: nothing is trained twice.",
}
GATES_OF: Final = {
    "validate_raw": ("raw",),
    "validate_matches": ("finished", "upcoming"),
    "validate_features": ("features",),
}
"""The gates that a stage runs."""

NEXT_STEP: Final = (
    "Read the last lines of the log; when they do not tell enough, run again, which resumes at this stage."
)
AFTER_CRASHES: Final = (
    "SIGKILL is what the system sends when memory runs out: look at the memory of the machine. Then run again, which "
    "resumes at this stage."
)
AFTER_LIMIT: Final = "Raise SPAI_STAGE_LIMIT_MINUTES, then run again, which resumes at this stage."


class RunInterruptedError(Exception):
    """The execution has to stop, for a cause that is not the pipeline's; the run resumes later."""


class RunTakenOverError(Exception):
    """Another process works on the run."""


class StageTookTooLongError(RuntimeError):
    """A stage did not end within its limit and was killed."""


def execute_run(
    run: PipelineRun,
    *,
    clock: Callable[[], datetime] = timezone.now,
    is_stopping: Callable[[], bool] = lambda: False,
    command: tuple[str, ...] | None = None,
) -> PipelineRun:
    """Run the pipeline in the workspace of a run and write down what came of it.

    Parameters
    ----------
    is_stopping : callable
        Whether this process has to end soon.
    command : tuple of str, optional
        What to start instead of ``dvc repro``.
    """
    with _sigterm_noted() as is_terminated:
        return Execution(run, clock, lambda: is_terminated() or is_stopping()).execute(command)


class Execution:
    """One process at work on a run. It writes the row only for as long as the row names it as the executor."""

    def __init__(self, run: PipelineRun, clock: Callable[[], datetime], is_stopping: Callable[[], bool]) -> None:
        self.run, self.clock, self.is_stopping = run, clock, is_stopping
        names = stage_names((settings.BASE_DIR / "dvc.yaml").read_text(encoding="utf-8"))
        self.progress = Progress(names, stages=run.stages, log=run.log)
        self._executor = f"{socket.gethostname()[:60]} {os.getpid()} {uuid.uuid4().hex[:12]}"
        self._written = 0.0
        self._is_new = False
        self._is_connected = self._is_locked = True

    def execute(self, command: tuple[str, ...] | None) -> PipelineRun:
        """Execute the run to its end, or until this process has to stop."""
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
        except StageTookTooLongError as error:
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
            self._say("The run resumes.")
        found = PipelineRun.objects.filter(pk=run.pk, status=run.status, executor=run.executor)
        run.status, run.started_at, run.finished_at = PipelineRun.RunStatus.RUNNING, run.started_at or now, None
        run.attempts, run.error = max(run.attempts, 1), {}
        run.code_revision = code_revision(settings.SPAI_REVISION)
        if not self._persist(lambda: found.update(executor=self._executor, status=run.status, heartbeat_at=now)):
            raise RunTakenOverError(f"{run} was taken by another process")
        run.executor = self._executor
        self._keep()

    def _keep(self) -> None:
        """Write the row and tell of it, however long the database is away."""
        self._persist(lambda: self._write(WRITTEN))
        self._publish()

    def _write(self, names: tuple[str, ...]) -> None:
        run = self.run
        run.heartbeat_at, run.stages, run.log = self.clock(), self.progress.stages, self.progress.log
        # Should another process hold the lock, the name in the row decides.
        self._lock_again()
        values = {name: getattr(run, name) for name in names}
        if not PipelineRun.objects.filter(pk=run.pk, executor=self._executor).update(**values):
            raise RunTakenOverError(f"{run} was taken over by another process; this one stops")
        self._written = time.monotonic()

    def _lock_again(self) -> bool:
        """Take the lock again if it went with a lost connection; return whether this process holds it.

        Raises
        ------
        RunTakenOverError
            When another process has taken the run over meanwhile.
        """
        if not self._is_locked:
            self._is_locked = try_take(Lock.RUN)
            if not PipelineRun.objects.filter(pk=self.run.pk, executor=self.run.executor).exists():
                raise RunTakenOverError(f"{self.run} was taken over by another process; this one stops")
        return self._is_locked

    def _publish(self) -> None:
        try:
            publish(self.run, self.clock())
        except connections.ERRORS as error:
            self._note_loss(error)

    def _beat(self) -> None:
        """Write the row when it is time; without the database the stages go on, and the next beat tries again."""
        since = time.monotonic() - self._written
        if since < (BEAT if self._is_new else SILENCE):
            return
        try:
            self._write(WRITTEN_WHILE_RUNNING)
        except connections.ERRORS as error:
            self._note_loss(error)
            self._written = time.monotonic()
            return
        self._is_connected = True
        if self._is_new:
            self._is_new = False
            self._publish()

    def _persist(self, work: Callable[[], Result]) -> Result:
        """Return what `work` returns, repeated for as long as the database is away.

        It is repeated under the lock of the runs only, so that it never runs beside another executor.

        Raises
        ------
        RunInterruptedError
            When this process has to end meanwhile.
        RunTakenOverError
            When another process has taken the run over meanwhile.
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
            time.sleep(BEAT)

    def _note_loss(self, error: Exception) -> None:
        """Take note of a lost connection; raise what has another cause."""
        if not connections.is_lost(error):
            raise error
        if self._is_connected:
            self._say(
                f"The connection to PostgreSQL was lost at {self.clock():%H:%M:%S} UTC: "
                f"{connections.first_line(error)}. The stages go on, and the row follows once the database is back."
            )
        self._is_connected = self._is_locked = False

    def _say(self, line: str) -> None:
        logger.info("%s: %s", self.run, line)
        self.progress.note(line)
        self._is_new = True

    def _note_interruption(self, kind: str, cause: str, *, stage: str | None, at: datetime) -> None:
        latest = self.run.interruptions[-1:]
        if cause == BUSY and [noted["cause"] for noted in latest] == [BUSY]:
            # The same interruption still lasts: the run is tried again every few seconds.
            return
        noted = {"at": at.isoformat(), "stage": stage, "kind": kind, "cause": cause}
        self.run.interruptions = [*self.run.interruptions, noted]
        self._say(f"Interrupted in {stage or 'the start'}: {cause}.")

    def _interrupt(self, cause: str) -> None:
        """Leave the run to whoever resumes it."""
        if self.run.is_over:
            # What came of it is written; only the copy to the remote was cut short.
            self._say(f"dvc push: stopped, {cause}")
        else:
            now, stage = self.clock(), self.progress.running
            self.progress.interrupt(now=now)
            self._note_interruption("stopped", cause, stage=stage, at=now)
            self.run.status = PipelineRun.RunStatus.INTERRUPTED
        try:
            self._write(WRITTEN)
            publish(self.run, self.clock())
        except (RunTakenOverError, *connections.ERRORS) as error:
            logger.warning("%s: that it was interrupted is not written: %s", self.run, error)

    # ── The pipeline ─────────────────────────────────────────────────────────────────────────────────────────────────
    def _make(self, command: tuple[str, ...] | None) -> None:
        run, progress = self.run, self.progress
        same = self._persist(lambda: _made_of_the_same(run)) if command is None else None
        if same is not None:
            self._leave_as_it_is(same)
            return
        with workspaces.hold(run) as handle:
            if handle is None:
                raise RunInterruptedError(BUSY)
            folder = workspaces.make(run)
            while True:
                status = self._reproduce(folder, command or dvc("repro"), handle)
                progress.end(succeeded=status == 0, now=self.clock())
                if status == 0:
                    self._succeed(folder, handle)
                    return
                crash = progress.ended_by or signal_of(status)
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
                self._keep()

    def _reproduce(self, folder: Path, command: tuple[str, ...], handle: int) -> int:
        """Start the pipeline, follow it to its end, and return its exit status."""
        stage, since = self.progress.running, time.monotonic()

        def check() -> None:
            nonlocal stage, since
            # By a clock that stands still while the machine sleeps.
            limit: timedelta = settings.SPAI_STAGE_LIMIT
            if self.progress.running != stage:
                stage, since = self.progress.running, time.monotonic()
            elif time.monotonic() - since > limit.total_seconds():
                raise StageTookTooLongError(
                    f"It did not end within {limit.total_seconds() / 60:.0f} minutes and was stopped."
                )

        def take(line: str) -> None:
            self.progress.read(line, now=self.clock())
            self._is_new = True

        return self._follow(folder, command, handle, take, check)

    def _note_crash(self, crash: signal.Signals) -> None:
        """Write down that a stage was ended by a signal, unless its worker was asked to end too."""
        if crash in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            end = time.monotonic() + STOP_PATIENCE
            while time.monotonic() < end:
                if self.is_stopping():
                    raise RunInterruptedError(STOPPED)
                time.sleep(BEAT)
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
        """Start a command, hand its lines to `take`, keep the row up meanwhile, and return its exit status."""
        with _started(folder, command, handle) as (process, lines):
            while (line := _next_line(lines)) is not None:
                if line:
                    take(line)
                if self.is_stopping():
                    raise RunInterruptedError(STOPPED)
                self._beat()
                check()
            return process.wait()

    # ── The end ──────────────────────────────────────────────────────────────────────────────────────────────────────
    def _leave_as_it_is(self, version: ModelVersion) -> None:
        """End a run before its stages: what it would make is there."""
        self.progress.skip()
        self._say(f"{version} was made of the same facts, parameters and code")
        self._decide()
        self.run.metrics = version.metrics
        self._finish(PipelineRun.RunStatus.UNCHANGED)

    def _succeed(self, folder: Path, handle: int) -> None:
        """Take the registered version, promote a first champion, compare, and copy the files to the remote."""
        run, registered = self.run, files.read_json(folder / files.REGISTERED)
        # A run whose files cannot be read fails before anything comes of it.
        metrics, lock_file = files.read_json(folder / files.METRICS), read_lock_file(folder)
        version = self._persist(lambda: ModelVersion.objects.defer("bundle").get(pk=registered["id"]))
        # A version that this run itself made, before it was interrupted, is new all the same.
        is_new = registered["created"] or version.pipeline_run_id == run.pk
        self._say(f"{'new' if is_new else 'the same as'} {version}")
        self._decide()
        run.metrics, run.dvc_lock = metrics, lock_file
        # What came of the run stands before the copy to the remote, which may take long and which no run waits for.
        self._finish(PipelineRun.RunStatus.SUCCEEDED if is_new else PipelineRun.RunStatus.UNCHANGED)
        if self.progress.changed:
            self._say(f"dvc push: {self.push(folder, handle)}")
            self._keep()

    def _decide(self) -> None:
        """Promote a first champion, and compare a candidate with the one that there is."""
        world = World(self.run.world)
        self._persist(lambda: promote_first_champion(world=world, now=self.clock()))
        for made in self._persist(lambda: compare_due(now=self.clock())):
            self._say(f"model {made.candidate.number} {made.get_verdict_display()}: {made.reason}")

    def _fail(self, error: dict[str, Any]) -> None:
        self.progress.end(succeeded=False, now=self.clock())
        self.run.error = {"stage": self.progress.failed, "rows": []} | error
        self.run.metrics = {}
        # The failure is written even when this file is what cannot be read.
        with contextlib.suppress(OSError):
            self.run.dvc_lock = read_lock_file(workspaces.folder_of(self.run))
        self._finish(PipelineRun.RunStatus.FAILED)

    def _finish(self, status: PipelineRun.RunStatus) -> None:
        """End the run. Its status is set last, when everything else that is written with it is known."""
        self.run.finished_at, self.run.status = self.clock(), status
        self._keep()

    def push(self, folder: Path, handle: int) -> str:
        """Keep what a run made in the DVC remote; return what DVC said. A remote that is away costs no run."""
        said, end = ["done"], time.monotonic() + PUSH_LIMIT.total_seconds()

        def take(line: str) -> None:
            said.append(line.strip() or said[-1])

        def check() -> None:
            if time.monotonic() > end:
                raise StageTookTooLongError

        try:
            self._follow(folder, dvc("push", "--run-cache"), handle, take, check)
        except StageTookTooLongError:
            return f"no answer within {PUSH_LIMIT.total_seconds():.0f} s"
        return said[-1]


def running_stage(run: PipelineRun) -> str | None:
    """Return the stage that a run is in."""
    return next((stage["name"] for stage in run.stages if stage["status"] == "running"), None)


def read_lock_file(folder: Path) -> str:
    """Return what DVC wrote of the stages of a run; nothing when it did not come so far."""
    path = folder / "dvc.lock"
    return storable(path.read_text(encoding="utf-8", errors="replace")) if path.is_file() else ""


def publish(run: PipelineRun, now: datetime) -> None:
    """Tell the push feed how a run stands."""
    payload = {"status": run.status, "stage": running_stage(run) or "", "world": run.world}
    events.publish(topic=TOPIC, key=str(run.pk), now=now, payload=payload)


def dvc(*arguments: str) -> tuple[str, ...]:
    """Return the command that runs DVC with this very Python."""
    return (sys.executable, "-m", "dvc", *arguments)


def error_of(folder: Path, progress: Progress) -> dict[str, Any]:
    """Return what a failed run says of itself: the stage, the rows that a gate refused, a message, the next step."""
    stage = progress.failed
    results = [folder / files.VALIDATION / f"{gate}.json" for gate in GATES_OF.get(stage or "", ())]
    broken = [verdict for result in results if result.is_file() for verdict in files.read_json(result)["broken"]]
    rows = [_named(verdict, row) for verdict in broken for row in verdict.get("rows", ())]
    message = "; ".join(f"{verdict['name']}: {verdict.get('count', 0)} rows are not so" for verdict in broken)
    message = message or _last_words(progress.attempt_log)
    return {"stage": stage, "rows": rows, "message": message, "next_step": NEXT_STEPS.get(stage or "", NEXT_STEP)}


def _last_words(log: str) -> str:
    """Return what DVC refused, or the latest line of the stage that failed."""
    lines = [line for line in log.splitlines() if not line.startswith(">")]
    refused = [line for line in lines if line.startswith("ERROR: ")]
    if refused and "failed to run" not in refused[0]:
        return refused[0].removeprefix("ERROR: ")
    said = [line for line in lines if not line.startswith("ERROR: ")]
    return said[-1] if said else "It ended without a word."


def _named(verdict: dict[str, Any], row: dict[str, Any]) -> str:
    values = ", ".join(f"{name}={'none' if value is None else value}" for name, value in row.items())
    return f"{verdict['file']}: {verdict['name']}: {values}"


def _made_of_the_same(run: PipelineRun) -> ModelVersion | None:
    """Return the version that the same facts, parameters and code have made already, which DVC would find out too.

    Code that git does not know may have changed since; then the stages look for themselves. So they do for a version
    that this run made before it was interrupted: what comes after its registration is still to be done.
    """
    # The bridge to frames brings pandas along, which the processes that only ask for runs do without.
    from apps.ml import dataset

    if run.code_revision.endswith(DIRTY) or not run.params:
        return None
    return (
        selectors.model_versions(World(run.world))
        .filter(
            as_of=run.as_of,
            code_revision=run.code_revision,
            data_snapshot=dataset.data_snapshot(World(run.world)),
            inputs=files.NO_ODDS,
            params_sha256=params_sha256(run.params, run.profile),
            profile=run.profile,
        )
        .exclude(pipeline_run=run)
        .first()
    )


@contextlib.contextmanager
def _started(
    folder: Path, command: tuple[str, ...], handle: int
) -> Iterator[tuple[subprocess.Popen[str], queue.Queue[str | None]]]:
    """Start a command that dies with this process, and with the end of the context; its output comes line by line.

    Parameters
    ----------
    handle : int
        A file descriptor that stays open for as long as the command runs.
    """
    process = subprocess.Popen(  # noqa: S603  our own interpreter and modules
        [sys.executable, "-I", kill_with_parent.__file__, *command],
        cwd=folder,
        env=workspaces.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        pass_fds=(handle,),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        yield process, lines
    finally:
        if process.returncode is None:
            # Its group has its number for as long as nobody has asked for its exit status.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.stdin.close()
        process.wait()
        reader.join()
        process.stdout.close()


def _read(output: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in output:
        lines.put(line)
    lines.put(None)


def _next_line(lines: queue.Queue[str | None]) -> str | None:
    """Return the next line, an empty text when none came in time, None at the end."""
    try:
        return lines.get(timeout=BEAT)
    except queue.Empty:
        return ""


@contextlib.contextmanager
def _sigterm_noted() -> Iterator[Callable[[], bool]]:
    """Let a SIGTERM wait until the context is left, and yield whether there was one."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    noted: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: noted.append(number))
    try:
        yield lambda: bool(noted)
    finally:
        signal.signal(signal.SIGTERM, before)
        if noted:
            os.kill(os.getpid(), signal.SIGTERM)
