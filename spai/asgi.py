"""The ASGI application of the process `push`: websockets, probes, and the relay that numbers events."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import os
import threading
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from django.core.wsgi import get_wsgi_application

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spai.settings")
wsgi_application = get_wsgi_application()

import psycopg  # noqa: E402  Django must be set up before anything that reads its settings.
from asgiref.sync import sync_to_async  # noqa: E402
from channels.routing import ProtocolTypeRouter, URLRouter  # noqa: E402
from channels.security.websocket import OriginValidator, WebsocketDenier  # noqa: E402
from django.conf import settings  # noqa: E402
from django.db import DatabaseError, connection  # noqa: E402
from redis.exceptions import RedisError  # noqa: E402

from apps.api.urls import websocket_urlpatterns  # noqa: E402
from apps.matches import events  # noqa: E402
from apps.matches.locks import Lock, try_take  # noqa: E402
from spai.buffering import BufferedApplication  # noqa: E402

logger = logging.getLogger(__name__)

RETRY_SECONDS = 1.0
"""How long the relay waits for its lock, for a notification, and after a fault, before it looks again."""


def _without_tracebacks_for_clients(record: logging.LogRecord) -> bool:
    # uvicorn logs a text frame that is no text with a traceback, as if that were a fault of this process.
    if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError):
        record.exc_info = None
    return True


logging.getLogger("uvicorn.error").addFilter(_without_tracebacks_for_clients)


async def relay() -> None:
    """Number committed events and broadcast them, for as long as this process lives.

    A notification of PostgreSQL wakes it at once; without one it looks once a second. When the database or the channel
    layer is gone it tries again: numbered events that were not broadcast are replayed to clients by number.
    """
    ending = threading.Event()
    try:
        while True:
            try:
                # A thread of its own: the one that views and consumers share must stay free.
                await sync_to_async(_relay_until_fault, thread_sensitive=False)(ending)
            except (DatabaseError, psycopg.Error, RedisError, OSError) as error:
                logger.warning("relay: %s; trying again", error)
            except Exception:
                # Without the relay no event is numbered again until the process ends, and nobody would see why.
                logger.exception("relay: a fault of the code; trying again")
            await asyncio.sleep(RETRY_SECONDS)
    finally:
        ending.set()


def _relay_until_fault(ending: threading.Event) -> None:
    try:
        if not try_take(Lock.RELAY):
            return
        with connection.cursor() as cursor:
            cursor.execute("LISTEN spai_event")
        logger.info("relay: this process numbers the events")
        while not ending.is_set():
            while numbered := events.number_events():
                events.broadcast(numbered)
            for _ in connection.connection.notifies(timeout=RETRY_SECONDS, stop_after=1):
                pass
    finally:
        # The lock belongs to the database session: closing it lets another process relay.
        connection.close()


class PageOriginValidator(OriginValidator):
    """Lets pages of this site in, and programs, which name no origin; other sites' pages stay out."""

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve a connection whose origin is allowed; refuse any other with 403, one that is no address too."""
        origin = dict(scope["headers"]).get(b"origin", b"")
        served = super().__call__ if _is_address(origin) else WebsocketDenier()
        await served(scope, receive, send)

    def valid_origin(self, parsed_origin: Any) -> bool:
        """Whether a connection from this origin is served."""
        return parsed_origin is None or super().valid_origin(parsed_origin)


def _is_address(origin: bytes) -> bool:
    try:
        _ = urlsplit(origin.decode("latin1")).port
    except ValueError:
        return False
    return True


class WithRelay:
    """The application with the relay beside it, started and ended by the server's lifespan messages."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Run the relay for the lifespan; pass everything else on."""
        if scope["type"] != "lifespan":
            await self.application(scope, receive, send)
            return
        await receive()
        task = asyncio.create_task(relay())
        await send({"type": "lifespan.startup.complete"})
        await receive()
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task
        await send({"type": "lifespan.shutdown.complete"})


application = WithRelay(
    ProtocolTypeRouter(
        {
            "http": BufferedApplication(wsgi_application, threads=1, alive={"role": settings.SPAI_ROLE}),
            "websocket": PageOriginValidator(URLRouter(websocket_urlpatterns), settings.SPAI_PAGE_ORIGINS),
        }
    )
)
