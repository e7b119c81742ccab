"""Rounds: a batch that reports one match several times is stored in several rounds, so that the last report wins."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from apps.matches.ingest.items import Rejected, Resolved
from apps.matches.ingest.rows import results_differ


class Round(NamedTuple):
    """Records that report each match once, those that are rejected, and those that are left for later rounds."""

    accepted: list[Resolved]
    rejected: list[Rejected]
    later: list[Resolved]


def next_round(items: Sequence[Resolved], *, source: str) -> Round:
    """Take the next round out of resolved records.

    A record that reports a match again is left for a later round. Two results under one id cannot both be right: the
    earlier record is rejected. Two ids for one pair on one day are rejected too, for a pair does not meet twice a day.
    """
    taken: list[Resolved] = []
    later: list[Resolved] = []
    rejected: list[Rejected] = []
    replaced: set[int] = set()
    seen: dict[object, Resolved] = {}
    for item in items:
        record = item.record
        day = (*item.pair, record.kickoff_at.toordinal())
        key: object = record.source_id or day
        earlier = seen.get(key)
        if earlier is None:
            same_day = seen.get(day) if record.source_id else None
            if same_day is not None:
                reason = (
                    f"{source} has another id for the match of these teams on this day: {same_day.record.source_id}"
                )
                rejected.append(Rejected(item.position, record, reason))
            else:
                seen[key] = seen[day] = item
                taken.append(item)
        elif record.source_id and results_differ(earlier.record, record):
            reason = "the same id comes again later with another result"
            rejected.append(Rejected(earlier.position, earlier.record, reason))
            replaced.add(earlier.position)
            seen[key] = item
            taken.append(item)
        else:
            later.append(item)
    if replaced:
        taken = [item for item in taken if item.position not in replaced]
    return Round(taken, rejected, later)
