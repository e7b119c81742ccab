"""Calendar of the simulated world: seasons, kick-offs, final whistles, postponements.

Past seasons have weekly dates. From the anchor on, dense seasons follow each other without end: a kick-off each minute
in one of the leagues, the final whistle two minutes later.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Final

import numpy as np
import numpy.typing as npt

from apps.scraping.sandbox.clubs import COMPETITIONS, LEAGUE_SIZE

Floats = npt.NDArray[np.float64]
Ints = npt.NDArray[np.int64]

PAST_SEASONS: Final = 8
ROUNDS: Final = 2 * (LEAGUE_SIZE - 1)
MATCHES_PER_ROUND: Final = LEAGUE_SIZE // 2
MATCHES_PER_LEAGUE: Final = ROUNDS * MATCHES_PER_ROUND
MATCHES_PER_SEASON: Final = MATCHES_PER_LEAGUE * len(COMPETITIONS)
LATEST_SEASON: Final = PAST_SEASONS + 9_999
"""Number of the last season with a label; dense seasons last about ten years after the anchor."""

DENSE_STEP: Final = timedelta(minutes=4)
"""From one kick-off of a dense league to its next; the four leagues are one minute apart."""
DENSE_LENGTH: Final = timedelta(minutes=2)
"""From kick-off to the final whistle in a dense season."""
DENSE_PAUSE: Final = timedelta(minutes=20)
"""From the last whistle of a dense season to the first kick-off of the next, whose fixtures appear at the beginning."""
DENSE_PLAY: Final = DENSE_STEP * (MATCHES_PER_LEAGUE - 1) + timedelta(minutes=len(COMPETITIONS) - 1) + DENSE_LENGTH
DENSE_PERIOD: Final = DENSE_PLAY + DENSE_PAUSE

PAST_ANNOUNCEMENT: Final = timedelta(days=28)
"""Fixtures of a past season appeared this long before its first Saturday."""
GAP_BEFORE_ANCHOR: Final = timedelta(days=28)
"""The last Saturday of the past seasons lies at least this long before the anchor's date."""
WEEKS_BETWEEN_SEASONS: Final = 52

ROUND_WEEKS: Final = (0, 1, 2, 4, 5, 6, 8, 9, 10, 12, 13, 13, 14, 19, 20, 21, 21, 23, 24, 26, 27, 28)
"""The week of each round, counted from the season's first; the second round of a week is midweek."""
FINAL_WEEK: Final = ROUND_WEEKS[-1]
MIDWEEK_ROUNDS: Final = tuple(n for n in range(1, ROUNDS) if ROUND_WEEKS[n] == ROUND_WEEKS[n - 1])
MIDWEEK_WEEKS: Final = frozenset(ROUND_WEEKS[n] for n in MIDWEEK_ROUNDS)

# (days after the round's Saturday, kick-off in UTC); drawn with equal chances, so that repeated slots are common.
WEEKEND_SLOTS: Final = (
    (0, time(12, 30)),
    (0, time(14, 0)),
    (0, time(14, 0)),
    (0, time(14, 0)),
    (0, time(16, 30)),
    (1, time(13, 0)),
    (1, time(15, 30)),
)
MIDWEEK_SLOTS: Final = (
    (3, time(19, 0)),
    (3, time(19, 30)),
    (4, time(19, 0)),
    (4, time(19, 30)),
    (4, time(20, 0)),
)
REARRANGED_SLOT: Final = (4, time(19, 30))

POSTPONED_PER_ROUND: Final = 0.055
"""Chance that one match of a round of a past league is postponed, except in the last rounds."""
LATEST_POSTPONED_WEEK: Final = 21
CALLED_OFF_BEFORE: Final = timedelta(hours=3)
"""A postponed match is called off this long before its kick-off."""
REARRANGED_AFTER: Final = timedelta(days=7)
"""Its new date is published this long after the old one."""

SHORTEST_PAST_MATCH: Final = 105
LONGEST_PAST_MATCH: Final = 118


