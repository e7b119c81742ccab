"""Error responses: pages for people, problem details under /api/."""

from __future__ import annotations

import sys

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_guid import get_guid

from apps.api.rest import is_api, problem_response


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 400, "The request is not valid.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    return _answer(request, 403, "You have no permission to see this.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 404 with the reason of the view; that of the resolver, which lists all routes, is not shown."""
    reason = exception.args[0] if exception and exception.args and isinstance(exception.args[0], str) else ""
    return _answer(request, 404, reason or "This page does not exist.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500, or 503 when the database is not available."""
    if isinstance(sys.exc_info()[1], OperationalError):
        response = _answer(request, 503, "The database does not answer. Try again in a moment.")
        response["Retry-After"] = "5"
        return response
    return _answer(request, 500, "An error occurred. The server log has its cause under this request id.")


def _answer(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    if is_api(request):
        return problem_response(request, status, detail)
    template = "404.html" if status == 404 else "500.html"
    return render(
        request, template, {"status": status, "detail": detail, "request_id": get_guid() or ""}, status=status
    )
