"""`ingest()`: the only way by which matches of sources are stored.

A batch of records goes through five steps, each of which returns what it accepts and what it rejects: `validation`,
`names` (to rows), `identification` (of the stored match), `reconciliation` (with what is stored) and `writing`.
Decision record 0036 gives the reasons.
"""

from __future__ import annotations

import gc
import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from operator import attrgetter
from types import TracebackType
from typing import Final, NamedTuple, Self

from django.db import transaction

from apps.matches.events import start_tasks_after_commit
from apps.matches.ingest import tables
from apps.matches.ingest.clocks import Clocks
from apps.matches.ingest.contradictions import Contradictions
from apps.matches.ingest.identification import Identifier
from apps.matches.ingest.items import Rejected, Resolved
from apps.matches.ingest.names import Aliases, Names
from apps.matches.ingest.reconciliation import reconcile
from apps.matches.ingest.reference import store_known_decisions
from apps.matches.ingest.report import BatchOutcome, IngestReport, RecordOutcome, Refusal, describe
from apps.matches.ingest.rounds import next_round
from apps.matches.ingest.stored import load_stored
from apps.matches.ingest.validation import validate
from apps.matches.ingest.writing import Writer
from apps.matches.models import Ingest, World
from apps.matches.records import CompetitionKey, MatchRecord

BATCH: Final = 10_000
"""Records that are stored at a time; a batch is cut where a season ends."""

LARGEST_BATCH: Final = 4 * BATCH

REFUSALS_KEPT: Final = 100


