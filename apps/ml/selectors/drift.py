"""The latest report on drift of a world."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from django.db.models import QuerySet

from apps.matches.models import World
from apps.ml.forecasting.drift import DriftTest, MeasuredDrift
from apps.ml.models import DriftReport


@dataclass(frozen=True, slots=True)
class LatestDrift:
    """Whether matches, forecasts or scores of the champion of a world have drifted, as of the latest check."""

    world: World
    version_number: int
    report_id: int
    computed_at: datetime
    is_drifted: bool
    score: float  # the largest statistic over its threshold: 1 and more is drift
    features: DriftTest
    predictions: DriftTest
    concept: DriftTest

    @property
    def tests(self) -> dict[str, DriftTest]:
        """The three tests by the kind of their data."""
        return {"features": self.features, "predictions": self.predictions, "concept": self.concept}


def drift_reports(world: World) -> QuerySet[DriftReport]:
    """Return the reports of a world, newest first, with their versions but without large fields."""
    return (
        DriftReport.objects.filter(world=world)
        .select_related("version")
        .defer("page", *(f"version__{name}" for name in ("bundle", "metrics", "gates", "columns")))
        .order_by("-computed_at", "-id")
    )


def latest_drift(world: World) -> LatestDrift | None:
    """Return the latest report of a world; None before the first."""
    row = drift_reports(world).first()
    return None if row is None else drift_of(row)


def drift_of(row: DriftReport) -> LatestDrift:
    """Return what a report says."""
    return LatestDrift(
        world=World(row.world),
        version_number=row.version.number,
        report_id=row.pk,
        computed_at=row.computed_at,
        is_drifted=row.is_drifted,
        score=row.score,
        features=_test(row.features),
        predictions=_test(row.predictions),
        concept=_test(row.concept),
    )


def _test(stored: Mapping[str, Any]) -> DriftTest:
    measured = tuple(MeasuredDrift(**_known(MeasuredDrift, row)) for row in stored["measured"])
    return DriftTest(**_known(DriftTest, stored) | {"measured": measured})


def _known(kind: type[DriftTest] | type[MeasuredDrift], stored: Mapping[str, Any]) -> dict[str, Any]:
    """Return what this release knows of a stored report: another one may have stored more."""
    names = {field.name for field in fields(kind)}
    return {name: value for name, value in stored.items() if name in names}
