"""Pipeline runs: asked for as rows, executed one at a time, followed live, resumed after a death.

A run is a row. Whoever holds the advisory lock executes the oldest one that waits, or takes up one whose executor
died; DVC then repeats only the stages that were not finished. The pipeline itself runs in processes of its own, which
die with the worker that started them.
"""

from __future__ import annotations

import logging
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any, Final

from django.conf import settings
from django.db import transaction
from django.utils import timezone

from apps.matches import events
from apps.matches.locks import Lock, alone
from apps.matches.models import Match, World
from apps.ml import selectors
from apps.ml.models import ModelVersion, PipelineRun
from apps.ml.pipeline import files, leash
from apps.ml.pipeline.progress import Progress, stage_names
from apps.ml.pipeline.revision import DIRTY, code_revision, params_sha256
from apps.ml.services import workspaces
from apps.ml.services.champion import SYSTEM, promote_first_champion
from apps.ml.services.comparison import compare_due

logger = logging.getLogger(__name__)

ATTEMPTS: Final = 3
"""How often a run is taken up before it ends as failed."""

DEAD_AFTER: Final = timedelta(seconds=30)
"""Age of the heartbeat from which on an executor counts as dead."""

BEAT: Final = 0.5
"""Longest wait for a line, and shortest time between two writes of the row, in seconds."""

SILENCE: Final = 1.0
"""Longest time in seconds between two heartbeats."""

LIMIT: Final = timedelta(minutes=44)
"""Longest run; with the copy to the remote shorter than the time limit of the task that executes it."""

PUSH_LIMIT: Final = 600.0
"""Longest copy of a run's files to the remote, in seconds."""

LEAST_MATCHES: Final = 1000
"""Finished matches from which on a world without a champion gets a run."""

TOPIC: Final = "run.changed"

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


@transaction.atomic
def queue_run(
    *,
    world: World | str,
    as_of: datetime | None = None,
    profile: str | None = None,
    requested_by: str,
    reason: str,
    now: datetime,
) -> PipelineRun:
    """Ask for a run; one that waits already with the same world, `as_of` and profile is returned instead.

    Parameters
    ----------
    as_of : datetime, optional
        Facts known before it, fixtures after it; aware. The latest 00:00 UTC by default.
    profile : str, optional
        ``smoke`` or ``production``; `SPAI_PROFILE` by default.
    """
    wanted = {
        "world": World(world).value,
        "as_of": as_of or now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0),
        "profile": profile or settings.SPAI_PROFILE,
    }
    waiting = PipelineRun.objects.filter(status=PipelineRun.Status.QUEUED, **wanted).first()
    run = waiting or PipelineRun.objects.create(
        **wanted, requested_by=requested_by, reason=reason, created_at=now, params=workspaces.read_params()
    )
    _publish(run, now)
    events.wake("run_requested")
    return run


def run_due(*, now: datetime) -> PipelineRun | None:
    """Execute the oldest run that waits or whose executor died; None when there is none, or another is at work."""
    with alone(Lock.RUN) as is_ours:
        if not is_ours:
            return None
        run = _next(now)
        if run is not None:
            execute_run(run)
        return run


def retrain_due(*, now: datetime) -> list[PipelineRun]:
    """Ask for a run of each world that has matches enough and no champion.

    None is asked for while one is under way, nor within a day of one that failed or whose version did not pass.
    """
    asked = []
    for world in World:
        runs = PipelineRun.objects.filter(world=world)
        under_way = runs.filter(status__in=[PipelineRun.Status.QUEUED, PipelineRun.Status.RUNNING])
        lately = runs.filter(finished_at__gte=now - timedelta(days=1))
        if selectors.champion(world) is not None or (under_way | lately).exists():
            continue
        finished = Match.objects.filter(world=world, status=Match.Status.FINISHED)
        if finished[:LEAST_MATCHES].count() >= LEAST_MATCHES:
            asked.append(queue_run(world=world, requested_by=SYSTEM, reason="first champion", now=now))
    return asked


