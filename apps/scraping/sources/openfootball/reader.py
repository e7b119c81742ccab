"""Parser of openfootball files."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import PurePosixPath
from typing import Any, Final
from zoneinfo import ZoneInfo

from apps.matches.records import CompetitionKey, KickoffPrecision, MatchRecord, MatchStatus
from apps.scraping.sources.base import ParsedFile, ParseError, RefusedRow, UnknownCompetitionError, shorten
from apps.scraping.sources.competitions import OPENFOOTBALL_CODES, OPENFOOTBALL_TITLES

CLOCKS: Final[dict[str, ZoneInfo]] = {
    region: ZoneInfo(zone)
    for region, zone in {
        "Argentina": "America/Argentina/Buenos_Aires",
        "Austria": "Europe/Vienna",
        "Belgium": "Europe/Brussels",
        "Brazil": "America/Sao_Paulo",
        "China": "Asia/Shanghai",
        "Czech Republic": "Europe/Prague",
        "England": "Europe/London",
        "Europe": "Europe/Zurich",
        "France": "Europe/Paris",
        "Germany": "Europe/Berlin",
        "Greece": "Europe/Athens",
        "Hungary": "Europe/Budapest",
        "Italy": "Europe/Rome",
        "Japan": "Asia/Tokyo",
        "Mexico": "America/Mexico_City",
        "Netherlands": "Europe/Amsterdam",
        "Portugal": "Europe/Lisbon",
        "Russia": "Europe/Moscow",
        "Scotland": "Europe/London",
        "Spain": "Europe/Madrid",
        "Switzerland": "Europe/Zurich",
        "Turkey": "Europe/Istanbul",
    }.items()
}
"""Time zone of a competition by its region; the docstring of the package explains how it was found. Times of European
cups are Central European, wherever they are played."""

STATUSES: Final = {
    "awarded": MatchStatus.AWARDED,
    "cancelled": MatchStatus.CANCELLED,
    "postponed": MatchStatus.POSTPONED,
    "abandoned": MatchStatus.ABANDONED,
}

REGIONS: Final = {
    "ALB": "Albania",
    "AND": "Andorra",
    "ARM": "Armenia",
    "AUS": "Australia",
    "AUT": "Austria",
    "AZE": "Azerbaijan",
    "BEL": "Belgium",
    "BIH": "Bosnia and Herzegovina",
    "BLR": "Belarus",
    "BUL": "Bulgaria",
    "CAN": "Canada",
    "CRO": "Croatia",
    "CYP": "Cyprus",
    "CZE": "Czech Republic",
    "DEN": "Denmark",
    "ENG": "England",
    "ESP": "Spain",
    "EST": "Estonia",
    "FIN": "Finland",
    "FRA": "France",
    "FRO": "Faroe Islands",
    "GEO": "Georgia",
    "GER": "Germany",
    "GGY": "Guernsey",
    "GIB": "Gibraltar",
    "GRE": "Greece",
    "HUN": "Hungary",
    "IMN": "Isle of Man",
    "IOM": "Isle of Man",
    "IRE": "Ireland",
    "IRL": "Ireland",
    "ISL": "Iceland",
    "ISR": "Israel",
    "ITA": "Italy",
    "JEY": "Jersey",
    "KAZ": "Kazakhstan",
    "KOS": "Kosovo",
    "KVX": "Kosovo",
    "LIE": "Liechtenstein",
    "LTU": "Lithuania",
    "LUX": "Luxembourg",
    "LVA": "Latvia",
    "MCO": "Monaco",
    "MDA": "Moldova",
    "MEX": "Mexico",
    "MKD": "North Macedonia",
    "MLT": "Malta",
    "MNE": "Montenegro",
    "MON": "Monaco",
    "NED": "Netherlands",
    "NIR": "Northern Ireland",
    "NOR": "Norway",
    "NZL": "New Zealand",
    "POL": "Poland",
    "POR": "Portugal",
    "PUR": "Puerto Rico",
    "ROU": "Romania",
    "RUS": "Russia",
    "SCO": "Scotland",
    "SMR": "San Marino",
    "SRB": "Serbia",
    "SUI": "Switzerland",
    "SVK": "Slovakia",
    "SVN": "Slovenia",
    "SWE": "Sweden",
    "TUR": "Turkey",
    "UKR": "Ukraine",
    "USA": "USA",
    "WAL": "Wales",
    "WLS": "Wales",
}
"""Region by the country code after a team's name; a league counts its clubs to its own region anyway."""

