"""The golden manifests: what helm/render.sh makes of the chart with each of its values files."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any, NamedTuple

import yaml

ROOT = Path(__file__).parents[3]
CHART = ROOT / "helm"
GOLDEN = Path(__file__).parent / "golden"
NAMES = ("ci", "small", "production", "ha")
VALUES = {"ci": ["ci"], "small": ["small"], "production": ["production"], "ha": ["production", "ha"]}
"""Manifests → values files, the later ones over the earlier."""

Document = dict[str, Any]


class Pod(NamedTuple):
    """A pod that an object of the chart makes."""

    part: str
    labels: dict[str, str]
    spec: Document
    owner: Document

    @property
    def containers(self) -> list[Document]:
        """All containers, those included that run before the others."""
        return [*self.spec.get("initContainers", ()), *self.spec["containers"]]


def read(path: Path) -> list[Document]:
    return [each for each in yaml.load_all(path.read_text(encoding="utf-8"), yaml.CSafeLoader) if each]


@lru_cache
def documents(name: str) -> list[Document]:
    return read(GOLDEN / f"{name}.yaml")


def of_kind(name: str, kind: str) -> list[Document]:
    return [each for each in documents(name) if each["kind"] == kind]


def pods(name: str) -> Iterator[Pod]:
    for owner in documents(name):
        spec = owner.get("spec", {})
        template = spec.get("template") or spec.get("jobTemplate", {}).get("spec", {}).get("template")
        if template:
            labels = template["metadata"]["labels"]
            yield Pod(labels["app.kubernetes.io/component"], labels, template["spec"], owner)


def references(name: str) -> Iterator[dict[str, str]]:
    """References to keys of secrets, of all objects."""
    for pod in pods(name):
        for container in pod.containers:
            sources = (each.get("valueFrom", {}) for each in container.get("env", ()))
            yield from (source["secretKeyRef"] for source in sources if "secretKeyRef" in source)
    for each in of_kind(name, "TriggerAuthentication"):
        yield from each["spec"]["secretTargetRef"]
    for each in of_kind(name, "ServiceMonitor"):
        yield from (endpoint["authorization"]["credentials"] for endpoint in each["spec"]["endpoints"])


def chosen_by(selector: Document, labels: dict[str, str]) -> bool:
    """Whether a label selector of Kubernetes chooses a pod with these labels."""
    for rule in selector.get("matchExpressions", ()):
        if (labels.get(rule["key"]) in rule["values"]) != (rule["operator"] == "In"):
            return False
    return selector.get("matchLabels", {}).items() <= labels.items()
