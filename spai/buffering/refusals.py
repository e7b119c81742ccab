"""Refusals: the responses to requests that the application does not get to see."""

from __future__ import annotations

import json
from http import HTTPStatus
from typing import Final

from prometheus_client import Counter

from apps.matches.status_titles import title_of
from spai.buffering.wsgi import WsgiResponse

RETRY_SECONDS: Final = 5
"""Seconds after which a refused client should try again."""
OWN_HEADERS: Final = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
"""Headers of responses that are made here: those that Django's middleware adds to other responses."""

refused = Counter("spai_requests_refused", "Requests that no thread was given to, by the reason.", ["reason"])


class RefusedError(Exception):
    """A request is refused before the application sees it.

    `reason` is a label of the metric, `detail` says what happened and what to do, for a person.
    """

    def __init__(self, status: HTTPStatus, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail


class ClientGoneError(Exception):
    """The client closed the connection before its request was answered."""


def unavailable(reason: str, detail: str) -> RefusedError:
    """Return the refusal of a request that may succeed a little later."""
    return RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, reason, detail)


def overloaded() -> RefusedError:
    """Return the refusal of a request that no thread has time for."""
    return unavailable(
        "overload", f"This site has more requests than it can answer now. Try again in {RETRY_SECONDS} seconds."
    )


def failed() -> RefusedError:
    """Return the refusal for a request whose processing raised an error."""
    return RefusedError(
        HTTPStatus.INTERNAL_SERVER_ERROR,
        "fault",
        "The site failed to answer. Its log contains the reason.",
    )


def response_to(error: RefusedError, path: str) -> WsgiResponse:
    """Return the response to a refused request: problem details under /api/, a small page elsewhere."""
    headers = [*OWN_HEADERS]
    if error.status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", str(RETRY_SECONDS)))
    else:
        headers.append(("Connection", "close"))
    title = title_of(error.status)
    if path.startswith("/api/"):
        problem = {
            "type": "about:blank",
            "title": title,
            "status": error.status.value,
            "detail": error.detail,
            "instance": path,
            "request_id": "",
        }
        return WsgiResponse(
            error.status, [("Content-Type", "application/problem+json"), *headers], json.dumps(problem).encode()
        )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta name="color-scheme" content="light dark"><title>{title} · SPAI</title>'
        f"<h1>{title}</h1><p>{error.detail}</p></html>"
    )
    return WsgiResponse(error.status, [("Content-Type", "text/html; charset=utf-8"), *headers], page.encode())
