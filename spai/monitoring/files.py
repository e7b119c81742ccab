"""The files for Prometheus and Grafana, made from `apps/api/alerting/alerts.yaml` and `dashboards.yaml`.

A chart reads only files of its own folder: `helm/files/` has copies.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import yaml

from apps.api.alerting import RULES, SERVICE_LEVELS, prometheus_rules

HERE: Final = Path(__file__).parent
RULE_FILE: Final = HERE / "rules.yaml"
BOARDS: Final = HERE / "dashboards.yaml"
CHART: Final = HERE.parents[1] / "helm" / "files"
NOTE: Final = "# Written by `python -m spai.monitoring` from apps/api/alerting/alerts.yaml; change that file.\n"

_COLUMNS: Final = 24
_HEIGHT: Final = 8
_SOURCE: Final = {"type": "prometheus", "uid": "${source}"}


def written() -> dict[Path, str]:
    """Return the content of each file that is made, by its path."""
    rules = yaml.safe_dump(prometheus_rules(SERVICE_LEVELS, RULES), sort_keys=False, width=1000, allow_unicode=True)
    boards = yaml.safe_load(BOARDS.read_text(encoding="utf-8"))
    files = {RULE_FILE: NOTE + rules} | {
        HERE / "dashboards" / f"{board['uid']}.json": json.dumps(dashboard(**board), indent=1) + "\n"
        for board in boards
    }
    return files | {CHART / path.relative_to(HERE): content for path, content in files.items()}


def dashboard(*, uid: str, title: str, panels: list[dict[str, Any]]) -> dict[str, Any]:
    """Return a dashboard as Grafana imports it: two panels in a row, each with its queries."""
    half = _COLUMNS // 2
    return {
        "uid": uid,
        "title": f"SPAI · {title}",
        "tags": ["spai"],
        "timezone": "utc",
        "schemaVersion": 39,
        "editable": True,
        "refresh": "1m",
        "time": {"from": "now-24h", "to": "now"},
        "templating": {
            "list": [{"name": "source", "label": "Data source", "type": "datasource", "query": "prometheus"}]
        },
        "panels": [
            {
                "id": number,
                "title": panel["title"],
                "description": panel.get("text", ""),
                "type": panel.get("type", "timeseries"),
                "datasource": _SOURCE,
                "gridPos": {
                    "x": (number - 1) % 2 * half,
                    "y": (number - 1) // 2 * _HEIGHT,
                    "w": half,
                    "h": _HEIGHT,
                },
                "fieldConfig": {"defaults": {"unit": panel.get("unit", "short"), "min": 0}, "overrides": []}
                if panel.get("from_zero", True)
                else {"defaults": {"unit": panel.get("unit", "short")}, "overrides": []},
                "targets": [
                    {"refId": chr(ord("A") + i), "datasource": _SOURCE, "expr": expression, "legendFormat": legend}
                    for i, (legend, expression) in enumerate(panel["queries"].items())
                ],
            }
            for number, panel in enumerate(panels, start=1)
        ],
    }
