"""Writes of matches: `ingest()` is the one way in for sources; an operator corrects results and reviews names."""

from apps.matches.services.account import BatchOutcome, IngestReport, Outcome, Refusal
from apps.matches.services.corrections import (
    CorrectionRefusedError,
    correct_result,
    let_stand,
    undo_correction,
    why_correction_stays,
)
from apps.matches.services.ingestion import Ingestion, batches, ingest
from apps.matches.services.merges import (
    MergePlan,
    MergeRefusedError,
    merge_teams,
    plan_merge,
    undo_merge,
    why_merge_stays,
)
from apps.matches.services.names import Aliases, WorldConflictError
from apps.matches.services.review import confirm_aliases

__all__ = [
    "Aliases",
    "BatchOutcome",
    "CorrectionRefusedError",
    "IngestReport",
    "Ingestion",
    "MergePlan",
    "MergeRefusedError",
    "Outcome",
    "Refusal",
    "WorldConflictError",
    "batches",
    "confirm_aliases",
    "correct_result",
    "ingest",
    "let_stand",
    "merge_teams",
    "plan_merge",
    "undo_correction",
    "undo_merge",
    "why_correction_stays",
    "why_merge_stays",
]
