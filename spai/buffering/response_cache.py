"""A cache of responses, which are sent again from the event loop, without a thread, the application or a query.

The application decides what may be cached: it puts the members of a `CachePermission` into the environ of the request,
under `CACHE_PERMISSION`. A cached response is what the application returned, with its headers. It is sent only to
requests that equal the first one in everything that the application reads. It is removed when `drop` names its subject,
when it expires, or when the cache is full.
"""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from http import HTTPStatus
from random import getrandbits
from typing import Final, NamedTuple

from spai.buffering.wsgi import Environ, Headers, Scope, WsgiResponse

CACHE_PERMISSION: Final = "spai.cache"
"""Key in the environ of a request under which the application puts the members of a `CachePermission`."""

CACHE_BYTES: Final = 64 * 1024 * 1024
"""Largest total of the cached responses of a process, in bytes."""

OVERHEAD: Final = 1024
"""Bytes that a cached response takes besides its body: its key, its ETag and the objects around them."""

LONGEST_KEY: Final = OVERHEAD // 2
"""Bytes of a key: without a limit, a stranger who varies a header of 60 KB fills the memory with keys."""

SEEN: Final = frozenset({b"host", b"accept", b"accept-encoding", b"origin", b"x-forwarded-proto"})
"""Headers of a request on which the response may depend; equal values get the same cached response."""

SLOW: Final = frozenset(
    b"if-match if-modified-since if-unmodified-since range content-length transfer-encoding expect x-request-id "
    b"x-requested-with".split()
)
"""Headers of requests that only the application answers: they are rare, and each has its own rules."""

OWN: Final = frozenset({"etag", "x-request-id", "content-length", "cache-control", "ratelimit", "ratelimit-policy"})
"""Headers of a response that are written for each request, here or by `admit`."""

OF_CONTENT: Final = frozenset({"allow", "content-type", "content-encoding"})
"""Headers of a response with content, which a 304 leaves out."""

Key = tuple[bytes, bytes, tuple[tuple[bytes, bytes], ...]]
Admit = Callable[[Scope], Headers | None]
Sent = Callable[[str, int, int, float], None]


class CachePermission(NamedTuple):
    """The permission to send a response again."""

    about: str  # its subject, such as the id of a match, for `ResponseCache.drop`
    until: float  # when it expires, in seconds since 1970
    view: str  # name of the view, for the metrics


@dataclass(frozen=True, slots=True)
class _CachedResponse:
    permission: CachePermission
    headers: tuple[tuple[str, str], ...]  # without `OWN`; one object for all responses with the same ones
    etag: str
    body: bytes


