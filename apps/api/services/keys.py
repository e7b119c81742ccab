"""API keys: creation, look-up and revocation."""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Final

from django.db import transaction
from django.db.models import Q

from apps.api.models import ApiKey, ApiKeyScope
from apps.matches.models import Ingest, World
from apps.scraping.models import Source
from apps.scraping.services import SHIPPED
from apps.scraping.sources import SOURCES

TOKEN: Final = re.compile(r"spai_([0-9a-f]{8})_([0-9a-f]{64})", re.ASCII)
"""`spai_`, the public prefix, and 256 random bits."""

USE_RECORDED_EVERY: Final = timedelta(minutes=1)

SCRAPED: Final = frozenset({*SOURCES, *SHIPPED})
"""Sources that come with the project, whether or not they have a row yet."""

_NO_SHA256: Final = "0" * 64


class SourceTakenError(Exception):
    """Another key or a source of SPAI uses the name already."""


class KeyRefusedError(Exception):
    """The key is unknown, expired or revoked; the message, which the client gets, says which."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key with the token that its owner sends, which cannot be shown again."""

    row: ApiKey
    token: str = field(repr=False)


def create_key(
    *,
    name: str,
    source: str,
    worlds: Sequence[str],
    created_by: str,
    now: datetime,
    scopes: Sequence[str] = (ApiKeyScope.INGEST,),
    expires_at: datetime | None = None,
    shares_source: bool = False,
) -> NewKey:
    """Create a key.

    Parameters
    ----------
    name : str
        Who uses it.
    source : str
        Name under which its records are stored.
    worlds, scopes : sequence of str
        The worlds that it may write to, and its rights.
    created_by : str
    now : datetime
        Aware.
    expires_at : datetime, optional
        Aware and later than `now`.
    shares_source : bool
        Whether the operator intends to store its records under the name of a source that SPAI reads itself. They then
        have the trust of that source.

    Raises
    ------
    SourceTakenError
        When another key that is not revoked has the source, or SPAI reads it and `shares_source` is not set.
    """
    prefix, secret = secrets.token_hex(4), secrets.token_hex(32)
    token = f"spai_{prefix}_{secret}"
    with transaction.atomic():
        check_source(source, shares_source=shares_source)
        row = ApiKey.objects.create(
            name=name,
            prefix=prefix,
            secret_sha256=_sha256(token),
            scopes=list(scopes),
            worlds=list(worlds),
            source=source,
            created_at=now,
            created_by=created_by,
            expires_at=expires_at,
        )
    return NewKey(row, token)


def check_source(source: str, *, shares_source: bool) -> None:
    """Check that a key may use the name of a source.

    Raises
    ------
    SourceTakenError
        When another key that is not revoked has it, or SPAI reads it and `shares_source` is not set.
    """
    keys = ApiKey.objects.filter(source=source)
    if keys.filter(revoked_at__isnull=True).exists():
        raise SourceTakenError(f"Another key stores under {source}; revoke it first, or choose another name.")
    is_read_here = source in SCRAPED or Source.objects.filter(name=source).exists()
    came_otherwise = not keys.exists() and Ingest.objects.filter(source=source).exists()
    if not shares_source and (is_read_here or came_otherwise):
        raise SourceTakenError(
            f"Matches of {source} come from files or pages, and a feed under this name would count as that source. "
            "Choose another name, or confirm that the feed is that source."
        )


def find_key(token: str, *, now: datetime) -> ApiKey:
    """Return the key that a program sent.

    Raises
    ------
    KeyRefusedError
        When it is unknown, revoked or expired.
    """
    parts = TOKEN.fullmatch(token)
    row = ApiKey.objects.filter(prefix=parts[1]).first() if parts else None
    # Compared in constant time and also without a row, so that the time reveals nothing about stored keys.
    is_valid = hmac.compare_digest(_sha256(token), row.secret_sha256 if row else _NO_SHA256)
    if row is None or not is_valid:
        raise KeyRefusedError("This API key is unknown. Check that it was copied completely.")
    state = state_of(row, now=now)
    if state == "revoked":
        raise KeyRefusedError(f"The API key {row.prefix} was revoked. Ask the operator for a new one.")
    if state == "expired":
        raise KeyRefusedError(f"The API key {row.prefix} expired at {row.expires_at:%Y-%m-%d %H:%M} UTC.")
    return row


def record_use(key: ApiKey, *, now: datetime) -> None:
    """Record the use of a key, at most once a minute."""
    if key.latest_used_at is None or key.latest_used_at <= now - USE_RECORDED_EVERY:
        is_due = Q(latest_used_at__isnull=True) | Q(latest_used_at__lte=now - USE_RECORDED_EVERY)
        ApiKey.objects.filter(is_due, pk=key.pk).update(latest_used_at=now)


def revoke_key(*, key: ApiKey, by: str, now: datetime) -> bool:
    """Revoke a key at once and for good; return False if it was revoked before."""
    return bool(ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now, revoked_by=by))


def state_of(key: ApiKey, *, now: datetime) -> str:
    """Return ``"in force"``, ``"expired"`` or ``"revoked"``."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "in force"


def worlds_of(key: ApiKey) -> frozenset[World]:
    """Return the worlds that a key may write to."""
    return frozenset(World(world) for world in key.worlds)


def _sha256(token: str) -> str:
    # A slow hash protects secrets that can be guessed; 256 random bits cannot.
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
