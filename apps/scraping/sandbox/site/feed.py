"""The monthly feed of a stage: JSON with one entry for each match, in the format of the real site."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from apps.matches.records import IncidentKind, IncidentRecord, Moment, Side
from apps.scraping.sandbox.details import GOALS, HALF
from apps.scraping.sandbox.season_records import Phase
from apps.scraping.sandbox.site.addresses import on_clock, season_name, utc_text
from apps.scraping.sandbox.site.stages import MatchView, SandboxStage

STATUSES: Final = {
    Phase.PLANNED: 1,
    Phase.CALLED_OFF: 2,
    Phase.DATED: 1,
    Phase.PRICED: 1,
    Phase.CLOSED: 1,
    Phase.LIVE: 3,
    Phase.FINISHED: 6,
}
INCIDENT_TYPES: Final = {
    IncidentKind.GOAL: (1, 1),
    IncidentKind.PENALTY: (1, 2),
    IncidentKind.OWN_GOAL: (1, 3),
    IncidentKind.SECOND_YELLOW_CARD: (2, 2),
    IncidentKind.RED_CARD: (2, 3),
}
"""Yellow cards and substitutions are only in the match centre."""
FIRST_HALF, SECOND_HALF, OVER = 1, 3, 7
"""Values of ``period``; the real feed has 3 for the second half."""

MARKETS: Final = {
    "home": "home",
    "draw": "draw",
    "away": "away",
    "over25": "over_2_5",
    "under25": "under_2_5",
}
"""Key of the bets → field of an `OddsRecord`; the names of the last two are our own."""

LOCALIZATION: Final = {
    "match_status_all": "All",
    "match_status_live": "In Play",
    "match_status_upcoming": "Upcoming",
    "abd": "Abd",
    "can": "Can",
    "ft": "FT",
    "ht": "HT",
    "post": "Post",
}
DOTNET_EPOCH: Final = datetime(1, 1, 1, tzinfo=UTC)


class FeedWriter:
    """Writes the feeds of one stage; entries are cached until they change."""

    def __init__(self, stage: SandboxStage) -> None:
        self.stage = stage
        self._made: dict[int, tuple[tuple[int, int], str]] = {}

    def month(self, year: int, month: int, now: datetime, changed_at: datetime) -> bytes:
        """Return the feed of one month in the site's time zone; without matches it has no tournament.

        Parameters
        ----------
        year, month : int
            Month from 1.
        now : datetime
            Aware, UTC.
        changed_at : datetime
            When the stage last changed.
        """
        entries = [
            self._entry(match, now)
            for kickoff, match in self.stage.order(now)
            if (on_clock(kickoff).year, on_clock(kickoff).month) == (year, month)
        ]
        head = json.dumps(_head(changed_at), ensure_ascii=False, separators=(",", ":"))
        tournament = json.dumps(_tournament(self.stage), ensure_ascii=False, separators=(",", ":"))
        inner = f'{tournament[:-1]},"matches":[{",".join(entries)}]}}' if entries else ""
        return f'{head[:-1]},"tournaments":[{inner}]}}'.encode()

    def _entry(self, match: int, now: datetime) -> str:
        version = self.stage.version(match, now)
        made = self._made.get(match)
        if made is None or made[0] != version:
            value = entry(self.stage, self.stage.view(match, now))
            made = self._made[match] = version, json.dumps(value, ensure_ascii=False, separators=(",", ":"))
        return made[1]


def entry(stage: SandboxStage, view: MatchView) -> dict[str, Any]:
    """Return the entry of one match."""
    record, dates = view.record, view.dates
    region = stage.league.competition.region
    home_score, away_score = view.goals if view.has_begun else (None, None)
    (home_yellow, away_yellow), (home_red, away_red) = view.yellow_cards, view.red_cards
    incidents = [_incident(incident) for incident in view.incidents if incident.kind in INCIDENT_TYPES]
    scored = [incident for incident in view.incidents if incident.kind in GOALS]
    found: dict[str, Any] = {
        "stageId": stage.stage_id,
        "id": int(record.source_id),
        "status": STATUSES[view.phase],
        "startTime": on_clock(record.kickoff_at).replace(tzinfo=None).isoformat(),
        "homeTeamId": int(record.home_team_id),
        "homeTeamName": record.home_team,
        "homeYellowCards": home_yellow,
        "homeRedCards": home_red,
        "awayTeamId": int(record.away_team_id),
        "awayTeamName": record.away_team,
        "awayYellowCards": away_yellow,
        "awayRedCards": away_red,
        "hasIncidentsSummary": bool(incidents),
        "hasPreview": view.has_preview,
        "scoreChangedAt": utc_text(view.at_minute(scored[-1].minute)).replace("T", " ") if scored else "",
        "elapsed": _elapsed(view),
        "lastScorer": _field(scored[-1].side) if scored else None,
        "isTopMatch": False,
        "homeTeamCountryCode": region[:3].lower(),
        "awayTeamCountryCode": region[:3].lower(),
        "commentCount": 0,
        "isLineupConfirmed": view.has_lineups,
        "isStreamAvailable": False,
        "matchIsOpta": False,
        "homeTeamCountryName": region,
        "awayTeamCountryName": region,
        "startTimeUtc": utc_text(record.kickoff_at),
        "homeScore": home_score,
        "awayScore": away_score,
        "incidents": incidents,
        "bets": _bets(view),
        "aggregateWinnerField": None,
        "winnerField": _winner(view),
        "period": _period(view),
        "extraResultField": None,
        "homeExtratimeScore": None,
        "awayExtratimeScore": None,
        "homePenaltyScore": None,
        "awayPenaltyScore": None,
        "startedAtUtc": utc_text(dates.kickoff_at) if view.has_begun else None,
        "firstHalfEndedAtUtc": utc_text(view.at_minute(HALF)) if view.minute > HALF else None,
        "secondHalfStartedAtUtc": utc_text(view.at_minute(HALF)) if view.minute > HALF else None,
    }
    if record.finished_at is not None:
        found["finishedAtUtc"] = utc_text(record.finished_at)
    return found


def _head(changed_at: datetime) -> dict[str, Any]:
    offset = on_clock(changed_at).utcoffset() or timedelta(0)
    return {
        "createdAt": utc_text(changed_at),
        "version": (changed_at - DOTNET_EPOCH) // timedelta(microseconds=1) * 10,
        "timeout": 0,
        "localization": LOCALIZATION,
        "meta": {"imagesUrlBase": ""},
        "showOddsToggle": True,
        "isSummary": False,
        "oddsToggled": False,
        "bookmakerCode": "B365",
        "bookmakers": ["B365", "PS"],
        "timezoneOffset": offset // timedelta(minutes=1),
        "locale": "en",
        "calendarType": None,
        "fixtureDate": None,
    }


def _tournament(stage: SandboxStage) -> dict[str, Any]:
    league, competition = stage.league, stage.league.competition
    return {
        "tournamentId": league.tournament_id,
        "stageId": stage.stage_id,
        "stageName": competition.name,
        "regionId": league.region_id,
        "tournamentName": competition.name,
        "seasonName": season_name(stage.season),
        "seasonId": league.season_id(stage.season),
        "stageSortOrder": 1,
        "sex": 1,
        "tournamentSortOrder": competition.level,
        "regionCode": competition.region[:3].lower(),
        "regionName": competition.region,
        "isOpta": True,
        "navigationDisplayMode": 2,
    }


def _incident(incident: IncidentRecord) -> dict[str, Any]:
    kind, detail = INCIDENT_TYPES[incident.kind]
    player, other = incident.player, incident.other_player
    return {
        "minute": str(incident.minute),
        "type": kind,
        "subType": detail,
        "playerName": player.name if player else None,
        "playerId": int(player.source_player_id) if player else 0,
        "participatingPlayerName": other.name if other else None,
        "participatingPlayerId": int(other.source_player_id) if other else 0,
        "runningScore": None,
        "field": _field(incident.side),
        "period": FIRST_HALF if incident.minute <= HALF else SECOND_HALF,
    }


def _bets(view: MatchView) -> dict[str, Any] | None:
    """Return the current prices; none once a match has kicked off, as on the real site."""
    moment = {Phase.PRICED: Moment.OPENING, Phase.CLOSED: Moment.CLOSING}.get(view.phase)
    if moment is None:
        return None
    quotes = [quote for quote in view.record.odds if quote.moment is moment]
    return {
        market: {
            "offers": [{"bettingProvider": quote.bookmaker, "oddsDecimal": getattr(quote, field)} for quote in quotes]
        }
        for market, field in MARKETS.items()
    }


def _elapsed(view: MatchView) -> str:
    if view.is_finished:
        return "FT"
    if view.phase is Phase.CALLED_OFF:
        return "Post"
    return f"{view.minute}'" if view.has_begun else ""


def _winner(view: MatchView) -> int | None:
    home, away = view.goals
    return None if not view.is_finished or home == away else int(home < away)


def _period(view: MatchView) -> int:
    if view.is_finished:
        return OVER
    if not view.has_begun:
        return 0
    return FIRST_HALF if view.minute <= HALF else SECOND_HALF


def _field(side: Side) -> int:
    return 0 if side is Side.HOME else 1
