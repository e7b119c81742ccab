"""The API's reference for people, drawn by Swagger UI and Redoc from files of this site alone."""

from __future__ import annotations

from csp.constants import SELF
from csp.decorators import csp_update
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from apps.api.methods import read_only


@read_only
def swagger(request: HttpRequest) -> HttpResponse:
    """Show the API with Swagger UI, to try it out."""
    return render(request, "pages/swagger.html")


# Redoc styles itself by style elements and searches in a worker that it makes from a blob.
@read_only
@csp_update({"style-src": [SELF, "'unsafe-inline'"], "worker-src": ["blob:"]})
def redoc(request: HttpRequest) -> HttpResponse:
    """Show the API with Redoc, to read it."""
    return render(request, "pages/redoc.html")
