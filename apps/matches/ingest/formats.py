"""Whether teams meet more than once at one ground: read off the season itself, else off the season before."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import combinations
from typing import Final

from apps.matches.ingest import tables
from apps.matches.ingest.identity import CLOSE, MOVE, Formats, days_apart
from apps.matches.ingest.items import Resolved
from apps.matches.ingest.rows import PLAYED

REPEATED_PAIRS: Final = 3
"""Pairs that meet again from which a season counts as one in which pairs do so: fewer are tie-breakers, or mistakes."""


class SeasonFormats:
    """What is known of the formats of seasons, during one ingest.

    Results are compared with results and fixtures with fixtures, because a fixture and a result on different days may
    be one match.
    """

    def __init__(self) -> None:
        self._repeated: dict[int, set[tuple[int, int]]] = defaultdict(set)
        self._stored: dict[int, bool] = {}
        self._before: dict[int, bool] = {}

    def learn(self, items: Sequence[Resolved]) -> None:
        """Count the pairs that an input lets meet again in one stage of a season."""
        meetings: dict[tuple[object, ...], list[Resolved]] = defaultdict(list)
        for item in items:
            meetings[*item.pair, item.record.stage, item.record.status in PLAYED].append(item)
        for group in meetings.values():
            if len(group) > 1:
                least = CLOSE if group[0].record.status in PLAYED else MOVE
                season_id, home_id, away_id = group[0].pair
                if any(
                    days_apart(one.record.kickoff_at, other.record.kickoff_at) > least
                    for one, other in combinations(group, 2)
                ):
                    self._repeated[season_id].add((home_id, away_id))

    def of(self, season_id: int, *, pair_repeats: bool = False) -> Formats:
        """Return what is known of a season, for a pair of which two matches are stored or not."""
        return Formats(
            repeats_this_season=lambda: self._this_season(season_id),
            repeats=lambda: self._this_season(season_id) or self._season_before(season_id),
            pair_repeats=pair_repeats,
        )

    def _this_season(self, season_id: int) -> bool:
        if len(self._repeated[season_id]) >= REPEATED_PAIRS:
            return True
        if season_id not in self._stored:
            self._stored[season_id] = _is_repeating(season_id)
        return self._stored[season_id]

    def _season_before(self, season_id: int) -> bool:
        if season_id not in self._before:
            before = tables.season_before(season_id)
            self._before[season_id] = before is not None and _is_repeating(before)
        return self._before[season_id]


def _is_repeating(season_id: int) -> bool:
    return tables.pairs_that_repeat(season_id, days=CLOSE) >= REPEATED_PAIRS