SEASON: Final = re.compile(r"(?<!\d)((?:18|19|20)\d\d)(?:[/-](?:\d\d)?(\d\d))?(?!\d)")
"""In the title, as ``2018/19``, and in the names of the file and its folder, as ``2018-19``."""

CODE: Final = re.compile(rf"(?<![a-z0-9])(?:{'|'.join(map(re.escape, OPENFOOTBALL_CODES))})(?![a-z0-9])")
HEAD_OF_MATCHES: Final = re.compile(r'"matches"\s*:\s*\[.*"team1"', re.DOTALL)
TEAM_WITH_COUNTRY: Final = re.compile(r"(?P<team>.+?)\s+\((?P<code>[A-Z]{3})\)")
FIRST_YEAR: Final = 1850
LAST_YEAR: Final = 2200
"""A date outside these years is a mistake."""

FAR_BEFORE: Final = timedelta(days=270)
NEAR: Final = timedelta(days=60)
"""Distance between a date and that of the entry above: too far before to be right, and near enough to be right."""

CLOCK_TIME: Final = re.compile(r"(\d{1,2}):(\d\d)")


class Openfootball:
    """Reader of openfootball's football.json files; the package describes them."""

    name: Final = "openfootball"

    def accepts(self, path: str, head: bytes) -> bool:
        """Return whether a file is one of this source; see `apps.scraping.sources.base.FileReader`."""
        file = PurePosixPath(path.lower())
        is_named = file.suffix == ".json" and file.stem in OPENFOOTBALL_CODES
        return is_named or HEAD_OF_MATCHES.search(_text_of(head)) is not None

    def parse_file(self, name: str, content: bytes) -> ParsedFile:
        """Read one file; see `apps.scraping.sources.base.FileReader`.

        A match without goals and without a status is `SCHEDULED` when it kicks off later than every match with goals,
        else `UNKNOWN`.
        """
        title, matches = _document(name, content)
        competition = _competition(title, name)
        season = _season(title, name)
        notes: Counter[str] = Counter()
        refused: list[RefusedRow] = []
        drafts: list[_Draft] = []
        earlier: date | None = None
        for position, match in enumerate(matches, start=1):
            try:
                day = _day(match, earlier, notes)
                drafts.append(_draft(position, match, day, competition, notes))
                earlier = day
            except ValueError as error:
                refused.append(_refused(name, position, match, error))
        latest = max((draft.kickoff_at for draft in drafts if "ft" in draft.score), default=None)
        records: list[MatchRecord] = []
        for draft in drafts:
            try:
                records.append(_record(draft, competition, season, latest, notes))
            except ValueError as error:
                refused.append(_refused(name, draft.position, draft.match, error))
        refused.sort(key=lambda row: row.line)
        return ParsedFile(name, records, refused, dict(notes))


@dataclass(frozen=True, slots=True)
class _Draft:
    """One entry of the file, with its kick-off and scores parsed.

    `position` counts from 1; `score` has the goals by ``ht``, ``ft``, ``et`` and ``p``, as far as given.
    """

    position: int
    match: Mapping[str, Any]
    kickoff_at: datetime
    precision: KickoffPrecision
    score: dict[str, tuple[int, int]]


def _text_of(head: bytes) -> str:
    """Return the beginning of a file as text; JSON may be in UTF-16."""
    return head.decode(json.detect_encoding(head), "replace")


def _document(name: str, content: bytes) -> tuple[str, list[Any]]:
    """Return title and matches of a file; ParseError when it is not JSON or lacks one of them."""
    if not content.strip():
        raise ParseError("any content", name, "the file is empty")
    try:
        document = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise ParseError("valid JSON", name) from error
    if not isinstance(document, dict) or not isinstance(document.get("name"), str):
        raise ParseError("key name", name)
    rounds, matches = document.get("rounds"), document.get("matches")
    if matches is None and isinstance(rounds, list):
        matches = [match for entry in rounds for match in _matches_of_round(entry)]
    if not isinstance(matches, list) or not matches:
        raise ParseError("a list of matches", name)
    return document["name"], matches


