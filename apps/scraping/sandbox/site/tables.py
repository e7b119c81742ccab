"""Files in football-data's format: a division's past season, and the coming matches."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Sequence
from typing import Final

from apps.matches.records import MatchRecord, Moment, OddsRecord, StatsRecord
from apps.scraping.sandbox.market import AVERAGE, HIGHEST, SHARP, SOFT, TRUTH
from apps.scraping.sandbox.site.addresses import LEAGUES, on_clock

BOOKMAKERS: Final = {
    Moment.OPENING: (SOFT, SHARP, AVERAGE, HIGHEST),
    Moment.CLOSING: (SOFT, SHARP, AVERAGE, HIGHEST, TRUTH),
}
GOALS_PREFIX: Final = {SHARP: "P"}
"""Bookmakers with another prefix for the columns of over and under."""

COUNTS: Final = {
    "HS": "home_shots",
    "AS": "away_shots",
    "HST": "home_shots_on_target",
    "AST": "away_shots_on_target",
    "HF": "home_fouls",
    "AF": "away_fouls",
    "HC": "home_corners",
    "AC": "away_corners",
    "HY": "home_yellow_cards",
    "AY": "away_yellow_cards",
    "HR": "home_red_cards",
    "AR": "away_red_cards",
}
"""Column → field of `StatsRecord`."""

PLACE: Final = ("Div", "Date", "Time", "HomeTeam", "AwayTeam")
RESULT: Final = ("FTHG", "FTAG", "FTR", "HTHG", "HTAG", "HTR", "Attendance", "Referee", *COUNTS)
DIVISION_OF: Final = {league.competition: league.division for league in LEAGUES}


def season_file(records: Sequence[MatchRecord]) -> bytes:
    """Return the file of a division's season: its finished matches."""
    return _file((*PLACE, *RESULT), ([*_place(record), *_result(record)] for record in records), records)


def fixtures_file(records: Sequence[MatchRecord]) -> bytes:
    """Return the file of coming matches of all divisions."""
    return _file((*PLACE, "Referee"), ([*_place(record), ""] for record in records), records)


def _file(columns: tuple[str, ...], rows: Iterable[list[str]], records: Sequence[MatchRecord]) -> bytes:
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow([*columns, *_odds_columns()])
    writer.writerows([*row, *_odds(record.odds)] for row, record in zip(rows, records, strict=True))
    return text.getvalue().encode("utf-8-sig")


def _odds_columns() -> list[str]:
    found = []
    for moment, bookmakers in BOOKMAKERS.items():
        mark = "C" if moment is Moment.CLOSING else ""
        found += [f"{bookmaker}{mark}{outcome}" for bookmaker in bookmakers for outcome in "HDA"]
        goals = [GOALS_PREFIX.get(bookmaker, bookmaker) for bookmaker in bookmakers]
        found += [f"{prefix}{mark}{line}" for prefix in goals for line in (">2.5", "<2.5")]
    return found


def _odds(odds: Iterable[OddsRecord]) -> list[str]:
    """Return the prices of a match in the order of the columns, with all digits; empty without a price."""
    quoted = {(quote.bookmaker, quote.moment): quote for quote in odds}
    found: list[float | None] = []
    for moment, bookmakers in BOOKMAKERS.items():
        quotes = [quoted.get((bookmaker, moment)) for bookmaker in bookmakers]
        for quote in quotes:
            found += [None] * 3 if quote is None else [quote.home, quote.draw, quote.away]
        for quote in quotes:
            found += [None] * 2 if quote is None else [quote.over_2_5, quote.under_2_5]
    return ["" if price is None else repr(price) for price in found]


def _place(record: MatchRecord) -> list[str]:
    kickoff = on_clock(record.kickoff_at)
    division = DIVISION_OF[record.competition]
    return [division, f"{kickoff:%d/%m/%Y}", f"{kickoff:%H:%M}", record.home_team, record.away_team]


def _result(record: MatchRecord) -> list[str]:
    stats = record.stats or StatsRecord()
    full = record.home_goals, record.away_goals
    half = record.home_goals_half_time, record.away_goals_half_time
    cells = [*full, _letter(*full), *half, _letter(*half), stats.attendance, stats.referee]
    cells += [getattr(stats, field) for field in COUNTS.values()]
    return ["" if cell is None else str(cell) for cell in cells]


def _letter(home: int | None, away: int | None) -> str:
    if home is None or away is None:
        return ""
    return "H" if home > away else "A" if home < away else "D"
