"""Requests and responses in the form of WSGI."""

from __future__ import annotations

import sys
from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass
from typing import Any
from urllib.parse import unquote_to_bytes

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
WsgiApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]


@dataclass(slots=True)
class WsgiResponse:
    """The response of the WSGI application."""

    status: int  # HTTP status
    headers: Headers
    body: bytes  # all of it, or what there was when `error` occurred
    is_streamed: bool = False  # whether it has no Content-Length; the server then sends it in chunks
    error: Exception | None = None  # the error that ended the body after the response had begun

    async def send_to(self, send: Send) -> None:
        """Send the response to the server."""
        headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in self.headers]
        await send({"type": "http.response.start", "status": int(self.status), "headers": headers})
        goes_on = self.is_streamed or self.error is not None
        await send({"type": "http.response.body", "body": self.body, "more_body": goes_on})
        if goes_on and self.error is None:
            await send({"type": "http.response.body", "body": b""})


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


def call(application: WsgiApplication, environ: Environ) -> WsgiResponse:
    """Run a WSGI application for one request and collect its response.

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
    failure: Exception | None = None
    try:
        pieces = application(environ, start_response)
        written.extend(pieces)
    except Exception as error:
        if not begun or not any(written):
            raise
        failure = error
    finally:
        if hasattr(pieces, "close"):
            pieces.close()
    status, headers = begun[0]
    is_streamed = len(written) > 1 and not any(name.lower() == "content-length" for name, _ in headers)
    return WsgiResponse(int(status[:3]), headers, b"".join(written), is_streamed, failure)
