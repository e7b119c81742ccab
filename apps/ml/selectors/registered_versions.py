"""Model versions: their stages, comparisons and promotions, and the features of the champion."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import QuerySet, TextChoices

from apps.matches.composed import composed_once
from apps.matches.models import World
from apps.ml.models import Comparison, ModelVersion, Promotion, ServedWorld
from apps.ml.pipeline.card import CardFacts
from apps.ml.pipeline.files import NO_ODDS
from apps.ml.selectors.policies import policy

PROFILES: Final = ("smoke", "production")
"""Training profiles, from the least work to the most."""


VERSIONS_CHARTED: Final = 60
"""Largest number of versions in a chart."""


class VersionStage(TextChoices):
    """Stage of a version on the way to champion; some are aliases in MLflow."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    CANDIDATE = "candidate"
    SMOKE = "smoke"
    FORMER = "former champion"
    PASSED_OVER = "passed over"
    DECLINED = "declined"
    LABELLED = "labelled"
    REFUSED = "refused"


ALIASES: Final = (
    VersionStage.SMOKE,
    VersionStage.CANDIDATE,
    VersionStage.CHALLENGER,
    VersionStage.CHAMPION,
    VersionStage.LABELLED,
)
"""Stages that are aliases in MLflow: the way to champion in its order, and labelled models, which use prices."""


@dataclass(frozen=True, slots=True)
class VersionStages:
    """The stages of the versions of a world, derived from promotions and comparisons."""

    champion: Promotion | None  # the newest promotion of the world
    former: frozenset[int]  # ids of all former champions
    favoured: frozenset[int]  # ids of versions that may take over, by their newest comparison with the champion

    def of(self, version: ModelVersion) -> VersionStage:
        """Return the stage of a version."""
        champion = self.champion.version if self.champion else None
        if champion is not None and champion.pk == version.pk:
            return VersionStage.CHAMPION
        if version.is_labelled:
            return VersionStage.LABELLED
        if version.pk in self.former:
            return VersionStage.FORMER
        if not may_be_champion(World(version.world), version.profile):
            return VersionStage.SMOKE
        if not version.passed_gates:
            return VersionStage.REFUSED
        if champion is None:
            return VersionStage.CANDIDATE
        if version.number < champion.number:
            return VersionStage.PASSED_OVER
        # A version trained with less work than the champion never takes over.
        if profile_rank(version.profile) < profile_rank(champion.profile):
            return VersionStage.SMOKE
        if version.declined_at is not None:
            return VersionStage.DECLINED
        return VersionStage.CHALLENGER if version.pk in self.favoured else VersionStage.CANDIDATE


def may_be_champion(world: World, profile: str) -> bool:
    """Return whether versions of a profile may serve a world: smoke versions do not forecast the real world."""
    return world != World.REAL or profile != PROFILES[0]


def profile_rank(profile: str) -> int:
    """Return the rank of a profile by how much work it does, from 0; −1 for an unknown one."""
    return PROFILES.index(profile) if profile in PROFILES else -1


def served_world() -> World:
    """Return the world that pages show first: the operator's choice, or the sandbox."""
    return World(_chosen_world.first() or World.SANDBOX)


@composed_once
def _chosen_world() -> QuerySet[ServedWorld, str]:
    return ServedWorld.objects.values_list("world", flat=True).order_by("pk")[:1]


def champion(world: World) -> Promotion | None:
    """Return the newest promotion of a world with its version, without the bundle."""
    return _champion.first(world)


def champion_shown(world: World) -> Promotion | None:
    """Return the newest promotion of a world with only the number of its version, for pages that name the champion."""
    return _champion_shown.first(world)


@composed_once
def _champion_shown(world: World) -> QuerySet[Promotion]:
    return (
        Promotion.objects.filter(world=world)
        .select_related("version")
        .only("world", "decided_at", "version__world", "version__number")
        .order_by("-id")[:1]
    )


@composed_once
def _champion(world: World) -> QuerySet[Promotion]:
    rows = Promotion.objects.filter(world=world).select_related("version").defer("version__bundle")
    return rows.order_by("-id")[:1]


