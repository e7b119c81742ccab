"""The latest events in the memory of a push process, and the place of each client in them.

One thread reads new events once for all clients. A client is a number, up to which it has everything, and its
subscriptions: it takes what follows from memory, or from PostgreSQL where that is older. Nothing is queued for it, so
that a client who reads slowly costs no memory, and what it gets is in order and without a gap by construction.
"""

from __future__ import annotations

import asyncio
import logging
import threading
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from operator import attrgetter
from typing import Any, Final

import orjson
from channels.db import database_sync_to_async

from apps.api.services import messages_of
from apps.matches import tracing
from apps.matches.feed import (
    MOST_VALUES,
    Subscription,
    SubscriptionError,
    events_after,
    newest_event_number,
    oldest_event_number,
)
from apps.matches.models import Event

logger = logging.getLogger(__name__)

MOST_EVENTS: Final = 10_000
"""Latest events that a process keeps in memory, at least; about a kilobyte each."""
READ_AT_ONCE: Final = 1_000
PAGE: Final = 200
"""Most events that are sent to a client before the other clients get theirs."""
HEARTBEAT_SECONDS: Final = 25.0

in_database = database_sync_to_async
"""Runs a function of the database in the one thread for it, and returns what it returned."""


class FutureNumberError(Exception):
    """A client names a number that no event has yet: it comes from another installation, or from before a restore."""


class FeedRestartedError(Exception):
    """The numbers in the database started again, as after the restore of a backup; clients must connect again."""


@dataclass(slots=True)
class LiveEvent:
    """An event in memory: the columns that filters use, and the message as it is sent to everyone."""

    number: int
    topic: str
    world: str
    match_id: int | None
    competition: str
    home_team: str
    away_team: str
    text: str

    @classmethod
    def of(cls, event: Event, message: dict[str, Any]) -> LiveEvent:
        """Return a numbered row and its message as they are stored in memory."""
        assert event.number is not None
        return cls(
            number=event.number,
            topic=event.topic,
            world=event.world,
            match_id=event.match_id,
            competition=event.competition,
            home_team=event.home_team,
            away_team=event.away_team,
            text=orjson.dumps({"type": "event"} | message).decode(),
        )


_number = attrgetter("number")


def _read(events: Sequence[Event]) -> list[LiveEvent]:
    """Return events as they are stored in memory; the trace of each ends here, where all clients can have it."""
    found = []
    for event, message in zip(events, messages_of(events), strict=True):
        with tracing.continued(event.trace, "push event", number=event.number or 0, topic=event.topic):
            found.append(LiveEvent.of(event, message))
    return found


def _read_again(number: int, subscriptions: Sequence[Subscription]) -> list[LiveEvent]:
    """Return a page of events that are no longer in memory."""
    events = events_after(number, limit=PAGE, subscriptions=subscriptions)
    return [LiveEvent.of(event, message) for event, message in zip(events, messages_of(events), strict=True)]


class LiveFeed:
    """The latest events, shared by all clients of a process.

    `read` may be called in any thread. Everything else belongs to the event loop.
    """

    def __init__(self, *, limit: int = MOST_EVENTS) -> None:
        self.newest = 0
        self.generation = 0
        self._limit = limit
        self._events: list[LiveEvent] = []
        self._followers: set[Follower] = set()
        self._reading = threading.Lock()
        # Number and id of the newest event that was read.
        self._latest: tuple[int, int] | None = None

    def read(self, loop: asyncio.AbstractEventLoop) -> None:
        """Read the events that were numbered since, and wake the clients up.

        Raises
        ------
        DatabaseError
            When PostgreSQL does not answer; nothing is lost: the next call continues.
        """
        with self._reading:
            while self._read_some(loop):
                pass

    def _read_some(self, loop: asyncio.AbstractEventLoop) -> bool:
        """Read one page; return whether more may follow."""
        if self._latest is None:
            start = max(newest_event_number() - self._limit, 0)
            rows = events_after(start, limit=READ_AT_ONCE)
            loop.call_soon_threadsafe(self._begin, start)
        else:
            number = self._latest[0]
            found = events_after(number - 1, limit=READ_AT_ONCE + 1)
            if [(row.number, row.pk) for row in found[:1]] != [self._latest]:
                logger.warning("push: event %s is not the one that was read before; all clients connect again", number)
                self._latest = None
                return True
            rows = found[1:]
        if rows:
            self._latest = (rows[-1].number or 0, rows[-1].pk)
            loop.call_soon_threadsafe(self._add, _read(rows))
        return len(rows) == READ_AT_ONCE

    def _begin(self, number: int) -> None:
        if self._events:
            self.generation += 1
        self._events = []
        self.newest = number
        self._wake()

    def _add(self, events: list[LiveEvent]) -> None:
        self._events += events
        self.newest = events[-1].number
        if len(self._events) > 2 * self._limit:
            del self._events[: -self._limit]
        self._wake()

    def _wake(self) -> None:
        for follower in self._followers:
            follower.wake.set()

    def after(self, number: int) -> list[LiveEvent] | None:
        """Return a page of events after a number; None where they are not in memory any more."""
        if not self._events or number + 1 < self._events[0].number:
            return None
        start = bisect_right(self._events, number, key=_number)
        return self._events[start : start + PAGE]

    async def place(self, after: int | None) -> tuple[int, bool]:
        """Return where a client starts that has everything up to `after`, and whether events before it are gone.

        Without a number it starts after the newest event.

        Raises
        ------
        FutureNumberError
            When no event has that number yet.
        DatabaseError
            When PostgreSQL does not answer.
        """
        await in_database(self.read)(asyncio.get_running_loop())
        if after is None:
            return self.newest, False
        if after > self.newest:
            raise FutureNumberError(
                f"There is no event with the number {after} yet: the newest is {self.newest}. "
                "The number is not from this feed; fetch the state again and continue from there."
            )
        if after < self.newest and self.after(after) is None:
            oldest = await in_database(oldest_event_number)()
            if after + 1 < oldest:
                return oldest - 1, True
        return after, False

    def follow(self, follower: Follower) -> None:
        """Wake a client up when there are new events."""
        self._followers.add(follower)

    def leave(self, follower: Follower) -> None:
        """Stop waking a client up."""
        self._followers.discard(follower)


