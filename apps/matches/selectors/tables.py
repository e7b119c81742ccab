"""The table of a season."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from apps.matches.models import AwardedResult, Match, Season, Team
from apps.matches.selectors.league_decisions import awarded_results_of, deductions_of, is_on
from apps.matches.selectors.seasons import TableMatch, table_matches
from apps.matches.standings import Result, Standing, points_for_win, rule_of, table


def league_table(season: Season, at: datetime | None = None) -> list[Standing[Team]]:
    """Return the table of a season by the rules of its region, as it was known at an instant or is now.

    Results by verdict count, and points that were taken or given. Play-offs are left out; the split of the Scottish
    Premiership, whose lower half cannot pass the upper, is not known.
    """
    found, verdicts = table_matches(season), list(awarded_results_of(season, at))
    for match in found:
        if at is not None and (match.known_at is None or match.known_at >= at):
            match.home_goals = None
    goals = {match.pk: counted for match in found if (counted := goals_in_table(match, verdicts))}
    return table_of(season, found, goals, deductions_of(season, at))


def goals_in_table(match: Match | TableMatch, verdicts: Iterable[AwardedResult]) -> tuple[int, int] | None:
    """Return the goals that the table counts for a match: those of a verdict, else of the result; None without."""
    for verdict in verdicts:
        if is_on(verdict, match):
            return verdict.home_goals, verdict.away_goals
    if match.home_goals is None or match.away_goals is None or not match.counts_in_table:
        return None
    return match.home_goals, match.away_goals


def table_of(
    season: Season, found: Sequence[TableMatch], goals: Mapping[int, tuple[int, int]], taken: Mapping[int, int]
) -> list[Standing[Team]]:
    """Return the table that some matches of a season make; see `league_table`.

    Parameters
    ----------
    found : sequence of TableMatch
        All matches of the table, for the teams that have not played yet.
    goals : mapping
        Id of a match that counts → its goals in the table.
    taken : mapping
        Id of a team → points that were taken from it.
    """
    region = season.competition.region.name
    teams = {team.pk: team for match in found for team in (match.home_team, match.away_team)}
    # By the ids of the teams, which are cheaper to compare than models.
    lines = table(
        [Result(match.home_team_id, match.away_team_id, *goals[match.pk]) for match in found if match.pk in goals],
        rule=rule_of(region),
        win=points_for_win(region, season.label),
        teams=teams,
        deductions={pk: points for pk, points in taken.items() if pk in teams},
        name=lambda pk: teams[pk].display_name,
    )
    return [line.of(teams[line.team]) for line in lines]
