"""One page in its own context: what it may load, how much, and the response.

Everything here runs in the thread of the engine.
"""

from __future__ import annotations

import base64
import re
import time
from collections.abc import Collection
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any, Final

from playwright.sync_api import Browser as PlaywrightBrowser
from playwright.sync_api import Error as PlaywrightError
from playwright.sync_api import Page, Request, Route, WebSocketRoute
from playwright.sync_api import Response as PlaywrightResponse
from playwright.sync_api import TimeoutError as PlaywrightTimeout

from apps.scraping.politeness import host_of, judge
from apps.scraping.responses import FetchError, FetchOutcome, FetchResponse, LeadsOnError, stored_headers

MAX_DOCUMENTS: Final = 9
"""Documents per call: the first one and eight redirects of any kind."""
CHECK_EVERY: Final = 0.25
"""Seconds between two checks, during a wait, whether the page leads to another one."""
HEAVY_TYPES: Final = frozenset(
    {"image", "font", "media", "texttrack", "manifest", "ping", "cspviolationreport", "other"}
)
TRACKERS: Final = (
    "adnxs.com", "adsrvr.org", "amazon-adsystem.com", "bing.com", "casalemedia.com", "chartbeat.com", "clarity.ms",
    "criteo.com", "criteo.net", "doubleclick.net", "facebook.com", "facebook.net", "google-analytics.com",
    "googleadservices.com", "googlesyndication.com", "googletagmanager.com", "googletagservices.com", "hotjar.com",
    "moatads.com", "newrelic.com", "nr-data.net", "optimizely.com", "outbrain.com", "permutive.com", "pubmatic.com",
    "quantserve.com", "rubiconproject.com", "scorecardresearch.com", "segment.io", "sentry.io", "taboola.com",
    "twitter.com", "yandex.ru",
)  # fmt: skip
"""Never requested, whatever the caller allows."""

_SHOWN: Final = """limit => {
    const root = document.documentElement;
    if (root === null) return "";
    const kind = document.doctype ? "<!DOCTYPE " + document.doctype.name + ">" : "";
    const text = root.outerHTML;
    return text.length > limit ? null : kind + text;
}"""
_FETCH: Final = """async ({url, headers, limit, ms}) => {
    const signal = AbortSignal.timeout(ms);
    try {
        const answer = await fetch(url, {headers, credentials: "same-origin", signal});
        const reader = answer.body ? answer.body.getReader() : null;
        const pieces = [];
        let size = 0;
        while (reader !== null) {
            const {done, value} = await reader.read();
            if (done) break;
            size += value.length;
            if (size > limit) {
                await reader.cancel();
                return {failed: "size"};
            }
            pieces.push(value);
        }
        const text = await new Promise((resolve, reject) => {
            const file = new FileReader();
            file.onload = () => resolve(file.result);
            file.onerror = () => reject(file.error);
            file.readAsDataURL(new Blob(pieces));
        });
        return {url: answer.url, status: answer.status, headers: Array.from(answer.headers),
                body: text.slice(text.indexOf(",") + 1)};
    } catch (error) {
        // A body that is being read then ends with an error of another name.
        return {failed: signal.aborted ? "time" : String(error)};
    }
}"""


