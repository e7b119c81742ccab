"""Promotion and rollback of champions, and their aliases in the MLflow registry."""

from __future__ import annotations

import logging
import tempfile
from datetime import datetime
from pathlib import Path
from typing import Final

from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction

from apps.matches import events
from apps.matches.locks import Lock, wait_for
from apps.matches.models import Topic, World
from apps.matches.services import record_action
from apps.ml import registry, selectors
from apps.ml.models import ModelVersion, Promotion, ServedWorld
from apps.ml.pipeline import card

logger = logging.getLogger(__name__)

SYSTEM: Final = "system"
"""Value of `decided_by` where no person decided."""


SMOKE_IS_NO_CHAMPION: Final = (
    "was made with the smoke profile, which only checks that the pipeline works. It never forecasts the real world. "
    "Run the pipeline with the production profile, and promote the version that it makes."
)


FILES_DELETED: Final = (
    "lost its files to retention, because it never served. Run the pipeline again; it makes a new version."
)


class PromotionRefusedError(Exception):
    """The version cannot become champion; the message says why."""


def why_not_champion(version: ModelVersion) -> str:
    """Return why a version cannot become champion; empty where it can."""
    if not selectors.may_be_champion(World(version.world), version.profile):
        return f"{version} {SMOKE_IS_NO_CHAMPION}"
    if version.is_labelled:
        return (
            f"{version} uses {version.inputs}, and the champion must need none. It stays a labelled version, which "
            "is compared with others and makes forecasts where it is requested by name."
        )
    if version.files_deleted_at is not None:
        return f"{version} {FILES_DELETED}"
    present = selectors.champion(World(version.world))
    if present is not None and present.version_id == version.pk:
        return f"{version} has been champion since {present.decided_at:%Y-%m-%d %H:%M} UTC."
    return ""


@transaction.atomic
def promote(
    *,
    version: ModelVersion,
    user: User | AnonymousUser | None,
    reason: str,
    now: datetime,
    kind: str = Promotion.Action.PROMOTE,
    despite: bool = False,
) -> Promotion:
    """Make `version` the champion of its world; a second call is refused.

    Parameters
    ----------
    user
        Who decided. A person is held to the gates and to the comparison with the champion; None is the system, whose
        callers have checked them.
    despite
        Whether the person promotes against what speaks against the version.

    Raises
    ------
    PromotionRefusedError
        Without a reason, or when the version is already champion, uses prices, or was made for the real world with
        the smoke profile. For a person also when its bundle cannot be loaded, and unless `despite` when a gate or a
        criterion speaks against it.
    """
    reason = reason.strip()
    if not reason:
        raise PromotionRefusedError("Give a reason, so that others can understand the promotion later.")
    # Otherwise two simultaneous decisions would record the same previous champion.
    wait_for(Lock.PROMOTION)
    version.refresh_from_db(fields=["files_deleted_at"])
    if why_not := why_not_champion(version):
        raise PromotionRefusedError(why_not)
    if user is not None and kind == Promotion.Action.PROMOTE:
        _check_bundle(version)
        against = [] if despite else selectors.promotion_warnings(version)
        if against:
            raise PromotionRefusedError(f"{version} is not promoted: {'; '.join(against)}.")
    present = selectors.champion(World(version.world))
    promotion = Promotion.objects.create(
        world=version.world,
        version=version,
        previous=present.version if present else None,
        kind=kind,
        decided_by=user.get_username() if user is not None else SYSTEM,
        user=user if isinstance(user, User) else None,
        reason=reason[:400],
        decided_at=now,
    )
    if user is not None:
        record_action(
            by=user,
            action="rolled back" if kind == Promotion.Action.ROLLBACK else "promoted",
            about=version,
            also=[promotion, *([present.version] if present else [])],
            before=f"champion: {present.version}" if present else "no champion",
            after=f"champion: {version}",
            reason=promotion.reason,
            now=now,
        )
    events.publish(
        topic=Topic.PROMOTION_MADE,
        key=version.world,
        world=version.world,
        now=now,
        payload={"version": version.number, "kind": kind, "decided_by": promotion.decided_by},
    )
    events.start_tasks_after_commit("promoted")
    return promotion


@transaction.atomic
def decline(*, version: ModelVersion, user: User | AnonymousUser, reason: str, now: datetime) -> bool:
    """Record that a version does not take over: it is no challenger any more; return False when it was declined before.

    It is neither proposed nor promoted by the system and makes no forecasts in shadow. A person can still promote it.
    """
    if not ModelVersion.objects.filter(pk=version.pk, declined_at=None).update(declined_at=now):
        return False
    record_action(
        by=user, action="declined", about=version, before="may take over", after="declined", reason=reason, now=now
    )
    events.start_tasks_after_commit("promoted")
    return True


