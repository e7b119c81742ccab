"""Teams with their seasons and leagues."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from django.db.models import QuerySet
from django.db.models.expressions import RawSQL

from apps.matches import selectors as matches
from apps.matches.composed import composed_once
from apps.matches.connections import prepared
from apps.matches.models import Competition, Match, Season, Team, World


def seasons_of_team(team: Team) -> list[Season]:
    """Return the latest season of a team in each of its competitions, the most recent first."""
    return [match.season for match in _latest_matches(team.pk)]


@composed_once
def _latest_matches(team_id: int) -> QuerySet[Match]:
    newest = RawSQL(
        """
        SELECT f.id FROM matches_competition c CROSS JOIN LATERAL (
            (SELECT id, kickoff_at FROM matches_match WHERE home_team_id = %s AND competition_id = c.id
                ORDER BY kickoff_at DESC LIMIT 1)
            UNION ALL
            (SELECT id, kickoff_at FROM matches_match WHERE away_team_id = %s AND competition_id = c.id
                ORDER BY kickoff_at DESC LIMIT 1)
            ORDER BY kickoff_at DESC LIMIT 1
        ) AS f
        """,
        [team_id, team_id],
    )
    rows = Match.objects.filter(pk__in=newest).select_related("season__competition__region")
    return rows.order_by("-kickoff_at", "-id")


def world_of(team: Team) -> World | None:
    """Return the world of a team, by the competitions of its region; None when there are none."""
    competition = Competition.objects.filter(region=team.region_id).first()
    return competition.world if competition else None


@dataclass(frozen=True, slots=True)
class LatestLeague:
    """The latest match of a team in a league, past or future, and the newest season of that league."""

    kickoff_at: datetime
    season: Season


# A home match before one away, because each of the two can use an index; a team without a home match is rare.
_LATEST_LEAGUES: Final = f"""
    SELECT t.id, l.kickoff_at, {matches.SEASON.sql("s")}, {matches.COMPETITION.sql("c")}, {matches.REGION.sql("r")}
    FROM unnest(%s::bigint[]) AS t (id)
    CROSS JOIN LATERAL (
        (SELECT m.competition_id, m.kickoff_at, 1 AS place
            FROM matches_match m JOIN matches_competition k ON k.id = m.competition_id AND k.level >= 1
            WHERE m.home_team_id = t.id ORDER BY m.kickoff_at DESC LIMIT 1)
        UNION ALL
        (SELECT m.competition_id, m.kickoff_at, 2
            FROM matches_match m JOIN matches_competition k ON k.id = m.competition_id AND k.level >= 1
            WHERE m.away_team_id = t.id ORDER BY m.kickoff_at DESC LIMIT 1)
        ORDER BY place LIMIT 1
    ) l
    CROSS JOIN LATERAL (
        SELECT * FROM matches_season WHERE competition_id = l.competition_id ORDER BY label DESC LIMIT 1
    ) s
    JOIN matches_competition c ON c.id = s.competition_id
    JOIN matches_region r ON r.id = c.region_id"""

_TEAMS: Final = f"""
    SELECT {matches.TEAM.sql("t")}, {matches.REGION.sql("r")}
    FROM matches_team t JOIN matches_region r ON r.id = t.region_id WHERE t.slug = ANY(%s::text[])"""


def teams_of_slugs(slugs: Sequence[str]) -> dict[str, Team]:
    """Return teams with their regions, by slug; unknown slugs are left out."""
    teams = {}
    for row in prepared(_TEAMS, [list(slugs)]):
        values = iter(row)
        team = matches.TEAM.take(values)
        team.region = matches.REGION.take(values)
        teams[team.slug] = team
    return teams


def latest_leagues(teams: Iterable[Team]) -> dict[int, LatestLeague]:
    """Return the latest league of each team, by the team's id; teams without a league match are left out."""
    leagues = {}
    for team_id, kickoff_at, *columns in prepared(_LATEST_LEAGUES, [[team.pk for team in teams]]):
        values = iter(columns)
        season, competition = matches.SEASON.take(values), matches.COMPETITION.take(values)
        competition.region, season.competition = matches.REGION.take(values), competition
        leagues[team_id] = LatestLeague(kickoff_at, season)
    return leagues
