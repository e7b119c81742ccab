"""One run of retention over all kinds, and how large everything is.

Not imported by the package: it loads the deletion of all apps, which web processes do not need.
"""

from __future__ import annotations

import logging
import shutil
from collections.abc import Callable
from dataclasses import asdict, dataclass
from datetime import datetime
from functools import partial
from pathlib import Path
from typing import Final

from axes.models import AccessAttempt, AccessFailureLog, AccessLog
from django.conf import settings
from django.contrib.sessions.models import Session
from django.core.files.storage import FileSystemStorage, storages
from django.db import connection
from django.db.models import Model
from django.utils import timezone

from apps.api.models import PredictionJob, WebhookDelivery
from apps.api.services.metric_files import merge_ended
from apps.api.services.webhooks import delivered_until
from apps.matches import disk
from apps.matches import services as matches
from apps.matches.connections import first_line
from apps.matches.locks import Lock, try_lock
from apps.matches.models import RetentionRun, World
from apps.matches.services import Deletion, Retention, RoleMissingError
from apps.ml.models import DriftReport, RetrainingDecision
from apps.ml.registry import RegistryError
from apps.ml.services import retention as ml
from apps.scraping import services as scraping
from apps.scraping.models import SourceDay

logger = logging.getLogger(__name__)

Step = Callable[[Retention], Deletion]


@dataclass(frozen=True, slots=True)
class RetentionReport:
    """What one run deleted, or would delete, by kind; why a kind was not finished; what everything uses afterwards."""

    deleted: dict[str, Deletion]
    errors: dict[str, str]
    sizes: dict[str, int]
    busy: bool = False


def _delete_events(run: Retention) -> Deletion:
    return matches.delete_events(run, delivered_until=delivered_until(now=run.now))


def _delete_rows(run: Retention, *, kind: str, model: type[Model], moment: str) -> Deletion:
    """Delete the rows whose `moment`, a column, is before the period of a kind."""
    before = run.before(kind)
    rows = model._default_manager
    return Deletion() if before is None else run.rows(rows.filter(**{f"{moment}__lt": before}))


def _delete_logins(run: Retention) -> Deletion:
    """Delete the log of logins and failures, and sessions that have expired."""
    done = run.rows(Session.objects.filter(expire_date__lt=run.now), key="session_key")
    before = run.before("logins")
    for log in (AccessLog, AccessAttempt, AccessFailureLog):
        done += Deletion() if before is None else run.rows(log.objects.filter(attempt_time__lt=before))
    return done


def _merge_metric_files(run: Retention) -> Deletion:
    before = run.before("metric-files")
    if before is None or not settings.PROMETHEUS_MULTIPROC_DIR:
        return Deletion()
    return merge_ended(Path(settings.PROMETHEUS_MULTIPROC_DIR), run, before=before)


EXPECTED: Final = (ml.RunsBusyError, ml.CacheNotCleanedError, RegistryError, RoleMissingError)
"""Errors whose text describes the problem."""

OTHER_TABLES: Final = "other tables"
PAGES_ON_DISK: Final = "raw pages"

# The first beginning that fits counts.
TABLES: Final = {
    "ml_prediction": "forecasts",
    "ml_score": "forecasts",
    "ml_ledger": "ledger",
    "ml_seasonforecast": "season forecasts",
    "ml_pipelinerun": "pipeline runs",
    "ml_feature": "feature states",
    "ml_": "model versions",
    "matches_event": "events",
    "matches_": "matches",
    "scraping_": "scrape runs",
    "api_": "jobs and webhooks",
    "": OTHER_TABLES,
}
"""Beginning of a table's name → the part that it belongs to."""

FOLDERS: Final = {
    "run workspaces": "runs",
    "DVC cache": "dvc-cache",
    "DVC remote": "dvc-remote",
    "finished training steps": "finished-steps",
    "MLflow files": "mlflow",
    "model copies": "bundles",
    "metric files": "run/metrics",
    "logs": "log",
    "static files": "static",
}
"""Part → its folder in `SPAI_VAR_DIR`."""

