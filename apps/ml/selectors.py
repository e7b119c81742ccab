"""Reads of models, predictions and their scores."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

import numpy as np
from django.db.models import Count, Exists, F, Min, OuterRef, QuerySet, TextChoices
from django.db.models.expressions import RawSQL
from django.utils import timezone

from apps.matches.locks import Lock, is_taken
from apps.matches.models import Match, Season, World
from apps.ml.forecasting import scoring
from apps.ml.models import (
    Comparison,
    ModelVersion,
    PipelineRun,
    Prediction,
    Promotion,
    Score,
    SeasonForecast,
    ServedWorld,
)
from apps.ml.pipeline.card import CardFacts

INTERVAL_FROM: Final = 30
"""Matches from which a bootstrap interval means anything."""

PROFILES: Final = ("smoke", "production")
"""Profiles from the least work to the most."""

UNFINISHED: Final = (PipelineRun.RunStatus.QUEUED, PipelineRun.RunStatus.RUNNING, PipelineRun.RunStatus.INTERRUPTED)
"""Statuses of runs that are not over."""

SILENT_AFTER: Final = timedelta(seconds=3)
"""Age of the heartbeat of a run from which on the lock tells whether its executor lives."""


class VersionStage(TextChoices):
    """Where a version stands on its way to the forecasts; some of the names are aliases in MLflow."""

    CHAMPION = "champion"
    CHALLENGER = "challenger"
    CANDIDATE = "candidate"
    SMOKE = "smoke"
    FORMER = "former champion"
    PASSED_OVER = "passed over"
    LABELLED = "labelled"
    REFUSED = "refused"


ALIASES: Final = (
    VersionStage.SMOKE,
    VersionStage.CANDIDATE,
    VersionStage.CHALLENGER,
    VersionStage.CHAMPION,
    VersionStage.LABELLED,
)
"""Stages that MLflow mirrors: the way in its order, and beside it the models that look at prices."""


def served_world() -> World:
    """Return the world that pages show first: the operator's choice, else the sandbox."""
    chosen = ServedWorld.objects.values_list("world", flat=True).first()
    return World(chosen) if chosen else World.SANDBOX


def champion(world: World) -> Promotion | None:
    """Return the newest promotion of a world with its version, the bundle left in the database."""
    return (
        Promotion.objects.filter(world=world).select_related("version").defer("version__bundle").order_by("-id").first()
    )


def versions() -> QuerySet[ModelVersion]:
    """Return all registered versions, the bundles left in the database."""
    return ModelVersion.objects.defer("bundle")


def model_versions(world: World) -> QuerySet[ModelVersion]:
    """Return the registered versions of a world, newest first, the bundles left in the database."""
    return versions().filter(world=world).order_by("-number")


@dataclass(frozen=True, slots=True)
class VersionStages:
    """Where the versions of a world stand, by what was decided of them.

    Parameters
    ----------
    champion : Promotion or None
        The newest promotion of the world.
    former : frozenset of int
        Ids of all versions that were champion before.
    favoured : frozenset of int
        Ids of versions whose newest comparison with the present champion found that they may take over.
    """

    champion: Promotion | None
    former: frozenset[int]
    favoured: frozenset[int]

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
        # Less work than the champion's may check the pipeline; it never takes over.
        if _thoroughness(version.profile) < _thoroughness(champion.profile):
            return VersionStage.SMOKE
        return VersionStage.CHALLENGER if version.pk in self.favoured else VersionStage.CANDIDATE


def may_be_champion(world: World, profile: str) -> bool:
    """Whether versions made with a profile may serve a world: smoke checks the pipeline, and no real forecast."""
    return world != World.REAL or profile != PROFILES[0]


def _thoroughness(profile: str) -> int:
    return PROFILES.index(profile) if profile in PROFILES else -1


def stages(world: World) -> VersionStages:
    """Return where the versions of a world stand: three queries, however many there are."""
    present = champion(world)
    if present is None:
        return VersionStages(None, frozenset(), frozenset())
    ever = set(Promotion.objects.filter(world=world).values_list("version_id", flat=True))
    newest = (
        Comparison.objects.filter(champion_id=present.version_id)
        .order_by("candidate_id", "-id")
        .distinct("candidate_id")
        .values_list("candidate_id", "verdict")
    )
    return VersionStages(
        present,
        frozenset(ever - {present.version_id}),
        frozenset(candidate for candidate, verdict in newest if verdict == Comparison.Verdict.CHALLENGER),
    )


