"""Points that leagues took from clubs or gave back, as ``points_adjustments.csv`` next to this module lists them.

A row is one decision. A reduction on appeal is a row of its own, so that a table as of any day is right. Competitions
and clubs are named as they are stored. Decisions whose day is not known for certain are left out.
"""

from __future__ import annotations

import csv
from datetime import date
from functools import cache
from pathlib import Path
from typing import Final, NamedTuple

TABLE: Final = Path(__file__).with_name("points_adjustments.csv")


class KnownAdjustment(NamedTuple):
    """One decision.

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


@cache
def known_adjustments() -> tuple[KnownAdjustment, ...]:
    """Return every decision of the list."""
    with TABLE.open(encoding="utf-8", newline="") as file:
        return tuple(
            KnownAdjustment(**row | {"points": int(row["points"]), "decided_on": date.fromisoformat(row["decided_on"])})
            for row in csv.DictReader(file)
        )
