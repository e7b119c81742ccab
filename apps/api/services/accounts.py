"""Accounts of readers: their settings, their API keys, and how an account is deleted.

A reader is a user of Django without any permission. The audit names a reader only by number, because its entries cannot
be deleted and a name is personal data.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from django.conf import settings
from django.contrib.auth.models import User
from django.db import transaction
from django.db.models import QuerySet

from apps.api.models import ApiKey, ApiKeyScope, ReaderKey, ReaderProfile
from apps.api.services.keys import NewKey, create_key, revoke_key

MOST_KEYS: Final = 3
"""Most keys of a reader that are in force at the same time."""

MOST_TEAMS: Final = 50
"""Most teams that a reader can follow."""


class TooManyKeysError(Exception):
    """The reader has `MOST_KEYS` keys that are not revoked."""


def reader_profile(*, user: User, now: datetime) -> ReaderProfile:
    """Return the profile of a reader; create it if there is none."""
    return ReaderProfile.objects.get_or_create(user=user, defaults={"updated_at": now})[0]


@transaction.atomic
def merge_into_profile(
    *, user: User, followed: Sequence[int], zone: str, language: str, now: datetime
) -> ReaderProfile:
    """Add the choices of a browser to a profile.

    Its teams come after those of the account; zone and language are taken where the account has none.
    """
    profile = ReaderProfile.objects.select_for_update().get(pk=reader_profile(user=user, now=now).pk)
    profile.followed_teams = list(dict.fromkeys([*profile.followed_teams, *followed]))[:MOST_TEAMS]
    profile.zone = profile.zone or zone
    profile.language = profile.language or language
    profile.updated_at = now
    profile.save(update_fields=["followed_teams", "zone", "language", "updated_at"])
    return profile


@transaction.atomic
def store_followed_teams(*, user: User, followed: Sequence[int], now: datetime) -> None:
    """Store the teams that a reader follows."""
    reader_profile(user=user, now=now)
    ReaderProfile.objects.filter(user=user).update(followed_teams=list(followed)[:MOST_TEAMS], updated_at=now)


@transaction.atomic
def store_choices(*, user: User, zone: str, language: str, now: datetime) -> None:
    """Store the zone and the language of a reader, each empty for that of the device."""
    reader_profile(user=user, now=now)
    ReaderProfile.objects.filter(user=user).update(zone=zone, language=language, updated_at=now)


def keys_in_force(user: User) -> QuerySet[ApiKey]:
    """Return the keys of a reader that are not revoked, the newest first."""
    made = ReaderKey.objects.filter(reader__user=user).values("api_key")
    return ApiKey.objects.filter(pk__in=made, revoked_at__isnull=True).order_by("-pk")


@transaction.atomic
def create_reader_key(*, user: User, name: str, now: datetime) -> NewKey:
    """Create a key with the scope `read` and the rate limit of requests without a key.

    Raises
    ------
    TooManyKeysError
        When the reader has `MOST_KEYS` keys in force.
    """
    # Of two simultaneous forms the second waits here for the first.
    reader = ReaderProfile.objects.select_for_update().get(pk=reader_profile(user=user, now=now).pk)
    if keys_in_force(user).count() >= MOST_KEYS:
        raise TooManyKeysError
    made = create_key(
        name=name,
        created_by=f"reader {user.pk}",
        scopes=(ApiKeyScope.READ,),
        requests_per_minute=settings.SPAI_LIMIT_ANONYMOUS,
        now=now,
    )
    ReaderKey.objects.create(reader=reader, api_key=made.row)
    return made


def revoke_reader_key(*, user: User, prefix: str, now: datetime) -> bool:
    """Revoke a key of a reader; return False where the reader has no such key in force."""
    key = keys_in_force(user).filter(prefix=prefix).first()
    return key is not None and revoke_key(key=key, by=f"reader {user.pk}", now=now)


@transaction.atomic
def delete_account(*, user: User, now: datetime) -> None:
    """Revoke the keys of a reader and delete the account with its profile.

    Raises
    ------
    PermissionError
        For staff, whose accounts are deleted in the admin.
    """
    if user.is_staff or user.is_superuser:
        raise PermissionError("Accounts of staff are deleted in the admin.")
    # A key that a form creates in this moment is waited for, and revoked too.
    ReaderProfile.objects.select_for_update().get(pk=reader_profile(user=user, now=now).pk)
    for key in keys_in_force(user):
        revoke_key(key=key, by=f"reader {user.pk}", now=now)
    user.delete()
