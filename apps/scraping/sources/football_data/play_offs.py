"""Play-offs against clubs of another division, which the files do not mark."""

from __future__ import annotations

import statistics
from collections import Counter, defaultdict
from collections.abc import Sequence
from dataclasses import replace
from typing import Final

from apps.matches.records import CompetitionKey, MatchRecord
from apps.scraping.sources.aliases import aliases_for

STAGE: Final = "play-offs"

FEWEST_MATCHES: Final = 10
"""With a smaller median of matches per club a season is too young to find guests."""

GUEST_SHARE: Final = 0.25
"""A guest plays at most this share of the median number of matches. In thirty years no guest played more than four
matches, and no club that withdrew or was expelled fewer than a third of them."""

EARLIEST: Final = 2 / 3
"""A guest's first match comes after this share of the season's matches."""


def mark_play_offs(records: Sequence[MatchRecord]) -> list[MatchRecord]:
    """Return the records; matches against guests get the stage ``"play-offs"``.

    A club with few matches, all of them late in the season, is a guest from another division. Different spellings of
    one club count as one, by the alias table. Play-offs among the clubs of one league look like any other match and
    are not marked.
    """
    seasons: dict[tuple[CompetitionKey, str], list[int]] = defaultdict(list)
    for position, record in enumerate(records):
        seasons[record.competition, record.season].append(position)
    marked = list(records)
    for (competition, _), positions in seasons.items():
        canonical = aliases_for(competition.region)
        pairs = [
            (canonical.get(record.home_team, record.home_team), canonical.get(record.away_team, record.away_team))
            for record in (records[position] for position in positions)
        ]
        played = Counter(team for pair in pairs for team in pair)
        median = statistics.median(played.values())
        few = {team for team, count in played.items() if count <= GUEST_SHARE * median}
        if median < FEWEST_MATCHES or not few:
            continue
        start = sorted(records[position].kickoff_at for position in positions)[int(EARLIEST * len(positions))]
        for position, pair in zip(positions, pairs, strict=True):
            if records[position].kickoff_at < start:
                few.difference_update(pair)
        for position, pair in zip(positions, pairs, strict=True):
            if not few.isdisjoint(pair):
                marked[position] = replace(records[position], stage=STAGE)
    return marked
