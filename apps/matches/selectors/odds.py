"""The prices that stand for the market of a match."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from apps.matches.records import Moment
from apps.matches.replicas import reading

MARKET_PREFERENCE: Final = ("PS", "Avg", "B365", "Max")
"""Bookmakers in the order in which their closing, then opening, 1X2 prices are taken as the market's."""

TRUTH: Final = "TRUE"
"""The simulator's own probabilities as prices; never the market."""

MARKET_CONDITION: Final = f"bookmaker <> '{TRUTH}' AND home IS NOT NULL AND draw IS NOT NULL AND away IS NOT NULL"
MARKET_ORDER: Final = (
    f"moment <> '{Moment.CLOSING.value}', "
    f"coalesce(array_position(ARRAY{list(MARKET_PREFERENCE)}::text[], bookmaker::text), 99), bookmaker"
)
"""Which prices may represent the market of a match, and which of them come first: in SQL, of rows of `matches_odds`."""


@dataclass(frozen=True, slots=True)
class MarketPrice:
    """Decimal 1X2 prices that represent the market for one match."""

    match_id: int
    bookmaker: str
    moment: str
    home: float
    draw: float
    away: float


def odds_of(match_ids: Iterable[int]) -> dict[int, MarketPrice]:
    """Return the 1X2 prices that represent the market for each match, where there are any.

    Closing before opening, and within each Pinnacle, the average, Bet365, the best, then any other bookmaker.
    """
    wanted = list(match_ids)
    if not wanted:
        return {}
    with reading().cursor() as cursor:
        cursor.execute(
            f"""
            SELECT DISTINCT ON (match_id) match_id, bookmaker, moment, home, draw, away FROM matches_odds
            WHERE match_id = ANY(%s) AND {MARKET_CONDITION} ORDER BY match_id, {MARKET_ORDER}
            """,
            [wanted],
        )
        return {row[0]: MarketPrice(*row) for row in cursor.fetchall()}
