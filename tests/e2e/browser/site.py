"""A site whose pages make a browser suffer, and what its tests do with a browser."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Final

import psutil
import pytest

from apps.scraping.browser import Browser
from apps.scraping.responses import FetchError, FetchOutcome, FetchResponse
from tests.misbehaviour import Server, Site

AGENT: Final = "SPAI/0.1.0 (+https://example.org/spai)"
LIMIT: Final = 1.5
"""Seconds of a call that is never answered."""
TIMEOUT: Final = 300.0
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
