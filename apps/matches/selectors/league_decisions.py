"""What leagues decided about a season: points that they took, results by verdict."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from typing import Final, TypeVar

from django.db.models import QuerySet

from apps.matches.models import AwardedResult, LeagueDecision, Match, PointsAdjustment, Season
from apps.matches.selectors.seasons import PLAY_OFF_STAGE, TableMatch, season_matches

D = TypeVar("D", bound=LeagueDecision)

ONE_DAY: Final = timedelta(days=1)


def adjustments_of(season: Season, at: datetime | None = None) -> QuerySet[PointsAdjustment]:
    """Return the decisions on points that are in force in a season, as known at an instant or now, oldest first."""
    return _in_force(season.adjustments.select_related("team"), at)


def awarded_results_of(season: Season, at: datetime | None = None) -> QuerySet[AwardedResult]:
    """Return the verdicts that are in force in a season, as known at an instant or now, oldest first."""
    return _in_force(season.awarded_results.select_related("home_team", "away_team"), at)


def _in_force(decisions: QuerySet[D], at: datetime | None) -> QuerySet[D]:
    found = decisions.filter(undone_at__isnull=True).order_by("decided_on", "pk")
    return found if at is None else found.filter(decided_on__lt=at.astimezone(UTC).date())


def deductions_of(season: Season, at: datetime | None = None) -> Counter[int]:
    """Return the points that were taken from clubs of a season, by the id of the club; points given are negative."""
    return points_taken(adjustments_of(season, at))


def points_taken(adjustments: Iterable[PointsAdjustment]) -> Counter[int]:
    """Return the points that some decisions took, by the id of the club; points given are negative."""
    taken = Counter[int]()
    for decision in adjustments:
        taken[decision.team_id] -= decision.points
    return taken


def awarded_of(season: Season, at: datetime | None = None) -> list[Match]:
    """Return the matches of a season's table that a source reports as awarded and that no `AwardedResult` names."""
    found = season_matches(season).filter(status=Match.Status.AWARDED, home_goals__isnull=False)
    found = found.exclude(stage__name=PLAY_OFF_STAGE)
    verdicts = list(awarded_results_of(season))
    return [
        match
        for match in (found if at is None else found.filter(known_at__lt=at))
        if not any(is_on(verdict, match) for verdict in verdicts)
    ]


def is_on(verdict: AwardedResult, match: Match | TableMatch) -> bool:
    """Whether a verdict is on a match: the same teams, on the same day or, as zones differ, one day apart."""
    return (match.season_id, match.home_team_id, match.away_team_id) == (
        verdict.season_id,
        verdict.home_team_id,
        verdict.away_team_id,
    ) and abs(match.kickoff_at.astimezone(UTC).date() - verdict.played_on) <= ONE_DAY
