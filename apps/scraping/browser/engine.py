"""One running browser: its processes, and the only thread that may use it.

Playwright's synchronous interface may only be used by the thread that started it, leaves an event loop there (in which
Django refuses to use the database), and can wait for ever. So it runs in its own thread: a caller passes a
function and waits up to a time limit. When that is over, the processes are killed, which ends every wait inside.

Playwright's driver is a child of this process, and the browser a child of the driver in its own process group. When
this process dies, for whatever reason, the input of the driver closes; the driver then closes the browser and removes
its temporary folders, including the profile. When the driver dies, the browser ends by itself, since the pipe between
them closes; its profile is removed here, and an empty folder of the driver can remain.
"""

from __future__ import annotations

import asyncio
import logging
import os
import queue
import shutil
import signal
import threading
import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from contextlib import suppress
from typing import Any, Final, TypeVar
from uuid import uuid4

import psutil
from playwright.sync_api import Browser as PlaywrightBrowser
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Playwright, sync_playwright

from apps.scraping.browser.finding import FoundBrowser, Origin

START_LIMIT: Final = 120.0
"""Seconds that a browser may take to start."""
STOP_LIMIT: Final = 30.0
"""Seconds that it may take to close before it is killed."""
KILL_LIMIT: Final = 30.0
"""Seconds that a call may take to notice that its browser was killed; then the driver is killed too."""

PULSE_LIMIT: Final = 30.0
"""Seconds that it may take to report that it is alive."""

FLAGS: Final = (
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--dns-prefetch-disable",
    # Playwright adds --disable-dev-shm-usage: a container's /dev/shm of 64 MB is too small for a page; files in the
    # temporary folder are as fast where that one is in memory.
)

logger = logging.getLogger(__name__)
T = TypeVar("T")
_starting = threading.Lock()


class Overrun(Exception):  # noqa: N818 -- always turned into a FetchError
    """A call exceeded its time limit; its browser was killed."""


class EngineDied(Exception):  # noqa: N818
    """The browser or its driver has ended."""


