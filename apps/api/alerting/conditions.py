"""The conditions of alerts, evaluated over one snapshot of the metrics: the part of PromQL that the rules use."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from typing import Final

from prometheus_client import Metric
from prometheus_client.samples import Sample

Labels = tuple[tuple[str, str], ...]
"""Names and values of labels, sorted: what tells the alerts of one rule apart."""

_MATCHER: Final = re.compile(r'(\w+)(=~|!~|!=|=)"([^"]*)"')
_SELECTOR: Final = re.compile(rf"(\w+)(?:\{{({_MATCHER.pattern}(?:,{_MATCHER.pattern})*)\}})?")


@dataclass(frozen=True, slots=True)
class ServiceLevelPoint:
    """The counts of a service level at a moment: events since some beginning, and how many of them were bad."""

    at: datetime
    bad: float
    total: float


@dataclass(frozen=True, slots=True)
class MetricsSnapshot:
    """All metrics at a moment, and the counts of the service levels by name up to then, in chronological order.

    `samples` has an empty list for a metric without samples, and nothing for one that could not be read.
    """

    at: datetime
    samples: Mapping[str, Sequence[Sample]]
    history: Mapping[str, Sequence[ServiceLevelPoint]] = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        metrics: Iterable[Metric],
        *,
        at: datetime,
        history: Mapping[str, Sequence[ServiceLevelPoint]] | None = None,
    ) -> MetricsSnapshot:
        """Return a snapshot of metrics as collectors yield them."""
        by_name: dict[str, list[Sample]] = defaultdict(list)
        for metric in metrics:
            by_name[metric.name] += []
            for sample in metric.samples:
                by_name[sample.name].append(sample)
        return cls(at, dict(by_name), history or {})


@dataclass(frozen=True, slots=True)
class Selector:
    """A selector of PromQL: the name of a metric and what its labels must be."""

    text: str
    name: str
    matchers: tuple[tuple[str, str, str], ...]

    @classmethod
    def parse(cls, text: str) -> Selector:
        """Read a selector such as `name{label="value",other!~"a|b"}`.

        Raises
        ------
        ValueError
            When it is none.
        """
        found = _SELECTOR.fullmatch(text)
        if found is None:
            raise ValueError(f'{text!r} is no selector of the form name{{label="value"}}')
        return cls(text, found[1], tuple(_MATCHER.findall(found[2] or "")))

    def samples(self, snapshot: MetricsSnapshot) -> list[Sample]:
        """Return the samples that it selects."""
        return [
            sample
            for sample in snapshot.samples.get(self.name, ())
            if all(_fits(sample.labels.get(label, ""), *wanted) for label, *wanted in self.matchers)
        ]

    def total(self, snapshot: MetricsSnapshot) -> float:
        """Return the sum of what it selects; 0 for nothing."""
        return sum(sample.value for sample in self.samples(snapshot))


def _fits(value: str, operator: str, wanted: str) -> bool:
    is_equal = bool(re.fullmatch(wanted, value)) if "~" in operator else value == wanted
    return is_equal != operator.startswith("!")


@dataclass(frozen=True, slots=True)
class Threshold:
    """Holds while a metric, or the age in seconds of the moment that it names, is above a value."""

    selector: Selector
    by: tuple[str, ...]
    above: float
    is_age: bool

    def promql(self) -> str:
        """Return the expression for Prometheus; instances of a process export the same value, so the largest counts."""
        largest = f"max by ({', '.join(self.by)}) ({self.selector.text})"
        return f"{f'time() - {largest}' if self.is_age else largest} > {self.above:g}"

    def is_known(self, snapshot: MetricsSnapshot) -> bool:
        """Return whether the metric could be read."""
        return self.selector.name in snapshot.samples

    def found(self, snapshot: MetricsSnapshot) -> dict[Labels, float]:
        """Return the value of each set of labels for which it holds."""
        largest: dict[Labels, float] = {}
        for sample in self.selector.samples(snapshot):
            labels = tuple((name, sample.labels.get(name, "")) for name in sorted(self.by))
            largest[labels] = max(sample.value, largest.get(labels, sample.value))
        now = snapshot.at.timestamp()
        values = {labels: now - value if self.is_age else value for labels, value in largest.items()}
        return {labels: value for labels, value in values.items() if value > self.above}


@dataclass(frozen=True, slots=True)
class BurnRate:
    """Holds while a service level uses up its error budget too fast, in a long window and in a short one.

    The long window shows that it matters, the short one that it continues; see chapter 5 of Google's *Site Reliability
    Workbook*. With fewer than `least` events in the long window it does not hold: one failure of three means little.
    """

    level: str
    bound: float
    long: timedelta
    short: timedelta
    least: float

    def promql(self) -> str:
        """Return the expression for Prometheus, over the recorded series of the service level."""
        which = f'{{slo="{self.level}"}}'
        long, short = text_of(self.long), text_of(self.short)
        return (
            f"slo:bad_ratio:rate{long}{which} > {self.bound:g}"
            f" and slo:bad_ratio:rate{short}{which} > {self.bound:g}"
            f" and slo:events:increase{long}{which} >= {self.least:g}"
        )

    def is_known(self, snapshot: MetricsSnapshot) -> bool:
        """Return whether its counts are known."""
        return self.level in snapshot.history

    def found(self, snapshot: MetricsSnapshot) -> dict[Labels, float]:
        """Return the ratio of bad events in the long window, where it holds."""
        points = snapshot.history.get(self.level, ())
        # Counts are of whole minutes.
        now = points[-1].at if points else snapshot.at
        bad, total = increase(points, since=now - self.long)
        if total < self.least or total == 0 or bad / total <= self.bound:
            return {}
        bad_now, total_now = increase(points, since=now - self.short)
        if total_now == 0 or bad_now / total_now <= self.bound:
            return {}
        return {(("slo", self.level),): bad / total}


def increase(points: Sequence[ServiceLevelPoint], *, since: datetime) -> tuple[float, float]:
    """Return the bad and all events after a moment; a count that falls has started again from zero."""
    kept = [point for point in points if point.at >= since]
    bad = total = 0.0
    for before, after in pairwise(kept):
        begins_anew = after.total < before.total
        bad += after.bad - (0.0 if begins_anew else before.bad)
        total += after.total - (0.0 if begins_anew else before.total)
    return bad, total


def text_of(duration: timedelta) -> str:
    """Return a duration as Prometheus writes it, such as 5m."""
    seconds = int(duration.total_seconds())
    for unit, length in (("h", 3600), ("m", 60)):
        if seconds and seconds % length == 0:
            return f"{seconds // length}{unit}"
    return f"{seconds}s"
