"""What is known of one match beside its result: squads, missing players, the score in play, contradictions."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

from django.db.models import QuerySet

from apps.matches.composed import composed_once
from apps.matches.models import Absence, Contradiction, Lineup, LiveScore


class SquadMember(NamedTuple):
    """A player in the squad of one side of a match."""

    side: str
    name: str
    is_starter: bool
    known_at: datetime


def lineups_of(match_id: int) -> list[SquadMember]:
    """Return the players in the squads of a match, those who begin first."""
    return [SquadMember(*row) for row in _lineups_of(match_id)]


@composed_once
def _lineups_of(match_id: int) -> QuerySet[Lineup, tuple[Any, ...]]:
    rows = Lineup.objects.filter(match=match_id).order_by("-is_starter", "shirt_number", "player__name", "pk")
    return rows.values_list("side", "player__name", "is_starter", "known_at")


class MissingPlayer(NamedTuple):
    """A player who was reported missing from one side of a match."""

    side: str
    name: str
    reason: str
    status: str


def absences_of(match_id: int) -> list[MissingPlayer]:
    """Return the players who were reported missing from a match."""
    return [MissingPlayer(*row) for row in _absences_of(match_id)]


@composed_once
def _absences_of(match_id: int) -> QuerySet[Absence, tuple[Any, ...]]:
    rows = Absence.objects.filter(match=match_id).order_by("player__name", "pk")
    return rows.values_list("side", "player__name", "reason", "status")


def live_scores(match_ids: Iterable[int], now: datetime) -> dict[int, LiveScore]:
    """Return the score of each match in play of which there is fresh news."""
    return {score.match_id: score for score in _live_scores(list(match_ids)) if score.is_fresh(now)}


@composed_once
def _live_scores(match_ids: list[int]) -> QuerySet[LiveScore]:
    return LiveScore.objects.filter(match__in=match_ids)


@composed_once
def contradictions_of(match_id: int) -> QuerySet[Contradiction]:
    """Return the open contradictions of a match, ordered by source."""
    return Contradiction.objects.filter(match=match_id, resolved_at__isnull=True).order_by("source")
