"""Errors of the API as problem details (RFC 9457)."""

from __future__ import annotations

from typing import Any, Final

from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, JsonResponse
from django_guid import get_guid
from rest_framework import exceptions, status
from rest_framework.response import Response
from rest_framework.views import exception_handler as drf_exception_handler

from apps.api.schema import PROBLEM_TYPE
from apps.matches.status_titles import title_of

MEDIA_TYPE: Final = PROBLEM_TYPE


class Problem(exceptions.APIException):
    """An error with a `type` of its own.

    `kind` is its short name, `wait` the seconds after which the client may try again; `members` are further members of
    the response, for programs.
    """

    def __init__(
        self, status: int, kind: str, detail: str, *, wait: int | None = None, members: dict[str, Any] | None = None
    ) -> None:
        super().__init__(detail)
        self.status_code = status
        self.kind = kind
        self.wait = wait
        self.members = members or {}


class NoForecastProblem(Problem):
    """The match exists, but has no forecast."""

    def __init__(self, detail: str) -> None:
        super().__init__(status.HTTP_404_NOT_FOUND, "no-forecast", detail)


class NotFoundProblem(Problem):
    """Something that the address names does not exist."""

    def __init__(self, kind: str, detail: str) -> None:
        super().__init__(status.HTTP_404_NOT_FOUND, kind, detail)


def is_api(request: HttpRequest) -> bool:
    """Whether a request gets its errors as problem details."""
    return request.path.startswith("/api/")


def kind_urn(kind: str) -> str:
    """Return the `type` of a kind of problem."""
    return f"urn:spai:problem:{kind}"


def problem(
    code: int, detail: str, *, instance: str, kind: str = "", errors: list[dict[str, str]] | None = None
) -> dict[str, Any]:
    """Return the members of one problem.

    Without a `kind` the status is enough. `errors` are ``{"parameter": …, "detail": …}`` for each invalid parameter.
    """
    body: dict[str, Any] = {
        "type": kind_urn(kind) if kind else "about:blank",
        "title": title_of(code),
        "status": code,
        "detail": detail,
        "instance": instance,
        "request_id": get_guid() or "",
    }
    if errors:
        body["errors"] = errors
    return body


def problem_response(request: HttpRequest, code: int, detail: str, *, kind: str = "") -> JsonResponse:
    """Return a problem for a request that reached no view of the API."""
    body = problem(code, detail, instance=request.path, kind=kind)
    return JsonResponse(body, status=code, content_type=MEDIA_TYPE)


def exception_handler(error: Exception, context: dict[str, Any]) -> Response | None:
    """Return the problem for an exception of a view; None for an unexpected one, which `handler500` answers."""
    response = drf_exception_handler(error, context)
    if response is None:
        return None
    if isinstance(error, Http404):
        error = exceptions.NotFound("This address does not exist.")
    elif isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    assert isinstance(error, exceptions.APIException)
    errors: list[dict[str, str]] = []
    kind = ""
    if isinstance(error, exceptions.ValidationError):
        errors = _flat(error.detail)
        kind = "bad-input"
        detail = "; ".join(
            f"{each['parameter']}: {each['detail']}" if each["parameter"] else each["detail"] for each in errors
        )
    else:
        detail = str(error.detail)
        kind = error.kind if isinstance(error, Problem) else ""
    response.data = problem(response.status_code, detail, instance=context["request"].path, kind=kind, errors=errors)
    if isinstance(error, Problem):
        response.data |= error.members
    response.content_type = MEDIA_TYPE
    if response.status_code == status.HTTP_404_NOT_FOUND:
        response["Cache-Control"] = "no-store"
    return response


def _flat(detail: Any, parameter: str = "") -> list[dict[str, str]]:
    if isinstance(detail, dict):
        return [
            found
            for key, value in detail.items()
            for found in _flat(value, "" if key == "non_field_errors" else str(key))
        ]
    if isinstance(detail, list):
        return [found for value in detail for found in _flat(value, parameter)]
    return [{"parameter": parameter, "detail": str(detail)}]
