"""A team by its address, its number of matches and the value of its squad."""

from __future__ import annotations

from collections.abc import Iterable

from django.db.models import Count, QuerySet

from apps.matches.composed import composed_once
from apps.matches.models import Match, SquadValue, Team


@composed_once
def team_of_slug(slug: str) -> QuerySet[Team]:
    """Return the team with a slug, with its region."""
    return Team.objects.filter(slug=slug).select_related("region")


def match_counts(team_ids: Iterable[int]) -> dict[int, int]:
    """Return how many matches each team has, played or to come; a team without any is left out."""
    wanted = list(team_ids)
    counts: dict[int, int] = {}
    for column in ("home_team", "away_team"):
        found = Match.objects.filter(**{f"{column}__in": wanted}).values_list(column).annotate(Count("pk"))
        for team_id, count in found:
            counts[team_id] = counts.get(team_id, 0) + count
    return counts


def squad_value_of(team: Team) -> SquadValue | None:
    """Return the latest estimate of what the squad of a team is worth."""
    return _squad_value_of.first(team.pk)


@composed_once
def _squad_value_of(team_id: int) -> QuerySet[SquadValue]:
    return SquadValue.objects.filter(team=team_id).order_by("-known_on", "source")[:1]
