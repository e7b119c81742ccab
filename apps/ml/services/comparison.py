"""Compares candidates with the champion by the policy of the world, and stores the comparisons with their reasons."""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import datetime
from typing import TYPE_CHECKING

from django.db import DatabaseError, transaction

from apps.matches import events
from apps.matches.locks import Lock, wait_for
from apps.matches.models import Topic, World
from apps.ml import metrics, selectors
from apps.ml.models import Comparison, EvaluationArtifacts, ModelVersion
from apps.ml.pipeline import files
from apps.ml.services.champion import FILES_DELETED, SMOKE_IS_NO_CHAMPION

if TYPE_CHECKING:
    from apps.ml.pipeline.comparison import Contender


logger = logging.getLogger(__name__)


class NothingToCompareError(Exception):
    """The version cannot be compared; the message says why."""


def why_not_compared(version: ModelVersion) -> str:
    """Return why a version cannot be compared with the champion of its world; empty where it can."""
    if version.files_deleted_at is not None:
        return f"{version} {FILES_DELETED}"
    promotion = selectors.champion(World(version.world))
    if promotion is None:
        return f"The {version.world} world has no champion to compare with."
    return f"{version} is the champion itself." if promotion.version_id == version.pk else ""


def compare(*, version: ModelVersion, now: datetime) -> Comparison:
    """Compare a version with the champion of its world on the matches that both forecast out of sample.

    Return the existing row when the same files have already been compared under the same rules.

    Raises
    ------
    NothingToCompareError
        When the version can never be champion, the world has no champion, or the version is the champion.
    """
    if not selectors.may_be_champion(World(version.world), version.profile):
        raise NothingToCompareError(f"{version} {SMOKE_IS_NO_CHAMPION}")
    # Imported here because it loads pandas and the estimators.
    from apps.ml.pipeline import comparison as pure

    promotion = selectors.champion(World(version.world))
    if promotion is None or promotion.version_id == version.pk or version.files_deleted_at is not None:
        raise NothingToCompareError(why_not_compared(version))
    rules = dict(selectors.policy(World(version.world)).compare)
    forecast_hashes = dict(
        EvaluationArtifacts.objects.filter(version_id__in=[version.pk, promotion.version_id]).values_list(
            "version_id", "forecasts_sha256"
        )
    )
    champion = ModelVersion.objects.defer("bundle").get(pk=promotion.version_id)
    compared = [(each.bundle_sha256, forecast_hashes.get(each.pk)) for each in (version, champion)]
    key = files.json_sha256([compared, rules])
    existing = Comparison.objects.filter(candidate=version, champion=champion).order_by("-id").first()
    if existing is not None and existing.key == key:
        return existing
    result = pure.compare(_contender(version), _contender(champion), rules)
    verdict = Comparison.Verdict.CHALLENGER if result.may_take_over else Comparison.Verdict.CANDIDATE
    with transaction.atomic():
        # Otherwise two simultaneous comparisons would store two equal rows.
        wait_for(Lock.PROMOTION)
        version.refresh_from_db(fields=["files_deleted_at"])
        if version.files_deleted_at is not None:
            raise NothingToCompareError(why_not_compared(version))
        existing = Comparison.objects.filter(candidate=version, champion=champion).order_by("-id").first()
        if existing is not None and existing.key == key:
            return existing
        made = Comparison.objects.create(
            world=version.world,
            candidate=version,
            champion=champion,
            verdict=verdict,
            reason=result.sentence,
            criteria=[asdict(criterion) for criterion in result.criteria],
            n=result.n,
            rules=rules,
            key=key,
            decided_at=now,
        )
        events.publish(
            topic=Topic.COMPARISON_MADE,
            key=version.world,
            world=version.world,
            now=now,
            payload={"version": version.number, "champion": champion.number, "verdict": str(verdict)},
        )
        events.start_tasks_after_commit("compared")
    return made


def compare_due(*, now: datetime) -> list[Comparison]:
    """Compare the newest candidate of each world, unless it has been compared with the champion by the same rules."""
    made = []
    for world in World:
        version = selectors.to_compare(world)
        if version is None:
            continue
        try:
            made.append(compare(version=version, now=now))
        except NothingToCompareError as nothing:
            # It has been promoted since it was selected.
            logger.info("compare_due: %s", nothing)
        except (DatabaseError, ValueError) as error:
            # An error in one world must stop neither the other world nor a run that has finished.
            metrics.ERRORS.labels("compare").inc()
            logger.exception("%s is not compared: %s", version, error)
    return made


def _contender(version: ModelVersion) -> Contender:
    from apps.ml.pipeline.comparison import Contender

    forecasts = EvaluationArtifacts.objects.filter(version_id=version.pk).values_list("forecasts", flat=True).first()
    content = ModelVersion.objects.values_list("bundle", flat=True).get(pk=version.pk)
    return Contender(version.number, bytes(content), None if forecasts is None else bytes(forecasts))