def previous_champion(world: World) -> int | None:
    """Return the id of the version that a rollback would restore; None where there is none."""
    line: list[int] = []
    for kind, version_id in _decisions(world):
        if kind == Promotion.Action.ROLLBACK and version_id in line:
            # Its latest promotion is the newest one that counts again.
            del line[len(line) - line[::-1].index(version_id) :]
        elif kind == Promotion.Action.ROLLBACK:
            # A version that had not served takes the place of the champion that was given up.
            line[-1:] = [version_id]
        else:
            line.append(version_id)
    return line[-2] if len(line) > 1 else None


@composed_once
def _decisions(world: World) -> QuerySet[Promotion, tuple[str, int]]:
    return Promotion.objects.filter(world=world).order_by("id").values_list("kind", "version_id")


@dataclass(frozen=True, slots=True)
class ChampionPeriod:
    """The time in which a version was champion, from its first promotion to the one that replaced it last."""

    version_id: int
    number: int
    since: datetime
    until: datetime | None


def first_promotion_at(world: World) -> datetime | None:
    """Return when a world had its first champion, before which nothing was published; None without one."""
    return Promotion.objects.filter(world=world).order_by("id").values_list("decided_at", flat=True).first()


def champion_periods(world: World) -> dict[int, ChampionPeriod]:
    """Return the champions of a world, past and present, by their numbers."""
    rows = list(
        Promotion.objects.filter(world=world).order_by("id").values_list("version_id", "version__number", "decided_at")
    )
    found: dict[int, ChampionPeriod] = {}
    ends = [*(row[2] for row in rows[1:]), None]
    for (version_id, number, since), until in zip(rows, ends[: len(rows)], strict=True):
        found[number] = ChampionPeriod(version_id, number, found[number].since if number in found else since, until)
    return found


def versions() -> QuerySet[ModelVersion]:
    """Return all registered versions, without their bundles."""
    return ModelVersion.objects.defer("bundle")


def model_versions(world: World) -> QuerySet[ModelVersion]:
    """Return the registered versions of a world, newest first, without their bundles."""
    return versions().filter(world=world).order_by("-number")


@composed_once
def newest_versions(world: World, limit: int) -> QuerySet[ModelVersion]:
    """Return the newest versions of a world, without their bundles."""
    return model_versions(world)[:limit]


def model_version(world: World, number: int) -> ModelVersion | None:
    """Return one version of a world with the run that made it, without the bundle."""
    return model_versions(world).filter(number=number).select_related("pipeline_run").first()


def stages(world: World) -> VersionStages:
    """Return the stages of the versions of a world, with three queries."""
    present = champion(world)
    if present is None:
        return VersionStages(None, frozenset(), frozenset())
    ever = {version_id for _, version_id in _decisions(world)}
    newest = _newest_verdicts(present.version_id)
    return VersionStages(
        present,
        frozenset(ever - {present.version_id}),
        frozenset(candidate for candidate, verdict in newest if verdict == Comparison.Verdict.CHALLENGER),
    )


@composed_once
def _newest_verdicts(champion_id: int) -> QuerySet[Comparison, tuple[int, str]]:
    rows = Comparison.objects.filter(champion_id=champion_id).order_by("candidate_id", "-id")
    return rows.distinct("candidate_id").values_list("candidate_id", "verdict")


def aliases(world: World) -> dict[str, ModelVersion | None]:
    """Return the version of each alias: the champion, and the newest version of every other stage.

    A challenger has the alias of candidates too, until it becomes champion.
    """
    found: dict[str, ModelVersion | None] = dict.fromkeys((alias.value for alias in ALIASES), None)
    stages_of_world = stages(world)
    for version in model_versions(world).filter(files_deleted_at__isnull=True).defer("bundle", "metrics"):
        stage = stages_of_world.of(version)
        names = [stage.value] if stage in ALIASES else []
        if stage == VersionStage.CHALLENGER:
            names.append(VersionStage.CANDIDATE.value)
        if version.profile == PROFILES[0] and not version.is_labelled:
            names.append(VersionStage.SMOKE.value)
        for name in names:
            found[name] = found[name] or version
    return found


