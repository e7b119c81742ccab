"""Back-tests of the champion: runs that forecast the latest finished season of each competition once more.

They have the champion's estimator and parameters, the facts and the code of now, and register nothing.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final

from django.db import transaction

from apps.matches.locks import Lock, wait_for
from apps.matches.models import World
from apps.matches.selectors import data_snapshot
from apps.ml import selectors
from apps.ml.models import ModelVersion, PipelineRun
from apps.ml.services import workspaces
from apps.ml.services.champion import FILES_DELETED, SYSTEM
from apps.ml.services.execution import ATTEMPTS
from apps.ml.services.runs import RunRefusedError, latest_midnight, queue_once, refuse_impossible

AFTER_FAILURE: Final = timedelta(days=7)
"""From a failed back-test of a champion to the next: what it failed from, such as no finished season, lasts.

One whose process was ended by a signal is made again in the next night, because memory may suffice then.
"""


@dataclass(frozen=True, slots=True)
class BackTestRound:
    """Runs that were queued, and world → why none was."""

    queued: list[PipelineRun]
    skipped: dict[str, str]


def back_test_due(*, now: datetime) -> BackTestRound:
    """Queue a back-test of each champion that has none of this night, unless nothing has changed since the last one."""
    queued, skipped = [], {}
    for world in World:
        with transaction.atomic():
            # Of two simultaneous rounds the second sees the run of the first.
            wait_for(Lock.RUN_REQUEST)
            reason = _what_holds_it_back(world, now)
            if not reason:
                try:
                    queued.append(queue_back_test(world=world, requested_by=SYSTEM, reason="nightly", now=now))
                except RunRefusedError as refusal:
                    reason = str(refusal)
        if reason:
            skipped[world.value] = reason
    return BackTestRound(queued, skipped)


def queue_back_test(*, world: World, requested_by: str, reason: str, now: datetime) -> PipelineRun:
    """Queue a back-test of the champion of a world, unless the same one is queued already; return it.

    Raises
    ------
    RunRefusedError
        When the world has no champion, its files are gone, or the history is too short.
    """
    promotion = selectors.champion(world)
    if promotion is None:
        raise RunRefusedError(f"The {world} world has no champion to back-test yet.")
    version = ModelVersion.objects.get(pk=promotion.version_id)
    params, as_of = params_of(version), latest_midnight(now)
    refuse_impossible(world=world, as_of=as_of, params=params, now=now)
    wanted = {"world": world.value, "as_of": as_of, "profile": version.profile, "overrides": {}}
    wanted |= {"kind": PipelineRun.RunKind.BACK_TEST, "back_test_of": version}
    return queue_once(wanted, {"requested_by": requested_by, "reason": reason, "params": params}, now)


def params_of(version: ModelVersion) -> dict[str, Any]:
    """Return the parameters of a version for a run with the code of now.

    They are those of its bundle. What only newer code asks for has the value of `params.yaml`, but for the estimators:
    a value that theirs do not have would make them others.

    Raises
    ------
    RunRefusedError
        When the bundle cannot be read.
    """
    # Loads the estimators, which most processes do not need.
    from apps.ml.pipeline import bundle as bundles

    if version.files_deleted_at is not None:
        raise RunRefusedError(f"{version} {FILES_DELETED}")
    try:
        made_with = bundles.manifest_of(bytes(version.bundle)).params
    except bundles.BundleError as error:
        raise RunRefusedError(f"{version} cannot be back-tested: {error}.") from error
    return workspaces.with_new_names(made_with)


def _what_holds_it_back(world: World, now: datetime) -> str:
    """Return why a world is not back-tested now; empty where it is."""
    promotion = selectors.champion(world)
    if promotion is None:
        return "no champion yet"
    unfinished = PipelineRun.objects.filter(world=world, status__in=selectors.UNFINISHED).order_by("-id").first()
    if unfinished is not None:
        return f"{unfinished} is {unfinished.get_status_display().lower()}"
    runs = PipelineRun.objects.filter(back_test_of=promotion.version_id).order_by("-id")
    tonight = runs.filter(as_of=latest_midnight(now)).first()
    if tonight is not None:
        return f"{tonight} of this night is {tonight.get_status_display().lower()}"
    newest = runs.first()
    if (
        newest is not None
        and newest.status == PipelineRun.RunStatus.FAILED
        and newest.attempts < ATTEMPTS
        and now < newest.as_of + AFTER_FAILURE
    ):
        return f"{newest} failed; the next night with a back-test is {newest.as_of + AFTER_FAILURE:%Y-%m-%d}"
    latest = selectors.newest_back_test(promotion.version_id)
    if latest is not None and latest.data_snapshot == data_snapshot(world):
        return f"champion and facts are those of run {latest.run_id}"
    return ""