class Tab:
    """A page that loads only what it may.

    Parameters
    ----------
    allowed : collection of str
        Hosts to which it may send requests, as returned by `politeness.host_of`; with a dot in front, their
        subdomains. The caller may add to it.
    with_parts : bool
        Whether the page may load its scripts, style sheets and frames, and what its scripts request. Without them a
        call sends one request: another page to which the first one leads is reported, not requested.
    """

    def __init__(
        self, browser: PlaywrightBrowser, user_agent: str, allowed: Collection[str], *, with_parts: bool = True
    ) -> None:
        self._browser = browser
        self._allowed = allowed
        self._with_parts = with_parts
        self._fetched_url = self._leads_to = ""
        self._has_crashed = self._is_stuck = False
        self._refusal: tuple[FetchOutcome, str] | None = None
        self._answer: PlaywrightResponse | None = None
        self._first: str | None = None
        self._documents: set[str] = set()
        self._hops = self._bytes = self._limit = 0
        self._ends = 0.0
        self._context = browser.new_context(
            user_agent=user_agent,
            accept_downloads=False,
            service_workers="block",
            locale="en-GB",
            timezone_id="UTC",
        )
        try:
            self._context.route("**/*", self._decide)
            self._context.route_web_socket(re.compile(""), _close_socket)
            self._page = self._context.new_page()
            self._context.on("page", self._close_popup)
            self._page.on("crash", self._note_crash)
            self._page.on("response", self._note_response)
            self._session = self._context.new_cdp_session(self._page)
            self._session.on("Fetch.requestPaused", self._decide_hop)
            self._session.on("Network.dataReceived", self._count)
            self._session.on("Network.loadingFailed", self._note_failure)
            self._session.send("Fetch.enable", {"patterns": [{"urlPattern": "*"}]})
            self._session.send("Network.enable", {"maxTotalBufferSize": 0, "maxResourceBufferSize": 0})
            self._frame = self._session.send("Page.getFrameTree")["frameTree"]["frame"]["id"]
        except BaseException:
            self.close()
            raise

    def is_usable(self) -> bool:
        """Return whether another page can be opened in this tab."""
        return not (self._has_crashed or self._is_stuck or self._page.is_closed())

    def close(self) -> None:
        """Close the context; of a crashed browser there is none."""
        with suppress(PlaywrightError):
            self._context.close()

    def open(self, url: str, wait_for: str, seconds: float, limit: int) -> FetchResponse:
        """See `Unit.open`."""
        began = self._begin(seconds, limit)
        try:
            try:
                self._page.goto(url, wait_until="commit", timeout=seconds * 1000)
                self._wait_for_document()
            except PlaywrightError:
                # An error status is enough, even with a broken body; without a body Chromium shows its own error page.
                if self._refusal is not None or self._answer is None or self._answer.status < 400:
                    raise
                self._is_stuck = True
                return self._response(b"", began)
            if self._answer is None:
                raise FetchError(FetchOutcome.INVALID, f"{url}: is only a fragment of the open page")
            response, is_there = self._shown(began), False
            if wait_for and judge(response) is None:
                is_there = self._wait_for_element(wait_for)
                response = self._shown(began)
            if is_there or judge(response) is not None:
                return response
            self._raise_if_it_leads_on(url)
            if wait_for:
                raise FetchError(FetchOutcome.CHANGED_LAYOUT, f"{url}: no {wait_for} on the page", response)
            return response
        except PlaywrightError as error:
            raise self._explain(url, error) from error

    def fetch(self, url: str, headers: dict[str, str], seconds: float, limit: int) -> FetchResponse:
        """See `Unit.fetch`."""
        # The script has its own limit; this one is for what else the page may load meanwhile.
        began = self._begin(seconds, 2 * limit + 1024**2)
        task = {"url": url, "headers": headers, "limit": limit, "ms": int(seconds * 1000)}
        self._fetched_url = url
        try:
            came = self._page.evaluate(_FETCH, task)
        except PlaywrightError as error:
            raise self._explain(url, error) from error
        finally:
            self._fetched_url = ""
        if self._refusal is not None:
            raise FetchError(self._refusal[0], f"{url}: {self._refusal[1]}")
        self._raise_if_it_leads_on(url)
        return _fetched(url, came, limit, time.monotonic() - began)

    def _wait_for_document(self) -> None:
        """Wait for the whole document, which never comes if a script has left it for another page."""
        while not self._leads_to:
            try:
                self._page.wait_for_load_state("domcontentloaded", timeout=min(self._left(), CHECK_EVERY) * 1000)
            except PlaywrightTimeout:
                if self._left() < 0.01:
                    raise
            else:
                return

    def _wait_for_element(self, selector: str) -> bool:
        """Wait for an element; return False when the time is over or the page leads to another one."""
        while True:
            try:
                self._page.wait_for_selector(selector, state="attached", timeout=min(self._left(), CHECK_EVERY) * 1000)
            except PlaywrightTimeout:
                if self._leads_to or self._left() < 0.01:
                    return False
            else:
                return True

    def _raise_if_it_leads_on(self, url: str) -> None:
        """Raise LeadsOnError if the page leads to another one."""
        if self._leads_to:
            raise LeadsOnError(url, self._leads_to)

    def _left(self) -> float:
        return max(self._ends - time.monotonic(), 0.001)

    def _begin(self, seconds: float, limit: int) -> float:
        self._refusal = self._answer = None
        self._leads_to, self._first = "", None
        self._documents.clear()
        self._hops = self._bytes = 0
        self._limit = limit
        began = time.monotonic()
        self._ends = began + seconds
        return began

    def _shown(self, began: float) -> FetchResponse:
        """Return the current page; while the browser is changing to another page, wait for that one."""
        while True:
            try:
                text = self._page.evaluate(_SHOWN, self._limit)
                if text != "" or self._leads_to or self._left() < 0.01:
                    break
                self._page.wait_for_timeout(20)
            except PlaywrightError as error:
                if "context was destroyed" not in error.message:
                    raise
            self._page.wait_for_load_state("domcontentloaded", timeout=self._left() * 1000)
        if self._refusal is not None:
            raise FetchError(self._refusal[0], f"{self._page.url}: {self._refusal[1]}")
        if not isinstance(text, str):
            raise FetchError(FetchOutcome.HTTP_ERROR, f"{self._page.url}: has more than {self._limit:,} characters")
        return self._response(text.encode("utf-8", "replace"), began)

    def _response(self, body: bytes, began: float) -> FetchResponse:
        answer = self._answer
        return FetchResponse(
            url=self._page.url if body else (answer.url if answer else self._page.url),
            status=answer.status if answer else 0,
            body=body,
            fetched_at=datetime.now(UTC),
            headers=stored_headers(answer.headers.items()) if answer else {},
            seconds=time.monotonic() - began,
        )

    def _explain(self, url: str, error: PlaywrightError) -> FetchError:
        """Return the outcome for an error of Playwright; the next page is opened in a new tab."""
        if self._refusal is None and self._leads_to and "ERR_ABORTED" in error.message:
            return LeadsOnError(url, self._leads_to)
        # An endless script would delay the next page, and Chromium's error page would interrupt it.
        self._is_stuck = True
        if self._refusal is not None:
            return FetchError(self._refusal[0], f"{url}: {self._refusal[1]}")
        if not self._browser.is_connected() or self._has_crashed:
            return FetchError(FetchOutcome.FAILED, f"{url}: the browser crashed")
        if self._page.is_closed():
            if not self._browser_answers():
                return FetchError(FetchOutcome.FAILED, f"{url}: the browser crashed")
            return FetchError(FetchOutcome.HTTP_ERROR, f"{url}: the page closed itself")
        what = error.message.partition("\n")[0][:300]
        if isinstance(error, PlaywrightTimeout):
            return FetchError(FetchOutcome.TIMEOUT, f"{url}: no complete page in time")
        if "TIMED_OUT" in what:
            return FetchError(FetchOutcome.TIMEOUT, f"{url}: {what}")
        if "net::" in what:
            return FetchError(FetchOutcome.HTTP_ERROR, f"{url}: {what}")
        if "Download is starting" in what:
            return FetchError(FetchOutcome.INVALID, f"{url}: is a download, not a page")
        return FetchError(FetchOutcome.FAILED, f"{url}: {what}")

    def _browser_answers(self) -> bool:
        """Whether the browser runs: after a kill, Playwright reports its pages as closed before the browser itself."""
        try:
            self._page.context.cookies()
        except PlaywrightError:
            return False
        return self._browser.is_connected()

    # Callbacks of Playwright, called while it waits.

    def _may_request(self, url: str, kind: str) -> bool:
        if url.startswith(("data:", "blob:", "about:")):
            return kind.lower() not in HEAVY_TYPES
        try:
            host = host_of(url)
        except ValueError:
            return False
        name = host.partition(":")[0]
        if kind.lower() in HEAVY_TYPES or any(f".{name}".endswith(f".{tracker}") for tracker in TRACKERS):
            return False
        return host in self._allowed or any(a[:1] == "." and name.endswith(a) for a in self._allowed)

    def _decide(self, route: Route) -> None:
        """Allow or abort a request of the page, its frames or workers; not called for redirects."""
        with suppress(PlaywrightError):
            request = route.request
            is_wanted = self._is_ours(request) and (self._with_parts or self._is_for_the_page(request))
            if is_wanted and self._may_request(request.url, request.resource_type):
                route.continue_()
            else:
                route.abort("blockedbyclient")

    def _is_for_the_page(self, request: Request) -> bool:
        """Return whether a request is for the page itself, or is the one that `fetch` makes, and not for a part."""
        if request.resource_type == "fetch":
            return request.url == self._fetched_url
        return request.is_navigation_request() and request.frame == self._page.main_frame

    def _is_ours(self, request: Request) -> bool:
        """Return whether the page sends the request, and not a popup of it, whose first request has no frame yet."""
        try:
            return request.frame.page == self._page
        except PlaywrightError:
            return False

    def _decide_hop(self, event: dict[str, Any]) -> None:
        """Decide again on each request of the page, redirects included."""
        url, kind = event["request"]["url"], event["resourceType"]
        is_page = kind == "Document" and event["frameId"] == self._frame
        may_request = self._may_request(url, kind) and (self._with_parts or is_page or bool(self._fetched_url))
        is_excess = may_request and self._exceeds_one_request(event, is_page=is_page)
        if is_page and not is_excess:
            self._documents.add(event.get("networkId", ""))
            self._hops += 1
        with suppress(PlaywrightError):
            if may_request and not is_excess and self._hops <= MAX_DOCUMENTS and self._refusal is None:
                self._session.send("Fetch.continueRequest", {"requestId": event["requestId"]})
            else:
                # An aborted request leaves the open page as it is.
                reason = "Aborted" if is_excess else "BlockedByClient"
                self._session.send("Fetch.failRequest", {"requestId": event["requestId"], "errorReason": reason})
        if is_page and not may_request:
            self._give_up(FetchOutcome.INVALID, f"leads to another host: {url[:200]}")
        elif self._hops > MAX_DOCUMENTS:
            self._give_up(FetchOutcome.HTTP_ERROR, f"leads through more than {MAX_DOCUMENTS} pages")

    def _exceeds_one_request(self, event: dict[str, Any], *, is_page: bool) -> bool:
        """Return whether a request is one more than the call may send without parts; note where the first one leads."""
        if self._with_parts:
            return False
        url, number = event["request"]["url"], event.get("networkId", "")
        is_ours = is_page != bool(self._fetched_url)
        if is_ours and self._first is None and self._fetched_url in ("", url):
            self._first = number
            return False
        if is_ours and (is_page or number == self._first):
            self._leads_to = url
        return True

    def _note_failure(self, event: dict[str, Any]) -> None:
        """Give up a page whose document broke off; the browser would wait for the rest of it."""
        is_begun = self._answer is not None and self._answer.status < 400
        if is_begun and event["requestId"] in self._documents and not event.get("canceled"):
            self._give_up(FetchOutcome.HTTP_ERROR, f"ended before its end: {event.get('errorText', '')}")

    def _note_response(self, response: PlaywrightResponse) -> None:
        with suppress(PlaywrightError):
            if response.request.is_navigation_request() and response.frame == self._page.main_frame:
                self._answer = response
                length = response.headers.get("content-length", "")
                if length.isascii() and length.isdigit() and len(length) < 20 and int(length) > self._limit:
                    self._give_up(
                        FetchOutcome.HTTP_ERROR, f"announces {int(length):,} bytes, more than {self._limit:,}"
                    )

    def _count(self, event: dict[str, Any]) -> None:
        self._bytes += int(event["dataLength"])
        if self._limit and self._bytes > self._limit:
            self._give_up(FetchOutcome.HTTP_ERROR, f"has loaded more than {self._limit:,} bytes")

    def _give_up(self, outcome: FetchOutcome, reason: str) -> None:
        """Leave a page by closing its context, which ends every wait and every request.

        Closing the page alone is not enough: Chromium ignores that while it is loading another page.
        """
        if self._refusal is None:
            self._refusal = (outcome, reason)
            self._is_stuck = True
            self.close()

    def _note_crash(self, _: Page) -> None:
        self._has_crashed = True

    def _close_popup(self, page: Page) -> None:
        with suppress(PlaywrightError):
            page.close()


def _close_socket(socket: WebSocketRoute) -> None:
    with suppress(PlaywrightError):
        socket.close()


def _fetched(url: str, came: Any, limit: int, seconds: float) -> FetchResponse:
    """Return the response that a page reports; a page can report anything, so that each part is checked."""
    failed = came.get("failed") if isinstance(came, dict) else "nothing"
    if failed == "time":
        raise FetchError(FetchOutcome.TIMEOUT, f"{url}: no complete response in time")
    if failed == "size":
        raise FetchError(FetchOutcome.HTTP_ERROR, f"{url}: has more than {limit:,} bytes")
    if failed is not None:
        raise FetchError(FetchOutcome.HTTP_ERROR, f"{url}: {str(failed)[:300]}")
    try:
        pairs = [(str(name), str(value)) for name, value in came["headers"]]
        body = base64.b64decode(came["body"], validate=True)
        host_of(came["url"])
        return FetchResponse(
            str(came["url"]), int(came["status"]), body, datetime.now(UTC), stored_headers(pairs), seconds
        )
    except (KeyError, TypeError, ValueError) as error:
        raise FetchError(FetchOutcome.INVALID, f"{url}: the page reported an invalid response: {error}") from error
