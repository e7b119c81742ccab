"""What the site can tell of one stage at a moment, match by match, and until when that stays so."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from apps.matches.records import IncidentKind, IncidentRecord, MatchRecord, Side, StatsRecord
from apps.scraping.sandbox.sheets import CLOSING_BEFORE, Phase, SeasonSheet, phase_at
from apps.scraping.sandbox.site.addresses import SandboxLeague, on_clock
from apps.scraping.sandbox.story import FULL, GOALS, SENDINGS_OFF, Story
from apps.scraping.sandbox.timetable import (
    CALLED_OFF_BEFORE,
    MATCHES_PER_LEAGUE,
    REARRANGED_AFTER,
    Dates,
    SimulatedSeason,
)

LINEUPS_BEFORE: Final = timedelta(hours=1)
DENSE_LINEUPS_BEFORE: Final = timedelta(minutes=10)
PREVIEW_BEFORE: Final = timedelta(days=2)
DENSE_PREVIEW_BEFORE: Final = timedelta(hours=1)
FOR_EVER: Final = datetime.max.replace(tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class MatchView:
    """One match as it is told at a moment.

    Parameters
    ----------
    record : MatchRecord
        What the world tells of it.
    phase : Phase
    dates : Dates
    minute : int
        The minute of play: 0 before kick-off, `story.FULL` when it is over.
    has_preview, has_lineups : bool
        Whether absences and line-ups are out.
    stage : SandboxStage
    match : int
        Its number in the fixture list of the season.
    """

    record: MatchRecord
    phase: Phase
    dates: Dates
    minute: int
    has_preview: bool
    has_lineups: bool
    stage: SandboxStage
    match: int

    @property
    def story(self) -> Story:
        """Who plays and what happens, also what is not out yet: to be told only as far as the other fields allow."""
        return self.stage.story(self.match)

    @property
    def stats(self) -> StatsRecord:
        """The counts, likewise."""
        return self.stage.sheet.stats(self.match)

    @property
    def is_finished(self) -> bool:
        """Whether the final whistle went."""
        return self.phase is Phase.FINISHED

    @property
    def has_begun(self) -> bool:
        """Whether it kicked off."""
        return self.phase in (Phase.LIVE, Phase.FINISHED)

    @property
    def incidents(self) -> tuple[IncidentRecord, ...]:
        """Goals, cards and substitutions so far."""
        if not self.has_begun:
            return ()
        if self.is_finished:
            return self.story.incidents
        return tuple(incident for incident in self.story.incidents if incident.minute <= self.minute)

    @property
    def goals(self) -> tuple[int, int]:
        """Goals so far, home and away."""
        return self._count(*GOALS)

    @property
    def yellow_cards(self) -> tuple[int, int]:
        """Yellow cards so far, a second one not counted."""
        return self._count(IncidentKind.YELLOW_CARD)

    @property
    def red_cards(self) -> tuple[int, int]:
        """Players sent off so far."""
        return self._count(*SENDINGS_OFF)

    def at_minute(self, minute: int) -> datetime:
        """Return the moment at which a minute of play is over."""
        length = self.dates.finished_at - self.dates.kickoff_at
        return self.dates.kickoff_at + length * min(minute, FULL) / FULL

    def _count(self, *kinds: IncidentKind) -> tuple[int, int]:
        sides = [incident.side for incident in self.incidents if incident.kind in kinds]
        return sides.count(Side.HOME), sides.count(Side.AWAY)


class SandboxStage:
    """The only stage of one season of one league. An instance is not to be shared between threads.

    Parameters
    ----------
    sheet : SeasonSheet
    league : SandboxLeague
    """

    def __init__(self, sheet: SeasonSheet, league: SandboxLeague) -> None:
        self.sheet = sheet
        self.league = league
        first = league.number * MATCHES_PER_LEAGUE
        self.matches = range(first, first + MATCHES_PER_LEAGUE)
        """Numbers of the matches in the fixture list of the season."""
        self._turns = {match: self._turns_of(sheet.dates[match]) for match in self.matches}
        self._stories: dict[int, Story] = {}

    @property
    def season(self) -> SimulatedSeason:
        """The season that the stage is of."""
        return self.sheet.season

    @property
    def stage_id(self) -> int:
        """The site's id of the stage."""
        return self.league.stage_id(self.season)

    def view(self, match: int, now: datetime) -> MatchView:
        """Return a match, by its number in the season's fixture list, as it is told at a moment."""
        dates = self.sheet.dates[match]
        phase = phase_at(dates, now)
        preview, lineups = self._before(dates)
        return MatchView(
            record=self.sheet.record(match, phase),
            phase=phase,
            dates=dates,
            minute=FULL if phase is Phase.FINISHED else _minute_at(dates, now) if phase is Phase.LIVE else 0,
            has_preview=preview <= now,
            has_lineups=lineups <= now,
            stage=self,
            match=match,
        )

    def record(self, match: int, now: datetime) -> MatchRecord:
        """Return what the world tells of a match at a moment."""
        return self.sheet.record(match, phase_at(self.sheet.dates[match], now))

    def order(self, now: datetime) -> list[tuple[datetime, int]]:
        """Return kick-off and number of each match, in the order of kick-off as told at a moment."""
        return sorted((self.record(match, now).kickoff_at, match) for match in self.matches)

    def days(self, now: datetime) -> set[date]:
        """Return the days with matches by the site's clock."""
        return {on_clock(kickoff_at).date() for kickoff_at, _ in self.order(now)}

    def story(self, match: int) -> Story:
        """Return the story of a match, drawn once."""
        story = self._stories.get(match)
        if story is None:
            story = self._stories[match] = self.sheet.story(match)
        return story

    def turn(self, match: int, now: datetime) -> tuple[int, int]:
        """Return a mark of what is told of a match: while it stays the same, so does the `MatchView`."""
        dates = self.sheet.dates[match]
        is_live = dates.kickoff_at <= now < dates.finished_at
        return bisect_right(self._turns[match], now), _minute_at(dates, now) if is_live else 0

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """Return since when and until when all that is told of the stage is as it is now."""
        since, until = self.season.announced_at, FOR_EVER
        for match, turns in self._turns.items():
            place = bisect_right(turns, now)
            dates = self.sheet.dates[match]
            if place:
                since = max(since, turns[place - 1])
            if place < len(turns):
                until = min(until, turns[place])
            if dates.kickoff_at <= now < dates.finished_at:
                minute = _minute_at(dates, now)
                since, until = max(since, _minute_begins(dates, minute)), min(until, _minute_begins(dates, minute + 1))
        return since, until

    def _before(self, dates: Dates) -> tuple[datetime, datetime]:
        """Return when the preview and the line-ups of a match come out."""
        if self.season.is_dense:
            return dates.kickoff_at - DENSE_PREVIEW_BEFORE, dates.kickoff_at - DENSE_LINEUPS_BEFORE
        return dates.kickoff_at - PREVIEW_BEFORE, dates.kickoff_at - LINEUPS_BEFORE

    def _turns_of(self, dates: Dates) -> list[datetime]:
        """Return the moments at which more is told of a match, in order."""
        planned = dates.called_off_kickoff_at
        moved = [] if planned is None else [planned - CALLED_OFF_BEFORE, planned + REARRANGED_AFTER]
        closing = dates.kickoff_at - CLOSING_BEFORE
        return sorted([*self._before(dates), *moved, dates.priced_at, closing, dates.kickoff_at, dates.finished_at])


def _minute_at(dates: Dates, now: datetime) -> int:
    """Return the minute of play, from 1, of a match under way; in a dense season a minute lasts about a second."""
    return 1 + (now - dates.kickoff_at) * FULL // (dates.finished_at - dates.kickoff_at)


def _minute_begins(dates: Dates, minute: int) -> datetime:
    """Return the first moment of a minute of play."""
    microsecond = timedelta(microseconds=1)
    length = (dates.finished_at - dates.kickoff_at) // microsecond
    return dates.kickoff_at + -(-length * (minute - 1) // FULL) * microsecond
