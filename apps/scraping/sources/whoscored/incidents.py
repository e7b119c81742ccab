"""Goals and cards of the feed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from apps.matches.records import MINUTES_LIMIT, IncidentKind, IncidentRecord, PlayerKey, Side
from apps.scraping.sources.whoscored.pages import as_count, as_words

KINDS: Final = {
    (1, 1): IncidentKind.GOAL,
    (1, 2): IncidentKind.PENALTY,
    (1, 3): IncidentKind.OWN_GOAL,
    (2, 1): IncidentKind.YELLOW_CARD,
    (2, 2): IncidentKind.SECOND_YELLOW_CARD,
    (2, 3): IncidentKind.RED_CARD,
}
"""What happened, by `type` and `subType`."""

SIDES: Final = {0: Side.HOME, 1: Side.AWAY}
"""By `field`. An own goal is listed with the side whose score rises."""

LINEUPS_BEFORE: Final = timedelta(hours=1)
"""Line-ups are published so long before kick-off."""


def read_incidents(match: Mapping[str, Any], notes: Counter[str]) -> tuple[IncidentRecord, ...]:
    """Return goals and cards in the order of the feed; those that cannot be read are noted and left out."""
    listed = match.get("incidents")
    records = []
    for incident in listed if isinstance(listed, list) else []:
        record = _incident(incident)
        if record is None:
            notes["incidents left out"] += 1
        else:
            records.append(record)
    return tuple(records)


def sheet_known_at(kickoff_at: datetime, fetched_at: datetime) -> datetime:
    """Return when the line-ups of a match could first have been known; see `SheetRecord`."""
    return min(fetched_at, kickoff_at - LINEUPS_BEFORE)


def as_minute(value: Any) -> int | None:
    """Return the minute of ``"71"``, or 94 for ``"90+4"``; None for an invalid one."""
    if isinstance(value, str) and "+" in value:
        base, _, more = value.partition("+")
        first, second = as_count(base), as_count(more or "0")
        minute = None if first is None or second is None else first + second
    else:
        minute = as_count(value)
    return minute if minute is not None and minute <= MINUTES_LIMIT else None


def as_player(identity: Any, name: Any) -> PlayerKey | None:
    """Return a player, None without an id or a name."""
    number, words = as_count(identity), as_words(name)
    return PlayerKey(str(number), words) if number and words else None


def _incident(incident: Any) -> IncidentRecord | None:
    if not isinstance(incident, dict):
        return None
    what = as_count(incident.get("type")), as_count(incident.get("subType"))
    kind = KINDS.get((what[0], what[1])) if what[0] is not None and what[1] is not None else None
    field, minute = as_count(incident.get("field")), as_minute(incident.get("minute"))
    side = SIDES.get(field) if field is not None else None
    if kind is None or side is None or minute is None:
        return None
    player = as_player(incident.get("playerId"), incident.get("playerName"))
    other = as_player(incident.get("participatingPlayerId"), incident.get("participatingPlayerName"))
    return IncidentRecord(kind, side, minute, player, other if kind is IncidentKind.GOAL else None)
