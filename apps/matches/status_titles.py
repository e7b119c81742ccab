"""Titles of HTTP statuses, the same on every supported Python: its own names of some changed in 3.13."""

from __future__ import annotations

from http import HTTPStatus
from typing import Final

RENAMED: Final = {
    HTTPStatus.REQUEST_ENTITY_TOO_LARGE: "Content Too Large",
    HTTPStatus.REQUESTED_RANGE_NOT_SATISFIABLE: "Range Not Satisfiable",
    HTTPStatus.UNPROCESSABLE_ENTITY: "Unprocessable Content",
}
"""Names of RFC 9110 that Python 3.11 and 3.12 do not have yet."""


def title_of(status: int) -> str:
    """Return the name that RFC 9110, or the registry of statuses, gives a status."""
    found = HTTPStatus(status)
    return RENAMED.get(found, found.phrase)