class Follower:
    """One client: its subscriptions, and the number up to which it has everything that they cover."""

    def __init__(self, feed: LiveFeed, subscriptions: list[Subscription], position: int) -> None:
        self.wake = asyncio.Event()
        self.position = position
        self.subscriptions = subscriptions
        self._feed = feed
        self._generation = feed.generation
        self._target: int | None = None

    def __enter__(self) -> Follower:
        self._feed.follow(self)
        return self

    def __exit__(self, *error: object) -> None:
        self._feed.leave(self)

    @property
    def is_behind(self) -> bool:
        """Whether there are events that this client has not been sent or passed over."""
        return self.position < self._feed.newest

    def subscribe(self, subscription: Subscription) -> None:
        """Add a subscription.

        Raises
        ------
        SubscriptionError
            When the client would have too many.
        """
        together = dict.fromkeys([*self.subscriptions, subscription])
        if sum(each.size for each in together) > MOST_VALUES:
            raise SubscriptionError("subscribe", f"All subscriptions together may have {MOST_VALUES} values.")
        self.subscriptions = list(together)

    def unsubscribe(self, subscription: Subscription) -> None:
        """Remove a subscription.

        Raises
        ------
        SubscriptionError
            When the client does not have it.
        """
        if subscription not in self.subscriptions:
            raise SubscriptionError("unsubscribe", "There is no such subscription; name it as it was subscribed to.")
        self.subscriptions = [each for each in self.subscriptions if each != subscription]

    def go_to(self, position: int) -> None:
        """Continue after another number, once the page is sent that is under way."""
        self._target = position
        self.wake.set()

    async def page(self) -> list[LiveEvent]:
        """Return the next events, as soon as there are any; none when it is time for a heartbeat.

        Raises
        ------
        FeedRestartedError
            When the numbers of the feed started again.
        DatabaseError
            When PostgreSQL does not answer and the events are not in memory.
        """
        deadline = asyncio.get_running_loop().time() + HEARTBEAT_SECONDS
        while True:
            if self._target is not None:
                self.position, self._target = self._target, None
            if self._generation != self._feed.generation:
                raise FeedRestartedError("The numbers of the feed started again. Fetch the state and connect again.")
            if self.is_behind:
                if events := await self._read():
                    return events
                continue
            self.wake.clear()
            try:
                async with asyncio.timeout_at(deadline):
                    await self.wake.wait()
            except TimeoutError:
                return []

    async def _read(self) -> list[LiveEvent]:
        newest, subscriptions = self._feed.newest, self.subscriptions
        events = self._feed.after(self.position)
        if events is not None:
            self.position = events[-1].number
            return [event for event in events if any(each.covers(event) for each in subscriptions)]
        events = await in_database(_read_again)(self.position, subscriptions)
        # A page that is not full holds everything up to the number that was the newest before it was read.
        reached = [event.number for event in events[-1:]] + ([newest] if len(events) < PAGE else [])
        self.position = max(reached)
        return events
