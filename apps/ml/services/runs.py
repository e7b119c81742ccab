"""Pipeline runs: requested as rows, executed one at a time in the order of their numbers, resumed when interrupted.

The process that holds the advisory lock executes the oldest unfinished run.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from django.conf import settings
from django.db import transaction

from apps.matches import events, locks, tracing
from apps.matches.locks import Lock, try_lock, wait_for
from apps.matches.log_fields import logged_as
from apps.matches.models import World
from apps.matches.services import record_action
from apps.matches.unknown_work import says_unknown, warn_of_unknown
from apps.ml import params_schema, selectors
from apps.ml.models import PipelineRun
from apps.ml.pipeline.progress import FAILED, RUNNING
from apps.ml.services import workspaces
from apps.ml.services.champion import SYSTEM
from apps.ml.services.execution import execute_run
from apps.ml.services.loaded_code import waits_for_restart
from apps.ml.services.run_row import publish, running_stage

logger = logging.getLogger(__name__)

DEAD_AFTER: Final = timedelta(seconds=15)
"""Age of the heartbeat after which another process may take over a run whose executor no longer holds the lock.

An executor that lost its connection to PostgreSQL takes the lock again within a second or two.
"""

DEATHS: Final = 10
"""Consecutive deaths of workers in the same stage after which a run fails, so that the next one can begin."""


class RunRefusedError(ValueError):
    """The requested run cannot succeed; the message says why and what to choose instead."""


def queue_run(
    *,
    world: World | str,
    as_of: datetime | None = None,
    profile: str | None = None,
    requested_by: str,
    reason: str,
    overrides: Mapping[str, Any] | None = None,
    notes: str = "",
    tags: Sequence[str] = (),
    now: datetime,
) -> PipelineRun:
    """Queue a run, unless one with the same world, `as_of`, profile and overrides is already queued; return it.

    Parameters
    ----------
    as_of : datetime, optional
        Facts known before it, fixtures after it; aware. The latest 00:00 UTC by default.
    profile : str, optional
        ``smoke`` or ``production``; `SPAI_PROFILE` by default.
    overrides : mapping, optional
        Values in place of those in `params.yaml`, by dotted name.

    Raises
    ------
    RunRefusedError
        When the run cannot succeed: see `refuse_impossible`.
    ParametersRefusedError
        When an override does not fit `params_schema.yaml`.
    """
    as_of, overrides = as_of or latest_midnight(now), dict(overrides or {})
    params = params_schema.overridden(workspaces.read_params(), overrides)
    refuse_impossible(world=World(world), as_of=as_of, params=params, now=now)
    wanted = {"world": World(world).value, "as_of": as_of, "profile": profile or settings.SPAI_PROFILE}
    described = {"requested_by": requested_by, "reason": reason, "notes": notes, "tags": list(tags)}
    return queue_once(wanted | {"overrides": overrides}, described | {"params": params}, now)


def latest_midnight(now: datetime) -> datetime:
    """Return the latest 00:00 UTC, the default `as_of` of a run."""
    return now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)


def refuse_impossible(*, world: World, as_of: datetime, params: Mapping[str, Any] | None = None, now: datetime) -> None:
    """Refuse a run that has too few facts to learn from under `params`, those of the checkout by default.

    Raises
    ------
    RunRefusedError
        When `as_of` is in the future, the world has no results, none was known before `as_of`, or too few were for
        one step of the walk-forward evaluation.
    """
    if as_of > now:
        raise RunRefusedError(f"{_moment(as_of)} is in the future. Choose today or an earlier day.")
    history = selectors.history(world, as_of=as_of, split=(params or workspaces.read_params())["split"])
    if history.first_known_at is None:
        raise RunRefusedError(
            f"The {world} world has no match with a result yet. Import some (manage.py import_matches --help), then "
            "run the pipeline."
        )
    if not history.known:
        raise RunRefusedError(
            f"There is no match known before {_moment(as_of)}: the first result of the {world} world was known on "
            f"{_moment(history.first_known_at)}. Choose a later day."
        )
    if not history.is_enough:
        raise RunRefusedError(
            f"The history before {_moment(as_of)} is too short: {history.known} matches with a result since "
            f"{history.first_kickoff_at:%Y-%m-%d}. After the first {history.warm_up_days} days a run needs "
            f"{history.least_rows} to learn from before 1 July of some year, and {history.least_rows} after it to be "
            "tested on. Choose a later day, or import older seasons."
        )


def run_due(*, now: datetime, is_stopping: Callable[[], bool] = lambda: False) -> PipelineRun | None:
    """Execute the oldest unfinished run; return None when there is none, or another process executes it.

    `is_stopping` returns whether this process is shutting down.
    """
    if is_stopping():
        return None
    with try_lock(Lock.RUN, pause=locks.RUN_PAUSE) as is_ours:
        if not is_ours:
            return None
        run = _next(now)
        if run is not None and waits_for_restart(run):
            return None
        if run is not None:
            execute_run(run, is_stopping=is_stopping)
        return run


@transaction.atomic
def queue_once(wanted: Mapping[str, Any], described: Mapping[str, Any], now: datetime) -> PipelineRun:
    """Queue a run with the fields `wanted` and `described`, unless one that has `wanted` is queued; return it."""
    wait_for(Lock.RUN_REQUEST)  # of two simultaneous requests the second then finds the run of the first
    wanted = {"kind": PipelineRun.RunKind.TRAINING, "back_test_of": None, "retry_of": None, "first_stage": "", **wanted}
    waiting = PipelineRun.objects.filter(status=PipelineRun.RunStatus.QUEUED, **wanted).first()
    run = waiting or PipelineRun.objects.create(**wanted, **described, created_at=now, trace=tracing.traceparent())
    with logged_as(run=run.pk):
        logger.info("%s of the %s world is queued: %s", run, run.world, run.reason)
    if waiting is None and run.requested_by != SYSTEM:
        record_action(
            by=run.requested_by,
            action="requested a back-test" if run.is_back_test else "requested a pipeline run",
            about=run,
            after=f"{World(run.world).label} world, profile {run.profile}, as of {_moment(run.as_of)}",
            reason=run.reason,
            now=now,
        )
    publish(run, now)
    events.start_tasks_after_commit("run_requested")
    return run


def _next(now: datetime) -> PipelineRun | None:
    """Return the oldest unfinished run of a known kind; None while the executor of one before it may still run."""
    for run in PipelineRun.objects.filter(status__in=selectors.UNFINISHED).order_by("id"):
        is_running = run.status == PipelineRun.RunStatus.RUNNING
        if is_running and run.heartbeat_at and now - run.heartbeat_at < DEAD_AFTER:
            return None
        if run.kind not in PipelineRun.RunKind.values:
            _leave_in_queue(run)
            continue
        if not is_running or _deaths(run) < DEATHS:
            return run
        run.status, run.finished_at = PipelineRun.RunStatus.FAILED, now
        run.error = {
            "stage": running_stage(run),
            "rows": [],
            "message": f"The worker that executed it died {DEATHS} times in a row in this stage.",
            "next_step": "Look at the log of the worker, and at the memory of the machine; then run again.",
        }
        run.stages = [stage | {"status": FAILED} if stage["status"] == RUNNING else stage for stage in run.stages]
        run.save(update_fields=["status", "finished_at", "error", "stages"])
        publish(run, now)
    return None


def _leave_in_queue(run: PipelineRun) -> None:
    """Say in the log, and once on the page of a run, that this release does not know its kind."""
    warn_of_unknown(str(run), run.kind)
    line = says_unknown("This run", run.kind)
    if run.status == PipelineRun.RunStatus.QUEUED and line not in run.log:
        waiting = PipelineRun.objects.filter(pk=run.pk, status=PipelineRun.RunStatus.QUEUED)
        waiting.update(log="\n".join(filter(None, (run.log, line))))


def _deaths(run: PipelineRun) -> int:
    """Return how many consecutive workers died in the running stage, this one included."""
    count = 1
    for noted in reversed(run.interruptions):
        if (noted["kind"], noted["stage"]) != ("died", running_stage(run)):
            break
        count += 1
    return count


def _moment(moment: datetime) -> str:
    return f"{moment.astimezone(UTC):%Y-%m-%d %H:%M} UTC"
