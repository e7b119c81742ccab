"""The ASGI application in front of a WSGI application."""

from __future__ import annotations

import asyncio
import faulthandler
import io
import json
import logging
import os
import signal
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from http import HTTPStatus
from typing import Any, Final

from spai.buffering.bodies import BODY_LIMIT, Body, Memory
from spai.buffering.refusals import OWN_HEADERS, ClientGoneError, RefusedError, failed, overloaded, refused, response_to
from spai.buffering.response_cache import ResponseCache
from spai.buffering.threads import WAITING_SECONDS, Threads
from spai.buffering.wsgi import Environ, Receive, Scope, Send, WsgiApplication, WsgiResponse, environ_of

logger = logging.getLogger(__name__)

STUCK_SECONDS: Final = 300.0
"""When every thread has worked on one request for so long, that counts as a deadlock and the process exits."""
LIVENESS: Final = "/livez"


class BufferedApplication:
    """Receives each request completely, runs the WSGI application in a thread, and sends the response.

    It answers as many requests at a time as `threads`. `reserved` gives prefixes of paths a number of threads for these
    alone, so that they never wait for other requests. `body_limit` is called in a thread with the environ of a request
    that announces more than `BODY_LIMIT` bytes, which is the limit for all others. It returns the largest body in
    bytes, or 0 when the application refuses the request by its headers and the body is not needed. `alive` is further
    content of the response of `/livez`. `cache` sends responses again that the application permits to keep.
    """

    def __init__(
        self,
        application: WsgiApplication,
        *,
        threads: int,
        reserved: Mapping[tuple[str, ...], int] | None = None,
        body_limit: Callable[[Environ], int] | None = None,
        alive: Mapping[str, str] | None = None,
        cache: ResponseCache | None = None,
        is_draining: Callable[[], bool] = lambda: False,
    ) -> None:
        self._threads = Threads(application, threads, "request")
        self._reserved = [
            (prefixes, Threads(application, count, prefixes[0].strip("/")))
            for prefixes, count in (reserved or {}).items()
        ]
        self._memory = Memory()
        self._body_limit = body_limit
        self._limits = ThreadPoolExecutor(1, "body-limit")
        self._cache = cache
        self._is_draining = is_draining
        self._alive = json.dumps({"status": "alive", **(alive or {})}).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if self._is_draining():
            send = _closing(send)
        if scope["path"] == LIVENESS:
            await self._livez(scope["method"]).send_to(send)
            return
        stamp = None
        if self._cache is not None:
            stamp = self._cache.stamp(scope)
            if (cached := self._cache.find(scope, stamp)) is not None:
                await cached.send_to(send)
                return
        body = Body(scope, receive, self._memory)
        try:
            response = await self._answer(scope, body, stamp)
        except ClientGoneError:
            return
        except RefusedError as error:
            refused.labels(error.reason).inc()
            response = response_to(error, scope["path"])
        except Exception:
            logger.exception("%s %s was not answered", scope["method"], scope["path"])
            response = response_to(failed(), scope["path"])
        finally:
            body.release()
        if body.is_coming:
            await body.discard()
        await response.send_to(send)
        if response.error is not None:
            # The server then closes the connection, so that the client notices that the response is incomplete.
            raise response.error

    async def _answer(self, scope: Scope, body: Body, stamp: int | None) -> WsgiResponse:
        environ = environ_of(scope)
        limit = await self._limit_of(environ)
        environ["wsgi.input"] = io.BytesIO(await body.read(limit) if limit else b"")
        disconnected = body.wait_for_disconnect if limit else None
        response = await self._threads_for(scope["path"]).run(environ, disconnected)
        if self._cache is not None:
            self._cache.store(scope, environ, response, stamp)
        return response

    async def _limit_of(self, environ: Environ) -> int:
        """Return the largest body of this request, in bytes; raise `RefusedError` when `body_limit` takes too long."""
        if self._body_limit is None or _announced(environ) <= BODY_LIMIT:
            return BODY_LIMIT
        try:
            async with asyncio.timeout(WAITING_SECONDS):
                return await asyncio.get_running_loop().run_in_executor(self._limits, self._body_limit, environ)
        except TimeoutError:
            raise overloaded() from None

    def _threads_for(self, path: str) -> Threads:
        for prefixes, threads in self._reserved:
            if path.startswith(prefixes):
                return threads
        return self._threads

    def _livez(self, method: str) -> WsgiResponse:
        headers = [("Content-Type", "application/json"), *OWN_HEADERS]
        if method not in ("GET", "HEAD"):
            return WsgiResponse(HTTPStatus.METHOD_NOT_ALLOWED, [("Allow", "GET, HEAD"), *headers], b"")
        return WsgiResponse(HTTPStatus.OK, headers, self._alive if method == "GET" else b"")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        ending = asyncio.create_task(self._end_when_stuck())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        ending.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def _end_when_stuck(self) -> None:
        """Kill this process when its threads are in a deadlock; the server starts another one.

        A slow process is not in a deadlock: as long as any thread begins a new request, there is progress.
        """
        while self._threads.stuck_for() < STUCK_SECONDS:
            await asyncio.sleep(STUCK_SECONDS / 30)
        logger.critical(
            "no thread has begun a request for %.0f s and some are waiting; this process exits. Its threads:",
            STUCK_SECONDS,
        )
        faulthandler.dump_traceback()
        os.kill(os.getpid(), signal.SIGKILL)


def _closing(send: Send) -> Send:
    """Return `send` that adds to a response that the connection ends."""

    async def send_last(message: dict[str, Any]) -> None:
        if message["type"] == "http.response.start":
            others = [header for header in message["headers"] if header[0].lower() != b"connection"]
            message = {**message, "headers": [*others, (b"connection", b"close")]}
        await send(message)

    return send_last


def _announced(environ: Environ) -> int:
    """Return the Content-Length of a request, 0 when it is missing or not a number."""
    text = environ.get("CONTENT_LENGTH", "")
    return int(text) if text.isascii() and text.isdigit() else 0
