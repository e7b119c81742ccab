"""Which stored match a record describes.

A record with an id that its source used before describes the same match as then. Every other record is compared with
the stored matches of the same season, home team and away team. One input reports each match once, so that two of its
records of one pair on different days are two meetings, and a stored match that one record has taken is no candidate for
another; nor is a match to which the source has given another id. The records of one pair are settled together,
the surest first:

1. **Same day.** Not more than one day apart: sources differ by a day where one writes local dates, the other UTC. In
   thirty years of results the same pair never met twice at one ground within three days.
2. **Moved.** A stored match that was not played takes the nearest record that is left, however many weeks away; but
   where a competition is known to pair teams more than once, a record is another meeting when it lies more than 30 days
   earlier, or when neither has been played, the stored kick-off is still to come and they are more than 30 days apart.
   The nearest must be at least twice as near as the next nearest, else it is in doubt.
3. **Played on another day.** A stored match that was played, awarded or abandoned is another meeting, unless
   - a result two days away has the same goals: one source has the wrong date, and it is the same match;
   - a result two days away has other goals, or a result further away has the same ones although the competition is
     not known to pair teams more than once: it is in doubt;
   - the record has no result: when it kicks off in the future after the played one it is another meeting; else it is a
     stale list that contains the played one, or is in doubt where pairs meet more than once.
   The replay of an abandoned match is another meeting, and so is an abandoned match that is reported after its replay.

What is in doubt is refused with its reason, never merged.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from apps.matches.ingest.rows import PLAYED, RESULTS, MatchRow
from apps.matches.records import MatchRecord, MatchStatus

SAME_DAY: Final = 1
"""Days between two dates that are still the same match."""

WRONG_DATE: Final = 2
"""Days between two dates of which one may be an error."""

MOVE: Final = 30
"""Days beyond which an unplayed match of a pair that meets more than once is rather another meeting."""


@dataclass(frozen=True, slots=True)
class Doubt:
    """A record that may or may not describe a stored match."""

    reason: str


NEW: Final = None
"""The answer for a record of a match that is not stored."""

Answer = MatchRow | Doubt | None


def identify(
    records: Sequence[MatchRecord], stored: Sequence[MatchRow], *, repeats: Callable[[], bool], now: datetime
) -> list[Answer]:
    """Return the stored match of each record of one pair, `NEW` where there is none, or a doubt.

    Parameters
    ----------
    records : sequence of MatchRecord
        Of one season, home team and away team, each on another day.
    stored : sequence of MatchRow
        The candidates: of the same season and teams, not taken by another record.
    repeats : callable
        Whether teams of the competition meet more than once at one ground in a season; called only when it matters.
    """
    answers: list[Answer] = [NEW] * len(records)
    free = list(stored)
    waiting = _same_day(records, free, answers)
    if free and waiting:
        waiting = _moved(records, waiting, free, answers, repeats=repeats, now=now)
    if free and waiting:
        _played(records, waiting, free, answers, repeats=repeats, now=now)
    return answers


def days_apart(one: datetime, other: datetime) -> int:
    """Return the number of days between two dates."""
    return abs(one.toordinal() - other.toordinal())


def _same_day(records: Sequence[MatchRecord], free: list[MatchRow], answers: list[Answer]) -> list[int]:
    pairs = sorted(
        (days, abs(record.kickoff_at - row.kickoff_at), index, row.id)
        for index, record in enumerate(records)
        for row in free
        if (days := days_apart(record.kickoff_at, row.kickoff_at)) <= SAME_DAY
    )
    by_id = {row.id: row for row in free}
    settled: set[int] = set()
    for days, _, index, row_id in pairs:
        if index in settled or row_id not in by_id:
            continue
        settled.add(index)
        equals = [other for other in pairs if other[2] == index and other[0] == days and other[3] in by_id]
        if len(equals) > 1:
            answers[index] = Doubt("two stored matches of these teams lie equally near")
            continue
        answers[index] = by_id.pop(row_id)
    free[:] = by_id.values()
    return [index for index in range(len(records)) if index not in settled]


def _moved(
    records: Sequence[MatchRecord],
    waiting: list[int],
    free: list[MatchRow],
    answers: list[Answer],
    *,
    repeats: Callable[[], bool],
    now: datetime,
) -> list[int]:
    left = []
    nearest_first = sorted(
        waiting,
        key=lambda index: min(abs(records[index].kickoff_at - row.kickoff_at) for row in stored_unplayed(free) or free),
    )
    for index in nearest_first:
        record = records[index]
        candidates = sorted(
            (abs(record.kickoff_at - row.kickoff_at), row.id, row)
            for row in stored_unplayed(free)
            if _may_have_moved(record, row, repeats=repeats, now=now)
        )
        if not candidates:
            left.append(index)
        elif len(candidates) > 1 and candidates[1][0] < 2 * candidates[0][0]:
            answers[index] = Doubt("it may be either of two unplayed matches of these teams")
        else:
            answers[index] = candidates[0][2]
            free.remove(candidates[0][2])
    return sorted(left)


def stored_unplayed(rows: Sequence[MatchRow]) -> list[MatchRow]:
    """Return the matches that were not played, or not to an end that counts."""
    return [row for row in rows if row.status not in PLAYED]


def _may_have_moved(record: MatchRecord, row: MatchRow, *, repeats: Callable[[], bool], now: datetime) -> bool:
    limit = timedelta(days=MOVE)
    is_much_earlier = record.kickoff_at < row.kickoff_at - limit
    both_to_come = (
        record.status not in PLAYED and row.kickoff_at > now and abs(record.kickoff_at - row.kickoff_at) > limit
    )
    return not ((is_much_earlier or both_to_come) and repeats())


def _played(
    records: Sequence[MatchRecord],
    waiting: list[int],
    free: list[MatchRow],
    answers: list[Answer],
    *,
    repeats: Callable[[], bool],
    now: datetime,
) -> None:
    for index in waiting:
        played = [row for row in free if row.status in PLAYED]
        if not played:
            return
        row = min(played, key=lambda row: (abs(records[index].kickoff_at - row.kickoff_at), row.id))
        answer = _against_played(records[index], row, repeats=repeats, now=now)
        answers[index] = answer
        if isinstance(answer, MatchRow):
            free.remove(answer)


def _against_played(record: MatchRecord, row: MatchRow, *, repeats: Callable[[], bool], now: datetime) -> Answer:
    days = days_apart(record.kickoff_at, row.kickoff_at)
    played_on = f"the same teams' match of {row.kickoff_at:%Y-%m-%d}"
    if MatchStatus.ABANDONED in (record.status, row.status) and record.status in PLAYED:
        return NEW
    if record.status in RESULTS:
        same_goals = (record.home_goals, record.away_goals) == (row.home_goals, row.away_goals)
        if days <= WRONG_DATE:
            return row if same_goals else Doubt(f"{played_on} is {days} days away and has another result")
        if same_goals and not repeats():
            return Doubt(f"{played_on} has the same result, and these teams are not known to meet twice at one ground")
        return NEW
    if record.kickoff_at > max(row.kickoff_at, now):
        return NEW
    if repeats():
        return Doubt(f"it has no result, and may be another meeting or {played_on}")
    return row