class ResponseCache:
    """The cached responses of a process. Its methods are thread-safe and do not block.

    Parameters
    ----------
    is_current : callable
        Returns whether every change so far has been passed to `drop`. While it has not, nothing cached is sent.
    admit : callable
        Decides on a request before a cached response is sent to it: API key, limits. Returns headers to add, or None to
        leave the request to the application. It must not block.
    sent : callable
        Called with view, status, bytes of the body and seconds after each cached response.
    limit : int
        Largest total in bytes.
    """

    def __init__(
        self,
        is_current: Callable[[], bool],
        *,
        admit: Admit,
        sent: Sent,
        limit: int = CACHE_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._is_current = is_current
        self._admit = admit
        self._sent = sent
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._cached: OrderedDict[Key, _CachedResponse] = OrderedDict()  # the least recently sent first
        self._about: dict[str, set[Key]] = {}
        self._bytes = 0
        self._changes = 0

    def __len__(self) -> int:
        """Return the number of cached responses."""
        return len(self._cached)

    def stamp(self, scope: Scope) -> int | None:
        """Return the number of changes before a request, for `find` and `store`; None when nothing may be cached.

        The caller takes it before anything else, so that a later change prevents the response from being cached.
        """
        return self._changes if scope["method"] == "GET" and self._is_current() else None

    def find(self, scope: Scope, stamp: int | None) -> WsgiResponse | None:
        """Return the cached response to a request; None when the application must answer."""
        began = time.perf_counter()
        key = None if stamp is None else _key(scope)
        if key is None:
            return None
        with self._lock:
            cached = self._cached.get(key)
            if cached is None:
                return None
            if cached.permission.until <= self._clock():
                self._remove(key)
                return None
            self._cached.move_to_end(key)
        added = self._admit(scope)
        if added is None:
            return None
        has_it = _has(scope, cached.etag)
        left_out = {name.lower() for name, _ in added} | (OF_CONTENT if has_it else set())
        headers = [pair for pair in cached.headers if pair[0].lower() not in left_out]
        body = b"" if has_it else cached.body
        headers += [("ETag", cached.etag), ("X-Request-ID", request_id()), ("Content-Length", str(len(body))), *added]
        status = HTTPStatus.NOT_MODIFIED if has_it else HTTPStatus.OK
        self._sent(cached.permission.view, status.value, len(body), time.perf_counter() - began)
        return WsgiResponse(status.value, headers, body)

    def store(self, scope: Scope, environ: Environ, response: WsgiResponse, stamp: int | None) -> None:
        """Cache a response when the application permits it and nothing has changed since `stamp` was taken."""
        if CACHE_PERMISSION not in environ or response.status != HTTPStatus.OK or response.stream or response.error:
            return
        key, own = _key(scope), {name.lower(): value for name, value in response.headers}
        if key is None or "etag" not in own or "set-cookie" in own:
            return
        headers = _shared(tuple(pair for pair in response.headers if pair[0].lower() not in OWN))
        with self._lock:
            if stamp != self._changes:
                return
            self._remove(key)
            permission = CachePermission(*environ[CACHE_PERMISSION])
            self._cached[key] = _CachedResponse(permission, headers, own["etag"], response.body)
            self._about.setdefault(permission.about, set()).add(key)
            self._bytes += len(response.body) + OVERHEAD
            while self._bytes > self._limit:
                self._remove(next(iter(self._cached)))

    def drop(self, about: set[str] | None) -> None:
        """Remove the cached responses about some subjects; all of them for None."""
        with self._lock:
            self._changes += 1
            if about is None:
                keys = list(self._cached)
            else:
                keys = [key for subject in about for key in self._about.get(subject, ())]
            for key in keys:
                self._remove(key)

    def _remove(self, key: Key) -> None:
        cached = self._cached.pop(key, None)
        if cached is None:
            return
        self._bytes -= len(cached.body) + OVERHEAD
        keys = self._about[cached.permission.about]
        keys.remove(key)
        if not keys:
            del self._about[cached.permission.about]


def request_id() -> str:
    """Return an id for the log with the digits of a UUID; it can be guessed, and so needs no system call."""
    return f"{getrandbits(128):032x}"


def _key(scope: Scope) -> Key | None:
    """Return what equal GET requests have in common; None for a request that only the application answers."""
    seen = []
    for name, value in scope["headers"]:
        if name in SLOW:
            return None
        if name in SEEN:
            seen.append((name, value))
    size = len(scope["raw_path"]) + len(scope["query_string"]) + sum(len(name) + len(value) for name, value in seen)
    return (scope["raw_path"], scope["query_string"], tuple(seen)) if size <= LONGEST_KEY else None


def _has(scope: Scope, etag: str) -> bool:
    """Whether the client has the content already (RFC 9110, If-None-Match)."""
    given = b",".join(value for name, value in scope["headers"] if name == b"if-none-match").decode("latin-1")
    own = etag.removeprefix("W/")
    return bool(given) and (
        given.strip() == "*" or own in [each.strip().removeprefix("W/") for each in given.split(",")]
    )


@lru_cache(maxsize=64)
def _shared(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the same object for equal headers, which nearly all cached responses have."""
    return headers
