"""Form: means over the latest matches of a team, in five scopes, and how many of them there are."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.features.catalogue import SIDES, Feature, sided
from apps.ml.forecasting.features.events import DESCRIBE, OBSERVE, SIGNALS, UNSEEN, Events, Sizes
from apps.ml.forecasting.kernels import njit

SCOPES: Final = {
    "all": "latest matches",
    "season": "latest matches of the season",
    "competition": "latest matches in the competition",
    "venue": "latest matches at home (home side) or away (away side)",
    "head_to_head": "latest meetings of these two clubs",
}
"""Which matches count, in the order of the columns. Meetings count wherever they were played."""

ALL: Final = 0
SEASON: Final = 1
COMPETITION: Final = 2
VENUE: Final = 3
HEAD_TO_HEAD: Final = 4

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

FIRST_COUNT: Final = len(STATS) - COUNTS
"""Place in `STATS` of the first that is a count; those before it are derived from goals."""

RINGS: Final = 3
"""Rings of a team: all matches, home matches, away matches."""

PRESENT_BITS: Final = 20

PRESENT: Final = 1 << PRESENT_BITS
"""Added to each count that is present, so that a sum of counts also contains their number."""

LONGEST: Final = 2000
"""Largest window, in matches, whose sums fit into 32 bits."""

MISSING: Final = -1
"""A missing count in a serialized state."""

ANY_SEASON: Final = -1


class Rings(NamedTuple):
    """Ring buffers of latest matches; slot 0 stays empty."""

    keys: Integers  # shape (rings,), in the order of first results
    used: Integers  # matches in the ring, shape (rings,)
    seasons: NDArray[np.int32]  # of the matches, latest first, shape (rings, longest window)
    counts: NDArray[np.int32]  # of the matches plus `PRESENT`, 0 if missing, shape (rings, longest window, COUNTS)
    slots: NDArray[np.int32]  # open-addressing table from keys to rings, shape (a power of two,)
    size: Integers  # number of rings in use, the empty one included, shape (1,)

    @classmethod
    def of(cls, rings: int, longest: int) -> Self:
        """Return empty rings, none of them in use."""
        return cls(
            keys=np.zeros(rings, dtype=np.int64),
            used=np.zeros(rings, dtype=np.int64),
            seasons=np.zeros((rings, longest), dtype=np.int32),
            counts=np.zeros((rings, longest, COUNTS), dtype=np.int32),
            slots=np.zeros(1 << int(2 * rings - 1).bit_length(), dtype=np.int32),
            size=np.ones(1, dtype=np.int64),
        )

    def with_room(self, more: int) -> Rings:
        """Return the same rings with capacity for `more` rings, grown by at least an eighth."""
        size, longest = int(self.size[0]), self.seasons.shape[1]
        if size + more <= self.keys.size:
            return self
        grown = Rings.of(max(size + more, size + size // 8), longest)
        for name in ("keys", "used", "seasons", "counts", "size"):
            old = getattr(self, name)[:size]
            getattr(grown, name)[: len(old)] = old
        _index(grown)
        return grown

    def arrays(self, name: str) -> dict[str, NDArray[Any]]:
        """Return the rings in use as named arrays, without unused entries."""
        size = int(self.size[0])
        used, counts = self.used[:size], self.counts[:size]
        there = np.arange(counts.shape[1]) < used[:, None]
        chosen = counts[there]
        return {
            f"{name}_keys": self.keys[:size],
            f"{name}_used": used.astype(np.int16),
            f"{name}_seasons": self.seasons[:size][there],
            f"{name}_counts": np.where(chosen >= PRESENT, chosen % PRESENT, MISSING).astype(np.int16),
        }

    @classmethod
    def restored(cls, arrays: Mapping[str, NDArray[Any]], name: str, longest: int) -> Self:
        """Restore rings from `arrays`."""
        keys, used = arrays[f"{name}_keys"], arrays[f"{name}_used"].astype(np.int64)
        rings = cls.of(keys.size, longest)
        there = np.arange(longest) < used[:, None]
        counts = arrays[f"{name}_counts"].astype(np.int32)
        rings.keys[:], rings.used[:], rings.size[0] = keys, used, keys.size
        rings.seasons[there] = arrays[f"{name}_seasons"]
        rings.counts[there] = np.where(counts == MISSING, 0, counts + PRESENT)
        _index(rings)
        return rings


class FormFeatures:
    """Means of results, goals and shots over the latest matches of both sides.

    The state is a ring of the latest matches of every team (all, at home, away), of every team in every competition,
    and of every pair of teams that has met.

    Parameters: ``windows``, numbers of matches in rising order; ``scopes``, for each of `SCOPES` that is wanted a list
    of `STATS`. A match of the season counts while it is among the latest of the competition, of which the longest
    window are kept.
    """

    name = "form"

    def __init__(self, params: Mapping[str, Any]) -> None:
        self._windows = np.array(params["windows"], dtype=np.int64)
        if self._windows.size == 0 or self._windows[0] < 1 or (np.diff(self._windows) < 1).any():
            raise ValueError(f"form: windows {self._windows.tolist()} do not rise from 1 or more")
        self._longest = int(self._windows[-1])
        if self._longest > LONGEST:
            raise ValueError(f"form: a window of {self._longest} matches is longer than {LONGEST}")
        scopes = params["scopes"]
        unknown = [name for name in scopes if name not in SCOPES]
        unknown += [stat for stats in scopes.values() for stat in stats if stat not in STATS]
        if unknown:
            raise ValueError(f"form: unknown {unknown}; there are scopes {list(SCOPES)} and stats {list(STATS)}")
        self._chosen = np.array([[stat in scopes.get(scope, ()) for stat in STATS] for scope in SCOPES])
        self._teams = Rings.of(RINGS, self._longest)
        self._entrants = Rings.of(1, self._longest)
        self._pairs = Rings.of(1, self._longest)

    def features(self) -> tuple[Feature, ...]:
        rows = []
        for number, scope in enumerate(SCOPES):
            stats = [stat for index, stat in enumerate(STATS) if self._chosen[number, index]]
            for window in self._windows.tolist() if stats else ():
                rows += [self._mean(scope, window, stat) for stat in stats]
                rows.append(self._coverage(scope, window))
        return tuple(row for group in rows for row in group)

    def _mean(self, scope: str, window: int, stat: str) -> list[Feature]:
        """Return the columns of one mean: home, away and their difference."""
        meaning = f"mean {stat.replace('_', ' ')} over the {window} {SCOPES[scope]}"
        return sided(f"form_{scope}_{window}_{stat}", self.name, scope, window, "per match", meaning)

    def _coverage(self, scope: str, window: int) -> list[Feature]:
        """Return the columns of the coverage of a window: one for each side, one in total for head to head."""
        name, meaning = f"form_{scope}_{window}_coverage", f"share of the window of {window} that is filled by"
        if scope == "head_to_head":
            meaning = f"{meaning} {SCOPES[scope]}"
            return [Feature(name, self.name, "match", scope, window, "share", meaning)]
        meaning = f"{meaning} its {SCOPES[scope]}"
        return [
            Feature(f"{name}_{side}", self.name, side, scope, window, "share", f"{side} side: {meaning}")
            for side in SIDES[:2]
        ]

    def fold(self, events: Events, sizes: Sizes, out: Floats, first: int) -> None:
        results = int((events["kind"] == OBSERVE).sum())
        self._teams = self._teams.with_room(RINGS * sizes.teams - int(self._teams.size[0]))
        self._teams.size[0] = RINGS * sizes.teams
        if results:
            self._entrants = self._entrants.with_room(min(2 * results, sizes.teams * sizes.competitions))
            self._pairs = self._pairs.with_room(min(results, sizes.teams * sizes.teams))
        _fold(self._teams, self._entrants, self._pairs, self._windows, self._chosen, events, out, first)

    def arrays(self) -> dict[str, NDArray[Any]]:
        return {**self._teams.arrays("teams"), **self._entrants.arrays("entrants"), **self._pairs.arrays("pairs")}

    def restore(self, arrays: Mapping[str, NDArray[Any]]) -> None:
        self._teams = Rings.restored(arrays, "teams", self._longest)
        self._entrants = Rings.restored(arrays, "entrants", self._longest)
        self._pairs = Rings.restored(arrays, "pairs", self._longest)


@njit(cache=True)
def _place(rings: Rings, key: int) -> int:
    """Return the position of a key in the hash table, or where it would be inserted."""
    last = rings.slots.size - 1
    # Multiplying by the golden ratio of 2**64 spreads neighbouring keys.
    place = ((key * -7046029254386353131) >> 32) & last
    while rings.slots[place] != UNSEEN and rings.keys[rings.slots[place]] != key:
        place = (place + 1) & last
    return place


@njit(cache=True)
def _index(rings: Rings) -> None:
    """Fill the hash table from the keys."""
    for slot in range(1, rings.size[0]):
        rings.slots[_place(rings, rings.keys[slot])] = slot


@njit(cache=True)
def _learnt(rings: Rings, key: int) -> int:
    """Return the ring of a key, creating it if need be."""
    place = _place(rings, key)
    if rings.slots[place] == UNSEEN:
        slot = rings.size[0]
        rings.keys[slot] = key
        rings.slots[place] = slot
        rings.size[0] = slot + 1
    return rings.slots[place]


@njit(cache=True)
def _entrant(event: Any, side: int) -> int:
    """Return the key of a team in a competition."""
    return (event.team[side] << 32) | event.competition


@njit(cache=True)
def _pair(event: Any) -> int:
    """Return the key of two teams, the same for either at home."""
    home, away = event.team[0], event.team[1]
    return (min(home, away) << 32) | max(home, away)


@njit(cache=True)
def _put(rings: Rings, slot: int, result: Any, side: int) -> None:
    """Insert a result, from the view of one side, at the front of a ring."""
    counts, seasons = rings.counts[slot], rings.seasons[slot]
    used = rings.used[slot]
    for place in range(min(used, seasons.size - 1), 0, -1):
        seasons[place] = seasons[place - 1]
        for count in range(COUNTS):
            counts[place, count] = counts[place - 1, count]
    seasons[0] = result.season
    for whose in range(2):
        team = side if whose == 0 else 1 - side
        counts[0, whose] = PRESENT + int(result.goals[team])
        for signal in range(len(SIGNALS)):
            value = result.signals[team, signal]
            counts[0, 2 + 2 * signal + whose] = 0 if np.isnan(value) else PRESENT + int(value)
    rings.used[slot] = min(used + 1, seasons.size)


@njit(cache=True)
def observe(teams: Rings, entrants: Rings, pairs: Rings, result: Any) -> None:
    """Put one result into the rings of both teams, of both in the competition, and of their meetings."""
    for side in range(2):
        ring = RINGS * result.team[side]
        _put(teams, ring, result, side)
        _put(teams, ring + 1 + side, result, side)
        _put(entrants, _learnt(entrants, _entrant(result, side)), result, side)
    _put(pairs, _learnt(pairs, _pair(result)), result, 0 if result.team[0] <= result.team[1] else 1)


@njit(cache=True)
def _sum(rings: Rings, slot: int, season: int, windows: Integers, totals: NDArray[np.int32]) -> int:
    """Write the sums over every window, shape (windows, len(STATS)), from the latest match backwards.

    Every sum contains `PRESENT` for each counted match. Sums of integers are exact.
    Matches of other seasons are skipped unless `season` is `ANY_SEASON`. Return how many matches there were.
    """
    counts, seasons = rings.counts[slot], rings.seasons[slot]
    found, window = 0, 0
    totals[0] = 0
    for index in range(rings.used[slot]):
        if season != ANY_SEASON and seasons[index] != season:
            continue
        sums = totals[window]
        win = np.int32(counts[index, 0] > counts[index, 1])
        draw = np.int32(counts[index, 0] == counts[index, 1])
        sums[0] += PRESENT + win
        sums[1] += PRESENT + draw
        sums[2] += PRESENT + 1 - win - draw
        sums[3] += PRESENT + 3 * win + draw
        for count in range(COUNTS):
            sums[FIRST_COUNT + count] += counts[index, count]
        found += 1
        if found == windows[window] and window + 1 < windows.size:
            window += 1
            totals[window] = sums
    for longer in range(window + 1, windows.size):
        totals[longer] = totals[window]
    return found


@njit(cache=True)
def _mirror(totals: NDArray[np.int32], turned: NDArray[np.int32]) -> None:
    """Write the sums of the same matches from the view of the other side."""
    for window in range(len(totals)):
        own, other = totals[window], turned[window]
        other[0], other[1], other[2] = own[2], own[1], own[0]
        # One point for each draw, three for each defeat of the own side.
        other[3] = own[1] + 3 * (own[2] & (PRESENT - 1))
        for count in range(FIRST_COUNT, len(STATS), 2):
            other[count], other[count + 1] = own[count + 1], own[count]


@njit(cache=True, error_model="numpy")
def _divide(totals: NDArray[np.int32], means: Floats) -> None:
    """Write the means of sums, shape (n,); NaN without a count."""
    for place in range(totals.size):
        there = totals[place] >> PRESENT_BITS
        mean = (totals[place] & (PRESENT - 1)) / there
        means[place] = mean if there > 0 else np.nan


@njit(cache=True)
def describe(
    teams: Rings,
    entrants: Rings,
    pairs: Rings,
    windows: Integers,
    chosen: NDArray[np.bool_],
    fixture: Any,
    totals: NDArray[np.int32],
    means: Floats,
    out: Floats,
) -> None:
    """Write means of both sides, their differences and the coverage, for every scope and window."""
    column = 0
    home_found, away_found = 0, 0
    for scope in range(len(chosen)):
        if not chosen[scope].any():
            continue
        if scope == HEAD_TO_HEAD:
            slot = pairs.slots[_place(pairs, _pair(fixture))]
            own = 0 if fixture.team[0] <= fixture.team[1] else 1
            home_found = away_found = _sum(pairs, slot, ANY_SEASON, windows, totals[own])
            _mirror(totals[own], totals[1 - own])
        elif scope in (ALL, VENUE):
            home, away = (0, 0) if scope == ALL else (1, 2)
            home_found = _sum(teams, RINGS * fixture.team[0] + home, ANY_SEASON, windows, totals[0])
            away_found = _sum(teams, RINGS * fixture.team[1] + away, ANY_SEASON, windows, totals[1])
        else:
            season = fixture.season if scope == SEASON else ANY_SEASON
            home = entrants.slots[_place(entrants, _entrant(fixture, 0))]
            away = entrants.slots[_place(entrants, _entrant(fixture, 1))]
            home_found = _sum(entrants, home, season, windows, totals[0])
            away_found = _sum(entrants, away, season, windows, totals[1])
        _divide(totals.ravel(), means.ravel())
        for window in range(windows.size):
            for stat in range(len(STATS)):
                if chosen[scope, stat]:
                    out[column] = means[0, window, stat]
                    out[column + 1] = means[1, window, stat]
                    out[column + 2] = out[column] - out[column + 1]
                    column += 3
            out[column] = min(home_found, windows[window]) / windows[window]
            column += 1
            if scope != HEAD_TO_HEAD:
                out[column] = min(away_found, windows[window]) / windows[window]
                column += 1


@njit(cache=True, nogil=True)
def _fold(
    teams: Rings,
    entrants: Rings,
    pairs: Rings,
    windows: Integers,
    chosen: NDArray[np.bool_],
    events: Events,
    out: Floats,
    first: int,
) -> None:
    totals = np.empty((2, windows.size, len(STATS)), dtype=np.int32)
    means = np.empty((2, windows.size, len(STATS)))
    for event in events:
        if event.kind == OBSERVE:
            observe(teams, entrants, pairs, event)
        elif event.kind == DESCRIBE:
            describe(teams, entrants, pairs, windows, chosen, event, totals, means, out[event.row, first:])
