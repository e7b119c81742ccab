"""The rules in `alerts.yaml`, and the same rules for Prometheus."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

import yaml

from apps.api.alerting.conditions import (
    BurnRate,
    Labels,
    MetricsSnapshot,
    Selector,
    ServiceLevelPoint,
    Threshold,
    text_of,
)

FILE: Final = Path(__file__).with_name("alerts.yaml")

_PLACEHOLDER: Final = re.compile(r"\{(\w+)\}")
_FOR_PROMETHEUS: Final = {"seconds": "humanizeDuration", "ratio": "humanizePercentage", "number": "humanize"}
_WINDOWS: Final = ("5m", "30m", "1h", "6h")
_UNITS: Final = {"s": timedelta(seconds=1), "m": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


@dataclass(frozen=True, slots=True)
class ServiceLevel:
    """An objective: which share of events is to be good, and by which counters they are counted.

    `bad` or `good` select the counters of those events, `total` those of all; several are added up.
    """

    name: str
    objective: float
    summary: str
    total: tuple[Selector, ...]
    bad: tuple[Selector, ...]
    good: tuple[Selector, ...]
    least: float
    each_container: bool
    """Whether its events are counted by processes, so that each container knows only its own."""

    def point(self, snapshot: MetricsSnapshot) -> ServiceLevelPoint:
        """Return its counts as the metrics have them now."""
        total, bad, good = (
            sum(selector.total(snapshot) for selector in selectors) for selectors in (self.total, self.bad, self.good)
        )
        return ServiceLevelPoint(snapshot.at, bad if self.bad else total - good, total)

    def bad_ratio(self, window: str) -> str:
        """Return the expression of the share of bad events in a window."""
        total = f"({_added('rate', self.total, window)} > 0)"
        if self.bad:
            return f"{_added('rate', self.bad, window)} / {total}"
        return f"1 - {_added('rate', self.good, window)} / {total}"

    def events(self, window: str) -> str:
        """Return the expression of the number of all events in a window."""
        return _added("increase", self.total, window)


def _added(function: str, selectors: Sequence[Selector], window: str) -> str:
    parts = [f"sum({function}({selector.text}[{window}]))" for selector in selectors]
    # A counter that never counted has no series, and a sum with nothing is nothing.
    return parts[0] if len(parts) == 1 else f"({' + '.join(f'({part} or vector(0))' for part in parts)})"


@dataclass(frozen=True, slots=True)
class AlertRule:
    """One alert: when it fires, how bad that is, and what its message says."""

    name: str
    severity: str
    summary: str
    unit: str
    runbook: str
    hold: timedelta
    """How long the condition must hold before the alert fires."""
    condition: Threshold | BurnRate | None
    """None for what only Prometheus can see: that SPAI itself does not answer."""
    expression: str
    each_container: bool
    """Whether each container knows only its own part: then SPAI itself sees one of them, and Prometheus all."""

    def is_known(self, snapshot: MetricsSnapshot) -> bool:
        """Return whether the snapshot can tell; without that an alert stays as it is."""
        return self.condition is not None and self.condition.is_known(snapshot)

    def found(self, snapshot: MetricsSnapshot) -> dict[Labels, float]:
        """Return the value of each set of labels for which the condition holds now."""
        return self.condition.found(snapshot) if self.condition else {}

    def summary_of(self, labels: Mapping[str, str], value: float) -> str:
        """Return the summary of an alert of this rule."""
        words = dict(labels) | {"value": formatted(value, self.unit)}
        return _PLACEHOLDER.sub(lambda found: words.get(found[1], found[0]), self.summary)

    def for_prometheus(self) -> dict[str, Any]:
        """Return the rule as Prometheus reads it."""

        def template(found: re.Match[str]) -> str:
            if found[1] == "value":
                return f"{{{{ $value | {_FOR_PROMETHEUS[self.unit]} }}}}"
            return f"{{{{ $labels.{found[1]} }}}}"

        return {
            "alert": self.name,
            "expr": self.expression,
            **({"for": text_of(self.hold)} if self.hold else {}),
            "labels": {"severity": self.severity, "seen_by": "spai" if self.condition else "prometheus"},
            "annotations": {"summary": _PLACEHOLDER.sub(template, self.summary), "runbook": self.runbook},
        }


def formatted(value: float, unit: str) -> str:
    """Return a value for people: a duration, a percentage or a number."""
    if unit == "ratio":
        return f"{100 * value:.3g} %"
    if unit == "seconds":
        for name, length in (("days", 86_400), ("hours", 3600), ("minutes", 60)):
            if value >= 2 * length:
                return f"{value / length:.0f} {name}"
        return f"{value:.0f} seconds"
    return f"{value:,.4g}" if value < 10_000 else f"{value:,.0f}"


def read_rules(text: str) -> tuple[tuple[ServiceLevel, ...], tuple[AlertRule, ...]]:
    """Read service levels and alerts; each service level brings an alert for each burn rate.

    Raises
    ------
    ValueError, KeyError, TypeError
        When the text is not of the form of `alerts.yaml`.
    """
    content = yaml.safe_load(text)
    levels = tuple(_level(**fields) for fields in content["service_levels"])
    burns = [_burn(level, **fields) for level in levels for fields in content["burn_rates"]]
    rules = (*burns, *(_alert(**fields) for fields in content["alerts"]))
    if len({rule.name for rule in rules}) < len(rules):
        raise ValueError("Two alerts have one name.")
    return levels, rules


def _level(
    *,
    name: str,
    objective: float,
    summary: str,
    total: list[str],
    least: float,
    each_container: bool = False,
    **some: list[str],
) -> ServiceLevel:
    if len(some) != 1:
        raise ValueError(f"{name}: give the bad events or the good ones")
    bad, good = (tuple(map(Selector.parse, some.pop(kind, []))) for kind in ("bad", "good"))
    counted = tuple(map(Selector.parse, total))
    return ServiceLevel(name, objective, summary, counted, bad, good, least, each_container)


def _burn(level: ServiceLevel, *, name: str, severity: str, factor: float, **durations: str) -> AlertRule:
    bound = round(factor * (1 - level.objective), 6)
    if bound >= 1:
        raise ValueError(f"{level.name} can never be missed by a factor of {factor}")
    condition = BurnRate(level.name, bound, _duration(durations["long"]), _duration(durations["short"]), level.least)
    title = "".join(word.capitalize() for word in level.name.split("-"))
    allowed = formatted(round(1 - level.objective, 6), "ratio")
    summary = f"{level.summary}: {{value}} in the last {durations['long']}; the objective allows {allowed}."
    return AlertRule(
        name=f"{title}{name}",
        severity=severity,
        summary=summary,
        unit="ratio",
        runbook=_page(level.name),
        hold=_duration(durations["for"]),
        condition=condition,
        expression=condition.promql(),
        each_container=level.each_container,
    )


def _alert(*, name: str, severity: str, summary: str, unit: str = "number", **fields: Any) -> AlertRule:
    condition = None
    if "metric" in fields:
        above = fields["older_than"] if "older_than" in fields else fields["above"]
        selector, by = Selector.parse(fields["metric"]), tuple(fields.get("by", ()))
        condition = Threshold(selector, by, float(above), is_age="older_than" in fields)
    return AlertRule(
        name=name,
        severity=severity,
        summary=summary,
        unit=unit,
        runbook=_page(re.sub(r"(?<!^)(?=[A-Z])", "-", name).lower()),
        hold=_duration(fields.get("for", "0s")),
        condition=condition,
        expression=condition.promql() if condition else fields["expr"],
        each_container=fields.get("each_container", False),
    )


def _page(name: str) -> str:
    return f"docs/runbooks/{name}.md"


def _duration(text: str) -> timedelta:
    return int(text[:-1]) * _UNITS[text[-1]]


def prometheus_rules(levels: Iterable[ServiceLevel], rules: Iterable[AlertRule]) -> dict[str, Any]:
    """Return the content of Prometheus's rule file: recorded series of the service levels, and all alerts."""
    recorded = [
        {"record": f"slo:{series}{window}", "expr": expression, "labels": {"slo": level.name}}
        for level in levels
        for window in _WINDOWS
        for series, expression in (
            ("bad_ratio:rate", level.bad_ratio(window)),
            ("events:increase", level.events(window)),
        )
    ]
    return {
        "groups": [
            {"name": "service levels", "rules": recorded},
            {"name": "alerts", "rules": [rule.for_prometheus() for rule in rules]},
        ]
    }


SERVICE_LEVELS, RULES = read_rules(FILE.read_text(encoding="utf-8"))
