"""Readiness probe and metrics. `spai.buffering` answers the liveness probe, `/livez`."""

from __future__ import annotations

import secrets

from django.conf import settings
from django.db import DatabaseError
from django.http import HttpRequest, HttpResponse, JsonResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from apps.api.methods import read_only
from apps.matches.replicas import reading
from apps.ml import serving
from spai.draining import is_draining
from spai.metrics import registries
from spai.second_factor import lacks_second_factor


@read_only
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when PostgreSQL answers, is migrated and the models are loaded; otherwise 503 with the reason.

    A process that drains is not ready either, so that it gets no further requests.
    """
    if is_draining():
        return JsonResponse({"status": "not ready", "reason": "this process is about to be stopped"}, status=503)
    try:
        # Without the primary, pages are read from the replica.
        with reading().cursor() as cursor:
            cursor.execute("SELECT to_regclass('ml_prediction') IS NOT NULL")
            migrated = cursor.fetchone()[0]
    except DatabaseError as error:
        return JsonResponse({"status": "not ready", "reason": f"database: {error.__class__.__name__}"}, status=503)
    if not migrated:
        return JsonResponse({"status": "not ready", "reason": "the database is not migrated"}, status=503)
    if settings.SPAI_ROLE == "web" and not serving.is_warm():
        return JsonResponse({"status": "not ready", "reason": "the models are being loaded"}, status=503)
    return JsonResponse({"status": "ready", "role": settings.SPAI_ROLE})


def _refusal_of_metrics(request: HttpRequest) -> HttpResponse | None:
    """Return the refusal of a client that may not read the metrics, None for one that may."""
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() == "bearer" and settings.SPAI_METRICS_TOKEN:
        if secrets.compare_digest(token.strip().encode(), settings.SPAI_METRICS_TOKEN.encode()):
            return None
    elif request.user.is_authenticated:
        if request.user.is_active and request.user.is_staff and not lacks_second_factor(request.user):
            return None
        reason = "Metrics are shown to staff. Log in as a user with staff status.\n"
        return HttpResponse(reason, status=403, content_type="text/plain; charset=utf-8")
    reason = (
        "Metrics are shown to staff who are logged in, and to programs that send SPAI_METRICS_TOKEN as Bearer token.\n"
    )
    return HttpResponse(
        reason,
        status=401,
        content_type="text/plain; charset=utf-8",
        headers={"WWW-Authenticate": 'Bearer realm="metrics"'},
    )


@read_only
def metrics(request: HttpRequest) -> HttpResponse:
    """Answer with the metrics of all processes that share PROMETHEUS_MULTIPROC_DIR; without it, of this one.

    They are open to staff, and to programs that send SPAI_METRICS_TOKEN; others get 401 or 403.
    """
    if refusal := _refusal_of_metrics(request):
        return refusal
    return HttpResponse(b"".join(map(generate_latest, registries())), content_type=CONTENT_TYPE_LATEST)
