"""Fetching by a real browser from a site that misbehaves; skipped without a browser."""

from __future__ import annotations

import asyncio
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
from functools import partial
from pathlib import Path

import psutil
import pytest

from tests.misbehaviour import CHALLENGE, Server, Site, started
from tests.subprocesses import child_process

playwright = pytest.importorskip("playwright.sync_api", reason="Playwright is not installed")
from apps.scraping.browser import Browser, BrowserMissing, FoundBrowser, Origin, find  # noqa: E402
from apps.scraping.responses import FetchError, FetchOutcome, FetchResponse  # noqa: E402

pytestmark = pytest.mark.e2e

ROOT = Path(__file__).resolve().parents[2]
AGENT = "SPAI/0.1.0 (+https://example.org/spai)"
LIMIT = 1.5
"""Seconds of a call that is never answered."""
TIMEOUT = 300.0
"""Seconds of a call that is answered, and of a process that ends: more than any busy machine needs."""


class Pages(Site):
    """Pages that only a browser suffers from, besides those of `Site`."""

    def send(self, body=b"", status=200, **headers):
        super().send(body, status, **({"content_type": "text/html"} | headers))

    def show(self, body: str, status: int = 200, **headers):
        self.send(
            f"<!doctype html><html><body>{body}</body></html>".encode(), status, content_type="text/html", **headers
        )

    def results(self):
        self.show("<table id='results'><tr><td>Eastmoor</td></tr></table>", set_cookie="visit=1; Path=/", etag='"7"')

    def late(self):
        self.show("<script>setTimeout(() => { document.body.innerHTML = '<p class=late>here' }, 200)</script>")

    def echo(self):
        self.send(repr(sorted(self.headers.items())).encode(), 201, content_type="application/json")

    def feed(self):
        self.send(b'{"tournaments":[1,2]}', content_type="application/json")

    def forbidden(self):
        self.show("<p>No", 403, retry_after="30")

    def nothing_at_all(self):
        self.send(b"", 500)

    def loop(self):
        self.show("<script>while (true) {}</script>")

    def loop_when_asked(self):
        """Show a page that is busy for ever as soon as it is made to request something."""
        self.show("<p id=there>there<script>window.fetch = () => { while (true) {} }</script>")

    def large_dom(self):
        self.show("<script>document.write('<p>' + 'x'.repeat(6e6))</script>")

    def endless_pages(self):
        number = int(self.path.partition("?")[2] or 0)
        self.show(f"<script>location.replace('/endless-pages?{number + 1}')</script>")

    def endless_refresh(self):
        number = int(self.path.partition("?")[2] or 0)
        self.show(f"<meta http-equiv=refresh content='0; url=/endless-refresh?{number + 1}'>")

    def download(self):
        self.send(b"x" * 100, content_type="application/octet-stream", content_disposition="attachment; filename=x")

    def dialogs(self):
        self.show("<p id=a><script>onbeforeunload = () => 'stay'; alert(1); confirm(2); prompt(3)</script><p id=b>")

    def closes_itself(self):
        self.show("<script>window.close(); window.open('', '_self').close()</script>")

    def strangers(self):
        """A page that asks a stranger for something in every way that was thought of."""
        other = self.path.partition("?")[2]
        self.show(f"""
            <link rel=stylesheet href="{other}/style"><script src="{other}/script"></script>
            <link rel=preload as=script href="{other}/preload"><link rel=prefetch href="{other}/prefetch">
            <iframe src="{other}/frame"></iframe><img src="{other}/image"><embed src="{other}/embed">
            <iframe srcdoc="<img src='{other}/inner'><script src='{other}/inner-script'></script>"></iframe>
            <script src="/to?{other}/redirected"></script><iframe src="/to?{other}/redirected-frame"></iframe>
            <img src="/picture"><video src="/film"></video>
            <style>@font-face {{ font-family: f; src: url(/font) }} p {{ font-family: f }}</style><p>text
            <script>
            const quiet = work => {{ try {{ Promise.resolve(work()).catch(() => 0) }} catch {{}} }};
            quiet(() => fetch("{other}/fetch", {{mode: "no-cors"}}));
            quiet(() => fetch("/to?{other}/redirected-fetch", {{mode: "no-cors"}}));
            quiet(() => navigator.sendBeacon("{other}/beacon", "x"));
            quiet(() => new WebSocket("{other}/socket".replace("http", "ws")));
            quiet(() => new EventSource("{other}/events"));
            quiet(() => window.open("{other}/popup"));
            quiet(() => window.open("/results?popup"));
            quiet(() => new Worker(URL.createObjectURL(new Blob(["fetch('{other}/worker', {{mode: 'no-cors'}})"]))));
            quiet(() => navigator.serviceWorker.register("/service-worker"));
            setTimeout(() => document.body.insertAdjacentHTML("beforeend", "<b id=done>"), 400);
            </script>""")

    def service_worker(self):
        self.send(b"fetch('/from-service-worker')", content_type="text/javascript")


@pytest.fixture(scope="module")
def found() -> FoundBrowser:
    try:
        return find()
    except BrowserMissing as missing:
        pytest.skip(f"no browser on this machine: {missing}")


@pytest.fixture(scope="module")
def server():
    with started(Server(Pages)) as running:
        yield running


@pytest.fixture(scope="module")
def stranger():
    with started(Server(Pages)) as running:
        yield running


@pytest.fixture(scope="module")
def shared(found):
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


def refused(fetch: Callable[[], FetchResponse]) -> FetchError:
    """Return the error of a call."""
    with pytest.raises(FetchError) as caught:
        fetch()
    return caught.value


def refused_when_shown(fetch: Callable[[float], FetchResponse]) -> FetchError:
    """Return the error of a call that must show a page before its time is over, however slow the machine is."""
    seconds = LIMIT
    while seconds < TIMEOUT:
        error = refused(partial(fetch, seconds))
        if error.outcome is not FetchOutcome.TIMEOUT:
            break
        seconds *= 2
    return error


def wait_until_gone(pids: list[int], seconds: float = TIMEOUT) -> list[int]:
    """Return which of these processes still run after so long."""
    processes = []
    for pid in pids:
        try:
            processes.append(psutil.Process(pid))
        except psutil.NoSuchProcess:
            continue
    alive = psutil.wait_procs(processes, timeout=seconds)[1]
    return [process.pid for process in alive if process.status() != psutil.STATUS_ZOMBIE]


def pids_of(browser: Browser) -> list[int]:
    return [process.pid for process in browser.processes()]


def main_pid(browser: Browser) -> int:
    """Return the browser's own process: the child of the driver."""
    return browser._engine._main.pid


def warmed(browser: Browser, server: Server) -> list[int]:
    """Return the processes of a browser that has shown a page."""
    with browser.unit() as unit:
        unit.open(server.url + "/results")
        return pids_of(browser)


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


# who is asked


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
