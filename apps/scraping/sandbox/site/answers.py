"""Responses of the site, with HTTP validators, compression and status 304."""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from functools import cached_property
from http import HTTPStatus
from typing import Any, Final

SMALLEST_GZIP: Final = 500
"""Bytes; smaller bodies are not compressed."""
GZIP_LEVEL: Final = 4

HTML: Final = "text/html; charset=utf-8"
JSON: Final = "application/json; charset=utf-8"
CSV: Final = "text/csv; charset=utf-8"
TEXT: Final = "text/plain; charset=utf-8"


@dataclass(frozen=True)
class SiteAnswer:
    """A response of the site before it is sent.

    Parameters
    ----------
    modified_at : datetime or None
        When it last changed, aware, UTC; sent as Last-Modified.
    stream : iterable of bytes or None
        Sent in place of the body, piece by piece.
    """

    body: bytes
    content_type: str = HTML
    status: HTTPStatus = HTTPStatus.OK
    modified_at: datetime | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    stream: Iterable[bytes] | None = None

    @cached_property
    def etag(self) -> str:
        """A weak validator, the same for the compressed and the plain body."""
        return f'W/"{hashlib.sha256(self.body).hexdigest()[:24]}"'

    @cached_property
    def compressed(self) -> bytes:
        """The body in gzip, without a timestamp, so that equal bodies give equal bytes."""
        return gzip.compress(self.body, GZIP_LEVEL, mtime=0)

    def is_known(self, if_none_match: str, if_modified_since: str) -> bool:
        """Return whether the client's copy is still current; If-None-Match takes precedence."""
        if if_none_match:
            tags = [tag.strip() for tag in if_none_match.split(",")]
            return "*" in tags or self.etag.removeprefix("W/") in [tag.removeprefix("W/") for tag in tags]
        if not if_modified_since or self.modified_at is None:
            return False
        try:
            since = parsedate_to_datetime(if_modified_since)
        except ValueError:
            return False
        return self.modified_at.replace(microsecond=0) <= (since if since.tzinfo else since.replace(tzinfo=UTC))


def json_answer(value: Any, status: HTTPStatus = HTTPStatus.OK) -> SiteAnswer:
    """Return a JSON response that must not be cached."""
    return SiteAnswer(
        json.dumps(value, ensure_ascii=False).encode(), JSON, status, headers={"Cache-Control": "no-store"}
    )


@dataclass(frozen=True, slots=True)
class Sent:
    """Status line, headers and body as they are sent."""

    status: str
    headers: list[tuple[str, str]]
    body: Iterable[bytes]


def prepare(answer: SiteAnswer, *, method: str, headers: Mapping[str, str]) -> Sent:
    """Return what is sent for a response.

    `headers` are those of the request, by their WSGI names such as ``HTTP_IF_NONE_MATCH``.
    """
    sent = {"Content-Type": answer.content_type, **answer.headers}
    if answer.stream is not None:
        return Sent(_line(answer.status), list(sent.items()), [] if method == "HEAD" else answer.stream)
    body, status = answer.body, answer.status
    if status is HTTPStatus.OK and "Content-Encoding" not in sent:
        sent = {"ETag": answer.etag, "Vary": "Accept-Encoding", "Cache-Control": "no-cache", **sent}
        if answer.modified_at is not None:
            sent["Last-Modified"] = format_datetime(answer.modified_at, usegmt=True)
        if answer.is_known(headers.get("HTTP_IF_NONE_MATCH", ""), headers.get("HTTP_IF_MODIFIED_SINCE", "")):
            del sent["Content-Type"]
            return Sent(_line(HTTPStatus.NOT_MODIFIED), list(sent.items()), [])
        if len(body) >= SMALLEST_GZIP and accepts_gzip(headers.get("HTTP_ACCEPT_ENCODING", "")):
            sent["Content-Encoding"] = "gzip"
            body = answer.compressed
    sent["Content-Length"] = str(len(body))
    return Sent(_line(status), list(sent.items()), [] if method == "HEAD" else [body])


def accepts_gzip(accept_encoding: str) -> bool:
    """Return whether a client accepts gzip; ``gzip;q=0`` refuses it."""
    for part in accept_encoding.lower().split(","):
        name, _, quality = (piece.strip() for piece in part.partition(";"))
        if name in ("gzip", "*"):
            return quality.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _line(status: HTTPStatus) -> str:
    return f"{status.value} {status.phrase}"