def aliases(world: World) -> dict[str, ModelVersion | None]:
    """Return the version that each alias names: the champion, and the newest of every other kind.

    A challenger is a candidate too; once it is champion neither alias names it any more.
    """
    found: dict[str, ModelVersion | None] = dict.fromkeys((alias.value for alias in ALIASES), None)
    stands = stages(world)
    for version in model_versions(world).defer("bundle", "metrics"):
        stage = stands.of(version)
        names = [stage.value] if stage in ALIASES else []
        if stage == VersionStage.CHALLENGER:
            names.append(VersionStage.CANDIDATE.value)
        if version.profile == PROFILES[0] and not version.is_labelled:
            names.append(VersionStage.SMOKE.value)
        for name in names:
            found[name] = found[name] or version
    return found


def to_compare(world: World) -> ModelVersion | None:
    """Return the newest version that may challenge the champion and was not compared with it; None without one."""
    stands = stages(world)
    if stands.champion is None:
        return None
    for version in model_versions(world).defer("bundle", "metrics"):
        if stands.of(version) in (VersionStage.CANDIDATE, VersionStage.CHALLENGER):
            done = Comparison.objects.filter(candidate=version, champion_id=stands.champion.version_id).exists()
            return None if done else version
    return None


def comparisons(version: ModelVersion) -> QuerySet[Comparison]:
    """Return the comparisons that a version was the candidate of, newest first."""
    return version.comparisons.select_related("champion").defer("champion__bundle", "champion__metrics").order_by("-id")


def newest_comparison(version: ModelVersion) -> Comparison | None:
    """Return the newest comparison that a version was the candidate of."""
    return comparisons(version).first()


def promotion_warnings(version: ModelVersion) -> list[str]:
    """Return in words what speaks against making a version champion: gates, and the comparison with the champion."""
    found = [f"gate “{gate['name']}” did not pass: {gate['reason']}" for gate in version.gates if not gate["passed"]]
    present = champion(World(version.world))
    if present is None or present.version_id == version.pk:
        return found
    compared = comparisons(version).filter(champion_id=present.version_id).first()
    if compared is None:
        return [*found, f"it was not compared with the champion, {present.version}"]
    return [*found, *(f"{line['name']}: {line['reason']}" for line in compared.failed)]


def model_version(world: World, number: int) -> ModelVersion | None:
    """Return one version of a world with the run that made it, the bundle left in the database."""
    return model_versions(world).filter(number=number).select_related("pipeline_run").first()


def card_facts(version: ModelVersion, comparison: Comparison | None = None) -> CardFacts:
    """Return what the model card of a version is made of."""
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
    """What the features of the champion mean; `read` names those that it looks at."""

    version: ModelVersion
    sha256: str
    features: tuple[Mapping[str, Any], ...]
    read: frozenset[str]


def catalogue(world: World) -> Catalogue | None:
    """Return the features of the champion of a world; None without one that kept them."""
    present = champion(world)
    if present is None or present.version.catalogue is None:
        return None
    rows = present.version.catalogue.features
    return Catalogue(present.version, present.version.catalogue.sha256, tuple(rows), frozenset(present.version.columns))


def promotions(world: World) -> QuerySet[Promotion]:
    """Return who promoted what and why, newest first, with the versions without what is large in them."""
    large = ("bundle", "metrics", "gates", "columns")
    return (
        Promotion.objects.filter(world=world)
        .select_related("version", "previous")
        .defer(*(f"{side}__{name}" for side in ("version", "previous") for name in large))
        .order_by("-id")
    )


def runs(world: World) -> QuerySet[PipelineRun]:
    """Return the pipeline runs of a world, newest first."""
    return PipelineRun.objects.filter(world=world).order_by("-id")


def latest_run(world: World) -> PipelineRun | None:
    """Return the newest pipeline run of a world, as it stands."""
    run = runs(world).first()
    return None if run is None else with_actual_status(run)


def with_actual_status(run: PipelineRun) -> PipelineRun:
    """Return a run to be shown, as interrupted where its executor died and nobody could write that down.

    A heartbeat alone may be late on a busy machine; the lock of an executor is free as soon as that is dead.
    """
    if run.status == PipelineRun.RunStatus.RUNNING and run.heartbeat_at is not None:
        is_silent = timezone.now() - run.heartbeat_at > SILENT_AFTER
        if is_silent and not is_taken(Lock.RUN):
            run.status = PipelineRun.RunStatus.INTERRUPTED
            run.stages = [
                stage | {"status": "interrupted"} if stage["status"] == "running" else stage for stage in run.stages
            ]
    return run


