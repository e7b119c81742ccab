"""Browsers that die, hang, are replaced, remote or missing."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import threading
import time
from collections.abc import Callable
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest

from tests.misbehaviour import Server
from tests.subprocesses import child_process

pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
from apps.scraping.browser import Browser, FoundBrowser, Origin, find
from apps.scraping.responses import FetchOutcome
from tests.e2e.browser.site import AGENT, TIMEOUT, main_pid, pids_of, refused, wait_until_gone, warmed

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[3]


# processes that die


@contextmanager
def once_asked_for(path: str, server: Server, work: Callable[[], None]):
    """Do something as soon as the server was asked for a path, while the body waits for the answer."""

    def wait() -> None:
        while path not in [asked for asked, *_ in server.asked]:
            time.sleep(0.01)
        work()

    thread = threading.Thread(target=wait, daemon=True)
    thread.start()
    yield
    thread.join()


def renderers(browser: Browser) -> list[int]:
    return [pid for pid in pids_of(browser) if "--type=renderer" in psutil.Process(pid).cmdline()]


@pytest.mark.parametrize("victim", ["browser", "driver", "renderers"])
def test_a_process_that_is_killed_during_a_call_fails_it_and_the_next_call_works(browser, server, victim):
    pids = warmed(browser, server)
    with browser.unit() as unit:
        unit.open(server.url + "/results")

        def strike():
            victims = {
                "browser": lambda: [main_pid(browser)],
                "driver": lambda: [browser._engine._driver.pid],
                "renderers": lambda: renderers(browser),
            }[victim]()
            for pid in victims:
                os.kill(pid, signal.SIGKILL)

        with once_asked_for("/hang", server, strike):
            error = refused(lambda: unit.open(server.url + "/hang", timeout=TIMEOUT))
        # Of a page that had shown nothing yet the browser says only that it was left.
        assert error.outcome in (FetchOutcome.FAILED, *[FetchOutcome.HTTP_ERROR] * (victim == "renderers")), (
            error.reason
        )
        page = unit.open(server.url + "/results", wait_for="#results")
        assert page.status == 200
        assert unit.fetch(server.url + "/feed").status == 200
    if victim != "renderers":
        assert wait_until_gone(pids) == []


@pytest.mark.parametrize("victim", ["browser", "driver"])
def test_a_browser_that_died_between_two_calls_is_replaced_unseen(browser, server, victim):
    pids = warmed(browser, server)
    with browser.unit() as unit:
        unit.open(server.url + "/results")
        os.kill(main_pid(browser) if victim == "browser" else browser._engine._driver.pid, signal.SIGKILL)
        assert unit.open(server.url + "/results").status == 200
    assert wait_until_gone(pids) == []


@pytest.fixture
def short_folder():
    """A folder for temporary files of a browser: it keeps a socket there, whose path must be short."""
    with tempfile.TemporaryDirectory(prefix="spai-") as folder:
        yield Path(folder)


def test_nothing_outlives_a_process_that_was_killed(server, found, short_folder):
    script = textwrap.dedent(f"""
        import threading, time
        from apps.scraping.browser import Browser, FoundBrowser, Origin
        browser = Browser(user_agent="SPAI", found=FoundBrowser(Origin.GIVEN, {found.place!r}, "", ""))
        with browser.unit() as unit:
            unit.open("{server.url}/loop-when-asked", wait_for="#there", timeout={TIMEOUT})
            threading.Thread(target=unit.fetch, args=["{server.url}/feed"], kwargs={{"timeout": 1e6}}).start()
            time.sleep(0.5)
            print(*[process.pid for process in browser.processes()], flush=True)
            time.sleep(1e6)
    """)
    environment = {**os.environ, "TMPDIR": str(short_folder)}
    command = [sys.executable, "-c", script]
    with child_process(command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, text=True) as process:
        pids = [int(pid) for pid in process.stdout.readline().split()]
        process.kill()
    assert len(pids) > 3
    assert wait_until_gone(pids) == []
    assert list(short_folder.glob("playwright*")) == []


def test_nothing_remains_of_a_browser_that_is_closed(found, server, short_folder, monkeypatch):
    monkeypatch.setenv("TMPDIR", str(short_folder))
    browser = Browser(user_agent=AGENT, found=found)
    pids = warmed(browser, server)
    assert list(short_folder.glob("playwright*profile*"))
    browser.close()
    assert wait_until_gone(pids) == []
    assert list(short_folder.glob("playwright*")) == []
    assert warmed(browser, server)
    os.kill(main_pid(browser), signal.SIGKILL)
    browser.close()
    # A driver that had to be killed too, on a busy machine, leaves the empty folder of its artifacts behind.
    left = [path for path in short_folder.glob("playwright*") if "artifacts" not in path.name or any(path.iterdir())]
    assert left == []


# replaced, remote, missing


def test_a_browser_is_replaced_after_so_many_pages_or_so_much_memory(found, server):
    with Browser(user_agent=AGENT, found=found, max_pages=2) as browser:
        for starts in (1, 1, 2):
            warmed(browser, server)
            assert browser.starts == starts
        browser._max_megabytes = 10
        assert browser.megabytes() > 10
        pids = pids_of(browser)
        warmed(browser, server)
        assert browser.starts == 3
        assert wait_until_gone(pids) == []


def test_a_remote_browser_serves_and_outlives_its_guest(found, server, tmp_path):
    command = [found.place, "--headless", "--no-sandbox", "--disable-gpu", "--remote-debugging-port=0"]
    command += [f"--user-data-dir={tmp_path}", "about:blank"]
    with child_process(command, stderr=subprocess.DEVNULL, start_new_session=True) as process:
        port = tmp_path / "DevToolsActivePort"
        deadline = time.monotonic() + TIMEOUT
        while not port.exists() or len(port.read_text().split()) < 2:
            assert time.monotonic() < deadline
            time.sleep(0.05)
        number, path = port.read_text().split()
        remote = find(remote=f"ws://127.0.0.1:{number}{path}")
        assert remote.origin is Origin.REMOTE
        with Browser(user_agent=AGENT, found=remote) as browser, browser.unit() as unit:
            page = unit.open(server.url + "/results", wait_for="#results")
            assert page.status == 200
            unit.open(server.url + "/loop-when-asked", wait_for="#there")
            assert refused(lambda: unit.fetch(server.url + "/feed", timeout=0.3)).outcome is FetchOutcome.TIMEOUT
            assert unit.open(server.url + "/results").status == 200
        assert process.poll() is None


@pytest.mark.parametrize("place", ["/bin/false", "/nowhere/chromium", "ws"])
def test_a_browser_that_does_not_start_is_our_own_fault(place, server):
    origin = Origin.REMOTE if place == "ws" else Origin.GIVEN
    place = f"ws://127.0.0.1:{server.server_port}/missing" if place == "ws" else place
    with Browser(user_agent=AGENT, found=FoundBrowser(origin, place, "", "")) as broken, broken.unit() as unit:
        error = refused(lambda: unit.open(server.url + "/results"))
        assert error.outcome is FetchOutcome.FAILED
        assert "did not start" in error.reason
        assert pids_of(broken) == []
