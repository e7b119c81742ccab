"""The addresses ``/_faults`` and ``/_log``, for programs on this machine."""

from __future__ import annotations

import json
from http import HTTPStatus
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qs, urlsplit

from apps.scraping.sandbox.site.answers import SiteAnswer, json_answer
from apps.scraping.sandbox.site.faults import FaultError, Faults
from apps.scraping.sandbox.site.log import RequestLog
from apps.scraping.sandbox.site.pages import error_answer

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIEnvironment

FAULTS_PATH: Final = "/_faults"
LOG_PATH: Final = "/_log"
CONTROL_PATHS: Final = (FAULTS_PATH, LOG_PATH)
LONGEST_BODY: Final = 10_000
LOOPBACK_NAMES: Final = ("127.0.0.1", "localhost", "::1")


def control(path: str, query: str, environ: WSGIEnvironment, faults: Faults, log: RequestLog) -> SiteAnswer:
    """Respond to a program on this machine; others are refused.

    ``GET``, ``PUT`` and ``DELETE`` of ``/_faults`` (``?path=`` to remove one), ``GET`` and ``DELETE`` of ``/_log``; the
    response lists what is there afterwards, as JSON.
    """
    if not _is_from_here(environ):
        return error_answer(HTTPStatus.FORBIDDEN, "this address answers to programs on this machine only")
    method = environ["REQUEST_METHOD"]
    if path == LOG_PATH:
        if method == "DELETE":
            log.clear()
        elif method != "GET":
            return error_answer(HTTPStatus.METHOD_NOT_ALLOWED, "read or clear the log", {"Allow": "GET, DELETE"})
        return json_answer(log.entries())
    try:
        if method == "PUT":
            faults.put(**_fault_in(environ))
        elif method == "DELETE":
            faults.clear(parse_qs(query).get("path", [None])[-1])
        elif method != "GET":
            return error_answer(HTTPStatus.METHOD_NOT_ALLOWED, "read, put or clear", {"Allow": "GET, PUT, DELETE"})
    except FaultError as error:
        return json_answer({"error": str(error)}, HTTPStatus.BAD_REQUEST)
    return json_answer(faults.entries())


def _is_from_here(environ: WSGIEnvironment) -> bool:
    """Return whether a request comes from this machine, not through a proxy and to a local host name."""
    if "HTTP_X_FORWARDED_FOR" in environ or "HTTP_FORWARDED" in environ:
        return False
    try:
        host = urlsplit(f"//{environ.get('HTTP_HOST') or 'localhost'}").hostname
        address = ip_address(environ.get("REMOTE_ADDR", ""))
    except ValueError:
        return False
    return host in LOOPBACK_NAMES and (getattr(address, "ipv4_mapped", None) or address).is_loopback


def _fault_in(environ: WSGIEnvironment) -> dict[str, Any]:
    """Return the fault in the body of a request; FaultError if there is none."""
    try:
        length = int(environ.get("CONTENT_LENGTH") or 0)
    except ValueError:
        length = 0
    if not 0 < length <= LONGEST_BODY:
        raise FaultError(f"send JSON of at most {LONGEST_BODY} bytes, with Content-Length")
    try:
        asked = json.loads(environ["wsgi.input"].read(length))
    except (ValueError, RecursionError) as error:
        raise FaultError(f"the body is no JSON: {error}") from error
    if not isinstance(asked, dict) or not {"path", "mode"} <= set(asked) <= {"path", "mode", "times", "seconds"}:
        raise FaultError('send {"path": "/…", "mode": "…"}, and if need be "times" and "seconds"')
    return asked
