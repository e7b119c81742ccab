"""Whether a source writes its kick-off times in the zone that was assumed: checked against a more trusted source.

A volunteer's file may be off by an hour for a whole season. Where a more trusted source knows some matches of the
season, most of which differ by the same number of minutes, all times of the less trusted source in that season are
moved by it. Where most differ, but not by the same, its times are not used: they count as dates.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, time, timedelta
from typing import Final

from apps.matches.ingest.identity import SAME_DAY, days_apart
from apps.matches.ingest.items import Identified, Reconciled
from apps.matches.ingest.rows import MatchRow
from apps.matches.records import KickoffPrecision, MatchRecord, result_known_at
from apps.matches.trust import outranks

FEWEST: Final = 3
"""Matches that differ alike, or of which most differ, from which a clock is off: two may have been moved by chance."""

NO_SHIFT: Final = timedelta()


@dataclass(frozen=True, slots=True)
class _Clock:
    """What is to be done to the times of a source in a season: a shift, or None where they cannot be used."""

    shift: timedelta | None
    trusted: str

    def corrected(self, at: datetime, precision: str) -> tuple[datetime, KickoffPrecision]:
        """Return a kick-off and its precision as they are to be stored."""
        if precision == KickoffPrecision.DATE:
            return at, KickoffPrecision.DATE
        if self.shift is None:
            return datetime.combine(at.date(), time(), tzinfo=UTC), KickoffPrecision.DATE
        return at + self.shift, KickoffPrecision.MINUTE

    def __str__(self) -> str:
        if self.shift is None:
            return f"times left out, since most of them differ from those of {self.trusted}"
        minutes = int(self.shift.total_seconds() / 60)
        direction = "later" if minutes > 0 else "earlier"
        return f"times moved {abs(minutes)} minutes {direction}, as {self.trusted} has most of them"


class Clocks:
    """The clocks of the sources in each season, during one ingest."""

    def __init__(self, *, source: str) -> None:
        self._source = source
        self._shifts: dict[tuple[int, str], Counter[timedelta]] = defaultdict(Counter)
        self._trusted: dict[tuple[int, str], str] = {}
        self._off: dict[tuple[int, str], _Clock] = {}
        self._settled: set[int] = set()

    def correct(self, items: Sequence[Identified]) -> tuple[Sequence[Identified], dict[int, str]]:
        """Return the records with their kick-offs corrected, and a note for each that was, by position."""
        self._compare(items)
        self._off = {key: clock for key in self._shifts if (clock := self._clock(*key)) is not None}
        if not self._off:
            return items, {}
        notes: dict[int, str] = {}
        corrected = []
        for item in items:
            record, clock = item.item.record, self._off.get((item.item.season_id, self._source))
            if clock is not None and record.kickoff_precision == KickoffPrecision.MINUTE:
                notes[item.item.position] = str(clock)
                item = item.with_record(_corrected(record, clock))
            corrected.append(item)
        return corrected, notes

    def outdated(
        self, rows: Iterable[MatchRow], items: Sequence[Reconciled]
    ) -> Iterator[tuple[MatchRow, MatchRow, str]]:
        """Yield stored matches of less trusted sources whose times are off: as they are to be, as they are, and a note.

        Matches that the round itself reports are left out, and so are those that an earlier round has moved.
        """
        if not self._off:
            return
        self._settled.update(item.row.id for item in items)
        for row in rows:
            clock = self._off.get((row.season_id, row.kickoff_source))
            if clock is None or row.id in self._settled or row.kickoff_source == self._source:
                continue
            at, precision = clock.corrected(row.kickoff_at, row.kickoff_precision)
            if (at, precision) == (row.kickoff_at, row.kickoff_precision):
                continue
            self._settled.add(row.id)
            moved = MatchRow(*row.values())
            moved.kickoff_at, moved.kickoff_precision = at, precision
            if moved.finished_at is not None and moved.finished_at <= at:
                moved.finished_at = None
            if moved.home_goals is not None:
                moved.known_at = result_known_at(at, precision, moved.finished_at)
            yield moved, row, f"{row.kickoff_source}: {clock}"

    def _compare(self, items: Sequence[Identified]) -> None:
        """Count by how much the two sources of a match differ, the less trusted of which is off."""
        for item, row in items:
            if row is None or not row.kickoff_source or row.kickoff_source == self._source:
                continue
            record = item.record
            if KickoffPrecision.DATE in (record.kickoff_precision, row.kickoff_precision):
                continue
            if days_apart(record.kickoff_at, row.kickoff_at) > SAME_DAY:
                continue
            shift = row.kickoff_at - record.kickoff_at
            if outranks(row.kickoff_source, self._source):
                key, trusted = (item.season_id, self._source), row.kickoff_source
            elif outranks(self._source, row.kickoff_source):
                key, trusted, shift = (item.season_id, row.kickoff_source), self._source, -shift
            else:
                continue
            self._shifts[key][shift] += 1
            self._trusted[key] = trusted

    def _clock(self, season_id: int, source: str) -> _Clock | None:
        """Return how to correct a source in a season; None where its times are right, or too few are known."""
        shifts, trusted = self._shifts[season_id, source], self._trusted[season_id, source]
        if (known := shifts.total()) < FEWEST:
            return None
        shift, count = shifts.most_common(1)[0]
        if 2 * count > known and count >= FEWEST:
            return _Clock(shift, trusted) if shift != NO_SHIFT else None
        return _Clock(None, trusted) if 2 * shifts[NO_SHIFT] < known else None


def _corrected(record: MatchRecord, clock: _Clock) -> MatchRecord:
    at, precision = clock.corrected(record.kickoff_at, record.kickoff_precision)
    return replace(record, kickoff_at=at, kickoff_precision=precision)
