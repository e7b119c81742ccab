"""API keys that this process has in memory, so that a key that was used before costs no query.

PostgreSQL notifies of each change of a key (migration 0003), also of one in another process or by SQL. `watch_keys`
listens in a background thread. While it does, a key is kept until it changes; otherwise for `UNWATCHED_SECONDS`.
"""

from __future__ import annotations

import logging
import time
from datetime import datetime
from typing import Final

import psycopg
from django.db import connection

from apps.api.models import ApiKey
from apps.api.services.keys import find_key, key_in_force, prefix_of
from apps.matches.connections import first_line

logger = logging.getLogger(__name__)

CHANNEL: Final = "spai_api_key"
"""Channel of PostgreSQL whose notifications have the prefix of a changed key."""
UNWATCHED_SECONDS: Final = 2.0
"""How long a key is kept while no thread listens; also how long the thread counts as listening since its last sign."""
CHECK_SECONDS: Final = 0.5
MOST_CACHED: Final = 10_000
"""Largest number of keys in memory; then all are forgotten."""

_known: dict[str, tuple[ApiKey, float]] = {}
"""Prefix → the key and when it was read, on the monotonic clock."""
_generation = 0
"""Counts what was forgotten: a key that was read before is not kept after."""
_watched_until = 0.0
"""Until when notifications count as arriving, on the monotonic clock."""


def known_key(token: str, *, now: datetime) -> ApiKey | None:
    """Return the key of a token without a query, or None when it is not in memory.

    Raises
    ------
    KeyRefusedError
        When the key is in memory, and the token has another secret or the key has expired.
    """
    kept = _known.get(prefix_of(token))
    if kept is None:
        return None
    row, read_at = kept
    moment = time.monotonic()
    if moment >= _watched_until and moment - read_at >= UNWATCHED_SECONDS:
        return None
    return key_in_force(row, token, now=now)


def read_key(token: str, *, now: datetime) -> ApiKey:
    """Return the key of a token from the database, and keep it.

    Raises
    ------
    KeyRefusedError
        When it is unknown, revoked or expired.
    """
    generation, read_at = _generation, time.monotonic()
    row = find_key(token, now=now)
    if len(_known) >= MOST_CACHED:
        _known.clear()
    _known[row.prefix] = (row, read_at)
    # Compared after it was stored: what is forgotten later, `forget_key` removes itself.
    if generation != _generation:
        _known.pop(row.prefix, None)
    return row


def forget_key(prefix: str = "") -> None:
    """Read a key again at its next use; without a prefix, all keys."""
    global _generation
    _generation += 1
    if prefix:
        _known.pop(prefix, None)
    else:
        _known.clear()


def watch_keys(*, rounds: int | None = None) -> None:
    """Forget each key that changes, as PostgreSQL notifies; runs in a background thread.

    Parameters
    ----------
    rounds : int, optional
        How often to look for notifications; endless by default.
    """
    reported = -1.0
    while rounds is None or rounds > 0:
        try:
            rounds = _watch_until_fault(rounds)
        except (psycopg.Error, OSError) as error:
            # Once for each time that the database goes.
            if reported != _watched_until:
                logger.warning("changes of API keys are not heard: %s; trying again", first_line(error))
            reported = _watched_until
        except Exception:
            # The thread must not end: without it a revoked key would be accepted for `UNWATCHED_SECONDS`.
            logger.exception("changes of API keys are not heard; trying again")
        if rounds is None:
            time.sleep(CHECK_SECONDS)


def _watch_until_fault(rounds: int | None) -> int | None:
    global _watched_until
    # A separate connection: those of a pool go to other threads afterwards, and would still listen.
    with psycopg.connect(**connection.get_connection_params(), autocommit=True) as listening:
        listening.execute(f"LISTEN {CHANNEL}")
        # What changed before is unknown.
        forget_key()
        while rounds is None or rounds > 0:
            # A query shows that the connection is alive; a broken one may stay silent.
            listening.execute("SELECT 1")
            _watched_until = time.monotonic() + UNWATCHED_SECONDS
            for change in listening.notifies(timeout=CHECK_SECONDS, stop_after=1):
                forget_key(change.payload)
            rounds = None if rounds is None else rounds - 1
    return rounds
