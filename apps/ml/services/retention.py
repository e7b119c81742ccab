"""Deletion of old forecasts, runs with their workspaces, and files of versions that never served.

Not imported by the package: only the task, the command and the benchmark delete.
"""

from __future__ import annotations

import re
import subprocess
from contextlib import ExitStack
from datetime import datetime
from pathlib import Path
from typing import Any, Final

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Exists, OuterRef, Q, QuerySet
from django.db.models.functions import Length

from apps.matches import disk
from apps.matches.locks import Lock, try_lock, wait_for
from apps.matches.models import World
from apps.matches.services import Deletion, Retention, as_retention
from apps.ml import registry, selectors
from apps.ml.models import (
    EvaluationArtifacts,
    FeatureSnapshot,
    LedgerDay,
    LedgerLeaf,
    ModelVersion,
    PipelineRun,
    Prediction,
    Score,
    SeasonForecast,
)
from apps.ml.services import workspaces
from apps.ml.services.processes import dvc

GC_LIMIT: Final = 300.0
"""Longest time of `dvc gc`, in seconds."""

CACHES: Final = (EvaluationArtifacts, FeatureSnapshot)
"""Rows of a version that go with its files; any other row that refers to a version keeps them."""


class RunsBusyError(Exception):
    """A pipeline run is being executed, which uses the folders and DVC's cache."""


class CacheNotCleanedError(Exception):
    """DVC did not clean its cache; no workspace was deleted, so that the next run of retention tries again."""


def delete_forecasts(run: Retention, kind: str, world: World) -> Deletion:
    """Delete forecasts of a world that the same version replaced before kick-off, some time after the kick-off.

    A trigger of PostgreSQL demands the same, and that the forecast is in the ledger: its leaf stays, with its proof.
    What other versions forecast in its shadow goes too.
    """
    before = run.before(kind)
    if before is None:
        return Deletion()
    later = Prediction.objects.filter(
        Q(published_at__gt=OuterRef("published_at")) | Q(published_at=OuterRef("published_at"), id__gt=OuterRef("id")),
        match=OuterRef("match"),
        version=OuterRef("version"),
        published_at__lt=OuterRef("match__kickoff_at"),
    )
    replaced = Prediction.objects.filter(
        Exists(later),
        Exists(LedgerLeaf.objects.filter(prediction_id=OuterRef("id"))),
        ~Exists(Score.objects.filter(prediction=OuterRef("id"))),
        match__world=world,
        match__kickoff_at__lt=before,
        # The same, by an index: each was published before its kick-off.
        published_at__lt=before,
    )
    return run.rows(replaced, by_role=True, first=_delete_shadows)


def _delete_shadows(prediction_ids: list[int]) -> Deletion:
    """Delete the shadows of some forecasts."""
    with as_retention(), connection.cursor() as cursor:
        cursor.execute("DELETE FROM ml_shadowforecast WHERE prediction_id = ANY(%s)", [prediction_ids])
        return Deletion(cursor.rowcount)


def delete_sandbox_leaves(run: Retention) -> Deletion:
    """Delete the leaves of old days of the simulated world's ledger; the days with their hashes stay."""
    before = run.before("sandbox-ledger")
    if before is None:
        return Deletion()
    days = LedgerDay.objects.filter(world=World.SANDBOX, day__lt=before.date())
    return run.rows(LedgerLeaf.objects.filter(day__in=days), by_role=True, key="prediction_id")


def delete_season_forecasts(run: Retention, kind: str, world: World) -> Deletion:
    """Delete old simulations of a world's seasons, but for the latest of each season."""
    before = run.before(kind)
    if before is None:
        return Deletion()
    newer = SeasonForecast.objects.filter(season=OuterRef("season"), as_of__gt=OuterRef("as_of"))
    return run.rows(SeasonForecast.objects.filter(Exists(newer), season__world=world, as_of__lt=before))


def delete_workspaces(run: Retention) -> Deletion:
    """Delete the folders of runs that ended or are no longer known, and what only they use in DVC's cache and remote.

    The cache is cleaned first: when this process dies in between, the folders are found again.

    Raises
    ------
    RunsBusyError
    CacheNotCleanedError
    """
    before = run.before("workspaces")
    root = settings.SPAI_VAR_DIR / "runs"
    if before is None or not root.is_dir():
        return Deletion()
    with ExitStack() as stack:
        if not run.is_dry and not stack.enter_context(try_lock(Lock.RUN)):
            raise RunsBusyError("a pipeline run is being executed; the next run of retention tries again")
        old = {str(pk) for pk in _old_runs(before, run.newest("workspaces")).values_list("pk", flat=True)}
        known = {str(pk) for pk in PipelineRun.objects.values_list("pk", flat=True)}
        folders = [path for path in sorted(root.iterdir()) if path.is_dir()]
        # The row of a run goes before its folder where the operator keeps folders longer, or for ever for a time.
        lost = {path.name for path in folders if path.name not in known and path.stat().st_mtime < before.timestamp()}
        going = [path for path in folders if path.name in old | lost]
        if not going:
            return Deletion()
        freed = Deletion() if run.is_dry else _clean_cache([path for path in folders if path not in going])
        return freed + run.paths(going)


def delete_runs(run: Retention) -> Deletion:
    """Delete the rows of runs that ended long ago and made no version."""
    before = run.before("runs")
    if before is None:
        return Deletion()
    return run.rows(_old_runs(before, run.newest("runs")).filter(versions__isnull=True))


