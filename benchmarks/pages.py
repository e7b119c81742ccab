"""What each page weighs: `python -m benchmarks.pages [--matches N] [--json FILE]`.

A separate PostgreSQL is filled with N matches (300,000) of both worlds. Each page is requested through every
middleware: bytes as they are sent (compressed), queries and CPU of the process for a first request, which finds nothing
kept, and CPU of the later ones (their median, also as a multiple of that of a page of text). Then a Chromium of this
machine opens it over the `web` process with a clean cache: largest contentful paint (LCP), layout shift (CLS), blocking
time (TBT), and the bytes of scripts and styles. Without a browser that part is left out.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.report import Measure, parser, print_measures
from benchmarks.servers import STUCK, own_servers

MATCHES = 300_000
OF_A_SEASON = 40 * 380
"""Matches of a season of all leagues."""

REQUESTS = 15
TEXT = "/about/"
"""A page with only text; the CPU time of the others is also printed as a multiple of its own, as machines are noisy."""
TARGETS = {"HTML": "≤ 30", "CPU": "≤ 15", "CLS": "0", "assets": "≤ 40"}

# Registered before the page runs: an observer that is registered later does not get the first paint.
OBSERVE = """
window.seen = { lcp: 0, cls: 0, tbt: 0 };
const watch = (type, take) => new PerformanceObserver((list) => list.getEntries().forEach(take))
  .observe({ type, buffered: true });
watch("largest-contentful-paint", (entry) => { seen.lcp = entry.startTime; });
watch("layout-shift", (entry) => { if (!entry.hadRecentInput) seen.cls += entry.value; });
watch("longtask", (entry) => { seen.tbt += Math.max(0, entry.duration - 50); });
"""

ASSETS = """
() => performance.getEntriesByType("resource").filter((each) => /[.](js|css)$/.test(each.name))
  .reduce((sum, each) => sum + each.encodedBodySize, 0)
