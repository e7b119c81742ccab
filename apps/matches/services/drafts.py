"""Drafts: records whose names are resolved, told apart by rounds, each led to its stored match or marked as new."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from apps.matches.records import MatchRecord
from apps.matches.services import tables
from apps.matches.services.identity import SAME_DAY, Doubt, days_apart, identify
from apps.matches.services.report import Batch
from apps.matches.services.rows import RESULTS, MatchRow


@dataclass(slots=True)
class Draft:
    """A record whose names are resolved."""

    index: int
    record: MatchRecord
    competition_id: int
    season_id: int
    home_team_id: int
    away_team_id: int
    row: MatchRow | None = None
    is_new: bool = False

    @property
    def pair(self) -> tuple[int, int, int]:
        """Season, home team and away team."""
        return self.season_id, self.home_team_id, self.away_team_id


def rounds(drafts: list[Draft], batch: Batch, *, source: str) -> Iterator[list[Draft]]:
    """Yield drafts so that no round tells a match twice: what is told again comes in a later round and wins.

    Two results under one id cannot both be right: the earlier record is refused. Two ids for one pair on one day
    are refused, since a pair does not meet twice on a day.
    """
    while drafts:
        now: list[Draft] = []
        later: list[Draft] = []
        seen: dict[object, Draft] = {}
        dropped: set[int] = set()
        for draft in drafts:
            record = draft.record
            day = (*draft.pair, record.kickoff_at.toordinal())
            key: object = record.source_id or day
            earlier = seen.get(key)
            if earlier is None and record.source_id and day in seen:
                other = seen[day].record.source_id
                batch.refuse(draft.index, record, f"{source} tells these teams' match of this day as {other} too")
            elif earlier is None:
                seen[key] = seen[day] = draft
                now.append(draft)
            else:
                if record.source_id and _results_differ(earlier.record, record):
                    batch.refuse(earlier.index, earlier.record, "the same id comes again later with another result")
                    dropped.add(earlier.index)
                    seen[key] = draft
                    now.append(draft)
                else:
                    later.append(draft)
        yield [draft for draft in now if draft.index not in dropped]
        drafts = later


class Finder:
    """Leads drafts to the stored matches that they tell of, for the length of one ingest.

    Parameters
    ----------
    source : str
        Whose records they are.
    now : datetime
        The present, aware.
    """

    def __init__(self, *, source: str, now: datetime) -> None:
        self.source = source
        self.now = now
        # Match → the day that this input told it for: an input tells each match once.
        self._told: dict[int, int] = {}
        self._repeats: dict[int, bool] = {}

    def note(self, record: MatchRecord, row: MatchRow) -> None:
        """Remember that the input has told of a match."""
        self._told[row.id] = record.kickoff_at.toordinal()

    def find(
        self,
        drafts: list[Draft],
        batch: Batch,
        *,
        stored: dict[tuple[int, int, int], list[MatchRow]],
        by_id: dict[int, MatchRow],
        refs: dict[str, int],
    ) -> None:
        """Give each draft its stored match, or mark it as new, or refuse it."""
        known_here = set(refs.values())
        pairs: dict[tuple[int, int, int], list[Draft]] = defaultdict(list)
        taken: set[int] = set()
        for draft in drafts:
            match_id = refs.get(draft.record.source_id) if draft.record.source_id else None
            if match_id is None:
                pairs[draft.pair].append(draft)
                continue
            row = by_id.get(match_id)
            if row is None or (row.season_id, row.home_team_id, row.away_team_id) != draft.pair:
                reason = (
                    f"{self.source} told another season or other teams under the id {draft.record.source_id} before"
                )
                batch.refuse(draft.index, draft.record, reason)
                continue
            draft.row = row
            taken.add(match_id)
        for pair, group in pairs.items():
            candidates = [row for row in stored.get(pair, ()) if row.id not in taken]
            if not candidates:
                for draft in group:
                    draft.is_new = True
            elif len(group) == len(candidates) == 1 and self._is_plainly(group[0], candidates[0], known_here):
                group[0].row = candidates[0]
            else:
                self._identify_pair(group, candidates, known_here, batch)

    def _is_plainly(self, draft: Draft, row: MatchRow, known_here: set[int]) -> bool:
        """Whether the only record of a pair and its only match lie on one day, so that there is nothing to weigh."""
        return (
            days_apart(draft.record.kickoff_at, row.kickoff_at) <= SAME_DAY
            and row.id not in self._told
            and not (draft.record.source_id and row.id in known_here)
        )

    def _identify_pair(
        self, group: list[Draft], candidates: list[MatchRow], known_here: set[int], batch: Batch
    ) -> None:
        waiting = []
        for draft in group:
            record = draft.record
            day = record.kickoff_at.toordinal()
            same_day = [row for row in candidates if row.kickoff_at.toordinal() == day]
            again = next((row for row in candidates if self._told.get(row.id) == day), None)
            if record.source_id and any(row.id in known_here for row in same_day):
                batch.refuse(
                    draft.index, record, f"{self.source} tells these teams' match of this day under another id"
                )
            elif again is None:
                waiting.append(draft)
            elif _results_differ(record, again):
                batch.refuse(draft.index, record, "the same match comes earlier in this input with another result")
            else:
                draft.row = again
        free = [row for row in candidates if row.id not in self._told]
        competition_id = group[0].competition_id
        told_on_days = len({draft.record.kickoff_at.toordinal() for draft in group})
        # A match that the source tells under an id is none of its matches of another id.
        for has_id in (True, False):
            of_kind = [draft for draft in waiting if bool(draft.record.source_id) == has_id]
            answers = identify(
                [draft.record for draft in of_kind],
                [row for row in free if not (has_id and row.id in known_here)],
                repeats=lambda: told_on_days > 1 or self._pairs_repeat(competition_id),
                now=self.now,
            )
            for draft, answer in zip(of_kind, answers, strict=True):
                if isinstance(answer, Doubt):
                    batch.refuse(draft.index, draft.record, answer.reason)
                elif answer is None:
                    draft.is_new = True
                else:
                    draft.row = answer
                    free.remove(answer)

    def _pairs_repeat(self, competition_id: int) -> bool:
        """Whether teams of a competition meet more than once at one ground in a season."""
        known = self._repeats.get(competition_id)
        if known is None:
            known = tables.pairs_repeat(competition_id)
            self._repeats[competition_id] = known
        return known


def _results_differ(one: MatchRecord | MatchRow, other: MatchRecord | MatchRow) -> bool:
    return (
        one.status in RESULTS
        and other.status in RESULTS
        and (one.home_goals, one.away_goals) != (other.home_goals, other.away_goals)
    )
