"""The one way by which matches enter: records in, rows that differ written, an account of what happened out."""

from __future__ import annotations

import gc
import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from types import TracebackType
from typing import Any, Final, Self

from django.db import transaction

from apps.matches.events import start_tasks_after_commit
from apps.matches.models import Ingest, World
from apps.matches.records import CompetitionKey, MatchRecord, OddsRecord, StatsRecord
from apps.matches.services import tables
from apps.matches.services.changes import keep_history, publish_matches
from apps.matches.services.contradictions import Contradictions, StandingResult
from apps.matches.services.drafts import Draft, Finder, rounds
from apps.matches.services.match_details import DetailsWriter
from apps.matches.services.names import Aliases, NameConflictError, Names, WorldConflictError
from apps.matches.services.report import Batch, BatchOutcome, IngestReport, RecordOutcome, Refusal
from apps.matches.services.rows import ContradictionError, MatchRow, merge, new_row, only_source_differs
from apps.matches.services.validation import rejection_reason

BATCH: Final = 10_000
"""Records that are stored at a time; a batch is cut where a season ends."""

LARGEST_BATCH: Final = 4 * BATCH

MANY: Final = 1_000
"""New matches in one batch from which the planner is told of them at once."""

REFUSALS_KEPT: Final = 100


def ingest(
    records: Iterable[MatchRecord], *, source: str, now: datetime, aliases: Aliases = lambda region: {}
) -> IngestReport:
    """Store what a source tells, in one transaction.

    Names become competitions, seasons and teams (`names.Names`), records find their matches (`identity`), and only
    what differs is written. What a record does not tell never erases what is known, and "scheduled" does not undo a
    result (`rows.merge`); line-ups, incidents and absences replace what the source told of them before
    (`match_details.DetailsWriter`). Every change of a stored result, kick-off or status is kept as `MatchChange`, and

    Parameters
    ----------
    records : iterable of MatchRecord
        Taken in batches, so that it may be longer than memory; all of one world.
    source : str
        Name of the source, at most 40 characters.
    now : datetime
        Aware.
    aliases : callable, optional
        Gives for a region the names that mean a team of another name.

    Returns
    -------
    IngestReport
        Counts of records, and every refused one with its reason.

    Raises
    ------
    WorldConflictError
        When simulated and real competitions are mixed; nothing is stored.
    """
    with Ingestion(source=source, now=now, aliases=aliases) as run:
        for batch in batches(records):
            run.store(batch)
    return run.report()


def batches(records: Iterable[MatchRecord]) -> Iterator[list[MatchRecord]]:
    """Cut records into batches that end where a season ends, as long as none grows beyond `LARGEST_BATCH`."""
    batch: list[MatchRecord] = []
    season: tuple[CompetitionKey, str] | None = None
    for record in records:
        if len(batch) >= BATCH and ((record.competition, record.season) != season or len(batch) >= LARGEST_BATCH):
            yield batch
            batch = []
        season = (record.competition, record.season)
        batch.append(record)
    if batch:
        yield batch


