"""The fold over results and fixtures in chronological order, with the same kernels offline and online."""

from __future__ import annotations

import io
import json
import threading
import zipfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any, Final, NamedTuple, Self

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats
from apps.ml.forecasting.features import events
from apps.ml.forecasting.features.base_rates import BaseRateFeatures
from apps.ml.forecasting.features.blocks import FamilyWorkers, FeatureBlock
from apps.ml.forecasting.features.catalogue import Feature
from apps.ml.forecasting.features.context import ContextFeatures
from apps.ml.forecasting.features.events import EventRows, SlotIndex, Timeline
from apps.ml.forecasting.features.family import FeatureFamily
from apps.ml.forecasting.features.form import FormFeatures
from apps.ml.forecasting.features.lineups import LineupFeatures
from apps.ml.forecasting.features.ratings import (
    DixonColesRatings,
    EloRatings,
    GapRatings,
    MarketRatings,
    PerformanceRatings,
    PiRatings,
    PoissonFilterRatings,
)
from apps.ml.forecasting.features.table import ADJUSTMENT, LeagueTable

FORMAT: Final = 6
"""Version of the serialized state; increase it when the state of a family changes its shape or meaning."""

BEFORE_SEASON_FORM: Final = 5
"""The version before ratings made of prices had the form of a season. States without these ratings are read still."""

BEFORE_XG: Final = 4
"""The version before xG was observed. States without ratings made of prices are read still."""

BLOCK: Final = 32_768
"""Fixtures of a block of `FeatureState.stream`."""

THREADS: Final = 2
"""Families that `FeatureState.stream` folds at once."""

_EPOCH: Final = datetime(1970, 1, 1, tzinfo=UTC)


class TeamStrength(NamedTuple):
    """Goals that a team is expected to score and concede against an average side of a league, on neutral ground."""

    team_id: int
    season_id: int  # its latest league season
    scored: float
    conceded: float


class LateResultError(ValueError):
    """A result is not later than all observed ones; the state must be rebuilt."""


class LookAheadError(ValueError):
    """A fixture would be described as of a moment before observed results."""


class StateFormatError(ValueError):
    """Bytes are no feature state of this format."""


FAMILIES: Final[dict[str, Callable[[Mapping[str, Any]], FeatureFamily]]] = {
    "base_rates": BaseRateFeatures,
    "elo": EloRatings,
    "dixon_coles": DixonColesRatings,
    "poisson_filter": PoissonFilterRatings,
    "gap": GapRatings,
    "performance": PerformanceRatings,
    "pi": PiRatings,
    "form": FormFeatures,
    "context": ContextFeatures,
    "table": LeagueTable,
    "lineups": LineupFeatures,
    "market": MarketRatings,
}
"""All families, in the order of their columns. The property tests run over this mapping."""


