"""The storing of records: `ingest()`, or an `Ingestion` that takes batches, is the only way in for sources."""

from apps.matches.ingest.ingestion import BATCH, Ingestion, batches, ingest, is_full
from apps.matches.ingest.names import Aliases, WorldConflictError
from apps.matches.ingest.report import BatchOutcome, IngestReport, RecordOutcome, Refusal
from apps.matches.ingest.rows import RESULTS

__all__ = [
    "BATCH",
    "RESULTS",
    "Aliases",
    "BatchOutcome",
    "IngestReport",
    "Ingestion",
    "RecordOutcome",
    "Refusal",
    "WorldConflictError",
    "batches",
    "ingest",
    "is_full",
]
