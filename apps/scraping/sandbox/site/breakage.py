"""Broken responses: what each fault sends in place of the correct one."""

from __future__ import annotations

import gzip
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from http import HTTPStatus
from itertools import repeat
from math import ceil
from typing import Any, Final

from apps.scraping.sandbox.site.answers import CSV, HTML, JSON, SiteAnswer
from apps.scraping.sandbox.site.faults import Fault, Mode

RETRY_AFTER_SECONDS: Final = 60
HUGE_CHUNK: Final = b"<p>" + b"All work and no play makes a page too long. " * 1_489 + b"</p>\n"
HUGE_CHUNKS: Final = 800
"""Together a little more than 50 MB."""
PIXEL: Final = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c63f8cfc0000003010100"
    "c9fe92ef0000000049454e44ae426082"
)
"""A PNG of one point."""

CHALLENGE: Final = b"""<!DOCTYPE html><html lang="en-US"><head><title>Just a moment...</title></head>
<body><h1>sandbox</h1><p>Checking whether you are human. This may take a few seconds.</p>
<p>Ray ID: <code>5a4d0b0c5a4d0b0c</code></p></body></html>
"""
INCAPSULA: Final = b"""<html><head><META NAME="ROBOTS" CONTENT="NOINDEX, NOFOLLOW"></head><body>
Request unsuccessful. Incapsula incident ID: 877000140091824576-199842105936478728</body></html>
"""

RENAMED: Final = (
    (b"allRegions", b"regionList"),
    (b'id="seasons"', b'id="season-picker"'),
    (b'id="sub-navigation"', b'id="menu"'),
    (b">Fixtures<", b">Calendar<"),
    (b"wsCalendar", b"calendarData"),
    (b'require.config.params["args"]', b"window.centreArguments"),
    (b"missing-players", b"absentees"),
    (b'"tournaments":', b'"competitions":'),
    (b'"matches":', b'"fixtures":'),
    (b"Div,Date,", b"League,Day,"),
    (b"HomeTeam,AwayTeam", b"Hosts,Guests"),
)
"""Names that a changed layout replaces."""

CENTRE_SCORE: Final = re.compile(rb'"(score|ftScore)":"(\d+) : (\d+)"')


