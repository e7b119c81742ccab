"""The fetchers of a run before a site that counts: what leaves, when, and what does not."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from apps.scraping import services
from apps.scraping.models import Source
from apps.scraping.responses import FetchError, FetchOutcome, NotSentError
from apps.scraping.services.fetching import SourceFetcher
from apps.scraping.sources import FetchMethod, Request
from tests.db.scraping.conftest import NOW
from tests.misbehaviour import Server, Site, started

pytestmark = pytest.mark.django_db


class Home(Site):
    """A site with a robots.txt, which may have moved."""

    content = b"User-agent: *\nDisallow: /secret\n"
    moved_to = ""

    def robots_txt(self):
        if self.moved_to:
            self.send(b"", 301, location=self.moved_to)
        else:
            self.rules()

    def rules(self):
        self.send(self.content)


@pytest.fixture
def server():
    with started(Server(Home)) as running:
        yield running


@pytest.fixture
def source(stage, server) -> Source:
    """The sandbox's files, read from the site that counts."""
    found = Source.objects.get(name="sandbox-files")
    found.base_url, found.delay = server.url, timedelta(seconds=5)
    found.save()
    return found


def paths(server: Server) -> list[str]:
    return [path for path, *_ in server.asked]


def page(server: Server, path: str = "/page") -> Request:
    return Request(server.url + path, "page", FetchMethod.HTTP)


def opened(source: Source, clock, *, then: Callable[[], object] = lambda: None) -> SourceFetcher:
    """Return fetcher whose clock moves only when they sleep; after each sleep something happens."""
    fetcher = SourceFetcher(source)

    def sleep(seconds: float) -> None:
        clock.later(seconds=seconds)
        then()

    fetcher.policy = replace(fetcher.policy, clock=clock, sleep=sleep, draw=lambda: 0.0)
    return fetcher


def switch_off() -> None:
    services.switch(source=Source.objects.get(name="sandbox-files"), is_on=False, by="ann", now=NOW)


def test_headers_that_a_site_wants_go_with_the_page_and_not_with_its_robots_txt(source, server, clock):
    with opened(source, clock) as fetcher:
        fetcher.get(replace(page(server), headers=(("x-requested-with", "XMLHttpRequest"),)), stored=None)
    sent = {path: headers.get("x-requested-with") for path, headers, _ in server.asked}
    assert sent == {"/robots.txt": None, "/page": "XMLHttpRequest"}


# switched off


def test_no_request_leaves_for_a_source_that_is_switched_off_while_its_host_waits(source, server, clock):
    off = pytest.raises(NotSentError, match="No request is sent: It is switched off")
    with opened(source, clock, then=switch_off) as fetcher, off as error:
        fetcher.get(page(server), stored=None)
    assert error.value.outcome is FetchOutcome.FAILED
    assert paths(server) == ["/robots.txt"]
    assert clock() == NOW + timedelta(seconds=5)  # nothing is tried again


def test_no_robots_txt_is_requested_by_a_source_that_is_switched_off_while_its_host_waits(source, server, clock):
    with opened(source, clock) as fetcher:
        fetcher.get(page(server), stored=None)
    clock.now = NOW + timedelta(days=1, seconds=-2)
    with opened(source, clock) as fetcher:
        fetcher.get(page(server), stored=None)
    clock.now = NOW + timedelta(days=1, seconds=1)
    with opened(source, clock, then=switch_off) as fetcher, pytest.raises(FetchError, match="It is switched off"):
        fetcher.get(page(server), stored=None)
    assert paths(server) == ["/robots.txt", "/page", "/page"]


def test_no_redirect_is_followed_for_a_source_that_is_switched_off_meanwhile(source, server, clock):
    with opened(source, clock) as fetcher:
        fetcher.get(page(server), stored=None)
    clock.later(minutes=1)
    with opened(source, clock, then=switch_off) as fetcher, pytest.raises(FetchError, match="It is switched off"):
        fetcher.get(page(server, "/moved"), stored=None)
    assert paths(server) == ["/robots.txt", "/page", "/moved"]


# a robots.txt that moved


def test_a_robots_txt_that_moved_is_followed_at_the_pace_of_its_host(source, server, clock, monkeypatch):
    monkeypatch.setattr(Home, "moved_to", "/to?/to?/rules")
    with opened(source, clock) as fetcher:
        fetcher.get(page(server), stored=None)
        with pytest.raises(FetchError, match="does not permit"):
            fetcher.get(page(server, "/secret"), stored=None)
    assert paths(server) == ["/robots.txt", "/to?/to?/rules", "/to?/rules", "/rules", "/page"]
    assert clock() == NOW + timedelta(seconds=4 * 5)


def test_a_robots_txt_that_leads_to_another_host_is_not_taken_for_one_that_forbids(source, server, clock, monkeypatch):
    monkeypatch.setattr(Home, "moved_to", f"http://localhost:{server.server_port}/rules")
    with opened(source, clock) as fetcher, pytest.raises(FetchError, match="could not be read") as error:
        fetcher.get(page(server), stored=None)
    assert "it redirects to another host" in error.value.reason
    assert error.value.outcome is FetchOutcome.HTTP_ERROR
    assert paths(server) == ["/robots.txt"]


def test_a_redirect_is_followed_after_the_pause_that_robots_txt_asks_for(source, server, clock, monkeypatch):
    monkeypatch.setattr(Home, "content", b"User-agent: *\nCrawl-delay: 20\n")
    with opened(source, clock) as fetcher:
        fetcher.get(page(server, "/moved"), stored=None)
    assert paths(server) == ["/robots.txt", "/moved", "/page?after=1"]
    assert clock() == NOW + timedelta(seconds=2 * 20)
