"""How long each fault of a site takes to end in its outcome: `python -m benchmarks.scraping_faults [--json FILE]`.

The sandbox's site breaks in one way after the other, where the browser asks for its feeds. Each must end in its outcome
within 45 s, with the tables as they were; a run after it must store again.
"""

from __future__ import annotations

import sys
import time
from datetime import UTC, datetime

import httpx

from benchmarks.report import Measure, parser, print_measures
from benchmarks.scraping import site
from benchmarks.servers import browser_or_end, own_servers

FEEDS = "/tournaments/"
LIMIT = "≤ 45"
MODES = {
    "slow": ("stored", "unchanged"),
    "hang": ("timeout",),
    "500": ("http_error",),
    "403": ("blocked",),
    "429": ("blocked",),
    "challenge": ("blocked",),
    "incapsula": ("blocked",),
    "changed_layout": ("changed_layout",),
    # Chromium takes the cut for the end, so that the page is short of what it must show; plain HTTP sees the cut.
    "truncated_gzip": ("http_error", "changed_layout"),
    "huge": ("http_error", "invalid"),
    "redirect_loop": ("http_error",),
    "wrong_type": ("changed_layout", "invalid"),
    "empty": ("empty", "changed_layout"),
    "duplicated": ("stored", "unchanged"),
    "contradicting": ("invalid",),
    "reset": ("http_error",),
}
"""Each fault, and the outcomes that report it."""


def tables() -> tuple[int, int, int]:
    """Return how many matches, results and line-ups are stored."""
    from apps.matches.models import Lineup, Match

    return Match.objects.count(), Match.objects.filter(status="finished").count(), Lineup.objects.count()


def scrape_once() -> tuple[str, float]:
    """Scrape the results once; return its outcome and its seconds."""
    from apps.scraping import services
    from apps.scraping.models import HostState, Source
    from apps.scraping.services.runs import scrape_due

    HostState.objects.update(state="closed", failures=0, trips=0, open_until=None, free_at=None)
    now = datetime.now(UTC)
    run = services.request_run(source=Source.objects.get(name="sandbox"), scope="results", by="benchmark", now=now)
    began = time.perf_counter()
    list(scrape_due(now=now))
    took = time.perf_counter() - began
    run.refresh_from_db()
    return run.outcome, took


def measure() -> list[Measure]:
    """Break the site in each way."""
    from django.conf import settings
    from django.utils import timezone

    from apps.scraping import services
    from apps.scraping.services.fetching import close_browser

    measures = []
    with site() as (url, _):
        settings.SPAI_SANDBOX_URL, settings.SPAI_SANDBOX = url, True
        services.ensure_sources(now=timezone.now())
        scrape_once()
        for mode, expected in MODES.items():
            before = tables()
            httpx.put(f"{url}/_faults", json={"path": FEEDS, "mode": mode}).raise_for_status()
            outcome, took = scrape_once()
            httpx.delete(f"{url}/_faults").raise_for_status()
            is_untouched = "stored" in expected or tables() == before
            if outcome not in expected or not is_untouched:
                sys.exit(f"{mode} ended {outcome}, not {' or '.join(expected)}; tables {before} then {tables()}")
            healed, _ = scrape_once()
            if healed not in ("stored", "unchanged"):
                sys.exit(f"the run after {mode} ended {healed}")
            measures.append(Measure(f"{mode}: {outcome}", took, "s", LIMIT))
        close_browser()
    return measures


def main() -> None:
    """Measure and print."""
    args = parser(__doc__.splitlines()[0]).parse_args()
    browser_or_end()
    with own_servers():
        measures = measure()
    print_measures("scraping faults", measures, args.json)


if __name__ == "__main__":
    main()
