"""What operators decide: corrections of results, merges of teams, reviews of names; and squad values they import."""

from apps.matches.services.corrections import (
    CorrectionRefusedError,
    accept_contradiction,
    correct_result,
    undo_correction,
    undo_correction_obstacle,
)
from apps.matches.services.merges import MergeRefusedError, merge_teams, plan_merge, undo_merge, undo_merge_obstacle
from apps.matches.services.review import confirm_aliases
from apps.matches.services.squad_values import SquadValueReport, store_squad_values

__all__ = [
    "CorrectionRefusedError",
    "MergeRefusedError",
    "SquadValueReport",
    "accept_contradiction",
    "confirm_aliases",
    "correct_result",
    "merge_teams",
    "plan_merge",
    "store_squad_values",
    "undo_correction",
    "undo_correction_obstacle",
    "undo_merge",
    "undo_merge_obstacle",
]
