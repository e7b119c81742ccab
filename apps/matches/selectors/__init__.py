"""Reads of matches; import them from here. A QuerySet brings its competition and teams along; nothing here writes."""

from apps.matches.selectors.audit import history_of
from apps.matches.selectors.columns import COMPETITION, REGION, SEASON, TEAM
from apps.matches.selectors.competitions import competition_of_slug, competitions, competitions_of
from apps.matches.selectors.counts import Amount, amount
from apps.matches.selectors.form import EarlierMatch, EarlierMatches, earlier_matches, form_entry, recent_results
from apps.matches.selectors.keyset import beyond, merged
from apps.matches.selectors.league_decisions import (
    adjustments_of,
    awarded_of,
    awarded_results_of,
    deductions_of,
    is_on,
    points_taken,
)
from apps.matches.selectors.match_details import (
    MissingPlayer,
    SquadMember,
    absences_of,
    contradictions_of,
    lineups_of,
    live_scores,
)
from apps.matches.selectors.matches import match_with_stats, matches, of_team
from apps.matches.selectors.odds import MARKET_CONDITION, MARKET_ORDER, odds_of
from apps.matches.selectors.retention import disk_use, retention_begins_at
from apps.matches.selectors.seasons import (
    PLAY_OFF_STAGE,
    TableMatch,
    season_matches,
    seasons,
    seasons_listed,
    state_of_season,
    table_matches,
)
from apps.matches.selectors.snapshots import data_snapshot, updated_at
from apps.matches.selectors.tables import goals_in_table, league_table, table_of
from apps.matches.selectors.team_search import named, search_teams
from apps.matches.selectors.teams import match_counts, squad_value_of, team_of_slug

__all__ = [
    "COMPETITION",
    "MARKET_CONDITION",
    "MARKET_ORDER",
    "PLAY_OFF_STAGE",
    "REGION",
    "SEASON",
    "TEAM",
    "Amount",
    "EarlierMatch",
    "EarlierMatches",
    "MissingPlayer",
    "SquadMember",
    "TableMatch",
    "absences_of",
    "adjustments_of",
    "amount",
    "awarded_of",
    "awarded_results_of",
    "beyond",
    "competition_of_slug",
    "competitions",
    "competitions_of",
    "contradictions_of",
    "data_snapshot",
    "deductions_of",
    "disk_use",
    "earlier_matches",
    "form_entry",
    "goals_in_table",
    "history_of",
    "is_on",
    "league_table",
    "lineups_of",
    "live_scores",
    "match_counts",
    "match_with_stats",
    "matches",
    "merged",
    "named",
    "odds_of",
    "of_team",
    "points_taken",
    "recent_results",
    "retention_begins_at",
    "search_teams",
    "season_matches",
    "seasons",
    "seasons_listed",
    "squad_value_of",
    "state_of_season",
    "table_matches",
    "table_of",
    "team_of_slug",
    "updated_at",
]
