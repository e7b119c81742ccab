"""The fourth step: a record and what is stored become the row that is to be stored."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from apps.matches.ingest import tables
from apps.matches.ingest.contradictions import Contradictions, SourceResult
from apps.matches.ingest.items import Identified, Pair, Reconciled, Rejected
from apps.matches.ingest.names import Names
from apps.matches.ingest.rows import ContradictionError, MatchRow, merge, new_row
from apps.matches.ingest.stored import StoredMatches
from apps.matches.trust import is_undated


class Reconciliation(NamedTuple):
    """Records with their matches, rejected records, and stored matches that rejected ones completed."""

    accepted: list[Reconciled]
    rejected: list[Rejected]
    completed: list[tuple[MatchRow, MatchRow]]  # each as it is to be and as it is


def reconcile(
    items: Sequence[Identified],
    stored: StoredMatches,
    *,
    names: Names,
    contradictions: Contradictions,
    source: str,
    now: datetime,
) -> Reconciliation:
    """Return the records with their matches as they are to be stored, and the rejected records.

    A record with another result than the stored one is rejected where its source is trusted no more than that of the
    stored result (`rows.merge`); `contradictions` collects both cases of different results. From a source that is read
    for its statistics (`trust.UNDATED`) only the result is rejected: even an awarded match was played.
    """
    new_rows = _new_rows([item for item in items if item.row is None], stored, names=names, source=source)
    accepted: list[Reconciled] = []
    rejected: list[Rejected] = []
    completed: list[tuple[MatchRow, MatchRow]] = []
    for item, stored_row in items:
        record = item.record
        if stored_row is None:
            row, before = new_rows[item.position], None
        else:
            before = stored_row.values()
            row = MatchRow(*before)
            stage_id = names.stage(item.season_id, record.stage) if record.stage else None
            try:
                merge(row, record, stage_id=stage_id, source=source, now=now)
            except ContradictionError as error:
                contradictions.refused(stored_row, record, source=source)
                if not is_undated(source):
                    rejected.append(Rejected(item.position, record, str(error)))
                    if row != stored_row:
                        completed.append((row, stored_row))
                    continue
            else:
                contradictions.accepted(row, record, source=source, before=SourceResult.of(stored_row))
        accepted.append(Reconciled(item.position, record, item.competition_id, row, before))
    return Reconciliation(accepted, rejected, completed)


def _new_rows(items: Sequence[Identified], stored: StoredMatches, *, names: Names, source: str) -> dict[int, MatchRow]:
    """Return the rows of new matches by position; ids and occurrences follow the kick-offs."""
    rows = {}
    next_occurrence: dict[Pair, int] = {}
    in_order = sorted((item for item, _ in items), key=lambda item: (item.record.kickoff_at, item.position))
    for item, row_id in zip(in_order, tables.next_ids(tables.MATCHES, len(in_order)), strict=True):
        pair, record = item.pair, item.record
        occurrence = next_occurrence.get(pair) or stored.next_occurrence(pair)
        next_occurrence[pair] = occurrence + 1
        rows[item.position] = new_row(
            record,
            row_id=row_id,
            season_id=item.season_id,
            stage_id=names.stage(item.season_id, record.stage) if record.stage else None,
            home_team_id=item.home_team_id,
            away_team_id=item.away_team_id,
            occurrence=occurrence,
            source=source,
        )
    return rows
