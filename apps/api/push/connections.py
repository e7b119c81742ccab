"""Where every connection to push is admitted: how many there may be, and what its address asks for."""

from __future__ import annotations

import asyncio
import random
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Collection
from contextlib import asynccontextmanager, suppress
from functools import partial
from http import HTTPStatus
from typing import Any, Final
from urllib.parse import parse_qsl

from channels.db import database_sync_to_async
from django.db import DatabaseError
from django.utils import timezone

from apps.api.authentication import KEY_NEEDED, key_of, may_read
from apps.api.metrics import PUSH_CLIENTS
from apps.api.services import KeyRefusedError, address_of
from apps.matches.feed import LARGEST_NUMBER, Subscription, SubscriptionError

NEWEST = None
"""The place of a client that names no number: after the newest event."""

CHECK_SECONDS: Final = 30.0
"""Time between two checks of the key of an open connection."""

RESTARTS: Final = "This server is being restarted. Connect again, with the number of the latest event that you have."

UntilRefused = Callable[[], Awaitable["NotAdmittedError"]]


class NotAdmittedError(Exception):
    """A connection is refused; `status` is that of HTTP."""

    def __init__(self, status: HTTPStatus, detail: str) -> None:
        super().__init__(detail)
        self.status = status


class OpenConnections:
    """Counts the open connections of a process, in total and of each address, and checks the keys of new ones.

    Parameters
    ----------
    most, most_of_address : int
        Connections at the same time.
    page_origins : collection of str
        Origins of the site's own pages, which follow events without a key in any case.
    drain_seconds : float
        Time over which `drain` ends the connections.
    """

    def __init__(
        self, *, most: int, most_of_address: int, page_origins: Collection[str] = (), drain_seconds: float = 0.0
    ) -> None:
        self._most = most
        self._most_of_address = most_of_address
        self._page_origins = page_origins
        self._drain_seconds = drain_seconds
        self._drains = asyncio.Event()
        self._open: Counter[str] = Counter()

    def drain(self) -> None:
        """End all connections, each at a random moment, so that not all clients connect to another process at once."""
        self._drains.set()

    @asynccontextmanager
    async def admitted(self, scope: dict[str, Any]) -> AsyncIterator[UntilRefused]:
        """Count a connection for as long as it is served.

        Yields a function whose coroutine returns why the connection must end, once its key has been revoked, has
        expired or has lost the scope, or this process drains.

        Raises
        ------
        NotAdmittedError
            When there are too many, or its API key is wrong, missing or without the scope `read`.
        """
        meta = _meta_of(scope)
        address = address_of(meta) or ""
        if self._open.total() >= self._most:
            detail = "This server has as many connections as it serves. Try again in a minute."
            raise NotAdmittedError(HTTPStatus.SERVICE_UNAVAILABLE, detail)
        if self._open[address] >= self._most_of_address:
            detail = f"Your address has {self._most_of_address} connections, the largest number. Close one of them."
            raise NotAdmittedError(HTTPStatus.TOO_MANY_REQUESTS, detail)
        self._open[address] += 1
        clients = PUSH_CLIENTS.labels("event stream" if scope.get("type") == "http" else "websocket")
        clients.inc()
        try:
            check = partial(self._check_key, meta, origin=header(scope, b"origin"))
            await check()
            yield partial(self._until_refused, check)
        finally:
            clients.dec()
            self._open[address] -= 1
            # Else addresses that came once would stay for ever.
            if not self._open[address]:
                del self._open[address]

    async def _check_key(self, meta: dict[str, str], *, origin: str) -> None:
        if "HTTP_AUTHORIZATION" not in meta and "HTTP_X_API_KEY" not in meta:
            if not may_read.allows_anonymous and origin not in self._page_origins:
                raise NotAdmittedError(HTTPStatus.UNAUTHORIZED, KEY_NEEDED.format(may_read.scope.value))
            return
        try:
            key = await database_sync_to_async(key_of)(meta, now=timezone.now())
        except KeyRefusedError as error:
            raise NotAdmittedError(HTTPStatus.UNAUTHORIZED, str(error)) from error
        except DatabaseError as error:
            raise NotAdmittedError(HTTPStatus.SERVICE_UNAVAILABLE, "API keys cannot be read. Try again.") from error
        if key is not None and may_read.scope not in key.scopes:
            raise NotAdmittedError(HTTPStatus.FORBIDDEN, f"The API key {key.prefix} lacks the scope 'read'.")

    async def _until_refused(self, check: Callable[[], Awaitable[None]]) -> NotAdmittedError:
        while True:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._drains.wait(), CHECK_SECONDS)
                await asyncio.sleep(random.uniform(0, self._drain_seconds))
                return NotAdmittedError(HTTPStatus.SERVICE_UNAVAILABLE, RESTARTS)
            try:
                await check()
            except NotAdmittedError as refused:
                # A database that is away does not make a key wrong.
                if refused.status != HTTPStatus.SERVICE_UNAVAILABLE:
                    return refused


def _meta_of(scope: dict[str, Any]) -> dict[str, str]:
    """Return the headers by which access is decided, and the address, as in `HttpRequest.META`."""
    meta = {"REMOTE_ADDR": (scope.get("client") or ("",))[0]}
    for name in ("Authorization", "X-API-Key", "X-Forwarded-For"):
        if value := header(scope, name.lower().encode()):
            meta[f"HTTP_{name.upper().replace('-', '_')}"] = value
    return meta


def header(scope: dict[str, Any], name: bytes) -> str:
    """Return a header of a connection; empty when it is not sent."""
    return ",".join(value.decode("latin-1") for key, value in scope["headers"] if key == name)


def wanted(scope: dict[str, Any], **fixed: str) -> tuple[int | None, Subscription]:
    """Return the number after which a client wants events, and its subscription, from the query of its address.

    `fixed` are filters that the path names.

    Raises
    ------
    SubscriptionError
        For a parameter that is unknown or wrong.
    """
    query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    after = query.pop("after", None)
    return NEWEST if after is None else number_of(after), Subscription.parse(query | fixed)


def number_of(text: str) -> int:
    """Return the number of an event that a client names.

    Raises
    ------
    SubscriptionError
        When it is none.
    """
    # `int` would also take signs, spaces and digits of other scripts, and fail on very long numbers.
    if not text.isascii() or not text.isdigit() or len(text) > len(str(LARGEST_NUMBER)) or int(text) > LARGEST_NUMBER:
        raise SubscriptionError("after", "It must be the number of an event, a whole number from 0.")
    return int(text)
