"""Checks of pages that could be parsed: contradictions, and far more or fewer matches than in earlier runs."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Final

from apps.matches.records import MatchDetails, MatchRecord

RUNS_COMPARED: Final = 8
"""Earlier runs with whose counts a page is compared."""

LEAST_RUNS: Final = 3
"""Fewer earlier runs are not enough for a comparison."""

SMALL: Final = 4
"""A page of so few matches may double or halve."""

SHRUNK: Final = 2
GROWN: Final = 10
"""A count is refused below the least earlier one divided by SHRUNK, or above the greatest times GROWN: a list grows
suddenly after an outage, and shrinks only by mistake."""

ACCEPTED_AFTER: Final = 3
"""A count that comes so often in a row is accepted after all: the site has changed."""


class ImplausibleError(ValueError):
    """The pages contradict each other; the text says how, `match` is the key of the match (`key_of`)."""

    def __init__(self, reason: str, match: tuple[object, ...]) -> None:
        super().__init__(reason)
        self.match = match


def out_of_band(count: int, earlier: Sequence[int]) -> str:
    """Return why a page's number of matches is implausible after those of earlier runs; empty when it is not."""
    if len(earlier) < LEAST_RUNS:
        return ""
    least, most = min(earlier), max(earlier)
    if (count * SHRUNK < least and least > SMALL) or count > max(most, SMALL) * GROWN:
        return f"{count} matches where the latest {len(earlier)} runs found {least} to {most}"
    return ""


def is_accepted_at_last(count: int, doubts: Sequence[int]) -> bool:
    """Return whether a refused count has now come often enough to be accepted.

    `doubts` are the refused counts of the latest runs, oldest first.
    """
    latest = doubts[-(ACCEPTED_AFTER - 1) :]
    return len(latest) == ACCEPTED_AFTER - 1 and all(doubt == count for doubt in latest)


def merge_in_batches(records: Iterable[tuple[datetime, MatchRecord]]) -> Iterator[list[MatchRecord]]:
    """Merge records of one source from pages of different moments, in order of time, into batches with each match once.

    Each record comes with the moment at which its page was fetched. Records with the same id are merged, the later
    completed by the earlier. A match without an id is identified by its teams, and on another day it would be taken for
    another meeting: there a new batch begins.
    """
    waiting: list[MatchRecord] = []
    teams: dict[tuple[object, ...], date] = {}
    for _, record in sorted(records, key=lambda pair: pair[0]):
        pair = (record.competition, record.season, record.home_team, record.away_team)
        if not record.source_id and teams.get(pair, record.kickoff_at.date()) != record.kickoff_at.date():
            yield merge(waiting, in_time=True)
            waiting, teams = [], {}
        teams[pair] = record.kickoff_at.date()
        waiting.append(record)
    if waiting:
        yield merge(waiting, in_time=True)


def merge(records: Iterable[MatchRecord], *, in_time: bool = False) -> list[MatchRecord]:
    """Return one record of each match, the later of two completed by the earlier.

    Parameters
    ----------
    records : iterable of MatchRecord
        Of one source, in the order of their pages.
    in_time : bool
        Whether the pages are of different moments, so that a later one may correct an earlier one. Otherwise they are
        of one run, and two results of one match contradict each other.

    Raises
    ------
    ImplausibleError
        When two records of one run have different results of one match.
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
    """Return what is equal for two records of one match of their source."""
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
