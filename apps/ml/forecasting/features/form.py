"""Form: means over the latest matches of a team, and how many of them there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

import numpy as np
from numba import njit
from numpy.typing import NDArray

from apps.ml.forecasting.features.catalogue import SIDES, Feature
from apps.ml.forecasting.features.events import OBSERVE, SIGNALS, Block, Sizes

SCOPES: Final = ("all", "venue")
"""All matches; or home matches of the home side and away matches of the away side."""

STATS: Final = (
    "wins",
    "draws",
    "losses",
    "points",
    "goals_for",
    "goals_against",
    "shots_for",
    "shots_against",
    "shots_on_target_for",
    "shots_on_target_against",
    "corners_for",
    "corners_against",
)
"""Means over a window, in this order; NaN where no match of the window has the count."""

COUNTS: Final = 2 + 2 * len(SIGNALS)
"""Numbers that a ring keeps of one match: goals for and against, then each signal for and against."""

RINGS: Final = 3
"""Rings of a team: all matches, home matches, away matches."""


class State(NamedTuple):
    """Latest matches of every team: shape (teams, RINGS, longest window, COUNTS), and how many went in."""

    ring: NDArray[np.float64]
    count: NDArray[np.int64]


class Form:
    """Means of results, goals and shots over the latest matches of both sides.

    Parameters
    ----------
    params : mapping
        ``windows``, numbers of matches in rising order.
    """

    name = "form"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._windows = np.array(params["windows"], dtype=np.int64)
        if self._windows.size == 0 or self._windows[0] < 1 or (np.diff(self._windows) < 1).any():
            raise ValueError(f"form: windows {self._windows.tolist()} do not rise from 1 or more")
        self._state = self._fresh(1)

    def _fresh(self, teams: int) -> State:
        longest = int(self._windows[-1])
        return State(
            ring=np.full((teams, RINGS, longest, COUNTS), np.nan), count=np.zeros((teams, RINGS), dtype=np.int64)
        )

    def features(self) -> tuple[Feature, ...]:
        """Return the columns of the family, in order."""
        where = {"all": "latest matches", "venue": "latest matches at home (home side) or away (away side)"}
        rows = []
        for scope in SCOPES:
            for window in self._windows.tolist():
                for stat in STATS:
                    for side in SIDES:
                        meaning = f"mean {stat.replace('_', ' ')} of the {side} side over its {window} {where[scope]}"
                        if side == "diff":
                            meaning = f"home minus away: mean {stat.replace('_', ' ')} over the {window} {where[scope]}"
                        name = f"form_{scope}_{window}_{stat}_{side}"
                        rows.append(Feature(name, self.name, side, scope, window, "per match", meaning))
                for side in SIDES[:2]:
                    meaning = f"share of the window of {window} that the {side} side's {where[scope]} fill"
                    name = f"form_{scope}_{window}_coverage_{side}"
                    rows.append(Feature(name, self.name, side, scope, window, "share", meaning))
        return tuple(rows)

    def fold(self, block: Block, sizes: Sizes, out: NDArray[np.float64]) -> None:
        """Walk over the events: observe every result, describe every fixture into its row of `out`."""
        missing = sizes.teams - len(self._state.count)
        if missing > 0:
            fresh = self._fresh(missing)
            self._state = State(*(np.concatenate(pair) for pair in zip(self._state, fresh, strict=True)))
        _fold(self._state, self._windows, block, out)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays."""
        return self._state._asdict()

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the state that `arrays` gave."""
        self._state = State(**arrays)


@njit(cache=True)
def observe(state: State, block: Block, event: int) -> None:
    """Put one result into the rings of both teams."""
    longest = state.ring.shape[2]
    for side in range(2):
        team = block.home[event] if side == 0 else block.away[event]
        for which in range(2):
            ring = 0 if which == 0 else 1 + side
            entry = state.ring[team, ring, state.count[team, ring] % longest]
            entry[side] = block.home_goals[event]
            entry[1 - side] = block.away_goals[event]
            for signal in range(block.signals.shape[2]):
                entry[2 + 2 * signal] = block.signals[event, side, signal]
                entry[3 + 2 * signal] = block.signals[event, 1 - side, signal]
            state.count[team, ring] += 1


@njit(cache=True)
def _means(ring: NDArray[np.float64], count: int, windows: NDArray[np.int64], means: NDArray[np.float64]) -> None:
    """Write the means over every window, shape (windows, len(STATS)), summed from the latest match backwards."""
    longest = ring.shape[0]
    sums = np.zeros(len(STATS))
    present = np.zeros(len(STATS))
    window = 0
    for back in range(windows[-1]):
        if back < count:
            entry = ring[(count - 1 - back) % longest]
            goals_for, goals_against = entry[0], entry[1]
            outcome = 0 if goals_for > goals_against else (1 if goals_for == goals_against else 2)
            sums[outcome] += 1.0
            sums[3] += 3.0 if outcome == 0 else (1.0 if outcome == 1 else 0.0)
            for stat in range(4):
                present[stat] += 1.0
            for place in range(COUNTS):
                if not np.isnan(entry[place]):
                    sums[4 + place] += entry[place]
                    present[4 + place] += 1.0
        if back + 1 == windows[window]:
            for stat in range(len(STATS)):
                means[window, stat] = sums[stat] / present[stat] if present[stat] > 0.0 else np.nan
            window += 1


@njit(cache=True)
def describe(
    state: State,
    windows: NDArray[np.int64],
    block: Block,
    event: int,
    scratch: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write means of both sides, their differences and the coverage, for every scope and window."""
    home, away = block.home[event], block.away[event]
    column = 0
    for scope in range(len(SCOPES)):
        ring_home, ring_away = (0, 0) if scope == 0 else (1, 2)
        count_home, count_away = state.count[home, ring_home], state.count[away, ring_away]
        _means(state.ring[home, ring_home], count_home, windows, scratch[0])
        _means(state.ring[away, ring_away], count_away, windows, scratch[1])
        for window in range(windows.size):
            for stat in range(len(STATS)):
                out[column] = scratch[0, window, stat]
                out[column + 1] = scratch[1, window, stat]
                out[column + 2] = out[column] - out[column + 1]
                column += 3
            length = windows[window]
            out[column] = min(count_home, length) / length
            out[column + 1] = min(count_away, length) / length
            column += 2


@njit(cache=True)
def _fold(state: State, windows: NDArray[np.int64], block: Block, out: NDArray[np.float64]) -> None:
    scratch = np.empty((2, windows.size, len(STATS)))
    for event in range(block.kind.size):
        if block.kind[event] == OBSERVE:
            observe(state, block, event)
        else:
            describe(state, windows, block, event, scratch, out[block.row[event]])
