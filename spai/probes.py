"""What a process says of itself to those who run it: alive, ready, and its metrics."""

from __future__ import annotations

from django.conf import settings
from django.db import DatabaseError, connection
from django.http import HttpRequest, JsonResponse
from django.views.decorators.http import require_safe


@require_safe
def livez(request: HttpRequest) -> JsonResponse:
    """Answer as long as the process answers anything."""
    return JsonResponse({"status": "alive", "face": settings.SPAI_FACE})


@require_safe
def readyz(request: HttpRequest) -> JsonResponse:
    """Answer 200 when PostgreSQL, the one thing that every answer needs, is there and migrated; else 503 with the reason."""
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT to_regclass('ml_prediction') IS NOT NULL")
            migrated = cursor.fetchone()[0]
    except DatabaseError as error:
        return JsonResponse({"status": "not ready", "reason": f"database: {error.__class__.__name__}"}, status=503)
    if not migrated:
        return JsonResponse({"status": "not ready", "reason": "the database is not migrated"}, status=503)
    return JsonResponse({"status": "ready", "face": settings.SPAI_FACE})
