"""What is shown when there is nothing to show: pages for people, problem details under /api/."""

from __future__ import annotations

import sys

from django.db import OperationalError
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django_guid import get_guid

from apps.api.rest import is_api, problem_response


def bad_request(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 400."""
    return _answer(request, 400, "This request cannot be understood.")


def forbidden(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 403."""
    return _answer(request, 403, "This is not open to you.")


def not_found(request: HttpRequest, exception: Exception | None = None) -> HttpResponse:
    """Answer 404; what a view said of it is shown, what the resolver says is not."""
    said = exception.args[0] if exception and exception.args and isinstance(exception.args[0], str) else ""
    return _answer(request, 404, said or "There is nothing at this address.")


def server_error(request: HttpRequest) -> HttpResponse:
    """Answer 500, or 503 when it is the database that is away."""
    if isinstance(sys.exc_info()[1], OperationalError):
        response = _answer(request, 503, "The database does not answer. Try again in a moment.")
        response["Retry-After"] = "5"
        return response
    return _answer(request, 500, "Something went wrong on our side. The log has it under this request id.")


def _answer(request: HttpRequest, status: int, detail: str) -> HttpResponse:
    if is_api(request):
        return problem_response(request, status, detail)
    template = "404.html" if status == 404 else "500.html"
    return render(
        request, template, {"status": status, "detail": detail, "request_id": get_guid() or ""}, status=status
    )
