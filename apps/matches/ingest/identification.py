"""The third step: each record finds the stored match that it describes, or is marked as a new match, or is rejected."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import NamedTuple

from apps.matches.ingest.formats import SeasonFormats
from apps.matches.ingest.identity import CONTRARY, SAME_DAY, Formats, UnclearMatch, days_apart, identify, is_stale
from apps.matches.ingest.items import Identified, Pair, Rejected, Resolved
from apps.matches.ingest.rows import PLAYED, MatchRow, results_differ
from apps.matches.ingest.stored import StoredMatches
from apps.matches.records import MatchRecord


class Identification(NamedTuple):
    """Records with their matches, those that are rejected, and those that are left for a later round."""

    accepted: list[Identified]
    rejected: list[Rejected]
    later: list[Resolved]


class Identifier:
    """Finds the matches of records, during one ingest.

    What an input has reported already is remembered (`note`), so that a second record of the same pair is the same
    match on the same day; on another day the format of the season decides.
    """

    def __init__(self, *, source: str, now: datetime) -> None:
        self._source = source
        self._now = now
        self._reported_days: dict[int, set[int]] = defaultdict(set)
        self._formats = SeasonFormats()

    def learn(self, items: Sequence[Resolved]) -> None:
        """Read the formats of seasons off the records of a batch."""
        self._formats.learn(items)

    def note(self, record: MatchRecord, row: MatchRow) -> None:
        """Remember that the input has reported a match."""
        self._reported_days[row.id].add(record.kickoff_at.toordinal())

    def identify(self, items: Sequence[Resolved], stored: StoredMatches) -> Identification:
        """Return the records with their stored matches, in the order that they came in, and the rest.

        An id that the source has used before decides. The other records are compared with the matches of their pair;
        the usual case, one record and one match on one day, needs no weighing (`identity` has the rules for the rest).
        Of records that may report one match on several days, all but the first are left for a later round.
        """
        rejected: list[Rejected] = []
        later: list[Resolved] = []
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
            rows = stored.by_pair.get(pair, ())
            candidates = [row for row in rows if row.id not in taken]
            if len(group) == 1 and not candidates:
                found[group[0].position] = None
                continue
            if len(group) == len(candidates) == 1 and self._is_obvious(group[0].record, candidates[0], with_id):
                found[group[0].position] = candidates[0]
                continue
            formats = self._formats.of(pair[0], pair_repeats=len(rows) > 1)
            first, waiting = self._split(group, formats)
            later += waiting
            rejected += self._identify_pair(first, candidates, with_id, found, formats, stored.stage_of)
        accepted = [Identified(item, found[item.position]) for item in items if item.position in found]
        return Identification(accepted, rejected, later)

    def _split(self, group: list[Resolved], formats: Formats) -> tuple[list[Resolved], list[Resolved]]:
        """Return the records of one pair that are to be identified first, and those that wait until these are stored.

        Records with an id are distinguished by it, so that none of them waits. Of the others, results go before
        fixtures: where pairs meet once, one record at a time; else all but the fixtures that results have overtaken.
        """
        with_id = [item for item in group if item.record.source_id]
        others = sorted(
            (item for item in group if not item.record.source_id),
            key=lambda item: (item.record.status not in PLAYED, item.record.kickoff_at),
        )
        if not formats.input_repeats():
            return with_id + others[:1], others[1:]
        results = [item.record for item in others if item.record.status in PLAYED]
        stale = [
            item
            for item in others
            if item.record.status not in PLAYED
            and any(is_stale(item.record, result, now=self._now) for result in results)
        ]
        return [item for item in group if item not in stale], stale

    def _is_obvious(self, record: MatchRecord, row: MatchRow, with_id: set[int]) -> bool:
        """Whether the only record of a pair and its only match lie on one day, so that there is nothing to weigh."""
        return (
            days_apart(record.kickoff_at, row.kickoff_at) <= SAME_DAY
            and row.id not in self._reported_days
            and not (record.source_id and row.id in with_id)
        )

    def _identify_pair(
        self,
        group: Sequence[Resolved],
        candidates: Sequence[MatchRow],
        with_id: set[int],
        found: dict[int, MatchRow | None],
        formats: Formats,
        stage_of: Callable[[MatchRow], str],
    ) -> list[Rejected]:
        """Add the matches of the records of one pair to `found`; return the rejected records."""
        rejected = []
        waiting = []
        for item in group:
            record = item.record
            day = record.kickoff_at.toordinal()
            again = next((row for row in candidates if day in self._reported_days.get(row.id, ())), None)
            reason = ""
            if record.source_id and any(row.id in with_id and row.kickoff_at.toordinal() == day for row in candidates):
                reason = f"{self._source} has another id for these teams' match of this day"
            elif again is not None and results_differ(record, again):
                reason = CONTRARY
            if reason:
                rejected.append(Rejected(item.position, record, reason))
            elif again is not None:
                found[item.position] = again
            else:
                waiting.append(item)
        free = list(candidates)
        # A match to which the source has given an id is none of its matches of another id. Records with an id go first.
        for has_id in (True, False):
            of_kind = [item for item in waiting if bool(item.record.source_id) == has_id]
            answers = identify(
                [item.record for item in of_kind],
                [row for row in free if not (has_id and row.id in with_id)],
                formats=formats,
                now=self._now,
                source=self._source,
                reported=self._reported_days,
                stage_of=stage_of,
            )
            for item, answer in zip(of_kind, answers, strict=True):
                if isinstance(answer, UnclearMatch):
                    rejected.append(Rejected(item.position, item.record, answer.reason, answer.contradicts))
                    continue
                found[item.position] = answer
                if answer is not None:
                    free.remove(answer)
        return rejected
