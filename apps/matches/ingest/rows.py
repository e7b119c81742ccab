"""A stored match in memory, and what becomes of it when a source reports it again."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import datetime
from operator import attrgetter
from typing import Any, Final

from apps.matches.records import KickoffPrecision, MatchRecord, MatchStatus, result_known_at
from apps.matches.trust import outranks

RESULTS: Final = frozenset({MatchStatus.FINISHED, MatchStatus.AWARDED})
"""A match of one of these has a result, on the pitch or by verdict."""

PLAYED: Final = RESULTS | {MatchStatus.ABANDONED}
"""A match of one of these is over; its goals are kept. Goals that a source gives with any other status are not."""

OPEN: Final = frozenset({MatchStatus.SCHEDULED, MatchStatus.LIVE, MatchStatus.POSTPONED, MatchStatus.UNKNOWN})
"""What a source that is behind may report of a match that is over."""

GOALS: Final = (
    "home_goals",
    "away_goals",
    "home_goals_half_time",
    "away_goals_half_time",
    "home_goals_extra_time",
    "away_goals_extra_time",
    "home_penalties",
    "away_penalties",
)

SOURCES: Final = ("result_source", "kickoff_source")

HISTORY: Final = ("status", "kickoff_at", "kickoff_precision", "finished_at", *GOALS)
"""A change of one of these is kept as history."""


class ContradictionError(Exception):
    """A source reports another result than the stored one, which is from a source that is trusted as much or more."""


@dataclass(slots=True)
class MatchRow:
    """The columns of a match that sources fill, and those by which the match is identified."""

    id: int
    season_id: int
    stage_id: int | None
    round: str
    home_team_id: int
    away_team_id: int
    occurrence: int
    kickoff_at: datetime
    kickoff_precision: str
    finished_at: datetime | None
    known_at: datetime | None
    status: str
    is_neutral: bool
    result_source: str
    kickoff_source: str
    home_goals: int | None
    away_goals: int | None
    home_goals_half_time: int | None
    away_goals_half_time: int | None
    home_goals_extra_time: int | None
    away_goals_extra_time: int | None
    home_penalties: int | None
    away_penalties: int | None
    revision: int

    def values(self) -> tuple[Any, ...]:
        """Return the values in the order of `COLUMNS`."""
        return _values(self)

    @property
    def result(self) -> tuple[int | None, int | None] | None:
        """The goals that count for forecasts; None when there are none."""
        return (self.home_goals, self.away_goals) if self.status == MatchStatus.FINISHED else None


COLUMNS: Final = tuple(field.name for field in fields(MatchRow))
_values: Final = attrgetter(*COLUMNS)
_goals: Final = attrgetter(*GOALS)


def new_row(
    record: MatchRecord,
    *,
    row_id: int,
    season_id: int,
    stage_id: int | None,
    home_team_id: int,
    away_team_id: int,
    occurrence: int,
    source: str,
) -> MatchRow:
    """Return the row of a match that is not stored yet."""
    goals: tuple[Any, ...] = (None,) * len(GOALS)
    finished_at = known_at = None
    if record.status in PLAYED:
        goals, finished_at, known_at = _goals(record), record.finished_at, record.known_at
    values = (
        row_id,
        season_id,
        stage_id,
        record.round,
        home_team_id,
        away_team_id,
        occurrence,
        record.kickoff_at,
        record.kickoff_precision,
        finished_at,
        known_at,
        record.status,
        record.is_neutral,
        source,
        source,
        *goals,
        1 if record.status == MatchStatus.FINISHED else 0,
    )
    return MatchRow(*values)


def merge(row: MatchRow, record: MatchRecord, *, stage_id: int | None, source: str, now: datetime) -> None:
    """Change a row to what is known now that `source` has reported `record`.

    - What a record leaves out is never erased, and a source that is behind does not undo a result. Only a match that is
      annulled, or will be replayed under its old id, loses its goals; they stay in its history.
    - The source of the stored result (`row.result_source`) alone corrects it or moves a match that was played. It is
      the first source that reported a result, until a more trusted one reports a result too, the same or another one
      (`trust`).
    - Every other source fills what is empty, and gives the minute of the kick-off where only the date was known. Where
      it contradicts the result, its goals and status are left out. So the stored match is the same whichever source
      comes first.

    Raises
    ------
    ContradictionError
        When the record has another result than the stored one and its source is trusted no more than the one that
        reported it. The rest of the record is in the row by then.
    """
    has_result = row.status in RESULTS
    brings_result = record.status in RESULTS and record.home_goals is not None
    takes_over = brings_result and (not has_result or outranks(source, row.result_source))
    owns = takes_over or row.result_source == source
    goals_differ = (record.home_goals, record.away_goals) != (row.home_goals, row.away_goals)
    results_conflict = brings_result and has_result and row.home_goals is not None and goals_differ
    result_before, kickoff_before = row.result, row.kickoff_at
    _merge_kickoff(row, record, source=source, now=now)
    if owns or not results_conflict:
        row.status = _merged_status(row.status, record, kickoff_before, owns=owns)
        if takes_over and row.result_source != source:
            row.kickoff_source = row.kickoff_source or row.result_source
            row.result_source = source
            if results_conflict:
                _clear_goals(row)
        _merge_goals(row, record, owns=owns)
    if record.status in PLAYED and record.finished_at is not None and (owns or row.finished_at is None):
        row.finished_at = record.finished_at
    if row.status not in PLAYED:
        _clear_goals(row)
        row.finished_at = row.known_at = None
    elif row.finished_at is not None and row.finished_at <= row.kickoff_at:
        row.finished_at = None
    if row.home_goals is not None:
        row.known_at = result_known_at(row.kickoff_at, KickoffPrecision(row.kickoff_precision), row.finished_at)
    if record.is_neutral:
        row.is_neutral = True
    if record.round and (owns or not row.round):
        row.round = record.round
    if stage_id is not None and (owns or row.stage_id is None):
        row.stage_id = stage_id
    if row.result != result_before:
        row.revision += 1
    if results_conflict and not owns:
        raise ContradictionError(
            f"{source} reports {record.home_goals}–{record.away_goals}, {row.result_source} has reported "
            f"{row.home_goals}–{row.away_goals}"
        )


def _merge_goals(row: MatchRow, record: MatchRecord, *, owns: bool) -> None:
    if record.status not in PLAYED or _goals(record) == _goals(row):
        return
    if owns and record.home_goals is not None:
        row.home_goals, row.away_goals = record.home_goals, record.away_goals
        drop_impossible(row)
    for name in GOALS:
        goals = getattr(record, name)
        if goals is not None and (owns or getattr(row, name) is None):
            setattr(row, name, goals)


def _clear_goals(row: MatchRow) -> None:
    for name in GOALS:
        setattr(row, name, None)


def only_source_differs(row: MatchRow, before: tuple[Any, ...]) -> bool:
    """Whether a row differs from its values before in nothing but the sources of its result and kick-off."""
    return all(
        column in SOURCES or now == then for column, now, then in zip(COLUMNS, row.values(), before, strict=True)
    )


def results_differ(one: MatchRecord | MatchRow, other: MatchRecord | MatchRow) -> bool:
    """Whether both have a result and it is not the same."""
    return (
        one.status in RESULTS
        and other.status in RESULTS
        and (one.home_goals, one.away_goals) != (other.home_goals, other.away_goals)
    )


def drop_impossible(row: MatchRow) -> None:
    """Take off a row the goals at half time and after extra time that cannot belong to its result."""
    for side in ("home", "away"):
        goals = getattr(row, f"{side}_goals")
        half, extra = getattr(row, f"{side}_goals_half_time"), getattr(row, f"{side}_goals_extra_time")
        if goals is not None and half is not None and half > goals:
            row.home_goals_half_time = row.away_goals_half_time = None
        if goals is not None and extra is not None and extra < goals:
            row.home_goals_extra_time = row.away_goals_extra_time = None


def _merged_status(stored: str, record: MatchRecord, kickoff_before: datetime, *, owns: bool) -> str:
    reported = record.status
    same_day = abs(record.kickoff_at.toordinal() - kickoff_before.toordinal()) <= 1
    is_behind = (
        (stored in RESULTS and (reported in OPEN or not owns))
        or (stored == MatchStatus.ABANDONED and reported in OPEN and same_day)
        or (reported == MatchStatus.UNKNOWN and stored != MatchStatus.SCHEDULED)
        or (reported == MatchStatus.SCHEDULED and stored == MatchStatus.LIVE and record.kickoff_at <= kickoff_before)
        or (reported == MatchStatus.SCHEDULED and stored != MatchStatus.SCHEDULED and same_day and not owns)
    )
    return stored if is_behind else reported


def _merge_kickoff(row: MatchRow, record: MatchRecord, *, source: str, now: datetime) -> None:
    """Take over the kick-off of a record where its source is trusted with it.

    That is the source that gave the stored kick-off, or a more trusted one. Any source gives the minute of a known day,
    and a new day when the stored one has turned out wrong, to which an old list does not move it back. A date does not
    erase the minute of its day, and a fixture list does not move a match that has a result.
    """
    owner = row.kickoff_source or row.result_source
    stated = record.kickoff_at, record.kickoff_precision
    if source == owner and stated == (row.kickoff_at, row.kickoff_precision):
        return
    days = abs(record.kickoff_at.toordinal() - row.kickoff_at.toordinal())
    is_minute, was_minute = (each.kickoff_precision == KickoffPrecision.MINUTE for each in (record, row))
    if days == 0 and is_minute < was_minute:
        return
    if not (days == 0 and is_minute > was_minute):
        if row.status in RESULTS and record.status in OPEN:
            return
        may_move = source == owner or (outranks(source, owner) and not _is_overtaken(row, record, days=days, now=now))
        if not may_move and not _is_outdated(row, record, days=days, now=now):
            return
    if outranks(source, owner) or stated != (row.kickoff_at, row.kickoff_precision):
        row.kickoff_source = source
    row.kickoff_at, row.kickoff_precision = stated


def _is_overtaken(row: MatchRow, record: MatchRecord, *, days: int, now: datetime) -> bool:
    """Whether a fixture of the past is reported of a match that another source has on a later day."""
    return days > 0 and record.status in OPEN and record.kickoff_at < min(row.kickoff_at, now)


def _is_outdated(row: MatchRow, record: MatchRecord, *, days: int, now: datetime) -> bool:
    """Whether a match was not played when it was to be, so that any source knows better than the one that said so."""
    if row.status in PLAYED or days == 0:
        return False
    if record.status in PLAYED:
        return days > 1
    return record.kickoff_at > row.kickoff_at and (row.status == MatchStatus.POSTPONED or row.kickoff_at < now)
