"""Matches with all that a row shows of them."""

from __future__ import annotations

from django.db.models import QuerySet

from apps.matches.composed import composed_once
from apps.matches.models import Match, Team, World


def matches(world: World | None = None) -> QuerySet[Match]:
    """Return matches with competition, region, stage and teams, unordered; of one world or of both."""
    found = Match.objects.select_related("season__competition__region", "home_team", "away_team", "stage")
    return found if world is None else found.filter(world=world)


@composed_once
def match_with_stats(match_id: int) -> QuerySet[Match]:
    """Return a match as `matches` does, with its statistics and what is at stake."""
    return matches().select_related("stats", "stakes").filter(pk=match_id)


def of_team(found: QuerySet[Match], team: Team) -> list[QuerySet[Match]]:
    """Return the matches of a team at home and those away, the branches that `merged` puts together."""
    return [found.filter(home_team=team), found.filter(away_team=team)]
