"""The ASGI application of the process `push`: websockets, Server-Sent Events, probes, and the reader of the events."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
import time
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from django.core.wsgi import get_wsgi_application

from spai.charsets import utf8_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spai.settings")
wsgi_application = utf8_application(get_wsgi_application())

import psycopg  # noqa: E402  Django must be set up before anything that reads its settings.
from asgiref.sync import sync_to_async  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import OriginValidator, WebsocketDenier  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import DatabaseError, connection  # noqa: E402

from apps.api.metrics import EVENT_DELAY  # noqa: E402
from apps.api.push import EventSocket, EventStream, LiveFeed, OpenConnections  # noqa: E402
from apps.api.urls import EVENT_STREAM, websocket_urlpatterns  # noqa: E402
from apps.matches import events  # noqa: E402
from apps.matches.locks import Lock, try_take_while_active  # noqa: E402
from spai.buffering import BufferedApplication  # noqa: E402
from spai.draining import is_draining  # noqa: E402

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""How long the reader waits for a notification, and before it tries again after an error."""

POLL_SECONDS = 5.0
"""Longest time between two reads of the events when there is no notification; every commit sends one. Also the longest
time without a query of the session that holds the relay's lock."""

DRAIN_CHECK_SECONDS = 0.5
"""Time between two looks whether this process is about to be stopped."""

feed = LiveFeed()

_looked_at = time.monotonic()
"""When this process last looked for events to number; what it finds next was committed later."""


def _without_tracebacks_for_clients(record: logging.LogRecord) -> bool:
    # uvicorn logs a text frame that is not UTF-8 with a traceback, although the client is at fault.
    if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError):
        record.exc_info = None
    return True


logging.getLogger("uvicorn.error").addFilter(_without_tracebacks_for_clients)


async def read_events() -> None:
    """Number committed events, in one of all push processes, and read the numbered ones, for as long as this one runs.

    Notifications of PostgreSQL trigger it at once; otherwise it looks every few seconds. It survives failures of the
    database: clients continue from their number when it is back.
    """
    ending = threading.Event()
    loop = asyncio.get_running_loop()
    try:
        while True:
            try:
                # Not in the thread of the clients' reads, which must stay free.
                await sync_to_async(_read_until_fault, thread_sensitive=False)(loop, ending)
            except (DatabaseError, psycopg.Error, OSError) as error:
                logger.warning("events: %s; trying again", error)
            except Exception:
                # Otherwise the thread would end silently, and no event would be numbered until the process restarts.
                logger.exception("events: unexpected error; trying again")
            await asyncio.sleep(RETRY_SECONDS)
    finally:
        ending.set()


async def drain_in_time() -> None:
    """End the connections once this process is about to be stopped; nothing to do where no signal would come."""
    if settings.SPAI_STOP_MARK:
        while not is_draining():
            await asyncio.sleep(DRAIN_CHECK_SECONDS)
        connections.drain()


def _read_until_fault(loop: asyncio.AbstractEventLoop, ending: threading.Event) -> None:
    global _looked_at
    try:
        is_relay, is_notified, looked_at = False, True, time.monotonic()
        _listen(events.NUMBERED)
        while not ending.is_set():
            if not is_relay and (is_relay := try_take_while_active(Lock.RELAY, connection)):
                _listen(events.PUBLISHED)
                logger.info("relay: this process numbers the events")
                is_notified = True
            if is_notified or time.monotonic() - looked_at >= POLL_SECONDS:
                looked_at = time.monotonic()
                while is_relay and _number_events():
                    feed.read(loop)
                feed.read(loop)
            waits_since = time.monotonic()
            is_notified = bool(list(connection.connection.notifies(timeout=RETRY_SECONDS, stop_after=1)))
            if not is_notified:
                # Each commit notifies: none was made before.
                _looked_at = waits_since
    finally:
        # The lock belongs to the database session: closing it lets another process relay.
        connection.close()


def _number_events() -> int:
    """Number committed events and count their delay: at most the time since this process last looked for any."""
    global _looked_at
    began = time.monotonic()
    numbered = events.number_events()
    for _ in range(numbered):
        EVENT_DELAY.observe(time.monotonic() - _looked_at)
    _looked_at = began
    return numbered


def _listen(channel: str) -> None:
    with connection.cursor() as cursor:
        cursor.execute(f"LISTEN {channel}")


class PageOriginValidator(OriginValidator):
    """Accepts websockets of this site's pages, of listed sites, and of programs, which send no Origin header."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a connection whose origin is allowed; refuse any other, and a malformed one, with 403."""
        origin = dict(scope["headers"]).get(b"origin", b"")
        served = super().__call__ if _is_address(origin) else WebsocketDenier()
        await served(scope, receive, send)

    def valid_origin(self, parsed_origin: Any) -> bool:
        """Whether a connection from this origin is accepted."""
        return parsed_origin is None or super().valid_origin(parsed_origin)


def _is_address(origin: bytes) -> bool:
    try:
        _ = urlsplit(origin.decode("latin1")).port
    except ValueError:
        return False
    return True


class WithEvents:
    """The application and the reader of events, which the server's lifespan messages start and stop."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Read events during the lifespan; pass everything else to the application."""
        if scope["type"] != "lifespan":
            await self.application(scope, receive, send)
            return
        await receive()
        tasks = [asyncio.create_task(read_events()), asyncio.create_task(drain_in_time())]
        await send({"type": "lifespan.startup.complete"})
        await receive()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await send({"type": "lifespan.shutdown.complete"})


connections = OpenConnections(
    most=settings.SPAI_PUSH_CONNECTIONS,
    most_of_address=settings.SPAI_PUSH_CONNECTIONS_OF_ADDRESS,
    page_origins=settings.SPAI_PAGE_ORIGINS,
    # Before the last second, in which the server ends what is left.
    drain_seconds=max(0.0, settings.SPAI_DRAIN_SECONDS - DRAIN_CHECK_SECONDS - 1),
)
event_stream = EventStream(feed, connections, settings.SPAI_PUSH_ORIGINS)
buffered = BufferedApplication(wsgi_application, threads=1, alive={"role": settings.SPAI_ROLE}, is_draining=is_draining)


async def http(scope: Any, receive: Any, send: Any) -> None:
    """Serve the stream of events; pass everything else to the WSGI application."""
    await (event_stream if scope["path"] == EVENT_STREAM else buffered)(scope, receive, send)


application = WithEvents(
    ProtocolTypeRouter(
        {
            "http": http,
            "websocket": PageOriginValidator(
                URLRouter(websocket_urlpatterns(EventSocket(feed, connections))), settings.SPAI_PUSH_ORIGINS
            ),
        }
    )
)