@dataclass(frozen=True, slots=True)
class SimulatedSeason:
    """Calendar of one season of all four leagues.

    Parameters
    ----------
    number : int
        0 to 7 for the past seasons, 8 and on for the dense ones.
    label : str
        Such as ``"2025-26"``, and ``"2026-27 S0001"`` for a dense season; labels sort by time.
    announced_at : datetime
        When its fixtures appear, UTC.
    starts_at : datetime
        First kick-off of a dense season; 00:00 UTC of the first Saturday of a past one.
    over_at : datetime
        The last final whistle of a dense season; 00:00 UTC of the Monday after a past one.
    """

    number: int
    label: str
    announced_at: datetime
    starts_at: datetime
    over_at: datetime

    @property
    def is_dense(self) -> bool:
        """Whether the season has a kick-off each minute instead of weekly dates."""
        return self.number >= PAST_SEASONS


@dataclass(frozen=True, slots=True)
class Dates:
    """The dates of one match.

    Parameters
    ----------
    priced_at : datetime
        When the bookmakers open.
    called_off_kickoff_at : datetime or None
        The first date of a match that was postponed.
    """

    kickoff_at: datetime
    finished_at: datetime
    priced_at: datetime
    called_off_kickoff_at: datetime | None = None


class Timetable:
    """The calendar of a world; its first dense season starts at the next whole minute after the anchor."""

    def __init__(self, anchor_at: datetime) -> None:
        anchor = anchor_at.astimezone(UTC)
        whole = anchor.replace(second=0, microsecond=0)
        self.dense_starts_at = whole if whole == anchor else whole + timedelta(minutes=1)
        latest = (anchor - GAP_BEFORE_ANCHOR).date()
        self._final_saturday = latest - timedelta(days=(latest.weekday() - 5) % 7)
        self._base_year = anchor.year if anchor.month >= 7 else anchor.year - 1

    def season(self, number: int) -> SimulatedSeason:
        """Return a season by its number from 0 on; LookupError above `LATEST_SEASON`."""
        if not 0 <= number <= LATEST_SEASON:
            raise LookupError(f"the sandbox has no season {number}")
        if number < PAST_SEASONS:
            first = datetime.combine(self._first_saturday(number), time(0), tzinfo=UTC)
            return SimulatedSeason(
                number=number,
                label=self._years(self._base_year - PAST_SEASONS + number),
                announced_at=first - PAST_ANNOUNCEMENT,
                starts_at=first,
                over_at=first + timedelta(weeks=FINAL_WEEK, days=2),
            )
        dense = number - PAST_SEASONS
        starts_at = self.dense_starts_at + dense * DENSE_PERIOD
        return SimulatedSeason(
            number=number,
            label=f"{self._years(self._base_year)} S{dense + 1:04d}",
            announced_at=starts_at - DENSE_PAUSE,
            starts_at=starts_at,
            over_at=starts_at + DENSE_PLAY,
        )

    def number_at(self, now: datetime) -> int:
        """Return the number of the latest season announced at `now`; before the first one, LookupError."""
        dense = (now - (self.dense_starts_at - DENSE_PAUSE)) // DENSE_PERIOD
        if dense >= 0:
            return PAST_SEASONS + dense
        for number in reversed(range(PAST_SEASONS)):
            if self.season(number).announced_at <= now:
                return number
        raise LookupError(f"the sandbox begins at {self.season(0).announced_at}, after {now}")

    def dates(self, season: SimulatedSeason, moved_to_week: Ints, rng: np.random.Generator) -> list[Dates]:
        """Return the dates of all matches of a season, league by league in the order of the fixture list.

        Parameters
        ----------
        moved_to_week : array of int64, shape (528,)
            New week of a postponed match, −1 for the others.
        rng : numpy.random.Generator
            Draws the slots and lengths of past matches; unused in dense seasons.
        """
        if season.is_dense:
            return [_dense_dates(season, match) for match in range(MATCHES_PER_SEASON)]
        slots = rng.integers(0, 2**16, MATCHES_PER_SEASON).tolist()
        lengths = rng.integers(SHORTEST_PAST_MATCH, LONGEST_PAST_MATCH + 1, MATCHES_PER_SEASON).tolist()
        first = self._first_saturday(season.number)
        return [
            _past_dates(first, match, slots[match], lengths[match], week)
            for match, week in enumerate(moved_to_week.tolist())
        ]

    def _first_saturday(self, number: int) -> date:
        weeks = FINAL_WEEK + WEEKS_BETWEEN_SEASONS * (PAST_SEASONS - 1 - number)
        return self._final_saturday - timedelta(weeks=weeks)

    @staticmethod
    def _years(year: int) -> str:
        return f"{year}-{(year + 1) % 100:02d}"


