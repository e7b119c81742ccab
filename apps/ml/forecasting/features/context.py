"""Context: rest, congestion and how far the season has come, from the calendar, and what kind of match it is.

Rest and congestion count *scheduled* matches that kick off before the fixture, played or not, so that a fixture of next
week knows of the match in between. The calendar is therefore part of the state, set by `schedule` and looked up, where
the other families count results.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from apps.ml.forecasting.features.catalogue import SIDES, Feature, Side
from apps.ml.forecasting.features.events import DAY, OBSERVE, Block, Sizes

SLACK_DAYS: Final = 30
"""Days of the calendar that are kept beyond the longest look back, for fixtures described after their kick-off."""


class State(NamedTuple):
    """The calendar, a row a team and match, sorted by (team, kick-off): the team's id, time and season."""

    team: NDArray[np.int64]
    kickoff: NDArray[np.int64]
    season: NDArray[np.int64]


class Constants(NamedTuple):
    """Numbers of the family, from ``features.context`` of the parameters; times in microseconds."""

    rest_cap: int
    congestion: int
    season: int


class Context:
    """Rest days, congestion, matches into the season, level and neutral ground.

    Parameters
    ----------
    params : mapping
        ``rest_cap_days`` (a longer rest counts as this), ``congestion_days``, ``season_days`` (how far back the
        matches of a season are looked for).
    """

    name = "context"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._congestion_days = int(params["congestion_days"])
        self._constants = Constants(
            rest_cap=round(float(params["rest_cap_days"]) * DAY),
            congestion=self._congestion_days * DAY,
            season=round(float(params["season_days"]) * DAY),
        )
        nothing = np.empty(0, dtype=np.int64)
        self._state = State(nothing, nothing, nothing)

    def features(self) -> tuple[Feature, ...]:
        """Return the columns of the family, in order."""
        sided = (
            ("rest", "days", "days since the latest scheduled match before this one, capped"),
            (
                f"congestion_{self._congestion_days}",
                "matches",
                f"scheduled matches in the {self._congestion_days} days before",
            ),
            ("season_matches", "matches", "scheduled matches of the season before this one"),
        )
        rows = []
        for stat, unit, meaning in sided:
            for side in SIDES:
                whose = "home minus away: " if side == "diff" else f"{side} side: "
                rows.append(Feature(f"{stat}_{side}", self.name, side, "all", None, unit, whose + meaning))
        match: Side = "match"
        rows.append(Feature("level", self.name, match, "", None, "level", "level of the competition, 0 for cups"))
        rows.append(Feature("is_neutral", self.name, match, "", None, "yes or no", "1 on neutral ground"))
        return tuple(rows)

    def schedule(
        self,
        match: NDArray[np.int64],
        season: NDArray[np.int64],
        home: NDArray[np.int64],
        away: NDArray[np.int64],
        kickoff: NDArray[np.int64],
    ) -> None:
        """Replace the calendar; a match id that comes twice counts once, as its latest row says.

        Parameters
        ----------
        match, season, home, away : ndarray of int64, shape (n,)
            Ids of matches, seasons and teams.
        kickoff : ndarray of int64, shape (n,)
            Kick-offs in microseconds since 1970, UTC.
        """
        _, latest = np.unique(match[::-1], return_index=True)
        chosen = match.size - 1 - latest
        team = np.concatenate((home[chosen], away[chosen]))
        times = np.concatenate((kickoff[chosen], kickoff[chosen]))
        seasons = np.concatenate((season[chosen], season[chosen]))
        order = np.lexsort((seasons, times, team))
        self._state = State(team[order], times[order], seasons[order])

    def trim(self, moment: int) -> None:
        """Forget what no fixture at or after `moment` (microseconds) can count."""
        keep = self._state.kickoff >= moment - self._constants.season - SLACK_DAYS * DAY
        self._state = State(*(column[keep] for column in self._state))

    def fold(self, block: Block, sizes: Sizes, out: NDArray[np.float64]) -> None:
        """Describe every fixture into its row of `out`; results change nothing."""
        _fold(self._state, self._constants, block, out)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays."""
        return self._state._asdict()

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the state that `arrays` gave."""
        self._state = State(**arrays)


@njit(cache=True)
def _first_not_before(state: State, team: int, kickoff: int) -> int:
    """Return the number of rows of the calendar that come before (team, kickoff)."""
    low, high = 0, state.team.size
    while low < high:
        middle = (low + high) // 2
        before = state.team[middle] < team or (state.team[middle] == team and state.kickoff[middle] < kickoff)
        if before:
            low = middle + 1
        else:
            high = middle
    return low


@njit(cache=True)
def describe(state: State, constants: Constants, block: Block, event: int, out: NDArray[np.float64]) -> None:
    """Write rest, congestion and matches of the season of both sides, and what kind of match it is."""
    kickoff, season = block.kickoff[event], block.season[event]
    for side in range(2):
        team = block.home_id[event] if side == 0 else block.away_id[event]
        rest, congestion, played = constants.rest_cap, 0, 0
        row = _first_not_before(state, team, kickoff) - 1
        if row >= 0 and state.team[row] == team:
            rest = min(rest, kickoff - state.kickoff[row])
        while row >= 0 and state.team[row] == team and kickoff - state.kickoff[row] <= constants.season:
            if kickoff - state.kickoff[row] <= constants.congestion:
                congestion += 1
            if state.season[row] == season:
                played += 1
            row -= 1
        out[side] = rest / DAY
        out[3 + side] = congestion
        out[6 + side] = played
    for stat in range(3):
        out[3 * stat + 2] = out[3 * stat] - out[3 * stat + 1]
    out[9] = block.level[event]
    out[10] = 1.0 if block.neutral[event] else 0.0


@njit(cache=True)
def _fold(state: State, constants: Constants, block: Block, out: NDArray[np.float64]) -> None:
    for event in range(block.kind.size):
        if block.kind[event] != OBSERVE:
            describe(state, constants, block, event, out[block.row[event]])
