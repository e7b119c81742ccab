"""The push feed: a row per event, which gets its number after the commit; and tasks that start after a commit.

An event is published inside the transaction of the change. One relay, which runs in a push process under an advisory
lock, numbers committed rows without gaps and notifies all push processes through PostgreSQL; `apps.matches.feed` reads
them. A task after a commit is one Celery message. Losing it costs seconds, because beat starts the same task on its
schedule.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from celery import current_app
from django.db import connection, transaction
from kombu.exceptions import OperationalError

from apps.matches import tracing
from apps.matches.models import Event, Match, Topic

logger = logging.getLogger(__name__)

PUBLISHED: Final = "spai_event"
"""Channel of PostgreSQL on which a trigger notifies the relay of new rows."""
NUMBERED: Final = "spai_event_numbered"
"""Channel on which the relay notifies all push processes of new numbers."""


def publish(
    *, topic: Topic, key: str, now: datetime, payload: Mapping[str, Any] | None = None, world: str = ""
) -> None:
    """Write one event that is not about a match into the feed, within the caller's transaction."""
    Event.objects.create(
        topic=topic, key=key, payload=dict(payload or {}), created_at=now, world=world, trace=tracing.traceparent()
    )


def publish_of_matches(*, topic: Topic, events: Sequence[tuple[int, Mapping[str, Any]]], now: datetime) -> None:
    """Write one event for each (id of a match, payload), within the caller's transaction.

    Each carries the world, the competition and the teams of its match as they are now, by which clients filter.
    """
    columns = ("world", "competition__slug", "home_team__slug", "away_team__slug")
    found = Match.objects.filter(pk__in=[match_id for match_id, _ in events]).values_list("pk", *columns)
    facts = {match_id: rest for match_id, *rest in found}
    rows, trace = [], tracing.traceparent()
    for match_id, payload in events:
        # A match that is merged away within this transaction has no facts any more.
        world, competition, home, away = facts.get(match_id, ("", "", "", ""))
        rows.append(
            Event(
                topic=topic,
                key=str(match_id),
                payload=dict(payload),
                created_at=now,
                world=world,
                match_id=match_id,
                competition=competition,
                home_team=home,
                away_team=away,
                trace=trace,
            )
        )
    Event.objects.bulk_create(rows)


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


def number_events(*, limit: int = 500) -> int:
    """Give committed events their numbers in the order of their rows and notify all push processes.

    Only the holder of the relay's lock calls it. Returns how many events were numbered, at most `limit`.
    """
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """
            UPDATE matches_event AS event SET number = waiting.position + (
                SELECT coalesce(max(number), 0) FROM matches_event WHERE number IS NOT NULL
            ) FROM (
                SELECT id, row_number() OVER (ORDER BY id) AS position FROM (
                    SELECT id FROM matches_event WHERE number IS NULL ORDER BY id LIMIT %s
                ) AS first
            ) AS waiting WHERE event.id = waiting.id
            """,
            [limit],
        )
        numbered = cursor.rowcount
        if numbered:
            cursor.execute(f"NOTIFY {NUMBERED}")
    return numbered
