"""Ratings of clubs, now and over time."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db.models import QuerySet

from apps.matches.composed import composed_once
from apps.matches.models import World
from apps.ml.models import TeamRating


def newest_rating(world: World) -> TeamRating | None:
    """Return the newest rating of the strongest club of a world; None before the first."""
    return TeamRating.objects.filter(world=world).order_by("-step_at", "place").first()


def ratings(newest: TeamRating) -> QuerySet[TeamRating]:
    """Return the ratings of all clubs of the step of one, the strongest first, with their clubs and leagues."""
    rows = TeamRating.objects.filter(world=newest.world, step_at=newest.step_at)
    return rows.select_related("team", "competition__region").order_by("place")


def ratings_before(newest: TeamRating, team_ids: Iterable[int], *, earlier: timedelta) -> dict[int, TeamRating]:
    """Return the latest rating of each club that is older than the newest one by some time or more."""
    rows = TeamRating.objects.filter(team__in=list(team_ids), step_at__lte=newest.step_at - earlier)
    # Steps without results have none, so the latest is seldom exactly that old; older than twice that tells of nothing.
    rows = rows.filter(step_at__gte=newest.step_at - 2 * earlier)
    return {row.team_id: row for row in rows.order_by("step_at")}


def ratings_at(team_ids: Iterable[int], at: datetime) -> dict[int, TeamRating]:
    """Return the rating of each club as it stood at a moment; clubs without one are left out."""
    return {row.team_id: row for row in _ratings_at(list(team_ids), at)}


@composed_once
def _ratings_at(team_ids: list[int], at: datetime) -> QuerySet[TeamRating]:
    rows = TeamRating.objects.filter(team__in=team_ids, step_at__lt=at).order_by("team_id", "-step_at")
    return rows.distinct("team_id")


class RatingThen(NamedTuple):
    """The rating of a club at the end of a step, see `TeamRating`."""

    step_at: datetime
    as_of: datetime
    place: int
    p_win: float


def rating_history(team_id: int) -> list[RatingThen]:
    """Return the ratings of a club in chronological order, at most 260.

    They are one of each week, in the simulated world of each two hours, where there were results. Early ones are not
    what was known then but what the present model makes of the results that were.
    """
    return [RatingThen(*row) for row in _rating_history(team_id)]


@composed_once
def _rating_history(team_id: int) -> QuerySet[TeamRating, tuple[Any, ...]]:
    return TeamRating.objects.filter(team=team_id).order_by("step_at").values_list(*RatingThen._fields)