def spoil(fault: Fault, answer: SiteAnswer, target: str) -> SiteAnswer:
    """Return what a fault sends in place of the correct response to a path with its query.

    `Mode.SLOW` and `Mode.HANG` do not change the response, only its time.
    """
    match fault.mode:
        case Mode.SERVER_ERROR:
            return _refusal(HTTPStatus.INTERNAL_SERVER_ERROR)
        case Mode.FORBIDDEN:
            return _refusal(HTTPStatus.FORBIDDEN)
        case Mode.TOO_MANY:
            return replace(
                _refusal(HTTPStatus.TOO_MANY_REQUESTS),
                headers={"Retry-After": str(ceil(fault.seconds or RETRY_AFTER_SECONDS))},
            )
        case Mode.CHALLENGE:
            return SiteAnswer(CHALLENGE)
        case Mode.INCAPSULA:
            return SiteAnswer(INCAPSULA)
        case Mode.WRONG_TYPE:
            return SiteAnswer(PIXEL, "image/png")
        case Mode.REDIRECT_LOOP:
            return SiteAnswer(b"", HTML, HTTPStatus.FOUND, headers={"Location": _next_hop(target)})
        case Mode.TRUNCATED_GZIP:
            whole = gzip.compress(answer.body, mtime=0)
            return replace(answer, body=whole[: len(whole) // 2], headers={"Content-Encoding": "gzip"})
        case Mode.HUGE:
            return replace(answer, content_type=HTML, stream=repeat(HUGE_CHUNK, HUGE_CHUNKS))
        case Mode.RESET:
            headers = {**answer.headers, "Content-Length": str(len(answer.body) + 1)}
            return replace(answer, headers=headers, stream=_broken_off(answer.body))
        case Mode.CHANGED_LAYOUT:
            return _edited(answer, _rename)
        case Mode.EMPTY:
            return _edited(answer, _emptied)
        case Mode.DUPLICATED:
            return _edited(answer, _duplicated)
        case Mode.CONTRADICTING:
            return _edited(answer, _contradicting)
        case _:
            return answer


def _refusal(status: HTTPStatus) -> SiteAnswer:
    text = f"<html><head><title>{status.value} {status.phrase}</title></head><body>{status.phrase}</body></html>"
    return SiteAnswer(text.encode(), HTML, status)


def _next_hop(target: str) -> str:
    """Return the next address of a redirect loop: the same page with another query."""
    base, _, hop = target.partition("hop=")
    joint = "" if base.endswith(("?", "&")) else "&" if "?" in base else "?"
    return f"{base}{joint}hop={int(hop) + 1 if hop.isdecimal() and len(hop) < 10 else 1}"


def _broken_off(body: bytes) -> Iterator[bytes]:
    """Yield the first half of a body in two pieces, then break the connection; the second piece may not be sent."""
    half = len(body) // 2
    yield body[: half // 2]
    yield body[half // 2 : half]
    raise ConnectionResetError("the sandbox breaks this answer off")


def _edited(answer: SiteAnswer, edit: Any) -> SiteAnswer:
    """Return the response with another body, and so with another validator."""
    return replace(answer, body=edit(answer))


def _rename(answer: SiteAnswer) -> bytes:
    body = answer.body
    for old, new in RENAMED:
        body = body.replace(old, new)
    return body


def _emptied(answer: SiteAnswer) -> bytes:
    if answer.content_type == JSON:
        feed = json.loads(answer.body)
        for tournament in feed.get("tournaments", ()):
            tournament["matches"] = []
        return _json(feed)
    return answer.body.splitlines(keepends=True)[0] if answer.content_type == CSV and answer.body else b""


def _duplicated(answer: SiteAnswer) -> bytes:
    return _listed_twice(answer, lambda entry: entry, lambda cells: cells)


def _contradicting(answer: SiteAnswer) -> bytes:
    """Change a result: one more goal for the home side."""
    if answer.content_type == HTML:
        return CENTRE_SCORE.sub(lambda found: b'"%b":"%d : %b"' % (found[1], int(found[2]) + 1, found[3]), answer.body)
    return _listed_twice(answer, _entry_with_a_goal_more, _row_with_a_goal_more)


def _listed_twice(answer: SiteAnswer, of_entry: Any, of_row: Any) -> bytes:
    """Return a feed or file that lists its first finished match, else its first one, twice."""
    if answer.content_type == JSON:
        feed = json.loads(answer.body)
        for tournament in feed.get("tournaments", ()):
            entries = tournament.get("matches", [])
            chosen = next((entry for entry in entries if entry["status"] == 6), entries[0] if entries else None)
            if chosen is not None:
                entries.append(of_entry(dict(chosen)))
        return _json(feed)
    lines = answer.body.splitlines(keepends=True)
    if answer.content_type == CSV and len(lines) > 1:
        cells = lines[1].rstrip(b"\r\n").split(b",")
        header = lines[0].removeprefix(b"\xef\xbb\xbf").rstrip(b"\r\n").split(b",")
        if len(cells) == len(header):
            again = of_row(dict(zip(header, cells, strict=True)))
            lines.append(b",".join(again.values()) + b"\r\n")
    return b"".join(lines)


def _entry_with_a_goal_more(entry: dict[str, Any]) -> dict[str, Any]:
    home, away = (entry["homeScore"] or 0) + 1, entry["awayScore"] or 0
    winner = None if home == away else int(home < away)
    return {**entry, "status": 6, "elapsed": "FT", "homeScore": home, "awayScore": away, "winnerField": winner}


def _row_with_a_goal_more(row: dict[bytes, bytes]) -> dict[bytes, bytes]:
    if b"FTHG" not in row:
        return {**row, b"Time": b"03:33"}
    home, away = int(row[b"FTHG"] or 0) + 1, int(row[b"FTAG"] or 0)
    return {**row, b"FTHG": b"%d" % home, b"FTR": b"H" if home > away else b"A" if home < away else b"D"}


def _json(value: Any) -> bytes:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()