def _matches_of_round(entry: Any) -> list[Any]:
    """Return the matches of a round as they are written since 2020; the entry itself if it is no round."""
    if not isinstance(entry, dict) or not isinstance(entry.get("matches"), list):
        return [entry]
    return [_as_since_2020(match, entry.get("name")) for match in entry["matches"]]


def _as_since_2020(match: Any, round_: object) -> Any:
    if not isinstance(match, dict):
        return match
    teams = {key: match[key].get("name") for key in ("team1", "team2") if isinstance(match.get(key), dict)}
    score = {"score": {"ft": [match["score1"], match.get("score2")]}} if match.get("score1") is not None else {}
    return {**match, "round": round_, **teams, **score}


def _competition(title: str, name: str) -> CompetitionKey:
    """Return the competition whose code is in the name of the file, however it is written, else that of the title.

    Raises
    ------
    UnknownCompetitionError
        When neither is known.
    """
    codes = set(CODE.findall(PurePosixPath(name).name.lower()))
    if len(codes) != 1:
        codes = {OPENFOOTBALL_TITLES.get(SEASON.sub("", title).strip(), "")}
    competition = OPENFOOTBALL_CODES.get(codes.pop())
    if competition is None:
        detail = f"competition {PurePosixPath(name).stem!r} is unknown; a code such as en.1 in the name would tell it"
        raise UnknownCompetitionError("a competition code", name, detail)
    return competition


def _season(title: str, name: str) -> str:
    """Return the season in the title, else in the name of the file or its folder; ParseError when none names one."""
    file = PurePosixPath(name)
    for text in (title, file.name, file.parent.name):
        found = SEASON.search(text)
        # 2018/19 is a season, and 2018-09 the beginning of a date.
        if found is not None and found[2] in (None, f"{(int(found[1]) + 1) % 100:02d}"):
            return f"{found[1]}-{found[2]}" if found[2] else found[1]
    raise ParseError("a season in title or folder", name)


def _day(match: Any, earlier: date | None, notes: Counter[str]) -> date:
    """Return the date of an entry, corrected if its year is one too low; ValueError for one that cannot be read.

    The matches that were played in July 2020, at the end of a season, are dated July 2019. The entries are in the order
    of the rounds, so such a date is recognised by being far before the entry above, and near it a year later.
    """
    if not isinstance(match, dict):
        raise ValueError("the entry is not an object")
    try:
        day = date.fromisoformat(_text(match, "date"))
    except ValueError as error:
        raise ValueError(f"date {match.get('date')!r} cannot be read") from error
    if not FIRST_YEAR <= day.year <= LAST_YEAR:
        raise ValueError(f"date {match.get('date')!r} cannot be meant")
    if earlier is not None and earlier - day > FAR_BEFORE:
        year_later = day.replace(year=day.year + 1, day=min(day.day, 28) if day.month == 2 else day.day)
        if abs(year_later - earlier) < NEAR:
            notes["dates a year too early, corrected"] += 1
            return year_later
    return day


def _draft(
    position: int, match: Mapping[str, Any], day: date, competition: CompetitionKey, notes: Counter[str]
) -> _Draft:
    zone, clock = CLOCKS.get(competition.region), _clock_time(match)
    if match.get("time") is not None and (zone is None or clock is None):
        notes["times without a known clock"] += 1
    if zone is None or clock is None:
        kickoff_at, precision = datetime.combine(day, time(), tzinfo=UTC), KickoffPrecision.DATE
    else:
        kickoff_at, precision = datetime.combine(day, clock, tzinfo=zone).astimezone(UTC), KickoffPrecision.MINUTE
    return _Draft(position, match, kickoff_at, precision, _scores(match))


def _clock_time(match: Mapping[str, Any]) -> time | None:
    """Return the local time of kick-off, None without a readable one."""
    written = match.get("time")
    found = CLOCK_TIME.fullmatch(written) if isinstance(written, str) else None
    if found is None or int(found[1]) > 23 or int(found[2]) > 59:
        return None
    return time(int(found[1]), int(found[2]))


