"""The storing of records: `ingest()`, or an `Ingestion` that takes batches, is the only way in for sources."""

from apps.matches.ingest.ingestion import BATCH, Ingestion, batches, ingest, is_full
from apps.matches.ingest.names import WorldConflictError
from apps.matches.ingest.report import IngestReport, RecordOutcome

__all__ = [
    "BATCH",
    "IngestReport",
    "Ingestion",
    "RecordOutcome",
    "WorldConflictError",
    "batches",
    "ingest",
    "is_full",
]
