"""Context: rest, congestion and matches of the season, from the calendar, and the kind of match.

Matches after the fixture are not used: a cup tie of next week may have been drawn since, and would reveal results.

Rest and congestion count *scheduled* matches that kick off before the fixture, played or not, so that the match in
between counts for a fixture of next week. The calendar is therefore part of the state, set by `schedule`.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats, Records
from apps.ml.forecasting.features.catalogue import Feature, Side, sided
from apps.ml.forecasting.features.events import DAY, DESCRIBE, Events, Sizes, country_of
from apps.ml.forecasting.kernels import njit

SLACK_DAYS: Final = 30
"""Days of the calendar that are kept in addition, for fixtures described after their kick-off."""

ENTRY: Final = np.dtype([("team", np.int64), ("kickoff", np.int64), ("competition", np.int64), ("season", np.int64)])
"""One team of one scheduled match: id, kick-off in microseconds since 1970 in UTC, ids of competition and season."""

ORDER: Final = np.dtype([("country", np.int64), ("start", np.int64), ("stop", np.int64)])
"""An order to play without spectators: `country_of` the region or `EVERYWHERE`, first and past-the-last kick-off."""

EVERYWHERE: Final = -1
"""Country of an order for all regions, ``"*"`` in the parameters."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class ContextConstants(NamedTuple):
    """Numbers of the family, from ``features.context`` of the parameters; times in microseconds."""

    rest_cap: int  # a longer rest counts as this
    congestion: int  # time in which matches are counted
    season: int  # longest time between matches of a season


class ContextFeatures:
    """Rest days, congestion, matches into the season, level, neutral ground and matches without spectators.

    The state is the calendar, an array of `ENTRY` sorted by (team, kick-off). The parameter ``closed_doors`` lists
    orders to play without spectators: region or ``"*"``, first and last day, UTC.
    """

    name = "context"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._congestion_days = int(params["congestion_days"])
        self._constants = ContextConstants(
            rest_cap=round(float(params["rest_cap_days"]) * DAY),
            congestion=self._congestion_days * DAY,
            season=round(float(params["season_days"]) * DAY),
        )
        self._orders = np.array([_order(*row) for row in params["closed_doors"]], dtype=ORDER)
        self._calendar = np.empty(0, dtype=ENTRY)

    def features(self) -> tuple[Feature, ...]:
        numbers = (
            ("rest", "days", "days since the latest scheduled match before this one, capped"),
            (
                f"congestion_{self._congestion_days}",
                "matches",
                f"scheduled matches in the {self._congestion_days} days before",
            ),
            ("season_matches", "matches", "scheduled matches of the season before this one"),
            (
                "other_competition_rest",
                "days",
                "days since the latest scheduled match in another competition, such as a cup, capped as rest is",
            ),
        )
        rows = [row for stat, unit, meaning in numbers for row in sided(stat, self.name, "all", None, unit, meaning)]
        match: Side = "match"
        rows.append(Feature("level", self.name, match, "", None, "level", "level of the competition, 0 for cups"))
        rows.append(Feature("is_neutral", self.name, match, "", None, "yes or no", "1 on neutral ground"))
        closed = "1 where spectators were kept out by an order for the whole region"
        rows.append(Feature("closed_doors", self.name, match, "", None, "yes or no", closed))
        return tuple(rows)

    def schedule(self, matches: pd.DataFrame) -> None:
        """Replace the calendar; of rows with the same match id the last one counts."""
        chosen = matches.drop_duplicates("match_id", keep="last").sort_values("match_id")
        calendar = np.empty(2 * len(chosen), dtype=ENTRY)
        calendar["team"] = np.concatenate((chosen["home_team_id"], chosen["away_team_id"]))
        calendar["kickoff"] = np.tile(chosen["kickoff_at"].to_numpy(dtype="datetime64[us]").view(np.int64), 2)
        calendar["competition"] = np.tile(chosen["competition_id"], 2)
        calendar["season"] = np.tile(chosen["season_id"], 2)
        self._calendar = calendar[np.lexsort((calendar["season"], calendar["kickoff"], calendar["team"]))]

    def trim(self, moment: int) -> None:
        """Drop entries that no fixture at or after `moment` (microseconds) can use."""
        oldest = moment - self._constants.season - SLACK_DAYS * DAY
        self._calendar = self._calendar[self._calendar["kickoff"] >= oldest]

    def fold(self, events: Events, sizes: Sizes, out: Floats, first: int) -> None:
        """Describe every fixture into its row of `out`, from column `first`; results change nothing."""
        _fold(self._calendar, self._orders, self._constants, events, out, first)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {"calendar": self._calendar}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._calendar = arrays["calendar"]


def _order(region: str, first: str, last: str) -> tuple[int, int, int]:
    """Return an order of the parameters as a row of `ORDER`."""
    start, stop = (
        (datetime.combine(day, datetime.min.time(), UTC) - _EPOCH) // timedelta(microseconds=1)
        for day in (date.fromisoformat(first), date.fromisoformat(last) + timedelta(days=1))
    )
    return EVERYWHERE if region == "*" else country_of(region), start, stop


@njit(cache=True)
def _first_not_before(calendar: Records, team: int, kickoff: int) -> int:
    """Return the number of entries of the calendar that come before (team, kickoff)."""
    low, high = 0, calendar.size
    while low < high:
        middle = (low + high) // 2
        entry = calendar[middle]
        if entry.team < team or (entry.team == team and entry.kickoff < kickoff):
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True)
def describe(calendar: Records, orders: Records, constants: ContextConstants, fixture: Any, out: Floats) -> None:
    """Write rest, congestion and matches of the season of both sides, and what kind of match it is."""
    for side in range(2):
        team = fixture.team_id[side]
        rest, elsewhere, congestion, played = constants.rest_cap, constants.rest_cap, 0, 0
        place = _first_not_before(calendar, team, fixture.kickoff) - 1
        while place >= 0 and calendar[place].team == team:
            ago = fixture.kickoff - calendar[place].kickoff
            if ago > constants.season:
                break
            rest = min(rest, ago)
            if calendar[place].competition != fixture.competition_id:
                elsewhere = min(elsewhere, ago)
            if ago <= constants.congestion:
                congestion += 1
            if calendar[place].season == fixture.season:
                played += 1
            place -= 1
        out[side] = rest / DAY
        out[3 + side] = congestion
        out[6 + side] = played
        out[9 + side] = elsewhere / DAY
    for stat in range(4):
        out[3 * stat + 2] = out[3 * stat] - out[3 * stat + 1]
    out[12] = fixture.level
    out[13] = 1.0 if fixture.neutral else 0.0
    out[14] = 0.0
    for order in orders:
        concerned = order.country == EVERYWHERE or order.country == fixture.country
        if concerned and order.start <= fixture.kickoff < order.stop:
            out[14] = 1.0


@njit(cache=True, nogil=True)
def _fold(
    calendar: Records, orders: Records, constants: ContextConstants, events: Events, out: Floats, first: int
) -> None:
    for event in events:
        if event.kind == DESCRIBE:
            describe(calendar, orders, constants, event, out[event.row, first:])
