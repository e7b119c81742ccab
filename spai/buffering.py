"""Serve a WSGI application so that a slow client never holds one of its threads.

A WSGI server hands a request to a thread as soon as its headers are there, and the thread then waits for the body and
for the reader of the answer: a few half-sent forms stop the whole process. `BufferedApplication` is an ASGI
application. It receives each request on the event loop, whole, within a deadline and a limit, and only then gives it
to a thread; the answer goes back whole as well. It also limits how many requests wait, and answers `/livez` itself.
"""

from __future__ import annotations

import asyncio
import contextlib
import faulthandler
import io
import json
import logging
import os
import queue
import signal
import sys
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import unquote_to_bytes

from prometheus_client import Counter

logger = logging.getLogger(__name__)

Environ = dict[str, Any]
Headers = list[tuple[str, str]]
Scope = dict[str, Any]
Receive = Callable[[], Awaitable[dict[str, Any]]]
Send = Callable[[dict[str, Any]], Awaitable[None]]
WsgiApplication = Callable[[Environ, Callable[..., Any]], Iterable[bytes]]

BODY_LIMIT: Final = 1024 * 1024
"""Largest body of an ordinary request, in bytes."""
BODY_SECONDS: Final = 10.0
"""Time in which a body must have arrived, beside one second for each `BODY_RATE` bytes of it."""
BODY_RATE: Final = 16 * 1024
"""Slowest upload that is waited for after `BODY_SECONDS`, in bytes per second."""
DISCARD_SECONDS: Final = 2.0
"""How long the rest of a refused body is read and dropped, so that its sender gets to read the refusal."""
WAITING_LIMIT: Final = 64
"""Requests that may wait for a thread of one process; further ones are refused."""
WAITING_SECONDS: Final = 5.0
"""Longest wait for a thread; what waited longer is refused, because its sender has probably gone."""
RETRY_SECONDS: Final = 5
"""What a refused client is asked to wait before it tries again."""
STUCK_SECONDS: Final = 300.0
"""Every thread busy with the same request for so long counts as a deadlock, and the process ends itself."""
LIVENESS: Final = "/livez"
OWN_HEADERS: Final = (
    ("Cache-Control", "no-store"),
    ("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    ("Referrer-Policy", "same-origin"),
    ("X-Content-Type-Options", "nosniff"),
    ("X-Frame-Options", "DENY"),
)
"""Headers of the answers that come from here: what Django's middleware adds to those of the application."""

refused = Counter("spai_requests_refused", "Requests that no thread was given to, by the reason.", ["reason"])


class RefusedError(Exception):
    """A request that no thread is given to.

    Parameters
    ----------
    status : HTTPStatus
    reason : str
        Label of the metric.
    detail : str
        What happened and what to do, for a person.
    """

    def __init__(self, status: HTTPStatus, reason: str, detail: str) -> None:
        super().__init__(detail)
        self.status = status
        self.reason = reason
        self.detail = detail


class ClientGoneError(Exception):
    """The client closed the connection before its request was there."""


@dataclass(slots=True)
class Answer:
    """What the WSGI application answered.

    Attributes
    ----------
    status : int
        HTTP status.
    headers : list of (str, str)
    body : bytes
        All of it, or what there was when `error` came.
    is_streamed : bool
        Whether the application did not announce its length; then the server sends it in chunks.
    error : Exception or None
        What the body ended with after the application had begun to answer.
    """

    status: int
    headers: Headers
    body: bytes
    is_streamed: bool = False
    error: Exception | None = None


@dataclass(slots=True)
class Job:
    """A request that waits for a thread.

    Attributes
    ----------
    environ : dict
        The request as WSGI describes it.
    done : asyncio.Future
        Receives the `Answer`, or the error.
    claim : Lock
        Belongs to who decides: the thread that answers the request, or the timer that refuses it. Never both, so that
        a request that was refused has not been carried out.
    """

    environ: Environ
    done: asyncio.Future[Answer]
    claim: threading.Lock = field(default_factory=threading.Lock)

    def expire(self) -> None:
        """Refuse the request, unless a thread has taken it."""
        if self.claim.acquire(blocking=False):
            _settle(self.done, _overloaded())


class Threads:
    """Threads that run a WSGI application, and the requests that wait for one of them.

    Parameters
    ----------
    application : callable
        The WSGI application.
    count : int
        Number of threads.
    name : str
        Name of the threads, for stack traces.
    """

    def __init__(self, application: WsgiApplication, count: int, name: str) -> None:
        self._application = application
        self._waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._begun: dict[int, float] = {}
        """Thread → when it began its present request, on the monotonic clock."""
        self._count = count
        for number in range(count):
            threading.Thread(target=self._run, args=(number,), name=f"{name}-{number}", daemon=True).start()

    async def run(self, environ: Environ) -> Answer:
        """Have a thread answer a request.

        Raises
        ------
        RefusedError
            When too many wait already, or this one has waited too long.
        """
        if self._waiting.qsize() >= WAITING_LIMIT:
            raise _overloaded()
        loop = asyncio.get_running_loop()
        job = Job(environ, loop.create_future())
        self._waiting.put(job)
        timer = loop.call_later(WAITING_SECONDS, job.expire)
        try:
            return await job.done
        finally:
            timer.cancel()

    def stuck_for(self) -> float:
        """Return for how many seconds no thread has taken a request although some wait, 0 when none waits."""
        begun = self._begun.copy()
        if self._waiting.empty() or len(begun) < self._count:
            return 0.0
        return time.monotonic() - max(begun.values())

    def _run(self, number: int) -> None:
        while True:
            job = self._waiting.get()
            if not job.claim.acquire(blocking=False):
                continue
            self._begun[number] = time.monotonic()
            outcome: Answer | Exception
            try:
                outcome = call(self._application, job.environ)
            except Exception as error:
                outcome = error
            except BaseException as error:  # such as SystemExit, which must not end the thread
                outcome = RuntimeError(f"the application raised {error!r}")
            del self._begun[number]
            # The loop is closed where the process ended while this request was running.
            with contextlib.suppress(RuntimeError):
                job.done.get_loop().call_soon_threadsafe(_settle, job.done, outcome)


def _settle(done: asyncio.Future[Answer], outcome: Answer | Exception) -> None:
    if done.cancelled():
        return
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)


