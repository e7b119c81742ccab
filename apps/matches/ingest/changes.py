"""Changes of matches: kept as history, and published in the push feed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime, timedelta
from types import MappingProxyType
from typing import Any, Final

from apps.matches.events import publish_of_matches
from apps.matches.ingest.rows import COLUMNS, HISTORY, MatchRow
from apps.matches.models import LiveScore, MatchChange, Topic

QUIET_BEFORE: Final = timedelta(days=3)
QUIET_AFTER: Final = timedelta(days=15)
"""A change is published when the kick-off is at most so long ago or ahead, so that a bulk import publishes nothing."""


def record_changes(changes: Sequence[tuple[MatchRow, tuple[Any, ...]]], *, ingest_id: int, now: datetime) -> None:
    """Store the changes of matches as `MatchChange` rows; the values before are in the order of `COLUMNS`."""
    rows = []
    for row, values in changes:
        before = dict(zip(COLUMNS, values, strict=True))
        names = [name for name in HISTORY if before[name] != getattr(row, name)]
        if names:
            rows.append(
                MatchChange(
                    match_id=row.id,
                    ingest_id=ingest_id,
                    changed_at=now,
                    before={name: plain(before[name]) for name in names},
                    after={name: plain(getattr(row, name)) for name in names},
                )
            )
    MatchChange.objects.bulk_create(rows, batch_size=2_000)


def publish_matches(
    rows: Iterable[MatchRow], *, now: datetime, live: Mapping[int, LiveScore] = MappingProxyType({})
) -> None:
    """Publish an event for each changed match that kicks off near the present, with the new scores of those in play."""
    start, end = now - QUIET_BEFORE, now + QUIET_AFTER
    events: list[tuple[int, Mapping[str, Any]]] = [
        (
            row.id,
            {
                "status": str(row.status),
                "kickoff_at": row.kickoff_at.isoformat(),
                "home_goals": row.home_goals,
                "away_goals": row.away_goals,
                **({"live": live[row.id].as_dict()} if row.id in live else {}),
            },
        )
        for row in rows
        if start <= row.kickoff_at <= end
    ]
    if events:
        publish_of_matches(topic=Topic.MATCH_CHANGED, events=events, now=now)


def plain(value: object) -> object:
    """Return a value as JSON holds it."""
    return value.isoformat() if isinstance(value, datetime) else value
