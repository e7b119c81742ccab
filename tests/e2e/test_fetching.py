"""Fetching by a real browser: one page per run, and the browser is restarted now and then."""

from __future__ import annotations

import time
from dataclasses import replace
from datetime import timedelta
from itertools import pairwise

import pytest
from django.utils import timezone

from apps.scraping import services
from apps.scraping.models import HostState, Source
from apps.scraping.responses import FetchError, FetchOutcome
from apps.scraping.services import fetching
from apps.scraping.sources import FetchMethod, Request
from tests.misbehaviour import Server, Site, started

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
pytestmark = [pytest.mark.e2e, pytest.mark.django_db]

DELAY = 0.4
RULES = b"User-agent: *\nDisallow: /secret\n"


class Hops(Site):
    """A site of pages that lead to the page that their address names, each in a way of its own."""

    def send(self, *what, **headers):
        began = time.monotonic()
        super().send(*what, **headers)
        self.server.times.append((self.path, began, time.monotonic()))

    def show(self, body: str, **headers):
        self.send(f"<!doctype html><html><body>{body}</body></html>".encode(), content_type="text/html", **headers)

    def target(self) -> str:
        return self.path.partition("?")[2]

    def robots_txt(self):
        self.send(RULES)

    def results(self):
        self.show("<p id=results>Eastmoor")

    def secret(self):
        self.show("<p id=results>Secret")

    def refresh(self):
        self.show(f"<meta http-equiv=refresh content='0; url={self.target()}'>")

    def script(self):
        self.show(f"<script>location.replace('{self.target()}')</script>")

    def later(self):
        self.show(f"<script>setTimeout(() => {{ location = '{self.target()}' }}, 300)</script>")

    def restless(self):
        """Show the page, and leave it when nobody looks any more."""
        self.show("<p id=results>Eastmoor<script>setTimeout(() => { location = '/results?again' }, 1500)</script>")

    def refused(self):
        self.send(b"<html><meta http-equiv=refresh content='0; url=/results'>No", 403, content_type="text/html")

    def welcome(self):
        """Lead back to itself until the cookie that it sets comes with the request."""
        if "seen=1" in self.headers.get("Cookie", ""):
            self.results()
        else:
            self.send(b"", 302, location="/welcome", set_cookie="seen=1; Path=/")


@pytest.fixture(scope="module", autouse=True)
def _browser():
    """Leave the browser of this process open until the last test."""
    found, missing = fetching.found_browser()
    if found is None:
        pytest.skip(f"no browser: {missing}")
    yield
    fetching.close_browser()


@pytest.fixture
def server(settings, db):
    settings.SPAI_SANDBOX = True
    running = Server(Hops)
    running.times = []
    with started(running):
        yield running


@pytest.fixture
def opened(server):
    services.ensure_sources(now=timezone.now())
    source = Source.objects.get(name="sandbox")
    source.base_url, source.delay = server.url, timedelta(seconds=DELAY)
    source.save()
    with fetching.SourceFetcher(source) as found:
        yield found


def asked(server: Server) -> list[str]:
    return [path for path, *_ in server.times]


def shortest_gap(server: Server) -> float:
    return min(later[1] - earlier[2] for earlier, later in pairwise(server.times))


def page(server: Server, path: str, method: FetchMethod = FetchMethod.BROWSER) -> Request:
    return Request(server.url + path, "page", method, wait_for="#results")


@pytest.mark.parametrize("way", ["to", "refresh", "script", "later"])
def test_a_page_to_which_another_leads_is_requested_after_the_delay(opened, server, way):
    response = opened.get(page(server, f"/{way}?/{way}?/results"), stored=None)
    assert b"Eastmoor" in response.body
    assert response.url == server.url + "/results"
    assert asked(server) == ["/robots.txt", f"/{way}?/{way}?/results", f"/{way}?/results", "/results"]
    assert shortest_gap(server) >= DELAY


@pytest.mark.parametrize("way", ["to", "refresh", "script", "later"])
def test_a_page_that_robots_txt_forbids_is_not_requested_however_another_leads_to_it(opened, server, way):
    with pytest.raises(FetchError, match="does not permit") as error:
        opened.get(page(server, f"/{way}?/secret"), stored=None)
    assert error.value.outcome is FetchOutcome.BLOCKED
    assert asked(server) == ["/robots.txt", f"/{way}?/secret"]


def test_what_the_page_fetches_is_requested_after_the_delay_when_it_moved(opened, server):
    opened.get(page(server, "/results"), stored=None)
    response = opened.get(page(server, "/to?/page", FetchMethod.IN_PAGE), stored=None)
    assert response.body.startswith(b"Div,Date")
    with pytest.raises(FetchError, match="does not permit"):
        opened.get(page(server, "/to?/secret", FetchMethod.IN_PAGE), stored=None)
    assert asked(server) == ["/robots.txt", "/results", "/to?/page", "/page", "/to?/secret"]
    assert shortest_gap(server) >= DELAY


def test_pages_that_lead_on_without_an_end_are_left(opened, server):
    opened.policy = replace(opened.policy, delay=timedelta(0))
    with pytest.raises(FetchError, match="more than 8 redirects") as error:
        opened.get(page(server, "/endless"), stored=None)
    assert error.value.outcome is FetchOutcome.HTTP_ERROR
    assert len(asked(server)) == 1 + 9


def test_a_refusal_is_taken_for_one_wherever_it_leads(opened, server):
    with pytest.raises(FetchError, match="answered 403") as error:
        opened.get(page(server, "/refused"), stored=None)
    assert error.value.outcome is FetchOutcome.BLOCKED
    assert asked(server) == ["/robots.txt", "/refused"]


@pytest.mark.parametrize("is_worn", [False, True])
def test_a_cookie_that_a_redirect_sets_comes_with_the_next_request(opened, server, is_worn, monkeypatch):
    opened.get(page(server, "/results"), stored=None)
    if is_worn:  # from the next page on
        monkeypatch.setattr(fetching._browser(), "_max_pages", fetching._browser()._engine.pages + 1)
    assert b"Eastmoor" in opened.get(page(server, "/welcome"), stored=None).body
    assert asked(server) == ["/robots.txt", "/results", "/welcome", "/welcome"]


@pytest.mark.parametrize("method", [FetchMethod.BROWSER, FetchMethod.IN_PAGE])
def test_what_a_page_wants_between_two_turns_is_not_requested_and_costs_no_turn(opened, server, method):
    opened.get(page(server, "/restless"), stored=None)
    time.sleep(2)
    assert opened.get(page(server, "/results", method), stored=None).url == server.url + "/results"
    assert asked(server) == ["/robots.txt", "/restless", "/results"]
    assert HostState.objects.get().requests == 3


def test_a_browser_that_has_shown_enough_is_replaced_within_a_run(opened, server):
    fetching.close_browser()
    opened.policy = replace(opened.policy, delay=timedelta(0))
    opened.get(page(server, "/results"), stored=None)
    running = fetching._browser()
    running._max_pages = 2
    for _ in range(2):
        opened.get(page(server, "/page", FetchMethod.IN_PAGE), stored=None)
    assert (running.starts, running.is_worn()) == (1, True)
    for _ in range(2):
        opened.get(page(server, "/results"), stored=None)
    assert (running.starts, running.is_worn()) == (2, True)
    opened.get(page(server, "/results"), stored=None)
    assert running.starts == 3
