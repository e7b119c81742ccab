"""Records of an invented league, one line each."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from apps.matches.ingest import IngestReport, ingest
from apps.matches.records import CompetitionKey, KickoffPrecision, MatchRecord, MatchStatus

LEAGUE = CompetitionKey("Scotland", "Premiership", 1)
NOW = datetime(2024, 7, 1, 12, 0, tzinfo=UTC)


def at(text: str) -> datetime:
    """Return the instant of ``"2023-08-20"`` or ``"2023-08-20 15:00"``, in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def record(kickoff: str, result: str = "", /, **fields: Any) -> MatchRecord:
    """Return a record of Celtic – Rangers; ``"2-1"`` as result makes it finished."""
    told: dict[str, Any] = {
        "competition": LEAGUE,
        "season": "2023-24",
        "home_team": "Celtic",
        "away_team": "Rangers",
        "kickoff_at": at(kickoff),
        "kickoff_precision": KickoffPrecision.MINUTE if " " in kickoff else KickoffPrecision.DATE,
    }
    if result:
        home, away = result.split("-")
        told |= {"status": MatchStatus.FINISHED, "home_goals": int(home), "away_goals": int(away)}
    return MatchRecord(**(told | fields))


@pytest.fixture
def store(db: None) -> Callable[..., IngestReport]:
    """Ingest records as `source`, by default football-data, at `now`."""

    def run(*records: MatchRecord, source: str = "football-data", now: datetime = NOW, **options: Any) -> IngestReport:
        return ingest(records, source=source, now=now, **options)

    return run
