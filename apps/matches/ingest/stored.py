"""The stored matches that a round of records is compared with, as they are before the round."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from apps.matches.ingest import tables
from apps.matches.ingest.items import Pair, Resolved
from apps.matches.ingest.rows import MatchRow
from apps.matches.models import Stage


class StoredMatches(NamedTuple):
    """Matches of the seasons of a round, and the ids under which its source has reported them."""

    by_pair: Mapping[Pair, Sequence[MatchRow]]
    by_id: Mapping[int, MatchRow]
    id_by_source_id: Mapping[str, int]
    stage_names: Mapping[int, str]

    def stage_of(self, row: MatchRow) -> str:
        """Return the name of a match's stage; empty without one."""
        return self.stage_names[row.stage_id] if row.stage_id is not None else ""

    def next_occurrence(self, pair: Pair) -> int:
        """Return the number of the next meeting of a pair in its season."""
        return max((row.occurrence for row in self.by_pair.get(pair, ())), default=0) + 1


def load_stored(items: Sequence[Resolved], *, source: str) -> StoredMatches:
    """Return what is stored of the seasons of a round."""
    season_ids = {item.season_id for item in items}
    by_pair: dict[Pair, list[MatchRow]] = defaultdict(list)
    by_id: dict[int, MatchRow] = {}
    for row in tables.load_matches(season_ids):
        by_pair[row.season_id, row.home_team_id, row.away_team_id].append(row)
        by_id[row.id] = row
    source_ids = [item.record.source_id for item in items if item.record.source_id]
    refs = tables.load_refs(source, source_ids, season_ids) if source_ids else {}
    return StoredMatches(
        by_pair, by_id, refs, dict(Stage.objects.filter(season_id__in=season_ids).values_list("id", "name"))
    )
