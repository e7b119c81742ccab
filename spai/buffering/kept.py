"""Responses that are kept in memory and sent again from the event loop, without a thread, the application or a query.

The application decides what may be kept: it puts the members of a `Keep` into the environ of the request, under `KEEP`.
A kept response is what the application made, headers included, and is sent only to requests that equal the first one in
all that the application looks at. It ends when `drop` names what it is about, at its end, or when memory is short.
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

KEEP: Final = "spai.keep"
"""Key in the environ of a request under which the application puts the members of a `Keep`."""

KEPT_BYTES: Final = 64 * 1024 * 1024
"""Largest total of the kept responses of a process, in bytes."""

OVERHEAD: Final = 1024
"""Bytes that a kept response takes besides its body: its key, its ETag and the objects around them."""

SEEN: Final = frozenset({b"host", b"accept", b"accept-encoding", b"origin", b"x-forwarded-proto"})
"""Headers of a request on which the response may depend; equal values get the same kept response."""

SLOW: Final = frozenset(
    b"if-match if-modified-since if-unmodified-since range content-length transfer-encoding expect x-request-id "
    b"x-requested-with".split()
)
"""Headers of requests that only the application answers: rare, and each with rules of its own."""

OWN: Final = frozenset({"etag", "x-request-id", "content-length", "cache-control", "ratelimit", "ratelimit-policy"})
"""Headers of a response that are written anew each time, here or by `admit`."""

OF_CONTENT: Final = frozenset({"allow", "content-type", "content-encoding"})
"""Headers of a response with content, which a 304 leaves out."""

Key = tuple[bytes, bytes, tuple[tuple[bytes, bytes], ...]]
Admit = Callable[[Scope], Headers | None]
Sent = Callable[[str, int, int, float], None]


class Keep(NamedTuple):
    """The permission to send a response again."""

    about: str  # what it is about, as `KeptResponses.drop` names it
    until: float  # when it ends at the latest, in seconds since 1970
    view: str  # name of the view, for the metrics


@dataclass(frozen=True, slots=True)
class _Kept:
    keep: Keep
    headers: tuple[tuple[str, str], ...]  # without `OWN`; one object for all responses with the same ones
    etag: str
    body: bytes


class KeptResponses:
    """The kept responses of a process. Methods are thread-safe and short.

    Parameters
    ----------
    is_current : callable
        Returns whether every change so far has been passed to `drop`. While it has not, nothing kept is sent.
    admit : callable
        Decides on a request before a kept response is sent to it: API key, limits. Returns headers to add, or None to
        leave the request to the application. It must not block.
    sent : callable
        Called with view, status, bytes of the body and seconds after each kept response.
    limit : int
        Largest total in bytes.
    """

    def __init__(
        self,
        is_current: Callable[[], bool],
        *,
        admit: Admit,
        sent: Sent,
        limit: int = KEPT_BYTES,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._is_current = is_current
        self._admit = admit
        self._sent = sent
        self._limit = limit
        self._clock = clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Key, _Kept] = OrderedDict()  # the least recently sent first
        self._about: dict[str, set[Key]] = {}
        self._bytes = 0
        self._changes = 0

    def __len__(self) -> int:
        """Return the number of kept responses."""
        return len(self._kept)

    def stamp(self, scope: Scope) -> int | None:
        """Return the moment at which a request came, which `find` and `store` want; None when nothing may be kept.

        It is taken first of all, so that a change that is noticed from then on is later than the request.
        """
        return self._changes if scope["method"] == "GET" and self._is_current() else None

    def find(self, scope: Scope, stamp: int | None) -> WsgiResponse | None:
        """Return the kept response to a request; None when the application must answer."""
        began = time.perf_counter()
        key = None if stamp is None else _key(scope)
        if key is None:
            return None
        with self._lock:
            kept = self._kept.get(key)
            if kept is None:
                return None
            if kept.keep.until <= self._clock():
                self._remove(key)
                return None
            self._kept.move_to_end(key)
        added = self._admit(scope)
        if added is None:
            return None
        has_it = _has(scope, kept.etag)
        left_out = {name.lower() for name, _ in added} | (OF_CONTENT if has_it else set())
        headers = [pair for pair in kept.headers if pair[0].lower() not in left_out]
        body = b"" if has_it else kept.body
        headers += [("ETag", kept.etag), ("X-Request-ID", request_id()), ("Content-Length", str(len(body))), *added]
        status = HTTPStatus.NOT_MODIFIED if has_it else HTTPStatus.OK
        self._sent(kept.keep.view, status.value, len(body), time.perf_counter() - began)
        return WsgiResponse(status.value, headers, body)

    def store(self, scope: Scope, environ: Environ, response: WsgiResponse, stamp: int | None) -> None:
        """Keep a response when the application permits it and nothing has changed since `stamp` was taken."""
        if KEEP not in environ or response.status != HTTPStatus.OK or response.stream or response.error:
            return
        key, own = _key(scope), {name.lower(): value for name, value in response.headers}
        if key is None or "etag" not in own or "set-cookie" in own:
            return
        headers = _shared(tuple(pair for pair in response.headers if pair[0].lower() not in OWN))
        with self._lock:
            if stamp != self._changes:
                return
            self._remove(key)
            keep = Keep(*environ[KEEP])
            self._kept[key] = _Kept(keep, headers, own["etag"], response.body)
            self._about.setdefault(keep.about, set()).add(key)
            self._bytes += len(response.body) + OVERHEAD
            while self._bytes > self._limit:
                self._remove(next(iter(self._kept)))

    def drop(self, about: set[str] | None) -> None:
        """End the kept responses about some things, or all of them."""
        with self._lock:
            self._changes += 1
            ended = list(self._kept) if about is None else [key for each in about for key in self._about.get(each, ())]
            for key in ended:
                self._remove(key)

    def _remove(self, key: Key) -> None:
        kept = self._kept.pop(key, None)
        if kept is None:
            return
        self._bytes -= len(kept.body) + OVERHEAD
        keys = self._about[kept.keep.about]
        keys.remove(key)
        if not keys:
            del self._about[kept.keep.about]


def request_id() -> str:
    """Return an id for the log with the digits of a UUID; it may be guessed, and so needs no system call."""
    return f"{getrandbits(128):032x}"


def _key(scope: Scope) -> Key | None:
    """Return what equal GET requests have in common; None for a request that only the application answers."""
    seen = []
    for name, value in scope["headers"]:
        if name in SLOW:
            return None
        if name in SEEN:
            seen.append((name, value))
    return scope["raw_path"], scope["query_string"], tuple(seen)


def _has(scope: Scope, etag: str) -> bool:
    """Whether the client says that it has the content already (RFC 9110, If-None-Match)."""
    given = b",".join(value for name, value in scope["headers"] if name == b"if-none-match").decode("latin-1")
    own = etag.removeprefix("W/")
    return bool(given) and (
        given.strip() == "*" or own in [each.strip().removeprefix("W/") for each in given.split(",")]
    )


@lru_cache(maxsize=64)
def _shared(headers: tuple[tuple[str, str], ...]) -> tuple[tuple[str, str], ...]:
    """Return the same object for equal headers, which nearly all kept responses have."""
    return headers
