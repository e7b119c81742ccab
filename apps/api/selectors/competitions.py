"""Competitions as listed, and found by a search."""

from __future__ import annotations

import re
from collections.abc import Hashable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from django.db.models import JSONField, OuterRef, QuerySet, Subquery

from apps.api.selectors.seasons import coming_of_team
from apps.matches import selectors as matches
from apps.matches.composed import composed_once
from apps.matches.leagues import Importance, importance, named_leagues
from apps.matches.models import Competition, Match, Team, World
from apps.ml.models import SeasonForecast

BETWEEN: Final = re.compile(r"\s+(?:v|vs|versus|against|[-–—])\.?\s+", re.IGNORECASE)
"""What stands between the names of two teams in a search."""


def other_world(world: World) -> World | None:
    """Return the other world if it has competitions."""
    other = World.REAL if world == World.SANDBOX else World.SANDBOX
    return other if _any_competition(other) else None


@composed_once
def _any_competition(world: World) -> QuerySet[Competition, int]:
    return Competition.objects.filter(world=world).order_by().values_list("pk", flat=True)[:1]


@dataclass(frozen=True, slots=True)
class ListedCompetition:
    """A competition with its newest season, its next match, and the leader of the table as it was last simulated."""

    competition: Competition
    season_label: str
    next_match: Match | None
    leader: Team | None
    leader_points: int | None

    @property
    def shown(self) -> tuple[Hashable, ...]:
        """All that the line of the competition shows, so that equal ones have equal lines."""
        match, leader = self.next_match, self.leader
        return (
            *(self.competition.name, self.competition.slug, self.season_label, self.leader_points),
            match and (match.kickoff_at, match.kickoff_precision),
            leader and (leader.name, leader.short_name, leader.code, leader.first_colour, leader.second_colour),
        )


def listed_competitions(world: World, now: datetime) -> list[ListedCompetition]:
    """Return the competitions of a world by three queries for any number.

    First come the regions of the leagues that most readers look for, and in each region these leagues.
    """
    found: list[Any] = _listed(world, now)
    ids = [each.next_match for each in found if each.next_match]
    coming = {match.pk: match for match in _with_moments(ids)} if ids else {}
    leaders = {each.pk: each.leader for each in found if each.leader and each.next_match}
    wanted = [leader["team"] for leader in leaders.values()]
    teams = {team.pk: team for team in _teams_with_ids(wanted)} if wanted else {}
    orders = {each.pk: importance(each.region.name, each.name, each.level, each.position) for each in found}
    regions: dict[int, Importance] = {}
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


@composed_once
def _listed(world: World, now: datetime) -> QuerySet[Competition]:
    next_match = Match.objects.filter(
        competition=OuterRef("pk"), status=Match.Status.SCHEDULED, kickoff_at__gt=now
    ).order_by("kickoff_at", "id")
    newest = SeasonForecast.objects.filter(
        season__competition=OuterRef("pk"), season__label=OuterRef("latest_season")
    ).order_by("-as_of", "-id")
    return matches.competitions(world).annotate(
        next_match=Subquery(next_match.values("pk")[:1]),
        leader=Subquery(newest.values("table__leader")[:1], output_field=JSONField()),
    )


@composed_once
def _with_moments(match_ids: list[int]) -> QuerySet[Match]:
    return Match.objects.only("kickoff_at", "kickoff_precision").filter(pk__in=match_ids)


@composed_once
def _teams_with_ids(team_ids: list[int]) -> QuerySet[Team]:
    return Team.objects.only("name", "short_name", "code", "first_colour", "second_colour").filter(pk__in=team_ids)


def search_competitions(text: str, *, world: World, limit: int = 20) -> list[Competition]:
    """Return the competitions of a world that a text names, the most important first; none for an empty text."""
    return named_leagues(text, matches.competitions_of(world))[:limit]


def search_matches(text: str, teams: Sequence[Team], *, world: World, now: datetime, limit: int = 4) -> list[Match]:
    """Return the matches that a text names: of two teams, "arsenal v chelsea"; or the next ones of the first team.

    Parameters
    ----------
    teams : sequence of Team
        The teams that the text names as a whole.
    """
    names = BETWEEN.split(text, maxsplit=1)
    if len(names) == 1:
        return coming_of_team(teams[0], now, limit=limit) if teams else []
    sides = [matches.search_teams(name, world, 1) for name in names]
    if not all(sides):
        return []
    one, other = sides[0][0], sides[1][0]
    pairings = [Match.objects.filter(home_team=a, away_team=b) for a, b in ((one, other), (other, one))]
    return list(matches.merged(pairings, "-kickoff_at", "-id", limit=limit))