def ingest(
    records: Iterable[MatchRecord], *, source: str, now: datetime, aliases: Aliases = lambda region: {}
) -> IngestReport:
    """Store the records of a source, in one transaction.

    Only what differs is written. What a record leaves out never erases what is stored, and "scheduled" does not undo a
    result (`rows.merge`); line-ups, incidents and absences replace those that the source reported before
    (`match_details`). Every change of a stored result, kick-off or status is kept as `MatchChange`, and the revision of
    a match counts its results. A second ingest of the same input writes nothing but its own row. One ingest runs at a
    time; others wait.

    Parameters
    ----------
    records : iterable of MatchRecord
        Taken in batches, so that it may be longer than memory; all of one world.
    source : str
        Name of the source, at most 40 characters.
    now : datetime
        Aware.
    aliases : callable, optional
        Returns, for a region, the names that mean a team of another name.

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
        following = (record.competition, record.season)
        if is_full(len(batch), season_ends=following != season):
            yield batch
            batch = []
        season = following
        batch.append(record)
    if batch:
        yield batch


def is_full(size: int, *, season_ends: bool) -> bool:
    """Whether a batch of a size is to be stored before the next record, with which another season may begin."""
    return size >= BATCH and (season_ends or size >= LARGEST_BATCH)


class _RoundOutcome(NamedTuple):
    """What became of the records of a round: outcomes and notes by position, the rejected, and those left for later."""

    outcomes: dict[int, RecordOutcome]
    rejected: list[Rejected]
    later: list[Resolved]
    notes: dict[int, str]


class Ingestion:
    """One ingest, as a context manager: `store` any number of batches, then take the `report`.

    An exception within rolls everything back. `ingest` describes what is stored.
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
        self._notes: Counter[str] = Counter()
        self._row: Ingest | None = None
        self._writer: Writer | None = None
        self._identifier = Identifier(source=source, now=self.now)
        self._clocks = Clocks(source=source)
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
        """Return what the whole ingest has done so far."""
        return IngestReport(
            ingest_id=self._row.pk if self._row else None,
            created=self._counts[RecordOutcome.CREATED],
            changed=self._counts[RecordOutcome.CHANGED],
            same=self._counts[RecordOutcome.SAME],
            refused=self._counts[RecordOutcome.REFUSED],
            refusals=tuple(self._refusals),
            notes=dict(self._notes),
            seconds=self._seconds,
        )

    def store(self, records: Sequence[MatchRecord]) -> BatchOutcome:
        """Store a batch of records; return what became of each.

        Records of one season should come in one batch: all meetings of a pair are compared with each other.
        """
        outcomes = [RecordOutcome.REFUSED] * len(records)
        notes: dict[int, str] = {}
        with _garbage_collection_paused():
            valid, rejected = validate(records, now=self.now)
            waiting, unresolved = self._names.resolve(valid)
            rejected += unresolved
            if self._names.world is not None:
                self._begin()
            self._identifier.learn(waiting)
            while waiting:
                taken, repeated, waiting = next_round(waiting, source=self.source)
                rejected += repeated
                done = self._store_round(taken)
                rejected += done.rejected
                waiting += done.later
                notes |= done.notes
                for position, outcome in done.outcomes.items():
                    outcomes[position] = outcome
        rejected.sort(key=attrgetter("position"))
        for outcome in outcomes:
            self._counts[outcome] += 1
        refusals = {item.position: Refusal.of(describe(item.record), item.reason) for item in rejected}
        self._refusals += refusals.values()
        self._notes.update(notes.values())
        return BatchOutcome(outcomes, refusals, notes)

    def refuse(self, record: str, reason: str) -> None:
        """Count a row that its source could not turn into a record, so that the report is complete."""
        self._counts[RecordOutcome.REFUSED] += 1
        self._refusals.append(Refusal.of(record, reason))

    def _store_round(self, items: Sequence[Resolved]) -> _RoundOutcome:
        stored = load_stored(items, source=self.source)
        identified, unidentified, later = self._identifier.identify(items, stored)
        for doubtful in unidentified:
            if doubtful.contradicts is not None and doubtful.contradicts.result_source != self.source:
                self._contradictions.refused(doubtful.contradicts, doubtful.record, source=self.source)
        on_time, notes = self._clocks.correct(identified)
        reconciled, contradicting, completed = reconcile(
            on_time, stored, names=self._names, contradictions=self._contradictions, source=self.source, now=self.now
        )
        for item in reconciled:
            self._identifier.note(item.record, item.row)
        writer = self._begin()
        outcomes = writer.write(reconciled, known_source_ids=stored.id_by_source_id.keys()) if reconciled else {}
        others = list(self._clocks.outdated(stored.by_id.values(), reconciled))
        writer.correct([*completed, *((row, before) for row, before, _ in others)])
        self._notes.update(f"stored {note}" for _, _, note in others)
        self._contradictions.store(ingest_id=writer.ingest_id)
        return _RoundOutcome(outcomes, unidentified + contradicting, later, notes)

    def _begin(self) -> Writer:
        """Return the writer; the first call stores the row of the ingest, whose world is known by then."""
        if self._writer is None:
            world = self._names.world
            assert world is not None
            self._row = Ingest.objects.create(world=world, source=self.source, started_at=self.now)
            self._writer = Writer(self._row, now=self.now)
        return self._writer

    def _close(self) -> None:
        if self._row is None or self._writer is None:
            return
        report = self.report()
        self._row.created, self._row.changed = report.created, report.changed
        self._row.same, self._row.refused = report.same, report.refused
        self._row.refusals = [
            {"record": refusal.record, "reason": refusal.reason} for refusal in report.refusals[:REFUSALS_KEPT]
        ]
        self._row.changed_facts = report.changed_facts
        if report.changed_facts and self._row.world == World.REAL:
            store_known_decisions(now=self.now)
        self._row.finished_at = self.now + timedelta(seconds=time.perf_counter() - self._began)
        self._row.save()
        self._writer.close()
        if report.changed_facts:
            start_tasks_after_commit("facts_changed")


@contextmanager
def _garbage_collection_paused() -> Iterator[None]:
    """Pause the search for reference cycles: records are in none, and it took a quarter of the time."""
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()
