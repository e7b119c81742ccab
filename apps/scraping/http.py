"""Plain HTTP: the only module that uses httpx.

A `Client` fetches one page at a time and returns the response, whatever its status. Every failure of a server or of the
network becomes a `FetchError` within the time limit: a server that hangs or sends a byte a second, an endless page,
compressed data that is broken or expands without bound, redirects in a circle. Nothing is retried or judged here,
proxies of the environment are ignored, and addresses inside the network are not connected to.
"""

from __future__ import annotations

import ipaddress
import ssl
import time
import zlib
from collections.abc import Callable, Collection, Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, Final, Self

import httpcore
import httpx

from apps.matches.public_addresses import addresses_in_time, may_connect
from apps.scraping.politeness import host_of
from apps.scraping.responses import FetchError, FetchOutcome, FetchResponse, stored_headers

TIMEOUT: Final = 30.0
"""Seconds from the request to the last byte, redirects included."""
MAX_BYTES: Final = 20 * 1024 * 1024
"""Decoded bytes of a page."""
MAX_REDIRECTS: Final = 8
KEEP_ALIVE: Final = 15.0
"""Seconds that an idle connection stays open for the next request to its host."""
NOT_PUBLIC: Final = (
    "{} is not on the public internet; SPAI_SOURCE_HOSTS names hosts inside the network that may be read"
)
EVIDENCE: Final = 64 * 1024
"""Bytes that are stored of a page that was too large."""

_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_PIECE: Final = 64 * 1024


class Client:
    """Fetches pages, one at a time, over connections that are reused; keeps cookies until it is closed.

    Without `verify` the usual certificate authorities are trusted. `allowed` names hosts and networks that may be read
    from although they are not on the public internet, as for `public_addresses.may_connect`.
    """

    def __init__(
        self,
        *,
        user_agent: str,
        timeout: float = TIMEOUT,
        max_bytes: int = MAX_BYTES,
        verify: ssl.SSLContext | None = None,
        allowed: Collection[str] = (),
    ) -> None:
        self._timeout = timeout
        self._max_bytes = max_bytes
        self._allowed = allowed
        self._deadline = _Deadline()
        # Only the encoding that `_unzip` decodes.
        headers = {"user-agent": user_agent, "accept": "*/*", "accept-encoding": "gzip"}
        transport = _Transport(verify or httpx.create_ssl_context(), self._deadline, allowed)
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
        on_redirect: Callable[[str], None] | None = None,
    ) -> FetchResponse:
        """Return the response of a server, whatever its status.

        Parameters
        ----------
        url : str
            Absolute, http or https, without a user name.
        headers : mapping of str to str, optional
            Sent in addition to the client's own, such as `politeness.conditional_headers`.
        on_redirect : callable, optional
            Called with the target of each redirect before it is followed. It may wait, which does not count as time of
            the server, or raise to refuse. Redirects lead to the same host only, and never from https to http.

        Raises
        ------
        FetchError
            `TIMEOUT` when the response was not complete in time; `INVALID` for an invalid address or a redirect that is
            not followed; `HTTP_ERROR` for any other failure.
        """
        started = time.monotonic()
        self._deadline.ends = started + (self._timeout if timeout is None else timeout)
        limit = self._max_bytes if max_bytes is None else max_bytes
        own_host = _host(url)
        seen = [url]
        while True:
            response = self._get(url, headers or {}, limit, started)
            target = _redirect(response)
            if not target:
                return response
            if reason := _objection(response, target, own_host, seen):
                raise FetchError(*reason, response)
            seen.append(target)
            if on_redirect is not None:
                before = time.monotonic()
                on_redirect(target)
                self._deadline.ends += time.monotonic() - before
            url = target

    def check_host(self, url: str) -> None:
        """Refuse an address that leads inside the network, for those who do not fetch it by this client.

        Raises
        ------
        FetchError
            `INVALID`, or `HTTP_ERROR` when its name cannot be looked up.
        """
        parts = httpx.URL(url)
        host = parts.host
        try:
            addresses = _addresses(host, self._timeout)
        except (httpcore.NetworkError, httpcore.TimeoutException) as error:
            raise FetchError(FetchOutcome.HTTP_ERROR, f"{url}: {error}") from error
        port = parts.port or {"http": 80, "https": 443}[parts.scheme]
        if not may_connect(host, port, addresses, allowed=self._allowed):
            raise FetchError(FetchOutcome.INVALID, f"{url}: {NOT_PUBLIC.format(host)}")

    def _get(self, url: str, headers: Mapping[str, str], limit: int, started: float) -> FetchResponse:
        """Send one request and read the whole response."""
        try:
            with self._httpx.stream("GET", url, headers=dict(headers)) as answer:
                return _response(answer, _read(answer, limit), started)
        except _BrokenBodyError as error:
            raise FetchError(
                FetchOutcome.HTTP_ERROR, f"{url}: {error}", _response(answer, error.body, started)
            ) from error
        except httpx.InvalidURL as error:
            raise FetchError(FetchOutcome.INVALID, f"{url[:200]!r} is not an address: {error}") from error
        except httpx.TimeoutException as error:
            allowed = self._deadline.ends - started
            raise FetchError(FetchOutcome.TIMEOUT, f"{url}: no complete response within {allowed:.1f} s") from error
        except httpx.TransportError as error:
            raise FetchError(FetchOutcome.HTTP_ERROR, f"{url}: {error or type(error).__name__}") from error


