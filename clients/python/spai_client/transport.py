"""The way of requests to the server: repeated where that is safe, and not answered twice with the same content."""

from __future__ import annotations

import random
import threading
from collections import OrderedDict
from collections.abc import Callable

import httpx

from spai_client.problems import retry_after

KEPT_ANSWERS = 256
"""Answers that are cached with their ETags; the ones used longest ago go first."""

LONGEST_WAIT = 60.0
"""Seconds of `Retry-After` beyond which the caller is told instead of waiting."""

_SAFE = frozenset({"GET", "HEAD"})


class Transport(httpx.BaseTransport):
    """Repeats requests that a busy server refused, and asks for cached answers by their ETags.

    429 is repeated for every request. 503 is repeated for reads and for requests with an `Idempotency-Key`: of another
    one nobody knows whether it was carried out.
    """

    def __init__(self, inner: httpx.BaseTransport, *, retries: int, sleep: Callable[[float], None]) -> None:
        self._inner = inner
        self._retries = retries
        self._sleep = sleep
        self._cache: OrderedDict[tuple[str, str], httpx.Response] = OrderedDict()
        self._lock = threading.Lock()

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        """Return the answer of the server, or the cached one where the server says that it is still valid."""
        key = (str(request.url), request.headers.get("Accept", ""))
        cached = None
        if request.method == "GET" and "If-None-Match" not in request.headers:
            with self._lock:
                cached = self._cache.get(key)
        if cached is not None:
            request.headers["If-None-Match"] = cached.headers["ETag"]
        response = self._patient(request)
        if cached is not None and response.status_code == httpx.codes.NOT_MODIFIED:
            response.close()
            return self._keep(key, cached)
        if request.method != "GET" or response.status_code != httpx.codes.OK or "ETag" not in response.headers:
            return response
        if "no-store" in response.headers.get("Cache-Control", ""):
            return response
        content = response.read()
        headers = [
            (name, value)
            for name, value in response.headers.multi_items()
            if name not in ("content-encoding", "content-length", "transfer-encoding")
        ]
        return self._keep(key, httpx.Response(response.status_code, headers=headers, content=content))

    def close(self) -> None:
        """Close the connections."""
        self._inner.close()

    def _patient(self, request: httpx.Request) -> httpx.Response:
        for attempt in range(self._retries):
            response = self._inner.handle_request(request)
            is_busy = response.status_code == httpx.codes.TOO_MANY_REQUESTS or (
                response.status_code == httpx.codes.SERVICE_UNAVAILABLE
                and (request.method in _SAFE or "Idempotency-Key" in request.headers)
            )
            wait = retry_after(response)
            if not is_busy or (wait is not None and wait > LONGEST_WAIT):
                return response
            response.close()
            # Clients that were refused together must not come back together.
            self._sleep((0.5 * 2**attempt if wait is None else wait) + random.uniform(0, 0.25))
        return self._inner.handle_request(request)

    def _keep(self, key: tuple[str, str], answer: httpx.Response) -> httpx.Response:
        with self._lock:
            self._cache[key] = answer
            self._cache.move_to_end(key)
            if len(self._cache) > KEPT_ANSWERS:
                self._cache.popitem(last=False)
        return httpx.Response(answer.status_code, headers=answer.headers, content=answer.content)
