"""The first step: records that the database cannot hold, or that describe no possible match, are rejected."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from functools import lru_cache
from math import isfinite
from operator import attrgetter, gt
from typing import Final

from django.db.models import Model

from apps.matches.club_names import is_form_alone
from apps.matches.ingest.items import Rejected, Validated
from apps.matches.ingest.rows import GOALS
from apps.matches.models import (
    Absence,
    Competition,
    Lineup,
    Match,
    MatchRef,
    MatchStats,
    Odds,
    Player,
    Region,
    Season,
    Stage,
    Team,
    TeamAlias,
)
from apps.matches.records import (
    EXPECTED_GOALS_LIMIT,
    MatchDetails,
    MatchRecord,
    MatchStatus,
    PlayerKey,
    StatsRecord,
)

LARGEST_COUNT: Final = 32_767
"""Largest value of a small integer column."""

LARGEST_ATTENDANCE: Final = 2_147_483_647

FIRST_YEAR: Final = 1850
"""No match of clubs is older."""

FARTHEST: Final = timedelta(days=3 * 366)
"""A kick-off further ahead is a misread date."""


def _longest(model: type[Model], field: str) -> int:
    return int(getattr(model._meta.get_field(field), "max_length", None) or 0)


_TEXTS: Final = (
    ("season", _longest(Season, "label")),
    ("home_team", _longest(Team, "name")),
    ("away_team", _longest(Team, "name")),
    ("source_id", _longest(MatchRef, "source_id")),
    ("home_team_id", _longest(TeamAlias, "source_team_id")),
    ("away_team_id", _longest(TeamAlias, "source_team_id")),
    ("home_region", _longest(Region, "name")),
    ("away_region", _longest(Region, "name")),
    ("stage", _longest(Stage, "name")),
    ("round", _longest(Match, "round")),
)
_EXPECTED_GOALS: Final = ("home_xg", "away_xg")
_STATISTICS: Final = attrgetter(
    *(
        field.name
        for field in fields(StatsRecord)
        if field.name.startswith(("home_", "away_")) and field.name not in _EXPECTED_GOALS
    )
)
_expected_goals: Final = attrgetter(*_EXPECTED_GOALS)
_texts: Final = attrgetter(*(name for name, _ in _TEXTS))
_limits: Final = tuple(limit for _, limit in _TEXTS)
_counts: Final = attrgetter(*GOALS[2:])
_BOOKMAKER: Final = _longest(Odds, "bookmaker")
_REFEREE: Final = _longest(MatchStats, "referee")
_REGION: Final = _longest(Region, "name")
_COMPETITION: Final = _longest(Competition, "name")
_PLAYER: Final = _longest(Player, "name")
_PLAYER_ID: Final = _longest(Player, "source_player_id")
_POSITION: Final = _longest(Lineup, "position")
_REASON: Final = _longest(Absence, "reason")
_STATUS: Final = _longest(Absence, "status")


def validate(records: Sequence[MatchRecord], *, now: datetime) -> tuple[list[Validated], list[Rejected]]:
    """Return the records that can be stored, and those that cannot."""
    accepted, rejected = [], []
    for position, record in enumerate(records):
        reason = rejection_reason(record, now)
        if reason:
            rejected.append(Rejected(position, record, reason))
        else:
            accepted.append(Validated(position, record))
    return accepted, rejected


def rejection_reason(record: MatchRecord, now: datetime) -> str:
    """Return why a record cannot be stored; empty when it can."""
    texts = _texts(record)
    if any(map(gt, map(len, texts), _limits)) or _is_broken("".join(texts)):
        return _text_rejection(texts)
    competition = record.competition
    reason = (
        _team_rejection(record.home_team)
        or _team_rejection(record.away_team)
        or _competition_rejection(competition.region, competition.name, competition.level)
    )
    if reason:
        return reason
    if record.kickoff_at.year < FIRST_YEAR or record.kickoff_at > now + FARTHEST:
        return f"no match kicks off on {record.kickoff_at:%Y-%m-%d}"
    if record.status == MatchStatus.FINISHED and record.kickoff_at > now + timedelta(days=1):
        return "it is finished before it has begun"
    goals = [count for count in _counts(record) if count is not None]
    if goals and not 0 <= min(goals) <= max(goals) <= LARGEST_COUNT:
        return "a count of goals is out of range"
    return (
        _stats_rejection(record)
        or _odds_rejection(record)
        or (_details_rejection(record.details) if record.details else "")
    )


def _text_rejection(texts: tuple[str, ...]) -> str:
    for text, (name, limit) in zip(texts, _TEXTS, strict=True):
        if len(text) > limit:
            return f"{name} has {len(text)} characters of at most {limit}"
        if _is_broken(text):
            return f"{name} holds a character that cannot be stored"
    return ""


# Caches, because an import has few names, each in thousands of records.
@lru_cache(maxsize=65_536)
def _team_rejection(name: str) -> str:
    if not name.strip():
        return "a team's name is blank"
    if is_form_alone(name):
        return f"the name {name} is only a legal form, so that the club is not known; write the club's full name"
    return ""


@lru_cache(maxsize=1024)
def _competition_rejection(region: str, name: str, level: int) -> str:
    if len(name) > _COMPETITION or len(region) > _REGION:
        return "the competition's name or region is too long"
    if _is_broken(name) or _is_broken(region):
        return "the competition's name or region holds a character that cannot be stored"
    return f"the competition's level {level} is out of range" if level > LARGEST_COUNT else ""


def _stats_rejection(record: MatchRecord) -> str:
    stats = record.stats
    if stats is None:
        return ""
    counts = [count for count in _STATISTICS(stats) if count is not None]
    if counts and not 0 <= min(counts) <= max(counts) <= LARGEST_COUNT:
        return f"a statistic of {min(counts) if min(counts) < 0 else max(counts)} is out of range"
    for xg in _expected_goals(stats):
        if xg is not None and not 0 <= xg <= EXPECTED_GOALS_LIMIT:
            return f"expected goals of {xg} are out of range"
    if stats.attendance is not None and not 0 <= stats.attendance <= LARGEST_ATTENDANCE:
        return f"an attendance of {stats.attendance} is out of range"
    if len(stats.referee) > _REFEREE or _is_broken(stats.referee):
        return "the referee's name does not fit"
    return ""


def _odds_rejection(record: MatchRecord) -> str:
    for quote in record.odds:
        if not _is_code(quote.bookmaker):
            return f"a bookmaker's code {quote.bookmaker!r} is not one of at most {_BOOKMAKER} letters and digits"
        if quote.handicap is not None and not isfinite(quote.handicap):
            return f"{quote.bookmaker} quotes a handicap of {quote.handicap}"
    return ""


@lru_cache(maxsize=1024)
def _is_code(bookmaker: str) -> bool:
    return len(bookmaker) <= _BOOKMAKER and bookmaker.isalnum() and bookmaker.isascii()


def _details_rejection(details: MatchDetails) -> str:
    for entry in details.lineups:
        reason = _player_rejection(entry.player)
        if reason:
            return reason
        if len(entry.position) > _POSITION or _is_broken(entry.position):
            return f"the position {entry.position!r} does not fit"
        if entry.shirt_number is not None and not 0 <= entry.shirt_number <= LARGEST_COUNT:
            return f"a shirt number of {entry.shirt_number} is out of range"
    for incident in details.incidents:
        reason = _player_rejection(incident.player) or _player_rejection(incident.other_player)
        if reason:
            return reason
    if len(details.incidents) > LARGEST_COUNT:
        return f"no match has {len(details.incidents)} incidents"
    for absence in details.absences:
        reason = _player_rejection(absence.player)
        if reason:
            return reason
        if len(absence.reason) > _REASON or len(absence.status) > _STATUS:
            return "the reason or status of an absence is too long"
        if _is_broken(absence.reason) or _is_broken(absence.status):
            return "the reason or status of an absence holds a character that cannot be stored"
    return ""


def _player_rejection(player: PlayerKey | None) -> str:
    if player is None:
        return ""
    if len(player.name) > _PLAYER or len(player.source_player_id) > _PLAYER_ID:
        return "a player's name or id is too long"
    if _is_broken(player.name) or _is_broken(player.source_player_id):
        return "a player's name or id holds a character that cannot be stored"
    return ""


def _is_broken(text: str) -> bool:
    """Whether a text holds what PostgreSQL does not store: a NUL, or half of a surrogate pair."""
    return "\x00" in text or (not text.isascii() and any("\ud800" <= character <= "\udfff" for character in text))
