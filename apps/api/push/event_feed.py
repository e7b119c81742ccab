"""Reads of the numbered events that clients of push follow."""

from __future__ import annotations

from collections.abc import Sequence

from apps.matches.models import Event


def newest_event_number() -> int:
    """Return the number of the newest numbered event; 0 before the first."""
    return Event.objects.filter(number__isnull=False).order_by("-number").values_list("number", flat=True).first() or 0


def events_after(number: int, *, limit: int, key: str = "", topics: Sequence[str] = ()) -> list[Event]:
    """Return up to `limit` events after `number` in order, filtered by key and topics if given."""
    rows = Event.objects.filter(number__gt=number)
    if key:
        rows = rows.filter(key=key)
    if topics:
        rows = rows.filter(topic__in=topics)
    return list(rows.order_by("number")[:limit])