def unavailable(reason: str, detail: str) -> RefusedError:
    """Return the refusal of a request that may succeed when it is sent again a little later."""
    return RefusedError(HTTPStatus.SERVICE_UNAVAILABLE, reason, detail)


def _overloaded() -> RefusedError:
    return unavailable(
        "overload", f"More is asked of this site than it can answer now. Try again in {RETRY_SECONDS} seconds."
    )


def call(application: WsgiApplication, environ: Environ) -> Answer:
    """Run a WSGI application for one request and collect its answer.

    Raises
    ------
    Exception
        What the application raised before it began to answer.
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
    return Answer(int(status[:3]), headers, b"".join(written), is_streamed, failure)


class BufferedApplication:
    """The ASGI application in front of a WSGI application.

    Parameters
    ----------
    application : callable
        The WSGI application.
    threads : int
        How many requests it answers at a time.
    reserved : mapping of tuple of str to int, optional
        Prefixes of paths → number of threads that answer nothing but these, so that they wait for no other request.
    body_limit : callable, optional
        Takes the environ of a request that announces more than `BODY_LIMIT` bytes, in a thread, and returns how many
        bytes may come; 0 where the application refuses the request by its headers, and the body is not received.
        `BODY_LIMIT` for all requests by default.
    alive : mapping, optional
        What `/livez` answers.
    """

    def __init__(
        self,
        application: WsgiApplication,
        *,
        threads: int,
        reserved: Mapping[tuple[str, ...], int] | None = None,
        body_limit: Callable[[Environ], int] | None = None,
        alive: Mapping[str, str] | None = None,
    ) -> None:
        self._threads = Threads(application, threads, "request")
        self._reserved = [
            (prefixes, Threads(application, count, prefixes[0].strip("/")))
            for prefixes, count in (reserved or {}).items()
        ]
        self._body_limit = body_limit
        self._alive = json.dumps({"status": "alive", **(alive or {})}).encode()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection of the server."""
        if scope["type"] == "lifespan":
            await self._lifespan(receive, send)
            return
        if scope["path"] == LIVENESS:
            await _reply(send, self._livez(scope["method"]))
            return
        try:
            answer = await self._answer(scope, receive)
        except ClientGoneError:
            return
        except RefusedError as error:
            refused.labels(error.reason).inc()
            answer = refusal(error, scope["path"])
            if error.status is HTTPStatus.REQUEST_ENTITY_TOO_LARGE and not _asks_first(scope):
                await _discard(receive)
        await _reply(send, answer)
        if answer.error is not None:
            # The server closes the connection, so that a broken answer cannot be taken for a whole one.
            raise answer.error

    async def _answer(self, scope: Scope, receive: Receive) -> Answer:
        environ = environ_of(scope)
        limit = await self._limit_of(environ)
        body = await receive_body(scope, receive, limit) if limit else b""
        environ["wsgi.input"] = io.BytesIO(body)
        return await self._pool_of(scope["path"]).run(environ)

    async def _limit_of(self, environ: Environ) -> int:
        """Return how large the body of this request may be."""
        if self._body_limit is None or _announced(environ) <= BODY_LIMIT:
            return BODY_LIMIT
        return await asyncio.get_running_loop().run_in_executor(None, self._body_limit, environ)

    def _pool_of(self, path: str) -> Threads:
        for prefixes, pool in self._reserved:
            if path.startswith(prefixes):
                return pool
        return self._threads

    def _livez(self, method: str) -> Answer:
        headers = [("Content-Type", "application/json"), *OWN_HEADERS]
        if method not in ("GET", "HEAD"):
            return Answer(HTTPStatus.METHOD_NOT_ALLOWED, [("Allow", "GET, HEAD"), *headers], b"")
        return Answer(HTTPStatus.OK, headers, self._alive if method == "GET" else b"")

    async def _lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        ending = asyncio.create_task(self._end_when_stuck())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        ending.cancel()
        await send({"type": "lifespan.shutdown.complete"})

    async def _end_when_stuck(self) -> None:
        """End this process when its threads are in a deadlock; the server starts another one.

        Slowness is no deadlock: a thread that takes a new request shows that the process makes progress.
        """
        while self._threads.stuck_for() < STUCK_SECONDS:
            await asyncio.sleep(STUCK_SECONDS / 30)
        logger.critical(
            "no thread has taken a request for %.0f s and some wait; this process ends itself. Its threads:",
            STUCK_SECONDS,
        )
        faulthandler.dump_traceback()
        os.kill(os.getpid(), signal.SIGKILL)


