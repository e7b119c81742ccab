"""The events in the memory of a push process: heartbeats, old pages, and numbers that start again."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest
from asgiref.sync import sync_to_async
from django.db import connection

from apps.api.push import live
from apps.api.push.live import FeedRestartedError, Follower, LiveFeed
from apps.matches.feed import EVERYTHING, Subscription
from apps.matches.models import Event

pytestmark = pytest.mark.django_db(transaction=True)


async def elsewhere(function, *arguments):
    """Run a function of the database in a thread whose session ends with it."""

    def run():
        try:
            return function(*arguments)
        finally:
            connection.close()

    return await sync_to_async(run)()


@pytest.fixture(autouse=True)
def _sessions_end(monkeypatch):
    monkeypatch.setattr(
        live, "in_database", lambda function: lambda *args, **more: elsewhere(lambda: function(*args, **more))
    )


def store(first: int, last: int, **fields) -> None:
    plain = {"topic": "run.changed", "key": "1", "created_at": datetime.now(UTC)}
    Event.objects.bulk_create(Event(number=number, **(plain | fields)) for number in range(first, last + 1))


async def numbers_of(follower: Follower, count: int) -> list[int]:
    found: list[int] = []
    while len(found) < count:
        found += [event.number for event in await follower.page()]
    return found


async def test_who_hears_nothing_gets_a_heartbeat_with_the_number_that_it_reached(monkeypatch):
    monkeypatch.setattr(live, "HEARTBEAT_SECONDS", 0.01)
    await elsewhere(store, 1, 3)
    feed = LiveFeed()
    position, is_reset = await feed.place(None)
    with Follower(feed, [Subscription.parse({"topic": "match.changed"})], position) as follower:
        await elsewhere(store, 4, 6)
        await feed.place(None)
        assert await follower.page() == []
        assert (follower.position, is_reset) == (6, False)


async def test_what_is_not_in_memory_any_more_is_read_in_pages_without_a_gap(monkeypatch):
    monkeypatch.setattr(live, "PAGE", 3)
    await elsewhere(store, 1, 30)
    feed = LiveFeed(limit=5)
    position, _ = await feed.place(2)
    assert feed.after(2) is None
    with Follower(feed, [EVERYTHING], position) as follower:
        assert await numbers_of(follower, 28) == list(range(3, 31))


async def test_memory_keeps_the_newest_events_alone(monkeypatch):
    monkeypatch.setattr(live, "READ_AT_ONCE", 4)
    await elsewhere(store, 1, 3)
    feed = LiveFeed(limit=5)
    await feed.place(None)
    await elsewhere(store, 4, 60)
    await feed.place(None)
    assert feed.newest == 60
    assert feed.after(59 - 10) is None
    assert [event.number for event in feed.after(57)] == [58, 59, 60]


async def test_a_client_goes_to_another_number_and_on_from_there():
    await elsewhere(store, 1, 5)
    feed = LiveFeed()
    position, _ = await feed.place(None)
    with Follower(feed, [EVERYTHING], position) as follower:
        follower.go_to(3)
        assert await numbers_of(follower, 2) == [4, 5]


async def test_when_the_numbers_begin_anew_every_client_is_sent_away():
    await elsewhere(store, 1, 5)
    feed = LiveFeed()
    position, _ = await feed.place(None)
    with Follower(feed, [EVERYTHING], position) as follower:
        waiting = asyncio.create_task(follower.page())
        await elsewhere(restore)
        assert await feed.place(None) == (2, False)
        with pytest.raises(FeedRestartedError):
            await waiting
    assert [event.number for event in feed.after(0)] == [1, 2]


def restore() -> None:
    """Replace the events by others, as the restore of a backup does."""
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE matches_event")
    store(1, 2)