class Engine:
    """A browser with its driver, from start to end; `sandbox` is impossible as root.

    Raises
    ------
    EngineDied
        When it does not start.
    """

    def __init__(self, found: FoundBrowser, *, sandbox: bool) -> None:
        if found.origin is not Origin.REMOTE and not os.access(found.place, os.X_OK):
            raise EngineDied(f"{found.place} did not start: it is not a program")  # Playwright would leave its folders
        self._found = found
        self._sandbox = sandbox
        self._jobs: queue.SimpleQueue[tuple[Callable[[], Any], Future[Any]] | None] = queue.SimpleQueue()
        self._mark = f"--spai-engine={uuid4().hex}"
        self._driver: psutil.Process | None = None
        self._main: psutil.Process | None = None
        self._known: set[psutil.Process] = set()
        self._profile = ""
        self._is_over = False
        self._gate = threading.Lock()
        self.pages = 0
        """Pages that were opened, or fetched by a page."""
        self.user_agent = ""
        """The browser's own user agent."""
        self._thread = threading.Thread(target=self._run, name="browser", daemon=True)
        self._started: Future[PlaywrightBrowser] = Future()
        with _starting:  # the only new driver among the children is ours
            self._thread.start()
            try:
                self.browser = self._started.result(START_LIMIT)
            except Exception as error:
                self.kill()
                reason = str(error).strip() or f"no response within {START_LIMIT:.0f} s"
                raise EngineDied(f"{found.place} did not start: {reason}") from error

    def call(self, work: Callable[[], T], seconds: float) -> T:
        """Call a function in the browser's thread and return its result.

        Raises
        ------
        Overrun
            When it took longer than `seconds`; the browser has been killed then.
        EngineDied
            When the browser had ended before.
        """
        future: Future[T] = Future()
        with self._gate:
            if self._is_over:
                raise EngineDied("the browser has ended")
            self._jobs.put((work, future))
        try:
            return future.result(seconds)
        except TimeoutError:
            if future.done():
                raise
        self.kill()
        raise Overrun(f"no response within {seconds:.1f} s")

    def is_alive(self) -> bool:
        """Return whether the browser responds."""
        if self._is_over or not all(_runs(process) for process in (self._driver, self._main) if process):
            return False
        try:
            self.call(lambda: self._session.send("Browser.getVersion"), PULSE_LIMIT)
        except (PlaywrightError, EngineDied, Overrun):
            return False
        return True

    def processes(self) -> list[psutil.Process]:
        """Return the driver and every process of the browser."""
        found = []
        for process in (self._driver, self._main):
            if process is not None and _runs(process):
                with suppress(psutil.Error):
                    found += [process, *process.children(recursive=True)]
        self._known.update(found)
        return list(dict.fromkeys(found))

    def megabytes(self) -> float:
        """Return the resident memory of all processes, shared pages counted in each."""
        total = 0
        for process in self.processes():
            with suppress(psutil.Error):
                total += process.memory_info().rss
        return total / 1024**2

    def stop(self) -> None:
        """Close the browser; kill what is left of it after `STOP_LIMIT`."""
        if not self._is_over:
            self.processes()
            self._jobs.put(None)
            self._thread.join(STOP_LIMIT)
        self.kill()

    def kill(self) -> None:
        """Kill every process, those of the browser first, so that the driver can remove its files."""
        self._is_over = True
        self._jobs.put(None)
        if self._main is not None:
            _kill_group(self._main)
        if self._found.origin is not Origin.REMOTE:
            # A remote browser continues, so that no wait inside ends before its driver, which has no files.
            self._thread.join(KILL_LIMIT)
        self.processes()
        for process in self._known:
            # psutil checks that the process id has not been reused.
            with suppress(psutil.Error):
                process.kill()
        self._thread.join(KILL_LIMIT)
        _wait_until_gone(self._known)
        if self._profile:
            # Still there only if the driver was killed too.
            shutil.rmtree(self._profile, ignore_errors=True)

    # Below: called in the browser's own thread.

    def _run(self) -> None:
        try:
            before = {child.pid for child in psutil.Process().children()}
            with sync_playwright() as playwright:
                asyncio.get_running_loop().set_exception_handler(_log_loop_error)
                self._driver = _new_driver(before)
                browser = self._launch(playwright)
                try:
                    self._started.set_result(browser)
                    self._work()
                finally:
                    with suppress(PlaywrightError):
                        browser.close()
        except Exception as error:
            # After the start nobody waits for this error: the calls have raised their own.
            if not self._started.done():
                self._started.set_exception(error)
        finally:
            with self._gate:
                self._is_over = True
                self._refuse_the_rest()

    def _launch(self, playwright: Playwright) -> PlaywrightBrowser:
        limit = START_LIMIT * 1000
        if self._found.origin is Origin.REMOTE:
            browser = playwright.chromium.connect_over_cdp(self._found.place, timeout=limit)
        else:
            browser = playwright.chromium.launch(
                executable_path=self._found.place,
                args=[*FLAGS, self._mark],
                chromium_sandbox=self._sandbox,
                headless=True,
                timeout=limit,
            )
            self._note_processes()
        self._session = browser.new_browser_cdp_session()
        self.user_agent = str(self._session.send("Browser.getVersion")["userAgent"])
        return browser

    def _note_processes(self) -> None:
        """Find the browser's main process, by the mark in its command line, and its profile."""
        assert self._driver is not None
        for process in self._driver.children(recursive=True):
            with suppress(psutil.Error):
                command = process.cmdline()
                if self._mark in command:
                    self._main = process
                    prefix = "--user-data-dir="
                    self._profile = next((a.removeprefix(prefix) for a in command if a.startswith(prefix)), "")
                    return

    def _work(self) -> None:
        while (job := self._jobs.get()) is not None:
            work, future = job
            try:
                future.set_result(work())
            except BaseException as error:
                future.set_exception(error)
            # Otherwise these variables keep the latest page in memory.
            del job, work, future

    def _refuse_the_rest(self) -> None:
        with suppress(queue.Empty):
            while True:
                if job := self._jobs.get_nowait():
                    job[1].set_exception(EngineDied("the browser has ended"))


def _log_loop_error(_: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    # The driver was killed; the call that waited for it has raised already.
    logger.info("the browser's event loop: %s", context.get("exception") or context.get("message"))


def _new_driver(before: set[int]) -> psutil.Process | None:
    for child in psutil.Process().children():
        with suppress(psutil.Error):
            if child.pid not in before and "run-driver" in child.cmdline():
                return child
    return None


def _runs(process: psutil.Process) -> bool:
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.Error:
        return False


def _kill_group(main: psutil.Process) -> None:
    """Kill a browser with all its processes, including those whose parent has ended."""
    if not _runs(main):
        return  # its process id may be reused by now; its known children are killed one by one
    with suppress(psutil.Error, OSError):
        family = main.children(recursive=True)
        if os.getpgid(main.pid) == main.pid:
            os.killpg(main.pid, signal.SIGKILL)
        for process in [main, *family]:
            with suppress(psutil.Error):
                process.kill()
        # The profile can only be removed when no process writes to it any more.
        _wait_until_gone([main, *family])


def _wait_until_gone(processes: Iterable[psutil.Process]) -> None:
    """Wait for killed processes; psutil's own wait would take the driver's exit status away from Playwright."""
    deadline = time.monotonic() + KILL_LIMIT
    while any(_runs(process) for process in processes) and time.monotonic() < deadline:
        time.sleep(0.01)
