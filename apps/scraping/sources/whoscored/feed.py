"""The monthly feed of a stage: fixtures, results, goals and prices as JSON."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from zoneinfo import ZoneInfo

from apps.matches.records import CompetitionKey, MatchDetails, MatchRecord, MatchStatus, StatsRecord
from apps.scraping.sources.base import Page, ParseError, RefusedRow, shorten
from apps.scraping.sources.competitions import WHOSCORED, WHOSCORED_WORLD_REGIONS
from apps.scraping.sources.whoscored.incidents import details_known_at, read_incidents
from apps.scraping.sources.whoscored.offers import read_offers
from apps.scraping.sources.whoscored.pages import as_count, as_json, as_words, required
from apps.scraping.sources.whoscored.scores import read_live_score, read_score
from apps.scraping.sources.whoscored.tournaments import Tournament

STATUSES: Final = {
    1: MatchStatus.SCHEDULED,
    2: MatchStatus.POSTPONED,
    3: MatchStatus.LIVE,
    4: MatchStatus.LIVE,
    5: MatchStatus.ABANDONED,
    6: MatchStatus.FINISHED,
    7: MatchStatus.CANCELLED,
    8: MatchStatus.UNKNOWN,
}
PLACEHOLDER: Final = 0
"""Status of a match of a draw whose teams are not decided yet."""

CLOCK: Final = ZoneInfo("Europe/London")
"""Time zone of `startTime`, which is used if `startTimeUtc` is missing."""

SEASON: Final = re.compile(r"(\d{4})\s?[/-]\s?(?:\d\d)?(\d\d)")

MEN: Final = 1
"""Value of `sex`. Clubs have one name for their women's and men's teams, which are different teams here."""

NO_GOALS: Final = (None, None)

CONTRADICTION: Final = "the page lists this match twice, with different data"
"""Reason of a refusal."""

EARLIEST_YEAR: Final = 1850
LATEST_YEAR: Final = 2200


@dataclass(slots=True)
class WhoScoredFeed:
    """The matches of one month of a stage, and the source ids of those without a preview."""

    records: list[MatchRecord] = field(default_factory=list)
    refused: list[RefusedRow] = field(default_factory=list)
    notes: Counter[str] = field(default_factory=Counter)
    without_preview: set[str] = field(default_factory=set)


def read_feed(page: Page, tournament: Tournament | None = None) -> WhoScoredFeed:
    """Return the matches of a monthly feed.

    Parameters
    ----------
    page : Page
        JSON, alone or as a browser shows it.
    tournament : Tournament, optional
        The tournament that was requested, if known; otherwise the ids in the feed decide the competition, and one that
        is not in `competitions.WHOSCORED` gets a key outside the pyramid of its region.

    Raises
    ------
    ParseError
        When the page is not a feed, or that of another tournament.
    """
    document = as_json(page.content, page.url)
    feed = WhoScoredFeed()
    for listed in required(document, "tournaments", list, page.url):
        matches = required(listed, "matches", list, page.url)
        context = _Context.of(listed, tournament, page)
        for line, match in enumerate(matches, start=1):
            _read_entry(match, line, context, feed)
    _drop_doubles(feed, page.url)
    return feed


def season_label(name: str) -> str:
    """Return ``"2020-21"`` for ``"2020/2021"``; any other name as it is."""
    found = SEASON.fullmatch(name)
    return f"{found[1]}-{found[2]}" if found else name


def as_moment(value: Any, clock: ZoneInfo | None = None) -> datetime | None:
    """Return the moment of an ISO text in UTC; a text without a zone is read in `clock`, without one in UTC."""
    try:
        moment = datetime.fromisoformat(value) if isinstance(value, str) and len(value) <= 40 else None
        if moment is None or not EARLIEST_YEAR <= moment.year <= LATEST_YEAR:
            return None
        if moment.tzinfo is None:
            moment = moment.replace(tzinfo=clock or UTC)
        return moment.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, slots=True)
class _Context:
    """Properties that all entries of one tournament of a feed share."""

    competition: CompetitionKey
    season: str
    stage: str
    is_world: bool
    is_women: bool
    page: Page

    @classmethod
    def of(cls, listed: Mapping[str, Any], tournament: Tournament | None, page: Page) -> _Context:
        names = {key: as_words(listed.get(key)) for key in ("regionName", "tournamentName", "seasonName")}
        region_id, tournament_id = as_count(listed.get("regionId")), as_count(listed.get("tournamentId"))
        if tournament and (region_id, tournament_id) != (tournament.region_id, tournament.tournament_id):
            raise ParseError(f"tournament {tournament.region_id}/{tournament.tournament_id}", page.url)
        competition = tournament.competition if tournament else None
        competition = competition or WHOSCORED.get((region_id or 0, tournament_id or 0))
        for key, name in names.items():
            if not name and (key == "seasonName" or competition is None):
                raise ParseError(f"key {key}", page.url)
        stage = as_words(listed.get("stageName"))
        return cls(
            competition=competition or CompetitionKey(names["regionName"], names["tournamentName"], 0),
            season=season_label(names["seasonName"]),
            stage="" if stage == names["tournamentName"] else stage,
            is_world=region_id in WHOSCORED_WORLD_REGIONS,
            is_women=listed.get("sex", MEN) not in (MEN, 0, None),
            page=page,
        )


def _drop_doubles(feed: WhoScoredFeed, where: str) -> None:
    """Keep one of equal entries for one match, and none of entries that contradict each other."""
    by_id: dict[str, list[MatchRecord]] = {}
    for record in feed.records:
        by_id.setdefault(record.source_id, []).append(record)
    feed.records = []
    for source_id, records in by_id.items():
        first, *others = records
        if all(other == first for other in others):
            feed.records.append(first)
            feed.notes["matches listed twice"] += len(others)
        else:
            names = [source_id, first.home_team, first.away_team]
            feed.refused.append(RefusedRow(where, 0, CONTRADICTION, shorten(names), is_contradiction=True))
    feed.notes = +feed.notes  # without the zeros


def _read_entry(match: Any, line: int, context: _Context, feed: WhoScoredFeed) -> None:
    """Add one entry, at a position of its list, to the feed."""
    try:
        if not isinstance(match, dict):
            raise ValueError("the entry is not an object")
        if match.get("status") == PLACEHOLDER:
            feed.notes["placeholders whose teams are not decided"] += 1
            return
        record = _record(match, context, feed.notes)
        feed.records.append(record)
        if match.get("hasPreview") is False:
            feed.without_preview.add(record.source_id)
    except ValueError as error:
        row = match.values() if isinstance(match, dict) else [match]
        feed.refused.append(RefusedRow(context.page.url, line, str(error), shorten(row)))


def _record(match: Mapping[str, Any], context: _Context, notes: Counter[str]) -> MatchRecord:
    kickoff_at = as_moment(match.get("startTimeUtc")) or as_moment(match.get("startTime"), CLOCK)
    if kickoff_at is None:
        raise ValueError(f"startTimeUtc {match.get('startTimeUtc')!r} cannot be read")
    identity = {key: as_count(match.get(key)) for key in ("id", "homeTeamId", "awayTeamId")}
    for key, number in identity.items():
        if number is None:
            raise ValueError(f"{key} {match.get(key)!r} is not an id")
    code = as_count(match.get("status"))
    status = STATUSES.get(code if code is not None else -1)
    if status is None:
        notes[f"status code {code if code is not None else shorten([match.get('status')])} is unknown"] += 1
        status = MatchStatus.UNKNOWN
    score = read_score(match) if status is MatchStatus.FINISHED else None
    full_time, half_time, extra_time, penalties = (
        (part or NO_GOALS for part in (score.full_time, score.half_time, score.extra_time, score.penalties))
        if score
        else (NO_GOALS,) * 4
    )
    notes.update(score.notes if score else ())
    live = read_live_score(match) if status is MatchStatus.LIVE else None
    full_time = live.goals if live else full_time
    incidents = read_incidents(match, notes) if status is MatchStatus.FINISHED else ()
    coming = status is MatchStatus.SCHEDULED
    fetched_at = context.page.fetched_at
    return MatchRecord(
        competition=context.competition,
        season=context.season,
        home_team=_team(match, "homeTeamName", context),
        away_team=_team(match, "awayTeamName", context),
        kickoff_at=kickoff_at,
        status=status,
        home_goals=full_time[0],
        away_goals=full_time[1],
        minute=live.minute if live else None,
        home_goals_half_time=half_time[0],
        away_goals_half_time=half_time[1],
        home_goals_extra_time=extra_time[0],
        away_goals_extra_time=extra_time[1],
        home_penalties=penalties[0],
        away_penalties=penalties[1],
        finished_at=_finished_at(match, kickoff_at, notes) if score else None,
        source_id=str(identity["id"]),
        home_team_id=str(identity["homeTeamId"]),
        away_team_id=str(identity["awayTeamId"]),
        home_region=as_words(match.get("homeTeamCountryName")) if context.is_world else "",
        away_region=as_words(match.get("awayTeamCountryName")) if context.is_world else "",
        stage=context.stage,
        stats=_cards(match) if status is MatchStatus.FINISHED else None,
        odds=read_offers(match, kickoff_at, fetched_at, notes) if coming else (),
        details=MatchDetails(details_known_at(kickoff_at, fetched_at), incidents=incidents) if incidents else None,
    )


def _team(match: Mapping[str, Any], key: str, context: _Context) -> str:
    name = as_words(match.get(key))
    if name and context.is_women and "women" not in name.lower():
        return f"{name} Women"
    return name


def _finished_at(match: Mapping[str, Any], kickoff_at: datetime, notes: Counter[str]) -> datetime | None:
    """Return the time of the final whistle, which only the sandbox's feed has."""
    finished_at = as_moment(match.get("finishedAtUtc"))
    if finished_at is not None and finished_at <= kickoff_at:
        notes["final whistles before kick-off"] += 1
        return None
    return finished_at


def _cards(match: Mapping[str, Any]) -> StatsRecord | None:
    """Return the cards of both sides; a count that the entry leaves out beside others is zero."""
    keys = ("homeYellowCards", "awayYellowCards", "homeRedCards", "awayRedCards")
    home_yellow, away_yellow, home_red, away_red = (as_count(match.get(key, 0)) for key in keys)
    if match.keys().isdisjoint(keys) or {home_yellow, away_yellow, home_red, away_red} == {None}:
        return None
    return StatsRecord(
        home_yellow_cards=home_yellow,
        away_yellow_cards=away_yellow,
        home_red_cards=home_red,
        away_red_cards=away_red,
    )
