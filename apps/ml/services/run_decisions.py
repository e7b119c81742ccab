"""What people decide about runs: to cancel one, to repeat one from a stage, to describe one."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import yaml
from django.db import transaction

from apps.matches import events
from apps.matches.services import record_action
from apps.ml.models import PipelineRun
from apps.ml.pipeline import progress
from apps.ml.services import workspaces
from apps.ml.services.run_row import publish
from apps.ml.services.runs import RunRefusedError, queue_once

TAGS: Final = 10
"""Largest number of tags of a run."""

TAG: Final = re.compile(r"[\w.:+-]{1,30}")
"""A tag: letters, digits and ``. : + - _``."""


@dataclass(frozen=True, slots=True)
class Cancellation:
    """How a request to cancel a run ended."""

    run: PipelineRun
    is_new: bool  # False when the run had been cancelled before


@transaction.atomic
def cancel_run(*, run_id: int, by: str, now: datetime) -> Cancellation:
    """Cancel a run that waits or is executed; a cancelled run stays as it is.

    The executor of a run writes the row every second, and only while the row names it. It finds its name gone, ends
    all processes of the run and writes nothing more.

    Raises
    ------
    RunRefusedError
        When there is no such run, or it has ended otherwise.
    """
    run = _locked(run_id)
    if run.status == PipelineRun.RunStatus.CANCELLED:
        return Cancellation(run, is_new=False)
    if run.is_over:
        raise RunRefusedError(f"Run {run.pk} has ended already: {run.get_status_display().lower()}.")
    before, at_work = run.get_status_display().lower(), (progress.RUNNING, progress.INTERRUPTED)
    run.stages = [
        stage | {"status": progress.CANCELLED} if stage["status"] in at_work else stage for stage in run.stages
    ]
    run.status, run.cancelled_by, run.finished_at, run.executor = PipelineRun.RunStatus.CANCELLED, by, now, ""
    run.save(update_fields=["status", "cancelled_by", "finished_at", "executor", "stages"])
    record_action(by=by, action="cancelled a pipeline run", about=run, before=before, after="cancelled", now=now)
    publish(run, now)
    events.start_tasks_after_commit("run_requested")
    return Cancellation(run, is_new=True)


def stages_to_retry(run: PipelineRun) -> list[str]:
    """Return the stages that a retry of a run may begin with: all before them have results that are kept.

    Retention deletes the folder of a run together with its results.
    """
    if not (run.is_over and workspaces.folder_of(run).is_dir()):
        return []
    names, kept = workspaces.stages_of(run), _stages_of(run.dvc_lock)
    known = next((number for number, name in enumerate(names) if name not in kept), len(names) - 1)
    return names[1 : known + 1]


def retry_run(*, run_id: int, stage: str, by: str, now: datetime) -> PipelineRun:
    """Queue a run that takes the stages before `stage` from an earlier run, with its parameters, and makes the others.

    Raises
    ------
    RunRefusedError
        When there is no such run, or its stages before `stage` have not all ended.
    """
    run = PipelineRun.objects.filter(pk=run_id).first()
    if run is None:
        raise RunRefusedError(f"There is no run {run_id}.")
    possible = stages_to_retry(run)
    if stage not in possible:
        beginnings = f"It can begin with {', '.join(possible)}." if possible else "Run it again from the start instead."
        raise RunRefusedError(f"Run {run.pk} cannot be retried from {stage}. {beginnings}")
    names, kept = workspaces.stages_of(run), _stages_of(run.dvc_lock)
    earlier = {name: kept[name] for name in names[: names.index(stage)]}
    wanted = {
        **{name: getattr(run, name) for name in ("kind", "back_test_of", "world", "as_of", "profile", "overrides")},
        "retry_of": run,
        "first_stage": stage,
    }
    described = {
        "params": run.params,
        "tags": run.tags,
        "requested_by": by,
        "reason": f"run {run.pk} again from {stage}",
        "dvc_lock": yaml.safe_dump({"schema": "2.0", "stages": earlier}, sort_keys=False),
    }
    return queue_once(wanted, described, now)


@transaction.atomic
def describe_run(*, run_id: int, notes: str, tags: Sequence[str], by: str, now: datetime) -> PipelineRun:
    """Set notes and tags of a run.

    Raises
    ------
    RunRefusedError
        When there is no such run, or a tag is not one.
    """
    run = _locked(run_id)
    before = _description_of(run)
    run.notes, run.tags = notes, tags_of(" ".join(tags))
    if (after := _description_of(run)) != before:
        run.save(update_fields=["notes", "tags"])
        record_action(by=by, action="described a pipeline run", about=run, before=before, after=after, now=now)
    return run


def _description_of(run: PipelineRun) -> str:
    return f"tags: {' '.join(run.tags) or 'none'}\nnotes: {run.notes or 'none'}"


def tags_of(text: str) -> list[str]:
    """Return the tags in a text, which spaces or commas separate, in small letters and each once.

    Raises
    ------
    RunRefusedError
        When a tag is not one, or there are too many.
    """
    tags = list(dict.fromkeys(re.split(r"[\s,]+", text.strip().lower()))) if text.strip(", \t\n") else []
    tags = [tag for tag in tags if tag]
    for tag in tags:
        if not TAG.fullmatch(tag):
            raise RunRefusedError(f"“{tag[:40]}” is no tag: use up to 30 letters, digits and . : + - _")
    if len(tags) > TAGS:
        raise RunRefusedError(f"A run has at most {TAGS} tags.")
    return tags


def _locked(run_id: int) -> PipelineRun:
    """Return a run whose row is locked until the end of the transaction."""
    run = PipelineRun.objects.select_for_update().filter(pk=run_id).first()
    if run is None:
        raise RunRefusedError(f"There is no run {run_id}.")
    return run


def _stages_of(dvc_lock: str) -> dict[str, Any]:
    """Return the stages in a lock file; none when it cannot be read, as after a crash of the machine."""
    try:
        return dict(yaml.safe_load(dvc_lock)["stages"])
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        return {}