class Ingestion:
    """One ingest, as a context manager: `store` any number of batches, then ask for the `report`.

    An exception within rolls everything back. See `ingest` for what it promises.
    """

    def __init__(self, *, source: str, now: datetime, aliases: Aliases = lambda region: {}) -> None:
        if not source or len(source) > 40:
            raise ValueError(f"source {source!r} must have 1 to 40 characters")
        self.source = source
        self.now = now.astimezone(UTC)
        self._aliases = aliases
        self._began = time.perf_counter()
        self._seconds = 0.0
        self._counts = [0, 0, 0, 0]
        self._refusals: list[Refusal] = []
        self._row: Ingest | None = None
        self._is_simulated: bool | None = None
        self._is_bulk = False
        self._competition_ids: dict[CompetitionKey, int] = {}
        self._finder = Finder(source=source, now=self.now)
        self._details = DetailsWriter(source)
        self._contradictions = Contradictions(self.now)
        self._stack = ExitStack()

    def __enter__(self) -> Self:
        # Nobody calls `__exit__` when this raises: what was entered by then must be left here.
        with ExitStack() as stack:
            stack.enter_context(transaction.atomic())
            tables.lock()
            self._began = time.perf_counter()
            self._names = Names(source=self.source, aliases=self._aliases, now=self.now)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        if kind is None:
            try:
                self._close()
            except BaseException as failure:
                self._stack.__exit__(type(failure), failure, failure.__traceback__)
                raise
        self._stack.__exit__(kind, error, traceback)
        self._seconds = time.perf_counter() - self._began

    def report(self) -> IngestReport:
        """Return the account of the whole ingest."""
        return IngestReport(
            ingest_id=self._row.pk if self._row else None,
            created=self._counts[RecordOutcome.CREATED],
            changed=self._counts[RecordOutcome.CHANGED],
            same=self._counts[RecordOutcome.SAME],
            refused=self._counts[RecordOutcome.REFUSED],
            refusals=tuple(self._refusals),
            seconds=self._seconds,
        )

    def store(self, records: Sequence[MatchRecord]) -> BatchOutcome:
        """Store a batch of records; return what became of each.

        Records of one season should come in one batch: a pair's meetings are told apart with all of them in sight.
        """
        batch = Batch([RecordOutcome.SAME] * len(records))
        with _uncollected():
            drafts = self._resolve(records, batch)
            for round_of_drafts in rounds(drafts, batch, source=self.source):
                self._store_round(round_of_drafts, batch)
        for outcome in batch.outcomes:
            self._counts[outcome] += 1
        self._refusals += [batch.refused[index] for index in sorted(batch.refused)]
        return BatchOutcome(batch.outcomes, batch.refused)

    def refuse(self, record: str, reason: str) -> None:
        """Count a row that its source could not turn into a record, so that the account is whole."""
        self._counts[RecordOutcome.REFUSED] += 1
        self._refusals.append(Refusal.of(record, reason))

    # ── From names to rows ───────────────────────────────────────────────────────────────────────────────────────────
    def _resolve(self, records: Sequence[MatchRecord], batch: Batch) -> list[Draft]:
        names = self._names
        drafts = []
        for index, record in enumerate(records):
            reason = rejection_reason(record, self.now)
            if reason:
                batch.refuse(index, record, reason)
                continue
            competition = record.competition
            competition_id = self._competition_ids.get(competition)
            if competition_id is None:
                competition_id = self._admit(competition)
            region, is_simulated = competition.region, competition.is_simulated
            try:
                home_id = names.team(
                    record.home_region or region, record.home_team, record.home_team_id, is_simulated=is_simulated
                )
                away_id = names.team(
                    record.away_region or region, record.away_team, record.away_team_id, is_simulated=is_simulated
                )
            except NameConflictError as error:
                batch.refuse(index, record, str(error))
                continue
            if home_id == away_id:
                batch.refuse(index, record, "both names stand for one team")
                continue
            season_id = names.season(competition_id, record.season)
            drafts.append(Draft(index, record, competition_id, season_id, home_id, away_id))
        return drafts

    def _admit(self, key: CompetitionKey) -> int:
        """Return the id of a competition that this ingest has not met before, if it belongs to its world."""
        if self._is_simulated is None:
            self._is_simulated = key.is_simulated
        if key.is_simulated != self._is_simulated:
            raise WorldConflictError(
                f"{key.region}: {key.name} and what came before it belong to different worlds; "
                "simulated and real competitions enter by separate inputs"
            )
        competition_id = self._names.competition(key).pk
        self._competition_ids[key] = competition_id
        if self._row is None:
            self._row = Ingest.objects.create(
                world=World.SANDBOX if key.is_simulated else World.REAL, source=self.source, started_at=self.now
            )
        return competition_id

    # ── From rows to what is written ─────────────────────────────────────────────────────────────────────────────────
    def _store_round(self, drafts: list[Draft], batch: Batch) -> None:
        if not drafts:
            return
        season_ids = {draft.season_id for draft in drafts}
        stored: dict[tuple[int, int, int], list[MatchRow]] = defaultdict(list)
        by_id: dict[int, MatchRow] = {}
        for row in tables.load_matches(season_ids):
            stored[row.season_id, row.home_team_id, row.away_team_id].append(row)
            by_id[row.id] = row
        source_ids = [draft.record.source_id for draft in drafts if draft.record.source_id]
        refs = tables.load_refs(self.source, source_ids, season_ids) if source_ids else {}
        self._finder.find(drafts, batch, stored=stored, by_id=by_id, refs=refs)
        drafts = [draft for draft in drafts if batch.outcomes[draft.index] != RecordOutcome.REFUSED]
        self._make_new_rows([draft for draft in drafts if draft.is_new], stored)
        changes = self._merge([draft for draft in drafts if not draft.is_new], batch)
        drafts = [draft for draft in drafts if batch.outcomes[draft.index] != RecordOutcome.REFUSED]
        for draft in drafts:
            assert draft.row is not None
            self._finder.note(draft.record, draft.row)
        self._write(drafts, changes, refs, batch)

    def _make_new_rows(self, drafts: list[Draft], stored: dict[tuple[int, int, int], list[MatchRow]]) -> None:
        drafts.sort(key=lambda draft: (draft.record.kickoff_at, draft.index))
        occurrences: dict[tuple[int, int, int], int] = {}
        for draft, row_id in zip(drafts, tables.next_ids(tables.MATCHES, len(drafts)), strict=True):
            pair = draft.pair
            latest = occurrences.get(pair)
            if latest is None:
                latest = max((row.occurrence for row in stored.get(pair, ())), default=0)
            occurrences[pair] = latest + 1
            draft.row = new_row(
                draft.record,
                row_id=row_id,
                season_id=draft.season_id,
                stage_id=self._stage(draft),
                home_team_id=draft.home_team_id,
                away_team_id=draft.away_team_id,
                occurrence=latest + 1,
                source=self.source,
            )

    def _stage(self, draft: Draft) -> int | None:
        return self._names.stage(draft.season_id, draft.record.stage) if draft.record.stage else None

    def _merge(self, drafts: list[Draft], batch: Batch) -> list[tuple[MatchRow, tuple[Any, ...]]]:
        """Change stored rows to what the drafts tell; return those that changed, with their values before."""
        changes = []
        for draft in drafts:
            row = draft.row
            assert row is not None
            before, standing = row.values(), StandingResult.of(row)
            try:
                merge(row, draft.record, stage_id=self._stage(draft), source=self.source)
            except ContradictionError as error:
                batch.refuse(draft.index, draft.record, str(error))
                self._contradictions.refused(row, draft.record, source=self.source)
                continue
            self._contradictions.accepted(row, draft.record, source=self.source, before=standing)
            if row.values() != before:
                changes.append((row, before))
                batch.outcomes[draft.index] = RecordOutcome.CHANGED
        return changes

    def _write(
        self,
        drafts: list[Draft],
        changes: list[tuple[MatchRow, tuple[Any, ...]]],
        refs: dict[str, int],
        batch: Batch,
    ) -> None:
        assert self._row is not None
        ingest_id = self._row.pk
        new = [draft for draft in drafts if draft.is_new]
        old = [draft for draft in drafts if not draft.is_new]
        for draft in new:
            batch.outcomes[draft.index] = RecordOutcome.CREATED
        tables.insert_matches(
            [(_row(draft), draft.competition_id) for draft in new],
            world=self._row.world,
            ingest_id=ingest_id,
            now=self.now,
        )
        if len(new) >= MANY and not self._is_bulk:
            self._is_bulk = True
            tables.refresh_statistics(tables.MATCHES)
        # Who has observed a match need not look again when nothing but the source of its result is another one.
        tables.set_result_source(
            [row.id for row, before in changes if only_source_differs(row, before)], self.source, self.now
        )
        changes = [(row, before) for row, before in changes if not only_source_differs(row, before)]
        tables.update_matches([row for row, _ in changes], ingest_id=ingest_id, now=self.now)
        keep_history(changes, ingest_id=ingest_id, now=self.now)
        self._contradictions.store(ingest_id=ingest_id)
        tables.insert_refs(
            (_row(draft).id, self.source, draft.record.source_id)
            for draft in drafts
            if draft.record.source_id and draft.record.source_id not in refs
        )
        tables.insert_stats(_stats_rows(new))
        tables.insert_odds(_odds_rows(new))
        counted = tables.upsert_stats(list(_stats_rows(old)))
        # Features read statistics: who has observed the match must learn that it is another one now.
        tables.mark_changed(counted, ingest_id=ingest_id, now=self.now)
        touched = counted | tables.upsert_odds(list(_odds_rows(old))) | self._store_details(new, old, ingest_id)
        for draft in old:
            if _row(draft).id in touched:
                batch.outcomes[draft.index] = RecordOutcome.CHANGED
        publish_matches([_row(draft) for draft in new] + [row for row, _ in changes], now=self.now)

    def _store_details(self, new: list[Draft], old: list[Draft], ingest_id: int) -> set[int]:
        """Store the people of matches; return the matches whose details changed."""
        told = [(_row(draft).id, draft.record.details) for draft in (*new, *old) if draft.record.details is not None]
        if not told:
            return set()
        changed = self._details.store(told, empty={_row(draft).id for draft in new})
        # Features read line-ups as they read statistics.
        with_lineups = {match_id for match_id, details in told if details.lineups} & changed
        tables.mark_changed(with_lineups, ingest_id=ingest_id, now=self.now)
        return changed

    def _close(self) -> None:
        if self._row is None:
            return
        self._details.close()
        report = self.report()
        self._row.created, self._row.changed = report.created, report.changed
        self._row.same, self._row.refused = report.same, report.refused
        self._row.refusals = [
            {"record": refusal.record, "reason": refusal.reason} for refusal in report.refusals[:REFUSALS_KEPT]
        ]
        self._row.changed_facts = report.changed_facts
        self._row.finished_at = self.now + timedelta(seconds=time.perf_counter() - self._began)
        self._row.save()
        if self._is_bulk:
            tables.refresh_statistics(tables.MATCHES, tables.REFS, tables.STATS, tables.ODDS)
        if report.changed_facts:
            start_tasks_after_commit("facts_changed")


@contextmanager
def _uncollected() -> Iterator[None]:
    """Let no search for cycles begin: among so many rows, of which none is in one, it took a quarter of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


_stats_values: Final = attrgetter(*tables.STATS_COLUMNS[1:])
_odds_values: Final = attrgetter(*tables.ODDS_COLUMNS[1:])
_NO_STATS: Final = StatsRecord()


def _row(draft: Draft) -> MatchRow:
    assert draft.row is not None
    return draft.row


def _stats_rows(drafts: Iterable[Draft]) -> Iterator[tuple[Any, ...]]:
    for draft in drafts:
        stats = draft.record.stats
        if stats is not None and stats != _NO_STATS:
            yield (_row(draft).id, *_stats_values(stats))


def _odds_rows(drafts: Iterable[Draft]) -> Iterator[tuple[Any, ...]]:
    """Yield the prices of drafts; of two quotes of one bookmaker at one moment the later wins."""
    for draft in drafts:
        odds: Iterable[OddsRecord] = draft.record.odds
        if not odds:
            continue
        by_key = {(quote.bookmaker, quote.moment): quote for quote in odds}
        match_id = _row(draft).id
        for quote in by_key.values():
            yield (match_id, *_odds_values(quote))
