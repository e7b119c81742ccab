"""What a scrape run costs: `python -m benchmarks.scraping [--json FILE] [--pages N]`.

Reads the sandbox's site, which runs in its own process, through a real browser into its own PostgreSQL. The
site has four leagues in which a match ends each minute: an hour of it is far more than an hour of four real leagues, so
that ten times its cost is an upper bound for forty. Beside it, in the same run, a plain Playwright loop opens the same
pages and does nothing with them.
"""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from multiprocessing.sharedctypes import Synchronized
from multiprocessing.synchronize import Event
from typing import Any

import psutil

from benchmarks.report import Measure, parser, print_measures
from benchmarks.servers import STUCK, browser_or_end, own_servers

LEAGUES = 4
WANTED_LEAGUES = 40
HOUR = 3600.0


def serve(offset: Synchronized[float], address: Any, stop: Event, anchor: datetime | None) -> None:
    """Run the site until `stop` is set; its clock is ahead by `offset` seconds."""
    from tests.sandbox_server import SandboxServer

    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=offset.value)

    with SandboxServer(seed=7, anchor=anchor or clock() - timedelta(minutes=90), clock=clock) as server:
        address.put(server.url)
        stop.wait()


@contextlib.contextmanager
def site(anchor: datetime | None = None) -> Iterator[tuple[str, Synchronized[float]]]:
    """Start the site, whose season began at the anchor; yield its address and the offset of its clock in seconds."""
    context = multiprocessing.get_context("spawn")
    offset, address, stop = context.Value("d", 0.0), context.Queue(), context.Event()
    process = context.Process(target=serve, args=(offset, address, stop, anchor), daemon=True)
    process.start()
    try:
        yield address.get(timeout=STUCK), offset
    finally:
        stop.set()
        process.join(timeout=STUCK)


def processor_seconds(without: set[int]) -> float:
    """Return the processor time of this process and all below it, those that have ended included."""
    total = 0.0
    own = psutil.Process()
    for process in (own, *own.children(recursive=True)):
        if process.pid in without:
            continue
        with contextlib.suppress(psutil.NoSuchProcess):
            times = process.cpu_times()
            total += times.user + times.system + times.children_user + times.children_system
    return total


def scrape_once(scope: str, offset: Synchronized[float], without: set[int]) -> tuple[float, float, int]:
    """Make one scrape run; return its processor seconds, its duration in seconds and its pages."""
    from apps.scraping import services
    from apps.scraping.models import Source
    from apps.scraping.services.runs import scrape_due

    def clock() -> datetime:
        return datetime.now(UTC) + timedelta(seconds=offset.value)

    source = Source.objects.get(name="sandbox")
    run = services.request_run(source=source, scope=scope, by="benchmark", now=clock())
    before, began = processor_seconds(without), time.perf_counter()
    for _ in scrape_due(now=clock(), clock=clock, slice_seconds=HOUR):
        pass
    took = time.perf_counter() - began
    run.refresh_from_db()
    if run.outcome not in ("stored", "unchanged"):
        sys.exit(f"the run ended {run.outcome}: {run.detail}")
    return processor_seconds(without) - before, took, run.pages_done


def plain_loop(url: str, paths: list[str]) -> float:
    """Open pages with Playwright, without SPAI; return the seconds."""
    from playwright.sync_api import sync_playwright

    from apps.scraping.browser import find

    os.environ["DJANGO_ALLOW_ASYNC_UNSAFE"] = "true"
    flags = ["--no-sandbox", "--disable-gpu"] if os.geteuid() == 0 else ["--disable-gpu"]
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=find().place, args=flags)
        page = browser.new_context().new_page()
        began = time.perf_counter()
        for path in paths:
            page.goto(url + path, wait_until="domcontentloaded")
            page.wait_for_selector("script", state="attached")
            page.content()
        took = time.perf_counter() - began
        browser.close()
    return took


def our_loop(url: str, paths: list[str]) -> float:
    """Fetch the same pages by our fetcher, with delays and storage; return the seconds."""
    from apps.scraping.models import ScrapeRun, Source
    from apps.scraping.responses import FetchOutcome
    from apps.scraping.services import snapshots
    from apps.scraping.services.fetching import SourceFetcher
    from apps.scraping.sources import FetchMethod, Request

    run = ScrapeRun.objects.select_related("source").order_by("pk").first()
    assert run is not None
    with SourceFetcher(Source.objects.get(name="sandbox")) as fetcher:
        fetcher.get(Request(f"{url}/", "home", FetchMethod.BROWSER, "script"), stored=None)
        began = time.perf_counter()
        for path in paths:
            request = Request(url + path, "match_centre", FetchMethod.BROWSER, "script")
            response = fetcher.get(request, stored=None)
            snapshots.store(run=run, request=request, response=response, outcome=FetchOutcome.STORED)
        return time.perf_counter() - began


def measure(pages: int) -> list[Measure]:
    """Fill, then scrape an hour later and a minute later, then race the plain loop."""
    from django.conf import settings
    from django.utils import timezone

    from apps.matches.models import Match
    from apps.scraping import services
    from apps.scraping.services.fetching import close_browser

    with site() as (url, offset):
        settings.SPAI_SANDBOX_URL, settings.SPAI_SANDBOX = url, True
        services.ensure_sources(now=timezone.now())
        ours = {process.pid for process in psutil.Process().children(recursive=True)}
        _, first_seconds, first_pages = scrape_once("results", offset, ours)
        offset.value = HOUR
        hour_cpu, hour_seconds, hour_pages = scrape_once("results", offset, ours)
        offset.value = HOUR + 60
        minute_cpu, minute_seconds, minute_pages = scrape_once("results", offset, ours)
        ids = Match.objects.filter(status="finished").values_list("refs__source_id", flat=True)[:pages]
        paths = [f"/matches/{match}/live" for match in ids]
        own = our_loop(url, paths)
        close_browser()
        plain = plain_loop(url, paths)
    share = 100 * hour_cpu * WANTED_LEAGUES / LEAGUES / HOUR
    return [
        Measure("first run", first_seconds, "s"),
        Measure("first run, pages", first_pages, "pages"),
        Measure("an hour later", hour_seconds, "s"),
        Measure("an hour later, pages", hour_pages, "pages"),
        Measure("an hour later, processor", hour_cpu, "s"),
        Measure(f"hourly work of {WANTED_LEAGUES} leagues", share, "% of a core", "< 10"),
        Measure("a minute later", minute_seconds, "s"),
        Measure("a minute later, pages", minute_pages, "pages"),
        Measure("a minute later, processor", minute_cpu, "s"),
        Measure("our fetcher, delays and storage", 60 * len(paths) / own, "pages/min"),
        Measure("plain Playwright loop", 60 * len(paths) / plain, "pages/min"),
        Measure("ours to plain", plain / own, "ratio"),
    ]


def main() -> None:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--pages", type=int, default=100, help="pages of the race with the plain loop")
    args = options.parse_args()
    browser_or_end()
    with own_servers():
        measures = measure(args.pages)
    print_measures("scraping", measures, args.json)


if __name__ == "__main__":
    main()