class FeatureState:
    """The state of all families after the observed results.

    Create it by `new` or `from_bytes`. Methods are thread-safe: a lock serializes them, because even `describe` refits
    ratings whose period has ended. The values do not depend on the order of calls.
    """

    def __init__(
        self, params: Mapping[str, Any], families: Sequence[str], index: SlotIndex, latest: Sequence[int]
    ) -> None:
        unknown = [name for name in families if name not in FAMILIES]
        if unknown:
            raise ValueError(f"unknown feature families {unknown}; there are {list(FAMILIES)}")
        self.params = {name: dict(params[name]) for name in families}
        self._families = [FAMILIES[name](self.params[name]) for name in families]
        self._index = index
        self._latest = tuple(latest)
        self._adjustments = np.zeros(0, dtype=ADJUSTMENT)
        self._lock = threading.RLock()
        self._widths = [len(family.features()) for family in self._families]
        features = [feature for family in self._families for feature in family.features()]
        self.names = tuple(feature.name for feature in features)
        if len(set(self.names)) != len(self.names):
            raise ValueError("two features share a name")
        self.catalogue = tuple(features)

    @classmethod
    def new(cls, params: Mapping[str, Any], families: Sequence[str] | None = None) -> Self:
        """Return a state that has observed nothing, of all families in the section ``features``, or of some."""
        wanted = set(params if families is None else families)
        unknown = wanted - set(FAMILIES)
        if unknown:
            raise ValueError(f"unknown feature families {sorted(unknown)}; there are {list(FAMILIES)}")
        return cls(params, [name for name in FAMILIES if name in wanted], SlotIndex(), ())

    @property
    def families(self) -> tuple[str, ...]:
        """Names of the families, in the order of their columns."""
        return tuple(self.params)

    @property
    def observed_until(self) -> datetime | None:
        """`known_at` of the latest result that was observed, or `xg_known_at` if later; None before the first."""
        return _EPOCH + timedelta(microseconds=self._latest[0]) if self._latest else None

    @property
    def reads_lineups(self) -> bool:
        """Whether line-ups of a fixture affect its features: only if earlier line-ups were observed."""
        return any(isinstance(family, LineupFeatures) and family.has_history for family in self._families)

    def fold(
        self,
        results: pd.DataFrame,
        fixtures: pd.DataFrame,
        schedule: pd.DataFrame | None = None,
        *,
        lineups: pd.DataFrame | None = None,
    ) -> Floats:
        """Observe results and describe fixtures, merged in chronological order.

        Parameters
        ----------
        results : DataFrame
            Columns of `schema.MATCHES`; rows without a result are left out.
        fixtures : DataFrame
            The same columns and `as_of`; goals, statistics, status and `known_at` are not read.
        schedule : DataFrame, optional
            Every scheduled match; by default the rows of both frames together.
        lineups : DataFrame, optional
            Columns of `schema.LINEUPS`, of results and fixtures; rows count only from their `known_at` on.

        Returns
        -------
        ndarray of float64, shape (fixtures, features)
            Row i belongs to ``fixtures.iloc[i]``.

        Raises
        ------
        LateResultError, LookAheadError
            When the state has already observed something that is not before the results, or the fixtures.
        """
        self.schedule(_calendar(results, fixtures) if schedule is None else schedule)
        return self._run(events.result_rows(results), events.fixture_rows(fixtures), lineups)

    def stream(
        self,
        results: pd.DataFrame,
        fixtures: pd.DataFrame,
        schedule: pd.DataFrame | None = None,
        *,
        lineups: pd.DataFrame | None = None,
        block: int = BLOCK,
        threads: int = THREADS,
    ) -> Iterator[FeatureBlock]:
        """Do what `fold` does, but yield the features block by block, in chronological order.

        The values are the same, rounded to 32 bits, with a fraction of the memory and several families in parallel. Do
        not use the state otherwise until the last block: it reports all results as observed from the start.

        Parameters
        ----------
        results, fixtures, schedule, lineups : DataFrame
            As `fold` takes them.
        block : int
            Fixtures of a block.
        threads : int
            Families that are folded at the same time.

        Yields
        ------
        Block
            Results have been observed up to the last fixture of the block; all of them after the last block.

        Raises
        ------
        LateResultError, LookAheadError
            As `fold` does, before anything is observed.
        """
        self.schedule(_calendar(results, fixtures) if schedule is None else schedule)
        with self._lock:
            timeline = self._timeline(events.result_rows(results), events.fixture_rows(fixtures))
            self._set_lineups(lineups)
        start = 0
        with ThreadPoolExecutor(threads) as pool:
            workers = FamilyWorkers(pool, self._families, self._widths)
            for end in timeline.cuts(block):
                with self._lock:
                    described = workers.block(timeline.part(start, end), self._index.sizes)
                start = end
                yield described

    def observe(self, results: pd.DataFrame, *, lineups: pd.DataFrame | None = None) -> int:
        """Observe results that all lie after those observed before, with their line-ups, and return their number.

        Raises
        ------
        LateResultError
            When one does not; then nothing is observed, and the state must be rebuilt.
        """
        rows = events.result_rows(results)
        self._run(rows, None, lineups)
        return int((rows.events["kind"] == events.OBSERVE).sum())

    def describe(self, fixtures: pd.DataFrame | EventRows, *, lineups: pd.DataFrame | None = None) -> Floats:
        """Return the features of fixtures, shape (fixtures, features), rows in the caller's order.

        Fixtures are a frame or what `events.fixture_row` returned.

        Only rows of `lineups` that were known before the `as_of` of their fixture count.

        Raises
        ------
        LookAheadError
            When an `as_of` is not after the latest observed result.
        """
        rows = fixtures if isinstance(fixtures, EventRows) else events.fixture_rows(fixtures)
        return self._run(None, rows, lineups)

    def team_strengths(self, top_of: Mapping[int, int], *, since: datetime, least: int) -> list[TeamStrength]:
        """Return the strength of each team that has played recently, by `PoissonFilterRatings`.

        Parameters
        ----------
        top_of : mapping
            Id of a league season → id of the competition that its teams are compared with.
        since : datetime
            Teams whose latest match was before are left out.
        least : int
            Teams with fewer observed matches are left out.
        """
        with self._lock:
            family = next((each for each in self._families if isinstance(each, PoissonFilterRatings)), None)
            if family is None:
                return []
            teams = family.arrays()["teams"][1:]
            ids = np.array(self._index.teams.ids[: len(teams)], dtype=np.int64)
            late = (teams["at"] >= int((since - _EPOCH) / timedelta(microseconds=1))) & (teams["played"] >= least)
            tops = self._index.competitions.find(np.array([top_of.get(int(each), 0) for each in teams["season"]]))
            chosen = np.flatnonzero(late & (tops != events.UNSEEN))
            goals = family.strengths(chosen + 1, tops[chosen])
            return [
                TeamStrength(int(team), int(season), float(scored), float(conceded))
                for team, season, (scored, conceded) in zip(ids[chosen], teams["season"][chosen], goals, strict=True)
            ]

    def copy(self) -> Self:
        """Return an independent copy.

        Describe fixtures as of a later day with a copy: that refits ratings whose period ends before that day, without
        the results still to come in the period.
        """
        return type(self).from_bytes(self.to_bytes())

    def schedule(self, matches: pd.DataFrame) -> None:
        """Replace the calendar that rest and congestion are counted in.

        Parameters
        ----------
        matches : DataFrame
            ``match_id``, ``competition_id``, ``season_id``, ``home_team_id``, ``away_team_id``, ``kickoff_at`` and
            ``status`` of every match, played or to come; cancelled and postponed ones are left out. The latest 400 days
            and all that is to come are enough. Of two rows with one id the later one counts.
        """
        rows = events.scheduled(matches)
        with self._lock:
            for family in self._families:
                if isinstance(family, ContextFeatures):
                    family.schedule(rows)

    def adjust(self, adjustments: pd.DataFrame) -> None:
        """Replace what changes league tables besides the observed results.

        Parameters
        ----------
        adjustments : DataFrame
            Columns of `schema.ADJUSTMENTS`; a row counts in fixtures whose `as_of` is after its `known_at`.
        """
        rows = adjustments.sort_values(["season_id", "known_at", "team_id"], kind="stable")
        known_at = rows["known_at"].to_numpy(dtype="datetime64[us]").view(np.int64)
        columns = [rows[name].to_numpy() for name in ("points", "played", "difference", "scored")]
        with self._lock:
            self._adjustments = np.rec.fromarrays(
                [rows["season_id"].to_numpy(), rows["team_id"].to_numpy(), known_at, *columns], dtype=ADJUSTMENT
            ).view(np.ndarray)
            self._pass_adjustments()

    def _pass_adjustments(self) -> None:
        """Pass the adjustments of teams with an observed result to the family that uses them."""
        rows = self._adjustments.copy()
        rows["team"] = self._index.teams.find(rows["team"])
        for family in self._families:
            if isinstance(family, LeagueTable):
                family.set_adjustments(rows[rows["team"] != events.UNSEEN])

    def _run(self, results: EventRows | None, fixtures: EventRows | None, lineups: pd.DataFrame | None) -> Floats:
        out = np.full((0 if fixtures is None else fixtures.events.size, len(self.names)), np.nan)
        with self._lock:
            timeline = self._timeline(results, fixtures)
            merged = timeline.part(0, len(timeline))
            self._set_lineups(lineups)
            column = 0
            for family, width in zip(self._families, self._widths, strict=True):
                family.fold(merged, self._index.sizes, out, column)
                column += width
        return out

    def _set_lineups(self, lineups: pd.DataFrame | None) -> None:
        """Pass the line-ups to the family that uses them."""
        for family in self._families:
            if isinstance(family, LineupFeatures):
                family.set_lineups(lineups)

    def _timeline(self, results: EventRows | None, fixtures: EventRows | None) -> Timeline:
        """Check that fixtures and results are later than all observed results, and merge them in order."""
        with self._lock:
            if fixtures is not None and fixtures.events.size and self._latest:
                first = int(fixtures.events["at"].min())
                if first <= self._latest[0]:
                    raise LookAheadError(
                        f"a fixture is to be described as of {_moment(first)}, but results known at "
                        f"{self.observed_until} were observed"
                    )
            if results is not None and results.events.size:
                self._admit(results)
            return Timeline(self._index, results, fixtures)

    def _admit(self, results: EventRows) -> None:
        """Check that the results are later than all observed ones, and assign slots to their ids."""
        first, latest = _key(results.events[0]), _key(results.events[-1])
        if self._latest and first <= self._latest:
            raise LateResultError(
                f"match {first[3]} became known at {_moment(first[0])}; results until {self.observed_until} "
                "were observed already"
            )
        self._index.learn(results)
        self._pass_adjustments()
        self._latest = latest

    def to_bytes(self) -> bytes:
        """Serialize the state as an uncompressed zip of npy arrays and a JSON header; equal states give equal bytes."""
        with self._lock:
            header = {
                # Older code reads what has not changed for it.
                "format": FORMAT if MarketRatings.name in self.params else BEFORE_SEASON_FORM,
                "params": self.params,
                "latest": list(self._latest),
                "adjustments": self._adjustments.tolist(),
                "teams": self._index.teams.ids,
                "competitions": self._index.competitions.ids,
                "regions": self._index.regions.ids,
                "entrants": self._index.entrants.ids,
            }
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
                archive.writestr(zipfile.ZipInfo("state.json"), json.dumps(header, separators=(",", ":")))
                for family in self._families:
                    if isinstance(family, ContextFeatures) and self._latest:
                        family.trim(self._latest[0])
                    for name, array in family.arrays().items():
                        content = io.BytesIO()
                        np.lib.format.write_array(content, np.ascontiguousarray(array), allow_pickle=False)
                        archive.writestr(zipfile.ZipInfo(f"{family.name}/{name}.npy"), content.getvalue())
            return buffer.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes) -> Self:
        """Restore a state from `to_bytes`.

        Raises
        ------
        StateFormatError
            When the bytes are damaged or have another format.
        """
        try:
            with zipfile.ZipFile(io.BytesIO(content)) as archive:
                header = json.loads(archive.read("state.json"))
                if MarketRatings.name not in header["params"]:
                    header = _in_this_format(header)
                if header["format"] != FORMAT:
                    raise StateFormatError(f"feature state of format {header['format']}; this code reads {FORMAT}")
                index = SlotIndex(header["teams"], header["competitions"], header["regions"], header["entrants"])
                state = cls(header["params"], list(header["params"]), index, header["latest"])
                # States from before there were adjustments have none.
                rows = [tuple(row) for row in header.get("adjustments", ())]
                state._adjustments = np.array(rows, dtype=ADJUSTMENT)
                state._pass_adjustments()
                for family in state._families:
                    members = [member for member in archive.namelist() if member.startswith(f"{family.name}/")]
                    family.restore({_field(member): _array(archive.read(member)) for member in members})
        except (zipfile.BadZipFile, KeyError, json.JSONDecodeError, UnicodeDecodeError) as error:
            raise StateFormatError(f"these bytes are not a feature state: {error}") from error
        return state


