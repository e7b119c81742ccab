"""What an operator decides about names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from apps.matches.models import TeamAlias


def confirm_aliases(alias_ids: Iterable[int], *, now: datetime) -> int:
    """Take names off the review list: each is the club that it became. Return how many were waiting."""
    return TeamAlias.objects.filter(pk__in=list(alias_ids), reviewed_at__isnull=True).update(reviewed_at=now)
