"""Reader of Understat's lists of matches, in each form in which the site has given them."""

from __future__ import annotations

import csv
import html
import io
import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from pathlib import PurePosixPath
from typing import Any, Final

from apps.matches.records import CompetitionKey, KickoffPrecision, MatchRecord, MatchStatus, StatsRecord
from apps.scraping.sources.base import ParsedFile, ParseError, RefusedRow, shorten
from apps.scraping.sources.competitions import UNDERSTAT_LEAGUES

ASSIGNED: Final = re.compile(r"\b(datesData|match_info)\s*=\s*JSON\.parse\(\s*'((?:[^'\\]++|\\.)*+)'", re.DOTALL)
ESCAPE: Final = re.compile(r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|(.))", re.DOTALL)
"""An escape of a JavaScript string, such as ``\\x7B``."""

SELECTED: Final = re.compile(
    r'<select name="league"[^>]*+>(?:[^<]++|<(?!/select))*?<option value="([^"]*+)"\s+selected'
)
"""The league that a page shows."""

LEAGUE_IN_NAME: Final = re.compile(
    "(?<![a-z])(?:" + "|".join(league.replace(" ", "[ _-]?") for league in UNDERSTAT_LEAGUES) + ")(?![a-z])"
)
DAY: Final = re.compile(r"(\d{4})-(\d\d)-\d\d")
SEASON: Final = re.compile(r"(20\d\d)(?:[/-](?:20)?\d\d)?")
"""The year in which a season begins, alone or with that in which it ends."""

CONTENT: Final = re.compile(
    rb"(?:\xef\xbb\xbf)?\s*+(?:<.*understat\.com|[\[{].*\"(?:isResult|npxGA?|h_xg|match_info)\"|[^\n]*\bunderstat_id\b)",
    re.IGNORECASE | re.DOTALL,
)
"""The beginning of a page, of JSON, or of a table."""

COLUMNS: Final = (
    "understat_id", "league", "season", "kickoff", "home", "away", "home_goals", "away_goals", "home_xg", "away_xg",
)  # fmt: skip
"""Columns of a table that is read; it may have more."""

FIRST_MONTH: Final = 6
"""The earliest month in which a season begins; a list that begins before it begins within a season."""

NOT_PLAYED: Final = "not yet played, left out"
WITHOUT_XG: Final = "results without expected goals, left out"


@dataclass(frozen=True, slots=True)
class _Row:
    """A match as it is written, whatever the form of the file."""

    number: int
    league: Any
    season: Any
    match_id: Any
    day: Any
    home: Any
    away: Any
    goals: tuple[Any, Any]
    xg: tuple[Any, Any]
    home_id: Any = ""
    away_id: Any = ""
    is_played: Any = True

    @property
    def text(self) -> str:
        """The row for a report."""
        return shorten((self.match_id, self.day, self.home, self.away, *self.goals, *self.xg))


class Understat:
    """Reads lists of matches of a league, pages of a league or a match, and tables of matches."""

    name: Final = "understat"

    def accepts(self, path: str, head: bytes) -> bool:
        """Return whether a file is one of this source; see `apps.scraping.sources.base.FileReader`."""
        file = PurePosixPath(path.lower())
        is_named = "understat" in file.name or LEAGUE_IN_NAME.search(file.name) is not None
        return CONTENT.match(head) is not None or (is_named and file.suffix in {".json", ".html", ".htm", ".csv"})

    def parse_file(self, name: str, content: bytes) -> ParsedFile:
        """Read one file; see `apps.scraping.sources.base.FileReader`.

        A response does not say its league: it is that in the name, such as ``EPL_2020.json`` or ``EPL/2020.json``. The
        season of a list begins in the year of its first match. A file of results of which none has xG has changed its
        form, and is refused.
        """
        text = content.decode("utf-8-sig", errors="replace")
        start = text.lstrip()[:1]
        if start in ("{", "["):
            rows = _of_json(text, name)
        elif start == "<":
            rows = _of_page(text, name)
        else:
            rows = _of_table(text, name)
        parsed = ParsedFile(name, [])
        notes: Counter[str] = Counter()
        for row in rows:
            try:
                record = _record(row, notes)
            except (TypeError, ValueError) as error:
                parsed.refused.append(RefusedRow(name, row.number, str(error), row.text))
            else:
                if record is not None:
                    parsed.records.append(record)
        if notes[WITHOUT_XG] and not parsed.records and not parsed.refused:
            raise ParseError("the xG of every match", name)
        parsed.notes.update(notes)
        return parsed


# ── Forms ────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _of_json(text: str, name: str) -> list[_Row]:
    document = _json(text, name)
    if isinstance(document, dict) and isinstance(document.get("match_info"), dict):
        return [_of_match(document["match_info"])]
    if isinstance(document, dict):
        document = document.get("dates", document.get("data"))
    if isinstance(document, dict):
        document = document.get("dates")
    return _of_list(document, name, _league_in(name))


def _of_page(text: str, name: str) -> list[_Row]:
    assigned = {found[1]: found[2] for found in ASSIGNED.finditer(text)}
    if "datesData" in assigned:
        shown = SELECTED.search(text)
        dates = _json(_unescaped(assigned["datesData"]), name)
        return _of_list(dates, name, shown[1] if shown else _league_in(name))
    if "match_info" in assigned:
        return [_of_match(_json(_unescaped(assigned["match_info"]), name))]
    raise ParseError("variable datesData or match_info", name)


