"""The simulated football world: its records at any moment, as a pure function of a seed and an anchor."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterator
from datetime import UTC, datetime
from enum import IntEnum
from typing import Final

import numpy as np

from apps.matches.records import MatchRecord
from apps.scraping.sandbox.counts import draw_habits
from apps.scraping.sandbox.play import Play, play_season
from apps.scraping.sandbox.season_records import SeasonRecords
from apps.scraping.sandbox.squads import draw_squads
from apps.scraping.sandbox.strengths import WorldState, first_state, next_state
from apps.scraping.sandbox.timetable import MATCHES_PER_SEASON, PAST_SEASONS, SimulatedSeason, Timetable

FIRST_SOURCE_ID: Final = 1_000_000
"""The source id of the first match of the first season; the others follow in the order of the fixture list."""
SEASONS_KEPT: Final = PAST_SEASONS + 4
"""Seasons whose records are kept in memory; others are made again when they are needed."""


class Draw(IntEnum):
    """Purpose of a random stream; each purpose and season has its own, so that the order of calls does not matter."""

    BIRTH = 0
    HABITS = 1
    PLAY = 2
    SUMMER = 3
    DATES = 4
    COUNTS = 5
    MARKET = 6


class SimulatedWorld:
    """Two pyramids of two leagues, eight past seasons, and dense seasons from the anchor on, without end.

    Equal seeds and anchors give equal worlds to the last bit, in any order of calls. Seasons are played when they are
    first needed. An instance must not be shared between threads.

    Parameters
    ----------
    seed : int
        0 or more; decides everything but the dates.
    anchor_at : datetime
        Aware. The past seasons end some weeks before it and the first dense season begins at the next whole minute.

    Raises
    ------
    ValueError
        When the seed is negative or the anchor has no time zone.
    """

    def __init__(self, seed: int, anchor_at: datetime) -> None:
        if seed < 0:
            raise ValueError(f"seed {seed} is negative")
        self.seed = seed
        self.anchor_at = _in_utc(anchor_at, "anchor_at")
        self._timetable = Timetable(self.anchor_at)
        self._habits = draw_habits(self._rng(Draw.HABITS))
        self.squads = draw_squads(seed)
        self._states = [first_state(self._rng(Draw.BIRTH))]
        self._records: OrderedDict[int, SeasonRecords] = OrderedDict()

    def records(self, now: datetime, since: datetime | None = None) -> Iterator[MatchRecord]:
        """Yield all records that are known at `now`, season by season ordered by kick-off.

        Finished matches have result, statistics and odds; matches in play have the status `LIVE` and no goals; coming
        ones are `SCHEDULED` with opening odds, and with closing odds from ten minutes before kick-off.

        Parameters
        ----------
        since : datetime, optional
            Aware; results that were known then are left out. Matches that are not finished are always included.
        """
        now = _in_utc(now, "now")
        current = self._timetable.number_at(now)
        first = 0
        if since is not None:
            since = _in_utc(since, "since")
            first = min(self._first_unfinished(since), current)
        for number in range(first, current + 1):
            yield from self.season_records(number).records(now, since)

    def season_at(self, now: datetime) -> SimulatedSeason:
        """Return the latest season whose fixtures are announced at `now`; LookupError before the first."""
        return self._timetable.season(self._timetable.number_at(_in_utc(now, "now")))

    def _first_unfinished(self, since: datetime) -> int:
        """Return the number of the first unfinished season; each ends before the next is announced."""
        try:
            return self._timetable.number_at(since)
        except LookupError:
            return 0

    def season(self, number: int) -> SimulatedSeason:
        """Return the calendar of a season, from 0 on; LookupError if there is none."""
        return self._timetable.season(number)

    def season_records(self, number: int) -> SeasonRecords:
        """Return the records of a season, from 0 on, whether it has been announced or not.

        Raises
        ------
        LookupError
            When there is no season of this number.
        """
        if number in self._records:
            self._records.move_to_end(number)
            return self._records[number]
        season = self._timetable.season(number)
        state = self._state(number)
        play = self._play(number, state)
        records = SeasonRecords(
            season=season,
            state=state,
            play=play,
            dates=self._timetable.dates(season, play.moved_to_week, self._rng(Draw.DATES, number)),
            first_source_id=FIRST_SOURCE_ID + number * MATCHES_PER_SEASON,
            habits=self._habits,
            counts_rng=self._rng(Draw.COUNTS, number),
            market_rng=self._rng(Draw.MARKET, number),
            squads=self.squads,
            stories_key=f"{self.seed} {number}",
        )
        self._records[number] = records
        while len(self._records) > SEASONS_KEPT:
            self._records.popitem(last=False)
        return records

    def _state(self, number: int) -> WorldState:
        """Return the world at the start of a season; play the seasons before it where needed."""
        while len(self._states) <= number:
            latest = len(self._states) - 1
            state = self._states[latest]
            played = self._records.get(latest)
            play = self._play(latest, state) if played is None else played.play
            self._states.append(next_state(state, play.strengths[-1], play.places, self._rng(Draw.SUMMER, latest)))
        return self._states[number]

    def _play(self, number: int, state: WorldState) -> Play:
        return play_season(state, is_dense=number >= PAST_SEASONS, rng=self._rng(Draw.PLAY, number))

    def _rng(self, draw: Draw, season: int = 0) -> np.random.Generator:
        return np.random.default_rng(np.random.SeedSequence(self.seed, spawn_key=(int(draw), season)))


def _in_utc(moment: datetime, name: str) -> datetime:
    if moment.tzinfo is None:
        raise ValueError(f"{name} {moment} has no time zone")
    return moment.astimezone(UTC)
