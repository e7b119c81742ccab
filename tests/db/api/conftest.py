"""Keys and bodies for tests of what programs push in."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime

import pytest

from apps.api import services
from apps.api.intake import PushBody, read_body

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def fixture(**fields) -> dict:
    """A line of a match."""
    return {
        "competition": {"region": "England", "name": "Premier League"},
        "season": "2026-27",
        "home_team": "Leeds",
        "away_team": "Hull",
        "kickoff_at": "2026-11-24T15:00:00Z",
        **fields,
    }


def quotes(source_id: str, bookmaker: str = "B365", moment: str = "closing", **prices) -> dict:
    """A line of odds."""
    quote = {"bookmaker": bookmaker, "moment": moment, **({"home": 2.0, "draw": 3.5, "away": 4.0} | prices)}
    return {"type": "odds", "source_id": source_id, "odds": [quote]}


def body_of(*lines: dict | str) -> PushBody:
    """A body of lines."""
    content = "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines).encode()
    return read_body(io.BytesIO(content), length=len(content), encoding="")


@pytest.fixture
def make_key(db):
    """Creates keys that write to the real world by default."""

    def make(source: str = "feed", **fields) -> services.NewKey:
        values = {"name": "Ada's feed", "worlds": ["real"], "created_by": "ada", "now": NOW}
        return services.create_key(source=source, **(values | fields))

    return make


@pytest.fixture
def key(make_key):
    return make_key().row