def _of_table(text: str, name: str) -> list[_Row]:
    rows = csv.DictReader(io.StringIO(text))
    try:
        for column in COLUMNS:
            if column not in (rows.fieldnames or ()):
                raise ParseError(f"column {column}", name)
        return [
            _Row(
                rows.line_num, row["league"], row["season"], row["understat_id"], row["kickoff"], row["home"],
                row["away"], (row["home_goals"], row["away_goals"]), (row["home_xg"], row["away_xg"]),
            )
            for row in rows
        ]  # fmt: skip
    except csv.Error as error:
        raise ParseError("a table that can be read", name) from error


def _of_list(dates: Any, name: str, league: str) -> list[_Row]:
    """Return the matches of a list ``[{id, isResult, h, a, goals, xG, datetime}]``."""
    if not isinstance(dates, list):
        raise ParseError("a list dates of matches", name)
    if not league:
        raise ParseError("a league", name, "nothing says which league it is; name the file as in EPL_2020.json")
    days = [found for entry in dates if (found := DAY.match(str(_item(entry, "datetime"))))]
    year, month = min((int(day[1]), int(day[2])) for day in days) if days else (0, 0)
    season = year - (month < FIRST_MONTH)
    return [
        _Row(
            number,
            league,
            season,
            _item(entry, "id"),
            _item(entry, "datetime"),
            _item(entry, "h", "title"),
            _item(entry, "a", "title"),
            (_item(entry, "goals", "h"), _item(entry, "goals", "a")),
            (_item(entry, "xG", "h"), _item(entry, "xG", "a")),
            _item(entry, "h", "id"),
            _item(entry, "a", "id"),
            is_played=_item(entry, "isResult"),
        )
        for number, entry in enumerate(dates, start=1)
    ]


def _of_match(info: Any) -> _Row:
    """Return the match of a page, from its `match_info`."""
    keys = ("league", "season", "id", "date", "team_h", "team_a")
    league, season, match_id, day, home, away = (_item(info, key) for key in keys)
    goals = _item(info, "h_goals"), _item(info, "a_goals")
    xg = _item(info, "h_xg"), _item(info, "a_xg")
    played = goals[0] is not None
    return _Row(
        1, league, season, match_id, day, home, away, goals, xg, _item(info, "h"), _item(info, "a"), is_played=played
    )


def _league_in(name: str) -> str:
    """Return the league in the name of a file, else in that of its folder; empty where there is none."""
    file = PurePosixPath(name.lower())
    found = LEAGUE_IN_NAME.search(file.name) or LEAGUE_IN_NAME.search(file.parent.name)
    return found[0] if found else ""


def _json(text: str, name: str) -> Any:
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ParseError("valid JSON", name) from error


def _unescaped(literal: str) -> str:
    """Return the value of a JavaScript string."""
    return ESCAPE.sub(lambda found: chr(int(found[1] or found[2], 16)) if found[1] or found[2] else found[3], literal)


def _item(entry: Any, *keys: str) -> Any:
    """Return a value within dictionaries, None where one of the keys is missing."""
    for key in keys:
        entry = entry.get(key) if isinstance(entry, Mapping) else None
    return entry


# ── Rows ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
def _record(row: _Row, notes: Counter[str]) -> MatchRecord | None:
    """Return the record of a match; None for one that has no xG, which is noted.

    Raises
    ------
    ValueError
        When something in it cannot be read.
    """
    if not isinstance(row.is_played, bool):
        raise ValueError("nothing says whether it was played")
    if not row.is_played:
        notes[NOT_PLAYED] += 1
        return None
    competition = _competition(row.league)
    day = _day(row.day)
    home_goals, away_goals = (_count(goals, "goals") for goals in row.goals)
    # A match of which both have none at all was not measured.
    if any(value in (None, "") for value in row.xg) or not any(values := [_xg(value) for value in row.xg]):
        notes[WITHOUT_XG] += 1
        return None
    home_xg, away_xg = values
    return MatchRecord(
        competition,
        _season(row.season),
        _name(row.home),
        _name(row.away),
        datetime.combine(day, time(), UTC),
        KickoffPrecision.DATE,
        MatchStatus.FINISHED,
        home_goals,
        away_goals,
        source_id=str(_count(row.match_id, "id")),
        home_team_id=_team_id(row.home_id),
        away_team_id=_team_id(row.away_id),
        stats=StatsRecord(home_xg=home_xg, away_xg=away_xg),
    )


def _competition(league: Any) -> CompetitionKey:
    found = UNDERSTAT_LEAGUES.get(str(league).replace("_", " ").replace("-", " ").strip().lower())
    if found is None:
        raise ValueError(f"league {league!r} is unknown")
    return found


def _season(value: Any) -> str:
    found = SEASON.fullmatch(str(value).strip())
    if found is None:
        raise ValueError(f"season {value!r} cannot be read")
    year = int(found[1])
    return f"{year}-{(year + 1) % 100:02d}"


def _day(value: Any) -> date:
    try:
        return date.fromisoformat(str(value)[:10])
    except ValueError as error:
        raise ValueError(f"date {value!r} cannot be read") from error


def _count(value: Any, what: str) -> int:
    text = str(value).strip()
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ValueError(f"{what} {value!r} cannot be read")
    return int(text)


def _xg(value: Any) -> float:
    try:
        return float(value)
    except (TypeError, ValueError) as error:
        raise ValueError(f"expected goals of {value!r} cannot be read") from error


def _name(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError(f"{value!r} is no team's name")
    return " ".join(html.unescape(value).split())


def _team_id(value: Any) -> str:
    return "" if value in (None, "") else str(_count(value, "id of a team"))
