"""What people did."""

from __future__ import annotations

from django.db.models import Model, QuerySet

from apps.matches.models import AuditEntry, subject_of


def history_of(row: Model) -> QuerySet[AuditEntry]:
    """Return what people did to a row, the latest first."""
    return AuditEntry.objects.filter(subjects__contains=[subject_of(row)]).order_by("-id")
