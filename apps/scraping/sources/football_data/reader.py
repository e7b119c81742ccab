"""Parser of football-data files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import PurePosixPath
from statistics import median_low
from typing import Final
from zoneinfo import ZoneInfo

from apps.matches.aliases import aliases_for
from apps.matches.records import GOALS_LIMIT, CompetitionKey, KickoffPrecision, MatchRecord, MatchStatus, StatsRecord
from apps.scraping.sources.base import ParsedFile, ParseError, RefusedRow
from apps.scraping.sources.competitions import CALENDAR_YEAR_REGIONS, DIVISIONS, LEAGUES
from apps.scraping.sources.football_data.odds import read_odds
from apps.scraping.sources.football_data.play_offs import mark_play_offs
from apps.scraping.sources.football_data.table import CsvTable, read_table

CLOCK: Final = ZoneInfo("Europe/London")
"""Time zone of the column ``Time``, for the leagues of every country."""

SEASON_STARTS: Final = 7
"""July. The middle one of its dates decides the season of a division: 2019-20 was played until August, and one mistyped
year must not move the others."""

SEASON_REACHES: Final = timedelta(days=300)
"""Largest distance from the middle date; the largest in thirty years is 217 days."""

SEASON: Final = re.compile(r"(\d{4})(?:/(\d{4}))?")
"""The column ``Season`` of extra files."""

FIRST_YEAR: Final = 1970
"""Years of two digits from ``70`` to ``99`` are in the last century; the files begin in 1993, so that an earlier year
is a mistake."""

STATISTICS: Final = ("HS", "AS", "HST", "AST", "HC", "AC", "HF", "AF", "HY", "AY", "HR", "AR", "Attendance")
"""In the order of the fields of `StatsRecord`, which ends with the referee."""

MATCH_MISSING: Final = "a row with a match"
"""What is missing in a division's file without rows."""

NOT_COUNTED: Final = StatsRecord()

Kickoff = tuple[datetime, KickoffPrecision]


class FootballData:
    """Reader of football-data.co.uk's files; the package describes them.

    `divisions` has the competitions of main files by the code in their column ``Div``.
    """

    name: Final = "football-data"

    def __init__(self, divisions: Mapping[str, CompetitionKey] = DIVISIONS) -> None:
        self._divisions = divisions

    def accepts(self, path: str) -> bool:
        """Return whether a file of this name is a division, a country or a list of fixtures of this site."""
        file = PurePosixPath(path)
        if file.suffix.lower() != ".csv":
            return False
        is_country = len(file.stem) == 3 and file.stem.isalpha() and file.stem.isupper()
        return file.stem in self._divisions or is_country or file.stem.endswith("fixtures")

    def parse_file(self, name: str, content: bytes) -> ParsedFile:
        """Read one file; see `apps.scraping.sources.base.FileReader`.

        A match that the file lists without goals is `SCHEDULED` when it kicks off later than every match with goals,
        else `UNKNOWN`: it was annulled, awarded or never entered; the file does not show which.
        """
        notes: Counter[str] = Counter()
        table = read_table(name, content, notes)
        refused: list[RefusedRow] = []
        records = mark_play_offs(_read_matches(table, self._divisions, refused, notes))
        if not records and not name.endswith("fixtures.csv"):
            raise ParseError(MATCH_MISSING, name)
        return ParsedFile(name, records, refused, {note: count for note, count in notes.items() if count})


class MatchCounts(dict[str, int | None]):
    """Text of a cell → count; None for an empty or invalid one. `dropped` keeps the invalid texts."""

    def __init__(self) -> None:
        super().__init__()
        self.dropped: set[str] = set()

    def __missing__(self, text: str) -> int | None:
        try:
            number = float(text)
            count = int(number) if number >= 0 and number == int(number) else None
        except (ValueError, OverflowError):
            count = None
        if count is None and text.strip():
            self.dropped.add(text)
        self[text] = count
        return count


class Kickoffs(dict[tuple[str, str], Kickoff | None]):
    """Texts of date and time → kick-off in UTC and its precision; None for an invalid date."""

    def __missing__(self, texts: tuple[str, str]) -> Kickoff | None:
        day, clock = _date(texts[0]), _time(texts[1])
        kickoff: Kickoff | None
        if day is None:
            kickoff = None
        elif clock is None:
            kickoff = datetime.combine(day, time(), tzinfo=UTC), KickoffPrecision.DATE
        else:
            kickoff = datetime.combine(day, clock, tzinfo=CLOCK).astimezone(UTC), KickoffPrecision.MINUTE
        self[texts] = kickoff
        return kickoff


