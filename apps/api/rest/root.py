"""The root of the REST API: the addresses of everything that needs no id."""

from __future__ import annotations

from typing import Any, Final

from django.urls import get_resolver
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.caching import ConditionalMixin
from apps.api.rest.parameters import QuerySerializer

ROOT: Final = "api/v1/"


def routes() -> list[str]:
    """Return the paths of the REST API, each as Django writes its pattern, without a slash in front."""
    found = []

    def collect(patterns: Any, prefix: str) -> None:
        for pattern in patterns:
            path = prefix + str(pattern.pattern).removeprefix("^").removesuffix("$").removesuffix(r"\Z")
            if hasattr(pattern, "url_patterns"):
                collect(pattern.url_patterns, path)
            elif path.startswith(ROOT):
                found.append(path)

    collect(get_resolver().url_patterns, "")
    return found


class RootView(ConditionalMixin, APIView):
    """Where the API begins."""

    http_method_names = ["get", "head", "options"]

    @extend_schema(
        operation_id="root",
        summary="The addresses of the API",
        responses={
            200: {
                "type": "object",
                "description": "Path below the root → address.",
                "additionalProperties": {"type": "string", "format": "uri"},
            },
            **BAD_INPUT,
        },
    )
    def get(self, request: Request) -> Response:
        """Return the address of each list and each action, and of the schema of the API."""
        QuerySerializer.parse(request)
        paths = [path for path in routes() if path != ROOT and not set("<(") & set(path)]
        addresses = {
            path.removeprefix(ROOT).rstrip("/"): request.build_absolute_uri(f"/{path}") for path in sorted(paths)
        }
        return Response(addresses | {"schema": request.build_absolute_uri("/api/schema/")})
