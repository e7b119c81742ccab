"""Push over websockets. An event names what changed; clients fetch the new state over HTTP.

`asyncapi.json` describes all messages. A client chooses its events by the query of the address, such as
``?team=arsenal&topic=prediction.published&after=1041``, and later by messages:

- ``{"subscribe": {"match": [7, 8]}}`` adds a subscription, ``{"unsubscribe": {…}}`` removes one; ``{}`` is everything.
- ``{"after": n}`` sends the events after number n again.
"""

from __future__ import annotations

import asyncio
import json
import logging
from dataclasses import fields
from http import HTTPStatus
from time import monotonic
from typing import Any, Final

from django.db import DatabaseError

from apps.api.push.connections import NotAdmittedError, OpenConnections, UntilRefused, wanted
from apps.api.push.live import FeedRestartedError, Follower, FutureNumberError, LiveFeed
from apps.matches.feed import LARGEST_NUMBER, Subscription, SubscriptionError

logger = logging.getLogger(__name__)

MESSAGE_BYTES: Final = 8192
"""Largest message that a client may send."""
MESSAGES_PER_WINDOW: Final = 20
RATE_WINDOW: Final = 10.0
"""Seconds in which a client may send `MESSAGES_PER_WINDOW` messages."""

UNAVAILABLE: Final = "Push is not available at the moment. Pages and the API still work; try again later."
CLOSE_TOO_BIG: Final = 1009
CLOSE_RESTART: Final = 1012
CLOSE_TRY_LATER: Final = 1013
CLOSE_BAD_REQUEST: Final = 4400
CLOSE_KEY_REFUSED: Final = 4401
CLOSE_FUTURE_NUMBER: Final = 4409
CLOSE_TOO_MANY: Final = 4429
UNDERSTOOD: Final = (
    'A message is {"after": number}, {"subscribe": {…}} or {"unsubscribe": {…}}, with a whole number from 0.'
)


async def not_found(scope: Any, receive: Any, send: Any) -> None:
    """Answer 404 to a websocket handshake on an unknown path."""
    await receive()
    await _refuse(scope, send, HTTPStatus.NOT_FOUND, "This address does not exist.")


