"""Events in chronological order, made from frames, which the compiled kernels iterate over.

An event is a result that is observed at `known_at`, expected goals (xG) that are observed at `xg_known_at`, or a
fixture that is described at `as_of`. At the same instant the fixture comes first, because a forecast may use only what
was known *before* it; then results and then xG, each in the order of (kick-off, match id). Goals and statistics of
fixtures are never passed to the kernels.

States and events are structured arrays: a kernel reads ``event.kickoff`` and writes ``teams[event.team[0]].rating``.
"""

from __future__ import annotations

import zlib
from collections.abc import Hashable, Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.features.places import LINES, places_of
from apps.ml.forecasting.features.schema import XG
from apps.ml.forecasting.prices import EARLIER

DESCRIBE: Final = 0
OBSERVE: Final = 1
OBSERVE_XG: Final = 2

UNSEEN: Final = 0
"""Slot of all teams, competitions and regions without an observed result; its state never changes."""

SIGNALS: Final = ("shots", "shots_on_target", "corners")
"""Counts of a match other than goals, in the order of axis 1 of `signals`."""

DAY: Final = 86_400_000_000
"""Microseconds of a day."""

NOT_SCHEDULED: Final = ("cancelled", "postponed")
"""Statuses of a match that does not count in the calendar of its teams."""

EVENT: Final = np.dtype(
    [
        ("kind", np.int8),  # DESCRIBE, OBSERVE or OBSERVE_XG: the order of events of one instant
        ("neutral", np.bool_),
        ("regular", np.bool_),  # of the regular season of a league, not of a play-off
        ("level", np.int16),
        ("row", np.int64),  # output row of a fixture, -1 otherwise
        ("match", np.int64),  # id
        ("at", np.int64),  # known_at, xg_known_at or as_of, microseconds since 1970 in UTC
        ("kickoff", np.int64),  # microseconds since 1970 in UTC
        ("season", np.int64),  # id
        ("competition", np.int64),  # slot
        ("competition_id", np.int64),
        ("region", np.int64),  # slot of the competition's region
        ("country", np.int64),  # `country_of` the region: known before any result of it, unlike its slot
        ("team", np.int64, (2,)),  # slots, home first
        ("entrant", np.int64, (2,)),  # slots of (region of the competition, team)
        ("team_id", np.int64, (2,)),
        ("places", np.int64, (len(LINES),)),  # lines of the competition's table
        ("goals", np.float64, (2,)),  # NaN for fixtures
        ("signals", np.float64, (2, len(SIGNALS))),  # NaN for fixtures and where not counted
        ("xg", np.float64, (2,)),  # NaN but in OBSERVE_XG
        ("price", np.float64, (3,)),  # probabilities behind the line of a past match; NaN for fixtures and without one
    ],
    align=True,
)
"""One event; axis 0 of the nested arrays is the side, home first."""

Events = NDArray[Any]
"""Array of `EVENT`."""

_NEVER: Final = np.iinfo(np.int64).min

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class Sizes(NamedTuple):
    """Number of slots, the unseen one included."""

    teams: int
    entrants: int
    competitions: int
    regions: int


class Slots:
    """Consecutive numbers for ids, in the order of their first result; 0 is for all other ids."""

    def __init__(self, ids: Iterable[Hashable] = ()) -> None:
        self._slot: dict[Hashable, int] = {}
        for key in ids:
            self._slot[key] = len(self._slot) + 1

    def __len__(self) -> int:
        """Return the number of slots, the unseen one included."""
        return len(self._slot) + 1

    @property
    def ids(self) -> list[Hashable]:
        """Known ids in the order of their slots."""
        return list(self._slot)

    def learn(self, values: NDArray[Any]) -> None:
        """Assign a slot to each new id, in the order of the array."""
        for key in pd.unique(values).tolist():
            if key not in self._slot:
                self._slot[key] = len(self._slot) + 1

    def find(self, values: NDArray[Any]) -> Integers:
        """Return the slot of every id, shape (n,)."""
        if values.size <= 8:
            return np.array([self._slot.get(key, UNSEEN) for key in values.tolist()], dtype=np.int64)
        codes, uniques = pd.factorize(values)
        table = np.array([self._slot.get(key, UNSEEN) for key in uniques.tolist()], dtype=np.int64)
        return table[codes]


class EventRows(NamedTuple):
    """Events before slots are assigned, with the ids that need slots: regions and competitions."""

    events: Events
    region: NDArray[Any]
    competition: Integers

    def take(self, order: NDArray[Any]) -> EventRows:
        """Return the chosen rows, in that order."""
        return EventRows(self.events[order], self.region[order], self.competition[order])


