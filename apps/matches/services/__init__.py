"""Writes of matches: `ingest()` is the one way in for sources; an operator corrects results and reviews names."""

from apps.matches.services.corrections import (
    CorrectionRefusedError,
    accept_contradiction,
    correct_result,
    undo_correction,
    undo_correction_obstacle,
)
from apps.matches.services.ingestion import Ingestion, batches, ingest
from apps.matches.services.merges import (
    MergePlan,
    MergeRefusedError,
    merge_teams,
    plan_merge,
    undo_merge,
    undo_merge_obstacle,
)
from apps.matches.services.names import Aliases, WorldConflictError
from apps.matches.services.report import BatchOutcome, IngestReport, RecordOutcome, Refusal
from apps.matches.services.review import confirm_aliases

__all__ = [
    "Aliases",
    "BatchOutcome",
    "CorrectionRefusedError",
    "IngestReport",
    "Ingestion",
    "MergePlan",
    "MergeRefusedError",
    "RecordOutcome",
    "Refusal",
    "WorldConflictError",
    "accept_contradiction",
    "batches",
    "confirm_aliases",
    "correct_result",
    "ingest",
    "merge_teams",
    "plan_merge",
    "undo_correction",
    "undo_correction_obstacle",
    "undo_merge",
    "undo_merge_obstacle",
]
