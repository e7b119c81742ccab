"""The sandbox's site through a real browser: one request at a time, and a browser that is killed costs nothing."""

from __future__ import annotations

import signal
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise

import psutil
import pytest

from apps.matches.models import Lineup, Match
from apps.scraping import services
from apps.scraping.models import ScrapeRun, Source
from apps.scraping.services import fetching, runs
from tests.sandbox_server import SEED, SandboxServer

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [pytest.mark.e2e, pytest.mark.django_db]

START = datetime.now(UTC).replace(microsecond=0)


@pytest.fixture
def sandbox(settings, tmp_path):
    found, missing = fetching.found_browser()
    if found is None:
        pytest.skip(f"no browser: {missing}")
    settings.STORAGES = settings.STORAGES | {
        "snapshots": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(tmp_path)},
        }
    }
    settings.SPAI_SANDBOX = True
    with SandboxServer(seed=SEED, anchor=START - timedelta(minutes=12), clock=lambda: START) as server:
        settings.SPAI_SANDBOX_URL = server.url
        services.ensure_sources(now=START)
        yield server
    fetching.close_browser()


def visit(scope: str = "results", *, delay: float = 0.0) -> ScrapeRun:
    Source.objects.filter(name="sandbox").update(delay=timedelta(seconds=delay))
    source = Source.objects.get(name="sandbox")
    run = services.request_run(source=source, scope=scope, by="ann", now=START)
    list(runs.scrape_due(now=START))
    run.refresh_from_db()
    return run


def test_a_browser_brings_what_the_site_shows(sandbox):
    run = visit()
    assert (run.outcome, run.refused) == ("stored", 0), run.detail
    finished = Match.objects.filter(status="finished").count()
    assert finished >= 8
    assert Lineup.objects.filter(is_starter=True).count() == 22 * finished
    agents = {entry["user_agent"] for entry in sandbox.log.entries() if entry["path"] != "/robots.txt"}
    assert all("Chrome" in agent and "SPAI/" in agent for agent in agents)


def test_the_site_sees_one_request_at_a_time_with_the_delay_between(sandbox):
    visit(delay=0.3)
    entries = sorted(sandbox.log.entries(), key=lambda entry: entry["started"])
    assert len(entries) > 15
    assert {entry["in_flight"] for entry in entries} == {1}
    gaps = [later["started"] - earlier["finished"] for earlier, later in pairwise(entries)]
    assert min(gaps) >= 0.3


def test_a_browser_that_is_killed_again_and_again_costs_the_run_nothing(sandbox):
    kills: list[int] = []

    def killing(environ, start_response):
        """Answer as the site does, after the end of Chromium's main process at every sixth request."""
        if len(kills) < 3 and len(sandbox.log.entries()) >= 6 * (len(kills) + 1):
            kills.extend(kill_the_browser())
        return sandbox.site(environ, start_response)

    sandbox.answer_by(killing)
    run = visit()
    assert len(kills) == 3
    assert run.outcome == "stored", run.detail
    assert Match.objects.filter(status="finished").count() >= 8
    fetching.close_browser()
    _, left = psutil.wait_procs(browsers(), timeout=300)
    assert left == []


def browsers() -> list[psutil.Process]:
    """The processes of Chromium below this one."""
    found = []
    for process in psutil.Process().children(recursive=True):
        with suppress(psutil.NoSuchProcess):
            if "chrom" in process.name():
                found.append(process)
    return found


def kill_the_browser() -> list[int]:
    """Kill Chromium's main process, the one below the driver; return its number."""
    for process in browsers():
        with suppress(psutil.NoSuchProcess):
            if "--type=" not in " ".join(process.cmdline()):
                process.send_signal(signal.SIGKILL)
                return [process.pid]
    return []
