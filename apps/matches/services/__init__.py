"""Writes of matches: `ingest()` is the one way in."""

from apps.matches.services.ingestion import BatchOutcome, Ingestion, IngestReport, Outcome, Refusal, batches, ingest
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
