"""Fetching by a real browser: the only package that uses Playwright.

`find` chooses the browser. A `Browser` runs it for as long as a worker needs it and replaces it when it has grown too
large, hangs or has crashed; `Browser.unit` gives each unit of work a fresh context. Requests go only to the site that
is opened and to hosts that the caller allows, and never for images, fonts, media or trackers. Nothing is hidden from
the site: our name is part of the user agent, and a challenge page is returned as it came.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from typing import Final, Self

import psutil
from playwright.sync_api import Error as PlaywrightError

from apps.scraping.browser.engine import Engine, EngineDied, Overrun
from apps.scraping.browser.finding import BrowserMissing, FoundBrowser, Origin, find
from apps.scraping.browser.tab import Tab
from apps.scraping.politeness import host_of
from apps.scraping.responses import FetchError, FetchOutcome, FetchResponse

__all__ = ["Browser", "BrowserMissing", "FoundBrowser", "Origin", "Unit", "find"]

TIMEOUT: Final = 30.0
"""Seconds that a page may take."""
MAX_BYTES: Final = 20 * 1024 * 1024
"""Decoded bytes that a page may load, and characters of its HTML."""
SLACK: Final = 2.0
"""Seconds after its time limit when a call that Playwright has not ended is ended by killing the browser."""
CONTEXT_LIMIT: Final = 60.0
"""Seconds that a context may take to open or close."""
MAX_PAGES: Final = 200
MAX_MEGABYTES: Final = 1500


class Browser:
    """The browser of one worker, started at first use; used by one thread at a time.

    Parameters
    ----------
    user_agent : str
        See `politeness.user_agent`; appended to the browser's own.
    max_pages, max_megabytes : int
        After so many pages, including those that a page fetched, or with so much resident memory (of its processes and
        the driver's, shared pages counted in each), it is replaced before the next unit.
    sandbox : bool
        Whether Chromium's own sandbox is used where it can be.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        found: FoundBrowser,
        max_pages: int = MAX_PAGES,
        max_megabytes: int = MAX_MEGABYTES,
        sandbox: bool = True,
    ) -> None:
        self.found = found
        # Chromium runs its pages in its sandbox, except as root, where it cannot.
        self._sandbox = sandbox and os.geteuid() != 0
        self._user_agent = user_agent
        self._max_pages = max_pages
        self._max_megabytes = max_megabytes
        self._engine: Engine | None = None
        self.starts = 0
        """Number of browsers started so far."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser with all its processes and files; the next use starts another one."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            engine.stop()

    def processes(self) -> list[psutil.Process]:
        """Return the processes of the driver and the browser; none while it is not running."""
        return [] if self._engine is None else self._engine.processes()

    def megabytes(self) -> float:
        """Return the resident memory of the browser and its driver, shared pages counted in each process."""
        return 0.0 if self._engine is None else self._engine.megabytes()

    def is_worn(self) -> bool:
        """Return whether it will be replaced before the next unit, for its number of pages or its size."""
        engine = self._engine
        return engine is not None and (engine.pages >= self._max_pages or engine.megabytes() > self._max_megabytes)

    @contextmanager
    def unit(self, allow: Collection[str] = (), *, with_parts: bool = True) -> Iterator[Unit]:
        """Open a fresh context for a unit of work; it is closed however the unit ends.

        Parameters
        ----------
        allow : collection of str
            Hosts in addition to those of the opened addresses: ``"example.org"``, with its port unless it is the usual
            one, or ``".example.org"`` for its subdomains.
        with_parts : bool
            Whether a page may load its scripts, style sheets and frames. Without them each call sends one request:
            inline scripts still run, and if the page leads to another one, the call raises `LeadsOnError`.
        """
        if self.is_worn():
            self.close()
        unit = Unit(self, allow, with_parts=with_parts)
        try:
            yield unit
        finally:
            unit._close()

    def _running(self) -> Engine:
        """Return the running browser; start one if there is none."""
        if self._engine is not None and not self._engine.is_alive():
            self.close()
        if self._engine is None:
            try:
                self._engine = Engine(self.found, sandbox=self._sandbox)
            except EngineDied as error:
                raise FetchError(FetchOutcome.FAILED, str(error)) from error
            self.starts += 1
        return self._engine


class Unit:
    """A unit of work in its own context.

    If the browser crashes during a call, the call raises `FetchError` with `FAILED`. It is not retried here, since a
    second request would ignore the delay of the host; the next `open` uses a new browser and a new context. A browser
    that crashed between two calls is replaced silently.
    """

    def __init__(self, browser: Browser, allow: Collection[str], *, with_parts: bool = True) -> None:
        self._browser = browser
        self._with_parts = with_parts
        self._allowed = {host.lower() for host in allow}
        self._engine: Engine | None = None
        self._tab: Tab | None = None

    def open(
        self, url: str, *, wait_for: str = "", timeout: float = TIMEOUT, max_bytes: int = MAX_BYTES
    ) -> FetchResponse:
        """Open a page and return its HTML when the wait is over.

        A page that `politeness.judge` refuses, such as a challenge, is returned at once, without waiting for the page
        that may follow it.

        Parameters
        ----------
        url : str
            From now on its host is allowed.
        wait_for : str
            CSS selector of an element that the page must have, visible or not.
        timeout : float
            Seconds until both the page and the element are there.
        max_bytes : int
            Decoded bytes that the page may load with all its parts, and characters of its HTML.

        Raises
        ------
        FetchError
            `CHANGED_LAYOUT`, with the page, when it lacks the element; `TIMEOUT`; `INVALID` for an address that is
            invalid, leads to a host that is not allowed, or is a download; `HTTP_ERROR` for no connection, a page that
            is too large, or endless redirects; `FAILED` when the browser crashed or did not start.
        LeadsOnError
            When the page leads to another one, and the unit has no parts; its cookies are kept.
        """
        try:
            self._allowed.add(host_of(url))
        except ValueError as error:
            raise FetchError(FetchOutcome.INVALID, str(error)) from error
        engine, tab = self._ready()
        engine.pages += 1
        return self._call(engine, lambda: tab.open(url, wait_for, timeout, max_bytes), url, timeout)

    def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float = TIMEOUT,
        max_bytes: int = MAX_BYTES,
    ) -> FetchResponse:
        """Let the open page fetch an address of its site, with its own cookies, and return the response.

        Raises
        ------
        FetchError
            `TIMEOUT`; `HTTP_ERROR`; `INVALID` for an address of another host; `FAILED` when no page is open, because
            none was opened or the latest one failed, or when the browser crashed.
        """
        try:
            is_ours = host_of(url) in self._allowed
        except ValueError as error:
            raise FetchError(FetchOutcome.INVALID, str(error)) from error
        if not is_ours:
            raise FetchError(FetchOutcome.INVALID, f"{url[:200]}: is not on the site of the open page")
        engine, tab = self._engine, self._tab
        if engine is None or tab is None or not engine.is_alive() or not tab.is_usable():
            raise FetchError(FetchOutcome.FAILED, f"{url}: no page is open that could fetch it")
        engine.pages += 1
        return self._call(engine, lambda: tab.fetch(url, dict(headers or {}), timeout, max_bytes), url, timeout)

    def _ready(self) -> tuple[Engine, Tab]:
        """Return a browser and a tab that can be used: those of the call before, or new ones."""
        if self._engine is not None and self._tab is not None and self._engine.is_alive() and self._tab.is_usable():
            return self._engine, self._tab
        self._close()
        # A crash between two calls is noticed here; no request has been sent yet, so that a second attempt is harmless.
        for is_last in (False, True):
            engine = self._browser._running()
            agent = f"{engine.user_agent} {self._browser._user_agent}"
            try:
                tab = engine.call(
                    partial(Tab, engine.browser, agent, self._allowed, with_parts=self._with_parts), CONTEXT_LIMIT
                )
            except (PlaywrightError, EngineDied, Overrun) as error:
                self._browser.close()
                if is_last:
                    raise FetchError(FetchOutcome.FAILED, f"the browser gave no context: {error}") from error
            else:
                self._engine, self._tab = engine, tab
                return engine, tab
        raise AssertionError("the second attempt has returned or raised")

    def _call(self, engine: Engine, work: Callable[[], FetchResponse], url: str, timeout: float) -> FetchResponse:
        try:
            return engine.call(work, timeout + SLACK)
        except Overrun as error:
            reason = f"{url}: the browser did not respond within {timeout + SLACK:.1f} s and was ended"
            raise FetchError(FetchOutcome.TIMEOUT, reason) from error
        except EngineDied as error:
            raise FetchError(FetchOutcome.FAILED, f"{url}: {error}") from error

    def _close(self) -> None:
        engine, tab = self._engine, self._tab
        self._engine = self._tab = None
        if engine is not None and tab is not None and engine.is_alive():
            # If the context does not close in time, the browser is killed.
            with suppress(EngineDied, Overrun):
                engine.call(tab.close, CONTEXT_LIMIT)