def environ_of(scope: Scope) -> Environ:
    """Return the WSGI environ of a request, without its body.

    A header whose name has an underscore is left out: in WSGI it could not be told from the one with a hyphen.
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


def _announced(environ: Environ) -> int:
    """Return the Content-Length of a request, 0 when there is none or it is no number."""
    text = environ.get("CONTENT_LENGTH", "")
    return int(text) if text.isascii() and text.isdigit() else 0


async def receive_body(scope: Scope, receive: Receive, limit: int) -> bytes:
    """Receive the body of a request to its end.

    Parameters
    ----------
    limit : int
        Largest body in bytes.

    Raises
    ------
    RefusedError
        When it is larger than `limit`, or does not arrive in time.
    ClientGoneError
        When the connection ends before the body does.
    """
    announced = {name: value for name, value in scope["headers"] if name in (b"content-length", b"transfer-encoding")}
    if not announced or announced.get(b"content-length") == b"0":
        return b""
    length = announced.get(b"content-length", b"")
    if length.isdigit() and int(length) > limit:
        raise _too_large(limit)
    pieces: list[bytes] = []
    size, start = 0, asyncio.get_running_loop().time()
    try:
        async with asyncio.timeout(BODY_SECONDS) as deadline:
            while True:
                message = await receive()
                if message["type"] != "http.request":
                    raise ClientGoneError
                pieces.append(message.get("body", b""))
                size += len(pieces[-1])
                if size > limit:
                    raise _too_large(limit)
                if not message.get("more_body"):
                    return b"".join(pieces)
                deadline.reschedule(start + BODY_SECONDS + size / BODY_RATE)
    except TimeoutError:
        raise RefusedError(
            HTTPStatus.REQUEST_TIMEOUT, "slow body", "The body of the request did not arrive in time. Send it again."
        ) from None


def _too_large(limit: int) -> RefusedError:
    return RefusedError(
        HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
        "large body",
        f"The body of this request may have {limit:,} bytes. Send less in one request.",
    )


def _asks_first(scope: Scope) -> bool:
    """Whether the client sends its body only after it is told to go on, so that a refusal reaches it at once."""
    return any(name == b"expect" for name, _ in scope["headers"])


async def _discard(receive: Receive) -> None:
    """Read and drop what a client still sends, for a short time."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(DISCARD_SECONDS):
            while (message := await receive())["type"] == "http.request" and message.get("more_body"):
                continue


def refusal(error: RefusedError, path: str) -> Answer:
    """Return the answer to a refused request: problem details under /api/, a small page elsewhere."""
    headers = [*OWN_HEADERS]
    if error.status is HTTPStatus.SERVICE_UNAVAILABLE:
        headers.append(("Retry-After", str(RETRY_SECONDS)))
    else:
        headers.append(("Connection", "close"))
    title = error.status.phrase
    if path.startswith("/api/"):
        problem = {
            "type": "about:blank",
            "title": title,
            "status": error.status.value,
            "detail": error.detail,
            "instance": path,
            "request_id": "",
        }
        return Answer(
            error.status, [("Content-Type", "application/problem+json"), *headers], json.dumps(problem).encode()
        )
    page = (
        '<!doctype html><html lang="en"><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
        f'<meta name="color-scheme" content="light dark"><title>{title} · SPAI</title>'
        f"<h1>{title}</h1><p>{error.detail}</p></html>"
    )
    return Answer(error.status, [("Content-Type", "text/html; charset=utf-8"), *headers], page.encode())


async def _reply(send: Send, answer: Answer) -> None:
    headers = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in answer.headers]
    await send({"type": "http.response.start", "status": int(answer.status), "headers": headers})
    goes_on = answer.is_streamed or answer.error is not None
    await send({"type": "http.response.body", "body": answer.body, "more_body": goes_on})
    if goes_on and answer.error is None:
        await send({"type": "http.response.body", "body": b""})
