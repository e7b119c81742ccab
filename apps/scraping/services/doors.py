"""The doors of a visit: the browser where a page needs one, plain HTTP elsewhere, both through the lane of the host."""

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
from apps.scraping.responses import FetchError, LeadsOnError, NotAskedError, Outcome, Response
from apps.scraping.services import lanes
from apps.scraping.services.sources import why_off
from apps.scraping.sources import Door, Request

logger = logging.getLogger(__name__)

PAGE_SECONDS: Final = 30.0
"""Longest time for one page, all in; a fault ends in its outcome within 45 s."""

MOST_BYTES: Final = 20_000_000
"""A larger page is no page of football."""

BROWSER_LIVES: Final = 8
"""How often a page is asked for when the browser dies under it, each time at the pace of the lane."""

REST: Final = 0.5
"""Seconds more before each further try: what kills browsers, such as too little memory, takes a while to pass."""


def agent() -> str:
    """Return the honest name under which SPAI asks; without a contact it names the site of its own pages."""
    return politeness.user_agent(settings.SPAI_CONTACT or settings.SPAI_WEB_URL)


class OpenDoors:
    """The doors of one visit to one source; a context manager, whose end closes what the visit opened.

    Parameters
    ----------
    source : Source
        Gives the delay; of a simulated one the pages may be read without a browser too.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.manners = lanes.Manners(agent=agent(), delay=source.delay)
        self._opened = ExitStack()
        self._client = self._opened.enter_context(
            http.Client(user_agent=self.manners.agent, timeout=PAGE_SECONDS, max_bytes=MOST_BYTES)
        )
        self._of_unit = self._opened.enter_context(ExitStack())
        self._unit: browser.Unit | None = None
        self._shows_a_page = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._opened.close()

    def get(self, request: Request, *, kept: Snapshot | None) -> Response:
        """Ask for a page through its door, when it is the host's turn.

        Parameters
        ----------
        request : Request
        kept : Snapshot or None
            The page that stands for the address; only what is newer is asked for, where the door can say so.

        Raises
        ------
        FetchError
            When nothing usable came; the outcome says how, the response is what did come.
        """
        self._refuse_if_off()
        request = replace(request, door=self._door(request))
        conditions = politeness.conditional_headers(kept.headers) if kept is not None else {}
        for _ in range(http.MAX_REDIRECTS + 1):
            try:
                return self._in_turn(request, conditions)
            except LeadsOnError as page:
                # The next page has a turn of its own, and the rules of the host are for it, too.
                request = replace(request, url=page.target)
        raise FetchError(Outcome.HTTP_ERROR, f"{request.url}: more than {http.MAX_REDIRECTS} redirects")

    def _in_turn(self, request: Request, conditions: dict[str, str]) -> Response:
        """Ask for a page when it is the host's turn, and again when our browser died under it."""

        def ask() -> Response:
            self._refuse_if_off()
            if request.door is Door.HTTP:
                return self._client.fetch(request.url, headers=conditions, on_redirect=self._wait)
            return self._browse(request, conditions)

        for life in range(1, BROWSER_LIVES + 1):
            try:
                return lanes.go(request.url, ask, manners=self.manners, ask_robots=self._ask_robots)
            except FetchError as error:
                if error.outcome is not Outcome.FAILED or isinstance(error, NotAskedError):
                    raise
                # Playwright tells its whole log.
                said = error.reason.splitlines()[0]
                if life == BROWSER_LIVES:
                    raise FetchError(Outcome.FAILED, said) from error
                logger.warning("%s; the page is asked for again", said)
                self.manners.sleep(REST * life)
        raise AssertionError("the last life has returned or raised")

    def _refuse_if_off(self) -> None:
        """Refuse to ask for a source that is off, asked anew before each request: whoever switches it off means now."""
        self.source.refresh_from_db()
        if reason := why_off(self.source):
            raise NotAskedError(reason)

    def _ask_robots(self, url: str) -> Response:
        self._refuse_if_off()
        return self._client.fetch(url, on_redirect=self._pause)

    def _wait(self, url: str) -> None:
        """Keep the pace of the lane, and the rules of the host, before a redirect is followed, too."""
        lanes.refuse_hop(url)
        self._pause(url)

    def _pause(self, url: str) -> None:
        lanes.pause(url, self.manners)
        self._refuse_if_off()

    def _door(self, request: Request) -> Door:
        """Return the door that a page goes through; the sandbox's pages can do without a browser."""
        if request.door is Door.HTTP:
            return Door.HTTP
        _, missing = found_browser()
        if not missing:
            return request.door
        if self.source.is_simulated:
            return Door.HTTP
        raise FetchError(Outcome.FAILED, f"{self.source.name} is read by a browser, and there is none. {missing}")

    def _browse(self, request: Request, conditions: dict[str, str]) -> Response:
        """Show a page, or let the page that is shown ask for another."""
        if self._unit is not None and request.door is Door.IN_PAGE and self._shows_a_page:
            try:
                return self._unit.fetch(request.url, headers=conditions, timeout=PAGE_SECONDS, max_bytes=MOST_BYTES)
            except FetchError as error:
                # The next try shows the page itself: what was shown went with its browser.
                self._shows_a_page = error.outcome is not Outcome.FAILED
                raise
        response = self._fresh_unit().open(
            request.url, wait_for=request.wait_for, timeout=PAGE_SECONDS, max_bytes=MOST_BYTES
        )
        self._shows_a_page = True
        return response

    def _fresh_unit(self) -> browser.Unit:
        """Return the unit of this visit, a new one where its browser has shown so much that it must be replaced."""
        running = _browser()
        if self._unit is None or running.is_worn():
            self._of_unit.close()
            # A page's parts would be asked for beside one another, past the lane; what SPAI reads stands in the page.
            self._unit = self._of_unit.enter_context(running.unit(with_parts=False))
        return self._unit


@cache
def found_browser() -> tuple[browser.Found | None, str]:
    """Return the browser that this process uses, or None and what to do to have one."""
    try:
        return browser.find(remote=settings.BROWSER_WS_URL, given=settings.SPAI_BROWSER), ""
    except browser.BrowserMissing as error:
        return None, str(error)


_of_process: dict[int, browser.Browser] = {}


def _browser() -> browser.Browser:
    """Return the one browser of this process; one that was forked has no browser of its parent's."""
    found, missing = found_browser()
    if found is None:
        raise FetchError(Outcome.FAILED, missing)
    if os.getpid() not in _of_process:
        _of_process.clear()
        _of_process[os.getpid()] = browser.Browser(user_agent=agent(), found=found)
    return _of_process[os.getpid()]


@atexit.register
def close_browser() -> None:
    """End this process's browser, if it has one; the next page starts another."""
    own = _of_process.pop(os.getpid(), None)
    if own is not None:
        own.close()
