"""Push: clients get events at once, and can catch up on events that they missed.

An event names what changed; clients fetch the new state over HTTP. Messages of the server:

- ``{"type": "hello", "number": n}`` after connecting: the newest event.
- ``{"type": "event", "number", "topic", "key", "payload", "created_at"}``.
- ``{"type": "reset", "number": n}``: too many events were missed; fetch the state again.
- ``{"type": "error", "detail": …}``: what is wrong with a message of the client.

A client may send ``{"after": n}`` to get the events after number n.
"""

from __future__ import annotations

import json
import logging
from time import monotonic
from typing import Any, Final

from channels.db import database_sync_to_async
from channels.generic.websocket import AsyncJsonWebsocketConsumer
from django.db import DatabaseError
from django.db.models import BigIntegerField
from redis.exceptions import RedisError

from apps.api.push.event_feed import events_after, newest_event_number
from apps.matches.events import EVERYTHING, group_of, message_of
from apps.matches.models import Event

logger = logging.getLogger(__name__)

MATCH_TOPICS: Final = ("match.changed", "prediction.published", "score.settled")
REPLAY_LIMIT: Final = 500
"""Events that are replayed at once, at most."""
REPLAY_WINDOW: Final = 20_000
"""Event numbers that a replay may go back."""
MESSAGE_BYTES: Final = 1024
"""Largest message that a client may send."""
MESSAGES_PER_WINDOW: Final = 20
RATE_WINDOW: Final = 10.0
"""Seconds in which a client may send `MESSAGES_PER_WINDOW` messages."""

UNAVAILABLE: Final = "Push is not available at the moment. Pages and the API still work; try again later."
CLOSE_TOO_BIG: Final = 1009
CLOSE_TRY_LATER: Final = 1013
CLOSE_TOO_MANY: Final = 4429


async def not_found(scope: Any, receive: Any, send: Any) -> None:
    """Answer 404 to a websocket handshake on an unknown path."""
    await receive()
    if "websocket.http.response" not in scope.get("extensions", {}):
        await send({"type": "websocket.close"})
        return
    headers = [(b"content-type", b"text/plain; charset=utf-8"), (b"x-content-type-options", b"nosniff")]
    await send({"type": "websocket.http.response.start", "status": 404, "headers": headers})
    await send({"type": "websocket.http.response.body", "body": b"This address does not exist.\n"})


class EventConsumer(AsyncJsonWebsocketConsumer):
    """Sends all events, or those of one match, to one client."""

    match_id: int | None = None
    latest: int = 0

    is_accepted: bool = False

    async def __call__(self, scope: Any, receive: Any, send: Any) -> None:
        """Serve one connection; when the channel layer is not available, tell the client to reconnect later."""
        try:
            await super().__call__(scope, receive, send)
        except (RedisError, OSError) as error:
            logger.warning("push lost the channel layer: %s", error)
            if not self.is_accepted:
                await send({"type": "websocket.accept"})
            await send({"type": "websocket.send", "text": json.dumps({"type": "error", "detail": UNAVAILABLE})})
            await send({"type": "websocket.close", "code": CLOSE_TRY_LATER})

    async def connect(self) -> None:
        """Join the groups, and send the number of the newest event."""
        await self.accept()
        self.is_accepted = True
        self.match_id = self.scope["url_route"]["kwargs"].get("match_id")
        self.received: list[float] = []
        names = (
            [EVERYTHING] if self.match_id is None else [group_of(topic, str(self.match_id)) for topic in MATCH_TOPICS]
        )
        for name in names:
            await self.channel_layer.group_add(name, self.channel_name)
            self.groups.append(name)
        try:
            self.latest = await database_sync_to_async(newest_event_number)()
        except DatabaseError as error:
            await self._unavailable(error)
            return
        await self.send_json({"type": "hello", "number": self.latest})

    async def receive(self, text_data: str | None = None, bytes_data: bytes | None = None, **kwargs: Any) -> None:
        """Handle a message of the client: limit size and rate, and accept ``{"after": n}`` only."""
        now = monotonic()
        self.received = [at for at in self.received if at > now - RATE_WINDOW] + [now]
        if len(self.received) > MESSAGES_PER_WINDOW:
            await self._error(f"More than {MESSAGES_PER_WINDOW} messages within {RATE_WINDOW:.0f} seconds.")
            await self.close(code=CLOSE_TOO_MANY)
            return
        if bytes_data is not None or text_data is None:
            await self._error("Messages are JSON text, not bytes.")
            return
        if len(text_data.encode()) > MESSAGE_BYTES:
            await self._error(f"A message may have at most {MESSAGE_BYTES} bytes.")
            await self.close(code=CLOSE_TOO_BIG)
            return
        try:
            content = json.loads(text_data)
        except (ValueError, RecursionError):
            await self._error("The message is not valid JSON.")
            return
        number = content.get("after") if isinstance(content, dict) else None
        if (
            not isinstance(number, int)
            or isinstance(number, bool)
            or not 0 <= number <= BigIntegerField.MAX_BIGINT
            or len(content) != 1
        ):
            await self._error('The only message that is accepted is {"after": number}, with a whole number from 0.')
            return
        await self._replay(number)

    async def event_message(self, message: dict[str, Any]) -> None:
        """Forward one event; if the channel layer dropped events before it, replay them first."""
        number = message["number"]
        if number <= self.latest:
            return
        if self.match_id is None and number > self.latest + 1:
            await self._replay(self.latest)
            return
        self.latest = number
        await self.send_json(message | {"type": "event"})

    async def _replay(self, after: int) -> None:
        try:
            newest, events = await database_sync_to_async(self._missed)(after)
        except DatabaseError as error:
            await self._unavailable(error)
            return
        self.latest = max(self.latest, newest)
        if events is None:
            await self.send_json({"type": "reset", "number": newest})
            return
        for event in events:
            await self.send_json({"type": "event"} | message_of(event))

    def _missed(self, after: int) -> tuple[int, list[Event] | None]:
        """Return the newest number and the events after `after`; None for too many events."""
        newest = newest_event_number()
        if newest - after > REPLAY_WINDOW:
            return newest, None
        key, topics = ("", ()) if self.match_id is None else (str(self.match_id), MATCH_TOPICS)
        events = events_after(after, limit=REPLAY_LIMIT + 1, key=key, topics=topics)
        if len(events) > REPLAY_LIMIT:
            return newest, None
        return max([newest, *(event.number or 0 for event in events)]), events

    async def _unavailable(self, error: Exception) -> None:
        logger.warning("push cannot read the events: %s", error)
        await self._error(UNAVAILABLE)
        await self.close(code=CLOSE_TRY_LATER)

    async def _error(self, detail: str) -> None:
        await self.send_json({"type": "error", "detail": detail})
