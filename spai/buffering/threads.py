"""The threads that run the WSGI application, and the queue of requests for them."""

from __future__ import annotations

import asyncio
import contextlib
import queue
import threading
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Final

from spai.buffering.refusals import ClientGoneError, overloaded
from spai.buffering.wsgi import BodyStream, Environ, WsgiApplication, WsgiResponse, call

WAITING_LIMIT: Final = 64
"""Requests that may wait for a thread; further ones are refused."""
WAITING_SECONDS: Final = 10.0
"""Longest wait for a thread; longer ones are refused, because the client has probably disconnected."""


@dataclass(slots=True)
class Job:
    """A request that waits for a thread."""

    environ: Environ
    done: asyncio.Future[WsgiResponse]  # receives the `WsgiResponse`, or the error
    # Acquired either by the thread that runs the request or by the event loop that refuses it, never by both: a refused
    # request has not been executed.
    claim: threading.Lock = field(default_factory=threading.Lock)

    def begin(self, response: WsgiResponse) -> BodyStream:
        """Answer with a response whose body the thread continues to make."""
        response.stream = stream = BodyStream(self.done.get_loop())
        self.set_outcome(response)
        return stream

    def set_outcome(self, outcome: WsgiResponse | Exception) -> None:
        """Answer, or raise an error, from the thread."""
        # The loop is closed if the process ended while this request was running.
        with contextlib.suppress(RuntimeError):
            self.done.get_loop().call_soon_threadsafe(set_outcome, self.done, outcome)

    def end(self, error: Exception) -> None:
        """Refuse the request with an error, unless a thread has begun it."""
        if self.claim.acquire(blocking=False):
            set_outcome(self.done, error)


class Threads:
    """A number of threads that run a WSGI application."""

    def __init__(self, application: WsgiApplication, count: int, name: str) -> None:
        self._application = application
        self._waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
        self._begun: dict[int, float] = {}
        """Thread → when it began its current request, on the monotonic clock."""
        self._count = count
        self._open = 0
        """Requests that wait or are being answered; the queue also contains those that were refused meanwhile."""
        for number in range(count):
            threading.Thread(target=self._run, args=(number,), name=f"{name}-{number}", daemon=True).start()

    async def run(self, environ: Environ, disconnected: Callable[[], Awaitable[None]] | None = None) -> WsgiResponse:
        """Run a request in a thread.

        Parameters
        ----------
        environ : dict
            The request as WSGI describes it.
        disconnected : callable, optional
            Returns an awaitable that ends when the client has closed the connection. Not checked by default.

        Raises
        ------
        RefusedError
            When too many are waiting, or this one has waited too long.
        ClientGoneError
            When the client disconnected before a thread began the request, which is then not executed.
        """
        if self._open >= self._count + WAITING_LIMIT:
            raise overloaded()
        loop = asyncio.get_running_loop()
        job = Job(environ, loop.create_future())
        watching = None
        if disconnected is not None and self._open >= self._count:
            watching = loop.create_task(_end_when_gone(job, disconnected))
        self._open += 1
        self._waiting.put(job)
        timer = loop.call_later(WAITING_SECONDS, lambda: job.end(overloaded()))
        try:
            return await job.done
        finally:
            self._open -= 1
            timer.cancel()
            if watching is not None:
                watching.cancel()

    def stuck_for(self) -> float:
        """Return for how many seconds no thread has begun a request although some are waiting, otherwise 0."""
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
            outcome: WsgiResponse | Exception | None
            try:
                outcome = call(self._application, job.environ, job.begin)
            except Exception as error:
                outcome = error
            except BaseException as error:  # such as SystemExit, which must not end the thread
                outcome = RuntimeError(f"the application raised {error!r}")
            del self._begun[number]
            if outcome is not None:
                job.set_outcome(outcome)


async def _end_when_gone(job: Job, disconnected: Callable[[], Awaitable[None]]) -> None:
    await disconnected()
    job.end(ClientGoneError())


def set_outcome(done: asyncio.Future[WsgiResponse], outcome: WsgiResponse | Exception) -> None:
    """Set the outcome of a request unless it has one."""
    if done.done():
        return
    if isinstance(outcome, Exception):
        done.set_exception(outcome)
    else:
        done.set_result(outcome)
