"""What became of records: one outcome each, counts, and the refused with their reasons."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum
from typing import Final

from apps.matches.records import MatchRecord, readable

TEXT_LIMIT: Final = 500
"""Characters of a refused record that are kept."""


class RecordOutcome(IntEnum):
    """What became of one record."""

    SAME = 0
    CREATED = 1
    CHANGED = 2
    REFUSED = 3


@dataclass(frozen=True, slots=True)
class Refusal:
    """A record that was not stored, and why."""

    record: str
    reason: str

    @classmethod
    def of(cls, record: str, reason: str) -> Refusal:
        """Return a refusal in text that every database and terminal takes."""
        return cls(readable(record[:TEXT_LIMIT]), readable(reason[:TEXT_LIMIT]))


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What one ingest did: the number of records by what became of them, and the refused ones in their order.

    `ingest_id` is None when there was no record at all. `notes` counts what was stored otherwise than written.
    `seconds` leaves out the wait for other ingests.
    """

    ingest_id: int | None
    created: int
    changed: int
    same: int
    refused: int
    refusals: tuple[Refusal, ...]
    notes: Mapping[str, int]
    seconds: float

    @property
    def changed_facts(self) -> bool:
        """Whether a match, statistic, price or match detail was written."""
        return bool(self.created or self.changed)


@dataclass(frozen=True, slots=True)
class BatchOutcome:
    """What became of the records of one `Ingestion.store`: one outcome each, the refused, and notes, by position."""

    outcomes: Sequence[RecordOutcome]
    refused: Mapping[int, Refusal]
    notes: Mapping[int, str]


def describe(record: MatchRecord) -> str:
    """Return a record in words: competition, teams and day."""
    competition = record.competition
    return (
        f"{competition.region}, {competition.name} {record.season}: {record.home_team} – {record.away_team} "
        f"on {record.kickoff_at:%Y-%m-%d}"
    )
