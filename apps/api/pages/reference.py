"""References of the API: for people by Swagger UI and Redoc, only from files of this site; of push as AsyncAPI."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from csp.constants import SELF
from csp.decorators import csp_update
from django.conf import settings
from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from drf_spectacular.settings import spectacular_settings

from apps.api.methods import read_only


@dataclass(frozen=True, slots=True)
class Route:
    """A route of the API in a line."""

    method: str
    path: str
    summary: str


@cache
def routes() -> list[Route]:
    """Return all routes of the API in the order of the schema, for readers without JavaScript."""
    schema = spectacular_settings.DEFAULT_GENERATOR_CLASS().get_schema(request=None, public=True)
    return [
        Route(method.upper(), path, operation.get("summary") or operation.get("description", "").split("\n\n")[0])
        for path, operations in schema["paths"].items()
        for method, operation in operations.items()
    ]


@read_only
def swagger(request: HttpRequest) -> HttpResponse:
    """Show the API with Swagger UI, to try it out."""
    return render(request, "pages/swagger.html", {"routes": routes()})


# Redoc styles itself by style elements and searches in a worker that it makes from a blob.
@read_only
@csp_update({"style-src": [SELF, "'unsafe-inline'"], "worker-src": ["blob:"]})
def redoc(request: HttpRequest) -> HttpResponse:
    """Show the API with Redoc, to read it."""
    return render(request, "pages/redoc.html", {"routes": routes()})


@cache
def push_document() -> dict[str, Any]:
    """Return the AsyncAPI document of push, with the address of this installation."""
    document: dict[str, Any] = json.loads((Path(__file__).parents[1] / "push/asyncapi.json").read_text())
    for server, address in (("websocket", settings.SPAI_PUSH_WS_URL), ("stream", settings.SPAI_PUSH_URL)):
        parts = urlsplit(address)
        document["servers"][server] |= {"host": parts.netloc, "protocol": parts.scheme}
    return document


@read_only
def asyncapi(request: HttpRequest) -> HttpResponse:
    """Describe the messages of push."""
    return JsonResponse(push_document(), headers={"Cache-Control": "max-age=300"})
