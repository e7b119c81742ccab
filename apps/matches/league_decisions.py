"""What leagues decided away from the pitch, as two lists next to this module have it.

A row of ``points_adjustments.csv`` is one decision on points: a reduction on appeal is a separate row, so that a
table as of any day is right. A row of ``awarded_results.csv`` is a result that a league set in the place of what was
played. Competitions and clubs are named as they are stored. Decisions whose day is not known for certain are left out.
"""

from __future__ import annotations

import csv
from collections.abc import Iterator
from datetime import date
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

FOLDER: Final = Path(__file__).parent


class KnownAdjustment(NamedTuple):
    """A decision on the points of a club.

    Parameters
    ----------
    region, competition, season, team : str
        As stored, such as England, Premier League, 2023-24, Everton.
    points : int
        Negative for a deduction.
    decided_on : date
        Day on which the decision was published.
    reason, source : str
        Why, and who decided.
    """

    region: str
    competition: str
    season: str
    team: str
    points: int
    decided_on: date
    reason: str
    source: str


class KnownAwardedResult(NamedTuple):
    """A result that a league set.

    Parameters
    ----------
    region, competition, season, home_team, away_team : str
        As stored.
    played_on : date
        Day of the match, in UTC.
    home_goals, away_goals : int
        As the table counts them.
    decided_on, reason, source
        As in `KnownAdjustment`.
    """

    region: str
    competition: str
    season: str
    home_team: str
    away_team: str
    played_on: date
    home_goals: int
    away_goals: int
    decided_on: date
    reason: str
    source: str


@cache
def known_adjustments() -> tuple[KnownAdjustment, ...]:
    """Return every decision on points of the list."""
    return tuple(
        KnownAdjustment(**row | {"points": int(row["points"]), "decided_on": date.fromisoformat(row["decided_on"])})
        for row in _rows("points_adjustments.csv")
    )


@cache
def known_awarded_results() -> tuple[KnownAwardedResult, ...]:
    """Return every verdict of the list."""
    return tuple(
        KnownAwardedResult(
            **row
            | {name: date.fromisoformat(row[name]) for name in ("played_on", "decided_on")}
            | {name: int(row[name]) for name in ("home_goals", "away_goals")}
        )
        for row in _rows("awarded_results.csv")
    )


def _rows(name: str) -> Iterator[dict[str, Any]]:
    with (FOLDER / name).open(encoding="utf-8", newline="") as file:
        yield from csv.DictReader(file)
