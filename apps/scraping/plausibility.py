"""What cannot be true although every page could be read: contradictions, and far more or fewer matches than before."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from apps.matches.records import MatchDetails, MatchRecord

VISITS_COMPARED: Final = 8
"""Visits before this one whose counts a page is held against."""

LEAST_VISITS: Final = 3
"""Visits from which on there is something to compare with."""

SMALL: Final = 4
"""A page of so few matches may double or halve."""

SHRUNK: Final = 2
GROWN: Final = 10
"""A page is refused below the least of the earlier counts divided by the one, above the greatest times the other: a
list grows at once after a stand-still, and never shrinks but by accident."""

BELIEVED_AFTER: Final = 3
"""A count that comes so often in a row is believed after all: the site has changed."""


class ImplausibleError(ValueError):
    """The pages tell what cannot be true; the text says what, `match` is the key of the match (`key_of`)."""

    def __init__(self, reason: str, match: tuple[object, ...]) -> None:
        super().__init__(reason)
        self.match = match


def out_of_band(count: int, earlier: Sequence[int]) -> str:
    """Return why a page's number of matches cannot be believed, empty when it can.

    Parameters
    ----------
    count : int
        Matches that the page tells of now.
    earlier : sequence of int
        What it told in the visits before, at most eight of them.
    """
    if len(earlier) < LEAST_VISITS:
        return ""
    least, most = min(earlier), max(earlier)
    if count * SHRUNK < least and least > SMALL:
        return f"{count} matches where the latest {len(earlier)} visits found {least} to {most}"
    if count > max(most, SMALL) * GROWN:
        return f"{count} matches where the latest {len(earlier)} visits found {least} to {most}"
    return ""


def is_believed_at_last(count: int, doubts: Sequence[int]) -> bool:
    """Return whether a count that was not believed has now come often enough.

    Parameters
    ----------
    count : int
        Matches that the page tells of now.
    doubts : sequence of int
        Counts of the latest visits that were not believed, oldest first.
    """
    latest = doubts[-(BELIEVED_AFTER - 1) :]
    return len(latest) == BELIEVED_AFTER - 1 and all(doubt == count for doubt in latest)


def apart(told: Iterable[tuple[datetime, MatchRecord]]) -> Iterator[list[MatchRecord]]:
    """Yield what pages of different moments told, in order of time, in inputs that tell each match once.

    A match with an id of its source is one record, the later completed by the earlier. One without is known by its
    teams alone, and on another day it would be taken for another meeting: there a new input begins.

    Parameters
    ----------
    told : iterable of (datetime, MatchRecord)
        Of one source, each with the moment at which its page came.
    """
    waiting: list[MatchRecord] = []
    teams: dict[tuple[object, ...], date] = {}
    for _, record in sorted(told, key=lambda pair: pair[0]):
        pair = (record.competition, record.season, record.home_team, record.away_team)
        if not record.source_id and teams.get(pair, record.kickoff_at.date()) != record.kickoff_at.date():
            yield together(waiting, in_time=True)
            waiting, teams = [], {}
        teams[pair] = record.kickoff_at.date()
        waiting.append(record)
    if waiting:
        yield together(waiting, in_time=True)


def together(records: Iterable[MatchRecord], *, in_time: bool = False) -> list[MatchRecord]:
    """Return one record of each match, the later of two completed by the earlier.

    Parameters
    ----------
    records : iterable of MatchRecord
        Of one source, in the order in which its pages told them.
    in_time : bool
        The pages came at different moments, so that a later one may correct an earlier one. Without it they are one
        visit's, and two results of one match contradict each other.

    Raises
    ------
    ImplausibleError
        When two records of one visit tell different results of one match.
    """
    found: dict[tuple[object, ...], MatchRecord] = {}
    for record in records:
        key = key_of(record)
        earlier = found.get(key)
        if earlier is not None and not in_time and _contradict(earlier, record):
            raise ImplausibleError(
                f"the pages contradict each other: {record.home_team} – {record.away_team} on "
                f"{record.kickoff_at:%Y-%m-%d} ended {_score(earlier)} and {_score(record)}",
                key,
            )
        found[key] = record if earlier is None else _completed(record, earlier)
    return list(found.values())


def key_of(record: MatchRecord) -> tuple[object, ...]:
    """Return what makes a record tell of the same match as another one of its source."""
    if record.source_id:
        return (record.source_id,)
    day = record.kickoff_at.date()
    return record.competition, record.season, record.home_team, record.away_team, day


def _contradict(one: MatchRecord, other: MatchRecord) -> bool:
    if one.home_goals is None or other.home_goals is None:
        return False
    return (one.home_goals, one.away_goals) != (other.home_goals, other.away_goals)


def _score(record: MatchRecord) -> str:
    return f"{record.home_goals}–{record.away_goals}"


def _completed(later: MatchRecord, earlier: MatchRecord) -> MatchRecord:
    quotes = {(quote.bookmaker, quote.moment): quote for quote in (*earlier.odds, *later.odds)}
    return replace(
        later,
        odds=tuple(quotes.values()),
        stats=later.stats if later.stats is not None else earlier.stats,
        details=_merged_details(later.details, earlier.details),
    )


def _merged_details(later: MatchDetails | None, earlier: MatchDetails | None) -> MatchDetails | None:
    if later is None or earlier is None:
        return later or earlier
    return MatchDetails(
        known_at=min(later.known_at, earlier.known_at) if later.lineups == earlier.lineups else later.known_at,
        lineups=later.lineups or earlier.lineups,
        incidents=later.incidents or earlier.incidents,
        absences=later.absences or earlier.absences,
    )
