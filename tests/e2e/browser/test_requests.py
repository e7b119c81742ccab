"""Who is requested anything while a browser shows a page."""

from __future__ import annotations

import time

import pytest

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
from apps.scraping.responses import FetchOutcome
from tests.e2e.browser.site import TIMEOUT, refused

pytestmark = pytest.mark.e2e


def test_nobody_but_the_site_is_requested_anything_and_the_site_for_nothing_heavy(unit, server, stranger):
    stranger.asked.clear()
    unit.open(f"{server.url}/strangers?{stranger.url}", wait_for="#done", timeout=TIMEOUT)
    unit.fetch(server.url + "/feed")
    time.sleep(0.3)
    unit.open(server.url + "/results")
    assert [path for path, *_ in stranger.asked] == []
    asked = [path for path, *_ in server.asked]
    assert {path.partition("?")[0] for path in asked} == {"/strangers", "/to", "/feed", "/results"}
    assert "/results?popup" not in asked


@pytest.mark.parametrize("hosts", ["exact", "below"])
def test_whom_the_caller_allows_is_asked(browser, server, stranger, hosts):
    stranger.asked.clear()
    allow = [stranger.url.removeprefix("http://")] if hosts == "exact" else [".0.0.1"]
    with browser.unit(allow=allow) as unit:
        unit.open(f"{server.url}/strangers?{stranger.url}", wait_for="#done", timeout=TIMEOUT)
    paths = {path for path, *_ in stranger.asked}
    assert {"/script", "/frame", "/fetch"} <= paths
    assert {"/image", "/beacon"}.isdisjoint(paths)


def test_without_its_parts_a_site_is_requested_the_page_alone_and_for_what_the_page_is_reported_to_ask(browser, server):
    server.asked.clear()
    with browser.unit(with_parts=False) as unit:
        page = unit.open(f"{server.url}/strangers?{server.url}", wait_for="body", timeout=TIMEOUT)
        time.sleep(0.3)
        feed = unit.fetch(server.url + "/feed")
        moved = refused(lambda: unit.open(f"{server.url}/to?{server.url}/results", timeout=TIMEOUT))
    assert (page.status, feed.body) == (200, b'{"tournaments":[1,2]}')
    assert (moved.target, moved.outcome) == (server.url + "/results", FetchOutcome.STORED)
    assert [path.partition("?")[0] for path, *_ in server.asked] == ["/strangers", "/feed", "/to"]


def test_a_page_that_leads_to_another_host_is_not_followed(browser, server, stranger):
    stranger.asked.clear()
    with browser.unit() as unit:
        error = refused(lambda: unit.open(f"{server.url}/to?{stranger.url}/results"))
    assert error.outcome is FetchOutcome.INVALID
    assert "another host" in error.reason
    assert stranger.asked == []
    with browser.unit(allow=[stranger.url.removeprefix("http://")]) as unit:
        assert unit.open(f"{server.url}/to?{stranger.url}/results").url == stranger.url + "/results"