def rounds_of_matches() -> Ints:
    """Return the round, from 0, of each match of a season in the order of the fixture list, shape (528,)."""
    return np.arange(MATCHES_PER_SEASON) % MATCHES_PER_LEAGUE // MATCHES_PER_ROUND


def draw_postponements(rng: np.random.Generator) -> Ints:
    """Draw which matches of a past season are postponed, and to which week.

    Returns
    -------
    array of int64, shape (528,)
        New week of a postponed match, −1 for the others. No club has two in one week.
    """
    moved = np.full(MATCHES_PER_SEASON, -1, dtype=np.int64)
    hits = rng.random((len(COMPETITIONS), ROUNDS)) < POSTPONED_PER_ROUND
    places = rng.integers(0, MATCHES_PER_ROUND, (len(COMPETITIONS), ROUNDS))
    delays = rng.integers(2, 5, (len(COMPETITIONS), ROUNDS))
    for league in range(len(COMPETITIONS)):
        taken = set(MIDWEEK_WEEKS)
        for number in np.flatnonzero(hits[league]).tolist():
            if ROUND_WEEKS[number] > LATEST_POSTPONED_WEEK:
                continue
            week = ROUND_WEEKS[number] + int(delays[league, number])
            while week in taken:
                week += 1
            taken.add(week)
            moved[league * MATCHES_PER_LEAGUE + number * MATCHES_PER_ROUND + int(places[league, number])] = week
    return moved


def rounds_played(moved_to_week: Ints) -> Ints:
    """Return the round whose strengths apply to each match: its own, or the latest before its new date."""
    latest = np.searchsorted(ROUND_WEEKS, moved_to_week, side="right") - 1
    return np.where(moved_to_week < 0, rounds_of_matches(), latest)


def _dense_dates(season: SimulatedSeason, match: int) -> Dates:
    league, place = divmod(match, MATCHES_PER_LEAGUE)
    kickoff_at = season.starts_at + timedelta(minutes=league) + place * DENSE_STEP
    return Dates(kickoff_at=kickoff_at, finished_at=kickoff_at + DENSE_LENGTH, priced_at=season.announced_at)


def _past_dates(first_saturday: date, match: int, slot: int, length: int, moved_to_week: int) -> Dates:
    number = match % MATCHES_PER_LEAGUE // MATCHES_PER_ROUND
    slots = MIDWEEK_SLOTS if number in MIDWEEK_ROUNDS else WEEKEND_SLOTS
    planned = _at(first_saturday, ROUND_WEEKS[number], slots[slot % len(slots)])
    played = planned if moved_to_week < 0 else _at(first_saturday, moved_to_week, REARRANGED_SLOT)
    return Dates(
        kickoff_at=played,
        finished_at=played + timedelta(minutes=length),
        priced_at=played - timedelta(days=6),
        called_off_kickoff_at=None if moved_to_week < 0 else planned,
    )


def _at(first_saturday: date, week: int, slot: tuple[int, time]) -> datetime:
    days, clock = slot
    return datetime.combine(first_saturday + timedelta(weeks=week, days=days), clock, tzinfo=UTC)