def _read_matches(
    table: CsvTable, known: Mapping[str, CompetitionKey], refused: list[RefusedRow], notes: Counter[str]
) -> list[MatchRecord]:
    """Return a record for each valid row; add the others to `refused`."""
    rows = len(table.rows)
    empty = ("",) * rows
    counts, kickoffs_of = MatchCounts(), Kickoffs()
    dates, times = table.required("Date"), table.column("Time") or empty
    kickoffs = [kickoffs_of[texts] for texts in zip(dates, times, strict=True)]
    notes["times that cannot be read"] += sum(
        bool(text.strip()) and kickoff is not None and kickoff[1] == KickoffPrecision.DATE
        for text, kickoff in zip(times, kickoffs, strict=True)
    )
    homes = [_team(cell) for cell in table.required("HomeTeam")]
    aways = [_team(cell) for cell in table.required("AwayTeam")]
    home_goals, away_goals, results = (table.column(name) or empty for name in ("FTHG", "FTAG", "FTR"))
    half_times = list(zip(*([counts[c] for c in table.column(n) or empty] for n in ("HTHG", "HTAG")), strict=True))
    competitions = _competitions(table, known, kickoffs, notes)
    stats, odds = _read_statistics(table, counts, notes), read_odds(table, notes)
    played = [
        kickoff[0]
        for kickoff, text in zip(kickoffs, home_goals, strict=True)
        if kickoff is not None and counts[text] is not None
    ]
    latest = max(played, default=None)
    broken_off = rows - 1 if table.is_cut and not _is_whole(aways, competitions) else -1
    records = []
    for i in range(rows):
        try:
            if i == broken_off:
                raise ValueError(f"the file ends within this row, and {aways[i]!r} is not a known club")
            kickoff_at, precision = _dated(kickoffs[i], dates[i])
            competition, season = _known(competitions[i])
            goals = _goals(counts, home_goals[i], away_goals[i], results[i])
            half_time = _half_time(goals, half_times[i], notes)
            status = _status(goals, kickoff_at, latest, notes)
            records.append(
                MatchRecord(
                    competition,
                    season,
                    homes[i],
                    aways[i],
                    kickoff_at,
                    precision,
                    status,
                    goals[0],
                    goals[1],
                    half_time[0],
                    half_time[1],
                    stats=stats[i],
                    odds=odds[i],
                )
            )
        except ValueError as error:
            refused.append(table.refuse(i, str(error)))
    return records


def _competitions(
    table: CsvTable, known: Mapping[str, CompetitionKey], kickoffs: list[Kickoff | None], notes: Counter[str]
) -> list[tuple[CompetitionKey, str] | str]:
    """Return competition and season of each row, or what is wrong with them."""
    if not table.is_extra:
        divisions = [cell.strip() for cell in table.required("Div")]
        days: dict[str, list[date]] = {division: [] for division in divisions}
        for division, kickoff in zip(divisions, kickoffs, strict=True):
            if kickoff is not None:
                days[division].append(kickoff[0].date())
        middles = {division: median_low(played) for division, played in days.items() if played}
        return [
            _division(division, known, kickoff, middles) for division, kickoff in zip(divisions, kickoffs, strict=True)
        ]
    seasons = table.column("Season") or ("",) * len(table.rows)
    return [
        _extra(country.strip(), league.strip(), season.strip(), kickoff, notes)
        for country, league, season, kickoff in zip(
            table.required("Country"), table.required("League"), seasons, kickoffs, strict=True
        )
    ]


def _division(
    division: str, known: Mapping[str, CompetitionKey], kickoff: Kickoff | None, middles: dict[str, date]
) -> tuple[CompetitionKey, str] | str:
    """Return competition and season of a row of a main file, or what is wrong with them."""
    if division not in known:
        return f"division {division!r} is unknown"
    if kickoff is None:
        return "the season is unknown without a date"
    middle = middles[division]
    if abs(kickoff[0].date() - middle) > SEASON_REACHES:
        return f"date {kickoff[0].date()} is far outside the season around {middle}"
    return known[division], _season_of(middle)


def _extra(
    country: str, league: str, season: str, kickoff: Kickoff | None, notes: Counter[str]
) -> tuple[CompetitionKey, str] | str:
    """Return competition and season of a row of an extra file, or what is wrong with them."""
    if not country or not league:
        return "country or league is missing"
    if kickoff is None:
        return "the season is unknown without a date"
    competition, day = _league(country, league, notes), kickoff[0].date()
    if not season:
        return competition, str(day.year) if competition.region in CALENDAR_YEAR_REGIONS else _season_of(day)
    found = SEASON.fullmatch(season)
    if found is None:
        return f"season {season!r} cannot be read"
    first, last = int(found[1]), int(found[2] or found[1])
    if not first <= day.year <= last + 1:
        return f"date {day} is far outside the season {season}"
    return competition, f"{first}-{last % 100:02d}" if found[2] else str(first)


