"""Competitions, teams, matches, prices, and the history of every change.

Facts (`MatchChange`, `Event`, `AuditEntry`) are append-only and PostgreSQL enforces it (migrations 0002, 0013). Rows of
matches, references, statistics and odds are written only by `ingest`. A trigger of PostgreSQL copies the competition
and the world of a match from its season, and a foreign key over all three columns keeps them equal
(migration 0006).
"""

from apps.matches.models.audit import ActionOrigin, AuditEntry, subject_of
from apps.matches.models.choices import choices_of
from apps.matches.models.competitions import Competition, Region, Season, Stage
from apps.matches.models.decisions import Contradiction, Correction, TeamMerge
from apps.matches.models.feed import Event, Ingest, Topic
from apps.matches.models.league_decisions import AwardedResult, LeagueDecision, PointsAdjustment
from apps.matches.models.match_data import FRESH_FOR, Absence, Incident, Lineup, LiveScore, MatchStats, Odds, Player
from apps.matches.models.matches import Match, MatchChange, MatchRef
from apps.matches.models.retention import RetentionPeriod, RetentionRun
from apps.matches.models.teams import SquadValue, Team, TeamAlias
from apps.matches.models.worlds import World

__all__ = [
    "FRESH_FOR",
    "Absence",
    "ActionOrigin",
    "AuditEntry",
    "AwardedResult",
    "Competition",
    "Contradiction",
    "Correction",
    "Event",
    "Incident",
    "Ingest",
    "LeagueDecision",
    "Lineup",
    "LiveScore",
    "Match",
    "MatchChange",
    "MatchRef",
    "MatchStats",
    "Odds",
    "Player",
    "PointsAdjustment",
    "Region",
    "RetentionPeriod",
    "RetentionRun",
    "Season",
    "SquadValue",
    "Stage",
    "Team",
    "TeamAlias",
    "TeamMerge",
    "Topic",
    "World",
    "choices_of",
    "subject_of",
]
