"""Seasons of a competition and the matches of a season."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Final

from django.db.models import QuerySet

from apps.matches.composed import composed_once
from apps.matches.connections import prepared
from apps.matches.models import Competition, Match, Season, Team
from apps.matches.selectors.matches import matches

PLAY_OFF_STAGE: Final = "play-offs"
"""Matches of this stage are outside the table of their league."""


def seasons(competition: Competition) -> QuerySet[Season]:
    """Return the seasons of a competition, newest first."""
    return competition.seasons.select_related("competition__region").order_by("-label")


def seasons_listed(competition: Competition) -> list[Season]:
    """Return the seasons of a competition, newest first, each with this competition."""
    found = _seasons_listed(competition.pk)
    for season in found:
        season.competition = competition
    return found


@composed_once
def _seasons_listed(competition_id: int) -> QuerySet[Season]:
    return Season.objects.filter(competition=competition_id).order_by("-label")


def season_matches(season: Season) -> QuerySet[Match]:
    """Return all matches of a season in the order of kick-off."""
    return matches().filter(season=season).order_by("kickoff_at", "id")


@dataclass(slots=True)
class TableMatch:
    """What tables, rounds and form need of a match; a season has hundreds, and models cost ten times as much."""

    pk: int
    season_id: int
    home_team_id: int
    away_team_id: int
    kickoff_at: datetime
    kickoff_precision: str
    known_at: datetime | None
    status: str
    round: str
    home_goals: int | None
    away_goals: int | None
    result_source: str
    home_team: Team = field(init=False)
    away_team: Team = field(init=False)

    @property
    def counts_in_table(self) -> bool:
        """See `Match.counts_in_table`."""
        return self.status in (Match.Status.FINISHED, Match.Status.AWARDED) and self.home_goals is not None


def table_matches(season: Season) -> list[TableMatch]:
    """Return the matches of a season's table in the order of kick-off, with their teams; play-offs are left out."""
    names = [each.name for each in fields(TableMatch) if each.init]
    rows = Match.objects.filter(season=season).exclude(stage__name=PLAY_OFF_STAGE).order_by("kickoff_at", "id")
    found = [TableMatch(*row) for row in rows.values_list(*names)]
    teams = Team.objects.in_bulk({team for match in found for team in (match.home_team_id, match.away_team_id)})
    for match in found:
        match.home_team, match.away_team = teams[match.home_team_id], teams[match.away_team_id]
    return found


_STATE: Final = """
    SELECT count(*), sum(hashtext(version)) FROM (
        SELECT 'match' || xmin || ctid AS version FROM matches_match WHERE season_id = %s
        UNION ALL SELECT 'stage' || xmin || ctid FROM matches_stage WHERE season_id = %s
        UNION ALL SELECT 'points' || xmin || ctid FROM matches_pointsadjustment WHERE season_id = %s
        UNION ALL SELECT 'verdict' || xmin || ctid FROM matches_awardedresult WHERE season_id = %s
        UNION ALL SELECT 'team' || xmin || ctid FROM matches_team WHERE id IN (
            SELECT home_team_id FROM matches_match WHERE season_id = %s
            UNION SELECT away_team_id FROM matches_match WHERE season_id = %s
            UNION SELECT team_id FROM matches_pointsadjustment WHERE season_id = %s
        )
    ) AS versions"""


def state_of_season(season: Season) -> tuple[int, int]:
    """Return a state that any change of a season's matches, decisions and teams replaces by another one.

    PostgreSQL gives each version of a row a place (ctid) and the number of the transaction that wrote it (xmin); the
    state counts these and sums their hashes. It costs a small part of reading the rows.
    """
    ((count, hashes),) = prepared(_STATE, [season.pk] * 7)
    return count, hashes or 0