async def _refuse(scope: Any, send: Any, status: HTTPStatus, detail: str) -> None:
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")]
    await send({"type": "websocket.http.response.start", "status": status, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": f"{detail}\n".encode()})


class EndedError(Exception):
    """The server ends a connection with a code, after it has sent the reason to the client."""

    def __init__(self, code: int, detail: str) -> None:
        super().__init__(detail)
        self.code = code


class EventSocket:
    """The ASGI application of a websocket that gets events."""

    def __init__(self, feed: LiveFeed, connections: OpenConnections) -> None:
        self._feed = feed
        self._connections = connections

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection."""
        await receive()
        try:
            async with self._connections.admitted(scope) as until_refused:
                await send({"type": "websocket.accept"})
                await _Connection(self._feed, until_refused, scope, receive, send).serve()
        except NotAdmittedError as refused:
            await _refuse(scope, send, refused.status, str(refused))


class _Connection:
    def __init__(self, feed: LiveFeed, until_refused: UntilRefused, scope: Any, receive: Any, send: Any) -> None:
        self._feed = feed
        self._until_refused = until_refused
        self._scope = scope
        self._receive = receive
        self._send = send
        self._received: list[float] = []

    async def serve(self) -> None:
        try:
            await self._serve()
        except EndedError as ended:
            await self._close(ended.code, str(ended))
        except (SubscriptionError, FutureNumberError, FeedRestartedError) as error:
            field = f"{error.field}: " if isinstance(error, SubscriptionError) else ""
            code = CLOSE_BAD_REQUEST if field else CLOSE_FUTURE_NUMBER
            await self._close(code, f"{field}{error}")
        except DatabaseError as error:
            logger.warning("push cannot read the events: %s", error)
            await self._close(CLOSE_TRY_LATER, UNAVAILABLE)

    async def _serve(self) -> None:
        match_id = self._scope["url_route"]["kwargs"].get("match_id")
        after, subscription = wanted(self._scope, **({} if match_id is None else {"match": str(match_id)}))
        position, is_reset = await self._feed.place(after)
        with Follower(self._feed, [subscription], position) as follower:
            await self._send_message(type="hello", number=self._feed.newest)
            if is_reset:
                await self._reset(position)
            tasks = {
                asyncio.create_task(self._send_events(follower)),
                asyncio.create_task(self._receive_messages(follower)),
                asyncio.create_task(self._end_when_refused()),
            }
            try:
                done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
            finally:
                for task in tasks:
                    task.cancel()
                await asyncio.gather(*tasks, return_exceptions=True)
            for task in done:
                task.result()

    async def _send_events(self, follower: Follower) -> None:
        while True:
            events = await follower.page()
            for event in events:
                await self._send({"type": "websocket.send", "text": event.text})
            if not events:
                await self._send_message(type="heartbeat", number=follower.position)
            if follower.is_behind:
                # A send that need not wait does not give way to other clients.
                await asyncio.sleep(0)

    async def _end_when_refused(self) -> None:
        refused = await self._until_refused()
        is_restart = refused.status == HTTPStatus.SERVICE_UNAVAILABLE
        raise EndedError(CLOSE_RESTART if is_restart else CLOSE_KEY_REFUSED, str(refused))

    async def _receive_messages(self, follower: Follower) -> None:
        while (message := await self._receive())["type"] != "websocket.disconnect":
            try:
                await self._answer(follower, self._content(message))
            except SubscriptionError as error:
                await self._send_message(type="error", detail=f"{error.field}: {error}")
            except ValueError as error:
                await self._send_message(type="error", detail=str(error))

    def _content(self, message: dict[str, Any]) -> tuple[str, Any]:
        """Return the command of a message, one of three words, and its value."""
        now = monotonic()
        self._received = [at for at in self._received if at > now - RATE_WINDOW] + [now]
        if len(self._received) > MESSAGES_PER_WINDOW:
            raise EndedError(
                CLOSE_TOO_MANY, f"More than {MESSAGES_PER_WINDOW} messages within {RATE_WINDOW:.0f} seconds."
            )
        text = message.get("text")
        if text is None:
            raise ValueError("Messages are JSON text, not bytes.")
        if len(text.encode(errors="replace")) > MESSAGE_BYTES:
            raise EndedError(CLOSE_TOO_BIG, f"A message may have at most {MESSAGE_BYTES} bytes.")
        try:
            content = json.loads(text)
        except (ValueError, RecursionError) as error:
            raise ValueError("The message is not valid JSON.") from error
        if not isinstance(content, dict) or len(content) != 1:
            raise ValueError(UNDERSTOOD)
        return next(iter(content.items()))

    async def _answer(self, follower: Follower, content: tuple[str, Any]) -> None:
        word, value = content
        if word == "after" and type(value) is int and 0 <= value <= LARGEST_NUMBER:
            position, is_reset = await self._feed.place(value)
            if is_reset:
                await self._reset(position)
            follower.go_to(position)
        elif word in ("subscribe", "unsubscribe") and isinstance(value, dict):
            (follower.subscribe if word == "subscribe" else follower.unsubscribe)(Subscription.parse(value))
            await self._send_message(
                type="subscriptions", subscriptions=[_plain(each) for each in follower.subscriptions]
            )
        else:
            raise ValueError(UNDERSTOOD)

    async def _reset(self, position: int) -> None:
        await self._send_message(type="reset", number=position, oldest=position + 1)

    async def _close(self, code: int, detail: str) -> None:
        await self._send_message(type="error", detail=detail)
        await self._send({"type": "websocket.close", "code": code})

    async def _send_message(self, **message: Any) -> None:
        await self._send({"type": "websocket.send", "text": json.dumps(message)})


def _plain(subscription: Subscription) -> dict[str, list[str]]:
    values = {field.name: sorted(getattr(subscription, field.name)) for field in fields(subscription)}
    return {name: each for name, each in values.items() if each}
