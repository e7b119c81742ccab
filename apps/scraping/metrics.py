"""What the sources tell Prometheus: counted where the work is done, asked of the database where it knows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from django.db import DatabaseError
from prometheus_client import Counter, Histogram
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from apps.scraping import selectors

RUNS: Final = Counter("spai_scrape_runs_total", "Visits to sources, by what came of them.", ["source", "outcome"])

RUN_SECONDS: Final = Histogram(
    "spai_scrape_run_seconds",
    "Work on one visit at a time, waits and storing included.",
    ["source"],
    buckets=(0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 15, 60, 300),
)

PAGES: Final = Counter("spai_scrape_pages_total", "Requests to hosts, by what came of them.", ["host", "outcome"])

RECORDS: Final = Counter("spai_ingested_records_total", "Records, by what became of them.", ["source", "outcome"])
"""`outcome` is created, changed, same or refused."""


def count_records(source: str, *, created: int, changed: int, same: int, refused: int) -> None:
    """Add what became of the records of one ingest."""
    for outcome, count in (("created", created), ("changed", changed), ("same", same), ("refused", refused)):
        RECORDS.labels(source, outcome).inc(count)


class ScrapingCollector(Collector):
    """How fresh each source is and which hosts are halted, read from the database at each scrape of the metrics."""

    def collect(self) -> Iterator[Metric]:
        """Yield the gauges; without the database none, and the answer still comes."""
        fresh = GaugeMetricFamily(
            "spai_source_complete_timestamp_seconds",
            "When the latest visit that took all began; the age of it is the freshness of the source.",
            labels=["source"],
        )
        halted = GaugeMetricFamily(
            "spai_lane_halted", "1 for a host that is not visited because it refused or failed.", labels=["host"]
        )
        waiting = GaugeMetricFamily("spai_scrape_runs_waiting", "Visits that are asked for and not over.")
        try:
            for source, latest in selectors.freshness():
                fresh.add_metric([source], latest.timestamp())
            for lane in selectors.halted_lanes():
                halted.add_metric([lane.host], 1)
            waiting.add_metric([], selectors.open_runs().count())
        except DatabaseError:
            return
        yield from (fresh, halted, waiting)
