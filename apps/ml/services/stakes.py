"""How the next matches of a season can change the chances of their teams, by the simulation of the season."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, Final

from apps.matches.models import Match
from apps.ml.models import Stakes

if TYPE_CHECKING:
    from apps.ml.forecasting.arrays import Floats
    from apps.ml.forecasting.season import SeasonOutcome

AHEAD: Final = timedelta(days=15)
"""Matches that kick off within this time have stakes; it is the time for which forecasts are published."""

AT_MOST: Final = 60
"""Most matches of one season that have stakes; a whole season of the sandbox lasts only hours."""

DIGITS: Final = 4


def watched(fixtures: Sequence[Match], now: datetime) -> list[int]:
    """Return the indexes of the matches that kick off next in a list that is ordered by kick-off."""
    indexes = [
        index
        for index, match in enumerate(fixtures)
        if match.status == Match.Status.SCHEDULED and now < match.kickoff_at <= now + AHEAD
    ]
    return indexes[:AT_MOST]


def stakes_of(
    match: Match,
    number: Mapping[int, int],
    outcome: SeasonOutcome,
    given: Floats,
    lines: Sequence[Mapping[str, Any]],
    *,
    as_of: datetime,
) -> Stakes:
    """Return the chances of both teams to end above or below each line, before the match and by its outcome.

    Parameters
    ----------
    number : mapping of int to int
        Id of a team → its number in the simulation.
    given : ndarray, shape (3, 2, clubs)
        The row of the match in `SeasonOutcome.given`.
    lines : sequence of mapping
        The lines of the table of a `SeasonForecast`.
    """
    chances = []
    for side, team_id in enumerate((match.home_team_id, match.away_team_id)):
        for line in lines:
            ends = slice(-line["places"], None) if line["from_end"] else slice(line["places"])
            before = outcome.places[number[team_id], ends].sum()
            by_outcome = given[:, side, ends].sum(axis=1)
            chances.append(
                {
                    **line,
                    "side": ("home", "away")[side],
                    "before": round(float(before), DIGITS),
                    # NaN, which JSON lacks, for an outcome that no simulated season had.
                    "given": [round(float(chance), DIGITS) if chance >= 0.0 else None for chance in by_outcome],
                }
            )
    return Stakes(match=match, as_of=as_of, simulations=outcome.simulations, chances=chances)


def store_stakes(stakes: Sequence[Stakes]) -> None:
    """Store stakes, replacing earlier ones of the same matches."""
    fields = ["as_of", "simulations", "chances"]
    Stakes.objects.bulk_create(stakes, update_conflicts=True, unique_fields=["match"], update_fields=fields)
