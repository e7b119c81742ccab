"""Does a browser stay as large as it was, and does a run complete while its browser is killed again and again?

Two runs over small pages of a local site, each page in a fresh context: one in a single browser that is never replaced,
for its memory; one under the usual limits whose browser is killed with signal 9 at moments spread over the run.
"""

from __future__ import annotations

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import psutil

sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from apps.scraping.browser import Browser, find
from apps.scraping.politeness import user_agent
from apps.scraping.responses import FetchError
from benchmarks.report import Measure, parser, print_measures
from benchmarks.servers import STUCK, browser_or_end

WARM = 50
TRIES = 3
SETTLE = 2.0
ROWS = "".join(f"<tr><td>Eastmoor {n}</td><td>2 - 1</td><td>Northbridge {n}</td></tr>" for n in range(200))
PAGE = f"""<!doctype html><html><head><link rel=stylesheet href=/style.css><script src=/script.js></script></head>
<body><table id=results>{ROWS}</table><img src=/picture.png></body></html>""".encode()
FEED = b'{"tournaments": [' + b", ".join([b'{"matches": [1, 2, 3]}'] * 500) + b"]}"


class Site(BaseHTTPRequestHandler):
    """A page, its style and script, and a feed."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        """Answer by the end of the path."""
        kinds = {"css": (b"p {}", "text/css"), "js": (b"const x = 1", "text/javascript")}
        kinds["feed"] = (FEED, "application/json")
        body, kind = kinds.get(self.path.rpartition(".")[2], (PAGE, "text/html"))
        self.send_response(200)
        self.send_header("content-type", kind)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def site() -> Iterator[str]:
    """Serve the site; its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Site)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def visit(browser: Browser, url: str, number: int) -> None:
    """Show a page in a fresh context and let it fetch its feed."""
    with browser.unit() as unit:
        assert b"Northbridge 199" in unit.open(f"{url}/page/{number}", wait_for="#results").body
        assert unit.fetch(f"{url}/{number}.feed").body == FEED


def grow(browser: Browser, url: str, pages: int) -> tuple[float, float, float]:
    """Return the megabytes after the first pages and after all, and the seconds that it took."""
    began, early = time.monotonic(), 0.0
    for number in range(1, pages + 1):
        visit(browser, url, number)
        if number == WARM:
            early = settled(browser)
    return early, settled(browser), time.monotonic() - began


def settled(browser: Browser) -> float:
    """Return the megabytes when the process of the latest page, which ends after its context, has had time to end."""
    time.sleep(SETTLE)
    return browser.megabytes()


def survive(browser: Browser, url: str, pages: int, kills: int) -> tuple[int, int, set[psutil.Process]]:
    """Return how many pages came, how many calls failed, and every process that was seen."""
    came = failed = 0
    seen: set[psutil.Process] = set()
    due = {pages * (kill + 1) // (kills + 1) for kill in range(kills)}
    for number in range(pages):
        for attempt in range(TRIES):
            seen |= set(browser.processes())
            timer = None
            if number in due and attempt == 0:
                # Spread over the course of a page, so that each step of it is met.
                timer = threading.Timer(0.05 * (number % 9), strike, [browser])
                timer.start()
            try:
                visit(browser, url, number)
            except FetchError:
                failed += 1
            else:
                came += 1
                break
            finally:
                if timer is not None:
                    timer.join()
    return came, failed, seen


def strike(browser: Browser) -> None:
    """Kill the browser's main process: the one below the driver that has no type."""
    for process in browser.processes():
        try:
            command = process.cmdline()
            if any(part.startswith("--spai-engine=") for part in command) and "--type=" not in " ".join(command):
                process.kill()
                return
        except psutil.Error:
            continue


def running(processes: set[psutil.Process]) -> int:
    """Return how many of these still run when those that were killed have had a moment to end."""
    deadline = time.monotonic() + STUCK
    while time.monotonic() < deadline:
        left = [one for one in processes if one.is_running() and one.status() != psutil.STATUS_ZOMBIE]
        if not left:
            return 0
        time.sleep(0.1)
    for one in left:
        print("remains:", one.pid, " ".join(one.cmdline())[:150])
    return len(left)


def main() -> None:
    """Run both and print."""
    options = parser(__doc__ or "")
    options.add_argument("--pages", type=int, default=1000, help="pages of the first run")
    options.add_argument("--kills", type=int, default=10, help="how often the browser of the second run is killed")
    options.add_argument("--kill-pages", type=int, default=150, help="pages of the second run")
    args = options.parse_args()
    browser_or_end()
    found = find()
    agent = user_agent("https://example.org/spai")
    with site() as url:
        with Browser(user_agent=agent, found=found, max_pages=10**9, max_megabytes=10**9) as browser:
            early, late, seconds = grow(browser, url, args.pages)
            starts = browser.starts
        with Browser(user_agent=agent, found=found) as killed:
            came, failed, seen = survive(killed, url, args.kill_pages, args.kills)
        remaining = running(seen)
    print_measures(
        f"Browser: {found.version or found.place}",
        [
            Measure("pages, each in a fresh context with its feed", args.pages, "pages"),
            Measure("browsers that they took", starts, "browsers", "= 1"),
            Measure("pace", 60 * args.pages / seconds, "pages/min"),
            Measure(f"memory after page {WARM}", early, "MB"),
            Measure(f"memory after page {args.pages}", late, "MB"),
            Measure("growth", late / early, "times", "≤ 1.5"),
            Measure("pages of the run whose browser is killed", args.kill_pages, "pages"),
            Measure("kill -9", args.kills, "times"),
            Measure("pages that came", came, "pages", f"= {args.kill_pages}"),
            Measure("calls that failed and were repeated", failed, "calls", f"≤ {args.kills}"),
            Measure("browsers that it took", killed.starts, "browsers"),
            Measure("processes that remain", remaining, "processes", "= 0"),
        ],
        args.json,
    )


if __name__ == "__main__":
    main()