# In the order of their effect on each other: rows that refer to versions and runs go before these.
STEPS: Final[dict[str, Step]] = {
    "forecasts": partial(ml.delete_forecasts, kind="forecasts", world=World.REAL),
    "sandbox-forecasts": partial(ml.delete_forecasts, kind="sandbox-forecasts", world=World.SANDBOX),
    "sandbox-ledger": ml.delete_sandbox_leaves,
    "season-forecasts": partial(ml.delete_season_forecasts, kind="season-forecasts", world=World.REAL),
    "sandbox-season-forecasts": partial(
        ml.delete_season_forecasts, kind="sandbox-season-forecasts", world=World.SANDBOX
    ),
    "events": _delete_events,
    "pages": partial(scraping.delete_pages, kind="pages"),
    "sandbox-pages": partial(scraping.delete_pages, kind="sandbox-pages"),
    "workspaces": ml.delete_workspaces,
    "model-files": ml.delete_model_files,
    "runs": ml.delete_runs,
    "feature-states": ml.delete_feature_states,
    "model-copies": ml.delete_model_copies,
    **{
        kind: partial(_delete_rows, kind=kind, model=model, moment=moment)
        for kind, model, moment in (
            ("drift-reports", DriftReport, "computed_at"),
            ("retraining-decisions", RetrainingDecision, "latest_at"),
            ("source-days", SourceDay, "day"),
            ("webhook-deliveries", WebhookDelivery, "finished_at"),
            ("prediction-jobs", PredictionJob, "expires_at"),
        )
    },
    "logins": _delete_logins,
    "metric-files": _merge_metric_files,
    "retention-runs": matches.delete_reports,
}


def apply_retention(
    *,
    requested_by: str,
    clock: Callable[[], datetime] = timezone.now,
    is_dry: bool = False,
    only_measures: bool = False,
    is_stopping: Callable[[], bool] = lambda: False,
) -> RetentionReport:
    """Delete what is older than its period, kind by kind, and keep a report as a row.

    An error of one kind stops no other. A dry run counts, and writes nothing; one that only measures keeps a report of
    what uses the disk.
    """
    run = Retention(clock(), is_dry=is_dry, is_stopping=is_stopping)
    if is_dry:
        return RetentionReport(*_work(run), measured_sizes())
    with try_lock(Lock.RETENTION) as is_ours:
        if not is_ours:
            return RetentionReport({}, {}, {}, busy=True)
        matches.ensure_periods()
        row = RetentionRun.objects.create(started_at=run.now, requested_by=requested_by)
        deleted, errors = ({}, {}) if only_measures else _work(run)
        row.deleted = {kind: asdict(gone) for kind, gone in deleted.items() if gone != Deletion()}
        row.errors, row.sizes = errors, measured_sizes()
        row.free_bytes = shutil.disk_usage(settings.SPAI_VAR_DIR).free
        row.finished_at = clock()
        row.save()
        return RetentionReport(deleted, errors, row.sizes)


def _work(run: Retention) -> tuple[dict[str, Deletion], dict[str, str]]:
    """Return what was deleted by kind, and by kind why it was not finished."""
    deleted, errors = {}, {}
    for kind, step in STEPS.items():
        try:
            deleted[kind] = step(run)
        except EXPECTED as error:
            logger.warning("retention of %s: %s", kind, error)
            errors[kind] = str(error)
        except Exception as error:
            # A kind that cannot be deleted must not let all others grow.
            logger.exception("retention of %s", kind)
            errors[kind] = f"{type(error).__name__}: {first_line(error)}"
    return deleted, errors


def measured_sizes() -> dict[str, int]:
    """Return the bytes on disk of each part, in the database and in files of this machine; unlisted parts are 0."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT relname, pg_total_relation_size(oid) FROM pg_class"
            " WHERE relkind = 'r' AND relnamespace = current_schema()::regnamespace"
        )
        tables = dict(cursor.fetchall())
    sizes: dict[str, int] = dict.fromkeys([*TABLES.values(), *FOLDERS], 0)
    for table, size in tables.items():
        sizes[next((name for start, name in TABLES.items() if table.startswith(start)), OTHER_TABLES)] += size
    for name, place in FOLDERS.items():
        sizes[name] = disk.used(settings.SPAI_VAR_DIR / place)
    pages = storages["snapshots"]
    sizes[PAGES_ON_DISK] = disk.used(Path(pages.location)) if isinstance(pages, FileSystemStorage) else 0
    # MLflow's tables, and the log from which PostgreSQL recovers.
    sizes["rest of PostgreSQL"] = max(0, disk.used(settings.SPAI_VAR_DIR / "postgres") - sum(tables.values()))
    return sizes
