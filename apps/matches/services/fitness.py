"""What the database cannot hold or no match can be: refused before it is stored."""

from __future__ import annotations

from datetime import datetime, timedelta
from math import isfinite
from operator import attrgetter
from typing import Final

from apps.matches.models import Competition, Match, MatchRef, Odds, Region, Season, Stage, Team, TeamAlias
from apps.matches.records import MatchRecord, Status

LARGEST_COUNT: Final = 32_767
"""Of a small integer column."""

LARGEST_ATTENDANCE: Final = 2_147_483_647

FIRST_YEAR: Final = 1850
"""No match of clubs is older."""

FARTHEST: Final = timedelta(days=3 * 366)
"""A kick-off further ahead is a misread date."""

_TEXTS: Final = (
    ("season", Season._meta.get_field("label").max_length),
    ("home_team", Team._meta.get_field("name").max_length),
    ("away_team", Team._meta.get_field("name").max_length),
    ("source_id", MatchRef._meta.get_field("source_id").max_length),
    ("home_team_id", TeamAlias._meta.get_field("source_team_id").max_length),
    ("away_team_id", TeamAlias._meta.get_field("source_team_id").max_length),
    ("home_region", Region._meta.get_field("name").max_length),
    ("away_region", Region._meta.get_field("name").max_length),
    ("stage", Stage._meta.get_field("name").max_length),
    ("round", Match._meta.get_field("round").max_length),
)
_COUNTS: Final = (
    "home_goals_half_time",
    "away_goals_half_time",
    "home_goals_extra_time",
    "away_goals_extra_time",
    "home_penalties",
    "away_penalties",
)
_STATISTICS: Final = attrgetter(
    "home_shots",
    "away_shots",
    "home_shots_on_target",
    "away_shots_on_target",
    "home_corners",
    "away_corners",
    "home_fouls",
    "away_fouls",
    "home_yellow_cards",
    "away_yellow_cards",
    "home_red_cards",
    "away_red_cards",
)
_texts: Final = attrgetter(*(name for name, _ in _TEXTS))
_limits: Final = tuple(int(limit or 0) for _, limit in _TEXTS)
_counts: Final = attrgetter(*_COUNTS)
_BOOKMAKER: Final = int(Odds._meta.get_field("bookmaker").max_length or 0)
_REFEREE: Final = 80
_REGION: Final = int(Region._meta.get_field("name").max_length or 0)
_COMPETITION: Final = int(Competition._meta.get_field("name").max_length or 0)


def unfit(record: MatchRecord, now: datetime) -> str:
    """Return why a record cannot be stored, empty when it can."""
    texts = _texts(record)
    for text, limit in zip(texts, _limits, strict=True):
        if len(text) > limit or "\x00" in text:
            name = _TEXTS[texts.index(text)][0]
            return (
                f"{name} has {len(text)} characters of at most {limit}" if len(text) > limit else f"{name} holds a NUL"
            )
    if not record.home_team.strip() or not record.away_team.strip():
        return "a team's name is blank"
    competition = record.competition
    if (
        len(competition.name) > _COMPETITION
        or len(competition.region) > _REGION
        or "\x00" in competition.name + competition.region
    ):
        return "the competition's name or region does not fit"
    if competition.level > LARGEST_COUNT:
        return f"the competition's level {competition.level} is none"
    if record.kickoff_at.year < FIRST_YEAR or record.kickoff_at > now + FARTHEST:
        return f"no match kicks off on {record.kickoff_at:%Y-%m-%d}"
    if record.status == Status.FINISHED and record.kickoff_at > now + timedelta(days=1):
        return "it is finished before it has begun"
    if any(count is not None and not 0 <= count <= LARGEST_COUNT for count in _counts(record)):
        return "a count of goals is out of range"
    return _unfit_stats(record) or _unfit_odds(record)


def _unfit_stats(record: MatchRecord) -> str:
    stats = record.stats
    if stats is None:
        return ""
    for count in _STATISTICS(stats):
        if count is not None and not 0 <= count <= LARGEST_COUNT:
            return f"a statistic of {count} is out of range"
    if stats.attendance is not None and not 0 <= stats.attendance <= LARGEST_ATTENDANCE:
        return f"an attendance of {stats.attendance} is out of range"
    if len(stats.referee) > _REFEREE or "\x00" in stats.referee:
        return "the referee's name does not fit"
    return ""


def _unfit_odds(record: MatchRecord) -> str:
    for quote in record.odds:
        if len(quote.bookmaker) > _BOOKMAKER or "\x00" in quote.bookmaker:
            return f"a bookmaker's code has more than {_BOOKMAKER} characters"
        if quote.handicap is not None and not isfinite(quote.handicap):
            return f"{quote.bookmaker} quotes a handicap of {quote.handicap}"
    return ""
