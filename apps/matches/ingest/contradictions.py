"""Which sources tell another result of a match than the one that stands: recorded once, ended when they agree."""

from __future__ import annotations

from collections import defaultdict
from datetime import datetime, timedelta
from typing import Final, NamedTuple

from apps.matches.ingest.rows import RESULTS, MatchRow
from apps.matches.models import Contradiction
from apps.matches.records import MatchRecord
from apps.matches.trust import decision

SEEN_AGAIN: Final = timedelta(days=1)
"""That a contradiction was told again is noted after so long, so that hourly visits write nothing."""

_FACTS: Final = (
    "status",
    "home_goals",
    "away_goals",
    "standing_source",
    "standing_status",
    "standing_home_goals",
    "standing_away_goals",
    "decided_by",
    "seen_at",
    "ingest_id",
    "resolved_at",
    "resolution",
)
_UPDATED: Final = tuple(name.removesuffix("_id") for name in _FACTS)


class StandingResult(NamedTuple):
    """A result, and the source whose word it is."""

    source: str
    status: str
    home_goals: int | None
    away_goals: int | None

    @classmethod
    def of(cls, row: MatchRow) -> StandingResult:
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


class Contradictions:
    """The open contradictions, for the length of one ingest or decision; `store` writes what differs.

    Parameters
    ----------
    now : datetime
        Aware.
    """

    def __init__(self, now: datetime) -> None:
        self._now = now
        self._by_match: dict[int, dict[str, Contradiction]] | None = None
        self._touched: dict[tuple[int, str], Contradiction] = {}

    def refused(self, row: MatchRow, record: MatchRecord, *, source: str) -> None:
        """Record that `source` tells another result than the one that stands."""
        told = StandingResult(source, record.status, record.home_goals, record.away_goals)
        self._contradict(row.id, told, StandingResult.of(row))

    def accepted(self, row: MatchRow, record: MatchRecord, *, source: str, before: StandingResult) -> None:
        """End what the word of `source` settles; record the result that a more trusted one has replaced.

        Parameters
        ----------
        row : MatchRow
            As it is now.
        record : MatchRecord
            What the source told.
        source : str
            Who told it.
        before : StandingResult
            What stood before.
        """
        standing = StandingResult.of(row)
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
        before: StandingResult,
        resolution: Contradiction.Resolution = Contradiction.Resolution.AGREED,
    ) -> None:
        """Compare every open contradiction of a match with the result that stands now, and the replaced result too.

        Parameters
        ----------
        row : MatchRow
            As it is now.
        before : StandingResult
            What stood before.
        resolution : Contradiction.Resolution
            How a contradiction ends whose word stands now.
        """
        standing = StandingResult.of(row)
        for told in list(self._open(row.id).values()):
            if not standing.is_result:
                self._resolve(told, Contradiction.Resolution.WITHDRAWN)
            elif (told.home_goals, told.away_goals) == standing.goals:
                self._resolve(told, resolution)
            elif told.source != standing.source:
                self._set_standing(told, standing)
            else:
                self._resolve(told, Contradiction.Resolution.AGREED)
        if (
            before.is_result
            and standing.is_result
            and before.source not in ("", standing.source)
            and before.goals != standing.goals
        ):
            self._contradict(row.id, before, standing)

    def reopened(self, told: Contradiction, row: MatchRow) -> None:
        """Open a contradiction again that a decision had ended, unless its source agrees with what stands now."""
        standing = StandingResult.of(row)
        if (
            standing.is_result
            and told.source != standing.source
            and (
                told.home_goals,
                told.away_goals,
            )
            != standing.goals
        ):
            self._contradict(
                row.id, StandingResult(told.source, told.status, told.home_goals, told.away_goals), standing
            )

    def store(self, *, ingest_id: int) -> int:
        """Write what differs; return the number of rows that were written."""
        if not self._touched:
            return 0
        touched, self._touched = self._touched, {}
        known = {
            (row.match_id, row.source): row
            for row in Contradiction.objects.filter(match_id__in={match_id for match_id, _ in touched})
        }
        new: list[Contradiction] = []
        changed: list[Contradiction] = []
        for key, told in touched.items():
            stored = known.get(key)
            if stored is not None:
                told.pk = stored.pk
                told.first_seen_at = stored.first_seen_at
                if not self._differs(told, stored):
                    continue
            told.ingest_id = ingest_id
            (new if stored is None else changed).append(told)
        Contradiction.objects.bulk_create(new, batch_size=2_000)
        Contradiction.objects.bulk_update(changed, _UPDATED, batch_size=1_000)
        return len(new) + len(changed)

    def _open(self, match_id: int) -> dict[str, Contradiction]:
        if self._by_match is None:
            self._by_match = defaultdict(dict)
            for told in Contradiction.objects.filter(resolved_at__isnull=True):
                self._by_match[told.match_id][told.source] = told
        return self._by_match.get(match_id, {})

    def _contradict(self, match_id: int, told: StandingResult, standing: StandingResult) -> None:
        row = self._open(match_id).get(told.source)
        if row is None:
            row = Contradiction(match_id=match_id, source=told.source, first_seen_at=self._now, seen_at=self._now)
            assert self._by_match is not None
            self._by_match[match_id][told.source] = row
        assert told.home_goals is not None
        assert told.away_goals is not None
        row.status, row.home_goals, row.away_goals = told.status, told.home_goals, told.away_goals
        row.seen_at = self._now
        row.resolved_at, row.resolution = None, ""
        self._set_standing(row, standing)

    def _set_standing(self, row: Contradiction, standing: StandingResult) -> None:
        assert standing.home_goals is not None
        assert standing.away_goals is not None
        row.standing_source, row.standing_status = standing.source, standing.status
        row.standing_home_goals, row.standing_away_goals = standing.home_goals, standing.away_goals
        row.decided_by = decision(standing=standing.source, other=row.source)
        self._touched[row.match_id, row.source] = row

    def _resolve(self, row: Contradiction, resolution: Contradiction.Resolution) -> None:
        row.resolved_at, row.resolution = self._now, resolution
        del self._open(row.match_id)[row.source]
        self._touched[row.match_id, row.source] = row

    def _differs(self, row: Contradiction, stored: Contradiction) -> bool:
        """Whether more than the moment of the latest telling differs, or that moment lies a day ahead."""
        facts = [name for name in _FACTS if name not in ("seen_at", "ingest_id")]
        return row.seen_at - stored.seen_at >= SEEN_AGAIN or any(
            getattr(row, name) != getattr(stored, name) for name in facts
        )