@transaction.atomic
def reconsider(*, version: ModelVersion, user: User | AnonymousUser, reason: str, now: datetime) -> bool:
    """Undo `decline`; return False when the version is not declined."""
    if not ModelVersion.objects.filter(pk=version.pk).exclude(declined_at=None).update(declined_at=None):
        return False
    record_action(
        by=user,
        action="considered again",
        about=version,
        before="declined",
        after="may take over",
        reason=reason,
        now=now,
    )
    events.start_tasks_after_commit("promoted")
    return True


def _check_bundle(version: ModelVersion) -> None:
    """Refuse a version whose bundle cannot be loaded: it would not serve."""
    # Loads the estimators: only when a decision is made.
    from apps.ml.pipeline import bundle as bundles

    content = bytes(ModelVersion.objects.values_list("bundle", flat=True).get(pk=version.pk))
    with tempfile.TemporaryDirectory() as folder:
        try:
            bundles.unpack(content, Path(folder) / "bundle", sha256=version.bundle_sha256)
        except bundles.BundleError as error:
            raise PromotionRefusedError(f"{version} cannot be served: {error}. Choose another version.") from error


@transaction.atomic
def rollback(
    *,
    world: World,
    user: User | AnonymousUser | None,
    reason: str,
    now: datetime,
    to: ModelVersion | None = None,
    seen: int | None = None,
) -> Promotion:
    """Undo the newest promotion: the champion before it becomes champion again, or any version that is named.

    A second rollback goes one step further back; it does not undo the first. No comparison is required, because a
    rollback is for emergencies.

    Parameters
    ----------
    to
        The version to return to; the previous champion by default.
    seen
        Id of the newest promotion that the user saw. When it is no longer the newest, because of a double click or of
        another user's decision, the rollback is refused.

    Raises
    ------
    PromotionRefusedError
        When there was no other champion before, the version cannot be champion or its bundle cannot be loaded, it has
        neither passed its gates nor ever been champion, or the newest promotion is not the one that was seen.
    """
    wait_for(Lock.PROMOTION)
    present = selectors.champion(world)
    if present is not None and seen is not None and present.pk != seen:
        raise PromotionRefusedError(
            f"The champion changed meanwhile: it is now {present.version}. Reload the page, then decide."
        )
    before = to.pk if to is not None else selectors.previous_champion(world)
    if before is None or present is None:
        raise PromotionRefusedError("There is no earlier champion to roll back to.")
    previous = selectors.versions().get(pk=before, world=world)
    if not previous.passed_gates and previous.number not in selectors.champion_periods(world):
        raise PromotionRefusedError(
            f"{previous} has not passed its gates and has never been champion. Promote it instead: that names what "
            "speaks against it and asks whether you want it anyway."
        )
    _check_bundle(previous)
    return promote(version=previous, user=user, reason=reason, now=now, kind=Promotion.Action.ROLLBACK)


@transaction.atomic
def promote_first_champion(*, world: World, now: datetime) -> Promotion | None:
    """Promote the oldest version that passed its gates, if a world has no champion; else return None."""
    # A person may promote another version in this moment, which then stays.
    wait_for(Lock.PROMOTION)
    if selectors.champion(world) is not None:
        return None
    versions = selectors.model_versions(world).filter(files_deleted_at__isnull=True).order_by("number")
    passed = [
        version
        for version in versions
        if version.passed_gates and not version.is_labelled and selectors.may_be_champion(world, version.profile)
    ]
    if not passed:
        return None
    return promote(version=passed[0], user=None, reason="first champion", now=now)


@transaction.atomic
def choose_served_world(*, world: World, by: str, now: datetime) -> ServedWorld:
    """Make the pages show `world` first."""
    before = selectors.served_world().label
    chosen, _ = ServedWorld.objects.update_or_create(pk=1, defaults={"world": world, "chosen_at": now})
    record_action(
        by=by,
        action="chose the world that pages show first",
        about=chosen,
        before=before,
        after=World(world).label,
        now=now,
    )
    return chosen


def mirror_aliases() -> dict[str, dict[str, int | None]]:
    """Update the aliases and model cards in the MLflow registry from the database.

    Return world → alias → version number, None for an unset alias; worlds without a version are left out.
    """
    mirrored = {}
    for world in World:
        if not selectors.model_versions(world).exists():
            continue
        named = selectors.aliases(world)
        numbers = {alias: version.number if version else None for alias, version in named.items()}
        registry.set_aliases(world=world, aliases=numbers)
        for version in {version.pk: version for version in named.values() if version}.values():
            facts = selectors.card_facts(version, selectors.newest_comparison(version))
            registry.describe(
                world=world,
                registered=registry.RegisteredVersion(version.number, version.mlflow_run_id),
                card=card.markdown(facts),
            )
        mirrored[str(world)] = numbers
    return mirrored