def execute_run(
    run: PipelineRun, *, clock: Callable[[], datetime] = timezone.now, command: tuple[str, ...] | None = None
) -> PipelineRun:
    """Run the pipeline in the workspace of a run and write down what came of it.

    Parameters
    ----------
    command : tuple of str, optional
        What to start instead of ``dvc repro``.
    """
    progress = Progress(stage_names((settings.BASE_DIR / "dvc.yaml").read_text(encoding="utf-8")))
    run.status, run.started_at, run.finished_at = PipelineRun.Status.RUNNING, run.started_at or clock(), None
    run.attempts, run.error = run.attempts + 1, {}
    run.code_revision = code_revision(settings.SPAI_REVISION)
    _keep(run, progress, clock())
    same = _made_of_the_same(run) if command is None else None
    if same is not None:
        return _leave_as_it_is(run, same, progress, clock)
    folder = workspaces.make(run)
    _publish(run, clock())
    try:
        status = _follow(run, folder, progress, command or _dvc("repro"), clock)
    except RunTookTooLongError as error:
        status = None
        run.error = {"stage": progress.failed, "rows": [], "message": str(error), "next_step": NEXT_STEP}
    progress.end(succeeded=status == 0, now=clock())
    if status == 0:
        _succeed(run, folder, progress, clock)
    else:
        run.error = run.error or error_of(folder, progress)
        run.status = PipelineRun.Status.FAILED
    _take_results(run, folder)
    run.finished_at = clock()
    _keep(run, progress, clock())
    _publish(run, clock())
    return run


