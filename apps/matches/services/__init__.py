"""Writes of matches: `ingest()` is the one way in."""

from apps.matches.services.account import BatchOutcome, IngestReport, Outcome, Refusal
from apps.matches.services.ingestion import Ingestion, batches, ingest
from apps.matches.services.names import Aliases, WorldConflictError
from apps.matches.services.review import confirm_aliases

__all__ = [
    "Aliases",
    "BatchOutcome",
    "IngestReport",
    "Ingestion",
    "Outcome",
    "Refusal",
    "WorldConflictError",
    "batches",
    "confirm_aliases",
    "ingest",
]
