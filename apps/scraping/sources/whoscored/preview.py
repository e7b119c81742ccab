"""The preview: players who will miss a coming match."""

from __future__ import annotations

import re
from collections import Counter
from dataclasses import replace
from typing import Final

from selectolax.lexbor import LexborNode

from apps.matches.records import AbsenceRecord, MatchRecord, SheetRecord, Side
from apps.scraping.sources.base import Page, ParseError, Reading
from apps.scraping.sources.whoscored.incidents import as_player, sheet_known_at
from apps.scraping.sources.whoscored.pages import as_text, as_tree, as_words

MISSING_PLAYERS: Final = "div#missing-players"
PLAYER: Final = re.compile(r"/players/(\d{1,12})\b", re.IGNORECASE)
ROWS: Final = 200
"""Rows that are read of each part: more than any squad has players."""


def read_preview(page: Page, match: MatchRecord) -> Reading:
    """Return a coming match with the players who will miss it.

    The list has a part for each side, the home side's first. A row of its table has the player in a link with his id,
    the reason in the title or text of ``td.reason``, and the status in ``td.confirmed``.

    Raises
    ------
    ParseError
        When the page has no list of missing players.
    """
    tree = as_tree(as_text(page.content, page.url), page.url)
    block = tree.css_first(MISSING_PLAYERS)
    if block is None:
        raise ParseError(f"selector {MISSING_PLAYERS}", page.url)
    notes: Counter[str] = Counter()
    absences: dict[str, AbsenceRecord] = {}
    for side, part in _parts(block):
        for row in part.css("tr")[:ROWS]:
            if row.css_first("td") is None:
                continue
            absence = _absence(row, side)
            if absence is None:
                notes["missing players left out"] += 1
            else:
                absences.setdefault(absence.player.source_player_id, absence)
    sheet = SheetRecord(sheet_known_at(match.kickoff_at, page.fetched_at), absences=tuple(absences.values()))
    # The feed gives the prices; here they would count a second time.
    return Reading([replace(match, odds=(), sheet=sheet)] if absences else [], notes=dict(notes))


def _parts(block: LexborNode) -> list[tuple[Side, LexborNode]]:
    """Return the parts of the list by side.

    A part with the class ``home`` or ``away`` belongs to that side. Otherwise the last two parts do, since the first of
    three is a heading; so a side without a table does not get the other side's.
    """
    named = [(side, part) for side in Side for part in block.css(f".{side.value}")]
    if named:
        return named
    parts = [node for node in block.iter() if node.tag == "div"]
    if len(parts) < len(Side):
        parts = block.css("table")
    return list(zip(Side, parts[-len(Side) :] if len(parts) >= len(Side) else parts, strict=False))


def _absence(row: LexborNode, side: Side) -> AbsenceRecord | None:
    link = next((node for node in row.css("a[href]") if PLAYER.search(str(node.attributes.get("href"))[:500])), None)
    if link is None:
        return None
    number = PLAYER.search(str(link.attributes.get("href"))[:500])
    player = as_player(number[1] if number else None, link.text())
    if player is None:
        return None
    reason, status = row.css_first("td.reason"), row.css_first("td.confirmed") or row.css_first("td.status")
    return AbsenceRecord(player, side, _title(reason), as_words(status.text()) if status else "")


def _title(cell: LexborNode | None) -> str:
    """Return the title of a cell or of an element in it, else its text."""
    if cell is None:
        return ""
    titles = [node.attributes.get("title") for node in (cell, *cell.css("[title]"))]
    return next((as_words(title) for title in titles if as_words(title)), "") or as_words(cell.text())
