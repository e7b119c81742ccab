"""What an operator decides about names."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime

from django.db import transaction

from apps.matches.models import TeamAlias
from apps.matches.services.audit import record_action


@transaction.atomic
def confirm_aliases(alias_ids: Iterable[int], *, by: str, now: datetime) -> int:
    """Take names off the review list: each is the club that it became. Return how many were waiting."""
    waiting = TeamAlias.objects.filter(pk__in=list(alias_ids), reviewed_at__isnull=True).order_by("pk")
    aliases = list(waiting.select_for_update(of=("self",)).select_related("team"))
    for alias in aliases:
        record_action(
            by=by,
            action="confirmed as a team of its own",
            about=alias,
            also=[alias.team],
            before="to review",
            after="reviewed",
            now=now,
        )
    return TeamAlias.objects.filter(pk__in=[alias.pk for alias in aliases]).update(reviewed_at=now)