def _made_of_the_same(run: PipelineRun) -> ModelVersion | None:
    """Return the version that the same facts, parameters and code have made already, which DVC would find out too.

    Code that git does not know may have changed since; then the stages look for themselves. So they do for a version
    that an earlier attempt of this run made before it died: what comes after its registration is still to be done.
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


def _leave_as_it_is(
    run: PipelineRun, version: ModelVersion, progress: Progress, clock: Callable[[], datetime]
) -> PipelineRun:
    """End a run before its stages: what it would make is there."""
    progress.skip()
    progress.read(f"{version} was made of the same facts, parameters and code", now=clock())
    run.status, run.metrics = PipelineRun.Status.UNCHANGED, version.metrics
    _decide(run, progress, clock)
    run.finished_at = clock()
    _keep(run, progress, clock())
    _publish(run, clock())
    return run


class RunTookTooLongError(RuntimeError):
    """The pipeline did not end in time and was killed."""


def error_of(folder: Path, progress: Progress) -> dict[str, Any]:
    """Return what a failed run says of itself: the stage, the rows that a gate refused, a message, the next step."""
    stage = progress.failed
    results = [folder / files.VALIDATION / f"{gate}.json" for gate in GATES_OF.get(stage or "", ())]
    broken = [verdict for result in results if result.is_file() for verdict in files.read_json(result)["broken"]]
    rows = [_named(verdict, row) for verdict in broken for row in verdict.get("rows", ())]
    message = "; ".join(f"{verdict['name']}: {verdict.get('count', 0)} rows are not so" for verdict in broken)
    message = message or _last_words(progress.log)
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


def _next(now: datetime) -> PipelineRun | None:
    """Return the oldest run to execute; one that died too often ends here as failed."""
    waiting = PipelineRun.objects.filter(status__in=[PipelineRun.Status.QUEUED, PipelineRun.Status.RUNNING])
    for run in waiting.order_by("id"):
        if run.status == PipelineRun.Status.RUNNING and run.heartbeat_at and now - run.heartbeat_at < DEAD_AFTER:
            continue
        if run.attempts < ATTEMPTS:
            return run
        stage = next((stage["name"] for stage in run.stages if stage["status"] == "running"), None)
        run.status, run.finished_at = PipelineRun.Status.FAILED, now
        run.error = {
            "stage": stage,
            "rows": [],
            "message": f"The process that executed it ended {ATTEMPTS} times without a word.",
            "next_step": "Look at the log of the worker, and at the memory of the machine; then run again.",
        }
        run.save(update_fields=["status", "finished_at", "error"])
        _publish(run, now)
    return None


def _dvc(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "dvc", *arguments)


def _follow(
    run: PipelineRun, folder: Path, progress: Progress, command: tuple[str, ...], clock: Callable[[], datetime]
) -> int:
    """Start the command, keep the row of the run up with its output, and return its exit status."""
    process = subprocess.Popen(  # noqa: S603  our own interpreter and modules
        [sys.executable, "-I", leash.__file__, *command],
        cwd=folder,
        env=workspaces.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    ends, written, is_new = clock() + LIMIT, time.monotonic(), False
    try:
        while (line := _next_line(lines)) is not None:
            if line:
                progress.read(line, now=clock())
                is_new = True
            since = time.monotonic() - written
            if since >= SILENCE or (is_new and since >= BEAT):
                _keep(run, progress, clock())
                if is_new:
                    _publish(run, clock())
                written, is_new = time.monotonic(), False
            if clock() > ends:
                raise RunTookTooLongError(
                    f"It did not end within {LIMIT.total_seconds() / 60:.0f} minutes and was stopped."
                )
        return process.wait()
    finally:
        # The end of its input kills whatever still runs.
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


def _succeed(run: PipelineRun, folder: Path, progress: Progress, clock: Callable[[], datetime]) -> None:
    """Take the registered version of a finished run, keep its files elsewhere, promote a first champion, compare."""
    registered = files.read_json(folder / files.REGISTERED)
    version = ModelVersion.objects.defer("bundle").get(pk=registered["id"])
    # A version that this run itself made, in an attempt that died right after, is new all the same.
    is_new = registered["created"] or version.pipeline_run_id == run.pk
    run.status = PipelineRun.Status.SUCCEEDED if is_new else PipelineRun.Status.UNCHANGED
    progress.read(f"{'new' if is_new else 'the same as'} {version}", now=clock())
    _decide(run, progress, clock)
    if progress.changed:
        # What came of the run stands before the copy to the remote, which may take long and which no run waits for.
        run.finished_at = clock()
        _keep(run, progress, clock())
        progress.read(f"dvc push: {push(folder)}", now=clock())


def _decide(run: PipelineRun, progress: Progress, clock: Callable[[], datetime]) -> None:
    """Promote a first champion, and compare a candidate with the one that there is."""
    promote_first_champion(world=World(run.world), now=clock())
    for made in compare_due(now=clock()):
        progress.read(f"model {made.candidate.number} {made.get_verdict_display()}: {made.reason}", now=clock())


def push(folder: Path) -> str:
    """Keep what a run made in the DVC remote; return what DVC said. A remote that is away costs no run."""
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and modules
            _dvc("push", "--run-cache"),
            cwd=folder,
            env=workspaces.environment(),
            capture_output=True,
            text=True,
            timeout=PUSH_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        return f"no answer within {PUSH_LIMIT:.0f} s"
    said = (done.stdout + done.stderr).strip().splitlines()
    return said[-1] if said else "done"


def _take_results(run: PipelineRun, folder: Path) -> None:
    lock, metrics = folder / "dvc.lock", folder / files.METRICS
    run.dvc_lock = lock.read_text(encoding="utf-8") if lock.is_file() else ""
    run.metrics = files.read_json(metrics) if run.status != PipelineRun.Status.FAILED else {}


def _keep(run: PipelineRun, progress: Progress, now: datetime) -> None:
    run.heartbeat_at, run.stages, run.log = now, progress.stages, progress.log
    run.save()


def _publish(run: PipelineRun, now: datetime) -> None:
    stage = next((stage["name"] for stage in run.stages if stage["status"] == "running"), "")
    events.publish(
        topic=TOPIC, key=str(run.pk), now=now, payload={"status": run.status, "stage": stage, "world": run.world}
    )
