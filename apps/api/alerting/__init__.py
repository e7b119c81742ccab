"""What is alerted on: `alerts.yaml` names every alert and every threshold once, for Prometheus and for SPAI itself."""

from apps.api.alerting.conditions import MetricsSnapshot, ServiceLevelPoint, Threshold, increase
from apps.api.alerting.rules import (
    RULES,
    SERVICE_LEVELS,
    AlertRule,
    ServiceLevel,
    prometheus_rules,
    read_rules,
)

__all__ = [
    "RULES",
    "SERVICE_LEVELS",
    "AlertRule",
    "MetricsSnapshot",
    "ServiceLevel",
    "ServiceLevelPoint",
    "Threshold",
    "increase",
    "prometheus_rules",
    "read_rules",
]
