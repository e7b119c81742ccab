"""Alerts that hold, and when they were looked for."""

from __future__ import annotations

from datetime import datetime

from django.conf import settings
from django.db.models import F, QuerySet

from apps.api.alerting import RULES
from apps.api.models import Alert, ServiceLevelCount


def firing_alerts() -> QuerySet[Alert]:
    """Return the alerts that fire: those first that nobody has acknowledged, then the critical ones."""
    firing = Alert.objects.filter(state=Alert.AlertState.FIRING)
    return firing.order_by(F("acknowledged_at").asc(nulls_first=True), "severity", "began_at")


def alerts_evaluated_at() -> datetime | None:
    """Return when the alerts were last evaluated, to the minute; None before the first time."""
    counts = ServiceLevelCount.objects.filter(slo="freshness").order_by("-at")
    return counts.values_list("at", flat=True).first()


def alerts_of_one_container() -> list[str]:
    """Return the names of alerts for which SPAI itself sees one container of several; none outside of containers."""
    return [rule.name for rule in RULES if rule.each_container] if settings.SPAI_STOP_MARK else []
