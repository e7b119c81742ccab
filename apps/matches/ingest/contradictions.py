"""Contradictions: sources that report another result than the stored one. Recorded once, resolved when they agree."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from apps.matches.ingest.rows import RESULTS, MatchRow
from apps.matches.models import Contradiction
from apps.matches.records import MatchRecord
from apps.matches.trust import decision

SEEN_AGAIN: Final = timedelta(days=1)
"""`seen_at` moves at most this often, so that hourly scrape runs write nothing."""

_FACTS: Final = (
    "status",
    "home_goals",
    "away_goals",
    "standing_source",
    "standing_status",
    "standing_home_goals",
    "standing_away_goals",
    "decided_by",
    "resolved_at",
    "resolution",
)


class SourceResult(NamedTuple):
    """A result and its source, as they are stored or as the source reports them."""

    source: str
    status: str
    home_goals: int | None
    away_goals: int | None

    @classmethod
    def of(cls, row: MatchRow) -> SourceResult:
        """Return the result of a stored match."""
        return cls(row.result_source, row.status, row.home_goals, row.away_goals)

    @property
    def is_result(self) -> bool:
        """Whether there is a result at all."""
        return self.status in RESULTS and self.home_goals is not None

    @property
    def goals(self) -> tuple[int | None, int | None]:
        """Goals of home and away."""
        return self.home_goals, self.away_goals

    def contradicts(self, other: SourceResult) -> bool:
        """Whether both are results, with different goals."""
        return self.is_result and other.is_result and self.goals != other.goals


class Contradictions:
    """The open contradictions, during one ingest or decision; `store` writes what differs."""

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._by_match: dict[int, dict[str, Contradiction]] | None = None
        self._touched: dict[tuple[int, str], Contradiction] = {}

    def refused(self, row: MatchRow, record: MatchRecord, *, source: str) -> None:
        """Record that `source` reports another result than the stored one."""
        reported = SourceResult(source, record.status, record.home_goals, record.away_goals)
        self._contradict(row.id, reported, SourceResult.of(row))

    def accepted(self, row: MatchRow, record: MatchRecord, *, source: str, before: SourceResult) -> None:
        """Resolve the contradiction of `source` if it agrees now; record the result before if it was replaced."""
        standing = SourceResult.of(row)
        if standing != before:
            self.replaced(row, before=before)
        if record.status not in RESULTS or not standing.is_result:
            return
        own = self._open(row.id).get(source)
        if own is not None and (record.home_goals, record.away_goals) == standing.goals:
            self._resolve(own, Contradiction.Resolution.AGREED)

    def replaced(
        self,
        row: MatchRow,
        *,
        before: SourceResult,
        resolution: Contradiction.Resolution = Contradiction.Resolution.AGREED,
    ) -> None:
        """Compare every open contradiction of a match with the stored result, and the result `before` too.

        A contradiction that reports what is stored now is resolved as `resolution` says.
        """
        standing = SourceResult.of(row)
        for reported in list(self._open(row.id).values()):
            if not standing.is_result:
                self._resolve(reported, Contradiction.Resolution.WITHDRAWN)
            elif (reported.home_goals, reported.away_goals) == standing.goals:
                self._resolve(reported, resolution)
            elif reported.source != standing.source:
                self._set_standing(reported, standing)
            else:
                self._resolve(reported, Contradiction.Resolution.AGREED)
        if before.contradicts(standing) and before.source not in ("", standing.source):
            self._contradict(row.id, before, standing)

    def reopened(self, reported: Contradiction, row: MatchRow) -> None:
        """Open a contradiction again that a decision had ended, unless its source agrees with the stored result."""
        standing = SourceResult.of(row)
        again = SourceResult(reported.source, reported.status, reported.home_goals, reported.away_goals)
        if again.contradicts(standing) and again.source != standing.source:
            self._contradict(row.id, again, standing)

    def store(self, *, ingest_id: int) -> None:
        """Write what differs."""
        if not self._touched:
            return
        touched, self._touched = self._touched, {}
        known = {
            (row.match_id, row.source): row
            for row in Contradiction.objects.filter(match_id__in={match_id for match_id, _ in touched})
        }
        new: list[Contradiction] = []
        changed: list[Contradiction] = []
        for key, reported in touched.items():
            stored = known.get(key)
            if stored is not None:
                reported.pk = stored.pk
                reported.first_seen_at = stored.first_seen_at
                if not self._differs(reported, stored):
                    continue
            reported.ingest_id = ingest_id
            (new if stored is None else changed).append(reported)
        Contradiction.objects.bulk_create(new, batch_size=2_000)
        Contradiction.objects.bulk_update(changed, (*_FACTS, "seen_at", "ingest"), batch_size=1_000)

    def _open(self, match_id: int) -> dict[str, Contradiction]:
        if self._by_match is None:
            self._by_match = defaultdict(dict)
            for reported in Contradiction.objects.filter(resolved_at__isnull=True):
                self._by_match[reported.match_id][reported.source] = reported
        return self._by_match.get(match_id, {})

    def _contradict(self, match_id: int, reported: SourceResult, standing: SourceResult) -> None:
        row = self._open(match_id).get(reported.source)
        if row is None:
            row = Contradiction(match_id=match_id, source=reported.source, first_seen_at=self._now, seen_at=self._now)
            assert self._by_match is not None
            self._by_match[match_id][reported.source] = row
        assert reported.home_goals is not None
        assert reported.away_goals is not None
        row.status, row.home_goals, row.away_goals = reported.status, reported.home_goals, reported.away_goals
        row.seen_at = self._now
        row.resolved_at, row.resolution = None, ""
        self._set_standing(row, standing)

    def _set_standing(self, row: Contradiction, standing: SourceResult) -> None:
        assert standing.home_goals is not None
        assert standing.away_goals is not None
        row.standing_source, row.standing_status = standing.source, standing.status
        row.standing_home_goals, row.standing_away_goals = standing.home_goals, standing.away_goals
        row.decided_by = decision(stored=standing.source, other=row.source)
        self._touched[row.match_id, row.source] = row

    def _resolve(self, row: Contradiction, resolution: Contradiction.Resolution) -> None:
        row.resolved_at, row.resolution = self._now, resolution
        del self._open(row.match_id)[row.source]
        self._touched[row.match_id, row.source] = row

    def _differs(self, row: Contradiction, stored: Contradiction) -> bool:
        """Whether more than `seen_at` differs, or `seen_at` by a day."""
        return row.seen_at - stored.seen_at >= SEEN_AGAIN or any(
            getattr(row, name) != getattr(stored, name) for name in _FACTS
        )
