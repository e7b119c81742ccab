"""The ASGI application of the process `push`: websockets, probes, and the relay that numbers and broadcasts events."""

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
"""How long the relay waits for a notification, and before it tries again without the lock or after an error."""


def _without_tracebacks_for_clients(record: logging.LogRecord) -> bool:
    # uvicorn logs a text frame that is not UTF-8 with a traceback, although the client is at fault.
    if record.exc_info and isinstance(record.exc_info[1], UnicodeDecodeError):
        record.exc_info = None
    return True


logging.getLogger("uvicorn.error").addFilter(_without_tracebacks_for_clients)


async def relay() -> None:
    """Number committed events and broadcast them for as long as this process runs.

    A notification of PostgreSQL triggers it at once; otherwise it checks once a second. It survives failures of the
    database and the channel layer: clients fetch numbered events that were not broadcast by their number.
    """
    ending = threading.Event()
    try:
        while True:
            try:
                # Not in the thread that views and consumers share, which must stay free.
                await sync_to_async(_relay_until_fault, thread_sensitive=False)(ending)
            except (DatabaseError, psycopg.Error, RedisError, OSError) as error:
                logger.warning("relay: %s; trying again", error)
            except Exception:
                # Otherwise the relay would end silently, and no event would be numbered until the process restarts.
                logger.exception("relay: unexpected error; trying again")
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


class WithRelay:
    """The application and the relay, which the server's lifespan messages start and stop."""

    def __init__(self, application: Any) -> None:
        self.application = application

    async def __call__(
        self, scope: Any, receive: Callable[[], Awaitable[Any]], send: Callable[[Any], Awaitable[None]]
    ) -> None:
        """Run the relay during the lifespan; pass everything else to the application."""
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
            "websocket": PageOriginValidator(URLRouter(websocket_urlpatterns), settings.SPAI_PUSH_ORIGINS),
        }
    )
)
