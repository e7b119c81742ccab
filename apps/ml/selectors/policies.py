"""The policy that holds for a world: the defaults in params.yaml with what its operator changed."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

from django.conf import settings
from django.db.models import QuerySet

from apps.matches.composed import composed_once
from apps.matches.models import World
from apps.ml.models import PolicyRevision
from apps.ml.pipeline import files
from apps.ml.policy import Policy


def default_policy() -> Policy:
    """Return the defaults of all worlds."""
    path = settings.BASE_DIR / files.PARAMS
    return _defaults(settings.BASE_DIR, path.stat().st_mtime_ns)


def policy(world: World) -> Policy:
    """Return the policy of a world."""
    present = policy_revision(world)
    return default_policy().with_changes(present.changes if present else {})


def policy_revision(world: World) -> PolicyRevision | None:
    """Return the newest change of the policy of a world; None where the defaults hold."""
    return _newest_revision.first(world)


@composed_once
def _newest_revision(world: World) -> QuerySet[PolicyRevision]:
    return PolicyRevision.objects.filter(world=world).order_by("-id")[:1]


@lru_cache(maxsize=1)
def _defaults(base: Path, changed_at: int) -> Policy:
    # Reading the file takes 0.1 s, and services ask every minute.
    return Policy.of(files.read_params(base))
