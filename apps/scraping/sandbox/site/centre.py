"""The script of the match centre: line-ups, events and statistics by minute, as JSON in a JavaScript literal."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any, Final

from apps.matches.records import IncidentKind, IncidentRecord, LineupRecord, Side
from apps.scraping.sandbox.details import FULL, GOALS, HALF
from apps.scraping.sandbox.site.addresses import on_clock
from apps.scraping.sandbox.site.script import json_in_page
from apps.scraping.sandbox.site.stages import MatchView, SandboxStage
from apps.scraping.sandbox.squads import SimulatedPlayer

STARTED: Final = 3
FINISHED: Final = 6
NOT_STARTED: Final = 1
COUNTED: Final = {
    "shotsTotal": "shots",
    "shotsOnTarget": "shots_on_target",
    "cornersTotal": "corners",
    "foulsCommited": "fouls",
}
"""Statistics of the match centre, one of them misspelt as on the real site → ends of our fields."""

FIRST_HALF: Final = {"value": 1, "displayName": "FirstHalf"}
SECOND_HALF: Final = {"value": 2, "displayName": "SecondHalf"}
SUCCESSFUL: Final = {"value": 1, "displayName": "Successful"}
GOAL: Final = {"value": 16, "displayName": "Goal"}
CARD: Final = {"value": 17, "displayName": "Card"}
OFF: Final = {"value": 18, "displayName": "SubstitutionOff"}
ON: Final = {"value": 19, "displayName": "SubstitutionOn"}
CARDS: Final = {
    IncidentKind.YELLOW_CARD: {"value": 31, "displayName": "Yellow"},
    IncidentKind.SECOND_YELLOW_CARD: {"value": 32, "displayName": "SecondYellow"},
    IncidentKind.RED_CARD: {"value": 33, "displayName": "Red"},
}
PENALTY: Final = {"type": {"value": 9, "displayName": "Penalty"}}
OWN_GOAL: Final = {"type": {"value": 28, "displayName": "OwnGoal"}}
EVENT_TYPES: Final = {"goalNormal": 2, "penaltyScored": 5, "goalOwn": 6, "yellowCard": 65, "redCard": 67, "subOn": 51}
FORMATION: Final = {"formationId": 2, "formationName": "442"}


def centre_script(stage: SandboxStage, view: MatchView, players: Mapping[str, SimulatedPlayer]) -> str:
    """Return the script of the match centre; without data until the line-ups are published."""
    record = view.record
    data = centre_data(stage, view, players) if view.has_lineups else None
    return (
        'require.config.params["args"] = {\n'
        f"  matchId: {record.source_id},\n"
        f"  matchCentreData: {json_in_page(data)},\n"
        f"  matchCentreEventTypeJson: {json_in_page(EVENT_TYPES)},\n"
        f"  formationIdNameMappings: {json_in_page({2: '442'})}\n"
        "};"
    )


def centre_data(stage: SandboxStage, view: MatchView, players: Mapping[str, SimulatedPlayer]) -> dict[str, Any]:
    """Return the data of the match centre once the line-ups are published."""
    record, home, away = view.record, *view.goals
    half = [incident for incident in view.incidents if incident.minute <= HALF]
    half_sides = [incident.side for incident in half if incident.kind in GOALS]
    starts = on_clock(record.kickoff_at).replace(tzinfo=None)
    referee = view.stats.referee
    return {
        "playerIdNameDictionary": {e.player.source_player_id: e.player.name for e in view.details.lineups},
        "periodMinuteLimits": {"1": HALF, "2": 90, "3": 105, "4": 120},
        "timeStamp": starts.isoformat(sep=" "),
        "attendance": view.stats.attendance if view.is_finished else None,
        "venueName": f"{record.home_team} Ground",
        "referee": {
            "officialId": 1 + sum(referee.encode()),
            "firstName": referee.partition(" ")[0],
            "lastName": referee.partition(" ")[2],
            "hasParticipatedMatches": False,
            "name": referee,
        },
        "weatherCode": "",
        "elapsed": "FT" if view.is_finished else str(view.minute),
        "startTime": starts.isoformat(),
        "startDate": starts.date().isoformat() + "T00:00:00",
        "score": f"{home} : {away}" if view.has_begun else "",
        "htScore": f"{half_sides.count(Side.HOME)} : {half_sides.count(Side.AWAY)}" if view.minute > HALF else "",
        "ftScore": f"{home} : {away}" if view.is_finished else "",
        "etScore": "",
        "pkScore": "",
        "statusCode": FINISHED if view.is_finished else STARTED if view.has_begun else NOT_STARTED,
        "periodCode": 7 if view.is_finished else 1 if view.minute <= HALF else 2,
        "home": _side(view, Side.HOME, record.home_team_id, record.home_team, stage, players),
        "away": _side(view, Side.AWAY, record.away_team_id, record.away_team, stage, players),
        "maxMinute": view.minute,
        "minuteExpanded": view.minute,
        "maxPeriod": 1 if view.minute <= HALF else 2,
        "expandedMaxMinute": view.minute,
        "events": _events(view),
        "timeoutInSeconds": 0,
    }


def _side(
    view: MatchView,
    side: Side,
    team_id: str,
    name: str,
    stage: SandboxStage,
    players: Mapping[str, SimulatedPlayer],
) -> dict[str, Any]:
    lineup = [entry for entry in view.details.lineups if entry.side is side]
    starters = [int(entry.player.source_player_id) for entry in lineup if entry.is_starter]
    ages = [players[entry.player.source_player_id].age for entry in lineup]
    own, half = view.goals[0 if side is Side.HOME else 1], _half_goals(view, side)
    return {
        "teamId": int(team_id),
        "name": name,
        "countryName": stage.league.competition.region,
        "managerName": f"The manager of {name}",
        "averageAge": round(sum(ages) / len(ages), 1),
        "field": side.value,
        "formations": [
            {
                **FORMATION,
                "captainPlayerId": starters[0],
                "period": 16,
                "startMinuteExpanded": 0,
                "endMinuteExpanded": FULL,
                "jerseyNumbers": [entry.shirt_number for entry in lineup],
                "formationSlots": [number + 1 if number < len(starters) else 0 for number in range(len(lineup))],
                "playerIds": [int(entry.player.source_player_id) for entry in lineup],
            }
        ],
        "scores": {"halftime": half, "fulltime": own, "running": own} if view.has_begun else {},
        "stats": _stats(view, side),
        "players": [_player(entry, players) for entry in lineup],
    }


def _half_goals(view: MatchView, side: Side) -> int:
    return sum(i.kind in GOALS and i.side is side and i.minute <= HALF for i in view.incidents)


def _stats(view: MatchView, side: Side) -> dict[str, dict[str, int]]:
    """Return the increments of each statistic by minute."""
    found = {}
    for name, field in COUNTED.items():
        minutes = [minute for minute in view.details.minutes[f"{side.value}_{field}"] if minute <= view.minute]
        found[name] = {str(minute): count for minute, count in sorted(Counter(minutes).items())}
    return found


def _player(entry: LineupRecord, players: Mapping[str, SimulatedPlayer]) -> dict[str, Any]:
    player = players[entry.player.source_player_id]
    return {
        "playerId": int(entry.player.source_player_id),
        "shirtNo": entry.shirt_number,
        "name": entry.player.name,
        "position": player.position if entry.is_starter else "Sub",
        "age": player.age,
        "isFirstEleven": entry.is_starter,
        "isManOfTheMatch": False,
        "field": entry.side.value,
        "stats": {},
    }


def _events(view: MatchView) -> list[dict[str, Any]]:
    teams = {Side.HOME: int(view.record.home_team_id), Side.AWAY: int(view.record.away_team_id)}
    events = [event for incident in view.incidents for event in _happened(incident, teams)]
    first_id = int(view.record.source_id) * 100
    return [{"id": first_id + number, "eventId": number, **event} for number, event in enumerate(events, start=1)]


def _happened(incident: IncidentRecord, teams: Mapping[Side, int]) -> Iterable[dict[str, Any]]:
    """Yield the events of one incident: a substitution is two; an own goal belongs to the team of its scorer."""
    player = _id(incident.player.source_player_id if incident.player else None)
    other = _id(incident.other_player.source_player_id if incident.other_player else None)
    team = teams[incident.side]
    if incident.kind is IncidentKind.SUBSTITUTION:
        yield _event(incident, team, OFF, other, relatedPlayerId=player)
        yield _event(incident, team, ON, player, relatedPlayerId=other)
    elif incident.kind in CARDS:
        yield _event(incident, team, CARD, player, cardType=CARDS[incident.kind])
    elif incident.kind is IncidentKind.OWN_GOAL:
        team = teams[Side.AWAY if incident.side is Side.HOME else Side.HOME]
        yield _event(incident, team, GOAL, player, isGoal=True, isOwnGoal=True, qualifiers=[OWN_GOAL])
    else:
        qualifiers = [PENALTY] if incident.kind is IncidentKind.PENALTY else []
        related = {} if other is None else {"relatedPlayerId": other}
        yield _event(incident, team, GOAL, player, isGoal=True, isShot=True, qualifiers=qualifiers, **related)


def _event(
    incident: IncidentRecord, team: int, kind: dict[str, Any], player: int | None, **more: Any
) -> dict[str, Any]:
    return {
        "minute": incident.minute,
        "second": 0,
        "teamId": team,
        "playerId": player,
        "x": 0.0,
        "y": 0.0,
        "expandedMinute": incident.minute,
        "period": FIRST_HALF if incident.minute <= HALF else SECOND_HALF,
        "type": kind,
        "outcomeType": SUCCESSFUL,
        "qualifiers": [],
        "satisfiedEventsTypes": [],
        "isTouch": False,
        **more,
    }


def _id(text: str | None) -> int | None:
    return None if text is None else int(text)
