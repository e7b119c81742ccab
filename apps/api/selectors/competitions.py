"""Competitions as listed, and found by a search."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import JSONField, OuterRef, Subquery

from apps.api.selectors.seasons import coming_of_team
from apps.matches import selectors as matches
from apps.matches.leagues import importance, named_leagues
from apps.matches.models import Competition, Match, Team, World
from apps.ml.models import SeasonForecast

BETWEEN: Final = re.compile(r"\s+(?:v|vs|versus|against|[-–—])\.?\s+", re.IGNORECASE)
"""What stands between the names of two teams in a search."""


def other_world(world: World) -> World | None:
    """Return the other world if it has competitions."""
    other = World.REAL if world == World.SANDBOX else World.SANDBOX
    return other if Competition.objects.filter(world=other).exists() else None


@dataclass(frozen=True, slots=True)
class ListedCompetition:
    """A competition with its newest season, its next match, and the leader of the table as it was last simulated."""

    competition: Competition
    season_label: str
    next_match: Match | None
    leader: Team | None
    leader_points: int | None


def listed_competitions(world: World, now: datetime) -> list[ListedCompetition]:
    """Return the competitions of a world by three queries for any number.

    First come the regions of the leagues that most readers look for, and in each region these leagues.
    """
    next_match = Match.objects.filter(
        competition=OuterRef("pk"), status=Match.Status.SCHEDULED, kickoff_at__gt=now
    ).order_by("kickoff_at", "id")
    newest = SeasonForecast.objects.filter(
        season__competition=OuterRef("pk"), season__label=OuterRef("latest_season")
    ).order_by("-as_of", "-id")
    found: list[Any] = list(
        matches.competitions(world).annotate(
            next_match=Subquery(next_match.values("pk")[:1]),
            leader=Subquery(newest.values("table__leader")[:1], output_field=JSONField()),
        )
    )
    coming = Match.objects.only("kickoff_at", "kickoff_precision").in_bulk(
        [each.next_match for each in found if each.next_match]
    )
    leaders = {each.pk: each.leader for each in found if each.leader and each.next_match}
    teams = Team.objects.in_bulk([leader["team"] for leader in leaders.values()])
    orders = {each.pk: importance(each.region.name, each.name, each.level) for each in found}
    regions: dict[int, tuple[int, int, str, str]] = {}
    for each in found:
        regions[each.region_id] = min(orders[each.pk], regions.get(each.region_id, orders[each.pk]))
    found.sort(key=lambda each: (regions[each.region_id], orders[each.pk]))
    return [
        ListedCompetition(
            competition=each,
            season_label=each.latest_season or "",
            next_match=coming.get(each.next_match),
            leader=teams.get(leaders[each.pk]["team"]) if each.pk in leaders else None,
            leader_points=leaders[each.pk]["points"] if each.pk in leaders else None,
        )
        for each in found
    ]


def search_competitions(text: str, *, world: World, limit: int = 20) -> list[Competition]:
    """Return the competitions of a world that a text names, the most important first; none for an empty text."""
    return named_leagues(text, matches.competitions(world))[:limit]


def search_matches(text: str, *, world: World, now: datetime, limit: int = 4) -> list[Match]:
    """Return the matches that a text names: of two teams, "arsenal v chelsea"; or the next ones of the first team."""
    sides = [matches.search_teams(part, world, 1) for part in BETWEEN.split(text, maxsplit=1)]
    if not all(sides):
        return []
    if len(sides) == 1:
        return coming_of_team(sides[0][0], now, limit=limit)
    one, other = sides[0][0], sides[1][0]
    pairings = [Match.objects.filter(home_team=a, away_team=b) for a, b in ((one, other), (other, one))]
    return list(matches.merged(pairings, "-kickoff_at", "-id", limit=limit))
