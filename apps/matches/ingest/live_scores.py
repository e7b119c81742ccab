"""Scores of matches in play: stored beside the facts, which they do not change."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Final

from apps.matches.ingest.items import Reconciled
from apps.matches.ingest.rows import COLUMNS
from apps.matches.models import LiveScore
from apps.matches.records import MatchStatus
from apps.matches.trust import outranks

LIVE: Final = MatchStatus.LIVE
STATUS: Final = COLUMNS.index("status")

_FIELDS: Final = ("source", "minute", "home_goals", "away_goals", "read_at")


def store_live_scores(items: Sequence[Reconciled], *, source: str, now: datetime) -> dict[int, LiveScore]:
    """Store the scores that records state of matches in play; return those whose score or minute changed, by match.

    Of several sources the more trusted one is stored, and another one only where that has no news any more. A match
    that is in play no more loses its score.
    """
    ended = [item.row.id for item in items if item.before and item.before[STATUS] == LIVE and item.row.status != LIVE]
    if ended:
        LiveScore.objects.filter(pk__in=ended).delete()
    reported = {item.row.id: item for item in items if item.record.is_live_score and item.row.status == LIVE}
    if not reported:
        return {}
    stored = LiveScore.objects.in_bulk(reported)
    rows, changed = [], {}
    for match_id, item in reported.items():
        before, record = stored.get(match_id), item.record
        is_taken = before is not None and before.source != source and before.is_fresh(now)
        if before is not None and is_taken and not outranks(source, before.source):
            continue
        row = LiveScore(
            match_id=match_id,
            source=source,
            minute=record.minute or 0,
            home_goals=record.home_goals or 0,
            away_goals=record.away_goals or 0,
            read_at=now,
        )
        rows.append(row)
        if before is None or row.as_dict() != before.as_dict():
            changed[match_id] = row
    LiveScore.objects.bulk_create(rows, update_conflicts=True, unique_fields=["match"], update_fields=_FIELDS)
    return changed
