"""The cases of `alert_cases.yaml`, which Prometheus's rules and SPAI's own evaluation must both meet."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

import yaml
from prometheus_client import Metric

CASES = yaml.safe_load(Path(__file__).with_suffix(".yaml").read_text(encoding="utf-8"))
SERIES = re.compile(r"(\w+)(?:\{(.*)\})?")
LABEL = re.compile(r'(\w+)="([^"]*)"')
VALUES = re.compile(r"(-?[\d.]+)(?:\+([\d.]+))?x(\d+)")


def value_at(values: str, minute: int) -> float:
    """Return a value of promtool's notation."""
    first, step, last = VALUES.fullmatch(values).groups()
    assert minute <= int(last), f"{values} ends before minute {minute}"
    return float(first) + float(step or 0) * minute


def metrics_at(series: Mapping[str, str], minute: int) -> Iterator[Metric]:
    """Return the metrics of a case as a scrape in that minute has them."""
    for text, values in series.items():
        name, labels = SERIES.fullmatch(text).groups()
        metric = Metric(name, "", "unknown")
        metric.add_sample(name, dict(LABEL.findall(labels or "")), value_at(values, minute))
        yield metric


def last_minute(series: Mapping[str, str]) -> int:
    """Return the last minute for which every series has a value."""
    return min(int(VALUES.fullmatch(values)[3]) for values in series.values())
