"""The doors of a visit: the browser where a page needs one, plain HTTP elsewhere, both through the lane of the host.

Playwright keeps an event loop in the thread that it works in, and Django refuses to touch the database there: the
browser has a thread of its own, one for the life of the worker's process.
"""

from __future__ import annotations

import atexit
import logging
import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import cache
from typing import Final, TypeVar

from django.conf import settings

from apps.scraping import browser, http, politeness
from apps.scraping.models import Snapshot, Source
from apps.scraping.responses import FetchError, Outcome, Response
from apps.scraping.services import lanes
from apps.scraping.services.sources import base_url_of
from apps.scraping.sources import Door, Request

logger = logging.getLogger(__name__)

PAGE_SECONDS: Final = 30.0
"""Longest time for one page, all in; a fault ends in its outcome within 45 s."""

MOST_BYTES: Final = 20_000_000
"""A larger page is no page of football."""

RECYCLE_PAGES: Final = 200
RECYCLE_MB: Final = 1_500

T = TypeVar("T")


def agent() -> str:
    """Return the honest name under which SPAI asks; without a contact it names the site of its own pages."""
    return politeness.user_agent(settings.SPAI_CONTACT or settings.SPAI_WEB_URL)


class OpenDoors:
    """The doors of one visit to one source.

    Parameters
    ----------
    source : Source
        Gives the delay; of a simulated one the pages may be read without a browser too.
    """

    def __init__(self, source: Source) -> None:
        self.source = source
        self.manners = lanes.Manners(agent=agent(), delay=source.delay)
        self.home = base_url_of(source)
        self._client = http.Client(user_agent=agent(), timeout=PAGE_SECONDS, max_bytes=MOST_BYTES)

    def get(self, request: Request, *, kept: Snapshot | None) -> Response:
        """Ask for a page through its door, when it is the host's turn.

        Parameters
        ----------
        request : Request
        kept : Snapshot or None
            The page that stands for the address; plain HTTP asks only for what is newer.

        Raises
        ------
        FetchError
            When nothing usable came; the outcome says how, the response is what did come.
        """
        door = self._door(request)

        def ask() -> Response:
            if door is Door.HTTP:
                conditions = politeness.conditional_headers(kept.headers) if kept is not None else {}
                return self._plain(request.url, conditions)
            return _in_browser(lambda opened: _show(opened, request, self.home))

        return lanes.go(request.url, ask, manners=self.manners, ask_robots=lambda url: self._plain(url, {}))

    def _plain(self, url: str, headers: dict[str, str]) -> Response:
        return self._client.fetch(url, headers=headers)

    def close(self) -> None:
        """Close the connections; the browser stays for the next visit."""
        self._client.close()

    def _door(self, request: Request) -> Door:
        """Return the door that a page goes through; the sandbox's pages can do without a browser."""
        if request.door is Door.HTTP or self._browser_is_here():
            return request.door
        if self.source.is_simulated:
            return Door.HTTP
        raise FetchError(Outcome.FAILED, f"{self.source.name} needs a browser. {_missing()}")

    def _browser_is_here(self) -> bool:
        return _missing() == ""


def close_browser() -> None:
    """End this process's browser, if it has one; the next page starts another."""
    _keeper.close()


class _Keeper:
    """The one browser of this process, in the thread that it needs to itself."""

    def __init__(self) -> None:
        self._thread: ThreadPoolExecutor | None = None
        self._browser: browser.Browser | None = None
        self._owner = 0

    def show(self, work: Callable[[browser.Browser], T]) -> T:
        """Do some work with the browser, started when there is none."""
        if self._thread is None or self._owner != os.getpid():
            # A process that was forked has its parent's objects and none of its threads.
            self._thread, self._browser = ThreadPoolExecutor(1, thread_name_prefix="browser"), None
            self._owner = os.getpid()
        return self._thread.submit(self._work, work).result()

    def close(self) -> None:
        """End the browser and its thread."""
        if self._thread is None or self._owner != os.getpid():
            return
        self._thread.submit(self._close).result()
        self._thread.shutdown()
        self._thread = None

    def _work(self, work: Callable[[browser.Browser], T]) -> T:
        if self._browser is None:
            self._browser = browser.Browser(
                path=settings.SPAI_BROWSER,
                ws_url=settings.BROWSER_WS_URL,
                user_agent=agent(),
                recycle_pages=RECYCLE_PAGES,
                recycle_mb=RECYCLE_MB,
            )
            self._browser.__enter__()
        return work(self._browser)

    def _close(self) -> None:
        if self._browser is not None:
            self._browser.__exit__(None, None, None)
            self._browser = None


_keeper: Final = _Keeper()
atexit.register(close_browser)


@cache
def _missing() -> str:
    """Return what to do when this process finds no browser, empty when it finds one."""
    try:
        browser.find(path=settings.SPAI_BROWSER, ws_url=settings.BROWSER_WS_URL)
    except browser.BrowserMissingError as error:
        return error.advice
    return ""


def _show(opened, request, home):
    raise NotImplementedError


def _in_browser(work):
    return _keeper.show(work)
