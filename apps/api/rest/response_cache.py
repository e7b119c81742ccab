"""Permission for the web process to cache a response; see `spai/buffering/response_cache.py`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from apps.matches.models import FRESH_FOR, LiveScore, Match

ENVIRON: Final = "spai.cache"
"""Key under which the server looks for the permission."""

CACHED_FOR: Final = timedelta(minutes=5)
"""Longest time for which a response is cached. An event of the match ends it at once. A change without an event, such
as a new name of a club, is shown after this time.
"""


def allow_caching(
    environ: dict[str, Any], *, match: Match, live: LiveScore | None = None, view: str, now: datetime
) -> None:
    """Let the server cache the response to this request for equal requests.

    The cached response ends at the kick-off, with an event of the match, or when the score of a match in play is too
    old to be shown.

    Parameters
    ----------
    environ : dict
        That of the request.
    live : LiveScore, optional
        The score in the response.
    view : str
        Name of the view, under which the responses are counted.
    """
    ends = [now + CACHED_FOR]
    if match.kickoff_at > now:
        ends.append(match.kickoff_at)
    if live is not None and live.is_fresh(now):
        ends.append(live.read_at + FRESH_FOR)
    environ[ENVIRON] = (str(match.pk), min(ends).timestamp(), view)
