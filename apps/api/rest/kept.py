"""Responses that the web process may send again without asking this code; see `spai/buffering/kept.py`."""

from __future__ import annotations

from typing import Final

from rest_framework.request import Request

ENVIRON: Final = "spai.keep"
"""Where the server looks for what it may keep."""


def keep(request: Request, *, about: int, until: float) -> None:
    """Let the server send the response to this request again, to requests that equal it.

    Parameters
    ----------
    about : int
        Id of the match that it is about: an event of this match ends it.
    until : float
        When it ends at the latest, in seconds since 1970.
    """
    view = request.resolver_match.view_name if request.resolver_match else ""
    request.META[ENVIRON] = (str(about), until, view)
