"""What operators decide (corrections, league decisions, merges, reviews), the audit, squad values and retention."""

from apps.matches.services.audit import acting_from, command_user, record_action
from apps.matches.services.club_joins import join_clubs, split_off
from apps.matches.services.corrections import (
    CorrectionRefusedError,
    accept_contradiction,
    correct_result,
    result_in_words,
    undo_correction,
    undo_correction_obstacle,
)
from apps.matches.services.league_decisions import (
    DecisionRefusedError,
    ReferenceReport,
    load_reference_data,
    record_adjustment,
    record_awarded_result,
    undo_league_decision,
)
from apps.matches.services.merge_undo import undo_merge, undo_merge_obstacle
from apps.matches.services.merges import MergeRefusedError, merge_teams, plan_merge
from apps.matches.services.retention import (
    ROLE,
    Deletion,
    PeriodInForce,
    Retention,
    RoleMissingError,
    as_retention,
    default_days,
    delete_events,
    delete_reports,
    ensure_periods,
    may_delete,
    periods_in_force,
)
from apps.matches.services.review import confirm_aliases
from apps.matches.services.squad_values import SquadValueReport, store_squad_values
from apps.matches.services.storing import ingestion

__all__ = [
    "ROLE",
    "CorrectionRefusedError",
    "DecisionRefusedError",
    "Deletion",
    "MergeRefusedError",
    "PeriodInForce",
    "ReferenceReport",
    "Retention",
    "RoleMissingError",
    "SquadValueReport",
    "accept_contradiction",
    "acting_from",
    "as_retention",
    "command_user",
    "confirm_aliases",
    "correct_result",
    "default_days",
    "delete_events",
    "delete_reports",
    "ensure_periods",
    "ingestion",
    "join_clubs",
    "load_reference_data",
    "may_delete",
    "merge_teams",
    "periods_in_force",
    "plan_merge",
    "record_action",
    "record_adjustment",
    "record_awarded_result",
    "result_in_words",
    "split_off",
    "store_squad_values",
    "undo_correction",
    "undo_correction_obstacle",
    "undo_league_decision",
    "undo_merge",
    "undo_merge_obstacle",
]
