"""Push as Server-Sent Events: the stream of events that a websocket gets, over plain HTTP and without messages back."""

from __future__ import annotations

import asyncio
import json
import logging
import random
from collections.abc import Collection
from http import HTTPStatus
from typing import Any, Final

from django.db import DatabaseError

from apps.api.authentication import CHALLENGE
from apps.api.push.connections import NotAdmittedError, OpenConnections, UntilRefused, header, number_of, wanted
from apps.api.push.live import FeedRestartedError, Follower, FutureNumberError, LiveFeed
from apps.matches.feed import SubscriptionError
from apps.matches.status_titles import title_of

logger = logging.getLogger(__name__)

RETRY_MILLISECONDS: Final = (1000, 4000)
"""Range of the random delay after which a browser connects again, so that not all connect at once."""
UNAVAILABLE: Final = "The events cannot be read at the moment. Try again in a minute."


class EventStream:
    """The ASGI application of `GET /api/v1/events/stream/`.

    Parameters
    ----------
    feed : LiveFeed
    connections : OpenConnections
    origins : collection of str
        Other sites whose pages may read the stream.
    """

    def __init__(self, feed: LiveFeed, connections: OpenConnections, origins: Collection[str]) -> None:
        self._feed = feed
        self._connections = connections
        self._origins = origins

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        origin = header(scope, b"origin")
        shared = [(b"vary", b"Origin")]
        if origin in self._origins:
            shared.append((b"access-control-allow-origin", origin.encode("latin-1")))
        try:
            if scope["method"] != "GET":
                raise NotAdmittedError(HTTPStatus.METHOD_NOT_ALLOWED, "A stream is read by GET.")
            async with self._connections.admitted(scope) as until_refused:
                await self._serve(scope, receive, send, shared, until_refused)
        except NotAdmittedError as refused:
            await _refuse(scope, send, shared, refused.status, str(refused))
        except SubscriptionError as error:
            await _refuse(scope, send, shared, HTTPStatus.BAD_REQUEST, f"{error.field}: {error}")
        except FutureNumberError as error:
            await _refuse(scope, send, shared, HTTPStatus.CONFLICT, str(error))
        except DatabaseError as error:
            logger.warning("push cannot read the events: %s", error)
            await _refuse(scope, send, shared, HTTPStatus.SERVICE_UNAVAILABLE, UNAVAILABLE)

    async def _serve(
        self, scope: Any, receive: Any, send: Any, shared: list[tuple[bytes, bytes]], until_refused: UntilRefused
    ) -> None:
        after, subscription = wanted(scope)
        # A browser that connects again repeats the address and names the latest number that it got.
        latest = header(scope, b"last-event-id")
        position, is_reset = await self._feed.place(number_of(latest) if latest else after)
        headers = [
            (b"content-type", b"text/event-stream; charset=utf-8"),
            (b"cache-control", b"no-store"),
            # nginx would keep events until it has a whole buffer of them.
            (b"x-accel-buffering", b"no"),
            *shared,
        ]
        await send({"type": "http.response.start", "status": HTTPStatus.OK, "headers": headers})
        retry = random.randint(*RETRY_MILLISECONDS)
        greeting = f"retry: {retry}\n" + _named("hello", position, number=self._feed.newest)
        if is_reset:
            greeting += _named("reset", position, number=position, oldest=position + 1)
        with Follower(self._feed, [subscription], position) as follower:
            sending = asyncio.create_task(self._send_events(follower, send, greeting))
            leaving = asyncio.create_task(_disconnected(receive))
            # The client connects again: to another process when this one drains; else it gets the error of its key.
            refused = asyncio.ensure_future(until_refused())
            tasks = {sending, leaving, refused}
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            if refused in done:
                await _end(send)

    async def _send_events(self, follower: Follower, send: Any, greeting: str) -> None:
        await _write(send, greeting)
        try:
            while True:
                events = await follower.page()
                # An id without data moves the number that a browser names when it connects again.
                text = "".join(f"id: {event.number}\ndata: {event.text}\n\n" for event in events)
                await _write(send, text or f": heartbeat\nid: {follower.position}\n\n")
                if follower.is_behind:
                    await asyncio.sleep(0)
        except (FeedRestartedError, DatabaseError) as error:
            logger.warning("push ends a stream: %s", error)
        await _end(send)


async def _disconnected(receive: Any) -> None:
    while (await receive())["type"] != "http.disconnect":
        pass


def _named(name: str, position: int, **data: int) -> str:
    return f"id: {position}\nevent: {name}\ndata: {json.dumps({'type': name} | data)}\n\n"


async def _write(send: Any, text: str) -> None:
    await send({"type": "http.response.body", "body": text.encode(), "more_body": True})


async def _end(send: Any) -> None:
    await send({"type": "http.response.body", "body": b""})


async def _refuse(scope: Any, send: Any, shared: list[tuple[bytes, bytes]], status: HTTPStatus, detail: str) -> None:
    """Answer with problem details (RFC 9457)."""
    problem = {
        "type": "about:blank",
        "title": title_of(status),
        "status": status,
        "detail": detail,
        "instance": scope["path"],
    }
    headers = [(b"content-type", b"application/problem+json"), (b"cache-control", b"no-store"), *shared]
    if status == HTTPStatus.METHOD_NOT_ALLOWED:
        headers.append((b"allow", b"GET"))
    if status == HTTPStatus.UNAUTHORIZED:
        headers.append((b"www-authenticate", CHALLENGE.encode()))
    if status in (HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.TOO_MANY_REQUESTS):
        headers.append((b"retry-after", b"60"))
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": json.dumps(problem).encode()})