def _host(url: str) -> str:
    try:
        return host_of(url)
    except ValueError as error:
        raise FetchError(FetchOutcome.INVALID, str(error)) from error


def _redirect(response: FetchResponse) -> str:
    """Return the target of a redirect, ``""`` for any other response; httpx has refused invalid targets."""
    location = response.headers.get("location", "")
    if response.status not in _REDIRECTS or not location:
        return ""
    return str(httpx.URL(response.url).join(location).copy_with(fragment=None))


def _objection(
    response: FetchResponse, target: str, own_host: str, seen: Collection[str]
) -> tuple[FetchOutcome, str] | None:
    """Return why a redirect must not be followed, None when it may."""
    if target in seen:
        return FetchOutcome.HTTP_ERROR, f"{response.url}: redirects in a circle to {target[:200]}"
    if len(seen) > MAX_REDIRECTS:
        return FetchOutcome.HTTP_ERROR, f"{response.url}: more than {MAX_REDIRECTS} redirects"
    if response.url.startswith("https:") and not target.startswith("https:"):
        return FetchOutcome.INVALID, f"{response.url}: redirects from https to {target[:200]}"
    try:
        host = _host(target)
    except FetchError as error:
        return error.outcome, f"{response.url}: redirects to an address that is not followed: {error}"
    if host != own_host:
        return FetchOutcome.INVALID, f"{response.url}: redirects to {host}, which is another host"
    return None


def _response(answer: httpx.Response, body: bytes, started: float) -> FetchResponse:
    return FetchResponse(
        url=str(answer.url),
        status=answer.status_code,
        body=body,
        fetched_at=datetime.now(UTC),
        headers=stored_headers(answer.headers.items()),
        seconds=time.monotonic() - started,
    )


class _BrokenBodyError(Exception):
    """A body that cannot be read to its end; `body` is the part that could."""

    def __init__(self, reason: str, body: bytes) -> None:
        super().__init__(reason)
        self.body = body


def _read(answer: httpx.Response, limit: int) -> bytes:
    """Return the decoded body; memory use stays near the limit."""
    encoding = answer.headers.get("content-encoding", "").strip().lower()
    length = answer.headers.get("content-length", "")
    if encoding in ("gzip", "x-gzip"):
        pieces = _unzip(answer.iter_raw())
    elif encoding not in ("", "identity"):
        raise _BrokenBodyError(f"is encoded as {encoding[:50]!r}, which was not requested", b"")
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
    """Yield decoded gzip, of one or several members, in pieces of bounded size.

    httpx would decode a piece at once, however large it becomes, and would not notice a truncated end.
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
        raise zlib.error("it is truncated")


class _Deadline:
    """Until when, on the monotonic clock, the current fetch must be complete."""

    ends = 0.0

    def left(self) -> float:
        """Return the seconds that are left; raise ReadTimeout when none are."""
        left = self.ends - time.monotonic()
        if left <= 0:
            raise httpcore.ReadTimeout("the deadline has passed")
        return left


class _Transport(httpx.HTTPTransport):
    """httpx's transport with connections that keep the deadline: httpx restarts its time limits with every byte."""

    def __init__(self, context: ssl.SSLContext, deadline: _Deadline, allowed: Collection[str]) -> None:
        self._pool = httpcore.ConnectionPool(
            ssl_context=context,
            max_connections=4,
            keepalive_expiry=KEEP_ALIVE,
            retries=0,
            network_backend=_Network(deadline, allowed),
        )


class _Network(httpcore.NetworkBackend):
    """Connects to the addresses that it has checked, so that a second look-up cannot lead elsewhere."""

    def __init__(self, deadline: _Deadline, allowed: Collection[str]) -> None:
        self._deadline = deadline
        self._allowed = allowed
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
        addresses = _addresses(host, self._deadline.left())
        if not may_connect(host, port, addresses, allowed=self._allowed):
            raise httpcore.ConnectError(NOT_PUBLIC.format(host))
        for address in addresses:
            try:
                stream = self._inner.connect_tcp(address, port, self._deadline.left(), local_address, socket_options)
            except httpcore.ConnectError as refused:
                error = refused
            else:
                return _Stream(stream, self._deadline)
        raise error


class _Stream(httpcore.NetworkStream):
    """A stream whose reads and writes end at the deadline."""

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
    """Resolve a host within so many seconds; the system's resolver has no time limit that can be set."""
    try:
        return [str(ipaddress.ip_address(host))]
    except ValueError:
        pass
    try:
        return list(addresses_in_time(host, seconds=seconds))
    except TimeoutError as error:
        raise httpcore.ConnectTimeout(str(error)) from error
    except OSError as error:
        raise httpcore.ConnectError(f"{host} cannot be resolved: {error}") from error
