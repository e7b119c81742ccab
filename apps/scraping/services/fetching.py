"""Fetching the pages of a source, by browser where a page needs one and by plain HTTP elsewhere, at its host's pace."""

from __future__ import annotations

import atexit
import logging
import os
from contextlib import ExitStack
from dataclasses import replace
from functools import cache
from typing import Final, Self

from django.conf import settings

from apps.scraping import browser, http, politeness
from apps.scraping.models import Snapshot, Source
from apps.scraping.responses import FetchError, FetchOutcome, FetchResponse, LeadsOnError, NotSentError
from apps.scraping.services import hosts
from apps.scraping.services.sources import hosts_inside, why_off
from apps.scraping.sources import FetchMethod, Request

logger = logging.getLogger(__name__)

PAGE_SECONDS: Final = 30.0
"""Longest time for one page, all in; any failure is an outcome within 45 s."""

MOST_BYTES: Final = 20_000_000
"""Larger than any page of fixtures or results."""

BROWSER_ATTEMPTS: Final = 8
"""How often a page is requested when the browser crashes, each time at the pace of its host."""

REST: Final = 0.5
"""Seconds more before each further attempt: what makes browsers crash, such as too little memory, passes slowly."""


def agent() -> str:
    """Return the user agent; without SPAI_CONTACT it names the address of SPAI's own pages."""
    return politeness.user_agent(settings.SPAI_CONTACT or settings.SPAI_WEB_URL)