def _scores(match: Mapping[str, Any]) -> dict[str, tuple[int, int]]:
    """Return the goals of a match by ``ht``, ``ft``, ``et`` and ``p``.

    ValueError when one of them is not two counts, or one but not the full-time score is there.
    """
    score = match.get("score")
    if not score:
        return {}
    if not isinstance(score, dict):
        raise ValueError(f"score {score!r} is not an object")
    found: dict[str, tuple[int, int]] = {}
    for part in ("ht", "ft", "et", "p"):
        goals = score.get(part)
        if goals is None:
            continue
        if not isinstance(goals, list) or len(goals) != 2 or not all(map(_is_count, goals)):
            raise ValueError(f"score {part} {goals!r} is not two counts")
        found[part] = (goals[0], goals[1])
    if found and "ft" not in found:
        raise ValueError("a score without the one after 90 minutes")
    return found


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0


def _record(
    draft: _Draft, competition: CompetitionKey, season: str, latest: datetime | None, notes: Counter[str]
) -> MatchRecord:
    match, score = draft.match, dict(draft.score)
    full_time = score.get("ft", (None, None))
    if "ht" in score and any(half > full for half, full in zip(score["ht"], score["ft"], strict=True)):
        notes["half-time scores dropped"] += 1
        del score["ht"]
    if "et" in score and any(after < full for after, full in zip(score["et"], score["ft"], strict=True)):
        notes["extra-time scores dropped"] += 1
        del score["et"]
    half_time, extra_time, penalties = (score.get(part, (None, None)) for part in ("ht", "et", "p"))
    home_team, home_region = _team(_text(match, "team1"), notes)
    away_team, away_region = _team(_text(match, "team2"), notes)
    stage, round_ = _stage_and_round(match)
    return MatchRecord(
        competition=competition,
        season=season,
        home_team=home_team,
        away_team=away_team,
        kickoff_at=draft.kickoff_at,
        kickoff_precision=draft.precision,
        status=_status(draft, latest, notes),
        home_goals=full_time[0],
        away_goals=full_time[1],
        home_goals_half_time=half_time[0],
        away_goals_half_time=half_time[1],
        home_goals_extra_time=extra_time[0],
        away_goals_extra_time=extra_time[1],
        home_penalties=penalties[0],
        away_penalties=penalties[1],
        home_region=home_region,
        away_region=away_region,
        stage=stage,
        round=round_,
    )


def _status(draft: _Draft, latest: datetime | None, notes: Counter[str]) -> MatchStatus:
    written = draft.match.get("status")
    if written is not None:
        if isinstance(written, str) and written in STATUSES:
            return STATUSES[written]
        notes[f"status {written!r} is unknown"] += 1
        return MatchStatus.UNKNOWN
    if "ft" in draft.score:
        return MatchStatus.FINISHED
    if latest is None or draft.kickoff_at > latest:
        return MatchStatus.SCHEDULED
    notes["matches without a result"] += 1
    return MatchStatus.UNKNOWN


def _stage_and_round(match: Mapping[str, Any]) -> tuple[str, str]:
    """Return stage and round: ``"Apertura, Matchday 3"`` is both, ``"Group A"`` a stage, ``"Regular"`` neither."""
    stage, round_ = str(match.get("stage") or ""), str(match.get("round") or "")
    if stage == "Regular":
        stage = ""
    if not stage and ", " in round_:
        stage, round_ = round_.split(", ", 1)
    elif not stage and round_.startswith("Group "):
        stage, round_ = round_, ""
    return stage, round_


def _team(written: str, notes: Counter[str]) -> tuple[str, str]:
    """Return name and region of a team; the region is empty without a country code that is known after the name."""
    name = " ".join(written.split())
    found = TEAM_WITH_COUNTRY.fullmatch(name)
    if found is None:
        return name, ""
    region = REGIONS.get(found["code"])
    if region is None:
        notes[f"country {found['code']} is unknown"] += 1
    return found["team"], region or ""


def _text(match: Mapping[str, Any], key: str) -> str:
    value = match.get(key)
    if not isinstance(value, str) or not value.strip():
        raise ValueError(f"{key} is missing")
    return value


def _refused(name: str, position: int, match: Any, error: ValueError) -> RefusedRow:
    row = match.values() if isinstance(match, dict) else [match]
    return RefusedRow(name, position, str(error), shorten(row))
