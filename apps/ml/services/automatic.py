"""Automatic decisions within the policy: promotions of challengers, and returns to the previous champion."""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta

from django.db import DatabaseError, transaction

from apps.matches.locks import Lock, wait_for
from apps.matches.models import World
from apps.ml import metrics, selectors
from apps.ml.forecasting import scoring
from apps.ml.models import ModelVersion, Promotion
from apps.ml.policy import AUTOMATIC, Policy
from apps.ml.services.champion import PromotionRefusedError, promote, rollback

logger = logging.getLogger(__name__)


def promote_due(*, now: datetime) -> list[Promotion]:
    """Promote the newest challenger of each world that meets the policy, where its mode is automatic."""
    return _in_each_world(_promote_in, "promote", now)


def _in_each_world(decide: Callable[[World, datetime], Promotion | None], step: str, now: datetime) -> list[Promotion]:
    """Return the promotions that a decision about each world makes; an error in one world does not stop the other."""
    made = []
    for world in World:
        try:
            made.append(decide(world, now))
        except (DatabaseError, ValueError) as error:
            metrics.ERRORS.labels(step).inc()
            logger.exception("the champion of the %s world stays: %s", world, error)
    return [promotion for promotion in made if promotion is not None]


@transaction.atomic
def _promote_in(world: World, now: datetime) -> Promotion | None:
    policy = selectors.policy(world)
    if policy.mode != AUTOMATIC:
        return None
    # The lock makes sure that the challenger is compared with the champion that it would replace.
    wait_for(Lock.PROMOTION)
    for version in selectors.challengers(world):
        if why_not := why_not_by_itself(version, policy=policy, now=now):
            logger.info("%s is not promoted by itself: %s", version, why_not)
            continue
        compared = selectors.comparisons(version)[0]
        reason = f"by the policy: {compared.reason} against {compared.champion}"
        return promote(version=version, user=None, reason=reason, now=now)
    return None


def why_not_by_itself(version: ModelVersion, *, policy: Policy, now: datetime) -> str:
    """Return why the system does not promote a challenger; empty where it may."""
    present = selectors.champion(World(version.world))
    if present is None:
        return "There is no champion to compare with."
    until = present.decided_at + timedelta(hours=policy.promote["hold_hours"])
    if present.kind == Promotion.Action.ROLLBACK and now < until:
        return (
            f"After the rollback to {present.version} nothing is promoted by itself until {until:%Y-%m-%d %H:%M} UTC."
        )
    compared = selectors.comparisons(version).filter(champion_id=present.version_id).first()
    if compared is None or compared.rules != policy.compare:
        return "It has not been compared with the champion by the present policy yet."
    if against := selectors.promotion_warnings(version):
        return "; ".join(against)
    required = policy.promote["shadow_matches"]
    if not required:
        return ""
    pairs = selectors.graded_pairs(present, [version.pk])[version.pk]
    n = len(pairs.kickoffs)
    if n < required:
        return f"It has forecast {n} graded matches in shadow; the policy requires {required}."
    section = policy.compare
    live = scoring.paired_bootstrap(
        pairs.shadow[:, 0] - pairs.champion[:, 0],
        pairs.kickoffs,
        draws=section["bootstrap_draws"],
        level=section["bootstrap_level"],
    )
    if live.high <= section["log_loss_allowance"]:
        return ""
    return (
        f"On {n} graded matches its log loss in shadow is {live.mean:+.4f} nats from the champion's, interval "
        f"{live.low:+.4f} to {live.high:+.4f}; {section['log_loss_allowance']:+g} is allowed."
    )


def fall_back_due(*, now: datetime) -> list[Promotion]:
    """Roll back to the previous champion in each world where the champion's live log loss exceeds its control limit."""
    return _in_each_world(_fall_back_in, "fall back", now)


def _fall_back_in(world: World, now: datetime) -> Promotion | None:
    policy = selectors.policy(world)
    if not policy.fall_back["is_on"]:
        return None
    present, before = selectors.champion(world), selectors.previous_champion(world)
    if present is None or before is None:
        return None
    reason = _why_fall_back(present, before, policy)
    if not reason:
        return None
    try:
        return rollback(world=world, user=None, reason=reason, now=now, seen=present.pk)
    except PromotionRefusedError as refusal:
        # Another process has decided, or the previous champion cannot be loaded.
        logger.error("the %s world does not fall back, although %s: %s", world, reason, refusal)
        return None


def _why_fall_back(present: Promotion, before: int, policy: Policy) -> str:
    """Return why the champion is replaced by the previous one; empty while it is within the control limit."""
    section = policy.fall_back
    pairs = selectors.graded_pairs(present, [before], latest=section["latest_matches"])[before]
    difference = pairs.champion[:, 0] - pairs.shadow[:, 0]
    n, kickoffs = len(difference), len(set(pairs.kickoffs.tolist()))
    # A bootstrap over few kick-offs is unreliable. The lower end of the interval is below the mean.
    enough = n >= section["least_matches"] and kickoffs >= section["least_kickoffs"]
    if not enough or difference.mean() <= section["allowance"]:
        return ""
    live = scoring.paired_bootstrap(difference, pairs.kickoffs, draws=section["draws"], level=section["level"])
    if live.low <= section["allowance"]:
        return ""
    number = selectors.versions().values_list("number", flat=True).get(pk=before)
    return (
        f"by the policy: on {n} graded matches the log loss of {present.version} is {live.mean:+.4f} nats from that of "
        f"model {number}; its control limit, the lower end of the {100 * section['level']:g} % interval, is "
        f"{live.low:+.4f}, and at most {section['allowance']:+g} is allowed"
    )