def delete_model_files(run: Retention) -> Deletion:
    """Delete bundle, evaluation files and MLflow run of versions that never served and that nothing refers to.

    A version is marked first, and cannot be promoted from then on. When this process dies or MLflow cannot be reached,
    the next run finds it by its bundle.

    Raises
    ------
    RegistryError
        When MLflow cannot be reached.
    """
    before = run.before("model-files")
    if before is None:
        return Deletion()
    if run.is_dry:
        return Deletion(_unused_versions(before, run.newest("model-files")).count())
    with transaction.atomic():
        # No version is promoted or compared meanwhile.
        wait_for(Lock.PROMOTION)
        _unused_versions(before, run.newest("model-files")).update(files_deleted_at=run.now)
    done, marked = Deletion(), ModelVersion.objects.filter(files_deleted_at__isnull=False)
    for version in marked.alias(size=Length("bundle")).filter(size__gt=0).defer("bundle", "metrics", "gates"):
        if run.is_stopping():
            break
        registry.delete(world=version.world, number=version.number, run_id=version.mlflow_run_id)
        with transaction.atomic():
            for rows in CACHES:
                rows._default_manager.filter(version=version).delete()
            ModelVersion.objects.filter(pk=version.pk).update(bundle=b"")
        done += Deletion(rows=1)
    return done


def delete_feature_states(run: Retention) -> Deletion:
    """Delete stored feature states of versions that are not champion; they can be computed again."""
    before = run.before("feature-states")
    if before is None:
        return Deletion()
    old = FeatureSnapshot.objects.filter(created_at__lt=before)
    return run.rows(old.exclude(version__in=_champions()))


def delete_model_copies(run: Retention) -> Deletion:
    """Delete checked copies of bundles on this machine, but for those of the champions; loaded models need none."""
    before, root = run.before("model-copies"), settings.SPAI_VAR_DIR / "bundles"
    if before is None or not root.is_dir():
        return Deletion()
    kept = set(ModelVersion.objects.filter(pk__in=_champions()).values_list("bundle_sha256", flat=True))
    found = (path for path in sorted(root.iterdir()) if path.name not in kept)
    return run.paths(path for path in found if path.stat().st_mtime < before.timestamp())


def _champions() -> list[int]:
    found = (selectors.champion(world) for world in World)
    return [promotion.version_id for promotion in found if promotion is not None]


def _newest(rows: QuerySet[Any], order: str, count: int) -> set[int]:
    """Return the ids of the newest rows of each world."""
    return {
        pk
        for world in World
        for pk in rows.filter(world=world).order_by(f"-{order}").values_list("pk", flat=True)[:count]
    }


def _old_runs(before: datetime, newest: int) -> QuerySet[PipelineRun]:
    """Return the runs that ended before a moment, but for the newest of each world and kind.

    Back-tests, one each night, would else leave no training among the newest.
    """
    ended = PipelineRun.objects.filter(finished_at__isnull=False).exclude(status__in=selectors.UNFINISHED)
    kept = {pk for kind in PipelineRun.RunKind for pk in _newest(ended.filter(kind=kind), "id", newest)}
    return ended.filter(finished_at__lt=before).exclude(pk__in=kept)


def _unused_versions(before: datetime, newest: int) -> QuerySet[ModelVersion]:
    """Return versions with files that are old, not among the newest of their world, and that nothing refers to."""
    rows = ModelVersion.objects.filter(files_deleted_at__isnull=True)
    named = {version.pk for world in World for version in selectors.aliases(world).values() if version is not None}
    found = rows.filter(created_at__lt=before).exclude(pk__in=named | _newest(rows, "number", newest))
    for relation in ModelVersion._meta.related_objects:
        referring: Any = relation.related_model
        if referring not in CACHES:
            found = found.exclude(Exists(referring._default_manager.filter(**{relation.field.name: OuterRef("pk")})))
    return found


def _clean_cache(kept: list[Path]) -> Deletion:
    """Delete what no kept workspace uses from DVC's cache and remote, by `dvc gc`; the caller holds the runs' lock.

    Raises
    ------
    CacheNotCleanedError
    """
    places = [settings.SPAI_VAR_DIR / name for name in ("dvc-cache", "dvc-remote")]
    size = sum(disk.used(place) for place in places)
    # A folder of its own without outputs: none of the workspaces need be there.
    folder = settings.SPAI_VAR_DIR / "dvc-gc"
    workspaces.configure(folder)
    projects = ("--projects", *map(str, kept)) if kept else ()
    command = dvc("gc", "--workspace", "--force", "--cloud", "--remote", "runs", *projects)
    try:
        done = subprocess.run(  # noqa: S603  our own interpreter and modules
            command,
            cwd=folder,
            env=workspaces.environment(),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=GC_LIMIT,
            check=False,
        )
    except subprocess.TimeoutExpired as error:
        raise CacheNotCleanedError(f"`dvc gc` did not end within {GC_LIMIT:.0f} s") from error
    if done.returncode:
        raise CacheNotCleanedError(f"`dvc gc` failed: {(done.stderr or done.stdout).strip()[-300:]}")
    removed = sum(int(number) for number in re.findall(r"Removed (\d+) objects", done.stdout + done.stderr))
    return Deletion(files=removed, bytes=max(0, size - sum(disk.used(place) for place in places)))
