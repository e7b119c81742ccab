"""The one door to Playwright: a real browser that asks for pages, within time, memory and policy.

`find` says which browser serves. A `Browser` runs one for as long as a worker wants and replaces it when it has grown,
hung or died; `Browser.unit` gives each unit of work a fresh context, with no memory of the one before. Only the site
that is visited, and what the caller allows besides, is ever asked for anything; pictures, fonts, films and trackers
never are. Nothing is hidden from the site: the name of the browser carries ours, and a challenge is handed back as it
came.
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

__all__ = ["Browser", "BrowserMissing", "Found", "Origin", "Unit", "find"]

TIMEOUT: Final = 30.0
"""Seconds that a page may take."""
MAX_BYTES: Final = 20 * 1024 * 1024
"""Decoded bytes that a page may load, and characters that it may show."""
SLACK: Final = 2.0
"""Seconds after its time when a call that Playwright has not ended is ended by killing the browser."""
CONTEXT_LIMIT: Final = 60.0
"""Seconds that a context may take to open or close."""
MAX_PAGES: Final = 200
MAX_MEGABYTES: Final = 1500


class Browser:
    """A browser of one worker, started when it is first used; one thread uses it at a time.

    Parameters
    ----------
    user_agent : str
        Who asks, as `politeness.user_agent` says it; it stands after the browser's own name.
    found : FoundBrowser
        Which browser, as `find` found it.
    max_pages, max_megabytes : int
        After so many pages, those included that a page asked for, or with so much resident memory (its processes and
        the driver's, shared pages counted in each), it is replaced before the next unit.
    sandbox : bool or None
        Whether Chromium shuts its pages in; None for yes, except as root, where it cannot. A container that forbids
        user namespaces needs False.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        found: FoundBrowser,
        max_pages: int = MAX_PAGES,
        max_megabytes: int = MAX_MEGABYTES,
        sandbox: bool | None = None,
    ) -> None:
        self.found = found
        self._user_agent = user_agent
        self._max_pages = max_pages
        self._max_megabytes = max_megabytes
        self._sandbox = os.geteuid() != 0 if sandbox is None else sandbox
        self._engine: Engine | None = None
        self.starts = 0
        """How often a browser was started."""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End the browser; nothing of it remains. It may be used again."""
        if self._engine is not None:
            engine, self._engine = self._engine, None
            engine.stop()

    def processes(self) -> list[psutil.Process]:
        """Return the processes of the driver and the browser, none while it is not running."""
        return [] if self._engine is None else self._engine.processes()

    def megabytes(self) -> float:
        """Return the resident memory of the browser and its driver, shared pages counted in each process."""
        return 0.0 if self._engine is None else self._engine.megabytes()

    def is_worn(self) -> bool:
        """Return whether it has shown so many pages, or grown so large, that the next unit has a new one."""
        engine = self._engine
        return engine is not None and (engine.pages >= self._max_pages or engine.megabytes() > self._max_megabytes)

    @contextmanager
    def unit(self, allow: Collection[str] = (), *, with_parts: bool = True) -> Iterator[Unit]:
        """Give a unit of work a fresh context, which is closed however the unit ends.

        Parameters
        ----------
        allow : collection of str
            Hosts besides those of the addresses that are opened: ``"example.org"``, with its port unless it is the
            usual one, or ``".example.org"`` for all below it.
        with_parts : bool
            Whether a page may ask for its scripts, style sheets and frames. Without them the site is asked for one
            thing a call: scripts that stand in the page itself still run, and where the page leads to another one the
            call raises `LeadsOnError`.
        """
        if self.is_worn():
            self.close()
        unit = Unit(self, allow, with_parts=with_parts)
        try:
            yield unit
        finally:
            unit._close()

    def _running(self) -> Engine:
        """Return a browser that runs, started if none does."""
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
    """A unit of work in a context of its own.

    A browser that dies during a call makes it raise `FetchError` with `FAILED`, which is no fault of the site; nothing
    is retried here, because a second request would break the pace that its lane keeps. The next `open` works, in a new
    browser and a new context. A browser that died between two calls is replaced unseen.
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
        """Show a page, and return its HTML as it stands when the wait is over.

        A page that `politeness.judge` refuses, such as a challenge, comes back at once with its status, so that the
        caller can judge it; there is no waiting for what it may turn into.

        Parameters
        ----------
        url : str
            Its host may be asked from now on.
        wait_for : str
            CSS selector of what must be on the page, seen or not.
        timeout : float
            Seconds until both the page and the selector are there.
        max_bytes : int
            Decoded bytes that the page may load with all its parts, and characters that it may show.

        Raises
        ------
        FetchError
            `CHANGED_LAYOUT`, with the page, when it came without the selector; `TIMEOUT`; `INVALID` for an address that
            is none, leads to a host that is not allowed, or is a download; `HTTP_ERROR` for no connection, a page that
            is too large, or redirects without an end; `FAILED` when the browser died or did not start.
        LeadsOnError
            When the page leads to another one, and the unit asks for one thing a call; its cookies are kept.
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
        """Return what the page that is shown gets when it asks for an address of its site, with its own cookies.

        Raises
        ------
        FetchError
            `TIMEOUT`; `HTTP_ERROR`; `INVALID` for an address of another host; `FAILED` when no page is shown, because
            none was opened or the latest one failed, or the browser died.
        """
        try:
            is_ours = host_of(url) in self._allowed
        except ValueError as error:
            raise FetchError(FetchOutcome.INVALID, str(error)) from error
        if not is_ours:
            raise FetchError(FetchOutcome.INVALID, f"{url[:200]}: is not of the site that is shown")
        engine, tab = self._engine, self._tab
        if engine is None or tab is None or not engine.is_alive() or not tab.is_usable():
            raise FetchError(FetchOutcome.FAILED, f"{url}: no page is shown that could ask for it")
        engine.pages += 1
        return self._call(engine, lambda: tab.fetch(url, dict(headers or {}), timeout, max_bytes), url, timeout)

    def _ready(self) -> tuple[Engine, Tab]:
        """Return a browser and a page in it that can be used: the ones of before, or new ones."""
        if self._engine is not None and self._tab is not None and self._engine.is_alive() and self._tab.is_usable():
            return self._engine, self._tab
        self._close()
        # A browser that died unseen is met here; no request has gone out, so that a second try harms nobody.
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
        raise AssertionError("the second try has returned or raised")

    def _call(self, engine: Engine, work: Callable[[], FetchResponse], url: str, timeout: float) -> FetchResponse:
        try:
            return engine.call(work, timeout + SLACK)
        except Overrun as error:
            reason = f"{url}: the browser gave no answer within {timeout + SLACK:.1f} s and was ended"
            raise FetchError(FetchOutcome.TIMEOUT, reason) from error
        except EngineDied as error:
            raise FetchError(FetchOutcome.FAILED, f"{url}: {error}") from error

    def _close(self) -> None:
        engine, tab = self._engine, self._tab
        self._engine = self._tab = None
        if engine is not None and tab is not None and engine.is_alive():
            # A context that does not close takes its browser with it.
            with suppress(EngineDied, Overrun):
                engine.call(tab.close, CONTEXT_LIMIT)
