"""The last step: what differs from the stored rows is written."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from apps.matches.ingest import tables
from apps.matches.ingest.changes import publish_matches, record_changes
from apps.matches.ingest.items import Reconciled
from apps.matches.ingest.live_scores import store_live_scores
from apps.matches.ingest.match_details import DetailsWriter
from apps.matches.ingest.report import RecordOutcome
from apps.matches.ingest.rows import MatchRow, only_source_differs
from apps.matches.models import Ingest
from apps.matches.records import StatsRecord

MANY: Final = 1_000
"""New matches in one round from which the planner's statistics are refreshed at once."""

NO_STATS: Final = StatsRecord()

_stats_values: Final = attrgetter(*tables.STATS_COLUMNS[1:])
_odds_values: Final = attrgetter(*tables.ODDS_COLUMNS[1:])


class Writer:
    """Writes the rows of one ingest; `now` is in UTC."""

    def __init__(self, ingest: Ingest, *, now: datetime) -> None:
        self._ingest = ingest
        self._now = now
        self._details = DetailsWriter(ingest.source)
        self._is_bulk = False

    @property
    def ingest_id(self) -> int:
        """The id of the row of the ingest."""
        return self._ingest.pk

    def write(self, items: Sequence[Reconciled], *, known_source_ids: Collection[str]) -> dict[int, RecordOutcome]:
        """Write one round, each match once; return the outcome of each record by its position.

        `known_source_ids` are stored already.
        """
        ingest_id, source, now = self._ingest.pk, self._ingest.source, self._now
        new = [item for item in items if item.is_new]
        old = [item for item in items if not item.is_new]
        self._insert_matches(new)
        changes = [(item, item.row, item.before) for item in old if item.before and item.row.values() != item.before]
        changed = {item.position for item, _, _ in changes}
        # Another source of the same facts changes none: nothing that was computed from the match is outdated.
        tables.set_sources([row for _, row, before in changes if only_source_differs(row, before)], now)
        facts = [(row, before) for _, row, before in changes if not only_source_differs(row, before)]
        tables.update_matches([row for row, _ in facts], ingest_id=ingest_id, now=now)
        record_changes(facts, ingest_id=ingest_id, now=now)
        refs = (
            (item.row.id, source, item.record.source_id)
            for item in items
            if item.record.source_id and item.record.source_id not in known_source_ids
        )
        tables.insert(tables.REFS, refs)
        tables.insert(tables.STATS, _stats_rows(new))
        tables.insert(tables.ODDS, _odds_rows(new))
        with_stats = tables.upsert_stats(list(_stats_rows(old)))
        # Features read statistics: the data snapshot of the match moves with them.
        tables.mark_changed(with_stats, ingest_id=ingest_id, now=now)
        touched = with_stats | tables.upsert_odds(list(_odds_rows(old))) | self._write_details(new, old)
        live = store_live_scores(items, source=source, now=now)
        published = {row.id: row for row in [item.row for item in new] + [row for row, _ in facts]}
        published |= {item.row.id: item.row for item in items if item.row.id in live}
        publish_matches(published.values(), live=live, now=now)
        outcomes = dict.fromkeys((item.position for item in new), RecordOutcome.CREATED)
        for item in old:
            is_changed = item.position in changed or item.row.id in touched
            outcomes[item.position] = RecordOutcome.CHANGED if is_changed else RecordOutcome.SAME
        return outcomes

    def correct(self, rows: Sequence[tuple[MatchRow, MatchRow]]) -> None:
        """Write stored matches that no record of the round reports, each as it is to be and as it is."""
        if not rows:
            return
        changed = [row for row, _ in rows]
        tables.update_matches(changed, ingest_id=self._ingest.pk, now=self._now)
        record_changes([(row, before.values()) for row, before in rows], ingest_id=self._ingest.pk, now=self._now)
        publish_matches(changed, now=self._now)

    def close(self) -> None:
        """Write what is known only after the last round: new names of players, and the planner's statistics."""
        self._details.close()
        if self._is_bulk:
            tables.refresh_statistics(tables.MATCHES, tables.REFS, tables.STATS, tables.ODDS)

    def _insert_matches(self, new: Sequence[Reconciled]) -> None:
        tables.insert_matches(
            ((item.row, item.competition_id) for item in new),
            world=self._ingest.world,
            ingest_id=self._ingest.pk,
            now=self._now,
        )
        if len(new) >= MANY and not self._is_bulk:
            self._is_bulk = True
            tables.refresh_statistics(tables.MATCHES)

    def _write_details(self, new: Sequence[Reconciled], old: Sequence[Reconciled]) -> set[int]:
        """Write line-ups, incidents and absences; return the matches of which one changed."""
        found = [(item.row.id, item.record.details) for item in (*new, *old) if item.record.details is not None]
        if not found:
            return set()
        changed = self._details.store(found, empty={item.row.id for item in new})
        # Features read line-ups as they read statistics.
        with_lineups = {match_id for match_id, details in found if details.lineups} & changed
        tables.mark_changed(with_lineups, ingest_id=self._ingest.pk, now=self._now)
        return changed


def _stats_rows(items: Iterable[Reconciled]) -> Iterator[tuple[Any, ...]]:
    for item in items:
        stats = item.record.stats
        if stats is not None and stats != NO_STATS:
            yield (item.row.id, *_stats_values(stats))


def _odds_rows(items: Iterable[Reconciled]) -> Iterator[tuple[Any, ...]]:
    """Yield the prices of matches; of two quotes of one bookmaker at one moment the later counts."""
    for item in items:
        if not item.record.odds:
            continue
        by_key = {(quote.bookmaker, quote.moment): quote for quote in item.record.odds}
        for quote in by_key.values():
            yield (item.row.id, *_odds_values(quote))