class SlotIndex:
    """Slots of all teams, competitions, regions and entrants."""

    def __init__(
        self,
        teams: Sequence[int] = (),
        competitions: Sequence[int] = (),
        regions: Sequence[str] = (),
        entrants: Sequence[int] = (),
    ) -> None:
        self.teams = Slots(teams)
        self.competitions = Slots(competitions)
        self.regions = Slots(regions)
        self.entrants = Slots(entrants)

    @property
    def sizes(self) -> Sizes:
        """Number of slots of each kind."""
        return Sizes(len(self.teams), len(self.entrants), len(self.competitions), len(self.regions))

    def learn(self, rows: EventRows) -> None:
        """Assign slots to all ids in the results, which must be in the order of events."""
        team = rows.events["team_id"]
        self.teams.learn(team.ravel())
        self.competitions.learn(rows.competition)
        self.regions.learn(rows.region)
        self.entrants.learn(_entrant(self.regions.find(rows.region), team).ravel())

    def fill(self, rows: EventRows) -> None:
        """Write the slots into the events."""
        events = rows.events
        events["competition"] = self.competitions.find(rows.competition)
        events["region"] = self.regions.find(rows.region)
        for side in range(2):
            team = events["team_id"][:, side]
            events["team"][:, side] = self.teams.find(team)
            events["entrant"][:, side] = self.entrants.find(_entrant(events["region"], team[:, None])[:, 0])


def result_rows(results: pd.DataFrame) -> EventRows:
    """Return the observed results and expected goals of a frame in the order of their events.

    Rows that are not finished or lack goals are left out. A row without `known_at` has no result to observe, and one
    without `xg_known_at` or xG no xG.
    """
    known_at = _microseconds(results["known_at"])
    rows = _rows(results, OBSERVE, known_at)
    goals, signals = rows.events["goals"], rows.events["signals"]
    for side, prefix in enumerate(("home_", "away_")):
        goals[:, side] = _floats(results[f"{prefix}goals"])
        for place, signal in enumerate(SIGNALS):
            if prefix + signal in results:
                signals[:, side, place] = _floats(results[prefix + signal])
    for place, name in enumerate(EARLIER):
        if name in results:
            rows.events["price"][:, place] = _floats(results[name])
    finished = (results["status"] == "finished").to_numpy(dtype=bool, na_value=False) & ~np.isnan(goals).any(axis=1)
    chosen = np.flatnonzero(finished & (known_at != _NEVER))
    later = _xg_rows(results, rows, finished)
    match, kickoff, at = (rows.events[name][chosen] for name in ("match", "kickoff", "at"))
    order = chosen[np.lexsort((match, kickoff, at))]
    # Most frames are already in order, and a copy takes as long as making them.
    observed = rows if np.array_equal(order, np.arange(len(results))) else rows.take(order)
    return observed if later is None else _merged(observed, later)


def _xg_rows(results: pd.DataFrame, rows: EventRows, finished: NDArray[np.bool_]) -> EventRows | None:
    """Return the expected goals of finished matches as their own events; None where there are none."""
    if "xg_known_at" not in results:
        return None
    known_at = _microseconds(results["xg_known_at"])
    xg = np.stack([_floats(results[name]) for name in XG], axis=1)
    chosen = np.flatnonzero(finished & (known_at != _NEVER) & ~np.isnan(xg).any(axis=1))
    if not chosen.size:
        return None
    later = rows.take(chosen)
    later.events["kind"], later.events["at"], later.events["xg"] = OBSERVE_XG, known_at[chosen], xg[chosen]
    return later


def _merged(observed: EventRows, later: EventRows) -> EventRows:
    """Return the events of both in chronological order."""
    events, region, competition = (np.concatenate(pair) for pair in zip(observed, later, strict=True))
    order = np.lexsort([events[name] for name in ("match", "kickoff", "kind", "at")])
    return EventRows(events, region, competition).take(order)


def fixture_rows(fixtures: pd.DataFrame) -> EventRows:
    """Return the fixtures of a frame in its own order, without goals and statistics.

    Raises
    ------
    ValueError
        When a fixture has no `as_of`.
    """
    as_of = _microseconds(fixtures["as_of"])
    if (as_of == _NEVER).any():
        raise ValueError("a fixture has no as_of")
    rows = _rows(fixtures, DESCRIBE, as_of)
    rows.events["row"] = np.arange(len(fixtures))
    return rows


def fixture_row(
    *,
    match_id: int,
    competition_id: int,
    region: str,
    level: int,
    season_id: int,
    is_regular: bool,
    team_ids: tuple[int, int],
    kickoff_at: datetime,
    is_neutral: bool,
    as_of: datetime,
) -> EventRows:
    """Return what `fixture_rows` returns for one fixture, without a frame, which takes longer than the features."""
    events = np.zeros(1, dtype=EVENT)
    events["kind"] = DESCRIBE
    events["at"] = _microsecond(as_of)
    events["match"] = match_id
    events["kickoff"] = _microsecond(kickoff_at)
    events["season"] = season_id
    events["level"] = level
    events["neutral"] = is_neutral
    events["regular"] = is_regular
    events["competition_id"] = competition_id
    events["country"] = country_of(region)
    events["places"] = places_of(region, level)
    events["team_id"] = team_ids
    for name in ("goals", "signals", "xg", "price"):
        events[name] = np.nan
    return EventRows(events, np.array([region], dtype=object), events["competition_id"].copy())


