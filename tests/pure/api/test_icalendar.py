"""Calendars by the rules of RFC 5545, read back by a reader of its own."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta, timezone

from hypothesis import given
from hypothesis import strategies as st

from apps.api.icalendar import CalendarEvent, calendar, fold, instant, text

KICKOFF = datetime(2026, 11, 28, 15, tzinfo=UTC)


def event(**fields) -> CalendarEvent:
    plain = {
        "uid": "match-7@example.org",
        "starts": KICKOFF,
        "ends": KICKOFF + timedelta(hours=2),
        "summary": "Northgate – Old Mill",
        "description": "Forecast: Northgate 50%, draw 30%, Old Mill 20%.",
        "url": "https://example.org/matches/7/",
        "category": "Crown League",
        "status": "CONFIRMED",
        "sequence": 2,
        "changed_at": KICKOFF - timedelta(days=1),
    }
    return CalendarEvent(**(plain | fields))


def lines_of(content: str) -> list[str]:
    """Unfold a calendar (section 3.1) and return its lines."""
    assert content.endswith("\r\n")
    assert "\n" not in content.replace("\r\n", "")
    return content.replace("\r\n ", "").split("\r\n")[:-1]


def unescaped(value: str) -> str:
    """Read a text (section 3.3.11)."""
    read, characters = "", iter(value)
    for character in characters:
        if character == "\\":
            escaped = next(characters)
            read += {"n": "\n", "N": "\n"}.get(escaped, escaped)
            assert escaped in "\\;,nN"
        else:
            assert character not in ";,\n"
            read += character
    return read


def test_a_match_becomes_an_event_in_utc():
    assert (
        lines_of(calendar("Northgate", [event()]))[-15:]
        == [
            "X-PUBLISHED-TTL:PT6H",
            "BEGIN:VEVENT",
            "UID:match-7@example.org",
            "DTSTAMP:20261127T150000Z",
            "LAST-MODIFIED:20261127T150000Z",
            "SEQUENCE:2",
            "DTSTART:20261128T150000Z",
            "DTEND:20261128T170000Z",
            "SUMMARY:Northgate – Old Mill",
            "DESCRIPTION:Forecast: Northgate 50%\\, draw 30%\\, Old Mill 20%.",
            "CATEGORIES:Crown League",
            "URL:https://example.org/matches/7/",
            "STATUS:CONFIRMED",
            "TRANSP:TRANSPARENT",
            "END:VEVENT",
            "END:VCALENDAR",
        ][-15:]
    )


def test_a_date_alone_takes_the_whole_day():
    lines = lines_of(calendar("Northgate", [event(starts=date(2026, 11, 28), ends=None)]))
    assert "DTSTART;VALUE=DATE:20261128" in lines
    assert not [line for line in lines if line.startswith("DTEND")]


def test_a_moment_of_another_zone_is_written_in_utc():
    assert instant(datetime(2026, 11, 28, 0, 30, tzinfo=timezone(timedelta(hours=2)))) == "20261127T223000Z"


def test_what_every_calendar_must_have_comes_first():
    lines = lines_of(calendar("A; B", []))
    assert lines[:2] == ["BEGIN:VCALENDAR", "VERSION:2.0"]
    assert "NAME:A\\; B" in lines
    assert [line for line in lines if line.startswith("PRODID:")]


def test_a_calendar_without_events_still_has_a_component():
    lines = lines_of(calendar("Nobody", []))
    assert lines.count("BEGIN:VTIMEZONE") == lines.count("END:VTIMEZONE") == 1
    assert lines[-1] == "END:VCALENDAR"


def test_special_characters_are_escaped_once():
    assert text("a\\b;c,d\r\ne\nf\tg\x00") == "a\\\\b\\;c\\,d\\ne\\nfg"


@given(st.text())
def test_any_text_can_be_read_back(value):
    line = f"SUMMARY:{text(value)}"
    folded = fold(line)
    assert all(len(part.encode()) <= 75 for part in folded.split("\r\n"))
    assert folded.replace("\r\n ", "") == line
    kept = "".join(c for c in value.replace("\r\n", "\n") if c == "\n" or (c >= " " and c != "\x7f"))
    assert unescaped(line.removeprefix("SUMMARY:")) == kept


def test_a_long_line_of_wide_characters_is_cut_between_them():
    folded = fold("X:" + "日" * 60).split("\r\n")
    assert [len(part.encode()) for part in folded] == [74, 73, 37]
