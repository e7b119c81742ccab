"""What passes from one step of an ingest to the next; nothing of it changes afterwards.

`position` is the place of a record in the batch that was given to `Ingestion.store`, by which its outcome is reported.
"""

from __future__ import annotations

from typing import Any, NamedTuple

from apps.matches.ingest.rows import MatchRow
from apps.matches.records import MatchRecord

Pair = tuple[int, int, int]
"""Season, home team and away team."""


class Rejected(NamedTuple):
    """A record that is not stored, why, and the stored match whose result differs, if that is the reason."""

    position: int
    record: MatchRecord
    reason: str
    contradicts: MatchRow | None = None


class Validated(NamedTuple):
    """A record that the database can hold."""

    position: int
    record: MatchRecord


class Resolved(NamedTuple):
    """A record with the rows of its names."""

    position: int
    record: MatchRecord
    competition_id: int
    season_id: int
    home_team_id: int
    away_team_id: int

    @property
    def pair(self) -> Pair:
        """Season, home team and away team."""
        return self.season_id, self.home_team_id, self.away_team_id


class Identified(NamedTuple):
    """A record with the stored match that it describes; None for a match that is not stored."""

    item: Resolved
    row: MatchRow | None

    def with_record(self, record: MatchRecord) -> Identified:
        """Return the same match with another record."""
        return Identified(self.item._replace(record=record), self.row)


class Reconciled(NamedTuple):
    """A record with its match as it is to be stored, and the match's columns before; None for a new match."""

    position: int
    record: MatchRecord
    competition_id: int
    row: MatchRow
    before: tuple[Any, ...] | None

    @property
    def is_new(self) -> bool:
        """Whether the match is not stored yet."""
        return self.before is None
