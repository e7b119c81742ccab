"""Calendars as iCalendar (RFC 5545), which phones and mail programs subscribe to."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Final

LONGEST: Final = 75
"""Octets of a line without its end (section 3.1)."""

CONTROLS: Final = re.compile(r"[\x00-\x09\x0b-\x1f\x7f]")
"""Characters that a text may not have (section 3.3.11); a line feed is written as ``\\n``."""

EMPTY: Final = (
    *("BEGIN:VTIMEZONE", "TZID:UTC", "BEGIN:STANDARD", "DTSTART:19700101T000000"),
    *("TZOFFSETFROM:+0000", "TZOFFSETTO:+0000", "END:STANDARD", "END:VTIMEZONE"),
)
"""What a calendar without events holds, because one component there must be (section 3.6)."""


@dataclass(frozen=True, slots=True)
class CalendarEvent:
    """An event of a calendar.

    Parameters
    ----------
    uid : str
        Globally unique, and the same however the event changes.
    starts : datetime or date
        Aware; a date stands for an event of the whole day.
    ends : datetime, optional
        Aware; None for a whole day.
    status : str
        CONFIRMED, TENTATIVE or CANCELLED.
    sequence : int
        Grows with each change of the event.
    changed_at : datetime
        Aware.
    """

    uid: str
    starts: datetime | date
    ends: datetime | None
    summary: str
    description: str
    url: str
    category: str
    status: str
    sequence: int
    changed_at: datetime


def calendar(name: str, events: Iterable[CalendarEvent], *, refresh: str = "PT6H") -> str:
    """Return a calendar as text.

    Parameters
    ----------
    name : str
        As programs show it.
    events : iterable of CalendarEvent
    refresh : str
        Duration after which programs are to look again, such as PT6H.
    """
    lines = [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//SPAI//Matches//EN",
        "CALSCALE:GREGORIAN",
        "METHOD:PUBLISH",
        # RFC 7986, and before it the names that programs know.
        f"NAME:{text(name)}",
        f"X-WR-CALNAME:{text(name)}",
        f"REFRESH-INTERVAL;VALUE=DURATION:{refresh}",
        f"X-PUBLISHED-TTL:{refresh}",
    ]
    written = [line for event in events for line in _lines(event)]
    return "".join(f"{fold(line)}\r\n" for line in (*lines, *(written or EMPTY), "END:VCALENDAR"))


def _lines(event: CalendarEvent) -> list[str]:
    if isinstance(event.starts, datetime):
        times = [f"DTSTART:{instant(event.starts)}", *([f"DTEND:{instant(event.ends)}"] if event.ends else [])]
    else:
        times = [f"DTSTART;VALUE=DATE:{event.starts:%Y%m%d}"]
    changed = instant(event.changed_at)
    return [
        "BEGIN:VEVENT",
        f"UID:{text(event.uid)}",
        f"DTSTAMP:{changed}",
        f"LAST-MODIFIED:{changed}",
        f"SEQUENCE:{event.sequence}",
        *times,
        f"SUMMARY:{text(event.summary)}",
        f"DESCRIPTION:{text(event.description)}",
        f"CATEGORIES:{text(event.category)}",
        f"URL:{event.url}",
        f"STATUS:{event.status}",
        # A match does not make its reader busy.
        "TRANSP:TRANSPARENT",
        "END:VEVENT",
    ]


def instant(at: datetime) -> str:
    """Write a moment in UTC."""
    return f"{at.astimezone(UTC):%Y%m%dT%H%M%SZ}"


def text(value: str) -> str:
    """Escape a text (section 3.3.11)."""
    value = CONTROLS.sub("", value.replace("\r\n", "\n"))
    return value.replace("\\", "\\\\").replace(";", "\\;").replace(",", "\\,").replace("\n", "\\n")


def fold(line: str) -> str:
    """Break a long line so that none has more than `LONGEST` octets and no character is cut (section 3.1)."""
    if len(line.encode()) <= LONGEST:
        return line
    parts, size = [""], 0
    for character in line:
        octets = len(character.encode())
        if size + octets > LONGEST:
            parts.append("")
            # The space with which the next line begins counts.
            size = 1
        parts[-1] += character
        size += octets
    return "\r\n ".join(parts)
