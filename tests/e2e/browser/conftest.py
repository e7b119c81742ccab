"""A browser of the scraper with two sites; without Playwright or a browser the tests are skipped with the reason."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.misbehaviour import Server, started

if TYPE_CHECKING:
    from apps.scraping.browser import FoundBrowser


@pytest.fixture(scope="module")
def found() -> FoundBrowser:
    from apps.scraping.browser import BrowserMissing, find

    try:
        return find()
    except BrowserMissing as missing:
        pytest.skip(f"no browser on this machine: {missing}")


@pytest.fixture(scope="module")
def server():
    from tests.e2e.browser.site import Pages

    with started(Server(Pages)) as running:
        yield running


@pytest.fixture(scope="module")
def stranger():
    from tests.e2e.browser.site import Pages

    with started(Server(Pages)) as running:
        yield running


@pytest.fixture(scope="module")
def shared(found):
    from apps.scraping.browser import Browser
    from tests.e2e.browser.site import AGENT, pids_of, wait_until_gone

    with Browser(user_agent=AGENT, found=found) as running:
        yield running
        pids = pids_of(running)
    assert wait_until_gone(pids) == []


@pytest.fixture
def browser(shared, server):
    server.asked.clear()
    return shared


@pytest.fixture
def unit(browser):
    with browser.unit() as opened:
        yield opened