def to_compare(world: World) -> ModelVersion | None:
    """Return the newest candidate, if it was not compared with the champion by the present policy; else None."""
    stages_of_world = stages(world)
    if stages_of_world.champion is None:
        return None
    for version in model_versions(world).filter(files_deleted_at__isnull=True).defer("bundle", "metrics"):
        if stages_of_world.of(version) in (VersionStage.CANDIDATE, VersionStage.CHALLENGER):
            newest = Comparison.objects.filter(candidate=version, champion_id=stages_of_world.champion.version_id)
            compared_by = newest.order_by("-id").values_list("rules", flat=True).first()
            return None if compared_by == policy(world).compare else version
    return None


def comparisons(version: ModelVersion) -> QuerySet[Comparison]:
    """Return the comparisons of a candidate with champions, newest first."""
    return version.comparisons.select_related("champion").defer("champion__bundle", "champion__metrics").order_by("-id")


def newest_comparison(version: ModelVersion) -> Comparison | None:
    """Return the newest comparison of a candidate with a champion."""
    return comparisons(version).first()


def promotion_warnings(version: ModelVersion) -> list[str]:
    """Return the reasons against promoting a version: failed gates and criteria of the comparison."""
    found = [f"gate “{gate['name']}” did not pass: {gate['reason']}" for gate in version.gates if not gate["passed"]]
    present = champion(World(version.world))
    if present is None or present.version_id == version.pk:
        return found
    compared = comparisons(version).filter(champion_id=present.version_id).first()
    if compared is None:
        return [*found, f"it has not been compared with the champion, {present.version}"]
    return [*found, *(f"{line['name']}: {line['reason']}" for line in compared.failed)]


def card_facts(version: ModelVersion, comparison: Comparison | None = None) -> CardFacts:
    """Return the content of the model card of a version."""
    lineage = {
        "data": version.data_sha256,
        "data snapshot": str(version.data_snapshot),
        "parameters": version.params_sha256,
        "features": version.catalogue_id or "not kept",
        "code": version.code_revision,
        "served files": version.bundle_sha256,
        "all of these": version.key,
        "MLflow run": version.mlflow_run_id,
    }
    return CardFacts(
        world=version.world,
        number=version.number,
        estimator=version.estimator,
        inputs=version.inputs,
        profile=version.profile,
        as_of=version.as_of,
        rows=version.rows,
        trained_from=version.trained_from,
        trained_to=version.trained_to,
        columns=len(version.columns),
        metrics=version.metrics,
        gates=version.gates,
        lineage=lineage,
        comparison=None
        if comparison is None
        else {
            "champion": comparison.champion.number,
            "verdict": comparison.get_verdict_display(),
            "reason": comparison.reason,
            "n": comparison.n,
            "criteria": comparison.criteria,
        },
    )


@dataclass(frozen=True, slots=True)
class Catalogue:
    """Features of the champion; `read` are the names of those that the model uses."""

    version: ModelVersion
    sha256: str
    features: tuple[Mapping[str, Any], ...]
    read: frozenset[str]


def catalogue(world: World) -> Catalogue | None:
    """Return the features of the champion of a world; None without a champion that has a catalogue."""
    present = champion(world)
    if present is None or present.version.catalogue is None:
        return None
    rows = present.version.catalogue.features
    return Catalogue(present.version, present.version.catalogue.sha256, tuple(rows), frozenset(present.version.columns))


def promotions(world: World) -> QuerySet[Promotion]:
    """Return the promotions of a world, newest first, with both versions but without their large fields."""
    large = ("bundle", "metrics", "gates", "columns")
    return (
        Promotion.objects.filter(world=world)
        .select_related("version", "previous")
        .defer(*(f"{side}__{name}" for side in ("version", "previous") for name in large))
        .order_by("-id")
    )


@composed_once
def newest_promotions(world: World, limit: int) -> QuerySet[Promotion]:
    """Return the newest promotions of a world as `promotions` does."""
    return promotions(world)[:limit]


def version_scores(world: World, profile: str) -> list[tuple[ModelVersion, dict[str, float]]]:
    """Return the versions of a world and profile without prices, the oldest first, each with the scores of its model.

    Only the latest `VERSIONS_CHARTED` are returned.
    """
    found = model_versions(world).filter(profile=profile, inputs=NO_ODDS).defer("bundle", "columns", "gates")
    return [
        (version, version.metrics.get("models", {}).get(version.estimator, {}))
        for version in reversed(found[:VERSIONS_CHARTED])
    ]
