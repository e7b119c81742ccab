"""The matches of one stage as published at a moment, and until when that does not change."""

from __future__ import annotations

from bisect import bisect_right
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Final

from apps.matches.records import IncidentKind, IncidentRecord, MatchRecord, Side, StatsRecord
from apps.scraping.sandbox.details import FULL, GOALS, SENDINGS_OFF, SimulatedDetails
from apps.scraping.sandbox.season_records import CLOSING_BEFORE, Phase, SeasonRecords, phase_at
from apps.scraping.sandbox.site.addresses import SandboxLeague, on_clock
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
    """One match as published at a moment.

    Parameters
    ----------
    minute : int
        The minute of play: 0 before kick-off, `details.FULL` when it is over.
    has_preview, has_lineups : bool
        Whether absences and line-ups are published.
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
    def details(self) -> SimulatedDetails:
        """All details, including those that are not published yet; the other fields limit what may be shown."""
        return self.stage.details(self.match)

    @property
    def stats(self) -> StatsRecord:
        """The final statistics, even before the end of the match."""
        return self.stage.records.stats(self.match)

    @property
    def is_finished(self) -> bool:
        """Whether the match is over."""
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
            return self.details.incidents
        return tuple(incident for incident in self.details.incidents if incident.minute <= self.minute)

    @property
    def goals(self) -> tuple[int, int]:
        """Goals so far, home and away."""
        return self._count(*GOALS)

    @property
    def yellow_cards(self) -> tuple[int, int]:
        """Yellow cards so far, without second ones."""
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
    """The only stage of one season of one league. An instance must not be shared between threads."""

    def __init__(self, records: SeasonRecords, league: SandboxLeague) -> None:
        self.records = records
        self.league = league
        first = league.number * MATCHES_PER_LEAGUE
        self.matches = range(first, first + MATCHES_PER_LEAGUE)
        """Numbers of the matches in the fixture list of the season."""
        self._changes = {match: self._changes_of(records.dates[match]) for match in self.matches}
        self._details: dict[int, SimulatedDetails] = {}

    @property
    def season(self) -> SimulatedSeason:
        """The season of the stage."""
        return self.records.season

    @property
    def stage_id(self) -> int:
        """The site's id of the stage."""
        return self.league.stage_id(self.season)

    def view(self, match: int, now: datetime) -> MatchView:
        """Return a match, by its number in the season's fixture list, as published at a moment."""
        dates = self.records.dates[match]
        phase = phase_at(dates, now)
        preview, lineups = self._before(dates)
        return MatchView(
            record=self.records.record(match, phase),
            phase=phase,
            dates=dates,
            minute=FULL if phase is Phase.FINISHED else _minute_at(dates, now) if phase is Phase.LIVE else 0,
            has_preview=preview <= now,
            has_lineups=lineups <= now,
            stage=self,
            match=match,
        )

    def record(self, match: int, now: datetime) -> MatchRecord:
        """Return the record of a match at a moment."""
        return self.records.record(match, phase_at(self.records.dates[match], now))

    def order(self, now: datetime) -> list[tuple[datetime, int]]:
        """Return kick-off and number of each match, in the order of the kick-offs as published at a moment."""
        return sorted((self.record(match, now).kickoff_at, match) for match in self.matches)

    def days(self, now: datetime) -> set[date]:
        """Return the days with matches in the site's time zone."""
        return {on_clock(kickoff_at).date() for kickoff_at, _ in self.order(now)}

    def details(self, match: int) -> SimulatedDetails:
        """Return the details of a match, drawn once."""
        details = self._details.get(match)
        if details is None:
            details = self._details[match] = self.records.details(match)
        return details

    def version(self, match: int, now: datetime) -> tuple[int, int]:
        """Return a version of the `MatchView` of a match: equal versions mean equal views."""
        dates = self.records.dates[match]
        is_live = dates.kickoff_at <= now < dates.finished_at
        return bisect_right(self._changes[match], now), _minute_at(dates, now) if is_live else 0

    def window(self, now: datetime) -> tuple[datetime, datetime]:
        """Return since when and until when nothing that is published of the stage changes."""
        since, until = self.season.announced_at, FOR_EVER
        for match, changes in self._changes.items():
            place = bisect_right(changes, now)
            dates = self.records.dates[match]
            if place:
                since = max(since, changes[place - 1])
            if place < len(changes):
                until = min(until, changes[place])
            if dates.kickoff_at <= now < dates.finished_at:
                minute = _minute_at(dates, now)
                since, until = max(since, _minute_begins(dates, minute)), min(until, _minute_begins(dates, minute + 1))
        return since, until

    def _before(self, dates: Dates) -> tuple[datetime, datetime]:
        """Return when the preview and the line-ups of a match are published."""
        if self.season.is_dense:
            return dates.kickoff_at - DENSE_PREVIEW_BEFORE, dates.kickoff_at - DENSE_LINEUPS_BEFORE
        return dates.kickoff_at - PREVIEW_BEFORE, dates.kickoff_at - LINEUPS_BEFORE

    def _changes_of(self, dates: Dates) -> list[datetime]:
        """Return the moments at which what is published of a match changes, in order."""
        planned = dates.called_off_kickoff_at
        moved = [] if planned is None else [planned - CALLED_OFF_BEFORE, planned + REARRANGED_AFTER]
        closing = dates.kickoff_at - CLOSING_BEFORE
        return sorted([*self._before(dates), *moved, dates.priced_at, closing, dates.kickoff_at, dates.finished_at])


def _minute_at(dates: Dates, now: datetime) -> int:
    """Return the minute of play, from 1, of a match in play; in a dense season a minute lasts about a second."""
    return 1 + (now - dates.kickoff_at) * FULL // (dates.finished_at - dates.kickoff_at)


def _minute_begins(dates: Dates, minute: int) -> datetime:
    """Return the first moment of a minute of play."""
    microsecond = timedelta(microseconds=1)
    length = (dates.finished_at - dates.kickoff_at) // microsecond
    return dates.kickoff_at + -(-length * (minute - 1) // FULL) * microsecond
