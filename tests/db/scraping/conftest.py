"""A site of a few pages, fetcher that open on it, and a clock."""

from __future__ import annotations

from contextlib import nullcontext
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

import pytest

from apps.scraping import services
from apps.scraping.models import ScrapeRun, Source
from apps.scraping.services.runs import scrape_due
from tests.db.scraping.small_site import COMING, FEED, HOME, ONE, TWO
from tests.fakes import FakeFetcher, FakeSite, page_of

NOW = datetime(2026, 11, 23, 9, 0, 30, tzinfo=UTC)


@dataclass
class Clock:
    """A clock that stands still until it is moved."""

    now: datetime = NOW

    def __call__(self) -> datetime:
        return self.now

    def later(self, **delta: float) -> datetime:
        self.now += timedelta(**delta)
        return self.now


@dataclass
class Stage:
    """A source with its site, its fetchers and the clock of all."""

    source: Source
    site: FakeSite
    fetcher: FakeFetcher
    clock: Clock

    def ask(self, scope: str = "results") -> ScrapeRun:
        return services.request_run(source=self.source, scope=scope, by="somebody", now=self.clock())

    def work(self, **options) -> list[services.ScrapeReport]:
        return list(
            scrape_due(
                now=self.clock(),
                clock=self.clock,
                make_fetcher=lambda source: nullcontext(self.fetcher),
                make_site=lambda source: self.site,
                **options,
            )
        )

    def visit(self, scope: str = "results") -> services.ScrapeReport:
        """Ask for a run and see it through."""
        self.ask(scope)
        return self.work()[-1]


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture(autouse=True)
def raw_pages(settings, tmp_path):
    """Raw pages are kept in a folder of the test's own."""
    folder = tmp_path / "snapshots"
    settings.STORAGES = settings.STORAGES | {
        "snapshots": {
            "BACKEND": "django.core.files.storage.FileSystemStorage",
            "OPTIONS": {"location": str(folder)},
        }
    }
    settings.SPAI_SANDBOX = True
    settings.SPAI_CONTACT = "https://owner.example"
    return folder


@pytest.fixture
def stage(db, clock) -> Stage:
    source = services.ensure_sandbox(now=NOW)
    return Stage(source, FakeSite(), FakeFetcher({}, clock), clock)


@pytest.fixture
def filled(stage: Stage) -> Stage:
    """A site whose first page leads to a feed of two results and a fixture."""
    stage.fetcher.pages = {HOME: page_of(follow=(FEED,)), FEED: page_of(ONE, TWO, COMING)}
    return stage
