"""Responses that the web process may send again without asking this code; see `spai/buffering/kept.py`."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any, Final

from apps.matches.models import Match

ENVIRON: Final = "spai.keep"
"""Where the server looks for what it may keep."""

KEPT: Final = timedelta(minutes=5)
"""Longest time for which a response may be sent again. Events of a match end it at once; what has no event, such as a
new name of a club, is seen after this time.
"""


def keep(environ: dict[str, Any], *, match: Match, view: str, now: datetime) -> None:
    """Let the server send the response to this request again, to requests that equal it.

    It ends at the kick-off, or with an event of the match.

    Parameters
    ----------
    environ : dict
        That of the request.
    view : str
        Name of the view, under which the responses are counted.
    """
    ends = now + KEPT if match.kickoff_at <= now else min(now + KEPT, match.kickoff_at)
    environ[ENVIRON] = (str(match.pk), ends.timestamp(), view)