def build_features(
    results: pd.DataFrame,
    fixtures: pd.DataFrame,
    *,
    params: Mapping[str, Any],
    families: Sequence[str] | None = None,
    schedule: pd.DataFrame | None = None,
    lineups: pd.DataFrame | None = None,
) -> tuple[Floats, tuple[str, ...]]:
    """Return the features of each fixture, from what was known before its `as_of`.

    Parameters
    ----------
    results, fixtures, schedule, lineups : DataFrame
        As `FeatureState.fold` takes them.
    params : mapping
        Section ``features`` of the parameters.
    families : sequence of str, optional
        Names of the families; all of `params` by default.

    Returns
    -------
    values : ndarray of float64, shape (fixtures, features)
        Row i belongs to ``fixtures.iloc[i]``.
    names : tuple of str
        Names of the columns.
    """
    state = FeatureState.new(params, families)
    return state.fold(results, fixtures, schedule, lineups=lineups), state.names


def catalogue(params: Mapping[str, Any], families: Sequence[str] | None = None) -> list[Feature]:
    """Return the descriptions of all columns, in order."""
    return list(FeatureState.new(params, families).catalogue)


def offline_as_of(matches: pd.DataFrame, horizon: timedelta) -> pd.Series[Any]:
    """Return the moment as of which each past match would have been forecast, with the caller's index.

    The kick-off minus `horizon`; the kick-off itself, 00:00 UTC of the day, where only the date is known.
    """
    kickoff = matches["kickoff_at"]
    return kickoff.where(matches["kickoff_precision"] == "date", kickoff - horizon).rename("as_of")


def _calendar(results: pd.DataFrame, fixtures: pd.DataFrame) -> pd.DataFrame:
    """Return the schedule of both frames together."""
    return pd.concat([events.scheduled(results), events.scheduled(fixtures)], ignore_index=True)


def _key(event: Any) -> tuple[int, int, int, int]:
    return int(event["at"]), int(event["kind"]), int(event["kickoff"]), int(event["match"])


def _in_this_format(header: dict[str, Any]) -> dict[str, Any]:
    """Return the header of a state without ratings made of prices as it would be written now; others unchanged."""
    if header["format"] == BEFORE_XG:
        # All observed events were results.
        at, *rest = header["latest"] or [None]
        return header | {"format": FORMAT, "latest": [at, events.OBSERVE, *rest] if rest else []}
    return header | {"format": FORMAT} if header["format"] == BEFORE_SEASON_FORM else header


def _moment(microseconds: int) -> datetime:
    return _EPOCH + timedelta(microseconds=int(microseconds))


def _field(member: str) -> str:
    return member.split("/", 1)[1].removesuffix(".npy")


def _array(content: bytes) -> NDArray[Any]:
    array: NDArray[Any] = np.lib.format.read_array(io.BytesIO(content), allow_pickle=False)
    return array
