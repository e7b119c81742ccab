"""Migrations rename tables without touching their rows."""

from __future__ import annotations

import pytest
from django.db import connection
from django.db.migrations.executor import MigrationExecutor

from apps.ml.models import ModelVersion

pytestmark = pytest.mark.django_db


def migrate_to(name: str | None) -> None:
    """Migrate to a migration of the app; to its newest one by None."""
    with connection.cursor() as cursor:
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
    executor = MigrationExecutor(connection)
    executor.migrate([("ml", name)] if name else executor.loader.graph.leaf_nodes("ml"))


def rows(table: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT id, version_id, forecasts_sha256 FROM {table} ORDER BY id")
        return cursor.fetchall()


def test_the_way_back_is_refused_after_retention_has_deleted(make_version, now):
    version = make_version(1)
    migrate_to("0011_run_control")
    migrate_to(None)
    ModelVersion.objects.filter(pk=version.pk).update(files_deleted_at=now)
    with pytest.raises(RuntimeError, match="restore a backup"):
        migrate_to("0011_run_control")


def test_dossiers_of_the_version_before_are_evaluation_artifacts(make_version):
    make_version(1, home=0.4)
    stored = rows("ml_evaluationartifacts")
    assert len(stored) == 1
    migrate_to("0006_interrupted_runs")
    assert rows("ml_dossier") == stored
    migrate_to("0007_plain_names")
    assert rows("ml_evaluationartifacts") == stored
    migrate_to(None)
    make_version(2, home=0.4)
    assert len(rows("ml_evaluationartifacts")) == 2
