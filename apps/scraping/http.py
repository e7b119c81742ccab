"""The one door to plain HTTP.

A `Client` asks for one page at a time and hands back what came, whatever its status. Every fault of a server, or of the
way to it, becomes a `FetchError` within the time that the caller allows: a server that hangs or sends a byte a second,
a page without an end, compressed data that is broken or swells, redirects in a circle. Nothing is retried and nothing
is judged here, and no proxy of the environment is used.
"""

from __future__ import annotations

import ipaddress
import queue
import socket
import ssl
import threading
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Self

import httpcore
import httpx

from apps.scraping.politeness import host_of, judge
from apps.scraping.responses import FetchError, FetchOutcome, FetchResponse, kept_headers

TIMEOUT: Final = 30.0
"""Seconds from the request to the last byte, redirects included."""
MAX_BYTES: Final = 20 * 1024 * 1024
"""Decoded bytes of a page."""
MAX_REDIRECTS: Final = 8
KEEP_ALIVE: Final = 15.0
"""Seconds that an idle connection is kept for the next request to its host."""
EVIDENCE: Final = 64 * 1024
"""Bytes that are kept of a page that was too large."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PIECE: Final = 64 * 1024


class Client:
    """Asks for pages, one at a time, over connections that are reused; cookies live as long as the client.

    Parameters
    ----------
    user_agent : str
        Who asks, as `politeness.user_agent` says it.
    timeout : float
        Seconds that a `fetch` may take altogether.
    max_bytes : int
        Decoded bytes that a page may have.
    verify : ssl.SSLContext or None
        Whom to trust; None for the usual authorities.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        timeout: float = TIMEOUT,
        max_bytes: int = MAX_BYTES,
        verify: ssl.SSLContext | None = None,
    ) -> None:
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._deadline = _Deadline()
        # Only what `_decode` can undo is asked for.
        headers = {"user-agent": user_agent, "accept": "*/*", "accept-encoding": "gzip"}
        transport = _Transport(verify or httpx.create_ssl_context(), self._deadline)
        self._httpx = httpx.Client(headers=headers, transport=transport, trust_env=False)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close every connection."""
        self._httpx.close()

    def fetch(
        self,
        url: str,
        *,
        headers: Mapping[str, str] | None = None,
        timeout: float | None = None,
        max_bytes: int | None = None,
        accept: Collection[str] = (),
        follow_redirects_to: Collection[str] = (),
        on_redirect: Callable[[str], None] | None = None,
    ) -> FetchResponse:
        """Return what a server answers, whatever its status.

        Parameters
        ----------
        url : str
            Absolute, http or https, without a user name.
        headers : mapping of str to str, optional
            Sent besides the client's own, such as `politeness.conditional_headers`.
        timeout, max_bytes : optional
            In place of the client's.
        accept : collection of str
            Media types that the page may have, such as ``"text/csv"`` or ``"text/*"``; empty for any. A page without a
            type passes, and so does one that `politeness.judge` refuses, which the caller must see.
        follow_redirects_to : collection of str
            Hosts besides the page's own (``"example.org"``, with ``":port"`` unless it is the usual one) to which a
            redirect may lead. From https to http none is followed.
        on_redirect : callable, optional
            Called with each address before it is asked for. It may wait for its turn, which does not count as the
            server's time, and raise to refuse.

        Raises
        ------
        FetchError
            `TIMEOUT` when the answer was not complete in time; `INVALID` for an address that is none, a redirect that
            is not followed, or a page of another type; `HTTP_ERROR` for all else that is wrong.
        """
        started = time.monotonic()
        self._deadline.ends = started + (self._timeout if timeout is None else timeout)
        limit = self._max_bytes if max_bytes is None else max_bytes
        allowed = {host.lower() for host in follow_redirects_to} | {_host(url)}
        seen = [url]
        while True:
            response = self._ask(url, headers or {}, limit, started)
            target = _redirect(response)
            if not target:
                return _checked(response, accept)
            if reason := _objection(response, target, allowed, seen):
                raise FetchError(*reason, response)
            seen.append(target)
            if on_redirect is not None:
                before = time.monotonic()
                on_redirect(target)
                self._deadline.ends += time.monotonic() - before
            url = target

    def _ask(self, url: str, headers: Mapping[str, str], limit: int, started: float) -> FetchResponse:
        """Ask once, and read the answer to its end."""
        try:
            with self._httpx.stream("GET", url, headers=dict(headers)) as answer:
                return _response(answer, _read(answer, limit), started)
        except _BrokenBodyError as error:
            raise FetchError(
                FetchOutcome.HTTP_ERROR, f"{url}: {error}", _response(answer, error.body, started)
            ) from error
        except httpx.InvalidURL as error:
            raise FetchError(FetchOutcome.INVALID, f"{url[:200]!r} is no address: {error}") from error
        except httpx.TimeoutException as error:
            allowed = self._deadline.ends - started
            raise FetchError(FetchOutcome.TIMEOUT, f"{url}: no complete answer within {allowed:.1f} s") from error
        except httpx.TransportError as error:
            raise FetchError(FetchOutcome.HTTP_ERROR, f"{url}: {error or type(error).__name__}") from error


def _host(url: str) -> str:
    try:
        return host_of(url)
    except ValueError as error:
        raise FetchError(FetchOutcome.INVALID, str(error)) from error


def _redirect(response: FetchResponse) -> str:
    """Return where an answer leads, ``""`` when it leads nowhere; httpx has refused what is no address."""
    location = response.headers.get("location", "")
    if response.status not in _REDIRECTS or not location:
        return ""
    return str(httpx.URL(response.url).join(location).copy_with(fragment=None))


def _objection(
    response: FetchResponse, target: str, allowed: Collection[str], seen: Collection[str]
) -> tuple[FetchOutcome, str] | None:
    """Return why a redirect is not followed, None when it is."""
    if target in seen:
        return FetchOutcome.HTTP_ERROR, f"{response.url}: redirects in a circle to {target[:200]}"
    if len(seen) > MAX_REDIRECTS:
        return FetchOutcome.HTTP_ERROR, f"{response.url}: more than {MAX_REDIRECTS} redirects"
    if response.url.startswith("https:") and not target.startswith("https:"):
        return FetchOutcome.INVALID, f"{response.url}: redirects from https to {target[:200]}"
    try:
        host = _host(target)
    except FetchError as error:
        return error.outcome, f"{response.url}: redirects to what is not followed: {error}"
    if host not in allowed:
        return FetchOutcome.INVALID, f"{response.url}: redirects to {host}, which is another host"
    return None


def _checked(response: FetchResponse, accept: Collection[str]) -> FetchResponse:
    """Return the answer unless it is a page of a type that nobody asked for."""
    kind = response.headers.get("content-type", "").partition(";")[0].strip().lower()
    family = kind.partition("/")[0] + "/*"
    if not accept or not kind or kind in accept or family in accept or response.status == 304 or judge(response):
        return response
    raise FetchError(FetchOutcome.INVALID, f"{response.url}: is {kind}, not {' or '.join(sorted(accept))}", response)


def _response(answer: httpx.Response, body: bytes, started: float) -> FetchResponse:
    return FetchResponse(
        url=str(answer.url),
        status=answer.status_code,
        body=body,
        fetched_at=datetime.now(UTC),
        headers=kept_headers(answer.headers.items()),
        seconds=time.monotonic() - started,
    )


class _BrokenBodyError(Exception):
    """A body that cannot be read to its end; `body` is how far it could."""

    def __init__(self, reason: str, body: bytes) -> None:
        super().__init__(reason)
        self.body = body


def _read(answer: httpx.Response, limit: int) -> bytes:
    """Return the body, decoded; memory stays near the limit whatever comes."""
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    length = answer.headers.get("content-length", "")
    if encoding in ("gzip", "x-gzip"):
        pieces = _unzip(answer.iter_raw())
    elif encoding not in ("", "identity"):
        raise _BrokenBodyError(f"is encoded as {encoding[:50]!r}, which nobody asked for", b"")
    elif length.isascii() and length.isdigit() and len(length) < 20 and int(length) > limit:
        raise _BrokenBodyError(f"announces {int(length):,} bytes, more than {limit:,}", b"")
    else:
        pieces = answer.iter_raw()
    body = bytearray()
    try:
        for piece in pieces:
            body += piece
            if len(body) > limit:
                raise _BrokenBodyError(f"has more than {limit:,} bytes", bytes(body[:EVIDENCE]))
    except zlib.error as error:
        raise _BrokenBodyError(f"is broken gzip: {error}", bytes(body)) from error
    except httpx.TimeoutException:
        raise
    except httpx.TransportError as error:
        raise _BrokenBodyError(f"ended before its end: {error or type(error).__name__}", bytes(body)) from error
    return bytes(body)


def _unzip(pieces: Iterable[bytes]) -> Iterable[bytes]:
    """Yield decoded gzip, of one or several members, a bounded piece at a time.

    httpx would decode a piece at once, however much it swells, and take a cut end for an end.
    """
    wanted = zlib.MAX_WBITS | 16
    decoder = zlib.decompressobj(wanted)
    is_begun = False
    for raw in pieces:
        data = raw
        while data:
            if decoder.eof:
                decoder, is_begun = zlib.decompressobj(wanted), False
                data = data.lstrip(b"\0")  # padding after a member
                continue
            is_begun = True
            decoded = decoder.decompress(data, _PIECE)
            data = decoder.unconsumed_tail or decoder.unused_data
            yield decoded
        while not decoder.eof and (decoded := decoder.decompress(b"", _PIECE)):
            yield decoded
    if is_begun and not decoder.eof:
        raise zlib.error("it was cut")


class _Deadline:
    """The moment, on the monotonic clock, at which the current fetch must have ended."""

    ends = 0.0

    def left(self) -> float:
        """Return the seconds that are left; raise when none are."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return left


