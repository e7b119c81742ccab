"""Pages that a browser fetches from a site that misbehaves, and what a page asks for."""

from __future__ import annotations

import asyncio

import pytest

from tests.misbehaviour import CHALLENGE

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
from apps.scraping.browser import Browser
from apps.scraping.responses import FetchOutcome, FetchResponse
from tests.e2e.browser.site import AGENT, LIMIT, TIMEOUT, pids_of, refused, refused_when_shown, wait_until_gone, warmed

pytestmark = pytest.mark.e2e


# what comes


def test_a_page_comes_with_what_was_waited_for(unit, server):
    page = unit.open(server.url + "/results", wait_for="#results td", timeout=TIMEOUT)
    assert (page.status, page.url) == (200, server.url + "/results")
    assert b"<td>Eastmoor</td>" in page.body
    assert page.headers["etag"] == '"7"'
    assert "set-cookie" not in page.headers
    assert page.seconds > 0


def test_what_a_script_brings_late_is_waited_for(unit, server):
    assert b"here" in unit.open(server.url + "/late", wait_for=".late", timeout=TIMEOUT).body


def test_the_site_is_reported_who_asks_behind_the_name_of_the_browser(unit, server):
    unit.open(server.url + "/results")
    name = server.asked[0][1]["User-Agent"]
    assert name.endswith(" " + AGENT)
    assert "Chrome/" in name


def test_the_thread_that_asks_is_left_without_an_event_loop(unit, server):
    unit.open(server.url + "/results")
    with pytest.raises(RuntimeError, match="no running event loop"):
        asyncio.get_running_loop()


async def test_a_thread_with_an_event_loop_may_ask(unit, server):
    assert unit.open(server.url + "/results").status == 200


def test_the_next_unit_knows_nothing_of_the_one_before(browser, server):
    for _ in range(2):
        with browser.unit() as unit:
            unit.open(server.url + "/results")
            unit.open(server.url + "/results")
    assert [headers.get("Cookie") for _, headers, _ in server.asked] == [None, "visit=1", None, "visit=1"]


def test_every_context_is_closed_also_after_an_error(browser, server):
    def fail():
        with browser.unit() as unit:
            unit.open(server.url + "/results")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        fail()
    running = browser._engine
    assert running.call(lambda: len(running.browser.contexts), TIMEOUT) == 0


def test_a_unit_that_asks_for_nothing_starts_nothing(found):
    with Browser(user_agent=AGENT, found=found) as idle, idle.unit():
        assert (idle.starts, pids_of(idle), idle.megabytes()) == (0, [], 0)


# asked for inside the page


def test_the_page_asks_with_its_own_cookies_and_gets_the_bytes(unit, server):
    unit.open(server.url + "/results")
    answer = unit.fetch(server.url + "/echo", headers={"x-requested-with": "XMLHttpRequest"}, timeout=TIMEOUT)
    assert (answer.status, answer.headers["content-type"]) == (201, "application/json")
    assert b"('Cookie', 'visit=1')" in answer.body
    assert b"('x-requested-with', 'XMLHttpRequest')" in answer.body
    assert b"SPAI/0.1.0" in answer.body
    assert unit.fetch(server.url + "/feed").body == b'{"tournaments":[1,2]}'
    assert unit.fetch(server.url + "/error").status == 503
    assert unit.fetch(server.url + "/moved").url == server.url + "/page?after=1"


def test_a_feed_that_the_browser_shows_itself_comes_as_it_shows_it(unit, server):
    assert b'<pre>{"tournaments":[1,2]}</pre>' in unit.open(server.url + "/feed", wait_for="pre").body


@pytest.mark.parametrize(
    ("path", "outcome", "reason"),
    [
        ("/hang", FetchOutcome.TIMEOUT, "in time"),
        ("/drip-body", FetchOutcome.TIMEOUT, "in time"),
        ("/large-unannounced", FetchOutcome.HTTP_ERROR, "has more than"),
        ("/dense-bomb", FetchOutcome.HTTP_ERROR, "has more than"),
        ("/cut", FetchOutcome.HTTP_ERROR, "Error"),
        ("/broken-gzip", FetchOutcome.HTTP_ERROR, "Error"),
        ("/circle", FetchOutcome.HTTP_ERROR, "Error"),
        ("/to?file:///etc/passwd", FetchOutcome.HTTP_ERROR, "Error"),
    ],
)
def test_a_fault_ends_what_the_page_asks_for(unit, server, path, outcome, reason):
    unit.open(server.url + "/results")
    timeout = LIMIT if outcome is FetchOutcome.TIMEOUT else TIMEOUT
    error = refused(lambda: unit.fetch(server.url + path, timeout=timeout, max_bytes=10_000_000))
    assert (error.outcome, reason in error.reason) == (outcome, True), error.reason


def test_the_page_asks_nobody_else(unit, server, stranger):
    assert refused(lambda: unit.fetch(server.url + "/feed")).outcome is FetchOutcome.INVALID
    unit.open(server.url + "/results")
    stranger.asked.clear()
    assert refused(lambda: unit.fetch(stranger.url + "/feed")).outcome is FetchOutcome.INVALID
    assert refused(lambda: unit.fetch(f"{server.url}/to?{stranger.url}/feed")).outcome is FetchOutcome.HTTP_ERROR
    assert refused(lambda: unit.fetch("file:///etc/passwd")).outcome is FetchOutcome.INVALID
    assert stranger.asked == []


