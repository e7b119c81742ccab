"""The third step: each record finds the stored match that it describes, or is marked as a new match, or is rejected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from apps.matches.ingest import tables
from apps.matches.ingest.identity import SAME_DAY, Doubt, days_apart, identify
from apps.matches.ingest.items import Identified, Pair, Rejected, Resolved
from apps.matches.ingest.rows import MatchRow, results_differ
from apps.matches.ingest.stored import StoredMatches
from apps.matches.records import MatchRecord


class Identifier:
    """Finds the matches of records, for the length of one ingest.

    An input reports each match once per day: what it has reported already is remembered (`note`), so that a second
    record of the same pair is the same match on the same day and another meeting on any other.
    """

    def __init__(self, *, source: str, now: datetime) -> None:
        self._source = source
        self._now = now
        self._reported_day: dict[int, int] = {}
        self._repeats: dict[int, bool] = {}

    def note(self, record: MatchRecord, row: MatchRow) -> None:
        """Remember that the input has reported a match."""
        self._reported_day[row.id] = record.kickoff_at.toordinal()

    def identify(self, items: Sequence[Resolved], stored: StoredMatches) -> tuple[list[Identified], list[Rejected]]:
        """Return the records with their stored matches, in the order that they came in, and the rejected ones.

        An id that the source has used before decides. The other records are compared with the matches of their pair;
        the usual case, one record and one match on one day, needs no weighing (`identity` has the rules for the rest).
        """
        rejected: list[Rejected] = []
        found: dict[int, MatchRow | None] = {}
        pairs: dict[Pair, list[Resolved]] = defaultdict(list)
        taken: set[int] = set()
        for item in items:
            source_id = item.record.source_id
            match_id = stored.id_by_source_id.get(source_id) if source_id else None
            if match_id is None:
                pairs[item.pair].append(item)
                continue
            row = stored.by_id.get(match_id)
            if row is None or (row.season_id, row.home_team_id, row.away_team_id) != item.pair:
                reason = f"{self._source} used the id {source_id} before for another season or other teams"
                rejected.append(Rejected(item.position, item.record, reason))
                continue
            found[item.position] = row
            taken.add(match_id)
        with_id = set(stored.id_by_source_id.values())
        for pair, group in pairs.items():
            candidates = [row for row in stored.by_pair.get(pair, ()) if row.id not in taken]
            if not candidates:
                for item in group:
                    found[item.position] = None
            elif len(group) == len(candidates) == 1 and self._is_obvious(group[0].record, candidates[0], with_id):
                found[group[0].position] = candidates[0]
            else:
                rejected += self._identify_pair(group, candidates, with_id, found)
        return [Identified(item, found[item.position]) for item in items if item.position in found], rejected

    def _is_obvious(self, record: MatchRecord, row: MatchRow, with_id: set[int]) -> bool:
        """Whether the only record of a pair and its only match lie on one day, so that there is nothing to weigh."""
        return (
            days_apart(record.kickoff_at, row.kickoff_at) <= SAME_DAY
            and row.id not in self._reported_day
            and not (record.source_id and row.id in with_id)
        )

    def _identify_pair(
        self,
        group: Sequence[Resolved],
        candidates: Sequence[MatchRow],
        with_id: set[int],
        found: dict[int, MatchRow | None],
    ) -> list[Rejected]:
        """Add the matches of the records of one pair to `found`; return the rejected records."""
        rejected = []
        waiting = []
        for item in group:
            record = item.record
            day = record.kickoff_at.toordinal()
            again = next((row for row in candidates if self._reported_day.get(row.id) == day), None)
            reason = ""
            if record.source_id and any(row.id in with_id and row.kickoff_at.toordinal() == day for row in candidates):
                reason = f"{self._source} has another id for these teams' match of this day"
            elif again is not None and results_differ(record, again):
                reason = "the same match comes earlier in this input with another result"
            if reason:
                rejected.append(Rejected(item.position, record, reason))
            elif again is not None:
                found[item.position] = again
            else:
                waiting.append(item)
        free = [row for row in candidates if row.id not in self._reported_day]
        competition_id = group[0].competition_id
        days = len({item.record.kickoff_at.toordinal() for item in group})
        # A match to which the source has given an id is none of its matches of another id. Records with an id go first.
        for has_id in (True, False):
            of_kind = [item for item in waiting if bool(item.record.source_id) == has_id]
            answers = identify(
                [item.record for item in of_kind],
                [row for row in free if not (has_id and row.id in with_id)],
                repeats=lambda: days > 1 or self._pairs_repeat(competition_id),
                now=self._now,
            )
            for item, answer in zip(of_kind, answers, strict=True):
                if isinstance(answer, Doubt):
                    rejected.append(Rejected(item.position, item.record, answer.reason))
                    continue
                found[item.position] = answer
                if answer is not None:
                    free.remove(answer)
        return rejected

    def _pairs_repeat(self, competition_id: int) -> bool:
        """Whether teams of a competition meet more than once at one ground in a season."""
        known = self._repeats.get(competition_id)
        if known is None:
            known = self._repeats[competition_id] = tables.pairs_repeat(competition_id)
        return known
