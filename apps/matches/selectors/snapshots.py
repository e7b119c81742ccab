"""The data snapshot of a world: up to which change of a fact it is read."""

from __future__ import annotations

from datetime import datetime

from django.db.models import QuerySet

from apps.matches.models import Ingest, World


def data_snapshot(world: World) -> int:
    """Return the number of the latest finished ingest of a world that changed a fact; 0 when there is none."""
    return _snapshots(world).values_list("id", flat=True).first() or 0


def updated_at(world: World) -> datetime | None:
    """Return when the data snapshot of a world was complete: the end of its latest ingest that changed a fact."""
    return _snapshots(world).values_list("finished_at", flat=True).first()


def _snapshots(world: World) -> QuerySet[Ingest]:
    return Ingest.objects.filter(world=world, changed_facts=True, finished_at__isnull=False).order_by("-id")
