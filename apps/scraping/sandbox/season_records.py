"""The records of one season at any moment."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from enum import Enum, auto
from typing import Any, Final

import numpy as np

from apps.matches.records import MatchRecord, MatchStatus, Moment, StatsRecord
from apps.scraping.sandbox.clubs import CLUBS, COMPETITIONS
from apps.scraping.sandbox.counts import SimulatedCounts, draw_half_time
from apps.scraping.sandbox.details import SimulatedDetails, SimulatedScore, draw_details
from apps.scraping.sandbox.market import SimulatedMarket, View
from apps.scraping.sandbox.play import Play, expected_goals, opening_rounds
from apps.scraping.sandbox.scores import outcome_probabilities, over_probability, score_grid
from apps.scraping.sandbox.squads import Squad
from apps.scraping.sandbox.strengths import WorldState
from apps.scraping.sandbox.timetable import (
    CALLED_OFF_BEFORE,
    MATCHES_PER_LEAGUE,
    MATCHES_PER_SEASON,
    REARRANGED_AFTER,
    Dates,
    Floats,
    SimulatedSeason,
    rounds_of_matches,
)

CLOSING_BEFORE: Final = timedelta(minutes=10)
"""Closing odds are published this long before kick-off."""


class Phase(Enum):
    """What is published of one match; the phases come in this order, and most matches skip some."""

    PLANNED = auto()
    CALLED_OFF = auto()
    DATED = auto()
    PRICED = auto()
    CLOSED = auto()
    LIVE = auto()
    FINISHED = auto()


class SeasonRecords:
    """All records of one season, each made when it is first needed.

    Parameters
    ----------
    state : WorldState
        The world at the start of the season.
    first_source_id : int
        Id of the first match; the others follow.
    habits : tuple of two arrays
        See `counts.draw_habits`.
    stories_key : str
        Key of the random streams from which the details of the matches are drawn.
    """

    def __init__(
        self,
        *,
        season: SimulatedSeason,
        state: WorldState,
        play: Play,
        dates: list[Dates],
        first_source_id: int,
        habits: tuple[Floats, Floats],
        counts_rng: np.random.Generator,
        market_rng: np.random.Generator,
        squads: tuple[Squad, ...],
        stories_key: str,
    ) -> None:
        self.season = season
        self.play = play
        self.dates = dates
        self._squads = squads
        self._stories_key = stories_key
        self._first_source_id = first_source_id
        self._order = sorted(range(MATCHES_PER_SEASON), key=lambda match: (dates[match].kickoff_at, match))
        self._rounds = [f"Matchday {number + 1}" for number in rounds_of_matches().tolist()]
        half_time = draw_half_time(play, counts_rng)
        self._goals = [column.tolist() for column in (play.home_goals, play.away_goals, half_time[0], half_time[1])]
        self._counts = SimulatedCounts(play, state.tier, habits, counts_rng)
        self._market = SimulatedMarket(
            _opening_view(state, play, is_dense=season.is_dense), View(play.truth, play.truth_over), market_rng
        )
        self._made: dict[tuple[int, Phase], MatchRecord] = {}

    def records(self, now: datetime, since: datetime | None = None) -> Iterator[MatchRecord]:
        """Yield the records at `now` ordered by kick-off, without results that were known at `since`."""
        if now < self.season.announced_at:
            return
        for match in self._order:
            dates = self.dates[match]
            if since is not None and dates.finished_at <= min(since, now):
                continue
            yield self.record(match, phase_at(dates, now))

    def record(self, match: int, phase: Phase) -> MatchRecord:
        """Return the record of one match, 0 to 527 in the order of the fixture list, in a phase."""
        made = self._made.get((match, phase))
        if made is None:
            made = self._made[match, phase] = self._make(match, phase)
        return made

    def details(self, match: int) -> SimulatedDetails:
        """Return line-ups, absences and incidents of one match, whether they are published yet or not."""
        clubs = int(self.play.home[match]), int(self.play.away[match])
        return draw_details(
            f"{self._stories_key} {match}",
            (self._squads[clubs[0]], self._squads[clubs[1]]),
            SimulatedScore(*(column[match] for column in self._goals)),
            self._counts.record(match),
        )

    def stats(self, match: int) -> StatsRecord:
        """Return the statistics of one match, whether they are published yet or not."""
        return self._counts.record(match)

    def _make(self, match: int, phase: Phase) -> MatchRecord:
        dates = self.dates[match]
        home, away = CLUBS[self.play.home[match]], CLUBS[self.play.away[match]]
        return MatchRecord(
            competition=COMPETITIONS[match // MATCHES_PER_LEAGUE],
            season=self.season.label,
            home_team=home.name,
            away_team=away.name,
            home_team_id=home.id,
            away_team_id=away.id,
            source_id=str(self._first_source_id + match),
            round=self._rounds[match],
            **self._published(match, phase, dates),
        )

    def _published(self, match: int, phase: Phase, dates: Dates) -> dict[str, Any]:
        """Return the fields that change from phase to phase."""
        if phase in (Phase.PLANNED, Phase.CALLED_OFF):
            status = MatchStatus.SCHEDULED if phase is Phase.PLANNED else MatchStatus.POSTPONED
            return {"kickoff_at": dates.called_off_kickoff_at, "status": status}
        if phase is Phase.DATED:
            return {"kickoff_at": dates.kickoff_at}
        odds = self._market.quotes(match, Moment.OPENING)
        if phase is Phase.PRICED:
            return {"kickoff_at": dates.kickoff_at, "odds": odds}
        odds += self._market.quotes(match, Moment.CLOSING)
        if phase is Phase.CLOSED:
            return {"kickoff_at": dates.kickoff_at, "odds": odds}
        if phase is Phase.LIVE:
            return {"kickoff_at": dates.kickoff_at, "odds": odds, "status": MatchStatus.LIVE}
        home_goals, away_goals, home_half, away_half = (column[match] for column in self._goals)
        return {
            "kickoff_at": dates.kickoff_at,
            "odds": odds,
            "status": MatchStatus.FINISHED,
            "finished_at": dates.finished_at,
            "home_goals": home_goals,
            "away_goals": away_goals,
            "home_goals_half_time": home_half,
            "away_goals_half_time": away_half,
            "stats": self._counts.record(match),
        }


def phase_at(dates: Dates, now: datetime) -> Phase:
    """Return the phase of a match whose season has been announced."""
    if dates.finished_at <= now:
        return Phase.FINISHED
    if dates.kickoff_at <= now:
        return Phase.LIVE
    planned = dates.called_off_kickoff_at
    if planned is not None and now < planned + REARRANGED_AFTER:
        return Phase.PLANNED if now < planned - CALLED_OFF_BEFORE else Phase.CALLED_OFF
    if dates.kickoff_at - CLOSING_BEFORE <= now:
        return Phase.CLOSED
    return Phase.PRICED if dates.priced_at <= now else Phase.DATED


def _opening_view(state: WorldState, play: Play, *, is_dense: bool) -> View:
    """Return the probabilities of each match with the strengths that were known when the market opened."""
    rounds = opening_rounds(is_dense=is_dense)
    grid = score_grid(*expected_goals(state, play.strengths, play.home, play.away, rounds))
    return View(outcome_probabilities(grid), over_probability(grid))