"""


def fill(matches: int) -> None:
    """Fill the database with so many matches, seasons from the newest one back."""
    from django.db import connection, transaction

    from apps.ml import services
    from tests.db.test_query_rows import FILL, NOW

    seasons = max(1, round(matches / OF_A_SEASON))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(FILL, {"now": NOW, "year": NOW.year})
        cursor.execute("SET LOCAL session_replication_role = replica")
        cursor.execute("DELETE FROM matches_match WHERE season_id %% 100 >= %s", [seasons])
    _simulate()
    services.summarize_due(now=NOW)
    with connection.cursor() as cursor:
        cursor.execute("ANALYZE")
        cursor.execute("SELECT count(*) FROM matches_match")
        print(f"{cursor.fetchone()[0]:,} matches")


def _simulate() -> None:
    """Store a simulation of each round of each running season, with what the latest was made from.

    The chances are made up, so that no model is needed: places lie around the present one.
    """
    from apps.matches.models import Season
    from apps.matches.selectors import league_table
    from apps.ml import services
    from apps.ml.models import ModelVersion, SeasonForecast, SeasonInputs
    from tests.db.test_query_rows import NOW

    versions = dict(ModelVersion.objects.values_list("world", "pk"))
    for season in Season.objects.filter(label=str(NOW.year)).select_related("competition__region"):
        teams = [line.team.pk for line in league_table(season)]
        place = np.arange(len(teams))
        lines = services.lines_of(season)
        matches = season.matches.order_by("kickoff_at", "id").filter
        columns = ("home_team_id", "away_team_id", "home_goals", "away_goals")
        played = list(matches(status="finished").values_list(*columns))
        left = list(matches(kickoff_at__gt=NOW).values_list("pk", "home_team_id", "away_team_id"))
        for number in range(10, len(played), 10):
            # Wide at first, then ever narrower.
            places = np.exp(-(((place[:, None] - place) / (12.0 - number / 20)) ** 2))
            places = (places / places.sum(axis=1, keepdims=True)).round(4)
            forecast = SeasonForecast.objects.create(
                season=season,
                version_id=versions[season.world],
                data_snapshot=number,
                as_of=NOW - timedelta(hours=len(played) - number),
                simulations=10_000,
                doubt=0.4,
                played=number,
                remaining=len(left),
                undated=0,
                is_whole=True,
                table={
                    "lines": lines,
                    "leader": {"team": teams[0], "points": 40},
                    "clubs": [
                        {
                            "team": team,
                            "points": 40 - club,
                            "expected": 80.25 - club,
                            "low": 70 - club,
                            "high": 90 - club,
                            "chances": {line["name"]: _chance(places[club], line) for line in lines},
                            "places": places[club].tolist(),
                        }
                        for club, team in enumerate(teams)
                    ],
                },
            )
        index = {team: club for club, team in enumerate(teams)}
        content = {
            "teams": teams,
            "played": [[index[home], index[away], *goals] for home, away, *goals in played],
            "fixtures": [[pk, index[home], index[away], 0.5, 0.3, 0.2, 1.5, 1.1] for pk, home, away in left],
            "deductions": [0] * len(teams),
            "rho": 0.0,
            "win": 3,
            "seed": 5,
        }
        SeasonInputs.objects.create(forecast=forecast, content=content)


def _chance(places: np.ndarray, line: dict[str, Any]) -> float:
    """Return the chance to end beyond a line of the table."""
    return float((places[-line["places"] :] if line["from_end"] else places[: line["places"]]).sum())


def addresses() -> Iterator[str]:
    """Yield a page of each kind, those with lists in both worlds."""
    from apps.matches.models import Match, World
    from tests.db.test_query_rows import NOW

    for world, league in ((World.REAL, 3), (World.SANDBOX, 38)):
        of = Match.objects.filter(competition=league)
        past = of.filter(status="finished").order_by("-kickoff_at").first()
        coming = of.filter(status="scheduled").order_by("kickoff_at").first()
        yield from (f"/?world={world}", f"/calendar/?world={world}", f"/search/?q=club+{league}+of+7&world={world}")
        yield from (f"/competitions/?world={world}", f"/competitions/league-{league}/", f"/teams/club-{league}-7/")
        given = (
            of.filter(status="scheduled", kickoff_at__gt=NOW).order_by("kickoff_at").values_list("pk", flat=True)[:3]
        )
        yield f"/competitions/league-{league}/?lock={','.join(f'{pk}:H' for pk in given)}"
        yield from (f"/matches/{each.pk}/" for each in (past, coming) if each is not None)
        yield from (f"/track-record/?world={world}", f"/models/?world={world}", f"/features/?world={world}")
    yield from ("/about/", "/zone/", "/ledger/", "/what-if/")


def served(asked: Sequence[str]) -> dict[str, dict[str, float]]:
    """Ask for pages through every middleware; return the bytes, queries and milliseconds of CPU of each.

    The first request to a page is one of a process that has kept nothing of it. The others take turns, so that a load
    of the machine falls on all pages alike.
    """
    from django.db import connection
    from django.test import Client
    from django.test.utils import CaptureQueriesContext

    client = Client(headers={"accept-encoding": "gzip"})
    # What every first request loads: templates, libraries, statements.
    for address in asked:
        client.get(address)
    rows: dict[str, dict[str, float]] = {}
    for address in asked:
        forget()
        with CaptureQueriesContext(connection) as captured:
            began = time.process_time()
            response = client.get(address)
            first = 1000.0 * (time.process_time() - began)
        if response.status_code != 200:
            raise RuntimeError(f"{address} is answered with {response.status_code}")
        # Before the next request, which empties the log of queries.
        rows[address] = {"HTML": len(response.content) / 1000, "queries": len(captured), "first": first}
    spent: dict[str, list[float]] = {address: [] for address in asked}
    for _ in range(REQUESTS):
        for address in asked:
            began = time.process_time()
            client.get(address)
            spent[address].append(1000.0 * (time.process_time() - began))
    of_text = statistics.median(spent[TEXT])
    for address, row in rows.items():
        row["CPU"] = statistics.median(spent[address])
        row["of text"] = row["CPU"] / of_text
    return rows


def forget() -> None:
    """Give up what this process keeps of pages and seasons."""
    from apps.api.pages.parts import PARTS
    from apps.api.services import league
    from apps.api.templatetags import spai

    PARTS.clear()
    for kept in (league.facts_of, spai.row_of):
        kept.cache_clear()


@contextmanager
def web_process(folder: Path) -> Iterator[str]:
    """Run the `web` process on the database of the benchmark; its address."""
    from spai.stack.ports import free_port
    from tests.web.processes import ROOT, start_web, stop

    port = free_port()
    addresses = {
        "DATABASE_URL": os.environ["DATABASE_URL"],
        "REDIS_URL": os.environ["REDIS_URL"],
        "SPAI_WEB_URL": f"http://127.0.0.1:{port}",
        "SPAI_VAR_DIR": str(folder),
    }
    collect = [sys.executable, "manage.py", "collectstatic", "--noinput", "-v0"]
    subprocess.run(collect, cwd=ROOT, env=os.environ | addresses, check=True, timeout=STUCK)
    process = start_web(port, folder / "web.log", **addresses)
    try:
        yield addresses["SPAI_WEB_URL"]
    finally:
        stop(process)


def painted(browser: Any, address: str) -> dict[str, float]:
    """Open a page with a clean cache; return what the browser saw of it."""
    context = browser.new_context(viewport={"width": 390, "height": 844}, timezone_id="UTC")
    try:
        page = context.new_page()
        page.add_init_script(OBSERVE)
        page.goto(address, wait_until="load")
        page.wait_for_timeout(500)
        seen = page.evaluate("seen")
        return {
            "LCP": seen["lcp"],
            "CLS": seen["cls"],
            "TBT": seen["tbt"],
            "assets": page.evaluate(ASSETS) / 1000,
        }
    finally:
        context.close()


UNITS = {"HTML": "kB", "queries": "", "first": "ms", "CPU": "ms", "of text": ""}
UNITS |= {"LCP": "ms", "CLS": "", "TBT": "ms", "assets": "kB"}


def written(value: float) -> str:
    """Write a number with three digits, and whole ones as they are."""
    return f"{value:.0f}" if value >= 100 or float(value).is_integer() else f"{value:.3g}"


def measure(folder: Path) -> list[Measure]:
    """Measure every page, print a line of each, and return the numbers."""
    from django.conf import settings
    from django.test.utils import override_settings

    from apps.scraping.browser import BrowserMissing, find

    plain = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    asked = list(addresses())
    with override_settings(ALLOWED_HOSTS=["testserver"], STORAGES={**settings.STORAGES, **plain}, DEBUG=False):
        rows = served(asked)
    try:
        program = find().place
    except BrowserMissing as missing:
        print(f"No paint is measured. {missing}")
    else:
        from playwright.sync_api import sync_playwright

        with web_process(folder) as site, sync_playwright() as playwright:
            browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox", "--disable-gpu"])
            for address in asked:
                rows[address] |= painted(browser, site + address)
            browser.close()
    print(f"{'page':<44}" + "".join(f"{name:>9}" for name in UNITS))
    for address, numbers in rows.items():
        print(f"{address:<44}" + "".join(f"{written(numbers[name]) if name in numbers else '':>9}" for name in UNITS))
    return [
        Measure(f"{address}: {name}", value, UNITS[name], TARGETS.get(name, ""))
        for address, numbers in rows.items()
        for name, value in numbers.items()
    ]


def main() -> int:
    """Fill, measure and print."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--matches", type=int, default=MATCHES, metavar="N")
    args = options.parse_args()
    with own_servers() as folder:
        fill(args.matches)
        print_measures("pages", measure(folder), args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
