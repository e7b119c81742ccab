"""Frames to events: what the compiled kernels walk over, in the order of time.

An event is a result that is observed at `known_at` or a fixture that is described at `as_of`. At the same instant the
fixture comes first, because a forecast may use only what was known *before* it; results of one instant come in the
order of (kick-off, match id). A fixture carries no goals and no statistics into the kernels, whatever its frame holds.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Sequence
from typing import Any, Final, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray

DESCRIBE: Final = 0
OBSERVE: Final = 1

UNSEEN: Final = 0
"""Slot of every team, competition and region that no observed result has named; its state stays as it began."""

SIGNALS: Final = ("shots", "shots_on_target", "corners")
"""Counts that the kernels see beside goals, in the order of axis 2 of `Block.signals`."""

DAY: Final = 86_400_000_000
"""Microseconds of a day."""

NOT_SCHEDULED: Final = ("cancelled", "postponed")
"""Statuses of a match that takes no place in the calendar of its teams."""

_NEVER: Final = np.iinfo(np.int64).min


class Block(NamedTuple):
    """Events in the order of time, one entry of every array each; times are microseconds since 1970 in UTC.

    `row` is the output row of a fixture and -1 for a result. `home`, `away`, `competition` and `region` are slots,
    `home_entrant` and `away_entrant` slots of (region of the competition, team); `home_id`, `away_id` and `season` are
    the caller's own ids. `signals` has shape (events, 2 sides, len(SIGNALS)). Goals and signals are NaN for fixtures.
    """

    kind: NDArray[np.int8]
    row: NDArray[np.int64]
    at: NDArray[np.int64]
    kickoff: NDArray[np.int64]
    home: NDArray[np.int64]
    away: NDArray[np.int64]
    home_entrant: NDArray[np.int64]
    away_entrant: NDArray[np.int64]
    home_id: NDArray[np.int64]
    away_id: NDArray[np.int64]
    competition: NDArray[np.int64]
    region: NDArray[np.int64]
    season: NDArray[np.int64]
    level: NDArray[np.int64]
    neutral: NDArray[np.bool_]
    home_goals: NDArray[np.float64]
    away_goals: NDArray[np.float64]
    signals: NDArray[np.float64]


class Sizes(NamedTuple):
    """Number of slots, the unseen one included."""

    teams: int
    entrants: int
    competitions: int
    regions: int


class Slots:
    """Dense numbers for ids, given in the order in which results first name them; 0 stands for every unseen id."""

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
        """Give a slot to every new id, in the order of the array."""
        for key in pd.unique(values).tolist():
            if key not in self._slot:
                self._slot[key] = len(self._slot) + 1

    def find(self, values: NDArray[Any]) -> NDArray[np.int64]:
        """Return the slot of every id, shape (n,)."""
        if values.size <= 8:
            return np.array([self._slot.get(key, UNSEEN) for key in values.tolist()], dtype=np.int64)
        codes, uniques = pd.factorize(values)
        table = np.array([self._slot.get(key, UNSEEN) for key in uniques.tolist()], dtype=np.int64)
        return table[codes]


class Index:
    """The slots of everything that the families keep state for."""

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

    def learn(self, rows: Rows) -> None:
        """Give slots to what the results name; the rows must be in the order of their events."""
        self.teams.learn(np.column_stack((rows.home, rows.away)).ravel())
        self.competitions.learn(rows.competition)
        self.regions.learn(rows.region)
        region = self.regions.find(rows.region)
        self.entrants.learn(np.column_stack((_entrant(region, rows.home), _entrant(region, rows.away))).ravel())


class Rows(NamedTuple):
    """Columns of a frame as plain arrays, still with the caller's ids; the same length each."""

    match: NDArray[np.int64]
    at: NDArray[np.int64]
    kickoff: NDArray[np.int64]
    home: NDArray[np.int64]
    away: NDArray[np.int64]
    competition: NDArray[np.int64]
    region: NDArray[Any]
    season: NDArray[np.int64]
    level: NDArray[np.int64]
    neutral: NDArray[np.bool_]
    home_goals: NDArray[np.float64]
    away_goals: NDArray[np.float64]
    signals: NDArray[np.float64]

    def take(self, order: NDArray[Any]) -> Rows:
        """Return the chosen rows, in that order."""
        return Rows(*(column[order] for column in self))


def result_rows(results: pd.DataFrame) -> Rows:
    """Return the observed results of a frame in the order of their events.

    Rows that are not finished, or lack goals or `known_at`, carry no result and are left out.
    """
    known_at = _microseconds(results["known_at"])
    home_goals = _floats(results["home_goals"])
    away_goals = _floats(results["away_goals"])
    finished = (results["status"] == "finished").to_numpy(dtype=bool, na_value=False)
    keep = finished & (known_at != _NEVER) & ~np.isnan(home_goals) & ~np.isnan(away_goals)
    signals = np.full((len(results), 2, len(SIGNALS)), np.nan)
    for place, signal in enumerate(SIGNALS):
        for side, prefix in enumerate(("home_", "away_")):
            if prefix + signal in results:
                signals[:, side, place] = _floats(results[prefix + signal])
    rows = _rows(results, known_at, home_goals, away_goals, signals)
    rows = rows.take(np.flatnonzero(keep))
    return rows.take(np.lexsort((rows.match, rows.kickoff, rows.at)))


