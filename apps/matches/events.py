"""The push feed: a row per event, which gets its number after the commit; and tasks that start after a commit.

An event is published inside the transaction of the change. One relay, which runs in the push process under an advisory
lock, numbers committed rows without gaps and sends them to the channel layer; a client that missed a message replays
it by number from PostgreSQL. A task after a commit is one Celery message. Losing it costs seconds, because beat starts
the same task on its schedule.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from datetime import datetime
from typing import Any, Final

from asgiref.sync import async_to_sync
from celery import current_app
from channels.layers import get_channel_layer
from django.db import transaction
from kombu.exceptions import OperationalError

from apps.matches.models import Event

logger = logging.getLogger(__name__)

EVERYTHING: Final = "events"
"""Group of the channel layer that receives every event."""


def publish(*, topic: str, key: str, now: datetime, payload: Mapping[str, Any] | None = None) -> None:
    """Write one event into the feed, within the caller's transaction."""
    Event.objects.create(topic=topic, key=key, payload=dict(payload or {}), created_at=now)


def publish_many(*, topic: str, events: list[tuple[str, Mapping[str, Any]]], now: datetime) -> None:
    """Write one event for each (key, payload), within the caller's transaction."""
    Event.objects.bulk_create(
        Event(topic=topic, key=key, payload=dict(payload), created_at=now) for key, payload in events
    )


def start_tasks_after_commit(topic: str) -> None:
    """Start the tasks that listen to `topic` once the current transaction has committed.

    Raises
    ------
    KeyError
        When no task is configured for the topic.
    """
    names = current_app.conf["tasks_by_topic"][topic]
    transaction.on_commit(lambda: _send(names), robust=True)


def _send(names: tuple[str, ...]) -> None:
    for name in names:
        try:
            current_app.tasks[name].apply_async(retry=False)
        except (OperationalError, OSError) as error:
            logger.warning("the message that starts %s was not sent (%s); the timetable will start it", name, error)


def number_events(*, limit: int = 500) -> list[Event]:
    """Give committed events their numbers, return them in that order; only the holder of the relay's lock calls it."""
    with transaction.atomic():
        waiting = list(Event.objects.filter(number__isnull=True).order_by("id")[:limit])
        if not waiting:
            return []
        newest = (
            Event.objects.filter(number__isnull=False).order_by("-number").values_list("number", flat=True).first() or 0
        )
        for number, event in enumerate(waiting, start=newest + 1):
            event.number = number
        Event.objects.bulk_update(waiting, ["number"])
    return waiting


def group_of(topic: str, key: str) -> str:
    """Return the group of the channel layer that receives the events of one thing, such as one match."""
    return f"{topic.split('.', 1)[0]}.{key}"


def message_of(event: Event) -> dict[str, Any]:
    """Return a numbered event as clients get it."""
    return {
        "number": event.number,
        "topic": event.topic,
        "key": event.key,
        "payload": event.payload,
        "created_at": event.created_at.isoformat(),
    }


def broadcast(events: list[Event]) -> None:
    """Send numbered events to all subscribers, over the channel layer."""
    send = async_to_sync(get_channel_layer().group_send)
    for event in events:
        message = {"type": "event.message"} | message_of(event)
        for group in (EVERYTHING, group_of(event.topic, event.key)):
            send(group, message)