class Timeline:
    """Results and fixtures together in chronological order, with the slots of an index.

    Events are large, so they are not sorted in memory: `part` gathers a slice on demand.
    """

    def __init__(self, index: SlotIndex, results: EventRows | None, fixtures: EventRows | None) -> None:
        self._parts = [rows.events for rows in (results, fixtures) if rows is not None]
        for rows in (results, fixtures):
            if rows is not None:
                index.fill(rows)
        keys = [np.concatenate([part[name] for part in self._parts]) for name in ("match", "kickoff", "kind", "at")]
        self._order = np.lexsort(keys)
        self._is_fixture = keys[2][self._order] == DESCRIBE

    def __len__(self) -> int:
        """Return the number of events."""
        return self._order.size

    def part(self, start: int, end: int) -> Events:
        """Return the events from number `start` to the one before `end`."""
        order, first = self._order[start:end], self._parts[0].size
        if len(self._parts) == 1:
            return self._parts[0][order]
        events, is_first = np.empty(order.size, dtype=EVENT), order < first
        events[is_first] = self._parts[0][order[is_first]]
        events[~is_first] = self._parts[1][order[~is_first] - first]
        return events

    def cuts(self, fixtures: int) -> list[int]:
        """Return end positions of parts with `fixtures` fixtures each; the last one is the number of events."""
        places = np.flatnonzero(self._is_fixture)
        return [*(places[fixtures::fixtures] if places.size else places).tolist(), len(self)]


def scheduled(matches: pd.DataFrame) -> pd.DataFrame:
    """Return the matches that count in the calendar, with the columns of a schedule."""
    rows = matches[["match_id", "competition_id", "season_id", "home_team_id", "away_team_id", "kickoff_at", "status"]]
    return rows[~rows["status"].isin(NOT_SCHEDULED)]


def country_of(region: str) -> int:
    """Return a number for the name of a region, the same in every process."""
    return zlib.crc32(region.encode())


def grown(state: NDArray[Any], fresh: NDArray[Any], size: int) -> NDArray[Any]:
    """Return a state with `size` slots; new ones are copies of `fresh`, shape (1, …)."""
    if size <= len(state):
        return state
    return np.concatenate((state, np.repeat(fresh, size - len(state), axis=0)))


def _rows(frame: pd.DataFrame, kind: int, at: Integers) -> EventRows:
    events = np.zeros(len(frame), dtype=EVENT)
    events["kind"] = kind
    events["row"] = -1
    events["at"] = at
    events["match"] = _integers(frame["match_id"])
    events["kickoff"] = _microseconds(frame["kickoff_at"])
    events["season"] = _integers(frame["season_id"])
    events["level"] = _integers(frame["level"])
    events["neutral"] = frame["is_neutral"].to_numpy(dtype=bool)
    events["regular"] = (frame["stage"] == "").to_numpy(dtype=bool)
    events["competition_id"] = _integers(frame["competition_id"])
    events["country"], events["places"] = _countries_and_places(frame)
    events["team_id"][:, 0] = _integers(frame["home_team_id"])
    events["team_id"][:, 1] = _integers(frame["away_team_id"])
    events["goals"] = np.nan
    events["signals"] = np.nan
    events["xg"] = np.nan
    events["price"] = np.nan
    return EventRows(events, frame["region"].to_numpy(dtype=object), events["competition_id"].copy())


def _countries_and_places(frame: pd.DataFrame) -> tuple[Integers, Integers]:
    """Return the country of every match, shape (n,), and the lines of its competition's table, (n, len(LINES))."""
    level = _integers(frame["level"])
    regions, names = pd.factorize(frame["region"].to_numpy(dtype=object))
    codes, kinds = pd.factorize((regions.astype(np.int64) << 32) | level)
    lines = [places_of(str(names[kind >> 32]), kind & 0xFFFF) for kind in kinds.tolist()]
    countries = np.array([country_of(str(name)) for name in names], dtype=np.int64)
    return countries[regions], np.array(lines, dtype=np.int64).reshape(-1, len(LINES))[codes]


def _entrant(region: Integers, team: Integers) -> Integers:
    """Return one number for (slot of the region, id of the team), shape (n, …); ids of teams are 32 bits wide."""
    return (region[:, None] << 32) | team


def _integers(column: pd.Series[Any]) -> Integers:
    return column.to_numpy(dtype=np.int64)


def _floats(column: pd.Series[Any]) -> Floats:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _microsecond(at: datetime) -> int:
    """Return an aware time as microseconds since 1970 in UTC."""
    return (at - _EPOCH) // timedelta(microseconds=1)


def _microseconds(column: pd.Series[Any]) -> Integers:
    """Return aware times as microseconds since 1970 in UTC; a missing one is the smallest integer."""
    if getattr(column.dtype, "tz", None) is None:
        raise TypeError(f"{column.name}: {column.dtype} is not an aware time")
    return column.to_numpy(dtype="datetime64[us]").view(np.int64)