def fixture_rows(fixtures: pd.DataFrame) -> Rows:
    """Return the fixtures of a frame in its own order, without goals and statistics.

    Raises
    ------
    ValueError
        When a fixture has no `as_of`.
    """
    as_of = _microseconds(fixtures["as_of"])
    if (as_of == _NEVER).any():
        raise ValueError("a fixture has no as_of")
    nothing = np.full(len(fixtures), np.nan)
    return _rows(fixtures, as_of, nothing, nothing, np.full((len(fixtures), 2, len(SIGNALS)), np.nan))


def block_of(index: Index, results: Rows, fixtures: Rows) -> Block:
    """Merge results and fixtures into one block of events in the order of time."""
    count = results.at.size
    rows = Rows(*(np.concatenate(pair) for pair in zip(results, fixtures, strict=True))) if count else fixtures
    kind = np.full(rows.at.size, DESCRIBE, dtype=np.int8)
    kind[:count] = OBSERVE
    row = np.concatenate((np.full(count, -1, dtype=np.int64), np.arange(fixtures.at.size, dtype=np.int64)))
    if rows.at.size > 1:
        order = np.lexsort((rows.match, rows.kickoff, kind, rows.at))
        rows, kind, row = rows.take(order), kind[order], row[order]
    region = index.regions.find(rows.region)
    return Block(
        kind=kind,
        row=row,
        at=rows.at,
        kickoff=rows.kickoff,
        home=index.teams.find(rows.home),
        away=index.teams.find(rows.away),
        home_entrant=index.entrants.find(_entrant(region, rows.home)),
        away_entrant=index.entrants.find(_entrant(region, rows.away)),
        home_id=rows.home,
        away_id=rows.away,
        competition=index.competitions.find(rows.competition),
        region=region,
        season=rows.season,
        level=rows.level,
        neutral=rows.neutral,
        home_goals=rows.home_goals,
        away_goals=rows.away_goals,
        signals=rows.signals,
    )


def no_rows() -> Rows:
    """Return rows of nothing."""
    whole, real = np.empty(0, dtype=np.int64), np.empty(0)
    text = np.empty(0, dtype=object)
    signals = np.empty((0, 2, len(SIGNALS)))
    return Rows(
        whole, whole, whole, whole, whole, whole, text, whole, whole, np.empty(0, dtype=bool), real, real, signals
    )


def scheduled(matches: pd.DataFrame) -> pd.DataFrame:
    """Return the rows of the matches that take a place in the calendar, with the columns of a schedule."""
    rows = matches[["match_id", "season_id", "home_team_id", "away_team_id", "kickoff_at", "status"]]
    return rows[~rows["status"].isin(NOT_SCHEDULED)]


def _rows(
    frame: pd.DataFrame,
    at: NDArray[np.int64],
    home_goals: NDArray[np.float64],
    away_goals: NDArray[np.float64],
    signals: NDArray[np.float64],
) -> Rows:
    return Rows(
        match=_integers(frame["match_id"]),
        at=at,
        kickoff=_microseconds(frame["kickoff_at"]),
        home=_integers(frame["home_team_id"]),
        away=_integers(frame["away_team_id"]),
        competition=_integers(frame["competition_id"]),
        region=frame["region"].to_numpy(dtype=object),
        season=_integers(frame["season_id"]),
        level=_integers(frame["level"]),
        neutral=frame["is_neutral"].to_numpy(dtype=bool),
        home_goals=home_goals,
        away_goals=away_goals,
        signals=signals,
    )


def _entrant(region: NDArray[np.int64], team: NDArray[np.int64]) -> NDArray[np.int64]:
    """Return one number for (slot of the region, id of the team); ids of teams are 32 bits wide."""
    return (region << 32) | team


def _integers(column: pd.Series[Any]) -> NDArray[np.int64]:
    return column.to_numpy(dtype=np.int64)


def _floats(column: pd.Series[Any]) -> NDArray[np.float64]:
    return column.to_numpy(dtype=np.float64, na_value=np.nan)


def _microseconds(column: pd.Series[Any]) -> NDArray[np.int64]:
    """Return aware times as microseconds since 1970 in UTC; a missing one is the smallest integer."""
    if getattr(column.dtype, "tz", None) is None:
        raise TypeError(f"{column.name}: {column.dtype} is not an aware time")
    return column.to_numpy(dtype="datetime64[us]").view(np.int64)
