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
from apps.api.services.jobs import cancel_jobs_of
from apps.matches.models import Ingest, World
from apps.matches.services import record_action
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


class KeyFieldError(Exception):
    """The fields of a new key do not go together; `field` is the one to change."""

    def __init__(self, field: str, detail: str) -> None:
        super().__init__(detail)
        self.field = field


class KeyRefusedError(Exception):
    """The key is unknown, expired or revoked; the message, which the client gets, states which."""


@dataclass(frozen=True, slots=True)
class NewKey:
    """A new key with the token that its owner sends, which cannot be shown again."""

    row: ApiKey
    token: str = field(repr=False)


def create_key(
    *,
    name: str,
    created_by: str,
    now: datetime,
    scopes: Sequence[str] = (ApiKeyScope.INGEST,),
    source: str = "",
    worlds: Sequence[str] = (),
    expires_at: datetime | None = None,
    requests_per_minute: int | None = None,
    shares_source: bool = False,
) -> NewKey:
    """Create a key.

    Parameters
    ----------
    name : str
        Who uses it.
    created_by : str
    now : datetime
        Aware.
    scopes : sequence of str
        Its rights.
    source : str
        Name under which its records are stored; only for the scope ingest.
    worlds : sequence of str
        The worlds that it may write to; only for the scope ingest.
    expires_at : datetime, optional
        Aware and later than `now`.
    requests_per_minute : int, optional
        Its own limit, 0 for none; by default that of all keys.
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
        if source:
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
            requests_per_minute=requests_per_minute,
        )
        record_action(by=created_by, action="created an API key", about=row, after=_in_words(row), now=now)
    return NewKey(row, token)


def check_writes(*, scopes: Sequence[str], source: str, worlds: Sequence[str]) -> None:
    """Check that a new key has a source and worlds exactly where it may push matches in.

    Raises
    ------
    KeyFieldError
        Naming the field that is missing or means nothing.
    """
    for name, value in (("source", source), ("worlds", worlds)):
        if ApiKeyScope.INGEST in scopes and not value:
            raise KeyFieldError(name, "A key with the scope ingest needs it.")
        if ApiKeyScope.INGEST not in scopes and value:
            raise KeyFieldError(name, "Only a key with the scope ingest writes. Leave it empty, or add that scope.")


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
    prefix = prefix_of(token)
    return key_in_force(ApiKey.objects.filter(prefix=prefix).first() if prefix else None, token, now=now)


def prefix_of(token: str) -> str:
    """Return the public part of a token; empty when it is not in the form of one."""
    parts = TOKEN.fullmatch(token)
    return parts[1] if parts else ""


def key_in_force(row: ApiKey | None, token: str, *, now: datetime) -> ApiKey:
    """Return the row of a token if the secret is right and the key is in force.

    Raises
    ------
    KeyRefusedError
        When it is unknown, revoked or expired.
    """
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
    if use_is_due(key, now=now):
        # Noted first: threads that use the key meanwhile do not record it, too.
        key.latest_used_at = now
        is_due = Q(latest_used_at__isnull=True) | Q(latest_used_at__lte=now - USE_RECORDED_EVERY)
        ApiKey.objects.filter(is_due, pk=key.pk).update(latest_used_at=now)


def use_is_due(key: ApiKey, *, now: datetime) -> bool:
    """Return whether `record_use` would write: the recorded use is a minute old."""
    return key.latest_used_at is None or key.latest_used_at <= now - USE_RECORDED_EVERY


def revoke_key(*, key: ApiKey, by: str, now: datetime) -> bool:
    """Revoke a key at once and for good, and cancel its jobs; return False if it was revoked before."""
    with transaction.atomic():
        if not ApiKey.objects.filter(pk=key.pk, revoked_at__isnull=True).update(revoked_at=now, revoked_by=by):
            return False
        before, cancelled = state_of(key, now=now), cancel_jobs_of(key, now=now)
        after = f"revoked, {cancelled} jobs cancelled" if cancelled else "revoked"
        record_action(by=by, action="revoked an API key", about=key, before=before, after=after, now=now)
    return True


def state_of(key: ApiKey, *, now: datetime) -> str:
    """Return ``"in force"``, ``"expired"`` or ``"revoked"``."""
    if key.revoked_at is not None:
        return "revoked"
    return "expired" if key.expires_at is not None and key.expires_at <= now else "in force"


def worlds_of(key: ApiKey) -> frozenset[World]:
    """Return the worlds that a key may write to."""
    return frozenset(World(world) for world in key.worlds)


def _in_words(key: ApiKey) -> str:
    """Return what a key may do, in words."""
    writes = f", stores under {key.source} in {', '.join(key.worlds)}" if key.source else ""
    expires = f", until {key.expires_at:%Y-%m-%d %H:%M} UTC" if key.expires_at else ""
    return f"scopes {', '.join(key.scopes)}{writes}{expires}"


def _sha256(token: str) -> str:
    # A slow hash protects secrets that can be guessed; 256 random bits cannot.
    return hashlib.sha256(token.encode("utf-8", "replace")).hexdigest()
