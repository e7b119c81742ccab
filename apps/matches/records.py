"""The frozen shape that every source produces and that `ingest()` takes.

Pure Python. A record is checked when it is made, so that a source that misread a page fails at once, with the
name of the field.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from enum import StrEnum
from typing import Final

GOALS_LIMIT: Final = 99
"""Largest count of goals that a record takes; a larger one is a misread page."""

SQUAD_LIMIT: Final = 999
"""Largest number of players in a squad."""

EXPECTED_GOALS_LIMIT: Final = 20.0
"""Largest expected goals of one side; the largest of 18,084 matches of the top five leagues are 6.9."""

FULL_TIME: Final = 90
"""Minutes of a match, stoppage time left out."""

MINUTES_LIMIT: Final = 200
"""Largest minute of play, extra time and its stoppage included."""

RESULT_DELAY: Final = timedelta(hours=3)
"""When no final whistle is recorded, a result counts as known this long after kick-off."""

DATE_ONLY_KNOWN_AT: Final = time(6, 0)
"""A match of which only the date is known has its result known at this time (UTC) of the next day."""


class MatchStatus(StrEnum):
    """The status of a match. Only `FINISHED` carries a result that counts for forecasts."""

    SCHEDULED = "scheduled"
    LIVE = "live"
    FINISHED = "finished"
    POSTPONED = "postponed"
    CANCELLED = "cancelled"
    ABANDONED = "abandoned"
    AWARDED = "awarded"
    UNKNOWN = "unknown"


class KickoffPrecision(StrEnum):
    """How exactly the kick-off is known; most historic rows have a date only."""

    MINUTE = "minute"
    DATE = "date"


class Moment(StrEnum):
    """When a price was quoted: while the market was open, or the latest before kick-off."""

    OPENING = "opening"
    CLOSING = "closing"


@dataclass(frozen=True, slots=True)
class CompetitionKey:
    """The name by which every source refers to one competition.

    Parameters
    ----------
    region : str
        Country or confederation, in English, such as ``"England"``.
    name : str
        Name of the competition today, such as ``"Premier League"``.
    level : int
        Tier in the pyramid of its region, 1 at the top; 0 for cups and international competitions.
    """

    region: str
    name: str
    level: int = 1
    is_simulated: bool = False

    def __post_init__(self) -> None:
        if not self.region or not self.name:
            raise ValueError("competition: region and name must not be empty")
        if self.level < 0:
            raise ValueError(f"competition: level {self.level} is negative")


@dataclass(frozen=True, slots=True)
class OddsRecord:
    """Decimal prices of one bookmaker for one match at one moment; a price that is not quoted is None.

    Parameters
    ----------
    bookmaker : str
        Short code, such as ``"B365"``, ``"PS"`` (Pinnacle), ``"Avg"`` and ``"Max"`` over bookmakers.
    home, draw, away : float or None
        1X2 prices.
    handicap : float or None
        Goals given to the home side in the Asian handicap that the next two prices refer to.
    """

    bookmaker: str
    moment: Moment
    home: float | None = None
    draw: float | None = None
    away: float | None = None
    over_2_5: float | None = None
    under_2_5: float | None = None
    handicap: float | None = None
    handicap_home: float | None = None
    handicap_away: float | None = None

    def __post_init__(self) -> None:
        if not self.bookmaker:
            raise ValueError("odds: bookmaker must not be empty")
        of_goals = (self.over_2_5, self.under_2_5, self.handicap_home, self.handicap_away)
        for price in (self.home, self.draw, self.away, *of_goals):
            if price is not None and not 1.0 < price < 10_000.0:
                raise ValueError(f"odds: {self.bookmaker} quotes {price}, which is no decimal price")


@dataclass(frozen=True, slots=True)
class StatsRecord:
    """Counts of one match, home side first; what was not counted is None.

    Parameters
    ----------
    home_xg, away_xg : float or None
        Expected goals, as the source gives them for the whole match; `xg_known_at` says from when they may be used.
    """

    home_shots: int | None = None
    away_shots: int | None = None
    home_shots_on_target: int | None = None
    away_shots_on_target: int | None = None
    home_corners: int | None = None
    away_corners: int | None = None
    home_fouls: int | None = None
    away_fouls: int | None = None
    home_yellow_cards: int | None = None
    away_yellow_cards: int | None = None
    home_red_cards: int | None = None
    away_red_cards: int | None = None
    attendance: int | None = None
    referee: str = ""
    home_xg: float | None = None
    away_xg: float | None = None


class Side(StrEnum):
    """Which of the two teams of a match."""

    HOME = "home"
    AWAY = "away"


class IncidentKind(StrEnum):
    """Incidents of the summary of a match."""

    GOAL = "goal"
    PENALTY = "penalty"
    OWN_GOAL = "own_goal"
    YELLOW_CARD = "yellow_card"
    SECOND_YELLOW_CARD = "second_yellow_card"
    RED_CARD = "red_card"
    SUBSTITUTION = "substitution"


@dataclass(frozen=True, slots=True)
class PlayerKey:
    """A footballer, by the id and the name that one source uses."""

    source_player_id: str
    name: str

    def __post_init__(self) -> None:
        if not self.source_player_id or not self.name:
            raise ValueError("player: id and name must not be empty")


@dataclass(frozen=True, slots=True)
class LineupRecord:
    """A player in the squad of one side of a match; `position` as the source writes it, such as ``"DC"``."""

    player: PlayerKey
    side: Side
    is_starter: bool
    position: str = ""
    shirt_number: int | None = None


@dataclass(frozen=True, slots=True)
class IncidentRecord:
    """A goal, card or substitution.

    Parameters
    ----------
    side : Side
        The side that it counts for: of a goal or own goal the one whose score rises, of a card the one that is shown
        it.
    minute : int
        Of play, stoppage time added to the minute before it.
    player : PlayerKey or None
        Scorer, booked player, or who comes on.
    other_player : PlayerKey or None
        Who gave the pass to a goal, or who goes off.
    """

    kind: IncidentKind
    side: Side
    minute: int
    player: PlayerKey | None = None
    other_player: PlayerKey | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.minute <= MINUTES_LIMIT:
            raise ValueError(f"incident: minute {self.minute}")


@dataclass(frozen=True, slots=True)
class AbsenceRecord:
    """A player whom a preview reports missing; `reason` such as ``"injured"``, `status` such as ``"out"``."""

    player: PlayerKey
    side: Side
    reason: str = ""
    status: str = ""


@dataclass(frozen=True, slots=True)
class MatchDetails:
    """Line-ups, incidents and absences of one match. What is empty is unknown; the rest replaces earlier reports.

    Parameters
    ----------
    known_at : datetime
        When the line-ups and absences could first have been known, aware, UTC: the moment at which they were read,
        at the latest one hour before kick-off.
    incidents : tuple of IncidentRecord
        In the order of play.
    """

    known_at: datetime
    lineups: tuple[LineupRecord, ...] = ()
    incidents: tuple[IncidentRecord, ...] = ()
    absences: tuple[AbsenceRecord, ...] = ()

    def __post_init__(self) -> None:
        if self.known_at.tzinfo is not UTC:
            raise ValueError(f"details: known_at {self.known_at} is not in UTC")
        named = [entry.player.source_player_id for entry in self.lineups]
        if len(set(named)) != len(named):
            raise ValueError("details: a player is listed twice in the line-ups")


@dataclass(frozen=True, slots=True)
class MatchRecord:
    """One match, as one source reports it.

    Parameters
    ----------
    season : str
        ``"2023-24"``, or ``"2023"`` where a season lies within one year.
    home_team, away_team : str
        Names as the source writes them, trimmed.
    kickoff_at : datetime
        Aware, UTC; with `kickoff_precision` ``date`` it is 00:00 UTC of the day.
    home_goals, away_goals : int or None
        After 90 minutes and stoppage time; of a match in play, the score at `minute`.
    minute : int or None
        Of a match in play: minutes played, stoppage time left out, so that it stays at 45 and at 90 until the whistle.
        None where the source has no clock, and in extra time.
    home_goals_extra_time, away_goals_extra_time : int or None
        Goals at the end of extra time, those of the 90 minutes included.
    home_penalties, away_penalties : int or None
        Goals of a shoot-out.
    finished_at : datetime or None
        The recorded final whistle, where the source has one.
    source_id : str
        The source's own id of the match; empty where it has none.
    home_team_id, away_team_id : str
        The source's own ids of the teams; empty where it has none.
    home_region, away_region : str
        Where the teams come from; empty for the region of the competition.
    stage, round : str
        Names such as ``"Group A"`` and ``"Matchday 7"``.
    """

    competition: CompetitionKey
    season: str
    home_team: str
    away_team: str
    kickoff_at: datetime
    kickoff_precision: KickoffPrecision = KickoffPrecision.MINUTE
    status: MatchStatus = MatchStatus.SCHEDULED
    home_goals: int | None = None
    away_goals: int | None = None
    home_goals_half_time: int | None = None
    away_goals_half_time: int | None = None
    home_goals_extra_time: int | None = None
    away_goals_extra_time: int | None = None
    home_penalties: int | None = None
    away_penalties: int | None = None
    finished_at: datetime | None = None
    is_neutral: bool = False
    source_id: str = ""
    home_team_id: str = ""
    away_team_id: str = ""
    home_region: str = ""
    away_region: str = ""
    stage: str = ""
    round: str = ""
    stats: StatsRecord | None = None
    odds: tuple[OddsRecord, ...] = ()
    details: MatchDetails | None = None
    minute: int | None = None  # last, because readers of many rows pass the others by position

    def __post_init__(self) -> None:
        if not self.home_team or not self.away_team:
            raise ValueError("match: both teams need a name")
        if self.home_team == self.away_team and self.home_team_id == self.away_team_id:
            raise ValueError(f"match: {self.home_team} cannot play itself")
        if not self.season:
            raise ValueError("match: season must not be empty")
        if self.kickoff_at.tzinfo is not UTC:
            raise ValueError(f"match: kickoff_at {self.kickoff_at} is not in UTC")
        if self.finished_at is not None and self.finished_at <= self.kickoff_at:
            raise ValueError(f"match: final whistle {self.finished_at} is not after kick-off {self.kickoff_at}")
        if (self.home_goals is None) != (self.away_goals is None):
            raise ValueError("match: one side's goals are missing")
        if self.status == MatchStatus.FINISHED and self.home_goals is None:
            raise ValueError("match: finished without goals")
        for goals in (self.home_goals, self.away_goals):
            if goals is not None and not 0 <= goals <= GOALS_LIMIT:
                raise ValueError(f"match: {goals} goals")
        if self.minute is not None and not 0 <= self.minute <= FULL_TIME:
            raise ValueError(f"match: minute {self.minute}")

    @property
    def is_live_score(self) -> bool:
        """Whether it states the score and the minute of a match in play."""
        return self.status == MatchStatus.LIVE and self.home_goals is not None and self.minute is not None

    @property
    def known_at(self) -> datetime | None:
        """When the result could first have been known; None while there is none."""
        if self.home_goals is None:
            return None
        return result_known_at(self.kickoff_at, self.kickoff_precision, self.finished_at)


@dataclass(frozen=True, slots=True)
class SquadValueRecord:
    """What the squad of a team was worth on one day, as a source estimates it.

    Parameters
    ----------
    line : int
        Of the file, for reports.
    region : str
        Of the team; empty where the file does not contain it.
    value_eur : int
        In euros.
    """

    line: int
    region: str
    team: str
    known_on: date
    value_eur: int
    squad_size: int | None = None

    def __post_init__(self) -> None:
        if not self.team:
            raise ValueError("the team needs a name")
        if self.value_eur <= 0:
            raise ValueError(f"a value of {self.value_eur} euros is none")
        if self.squad_size is not None and not 0 < self.squad_size <= SQUAD_LIMIT:
            raise ValueError(f"a squad of {self.squad_size} players")


def result_known_at(kickoff_at: datetime, precision: KickoffPrecision, finished_at: datetime | None) -> datetime:
    """Return when a result could first have been known.

    The recorded final whistle; else 06:00 UTC of the next day where only the date is known; else kick-off and three
    hours.
    """
    if finished_at is not None:
        return finished_at
    if precision == KickoffPrecision.DATE:
        return _next_morning(kickoff_at)
    return kickoff_at + RESULT_DELAY


def xg_known_at(kickoff_at: datetime, result_known_at: datetime) -> datetime:
    """Return when the expected goals of a match could first have been known.

    They are computed after the match: 06:00 UTC of the next day, never before the result. A source that corrects old
    matches gives figures that differ from those of that morning, and nothing says by how much.
    """
    return max(result_known_at, _next_morning(kickoff_at))


def _next_morning(moment: datetime) -> datetime:
    next_day: date = (moment + timedelta(days=1)).date()
    return datetime.combine(next_day, DATE_ONLY_KNOWN_AT, tzinfo=UTC)


def readable(text: str) -> str:
    """Return text that every database and terminal accepts: no NUL, no half of a surrogate pair."""
    return text.encode("utf-8", "replace").decode().replace("\x00", "␀")
