"""Parser of football-data files."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from pathlib import PurePosixPath
from statistics import median_low
from typing import Final
from zoneinfo import ZoneInfo

from apps.matches.aliases import aliases_for
from apps.matches.records import GOALS_LIMIT, CompetitionKey, KickoffPrecision, MatchRecord, MatchStatus, StatsRecord
from apps.scraping.sources.base import ParsedFile, ParseError, RefusedRow, UnknownCompetitionError
from apps.scraping.sources.competitions import CALENDAR_YEAR_REGIONS, DIVISIONS, LEAGUES
from apps.scraping.sources.football_data.dates import has_time_of_day, read_dates
from apps.scraping.sources.football_data.odds import read_odds
from apps.scraping.sources.football_data.play_offs import mark_play_offs
from apps.scraping.sources.football_data.table import CsvTable, has_match_header, read_table

CLOCK: Final = ZoneInfo("Europe/London")
"""Time zone of the column ``Time``, for the leagues of every country."""

SEASON_STARTS: Final = 7
"""July. The middle one of its dates decides the season of a division: 2019-20 was played until August, and one mistyped
year must not move the others."""

SEASON_REACHES: Final = timedelta(days=300)
"""Largest distance from the middle date; the largest in thirty years is 217 days."""

SEASON: Final = re.compile(r"(\d{4})(?:/(\d{4}))?")
"""The column ``Season`` of extra files."""

CLOCK_TIME: Final = re.compile(r"(?:[\d-]{10}[ T])?(\d{1,2})[:.](\d{1,2})(?::\d\d(?:\.\d+)?)? ?(?:([AaPp])[Mm])?")
SHARE_OF_DAY: Final = re.compile(r"0?\.\d+")

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

    def accepts(self, path: str, head: bytes) -> bool:
        """Return whether a file is one of this source; see `apps.scraping.sources.base.FileReader`."""
        if has_match_header(head):
            return True
        file = PurePosixPath(path)
        is_country = len(file.stem) == 3 and file.stem.isalpha() and file.stem.isupper()
        is_named = file.stem.upper() in self._divisions or is_country or _is_list(path)
        return is_named and file.suffix.lower() == ".csv"

    def parse_file(self, name: str, content: bytes) -> ParsedFile:
        """Read one file; see `apps.scraping.sources.base.FileReader`.

        A match that the file lists without goals is `SCHEDULED` when it kicks off later than every match with goals,
        else `UNKNOWN`: it was annulled, awarded or never entered; the file does not show which.
        """
        notes: Counter[str] = Counter()
        table = read_table(name, content, notes)
        refused: list[RefusedRow] = []
        records = mark_play_offs(_read_matches(table, self._divisions, refused, notes))
        if not records and not _is_list(name):
            is_unknown = refused and not table.is_extra and self._divisions.keys().isdisjoint(_divisions(table))
            error = UnknownCompetitionError if is_unknown else ParseError
            raise error(MATCH_MISSING, name, refused[0].reason if refused else "")
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
    """Texts of date and time → kick-off in UTC and its precision; None for an invalid date.

    Parameters
    ----------
    dates : mapping of str to date
        The dates of the file by their texts.
    """

    def __init__(self, dates: Mapping[str, date]) -> None:
        super().__init__()
        self._dates = dates

    def __missing__(self, texts: tuple[str, str]) -> Kickoff | None:
        day, clock = self._dates.get(texts[0]), _time(texts[1])
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
    dates, times = table.required("Date"), table.column("Time") or empty
    days = read_dates(table.name, dates)
    counts, kickoffs_of = MatchCounts(), Kickoffs(days)
    with_time = {text for text in days if has_time_of_day(text)}
    notes["times in the column Date, whose zone is unknown"] += sum(text in with_time for text in dates if with_time)
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
        divisions = _divisions(table)
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


def _divisions(table: CsvTable) -> list[str]:
    return [cell.strip() for cell in table.required("Div")]


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


@lru_cache(maxsize=10_000)
def _time(text: str) -> time | None:
    """Return the clock time of ``hh:mm`` or ``hh:mm:ss``, ``hh.mm``, ``3:00 PM`` or a spreadsheet's share of a day."""
    text = text.strip()
    if SHARE_OF_DAY.fullmatch(text) is not None:
        minutes = round(float(text) * 24 * 60)
        return time(minutes // 60, minutes % 60) if minutes < 24 * 60 else None
    found = CLOCK_TIME.fullmatch(text)
    if found is None:
        return None
    hour, minute, half = int(found[1]), int(found[2]), (found[3] or "").lower()
    if half:
        hour = hour % 12 + 12 * (half == "p") if 1 <= hour <= 12 else 24
    return time(hour, minute) if hour < 24 and minute < 60 else None


def _is_list(name: str) -> bool:
    """Return whether a file is called like a list of fixtures, which may be empty."""
    return "fixtures" in PurePosixPath(name).name.lower()


def _season_of(day: date) -> str:
    """Return the label of the season, from July to June, to which a day belongs."""
    year = day.year if day.month >= SEASON_STARTS else day.year - 1
    return f"{year}-{(year + 1) % 100:02d}"