def test_without_a_page_nothing_is_requested(browser, server):
    with browser.unit(allow=[server.url.removeprefix("http://")]) as unit:
        assert refused(lambda: unit.fetch(server.url + "/feed")).outcome is FetchOutcome.FAILED
        refused(lambda: unit.open(server.url + "/nothing"))
        assert refused(lambda: unit.fetch(server.url + "/feed")).outcome is FetchOutcome.FAILED
    assert "/feed" not in [path for path, *_ in server.asked]


# what does not come


def test_a_page_without_what_was_waited_for_is_kept_and_named(unit, server):
    error = refused_when_shown(
        lambda seconds: unit.open(server.url + "/results", wait_for="#fixtures", timeout=seconds)
    )
    assert error.outcome is FetchOutcome.CHANGED_LAYOUT
    assert "#fixtures" in error.reason
    assert b"Eastmoor" in error.response.body


@pytest.mark.parametrize(
    ("path", "status"), [("/forbidden", 403), ("/error", 503), ("/challenge", 200), ("/missing", 404)]
)
def test_a_page_that_is_refused_comes_back_for_its_judge_without_what_was_waited_for(unit, server, path, status):
    page = unit.open(server.url + path, wait_for="#results", timeout=TIMEOUT)
    assert page.status == status
    assert path != "/challenge" or CHALLENGE[:40] in page.body


def test_an_error_without_a_body_is_an_answer_too(unit, server):
    page = unit.open(server.url + "/nothing-at-all", wait_for="#results")
    assert (page.status, page.body) == (500, b"")


def test_a_selector_that_is_none_is_our_own_fault(unit, server):
    assert refused(lambda: unit.open(server.url + "/results", wait_for="[[")).outcome is FetchOutcome.FAILED


@pytest.mark.parametrize(
    ("path", "outcome"),
    [
        ("/hang", FetchOutcome.TIMEOUT),
        ("/drip-head", FetchOutcome.TIMEOUT),
        ("/drip-body", FetchOutcome.TIMEOUT),
        ("/loop", FetchOutcome.TIMEOUT),
        ("/large", FetchOutcome.HTTP_ERROR),
        ("/large-unannounced", FetchOutcome.HTTP_ERROR),
        ("/dense-bomb", FetchOutcome.HTTP_ERROR),
        ("/large-dom", FetchOutcome.HTTP_ERROR),
        ("/broken-gzip", FetchOutcome.HTTP_ERROR),
        ("/cut", FetchOutcome.HTTP_ERROR),
        ("/nothing", FetchOutcome.HTTP_ERROR),
        ("/garbage", FetchOutcome.HTTP_ERROR),
        ("/circle", FetchOutcome.HTTP_ERROR),
        ("/endless", FetchOutcome.HTTP_ERROR),
        ("/endless-pages", FetchOutcome.HTTP_ERROR),
        ("/endless-refresh", FetchOutcome.HTTP_ERROR),
        ("/closes-itself", FetchOutcome.CHANGED_LAYOUT),  # which no browser lets it do
        ("/download", FetchOutcome.INVALID),
    ],
)
def test_a_fault_ends_in_its_outcome_and_the_next_page_comes(unit, server, path, outcome):
    def ask(seconds: float) -> FetchResponse:
        server.asked.clear()
        return unit.open(server.url + path, wait_for="#never", timeout=seconds, max_bytes=5_000_000)

    if outcome is FetchOutcome.TIMEOUT:
        error = refused(lambda: ask(LIMIT))
    elif outcome is FetchOutcome.CHANGED_LAYOUT:
        error = refused_when_shown(ask)
    else:
        error = refused(lambda: ask(TIMEOUT))
    assert error.outcome is outcome, error.reason
    assert unit.open(server.url + "/results", wait_for="#results").status == 200
    assert len(server.asked) < 15


def test_a_page_that_hangs_its_browser_is_ended_by_the_watchdog(browser, server):
    pids = warmed(browser, server)
    starts = browser.starts
    with browser.unit() as unit:
        unit.open(server.url + "/loop-when-asked", wait_for="#there", timeout=TIMEOUT)
        error = refused(lambda: unit.fetch(server.url + "/feed", timeout=0.5))
        assert error.outcome is FetchOutcome.TIMEOUT
        assert "was ended" in error.reason
        assert wait_until_gone(pids) == []
        assert unit.open(server.url + "/results").status == 200
    assert browser.starts == starts + 1


def test_another_place_on_the_same_page_is_no_page(unit, server):
    unit.open(server.url + "/results")
    assert refused(lambda: unit.open(server.url + "/results#there")).outcome is FetchOutcome.INVALID


@pytest.mark.parametrize(
    "url", ["", "results", "file:///etc/passwd", "about:blank", "javascript:1", "http://a:b@127.0.0.1/"]
)
def test_what_is_no_address_is_not_opened(unit, url):
    assert refused(lambda: unit.open(url)).outcome is FetchOutcome.INVALID


def test_dialogs_do_not_hold_a_page(unit, server):
    assert unit.open(server.url + "/dialogs", wait_for="#b", timeout=TIMEOUT).status == 200
    assert unit.open(server.url + "/results", timeout=TIMEOUT).status == 200