class SourceFetcher:
    """Fetches the pages of one source during one run; a context manager that closes what it opened.

    The pages of a simulated source can be read without a browser too.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.policy = hosts.FetchPolicy(agent=agent(), delay=source.delay)
        self._opened = ExitStack()
        self._client = self._opened.enter_context(
            http.Client(
                user_agent=self.policy.agent, timeout=PAGE_SECONDS, max_bytes=MOST_BYTES, allowed=hosts_inside(source)
            )
        )
        self._of_unit = self._opened.enter_context(ExitStack())
        self._unit: browser.Unit | None = None
        self._shows_a_page = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def get(self, request: Request, *, stored: Snapshot | None) -> FetchResponse:
        """Fetch a page by its method as soon as its host may get a request.

        Parameters
        ----------
        request : Request
        stored : Snapshot or None
            The stored page of this address; over plain HTTP the request is conditional on it.

        Raises
        ------
        FetchError
            When no usable response came; `response` is the unusable one.
        """
        self._refuse_if_off()
        request = replace(request, method=self._method(request))
        headers = dict(request.headers)
        if stored is not None:
            headers |= politeness.conditional_headers(stored.headers)
        self._leave_worn_browser(request)
        for _ in range(http.MAX_REDIRECTS + 1):
            try:
                return self._fetch(request, headers)
            except LeadsOnError as page:
                # The next page waits as well, and the rules of its host apply to it.
                request = replace(request, url=page.target)
        raise FetchError(FetchOutcome.HTTP_ERROR, f"{request.url}: more than {http.MAX_REDIRECTS} redirects")

    def _fetch(self, request: Request, headers: dict[str, str]) -> FetchResponse:
        """Fetch a page at its host's pace, and again when our browser crashed meanwhile."""

        def send() -> FetchResponse:
            self._refuse_if_off()
            if request.method is FetchMethod.HTTP:
                return self._client.fetch(request.url, headers=headers, on_redirect=self._before_redirect)
            return self._browse(request, headers)

        for attempt in range(1, BROWSER_ATTEMPTS + 1):
            try:
                return hosts.fetch_politely(request.url, send, policy=self.policy, fetch_robots=self._fetch_robots)
            except FetchError as error:
                if error.outcome is not FetchOutcome.FAILED or isinstance(error, NotSentError):
                    raise
                # Playwright appends its whole log.
                reason = error.reason.splitlines()[0]
                if attempt == BROWSER_ATTEMPTS:
                    raise FetchError(FetchOutcome.FAILED, reason) from error
                logger.warning("%s; the page is requested again", reason)
                self.policy.sleep(REST * attempt)
        raise AssertionError("the last attempt has returned or raised")

    def _refuse_if_off(self) -> None:
        """Raise NotSentError for a source that is off; read before each request, so that switching off acts at once."""
        self.source.refresh_from_db()
        if reason := why_off(self.source):
            raise NotSentError(reason)

    def _fetch_robots(self, url: str) -> FetchResponse:
        self._refuse_if_off()
        return self._client.fetch(url, on_redirect=self._pause)

    def _before_redirect(self, url: str) -> None:
        hosts.refuse_hop(url)
        self._pause(url)

    def _pause(self, url: str) -> None:
        hosts.pause(url, self.policy)
        self._refuse_if_off()

    def _method(self, request: Request) -> FetchMethod:
        """Return the method for a page; without a browser, the sandbox's pages are fetched by plain HTTP."""
        if request.method is FetchMethod.HTTP:
            return FetchMethod.HTTP
        _, missing = found_browser()
        if not missing:
            return request.method
        if self.source.is_simulated:
            return FetchMethod.HTTP
        raise FetchError(FetchOutcome.FAILED, f"{self.source.name} needs a browser, and there is none. {missing}")

    def _browse(self, request: Request, headers: dict[str, str]) -> FetchResponse:
        """Open a page in the browser, or let the page that is shown fetch another.

        The browser looks the name up again: one whose address changes in this moment could lead it inside the network.
        """
        self._client.check_host(request.url)
        if self._unit is not None and request.method is FetchMethod.IN_PAGE and self._shows_a_page:
            try:
                return self._unit.fetch(request.url, headers=headers, timeout=PAGE_SECONDS, max_bytes=MOST_BYTES)
            except FetchError as error:
                # After a crash no page is shown any more: the next attempt opens the address itself.
                self._shows_a_page = error.outcome is not FetchOutcome.FAILED
                raise
        response = self._opened_unit().open(
            request.url, wait_for=request.wait_for, timeout=PAGE_SECONDS, max_bytes=MOST_BYTES
        )
        self._shows_a_page = True
        return response

    def _leave_worn_browser(self, request: Request) -> None:
        """Close the unit when its browser must be replaced and the request does not need the page that it shows.

        Called between two pages only: what a page leads to needs the cookies of that page.
        """
        needs_the_page = request.method is FetchMethod.IN_PAGE and self._shows_a_page
        if self._unit is not None and not needs_the_page and _browser().is_worn():
            self._of_unit.close()
            self._unit, self._shows_a_page = None, False

    def _opened_unit(self) -> browser.Unit:
        """Return the unit of this run; open it if there is none."""
        if self._unit is None:
            # Without parts: a page would request them without the host's delay, and all that SPAI reads is in the page.
            self._unit = self._of_unit.enter_context(_browser().unit(with_parts=False))
        return self._unit


@cache
def found_browser() -> tuple[browser.FoundBrowser | None, str]:
    """Return the browser that this process uses, or None and how to get one."""
    try:
        return browser.find(remote=settings.BROWSER_WS_URL, given=settings.SPAI_BROWSER), ""
    except browser.BrowserMissing as error:
        return None, str(error)


_of_process: dict[int, browser.Browser] = {}


def _browser() -> browser.Browser:
    """Return the browser of this process; a forked process does not use its parent's."""
    found, missing = found_browser()
    if found is None:
        raise FetchError(FetchOutcome.FAILED, missing)
    if os.getpid() not in _of_process:
        _of_process.clear()
        _of_process[os.getpid()] = browser.Browser(
            user_agent=agent(), found=found, sandbox=settings.SPAI_BROWSER_SANDBOX
        )
    return _of_process[os.getpid()]


@atexit.register
def close_browser() -> None:
    """End this process's browser, if it has one; the next page starts another."""
    own = _of_process.pop(os.getpid(), None)
    if own is not None:
        own.close()
