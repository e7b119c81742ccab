"""What operators decide: corrections of results, merges of teams, reviews of names."""

from apps.matches.services.corrections import (
    CorrectionRefusedError,
    accept_contradiction,
    correct_result,
    undo_correction,
    undo_correction_obstacle,
)
from apps.matches.services.merges import MergeRefusedError, merge_teams, plan_merge, undo_merge, undo_merge_obstacle
from apps.matches.services.review import confirm_aliases

__all__ = [
    "CorrectionRefusedError",
    "MergeRefusedError",
    "accept_contradiction",
    "confirm_aliases",
    "correct_result",
    "merge_teams",
    "plan_merge",
    "undo_correction",
    "undo_correction_obstacle",
    "undo_merge",
    "undo_merge_obstacle",
]
