"""Changes of the policy of promotion and retraining."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from django.contrib.auth.models import AnonymousUser, User
from django.db import transaction

from apps.matches import events
from apps.matches.locks import Lock, wait_for
from apps.matches.models import World
from apps.matches.services import record_action
from apps.ml import policy, selectors
from apps.ml.models import PolicyRevision


@transaction.atomic
def change_policy(
    *, world: World, changes: Mapping[str, Any], user: User | AnonymousUser, reason: str, now: datetime
) -> PolicyRevision:
    """Change values of the policy of a world, by their dotted names; the others stay as they are.

    A value that equals the default of params.yaml follows it from then on. When nothing changes, the present row is
    returned, or a row is made that says so.

    Raises
    ------
    PolicyError
        When there is no reason, a name is unknown, or a value is not allowed.
    """
    if not (reason := reason.strip()):
        raise policy.PolicyError("reason", "Give a reason, so that others can understand the change later.")
    # Otherwise two simultaneous changes would lose one of them.
    wait_for(Lock.PROMOTION)
    present = selectors.policy_revision(world)
    kept = present.changes if present else {}
    defaults = selectors.default_policy()
    # A value that a release took out of the policy is forgotten here.
    known = {name: value for name, value in kept.items() if name in defaults.flat()}
    wanted = policy.checked({**known, **changes}, defaults)
    if present is not None and wanted == kept:
        return present
    made = PolicyRevision.objects.create(
        world=world, changes=wanted, decided_by=user.get_username(), reason=reason[:400], decided_at=now
    )
    names = sorted({*kept, *wanted})
    record_action(
        by=user,
        action="changed the policy",
        about=made,
        before=_in_words(names, kept),
        after=_in_words(names, wanted),
        reason=made.reason,
        now=now,
    )
    events.start_tasks_after_commit("policy_changed")
    return made


def _in_words(names: Sequence[str], changes: Mapping[str, Any]) -> str:
    return "; ".join(f"{name}: {changes.get(name, 'as in params.yaml')}" for name in names)