def _league(country: str, league: str, notes: Counter[str]) -> CompetitionKey:
    """Return the competition of an extra file; an unknown one gets a key outside the pyramid of its country."""
    known = LEAGUES.get((country.lower(), league.lower()))
    if known is not None:
        return known
    notes[f"league {country}, {league} is unknown: kept as a competition outside the pyramid"] += 1
    return CompetitionKey(country, league, 0)


def _read_statistics(table: CsvTable, counts: MatchCounts, notes: Counter[str]) -> list[StatsRecord | None]:
    """Return the statistics of each row, None for a row without any."""
    names = [name for name in STATISTICS if name in table.header]
    referees = table.column("Referee")
    if not names and referees is None:
        return [None] * len(table.rows)
    columns: list[list[int | None]] = [
        [counts[text] for text in table.required(name)] if name in names else [None] * len(table.rows)
        for name in STATISTICS
    ]
    if counts.dropped:
        notes["counts dropped"] += sum(table.required(n).count(text) for n in names for text in counts.dropped)
    people = [""] * len(table.rows) if referees is None else [" ".join(cell.split()) for cell in referees]
    return [None if record == NOT_COUNTED else record for record in map(StatsRecord, *columns, people)]


def _goals(counts: MatchCounts, home: str, away: str, result: str) -> tuple[int, int] | tuple[None, None]:
    """Return the goals of a row; ValueError for those of one side only, no counts, or others than the result says."""
    home_goals, away_goals = counts[home], counts[away]
    if home_goals is None or away_goals is None:
        if home.strip() or away.strip():
            raise ValueError(f"goals {home!r} and {away!r} are not a result")
        return None, None
    if home_goals > GOALS_LIMIT or away_goals > GOALS_LIMIT:
        raise ValueError(f"goals {home!r} and {away!r} are not a result")
    outcome = "H" if home_goals > away_goals else "A" if home_goals < away_goals else "D"
    if result.strip() not in (outcome, ""):
        raise ValueError(f"result {result.strip()!r} contradicts the goals {home_goals}-{away_goals}")
    return home_goals, away_goals


def _half_time(
    goals: tuple[int, int] | tuple[None, None], half_time: tuple[int | None, int | None], notes: Counter[str]
) -> tuple[int | None, int | None]:
    """Return the half-time score if it is complete and not above the full-time score."""
    home, away = half_time
    if home is None and away is None:
        return None, None
    if home is None or away is None or goals[0] is None or goals[1] is None or home > goals[0] or away > goals[1]:
        notes["half-time scores dropped"] += 1
        return None, None
    return home, away


def _status(
    goals: tuple[int, int] | tuple[None, None], kickoff_at: datetime, latest: datetime | None, notes: Counter[str]
) -> MatchStatus:
    if goals[0] is not None:
        return MatchStatus.FINISHED
    if latest is None or kickoff_at > latest:
        return MatchStatus.SCHEDULED
    notes["matches without a result"] += 1
    return MatchStatus.UNKNOWN


def _is_whole(aways: list[str], competitions: list[tuple[CompetitionKey, str] | str]) -> bool:
    """Return whether the last row of a truncated file can be used: its away team, the last cell, is a known name."""
    competition = competitions[-1]
    aliases = {} if isinstance(competition, str) else aliases_for(competition[0].region)
    return aways[-1] in aways[:-1] or aways[-1] in aliases


def _known(competition: tuple[CompetitionKey, str] | str) -> tuple[CompetitionKey, str]:
    if isinstance(competition, str):
        raise ValueError(competition)
    return competition


def _dated(kickoff: Kickoff | None, text: str) -> Kickoff:
    if kickoff is None:
        raise ValueError(f"date {text!r} cannot be read")
    return kickoff


def _team(cell: str) -> str:
    """Return a team's name with single spaces and straight apostrophes."""
    return " ".join(cell.split()).replace("’", "'")


def _date(text: str) -> date | None:
    """Return the date of ``dd/mm/yy`` or ``dd/mm/yyyy``."""
    try:
        day, month, year = (int(part) for part in text.strip().split("/"))
        if year < 100:
            year += 1900 if year >= FIRST_YEAR - 1900 else 2000
        return date(year, month, day) if year >= FIRST_YEAR else None
    except (ValueError, OverflowError):
        return None


def _time(text: str) -> time | None:
    """Return the clock time of ``hh:mm`` or ``hh:mm:ss``."""
    try:
        hour, minute = (int(part) for part in text.strip().split(":")[:2])
        return time(hour, minute)
    except (ValueError, OverflowError):
        return None


def _season_of(day: date) -> str:
    """Return the label of the season, from July to June, to which a day belongs."""
    year = day.year if day.month >= SEASON_STARTS else day.year - 1
    return f"{year}-{(year + 1) % 100:02d}"
