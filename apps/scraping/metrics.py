"""Metrics of scraping: counters are increased where the work is done, gauges are read from the database."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.db import DatabaseError
from django.utils import timezone
from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.matches.ingest import IngestReport
from apps.scraping import selectors

RUNS: Final = Counter("spai_scrape_runs_total", "Scrape runs by their outcome.", ["source", "outcome"])

RUN_SECONDS: Final = Histogram(
    "spai_scrape_run_seconds",
    "Duration of one slice of a scrape run, with waiting and storing.",
    ["source"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)

PAGES: Final = Counter("spai_scrape_pages_total", "Requests to hosts by their outcome.", ["host", "outcome"])

RECORDS: Final = Counter("spai_ingested_records_total", "Records by what became of them.", ["source", "outcome"])


def count_records(source: str, report: IngestReport) -> None:
    """Add the records of one ingest."""
    for outcome in ("created", "changed", "same", "refused"):
        RECORDS.labels(source, outcome).inc(getattr(report, outcome))


class ScrapingCollector(Collector):
    """How fresh each source is and which hosts are halted, read from the database at each scrape of the metrics."""

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; none while the database is away, so that the other metrics can still be read."""
        fresh = GaugeMetricFamily(
            "spai_source_complete_timestamp_seconds",
            "When the latest complete scrape run of a source that is on was requested; its age is its freshness.",
            labels=["source"],
        )
        failures = GaugeMetricFamily(
            "spai_source_failures_in_a_row",
            "How many of the latest scrape runs of a source that is on ended badly, at most 24.",
            labels=["source"],
        )
        halted = GaugeMetricFamily(
            "spai_lane_halted", "1 for a host that gets no request because it refused or failed.", labels=["host"]
        )
        stale = GaugeMetricFamily(
            "spai_source_stale",
            "1 for a source whose latest complete run is older than its own history lets expect.",
            labels=["source"],
        )
        odd = GaugeMetricFamily(
            "spai_source_volume_odd",
            "1 for a source that delivered far more or fewer matches in seven days than in earlier weeks.",
            labels=["source"],
        )
        waiting = GaugeMetricFamily("spai_scrape_runs_waiting", "Scrape runs that are requested and not over.")
        try:
            for source, latest in selectors.freshness():
                fresh.add_metric([source], latest.timestamp())
            for source, count in selectors.failures_in_a_row().items():
                failures.add_metric([source], count)
            for health in selectors.source_health(now=timezone.now()):
                stale.add_metric([health.name], health.is_stale)
                odd.add_metric([health.name], bool(health.volume))
            for state in selectors.halted_hosts():
                halted.add_metric([state.host], 1)
            waiting.add_metric([], selectors.open_runs().count())
        except DatabaseError:
            return
        yield from (fresh, failures, stale, odd, halted, waiting)
