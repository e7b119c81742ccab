"""Prices of coming matches in the feed."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from apps.matches.records import Moment, OddsRecord
from apps.scraping.sources.whoscored.pages import as_name

CODES: Final = {
    "bet365": "B365",
    "betfair": "BF",
    "betfairexchange": "BFE",
    "betfred": "BFD",
    "betmgm": "BMGM",
    "betvictor": "VC",
    "bwin": "BW",
    "coral": "CL",
    "interwetten": "IW",
    "ladbrokes": "LB",
    "pinnacle": "PS",
    "pinnaclesports": "PS",
    "vcbet": "VC",
    "williamhill": "WH",
    "1xbet": "1XB",
}
"""Code of a bookmaker in football-data's files, by the letters and digits of its name in lower case."""

LONGEST_CODE: Final = 12
MARKETS: Final = ("home", "draw", "away")

CLOSING: Final = timedelta(hours=1)
"""A price that is fetched so shortly before kick-off counts as the closing one."""

LIMIT_OF_PRICE: Final = 10_000.0


def read_offers(
    match: Mapping[str, Any], kickoff_at: datetime, fetched_at: datetime, notes: Counter[str]
) -> tuple[OddsRecord, ...]:
    """Return the prices of a match that has not kicked off, one record per bookmaker, in the order of the feed.

    Parameters
    ----------
    match : mapping
        The entry of the feed.
    kickoff_at, fetched_at : datetime
        Aware, UTC; their distance decides between opening and closing prices. A page that was fetched at kick-off or
        later gives none.
    notes : Counter
        Counts invalid prices and bookmakers without a name.
    """
    bets = match.get("bets")
    if not isinstance(bets, dict) or fetched_at >= kickoff_at:
        return ()
    prices: dict[str, dict[str, float]] = {}
    for market in MARKETS:
        offered = bets.get(market)
        listed = offered.get("offers") if isinstance(offered, dict) else None
        for offer in listed if isinstance(listed, list) else []:
            code = _code(as_name(offer.get("bettingProvider"))) if isinstance(offer, dict) else ""
            price = _price(offer.get("oddsDecimal")) if isinstance(offer, dict) else None
            if not code:
                notes["bookmakers without a name"] += 1
            elif price is None:
                notes["prices dropped"] += 1
            else:
                prices.setdefault(code, {}).setdefault(market, price)
    moment = Moment.CLOSING if kickoff_at - fetched_at <= CLOSING else Moment.OPENING
    return tuple(OddsRecord(code, moment, *(found.get(market) for market in MARKETS)) for code, found in prices.items())


def _code(name: str) -> str:
    """Return the code of a bookmaker: football-data's, else the letters and digits of its name."""
    letters = "".join(letter for letter in name if letter.isascii() and letter.isalnum())
    return CODES.get(letters.lower(), letters[:LONGEST_CODE])


def _price(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        return None
    try:
        price = float(value)
    except (ValueError, OverflowError):
        return None
    return price if 1.0 < price < LIMIT_OF_PRICE else None