class _Transport(httpx.HTTPTransport):
    """httpx's transport over connections that keep a deadline; its own time limits begin anew with every byte."""

    def __init__(self, context: ssl.SSLContext, deadline: _Deadline) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=4,
            keepalive_expiry=KEEP_ALIVE,
            retries=0,
            network_backend=_Network(deadline),
        )


class _Network(httpcore.NetworkBackend):
    def __init__(self, deadline: _Deadline) -> None:
        self._deadline = deadline
        self._inner = httpcore.SyncBackend()

    def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,
        local_address: str | None = None,
        socket_options: Iterable[Any] | None = None,
    ) -> httpcore.NetworkStream:
        error: Exception = httpcore.ConnectError(f"{host} has no address")
        for address in _addresses(host, self._deadline.left()):
            try:
                stream = self._inner.connect_tcp(address, port, self._deadline.left(), local_address, socket_options)
            except httpcore.ConnectError as refused:
                error = refused
            else:
                return _Stream(stream, self._deadline)
        raise error


class _Stream(httpcore.NetworkStream):
    """A stream each of whose waits ends with the deadline."""

    def __init__(self, inner: httpcore.NetworkStream, deadline: _Deadline) -> None:
        self._inner = inner
        self._deadline = deadline

    def read(self, max_bytes: int, timeout: float | None = None) -> bytes:
        return self._inner.read(max_bytes, self._deadline.left())

    def write(self, buffer: bytes, timeout: float | None = None) -> None:
        self._inner.write(buffer, self._deadline.left())

    def close(self) -> None:
        self._inner.close()

    def start_tls(
        self,
        ssl_context: ssl.SSLContext,
        server_hostname: str | None = None,
        timeout: float | None = None,
    ) -> httpcore.NetworkStream:
        return _Stream(self._inner.start_tls(ssl_context, server_hostname, self._deadline.left()), self._deadline)

    def get_extra_info(self, info: str) -> Any:
        return self._inner.get_extra_info(info)


def _addresses(host: str, seconds: float) -> list[str]:
    """Return the addresses of a host, within so many seconds, which the system's resolver does not promise."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    answers: queue.SimpleQueue[list[str] | OSError] = queue.SimpleQueue()

    def resolve() -> None:
        try:
            found = socket.getaddrinfo(host, None, type=socket.SOCK_STREAM)
            answers.put(list(dict.fromkeys(str(entry[4][0]) for entry in found)))
        except (OSError, UnicodeError) as error:
            answers.put(error if isinstance(error, OSError) else OSError(str(error)))

    # Not joined: a resolver that hangs is left to its own time limit.
    threading.Thread(target=resolve, name=f"resolve {host}", daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        raise httpcore.ConnectTimeout(f"the address of {host} did not come in time") from None
    if isinstance(answer, OSError):
        raise httpcore.ConnectError(f"the address of {host} is not known: {answer}")
    return answer
