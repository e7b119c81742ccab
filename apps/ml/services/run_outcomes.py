"""How a run ends: unchanged, succeeded or failed, and what follows from it."""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from apps.matches import events
from apps.matches.models import World
from apps.matches.selectors import data_snapshot
from apps.ml import selectors
from apps.ml.models import ModelVersion, PipelineRun
from apps.ml.pipeline import files
from apps.ml.pipeline.revision import DIRTY, params_sha256
from apps.ml.services import back_test_results, workspaces
from apps.ml.services.champion import promote_first_champion
from apps.ml.services.comparison import compare_due
from apps.ml.services.run_row import RunRow


def made_from_the_same(run: PipelineRun) -> ModelVersion | None:
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


def end_unchanged(row: RunRow, version: ModelVersion) -> None:
    """End a run without executing its stages, because a version with the same inputs exists."""
    row.progress.skip()
    row.log(f"{version} was made from the same facts, parameters and code")
    _decide(row)
    row.run.metrics = version.metrics
    _finish(row, PipelineRun.RunStatus.UNCHANGED)


def succeed(row: RunRow, folder: Path) -> None:
    """Take the registered version, promote a first champion, and compare."""
    run, registered = row.run, files.read_json(folder / files.REGISTERED)
    # Read first: a run whose files cannot be read must fail before it has any effect.
    metrics, lock_file = files.read_json(folder / files.METRICS), workspaces.read_lock_file(folder)
    version = row.persist(lambda: ModelVersion.objects.defer("bundle").get(pk=registered["id"]))
    # A version that this run made before an interruption still counts as new.
    is_new = registered["created"] or version.pipeline_run_id == run.pk
    row.log(f"{'new' if is_new else 'the same as'} {version}")
    _decide(row)
    run.metrics, run.dvc_lock = metrics, lock_file
    _finish(row, PipelineRun.RunStatus.SUCCEEDED if is_new else PipelineRun.RunStatus.UNCHANGED)


def succeed_back_test(row: RunRow, folder: Path) -> None:
    """Store what a back-test forecast; `record.summarize_due` takes it into the back-tests of the champion."""
    run = row.run
    metrics, lock_file = files.read_json(folder / files.METRICS), workspaces.read_lock_file(folder)
    kept = back_test_results.read(folder)
    # First, so that a run that was cancelled meanwhile leaves nothing.
    row.confirm()
    row.persist(lambda: back_test_results.store(run, kept, now=row.clock()))
    row.log(back_test_results.result_in_words(metrics))
    run.metrics, run.dvc_lock = metrics, lock_file
    is_new = row.progress.changed
    _finish(row, PipelineRun.RunStatus.SUCCEEDED if is_new else PipelineRun.RunStatus.UNCHANGED)
    events.start_tasks_after_commit("back_tested")


def fail(row: RunRow, error: dict[str, Any]) -> None:
    """End a run with its error for people; see `failures.error_of`."""
    row.progress.end(succeeded=False, now=row.clock())
    row.run.error = {"stage": row.progress.failed, "rows": []} | error
    row.run.metrics = {}
    # The failure must be stored even when this file cannot be read.
    with contextlib.suppress(OSError):
        row.run.dvc_lock = workspaces.read_lock_file(workspaces.folder_of(row.run))
    _finish(row, PipelineRun.RunStatus.FAILED)


def _decide(row: RunRow) -> None:
    """Promote a first champion, or compare new candidates with the champion; not for a cancelled run."""
    row.confirm()
    world = World(row.run.world)
    row.persist(lambda: promote_first_champion(world=world, now=row.clock()))
    for made in row.persist(lambda: compare_due(now=row.clock())):
        row.log(f"model {made.candidate.number} {made.get_verdict_display()}: {made.reason}")


def _finish(row: RunRow, status: PipelineRun.RunStatus) -> None:
    """End the run. The status is set last, when everything that is stored with it is known."""
    row.run.finished_at, row.run.status = row.clock(), status
    row.store()
