"""Errors of the API (RFC 9457) as exceptions."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import Any

import httpx


class ProblemError(Exception):
    """A request that was refused; the message says why and what to do.

    Attributes
    ----------
    status : int
    kind : str
        Short name for programs, such as ``no-forecast``; empty where the status says enough.
    errors : list of dict
        ``{"parameter": …, "detail": …}`` for each parameter that is wrong.
    request_id : str
        Quote it when you report a problem.
    retry_after : float or None
        Seconds after which to ask again.
    members : dict
        The whole problem.
    """

    def __init__(self, status: int, members: dict[str, Any], retry_after: float | None = None) -> None:
        super().__init__(str(members.get("detail") or members.get("title") or f"The server answered {status}."))
        self.status = status
        self.members = members
        self.retry_after = retry_after
        found = re.fullmatch(r"urn:spai:problem:(.+)", str(members.get("type", "")))
        self.kind: str = found[1] if found else ""
        self.errors: list[dict[str, Any]] = members.get("errors", [])
        self.request_id: str = members.get("request_id", "")


class InvalidError(ProblemError):
    """A parameter or the body is wrong (400, 413, 415, 422)."""


class AccessError(ProblemError):
    """The API key is missing or wrong, or lacks the scope (401, 403)."""


class NotFoundError(ProblemError):
    """What was asked for does not exist (404)."""


class BusyError(ProblemError):
    """The limit of requests is reached, or the server cannot answer now (429, 503)."""


_CLASSES: dict[int, type[ProblemError]] = {
    **dict.fromkeys((400, 413, 415, 422), InvalidError),
    **dict.fromkeys((401, 403), AccessError),
    404: NotFoundError,
    **dict.fromkeys((429, 503), BusyError),
}


def retry_after(response: httpx.Response) -> float | None:
    """Return the seconds of `Retry-After`, which may also be a date; None without one that can be read."""
    text = response.headers.get("Retry-After", "")
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    return max(0.0, (moment - datetime.now(UTC)).total_seconds()) if moment.tzinfo else None


def raise_problem(response: httpx.Response) -> None:
    """Raise the problem of a refused request; a hook of httpx."""
    if response.status_code < HTTPStatus.BAD_REQUEST:
        return
    response.read()
    try:
        members = response.json()
    except ValueError:
        # Another server answered, such as a proxy.
        members = {}
    kind = _CLASSES.get(response.status_code, ProblemError)
    raise kind(response.status_code, members if isinstance(members, dict) else {}, retry_after(response))
