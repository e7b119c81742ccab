"""Responses stored under the `Idempotency-Key` of a request, for a client that repeats it."""

from __future__ import annotations

import re
from datetime import datetime, timedelta
from typing import Any, Final

from apps.api.models import ApiKey, IdempotencyKey

STORED_FOR: Final = timedelta(hours=48)

LONGEST_KEY: Final = 200
"""Characters of a key."""

VALID_KEY: Final = re.compile(f"[!-~]{{1,{LONGEST_KEY}}}")
"""Visible ASCII characters."""


class OtherRequestError(Exception):
    """The idempotency key was used for another request before."""


def stored_response(*, api_key: ApiKey, key: str, request_sha256: str, now: datetime) -> IdempotencyKey | None:
    """Return the response to an equal request under the same key; None when there is none, or no key.

    Raises
    ------
    OtherRequestError
        When the key belongs to another request.
    """
    kept = IdempotencyKey.objects.filter(api_key=api_key, key=key).first() if key else None
    if kept is None or kept.created_at <= now - STORED_FOR:
        return None
    if kept.request_sha256 != request_sha256:
        raise OtherRequestError(f"The Idempotency-Key {key!r} belongs to another request.")
    return kept


def store_response(
    *, api_key: ApiKey, key: str, request_sha256: str, status: int, answer: dict[str, Any], now: datetime
) -> None:
    """Store the response to a request with a key, in the transaction of what the request changed.

    Raises
    ------
    IntegrityError
        When an equal request was faster. Once the transaction is rolled back, `stored_response` returns its response.
    """
    if key:
        IdempotencyKey.objects.create(
            api_key=api_key, key=key, request_sha256=request_sha256, status=status, answer=answer, created_at=now
        )


def delete_expired_responses(now: datetime) -> None:
    """Delete the responses that have expired."""
    IdempotencyKey.objects.filter(created_at__lte=now - STORED_FOR).delete()