def runs_by_status() -> dict[str, int]:
    """Return how many runs there are of each status, as they stand."""
    found = dict(PipelineRun.objects.values_list("status").annotate(n=Count("id")).order_by("status"))
    for run in PipelineRun.objects.filter(status=PipelineRun.RunStatus.RUNNING).only(
        "status", "heartbeat_at", "stages"
    ):
        if with_actual_status(run).status != PipelineRun.RunStatus.RUNNING:
            found[PipelineRun.RunStatus.RUNNING] -= 1
            found[run.status] = found.get(run.status, 0) + 1
    return found


@dataclass(frozen=True, slots=True)
class TrainingHistory:
    """What a run as of some instant would have to learn from.

    Parameters
    ----------
    first_known_at, first_kickoff_at : datetime or None
        When the first result of the world was known, and the first match with a result kicked off.
    known : int
        Matches whose result was known before the instant.
    warm_up_days, least_rows : int
        What a walk forward asks for.
    is_enough : bool
        Whether one step of it has enough matches on both sides.
    """

    first_known_at: datetime | None
    first_kickoff_at: datetime | None
    known: int
    warm_up_days: int
    least_rows: int
    is_enough: bool


def history(world: World, *, as_of: datetime, split: Mapping[str, Any]) -> TrainingHistory:
    """Return what was known of a world before an instant, measured by the section `split` of the parameters.

    The pipeline looks more closely; what is not enough here is not enough there.
    """
    finished = Match.objects.filter(
        season__competition__is_simulated=world == World.SANDBOX, status=Match.Status.FINISHED, known_at__isnull=False
    )
    first = finished.aggregate(known_at=Min("known_at"), kickoff_at=Min("kickoff_at"))
    known, least = finished.filter(known_at__lt=as_of), split["least_rows"]
    is_enough = False
    if first["kickoff_at"] is not None:
        begin = first["kickoff_at"] + timedelta(days=split["warm_up_days"])
        # The latest refit that leaves enough matches after it has the most before it.
        latest = known.order_by("-kickoff_at").values_list("kickoff_at", flat=True)[least - 1 : least].first()
        starts = scoring.season_starts(begin, latest or begin, split["refit_month"], split["refit_day"])
        before = known.filter(kickoff_at__gte=begin, known_at__lt=starts[-1]) if starts else known.none()
        is_enough = before[:least].count() >= least
    return TrainingHistory(
        first_known_at=first["known_at"],
        first_kickoff_at=first["kickoff_at"],
        known=known.count(),
        warm_up_days=split["warm_up_days"],
        least_rows=least,
        is_enough=is_enough,
    )


def predictions_before_kickoff() -> QuerySet[Prediction]:
    """Return the predictions that were published before the kick-off as it came to be; a late one is void."""
    return Prediction.objects.filter(published_at__lt=F("match__kickoff_at"))


def newest_predictions(
    match_ids: Iterable[int], *, version_id: int | None = None, in_time: bool = False
) -> QuerySet[Prediction]:
    """Return the newest prediction of each match, of one version or of all; of those before kick-off or of all.

    One row a match is read, however often a match was forecast.
    """
    statement = """
        SELECT p.id FROM matches_match m CROSS JOIN LATERAL (
            SELECT id FROM ml_prediction
            WHERE match_id = m.id AND (NOT %s OR published_at < m.kickoff_at)
                AND (%s::bigint IS NULL OR version_id = %s)
            ORDER BY published_at DESC, id DESC LIMIT 1
        ) AS p WHERE m.id = ANY(%s)
        """
    newest = RawSQL(statement, [in_time, version_id, version_id, list(match_ids)])  # noqa: S611 – all are parameters
    return Prediction.objects.filter(pk__in=newest)


def latest_predictions(match_ids: Iterable[int]) -> dict[int, Prediction]:
    """Return for each match the latest prediction published before kick-off; for a finished match the graded one."""
    rows = (
        newest_predictions(match_ids, in_time=True)
        .select_related("version")
        .defer("version__bundle", "version__metrics", "version__gates")
    )
    return {row.match_id: row for row in rows}


def prediction_history(match_id: int) -> QuerySet[Prediction]:
    """Return every prediction of a match in the order of time."""
    return (
        Prediction.objects.filter(match_id=match_id)
        .select_related("version")
        .defer("version__bundle", "version__metrics", "version__gates")
        .order_by("published_at", "id")
    )


