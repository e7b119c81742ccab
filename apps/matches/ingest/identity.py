"""Which stored match a record describes.

A record with an id that its source used before describes the same match as then. Every other record is compared with
the stored matches of the same season, home team and away team. A stored match that one record has taken is no candidate
for another, nor is a match to which the source has given another id. Whether two dates are one match or two meetings
depends on the format of the season (`formats`): in most leagues a pair meets once at each ground. The records of one
pair are settled together, the surest first:

1. **Same day.** Not more than one day apart: sources differ by a day where one writes local dates, the other UTC. In
   thirty years of results the same pair never met twice at one ground within three days.
2. **Moved.** A stored match that was not played takes the nearest record that is left, however many weeks away; but
   where pairs meet more than once, a record is another meeting when it lies more than 30 days earlier, or when neither
   has been played, the stored kick-off is still to come and they are more than 30 days apart. The nearest must be at
   least twice as near as the next nearest, else it is in doubt.
3. **Played on another day.** A stored match that was played, awarded or abandoned is another meeting, unless
   - a result two days away has the same goals: one source has the wrong date, and it is the same match. Where one of
     the two is a source whose days may be wrong (`trust.UNDATED`) and pairs of this season meet once, any number of
     days is that near;
   - a result two days away has other goals: it is in doubt;
   - a result at most ten days away has the same goals, or any goals where pairs of this season meet once: it is in
     doubt. One date may be wrong, or one result;
   - a result further away has the same goals although pairs are not known to meet more than once: it is in doubt;
   - the record has no result: when it kicks off in the future after the played one it is another meeting, and so is
     one more than 30 days after it where pairs meet more than once; else it is a stale list that contains the played
     one, or is in doubt where pairs meet more than once.
   The replay of an abandoned match is another meeting, and so is an abandoned match that is reported after its replay,
   and a match of another stage, such as a play-off.

One input may report a match on two days: as a fixture in one file and with its result in another. Where a pair meets
once, the two are one match; where it meets more than once, they are one match when the fixture is past and the result
at most 30 days away. Two fixtures to come more than 30 days apart are two meetings, and so are two results of one
input, but for those in doubt.

What is in doubt is refused with its reason, never merged.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Container, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from apps.matches.ingest.rows import PLAYED, RESULTS, MatchRow, results_differ
from apps.matches.records import MatchRecord, MatchStatus
from apps.matches.trust import is_undated

SAME_DAY: Final = 1
"""Days between two dates that are still the same match."""

WRONG_DATE: Final = 2
"""Days between two dates of which one may be an error."""

CLOSE: Final = 10
"""Days within which one pair hardly plays twice at one ground: 30 of 277,625 results, none of them in a season whose
other pairs meet once."""

MOVE: Final = 30
"""Days beyond which an unplayed match of a pair that meets more than once is rather another meeting."""

_PLAY_OFFS: Final = re.compile(
    r"play.?offs?|finals?\b|knock.?out|replay|relegation|promotion|tie.?break|barrage|aufstieg|abstieg|1/\d",
    re.IGNORECASE,
)
"""In the name of a stage or round that is played after the regular season."""


@dataclass(frozen=True, slots=True)
class UnclearMatch:
    """A record that may or may not describe a stored match; `contradicts` is that match where the results differ."""

    reason: str
    contradicts: MatchRow | None = None


CONTRARY: Final = "the same match comes earlier in this input with another result"

NEW: Final = None
"""The answer for a record of a match that is not stored."""

Answer = MatchRow | UnclearMatch | None


class Formats(NamedTuple):
    """Whether pairs meet more than once at one ground: by this season, and by the season before too.

    `pair_repeats` is whether two matches of the pair in question are stored.
    """

    repeats_this_season: Callable[[], bool]
    repeats: Callable[[], bool]
    pair_repeats: bool

    def input_repeats(self) -> bool:
        """Whether two days of the pair within one input are two meetings."""
        return self.pair_repeats or self.repeats()


@dataclass(frozen=True, slots=True)
class _Context:
    """What the records of one pair are weighed with."""

    formats: Formats
    now: datetime
    source: str
    reported: Container[int]
    stage_of: Callable[[MatchRow], str]

    def is_other_stage(self, record: MatchRecord, row: MatchRow) -> bool:
        """Whether both are of stages with different names, or one and not the other belongs to play-offs.

        A source that knows no stages leaves them out, so that no stage may be any part of the regular season.
        """
        stage = self.stage_of(row)
        differ = bool(record.stage and stage) and record.stage.casefold() != stage.casefold()
        return differ or _is_play_off(record.stage, record.round) != _is_play_off(stage, row.round)

    def has_wrong_day(self, record: MatchRecord, row: MatchRow) -> bool:
        """Whether one of two days is from a source whose days may be wrong, so that they do not make two meetings."""
        undated = is_undated(self.source) or is_undated(row.kickoff_source or row.result_source)
        return undated and not (self.is_other_stage(record, row) or self.formats.repeats())


def _is_play_off(stage: str, round_: str) -> bool:
    return bool(_PLAY_OFFS.search(f"{stage} {round_}"))


def identify(
    records: Sequence[MatchRecord],
    stored: Sequence[MatchRow],
    *,
    formats: Formats,
    now: datetime,
    source: str = "",
    reported: Container[int] = (),
    stage_of: Callable[[MatchRow], str] = lambda row: "",
) -> list[Answer]:
    """Return the stored match of each record of one pair, `NEW` where there is none, or a doubt.

    Parameters
    ----------
    records : sequence of MatchRecord
        Of one season, home team and away team, each on another day.
    stored : sequence of MatchRow
        The candidates: of the same season and teams, not taken by another record.
    formats : Formats
        Called only when it matters.
    source : str
        The source of the records.
    reported : container of int
        Ids of the candidates that the same input has reported before, on another day.
    stage_of : callable
        The name of a candidate's stage; empty without one.
    """
    context = _Context(formats, now, source, reported, stage_of)
    answers: list[Answer] = [NEW] * len(records)
    free = list(stored)
    waiting = _same_day(records, free, answers, context)
    if free and waiting:
        waiting = _moved(records, waiting, free, answers, context)
    if free and waiting:
        _played(records, waiting, free, answers, context)
    return answers


def days_apart(one: datetime, other: datetime) -> int:
    """Return the number of days between two dates."""
    return abs(one.toordinal() - other.toordinal())


def _same_day(
    records: Sequence[MatchRecord], free: list[MatchRow], answers: list[Answer], context: _Context
) -> list[int]:
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
            answers[index] = UnclearMatch("two stored matches of these teams lie equally near")
            continue
        row = by_id.pop(row_id)
        is_contrary = row_id in context.reported and results_differ(records[index], row)
        answers[index] = UnclearMatch(CONTRARY) if is_contrary else row
    free[:] = by_id.values()
    return [index for index in range(len(records)) if index not in settled]


def _moved(
    records: Sequence[MatchRecord], waiting: list[int], free: list[MatchRow], answers: list[Answer], context: _Context
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
            if _may_have_moved(record, row, context)
        )
        if not candidates:
            left.append(index)
        elif len(candidates) > 1 and candidates[1][0] < 2 * candidates[0][0]:
            answers[index] = UnclearMatch("it may be either of two unplayed matches of these teams")
        else:
            answers[index] = candidates[0][2]
            free.remove(candidates[0][2])
    return sorted(left)


def stored_unplayed(rows: Sequence[MatchRow]) -> list[MatchRow]:
    """Return the matches that were not played, or not to an end that counts."""
    return [row for row in rows if row.status not in PLAYED]


def is_stale(fixture: MatchRecord | MatchRow, result: MatchRecord | MatchRow, *, now: datetime) -> bool:
    """Whether a fixture of the past is the one whose result follows, or came, at most 30 days apart."""
    return fixture.kickoff_at <= now and days_apart(fixture.kickoff_at, result.kickoff_at) <= MOVE


def _may_have_moved(record: MatchRecord, row: MatchRow, context: _Context) -> bool:
    if context.is_other_stage(record, row):
        return False
    if row.id in context.reported:
        return _is_same_in_input(record, row, context)
    limit = timedelta(days=MOVE)
    is_much_earlier = record.kickoff_at < row.kickoff_at - limit
    both_to_come = (
        record.status not in PLAYED and row.kickoff_at > context.now and abs(record.kickoff_at - row.kickoff_at) > limit
    )
    return not ((is_much_earlier or both_to_come) and context.formats.repeats())


def _is_same_in_input(record: MatchRecord, row: MatchRow, context: _Context) -> bool:
    """Whether a record and an unplayed match that its own input has reported on another day are one."""
    if record.status in PLAYED:
        return is_stale(row, record, now=context.now) or not context.formats.input_repeats()
    both_to_come = min(record.kickoff_at, row.kickoff_at) > context.now
    is_near = days_apart(record.kickoff_at, row.kickoff_at) <= MOVE
    return (is_near or not both_to_come) and not context.formats.input_repeats()


def _played(
    records: Sequence[MatchRecord], waiting: list[int], free: list[MatchRow], answers: list[Answer], context: _Context
) -> None:
    for index in waiting:
        played = [row for row in free if row.status in PLAYED]
        if not played:
            return
        row = min(played, key=lambda row: (abs(records[index].kickoff_at - row.kickoff_at), row.id))
        answer = _against_played(records[index], row, context)
        answers[index] = answer
        if isinstance(answer, MatchRow):
            free.remove(answer)


def _against_played(record: MatchRecord, row: MatchRow, context: _Context) -> Answer:
    if MatchStatus.ABANDONED in (record.status, row.status) and record.status in PLAYED:
        return NEW
    if record.status in RESULTS:
        return _result_against_played(record, row, context)
    if context.is_other_stage(record, row):
        return NEW
    formats, days = context.formats, days_apart(record.kickoff_at, row.kickoff_at)
    if record.kickoff_at > max(row.kickoff_at, context.now) and (days > MOVE or formats.repeats()):
        return NEW
    if not formats.repeats():
        return row
    if record.kickoff_at > row.kickoff_at and days > MOVE:
        # As where the two are stored in the other order, see `_may_have_moved`.
        return NEW
    if row.id in context.reported:
        return row if is_stale(record, row, now=context.now) else NEW
    return UnclearMatch(f"it has no result, and may be another meeting or {_match_of(row)}")


def _result_against_played(record: MatchRecord, row: MatchRow, context: _Context) -> Answer:
    days = days_apart(record.kickoff_at, row.kickoff_at)
    differ, is_reported = results_differ(record, row), row.id in context.reported
    if not differ and not is_reported and (days <= WRONG_DATE or context.has_wrong_day(record, row)):
        return row
    if days <= WRONG_DATE and not is_reported:
        return UnclearMatch(f"{_match_of(row)} is {days} days away and has another result", row)
    if days > CLOSE:
        is_doubtful = not (differ or is_reported or context.is_other_stage(record, row) or context.formats.repeats())
        known = "these teams are not known to meet twice at one ground"
        return UnclearMatch(f"{_match_of(row)} has the same result, and {known}") if is_doubtful else NEW
    if (differ or is_reported) and (context.is_other_stage(record, row) or context.formats.repeats_this_season()):
        return NEW
    result = "another" if differ else "the same"
    return UnclearMatch(
        f"{_match_of(row)}, {days} days away, has {result} result; one of them is wrong", row if differ else None
    )


def _match_of(row: MatchRow) -> str:
    return f"the same teams' match of {row.kickoff_at:%Y-%m-%d}"
