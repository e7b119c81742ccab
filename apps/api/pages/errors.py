"""Error responses: pages for people, problem details under /api/."""

from __future__ import annotations

import sys

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext
from django_guid import get_guid

from apps.api.rest import is_api, problem_response
from apps.api.throttle import Admission


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 400, gettext("The request is not valid."))


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 403, gettext("You have no permission to see this."))


def too_many(request: HttpRequest, admission: Admission) -> HttpResponse:
    """Answer 429 where an address has more computed than its limit allows, with the time when it may ask again."""
    seconds = admission.reset_seconds
    response = _answer(
        request,
        429,
        gettext(
            "Too many results were assumed from your address. Try again in {seconds} s; other pages are open."
        ).format(seconds=seconds),
    )
    for name, value in (*admission.headers.items(), ("Cache-Control", "no-store")):
        response[name] = value
    return response


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 404 with the reason of the view; that of the resolver, which lists all routes, is not shown."""
    reason = exception.args[0] if exception and exception.args and isinstance(exception.args[0], str) else ""
    return _answer(request, 404, reason or gettext("This page does not exist."))


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500, or 503 when the database is not available."""
    if isinstance(sys.exc_info()[1], OperationalError):
        response = _answer(request, 503, gettext("The database does not answer. Try again in a moment."))
        response["Retry-After"] = "5"
        return response
    return _answer(request, 500, gettext("An error occurred. The server log has its cause under this request id."))


def _answer(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    if is_api(request):
        return problem_response(request, status, detail)
    template = "404.html" if status == 404 else "500.html"
    response = render(
        request, template, {"status": status, "detail": detail, "request_id": get_guid() or ""}, status=status
    )
    patch_vary_headers(response, ["Cookie", "Accept-Language"])
    return response
