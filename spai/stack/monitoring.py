"""Prometheus and Alertmanager on this machine, where they are installed: their configuration and their processes.

SPAI evaluates its alerts and tells the operator without them. Prometheus keeps the history that dashboards show, and it
alone notices that SPAI itself does not answer; only those alerts does Alertmanager pass on.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final
from urllib.parse import unquote, urlsplit

from spai.stack.environment import BASE, Stack, write_private

PROGRAMS: Final = {"prometheus": ("prometheus",), "alertmanager": ("alertmanager", "prometheus-alertmanager")}
"""Process → names of its program; Debian has its own name for the second."""

RULES: Final = BASE / "spai" / "monitoring" / "rules.yaml"
EVERY: Final = "60s"
"""Time between two scrapes; each costs a process of the site about as much as a page."""
RETENTION_OPTIONS: Final = ("--storage.tsdb.retention.time=15d", "--storage.tsdb.retention.size=512MB")


def program(stack: Stack, process: str) -> str:
    """Return the path of a program that is to run, empty where it is not installed or SPAI_PROMETHEUS is off."""
    if not stack.runs_prometheus:
        return ""
    found = (shutil.which(name, path=stack.overrides.get("PATH", "")) for name in PROGRAMS[process])
    return next((path for path in found if path), "")


def folder(stack: Stack, process: str) -> Path:
    """Return the folder of a process: its configuration and its data."""
    return stack.var / process


def command(stack: Stack, process: str) -> list[str]:
    """Return the command of Prometheus or Alertmanager, which listens on loopback."""
    own, data = folder(stack, process), str(folder(stack, process) / "data")
    special = (
        [f"--storage.tsdb.path={data}", *RETENTION_OPTIONS]
        if process == "prometheus"
        # An address for peers would listen on all networks.
        else [f"--storage.path={data}", "--cluster.listen-address="]
    )
    return [
        program(stack, process),
        f"--config.file={own / f'{process}.yml'}",
        f"--web.listen-address=127.0.0.1:{stack.port(process)}",
        "--log.level=warn",
        *special,
    ]


def write_files(stack: Stack) -> None:
    """Write the configuration of both and the token for the metrics, readable only by their owner.

    Both read YAML, of which JSON is a part.
    """
    for process, content in (("prometheus", _prometheus(stack)), ("alertmanager", _alertmanager(stack))):
        if program(stack, process):
            write_private(folder(stack, process) / f"{process}.yml", json.dumps(content, indent=1))
    if program(stack, "prometheus"):
        write_private(folder(stack, "prometheus") / "token", stack.value("SPAI_METRICS_TOKEN"))


def _prometheus(stack: Stack) -> dict[str, Any]:
    return {
        "global": {"scrape_interval": EVERY, "evaluation_interval": EVERY},
        "rule_files": [str(RULES)],
        # All processes share their metrics in one folder: one of them tells those of all.
        "scrape_configs": [
            {
                "job_name": "spai",
                "authorization": {"credentials_file": str(folder(stack, "prometheus") / "token")},
                "static_configs": [_at(stack, "admin")],
            }
        ],
        "alerting": {
            "alertmanagers": [{"static_configs": [_at(stack, "alertmanager")]}]
            if program(stack, "alertmanager")
            else []
        },
    }


def _at(stack: Stack, process: str) -> dict[str, Sequence[str]]:
    return {"targets": [f"127.0.0.1:{stack.port(process)}"]}


def _alertmanager(stack: Stack) -> dict[str, Any]:
    """Return a configuration that tells the operator only what SPAI cannot tell: that it does not answer itself."""
    operator: dict[str, Any] = {"name": "operator"}
    if url := stack.value("SPAI_ALERT_WEBHOOK_URL"):
        operator["webhook_configs"] = [{"url": url}]
    mail: dict[str, Any] = {}
    if (server := urlsplit(stack.value("EMAIL_URL"))).scheme.startswith("smtp"):
        mail = {
            "smtp_smarthost": f"{server.hostname}:{server.port or 25}",
            "smtp_from": stack.value("SPAI_ALERT_SENDER") or "spai@localhost",
            "smtp_auth_username": unquote(server.username or ""),
            "smtp_auth_password": unquote(server.password or ""),
            "smtp_require_tls": "tls" in server.scheme,
        }
        if people := stack.value("SPAI_ALERT_EMAILS"):
            operator["email_configs"] = [{"to": people, "send_resolved": True}]
    return {
        "global": mail,
        "route": {
            "receiver": "spai",
            "group_by": ["alertname"],
            "routes": [{"receiver": "operator", "matchers": ['seen_by="prometheus"']}],
        },
        # SPAI itself tells all other alerts.
        "receivers": [{"name": "spai"}, operator],
    }
