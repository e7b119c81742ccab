"""Stored forecasts without the middlewares of Django, in whose stead the headers of an earlier response are taken.

All that differs between the responses to two requests for stored forecasts of single matches with equal `_SEEN` headers
are the body, what follows from it, and the headers of access. Django answers the first such request; the next ones run
the same services and renderers here, at less CPU time (`benchmarks/serving_single.py`). Django answers everything else
(no stored forecast, a wrong key, parameters, an error).
"""

from __future__ import annotations

import logging
import re
import time
from collections.abc import Callable, Iterable
from http import HTTPStatus
from typing import Any, Final

from django.core.signals import request_finished, request_started
from django.db import DatabaseError
from django.http import HttpResponse
from django.utils import timezone
from rest_framework.renderers import JSONRenderer

from apps.api import services
from apps.api.rest import PREDICTION_PATH, PREDICTION_VIEW, allow_caching, conditional
from apps.api.rest.access import access_to_cached
from apps.matches.replicas import from_replica
from apps.ml import selectors as ml_selectors
from spai.buffering import CACHE_PERMISSION, OF_CONTENT, OWN, Environ, Headers, request_id
from spai.charsets import Utf8Request
from spai.compression import CompressionMiddleware
from spai.request_metrics import count

logger = logging.getLogger(__name__)

StartResponse = Callable[..., Any]
Application = Callable[[Environ, StartResponse], Iterable[bytes]]

_SEEN: Final = ("HTTP_HOST", "HTTP_ACCEPT", "HTTP_ACCEPT_ENCODING", "HTTP_ORIGIN", "HTTP_X_FORWARDED_PROTO")
"""Headers of a request on which those of the response depend."""

_OTHERS: Final = {
    "HTTP_IF_MATCH",
    "HTTP_IF_MODIFIED_SINCE",
    "HTTP_IF_UNMODIFIED_SINCE",
    "HTTP_RANGE",
    "HTTP_X_REQUEST_ID",
    "HTTP_X_REQUESTED_WITH",
}
"""Headers of a request that Django answers."""

_LIMIT: Final = 256
"""Combinations of `_SEEN` whose headers are in memory; then all are forgotten."""

_LONGEST: Final = 512
"""Characters of such a combination: without a limit, a stranger could fill the memory with headers of 60 KB."""


class StoredForecasts:
    """A WSGI application in front of Django's that answers requests for stored forecasts."""

    def __init__(self, application: Application) -> None:
        self._application = application
        self._path = re.compile(PREDICTION_PATH)
        self._compress = CompressionMiddleware(lambda request: HttpResponse())
        self._headers: dict[tuple[str | None, ...], Headers] = {}

    def __call__(self, environ: Environ, start_response: StartResponse) -> Iterable[bytes]:
        """Answer a request."""
        path = self._path.fullmatch(environ["PATH_INFO"])
        is_plain = environ["REQUEST_METHOD"] == "GET" and not environ["QUERY_STRING"] and not _OTHERS & environ.keys()
        # A parameter of a media type may be an indentation.
        if path is None or not is_plain or ";" in environ.get("HTTP_ACCEPT", ""):
            return self._application(environ, start_response)
        seen = tuple(environ.get(name) for name in _SEEN)
        shared = self._headers.get(seen)
        response = None
        if shared is not None:
            try:
                response = self._answer(environ, int(path["id"]), shared)
            except DatabaseError:
                pass  # Django logs it and answers it as a problem.
            except Exception:
                logger.exception("Django answers %s in place of `StoredForecasts`", environ["PATH_INFO"])
        if response is not None:
            start_response(f"{response.status_code} {response.reason_phrase}", list(response.items()))
            return [response.content]

        def learn(status: str, headers: Headers, *rest: Any) -> Any:
            is_short = sum(len(value or "") for value in seen) <= _LONGEST
            if CACHE_PERMISSION in environ and status.startswith("200") and is_short:
                if len(self._headers) >= _LIMIT:
                    self._headers.clear()
                self._headers[seen] = [pair for pair in headers if pair[0].lower() not in OWN]
            return start_response(status, headers, *rest)

        return self._application(environ, learn)

    def _answer(self, environ: Environ, match_id: int, shared: Headers) -> Any:
        """Return the response; None where Django must answer."""
        began, now = time.perf_counter(), timezone.now()
        request_started.send(type(self), environ=environ)
        try:
            # Not by `services.forecast_of`, which would make a forecast where none is stored, and Django once more.
            with from_replica():
                found = ml_selectors.match_with_prediction(match_id)
        finally:
            request_finished.send(type(self))
        if found is None or found.prediction is None:
            return None
        # Access comes last, because it counts the request against the limit, which Django would do again.
        access = access_to_cached(environ)
        if access is None:
            return None
        match = found.match
        details = services.forecast_details(match, found.prediction, live=found.live, now=now)
        body = JSONRenderer().render(services.forecast_shape(match, details, now=now))
        request = Utf8Request(environ)
        response: Any = conditional(request, HttpResponse(body))
        response = self._compress.process_response(request, response)
        allow_caching(environ, match=match, live=details.live_score, view=PREDICTION_VIEW, now=now)
        has_content = response.status_code == HTTPStatus.OK
        for name, value in (
            *(pair for pair in shared if has_content or pair[0].lower() not in OF_CONTENT),
            ("X-Request-ID", request_id()),
            ("Content-Length", str(len(response.content))),
            *access,
        ):
            response[name] = value
        count(PREDICTION_VIEW, response.status_code, len(response.content), time.perf_counter() - began)
        return response
