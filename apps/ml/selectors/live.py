"""Versions that forecast in shadow beside the champion, and how they score against it on the same matches."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

import numpy as np
from django.db.models import QuerySet

from apps.matches.composed import composed_once
from apps.matches.models import World
from apps.ml.forecasting import scoring
from apps.ml.models import Comparison, ModelVersion, Promotion, Score
from apps.ml.policy import PROPOSE
from apps.ml.selectors.forecasts import ScoreComparison, compare_scores, valid_scores
from apps.ml.selectors.policies import policy
from apps.ml.selectors.registered_versions import (
    VersionStage,
    VersionStages,
    model_versions,
    previous_champion,
    stages,
)

SHOWN: Final = 1000
"""Latest graded matches of each version that live comparisons use."""


@dataclass(frozen=True, slots=True)
class GradedPairs:
    """Log loss and RPS of the champion and of a shadow on the same `n` matches, the latest first."""

    champion: np.ndarray  # (n, 2)
    shadow: np.ndarray  # (n, 2)
    kickoffs: np.ndarray  # (n,), seconds; matches that kick off together are drawn together


@dataclass(frozen=True, slots=True)
class LiveComparison:
    """A version in shadow against the champion, on the latest matches of both that were graded since the promotion.

    `scores` has the version as the model and the champion as the other; None before the first graded match.
    """

    version: ModelVersion
    was_champion: bool
    scores: ScoreComparison | None


def challengers(world: World) -> list[ModelVersion]:
    """Return the versions that may take over by their newest comparison with the champion, the newest first."""
    found = stages(world)
    rows = model_versions(world).filter(pk__in=found.favoured).defer("bundle", "metrics")
    return [version for version in rows if found.of(version) == VersionStage.CHALLENGER]


def shadow_versions(world: World) -> list[ModelVersion]:
    """Return the versions that forecast in shadow: the previous champion, and the newest challengers."""
    return [version for version, _ in _in_shadow(world, stages(world))]


def _in_shadow(world: World, found: VersionStages) -> list[tuple[ModelVersion, bool]]:
    """Return the versions in shadow, and whether each is the previous champion."""
    before = previous_champion(world)
    rows = _versions_with_ids(world, [before or 0, *found.favoured])
    rivals = [version for version in rows if found.of(version) == VersionStage.CHALLENGER]
    return [
        *((version, True) for version in rows if version.pk == before),
        *((version, False) for version in rivals[: policy(world).promote["challengers"]]),
    ]


@composed_once
def _versions_with_ids(world: World, version_ids: list[int]) -> QuerySet[ModelVersion]:
    return model_versions(world).filter(pk__in=version_ids).defer("bundle", "metrics")


def graded_pairs(
    promotion: Promotion, version_ids: Sequence[int], *, latest: int | None = None
) -> dict[int, GradedPairs]:
    """Return the scores of a champion and of versions in shadow on the same matches since a promotion, with one query.

    Parameters
    ----------
    latest : int, optional
        Only so many pairs, those of the latest kick-offs.
    """
    arguments = World(promotion.world), promotion.version_id, promotion.decided_at, list(version_ids)
    rows = _graded_pairs(*arguments) if latest is None else _latest_pairs(*arguments, latest)
    by_version: dict[int, list[tuple[Any, ...]]] = {version_id: [] for version_id in version_ids}
    for kickoff_at, outcome, log_loss, rps, version_id, *p in rows:
        by_version[version_id].append((int(kickoff_at.timestamp()), outcome, log_loss, rps, *p))
    return {version_id: _pairs(found) for version_id, found in by_version.items()}


@composed_once
def _graded_pairs(
    world: World, champion_id: int, since: datetime, version_ids: list[int]
) -> QuerySet[Score, tuple[Any, ...]]:
    return _pairs_of(world, champion_id, since, version_ids)


@composed_once
def _latest_pairs(
    world: World, champion_id: int, since: datetime, version_ids: list[int], latest: int
) -> QuerySet[Score, tuple[Any, ...]]:
    return _pairs_of(world, champion_id, since, version_ids)[:latest]


def _pairs_of(
    world: World, champion_id: int, since: datetime, version_ids: list[int]
) -> QuerySet[Score, tuple[Any, ...]]:
    scores = valid_scores(world).filter(
        prediction__version=champion_id,
        prediction__published_at__gte=since,
        prediction__shadows__version__in=version_ids,
    )
    shadow = [f"prediction__shadows__{name}" for name in ("version_id", "p_home", "p_draw", "p_away")]
    return scores.order_by("-match__kickoff_at", "-match_id").values_list(
        "match__kickoff_at", "outcome", "log_loss", "rps", *shadow
    )


def _pairs(rows: list[tuple[Any, ...]]) -> GradedPairs:
    table = np.array(rows, dtype=np.float64).reshape(-1, 7)
    outcomes, p = table[:, 1], table[:, 4:]
    shadow = np.empty((0, 2))
    if rows:
        shadow = np.column_stack([scoring.log_loss_each(p, outcomes), scoring.rps_each(p, outcomes)])
    return GradedPairs(champion=table[:, 2:4], shadow=shadow, kickoffs=table[:, 0])


def live_comparison(world: World, found: VersionStages) -> list[LiveComparison]:
    """Return the versions that forecast in shadow with their live scores against the champion of a world.

    Parameters
    ----------
    found : VersionStages
        The stages of the versions of the world.
    """
    if found.champion is None:
        return []
    versions = _in_shadow(world, found)
    pairs = graded_pairs(found.champion, [version.pk for version, _ in versions], latest=SHOWN * len(versions))
    return [
        LiveComparison(
            version,
            was_champion,
            compare_scores(graded.shadow, graded.champion, graded.kickoffs) if len(graded.kickoffs) else None,
        )
        for version, was_champion in versions
        for graded in [pairs[version.pk]]
    ]


def proposals(world: World) -> list[Comparison]:
    """Return the newest comparisons of the challengers that wait for a decision; none in the other modes."""
    if policy(world).mode != PROPOSE:
        return []
    rows = Comparison.objects.filter(candidate__in=[version.pk for version in challengers(world)])
    # By columns, because bundles and metrics are large.
    rows = rows.select_related("candidate", "champion").only(
        *("world", "reason", "decided_at"),
        *(f"{role}__{name}" for role in ("candidate", "champion") for name in ("world", "number")),
    )
    newest = rows.order_by("candidate_id", "-id").distinct("candidate_id")
    return sorted(newest, key=lambda comparison: -comparison.candidate.number)
