"""Stores records of sources: by `ingest()`, or in batches by an `Ingestion`. Nothing else writes them."""

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
