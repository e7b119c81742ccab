"""Responses that the web process may send again without asking this code; see `spai/buffering/kept.py`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from apps.matches.models import FRESH_FOR, LiveScore, Match

ENVIRON: Final = "spai.keep"
"""Where the server looks for what it may keep."""

KEPT: Final = timedelta(minutes=5)
"""Longest time for which a response may be sent again. Events of a match end it at once; what has no event, such as a
new name of a club, is seen after this time.
"""


def keep(environ: dict[str, Any], *, match: Match, live: LiveScore | None = None, view: str, now: datetime) -> None:
    """Let the server send the response to this request again, to requests that equal it.

    It ends at the kick-off, when the score of a match in play is too old to be shown, or with an event of the match.

    Parameters
    ----------
    environ : dict
        That of the request.
    live : LiveScore, optional
        The score that the response tells.
    view : str
        Name of the view, under which the responses are counted.
    """
    ends = [now + KEPT]
    if match.kickoff_at > now:
        ends.append(match.kickoff_at)
    if live is not None and live.is_fresh(now):
        ends.append(live.read_at + FRESH_FOR)
    environ[ENVIRON] = (str(match.pk), min(ends).timestamp(), view)
