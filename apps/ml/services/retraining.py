"""When a world is trained again by itself: its reasons, what holds it back, and a row for every decision."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from datetime import datetime, timedelta
from functools import cache, lru_cache
from typing import Any, Final, Protocol

import numpy as np
from django.conf import settings
from django.db import DatabaseError, transaction
from django.db.models import Q, QuerySet

from apps.matches.locks import Lock, wait_for
from apps.matches.models import Ingest, Match, World
from apps.ml import metrics, selectors
from apps.ml.forecasting import scoring
from apps.ml.models import DriftReport, ModelVersion, PipelineRun, Promotion, RetrainingDecision
from apps.ml.pipeline import files, revision
from apps.ml.policy import Policy
from apps.ml.services import workspaces
from apps.ml.services.champion import SYSTEM
from apps.ml.services.runs import latest_midnight, queue_once

logger = logging.getLogger(__name__)

LEAST_MATCHES: Final = 1000
"""Fewest finished matches for an automatic run in a world without a champion."""

FIRST_WAIT: Final = timedelta(minutes=5)
"""Wait after the first failed run; each further failure doubles it, up to `LONGEST_WAIT`."""

LONGEST_WAIT: Final = timedelta(days=1)

ONE_AT_A_TIME: Final = "one at a time"
"""Cause of a “no” while a run of the world is unfinished."""

FAILED: Final = PipelineRun.RunStatus.FAILED
CANCELLED: Final = PipelineRun.RunStatus.CANCELLED


class Drift(Protocol):
    """What was measured about the drift of a world."""

    @property
    def is_drifted(self) -> bool:
        """Whether features, forecasts or scores left the limits that chance explains."""

    @property
    def computed_at(self) -> datetime:
        """When it was measured."""

    @property
    def score(self) -> float:
        """The largest statistic over its threshold: 1 and more is drift."""


@dataclass(frozen=True, slots=True)
class Trigger:
    """One reason to train again, whether it holds or not."""

    name: str
    is_due: bool
    reason: str
    value: float | None = None
    bound: float | None = None


@dataclass(frozen=True, slots=True)
class Training:
    """The newest training of a world: when it began, and the latest instant of which it or an earlier one had facts."""

    began_at: datetime
    as_of: datetime


def retrain_due(*, now: datetime, drift: Callable[[World], Drift | None] = selectors.latest_drift) -> list[PipelineRun]:
    """Queue a run for each world that has a reason and nothing that holds it back; every decision is stored.

    Parameters
    ----------
    drift
        Returns what was last measured about the drift of a world; None before the first time.
    """
    decisions = []
    for world in World:
        try:
            decisions.append(_decide(world, drift=drift, now=now))
        except (DatabaseError, ValueError) as error:
            # An error in one world must not stop the other.
            metrics.ERRORS.labels("retrain").inc()
            logger.exception("whether the %s world is trained again is not decided: %s", world, error)
    return [
        decision.run
        for decision in decisions
        if decision.answer == RetrainingDecision.RetrainingAnswer.RUN and decision.run
    ]


@transaction.atomic
def _decide(world: World, *, drift: Callable[[World], Drift | None], now: datetime) -> RetrainingDecision:
    # One at a time: the run and the row are committed together, and the next one sees both.
    wait_for(Lock.RETRAINING)
    policy, promotion = selectors.policy(world), selectors.champion(world)
    profile = _profile(promotion)
    triggers = [_first_champion(world)] if promotion is None else _triggers(promotion, profile, policy, drift, now)
    due = [trigger for trigger in triggers if trigger.is_due]
    cause, held = _what_holds_it_back(world, profile, policy, now)
    if not due and cause != ONE_AT_A_TIME:
        cause, held = "no reason", "; ".join(trigger.reason for trigger in triggers)
    if held:
        return _no(world, cause, held, triggers, now)
    reasons = "; ".join(trigger.reason for trigger in due)
    first = promotion is None
    as_of = latest_midnight(now) if first else now.replace(second=0, microsecond=0)
    reason = "first champion" if first else reasons[:200]
    run = queue_once(
        {"world": world.value, "as_of": as_of, "profile": profile, "overrides": {}},
        {"requested_by": SYSTEM, "reason": reason, "params": workspaces.read_params()},
        now,
    )
    return RetrainingDecision.objects.create(
        world=world,
        answer=RetrainingDecision.RetrainingAnswer.RUN,
        cause=", ".join(trigger.name for trigger in due),
        reason=reasons,
        triggers=[asdict(trigger) for trigger in triggers],
        run=run,
        decided_at=now,
        latest_at=now,
    )


def _no(world: World, cause: str, reason: str, triggers: list[Trigger], now: datetime) -> RetrainingDecision:
    """Store that nothing is done, on the row that says so already for the same cause."""
    latest = RetrainingDecision.objects.filter(world=world).order_by("-id").first()
    if latest is None or (latest.answer, latest.cause) != (RetrainingDecision.RetrainingAnswer.NO, cause):
        latest = RetrainingDecision(
            world=world, answer=RetrainingDecision.RetrainingAnswer.NO, cause=cause, times=0, decided_at=now
        )
    latest.reason, latest.triggers = reason, [asdict(trigger) for trigger in triggers]
    latest.times, latest.latest_at = latest.times + 1, now
    latest.save()
    return latest


def _profile(promotion: Promotion | None) -> str:
    """Return the profile of a run: that of this installation, or of the champion where it is more thorough."""
    profiles = [settings.SPAI_PROFILE, *([promotion.version.profile] if promotion else [])]
    return max(profiles, key=selectors.profile_rank)


def _first_champion(world: World) -> Trigger:
    finished = Match.objects.filter(world=world, status=Match.Status.FINISHED)[:LEAST_MATCHES].count()
    reason = f"there is no champion, and {finished} matches with a result; the first one needs {LEAST_MATCHES}"
    # If the history is too short, the run fails and its page shows the reason.
    return Trigger("first champion", finished >= LEAST_MATCHES, reason, finished, LEAST_MATCHES)


def _triggers(
    promotion: Promotion, profile: str, policy: Policy, drift: Callable[[World], Drift | None], now: datetime
) -> list[Trigger]:
    """Return all reasons to train a world again that has a champion."""
    world, section = World(promotion.world), policy.retrain
    newest = _newest_training(world, profile) or Training(promotion.version.created_at, promotion.version.as_of)
    return [
        _by_time(newest, section["every_days"], now),
        _by_results(world, newest, section["new_results"], now),
        _by_drift(drift(world), promotion, newest),
        _by_live_quality(promotion, newest, section),
        *_by_code_and_parameters(world, profile),
    ]


def _trainings(world: World) -> QuerySet[PipelineRun]:
    """Return the runs that count: back-tests, experiments with other parameters, and retries from a stage do not."""
    training = PipelineRun.RunKind.TRAINING
    return PipelineRun.objects.filter(kind=training, world=world, overrides={}, first_stage="")


def _newest_training(world: World, profile: str) -> Training | None:
    """Return the newest training of at least a profile that neither failed nor was cancelled, queued ones included."""
    thorough = selectors.PROFILES[selectors.profile_rank(profile) :]
    trainings = _trainings(world).filter(profile__in=thorough)
    runs = trainings.exclude(status__in=(FAILED, CANCELLED)).values_list("created_at", "as_of")
    made = _versions(world).filter(profile__in=thorough).values_list("created_at", "as_of")
    found = [*runs.order_by("-created_at")[:1], *made.order_by("-created_at")[:1]]
    # A run as of an earlier day, which somebody asked for, makes no results new.
    latest = [*runs.order_by("-as_of")[:1], *made.order_by("-as_of")[:1]]
    return Training(max(row[0] for row in found), max(row[1] for row in latest)) if found else None


def _versions(world: World) -> QuerySet[ModelVersion]:
    """Return the versions of `_trainings`, and of runs that are not stored."""
    made = Q(pipeline_run=None) | Q(pipeline_run__in=_trainings(world))
    return ModelVersion.objects.filter(made, world=world)


def _by_time(newest: Training, days: int, now: datetime) -> Trigger:
    age = (now - newest.began_at) / timedelta(days=1)
    reason = f"the newest training began {age:.1f} days ago ({days} days require another)"
    return Trigger("time", age >= days, reason, age, days)


def _by_results(world: World, newest: Training, required: int, now: datetime) -> Trigger:
    before = Ingest.objects.filter(started_at__lt=newest.as_of).order_by("-id").values_list("id", flat=True).first()
    results = Match.objects.filter(world=world, status=Match.Status.FINISHED, known_at__lt=now)
    # No more than required are counted: a first import stores hundreds of thousands.
    found = results.filter(ingest_id__gt=before or 0)[:required].count()
    count = f"{found} or more" if found >= required else str(found)
    since = f"{newest.as_of:%Y-%m-%d %H:%M} UTC"
    reason = f"{count} results were stored or changed since {since} ({required} require a training)"
    return Trigger("new results", found >= required, reason, found, required)


def _by_drift(found: Drift | None, promotion: Promotion, newest: Training) -> Trigger:
    """Return whether the champion has drifted and no training followed; one that changed nothing is not repeated."""
    if found is None:
        return Trigger("drift", False, "no drift was measured")
    reports = DriftReport.objects.filter(world=promotion.world, version=promotion.version_id)
    healthy = reports.filter(is_drifted=False).order_by("-computed_at").values_list("computed_at", flat=True).first()
    drifted = reports.filter(is_drifted=True, **({"computed_at__gt": healthy} if healthy else {}))
    began_at = drifted.order_by("computed_at").values_list("computed_at", flat=True).first() or found.computed_at
    is_new = began_at > newest.began_at
    reason = (
        f"the largest drift was {found.score:.2f} times its threshold on {found.computed_at:%Y-%m-%d %H:%M} UTC, "
        f"{'after' if is_new else 'before'} the newest training"
    )
    return Trigger("drift", found.is_drifted and is_new, reason, found.score, 1.0)


def _by_live_quality(promotion: Promotion, newest: Training, section: Mapping[str, Any]) -> Trigger:
    """Return whether the champion has lost its lead over the base rates on matches that were graded since."""
    name, required = "live quality", section["live_matches"]
    measured = promotion.version.metrics.get("models", {})
    own, base = measured.get(promotion.version.estimator), measured.get("base_rates")
    if not own or not base:
        return Trigger(name, False, "the champion has no evaluation to compare live scores with")
    scores = (
        selectors.valid_scores(World(promotion.world))
        .filter(prediction__version=promotion.version_id, prediction__published_at__gt=newest.began_at)
        .order_by("-match__kickoff_at", "-match_id")
        .values_list("match__kickoff_at", "base_log_loss", "log_loss")[:required]
    )
    rows = list(scores)
    if len(rows) < required:
        return Trigger(name, False, f"{len(rows)} of {required} matches are graded since the newest training")
    lead = np.array([row[1] - row[2] for row in rows])
    expected = base["log_loss"] - own["log_loss"]
    bound = section["live_share"] * expected
    live = scoring.paired_bootstrap(
        lead, np.array([int(row[0].timestamp()) for row in rows]), level=section["live_level"]
    )
    reason = (
        f"on the latest {len(rows)} graded matches the champion leads the base rates by {live.mean:.4f} nats, at most "
        f"{live.high:.4f}; in its evaluation by {expected:.4f}"
    )
    return Trigger(name, live.high < bound, reason, live.mean, bound)


def _by_code_and_parameters(world: World, profile: str) -> list[Trigger]:
    """Return whether no version of the world was made with the present code, or with the present parameters."""
    made = ModelVersion.objects.filter(world=world)
    new_code = not made.filter(sources_sha256=_sources_sha256()).exists()
    path = settings.BASE_DIR / files.PARAMS
    new_params = not made.filter(params_sha256=_params_sha256(profile, path.stat().st_mtime_ns)).exists()
    return [
        Trigger("new code", new_code, f"the code of the models is {'new' if new_code else 'that of a version'}"),
        Trigger("new parameters", new_params, f"the parameters are {'new' if new_params else 'those of a version'}"),
    ]


@cache
def _sources_sha256() -> str:
    """Return the hash of the code that this process runs; a restart follows each change of it."""
    return revision.sources_sha256()


@lru_cache(maxsize=2)
def _params_sha256(profile: str, changed_at: int) -> str:
    """Return the hash of the parameters as of the time when their file was changed; reading it takes 0.1 s."""
    return revision.params_sha256(workspaces.read_params(), profile)


def _what_holds_it_back(world: World, profile: str, policy: Policy, now: datetime) -> tuple[str, str]:
    """Return what forbids a run now, in a few words and in a sentence; empty texts where nothing does."""
    unfinished = PipelineRun.objects.filter(world=world, status__in=selectors.UNFINISHED).order_by("-id").first()
    if unfinished is not None:
        return ONE_AT_A_TIME, f"{unfinished} is {unfinished.get_status_display().lower()}"
    if not policy.retrain["is_on"]:
        return "switched off", "retraining by itself is switched off in the policy"
    if not selectors.may_be_champion(world, profile):
        return "profile", f"a version of the {profile} profile never forecasts the {world} world"
    ended = _trainings(world).filter(finished_at__isnull=False).order_by("-finished_at")
    latest = ended.exclude(status=CANCELLED).first()
    if latest is not None and latest.status == FAILED:
        held = _after_failure(world, latest, ended, now)
        if held[1]:
            return held
    made = _versions(world).order_by("-created_at")
    moments = [
        ended.exclude(status=FAILED).values_list("finished_at", flat=True).first(),
        made.values_list("created_at", flat=True).first(),
    ]
    quiet = LONGEST_WAIT if selectors.champion(world) is None else timedelta(hours=policy.retrain["quiet_hours"])
    until = max((moment + quiet for moment in moments if moment), default=now)
    if now < until:
        return "quiet period", f"quiet until {until:%Y-%m-%d %H:%M} UTC after the newest training"
    return "", ""


def _after_failure(world: World, latest: PipelineRun, ended: QuerySet[PipelineRun], now: datetime) -> tuple[str, str]:
    """Return whether a failed run still holds the next one back: by its wait, or because the same facts would fail."""
    failures = 0
    # Twenty failures are more than the longest wait needs.
    for status in ended.exclude(status=CANCELLED).values_list("status", flat=True)[:20]:
        if status != FAILED:
            break
        failures += 1
    assert latest.finished_at is not None
    until = latest.finished_at + min(FIRST_WAIT * 2 ** (failures - 1), LONGEST_WAIT)
    if now < until:
        return "after a failure", f"{latest} failed; the next one may begin at {until:%Y-%m-%d %H:%M} UTC"
    stage = str(latest.error.get("stage") or "")
    if stage.startswith("validate") and _would_be_the_same(latest):
        return "failed gate", f"{latest} failed the gate {stage}; facts, code and parameters are the same since"
    return "", ""


def _would_be_the_same(run: PipelineRun) -> bool:
    """Return whether neither facts nor code nor parameters have changed since a run."""
    present = workspaces.read_params(), revision.code_revision(settings.SPAI_REVISION)
    began_at = run.started_at or run.created_at
    newer = Ingest.objects.filter(world=run.world, changed_facts=True, finished_at__gt=began_at)
    return (run.params, run.code_revision) == present and not newer.exists()