def season_forecast(season: Season) -> SeasonForecast | None:
    """Return the latest simulation of a season with the version that made it, the bundle left in the database."""
    return (
        SeasonForecast.objects.filter(season=season)
        .select_related("version")
        .defer("version__bundle", "version__metrics", "version__gates")
        .order_by("-as_of", "-id")
        .first()
    )


def valid_scores(world: World | None = None) -> QuerySet[Score]:
    """Return the scores of graded predictions against the newest revision of the result."""
    later = predictions_before_kickoff().filter(
        match_id=OuterRef("match_id"), published_at__gt=OuterRef("prediction__published_at")
    )
    rows = Score.objects.filter(
        ~Exists(later),
        revision=F("match__revision"),
        match__status=Match.Status.FINISHED,
        prediction__published_at__lt=F("match__kickoff_at"),
    )
    return rows.filter(world=world) if world else rows


def newest_scores(match_ids: Iterable[int]) -> dict[int, Score]:
    """Return the score that counts of each match that has one."""
    return {row.match_id: row for row in valid_scores().filter(match_id__in=list(match_ids))}


@dataclass(frozen=True, slots=True)
class MeanScores:
    """Mean scores over some matches; log loss in nats, RPS in [0, 1]."""

    n: int
    log_loss: float
    rps: float


@dataclass(frozen=True, slots=True)
class ScoreComparison:
    """The model and an alternative on the same matches.

    `difference` is that of log loss (model − alternative), `interval` its paired bootstrap interval; None while there
    are fewer than `INTERVAL_FROM` matches, which no interval describes.
    """

    model: MeanScores
    other: MeanScores
    difference: float
    interval: scoring.Interval | None


@dataclass(frozen=True, slots=True)
class TrackRecord:
    """How the published forecasts of a world did.

    `brier` is that of the model on all graded matches; `void` counts finished matches whose every forecast came after
    the kick-off as it came to be.
    """

    n: int
    brier: float | None
    against_base_rates: ScoreComparison | None
    against_market: ScoreComparison | None
    first_at: datetime | None
    latest_at: datetime | None
    void: int


def track_record(world: World, *, since: datetime | None = None) -> TrackRecord:
    """Return the grades of the published forecasts of a world beside base rates and market on the same matches."""
    scores = valid_scores(world)
    late = Prediction.objects.filter(
        match__world=world, match__status=Match.Status.FINISHED, published_at__gte=F("match__kickoff_at")
    )
    if since:
        scores = scores.filter(match__kickoff_at__gte=since)
        late = late.filter(match__kickoff_at__gte=since)
    in_time = predictions_before_kickoff().filter(match_id=OuterRef("match_id"))
    void = late.filter(~Exists(in_time)).values("match_id").distinct().count()
    rows = list(
        scores.order_by("match__kickoff_at", "match_id").values_list(
            "match__kickoff_at",
            "log_loss",
            "rps",
            "brier",
            "base_log_loss",
            "base_rps",
            "market_log_loss",
            "market_rps",
        )
    )
    if not rows:
        return TrackRecord(0, None, None, None, None, None, void)
    kickoffs = [row[0] for row in rows]
    table = np.array([row[1:] for row in rows], dtype=np.float64)
    # Matches that kick off together share their news: the bootstrap draws kick-offs, not matches.
    together = np.array([int(at.timestamp()) for at in kickoffs])
    with_market = ~np.isnan(table[:, 5])
    return TrackRecord(
        n=len(rows),
        brier=float(table[:, 2].mean()),
        against_base_rates=_compare(table[:, 0:2], table[:, 3:5], together),
        against_market=_compare(table[with_market, 0:2], table[with_market, 5:7], together[with_market])
        if with_market.any()
        else None,
        first_at=kickoffs[0],
        latest_at=kickoffs[-1],
        void=void,
    )


def _compare(model: np.ndarray, other: np.ndarray, together: np.ndarray) -> ScoreComparison:
    difference = model[:, 0] - other[:, 0]
    return ScoreComparison(
        model=MeanScores(len(model), float(model[:, 0].mean()), float(model[:, 1].mean())),
        other=MeanScores(len(other), float(other[:, 0].mean()), float(other[:, 1].mean())),
        difference=float(difference.mean()),
        interval=scoring.paired_bootstrap(difference, together) if len(difference) >= INTERVAL_FROM else None,
    )
