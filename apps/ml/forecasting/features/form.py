"""Form: means over the latest matches of a team, and how many of them there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import numpy as np
from numba import njit
from numpy.typing import NDArray

from apps.ml.forecasting.features.catalogue import SIDES, Feature
from apps.ml.forecasting.features.events import OBSERVE, SIGNALS, Events, Sizes, grown

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


class Form:
    """Means of results, goals and shots over the latest matches of both sides.

    The state is a ring of the latest matches of every team, shape (teams, RINGS, longest window, COUNTS), and how many
    matches went into it, shape (teams, RINGS).

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
        self._fresh = np.full((1, RINGS, int(self._windows[-1]), COUNTS), np.nan)
        self._rings = self._fresh.copy()
        self._seen = np.zeros((1, RINGS), dtype=np.int64)

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

    def fold(self, events: Events, sizes: Sizes, out: NDArray[np.float64], first: int) -> None:
        """Walk over the events: observe every result, describe every fixture into `out`, from column `first`."""
        self._rings = grown(self._rings, self._fresh, sizes.teams)
        self._seen = grown(self._seen, np.zeros((1, RINGS), dtype=np.int64), sizes.teams)
        _fold(self._rings, self._seen, self._windows, events, out, first)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """Return the state as named arrays."""
        return {"rings": self._rings, "seen": self._seen}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        """Take the state that `arrays` gave."""
        self._rings, self._seen = arrays["rings"], arrays["seen"]


@njit(cache=True)
def observe(rings: NDArray[np.float64], seen: NDArray[np.int64], result: Any) -> None:
    """Put one result into the rings of both teams."""
    for side in range(2):
        team = result.team[side]
        for which in range(2):
            ring = 0 if which == 0 else 1 + side
            entry = rings[team, ring, seen[team, ring] % rings.shape[2]]
            entry[0] = result.goals[side]
            entry[1] = result.goals[1 - side]
            for signal in range(len(SIGNALS)):
                entry[2 + 2 * signal] = result.signals[side, signal]
                entry[3 + 2 * signal] = result.signals[1 - side, signal]
            seen[team, ring] += 1


@njit(cache=True)
def _means(ring: NDArray[np.float64], seen: int, windows: NDArray[np.int64], means: NDArray[np.float64]) -> None:
    """Write the means over every window, shape (windows, len(STATS)), summed from the latest match backwards."""
    longest = ring.shape[0]
    sums = np.zeros(len(STATS))
    present = np.zeros(len(STATS))
    window = 0
    for back in range(windows[-1]):
        if back < seen:
            entry = ring[(seen - 1 - back) % longest]
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
    rings: NDArray[np.float64],
    seen: NDArray[np.int64],
    windows: NDArray[np.int64],
    fixture: Any,
    scratch: NDArray[np.float64],
    out: NDArray[np.float64],
) -> None:
    """Write means of both sides, their differences and the coverage, for every scope and window."""
    column = 0
    for scope in range(len(SCOPES)):
        for side in range(2):
            ring = 0 if scope == 0 else 1 + side
            team = fixture.team[side]
            _means(rings[team, ring], seen[team, ring], windows, scratch[side])
        for window in range(windows.size):
            for stat in range(len(STATS)):
                out[column] = scratch[0, window, stat]
                out[column + 1] = scratch[1, window, stat]
                out[column + 2] = out[column] - out[column + 1]
                column += 3
            for side in range(2):
                ring = 0 if scope == 0 else 1 + side
                out[column] = min(seen[fixture.team[side], ring], windows[window]) / windows[window]
                column += 1


@njit(cache=True)
def _fold(
    rings: NDArray[np.float64],
    seen: NDArray[np.int64],
    windows: NDArray[np.int64],
    events: Events,
    out: NDArray[np.float64],
    first: int,
) -> None:
    scratch = np.empty((2, windows.size, len(STATS)))
    for event in events:
        if event.kind == OBSERVE:
            observe(rings, seen, event)
        else:
            describe(rings, seen, windows, event, scratch, out[event.row, first:])
