"""Requests and responses in the form of WSGI."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

logger = logging.getLogger(__name__)

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
WsgiApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


class BodyStream:
    """The pieces of a body that a thread makes while the event loop sends them; the thread never waits for a client."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._loop = loop
        self._pieces: asyncio.Queue[bytes | Exception | None] = asyncio.Queue()

    def put(self, piece: bytes | Exception | None) -> None:
        """Add a piece from the thread; None at the end, or the error that ended the body."""
        # The loop is closed if the process ended while this request was running.
        with contextlib.suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._pieces.put_nowait, piece)

    async def __aiter__(self) -> AsyncIterator[bytes]:
        while (piece := await self._pieces.get()) is not None:
            if isinstance(piece, Exception):
                raise piece
            yield piece


@dataclass(slots=True)
class WsgiResponse:
    """The response of the WSGI application."""

    status: int  # HTTP status
    headers: Headers
    body: bytes = b""  # all of it, or what there was when `error` occurred
    error: Exception | None = None  # the error that ended the body after the response had begun
    stream: BodyStream | None = None  # in place of `body`: pieces that are still being made; it has no Content-Length

    async def send_to(self, send: Send) -> None:
        """Send the response to the server."""
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        await send({"type": "http.response.start", "status": int(self.status), "headers": headers})
        if self.stream is not None:
            async for piece in self.stream:
                await send({"type": "http.response.body", "body": piece, "more_body": True})
        await send({"type": "http.response.body", "body": self.body, "more_body": self.error is not None})


def environ_of(scope: Scope) -> Environ:
    """Return the WSGI environ of a request, without its body.

    A header whose name contains an underscore is omitted: WSGI cannot distinguish it from one with a hyphen.
    """
    host, port = scope.get("server") or ("localhost", 80)
    environ: Environ = {
        "REQUEST_METHOD": scope["method"],
        "SCRIPT_NAME": "",
        "PATH_INFO": unquote_to_bytes(scope["raw_path"]).decode("latin-1"),
        "QUERY_STRING": scope["query_string"].decode("latin-1"),
        "SERVER_PROTOCOL": f"HTTP/{scope['http_version']}",
        "SERVER_NAME": host,
        "SERVER_PORT": str(port),
        "REMOTE_ADDR": (scope.get("client") or ("",))[0],
        "wsgi.version": (1, 0),
        "wsgi.url_scheme": scope["scheme"],
        "wsgi.errors": sys.stderr,
        "wsgi.multithread": True,
        "wsgi.multiprocess": True,
        "wsgi.run_once": False,
    }
    for raw_name, raw_value in scope["headers"]:
        name = raw_name.decode("latin-1").upper()
        if "_" in name:
            continue
        key = name.replace("-", "_")
        if key not in ("CONTENT_TYPE", "CONTENT_LENGTH"):
            key = f"HTTP_{key}"
        value = raw_value.decode("latin-1")
        if key in environ:
            value = f"{environ[key]}{'; ' if key == 'HTTP_COOKIE' else ','}{value}"
        environ[key] = value
    return environ


def call(
    application: WsgiApplication, environ: Environ, begin: Callable[[WsgiResponse], BodyStream] | None = None
) -> WsgiResponse | None:
    """Run a WSGI application for one request and collect its response.

    Parameters
    ----------
    begin : callable, optional
        Called with a response of unknown length at its first piece; it and the further ones go into the stream that
        `begin` returns, and `call` returns None. By default, such a response is collected too.

    Raises
    ------
    Exception
        What the application raised before the response began.
    """
    begun: list[tuple[str, Headers]] = []
    written: list[bytes] = []

    def start_response(status: str, headers: Headers, exc_info: Any = None) -> Callable[[bytes], None]:
        begun[:] = [(status, headers)]
        return written.append

    pieces: Iterable[bytes] = ()
    stream: BodyStream | None = None
    failure: Exception | None = None
    try:
        pieces = application(environ, start_response)
        for piece in pieces:
            if stream is None and begin is not None and piece and not _has_length(begun[0][1]):
                stream = begin(WsgiResponse(int(begun[0][0][:3]), begun[0][1]))
            (written.append if stream is None else stream.put)(piece)
    except BaseException as error:
        failure = error if isinstance(error, Exception) else RuntimeError(f"the application raised {error!r}")
        if stream is None and (not begun or not any(written)):
            raise
    finally:
        _close(pieces, environ)
        if stream is not None:
            stream.put(failure)
    if stream is not None:
        return None
    status, headers = begun[0]
    return WsgiResponse(int(status[:3]), headers, b"".join(written), failure)


def _close(pieces: Iterable[bytes], environ: Environ) -> None:
    """Close a response as WSGI demands; an error is logged, because the response itself is complete without it."""
    try:
        if hasattr(pieces, "close"):
            pieces.close()
    except BaseException:  # such as SystemExit, which must not end the thread
        logger.exception("the response to %s %s was not closed", environ["REQUEST_METHOD"], environ["PATH_INFO"])


def _has_length(headers: Headers) -> bool:
    return any(name.lower() == "content-length" for name, _ in headers)
