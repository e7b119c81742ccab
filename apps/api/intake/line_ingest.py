"""From the lines of a body to the records of an ingest, and from what became of those back to the lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from apps.api.intake.bodies import PushBody
from apps.api.intake.lines import LineError, OddsLine, read_line
from apps.matches.ingest import RESULTS, Ingestion, RecordOutcome, is_full
from apps.matches.models import MatchRef, TeamAlias, World
from apps.matches.records import (
    CompetitionKey,
    KickoffPrecision,
    MatchRecord,
    MatchStatus,
    OddsRecord,
)

ERRORS_TOLD: Final = 1_000

NAMES_LIMIT: Final = 5_000
"""Different competitions, seasons, stages and teams in one body; a new one takes about a millisecond."""

TELLINGS_LIMIT: Final = 20
"""How often one batch may tell one match; each telling is a round of its own."""

REASON_LIMIT: Final = 200
"""Characters of a reason that are kept with the ingest; the client gets all of it."""


class WorldForbiddenError(Exception):
    """A line tells of a world that its key may not write to."""


class TooManyNamesError(Exception):
    """One body names more competitions, seasons, stages and teams than one ingest may add."""


@dataclass(frozen=True, slots=True)
class LineRefusal:
    """A line that was not stored: its number, the field that is wrong, and why."""

    line: int
    pointer: str
    reason: str


Key = tuple[object, ...]


class LineIngest:
    """Takes the lines of one body into one ingest, and keeps the account of them.

    A line of odds joins the line of its match in the same batch, else the stored match. Of two equal lines the second
    is the same; a match that is told again, otherwise, is a record of its own.

    Parameters
    ----------
    worlds : frozenset of World
        What the lines may be about.
    source : str
        Whose they are.
    from_line : int
        Number of the first line.
    """

    def __init__(self, *, worlds: frozenset[World], source: str, from_line: int = 1) -> None:
        self._worlds = worlds
        self._source = source
        self._offset = from_line - 1
        self._outcomes: Counter[RecordOutcome] = Counter()
        self._errors: list[LineRefusal] = []
        self._names: set[Key] = set()
        self._begin_batch()

    def _begin_batch(self) -> None:
        self._records: list[MatchRecord] = []
        # The line that told each record; the lines that told the same, and the lines of its odds.
        self._first: list[int] = []
        self._again: dict[int, list[int]] = {}
        self._newest: dict[Key, int] = {}
        self._tellings: Counter[Key] = Counter()
        self._odds: dict[str, list[tuple[int, tuple[OddsRecord, ...]]]] = {}

    @property
    def created(self) -> int:
        """Number of lines that told something new."""
        return self._outcomes[RecordOutcome.CREATED]

    @property
    def changed(self) -> int:
        """Number of lines that changed something."""
        return self._outcomes[RecordOutcome.CHANGED]

    @property
    def same(self) -> int:
        """Number of lines that told what was known."""
        return self._outcomes[RecordOutcome.SAME]

    @property
    def refused(self) -> int:
        """Number of lines that were not stored."""
        return self._outcomes[RecordOutcome.REFUSED]

    @property
    def stored(self) -> int:
        """Number of lines that are stored now."""
        return self.created + self.changed + self.same

    @property
    def errors(self) -> list[LineRefusal]:
        """The refused lines in order, the first `ERRORS_TOLD` of them."""
        return sorted(self._errors, key=lambda each: each.line)[:ERRORS_TOLD]

    def take(self, body: PushBody, run: Ingestion) -> None:
        """Take every line of a body.

        Raises
        ------
        WorldForbiddenError, TooManyNamesError
            The ingest must be given up.
        """
        season: Key = ()
        for number, raw in body.numbered():
            line = number + self._offset
            try:
                told = read_line(raw)
                if isinstance(told, OddsLine):
                    self._odds.setdefault(told.source_id, []).append((line, told.odds))
                    continue
                self._admit(line, told)
                before, season = season, (told.competition, told.season)
                size = len(self._records)
                if is_full(size, season_ends=season != before):
                    self._store(run)
                self._add(line, told)
            except LineError as error:
                self._refuse(run, line, error.reason, error.pointer)
        self._store(run)

    def _admit(self, line: int, record: MatchRecord) -> None:
        competition = record.competition
        world = World.SANDBOX if competition.is_simulated else World.REAL
        if world not in self._worlds:
            raise WorldForbiddenError(
                f"Line {line:,} tells of the {world} world, to which this API key may not write; "
                "`competition.is_simulated` says which world a line is about."
            )
        where = (competition.region, competition.name)
        self._names |= {
            where,
            (*where, record.season),
            (*where, record.season, record.stage),
            ("team", record.home_region or competition.region, record.home_team, record.home_team_id),
            ("team", record.away_region or competition.region, record.away_team, record.away_team_id),
        }
        if len(self._names) > NAMES_LIMIT:
            raise TooManyNamesError(
                f"Up to line {line:,} the body names more than {NAMES_LIMIT:,} competitions, seasons, stages and "
                "teams; send it in several requests."
            )

    def _add(self, line: int, record: MatchRecord) -> None:
        key = _key(record)
        newest = self._newest.get(key)
        if newest is not None and self._records[newest] == record:
            self._again.setdefault(newest, []).append(line)
            return
        self._tellings[key] += 1
        if self._tellings[key] > TELLINGS_LIMIT:
            raise LineError(f"the body tells this match more than {TELLINGS_LIMIT} times; send what became of it")
        self._newest[key] = len(self._records)
        self._records.append(record)
        self._first.append(line)

    def _refuse(self, run: Ingestion, line: int, reason: str, pointer: str = "") -> None:
        self._outcomes[RecordOutcome.REFUSED] += 1
        run.refuse(f"line {line}", f"{pointer}: {reason}"[:REASON_LIMIT] if pointer else reason[:REASON_LIMIT])
        self._tell(line, reason, pointer)

    def _tell(self, line: int, reason: str, pointer: str = "") -> None:
        self._errors.append(LineRefusal(line, pointer, reason))
        if len(self._errors) > 4 * ERRORS_TOLD:
            self._errors = self.errors

    def _store(self, run: Ingestion) -> None:
        self._join_odds(run)
        batch = run.store(self._records)
        for index, outcome in enumerate(batch.outcomes):
            lines = [self._first[index], *self._again.get(index, ())]
            if outcome == RecordOutcome.REFUSED:
                for line in lines:
                    self._tell(line, batch.refused[index].reason)
                self._outcomes[outcome] += len(lines)
            else:
                self._outcomes[outcome] += 1
                self._outcomes[RecordOutcome.SAME] += len(lines) - 1
        self._begin_batch()

    # ── Odds ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _join_odds(self, run: Ingestion) -> None:
        """Give the lines of odds to the records of their matches; of a match that is stored, make its record."""
        stored = _stored(self._source, [each for each in self._odds if ("id", each) not in self._newest])
        for source_id, lines in self._odds.items():
            index = self._newest.get(("id", source_id))
            if index is None:
                record = stored.get(source_id)
                if record is None:
                    for line, _ in lines:
                        reason = f"{self._source} has told no match under this id"
                        self._refuse(run, line, reason, "/source_id")
                    continue
                self._admit(lines[0][0], record)
                index = len(self._records)
                self._records.append(record)
                self._first.append(lines[0][0])
                again = [line for line, _ in lines[1:]]
            else:
                again = [line for line, _ in lines]
            if again:
                self._again.setdefault(index, []).extend(again)
            quotes = [quote for _, quoted in lines for quote in quoted]
            self._records[index] = replace(self._records[index], odds=(*self._records[index].odds, *quotes))


def _key(record: MatchRecord) -> Key:
    if record.source_id:
        return ("id", record.source_id)
    day: date = record.kickoff_at.date()
    home, away = (record.home_region, record.home_team), (record.away_region, record.away_team)
    return (record.competition, record.season, home, away, day)


def _stored(source: str, source_ids: Iterable[str]) -> dict[str, MatchRecord]:
    """Return the matches that a source told under some ids, in its own names of the teams and without their results.

    A result that stands need not be the word of this source; one that only quotes prices says nothing of it.
    """
    wanted = list(source_ids)
    if not wanted:
        return {}
    refs = MatchRef.objects.filter(source=source, source_id__in=wanted).select_related(
        "match__season__competition__region", "match__home_team__region", "match__away_team__region"
    )
    found = {ref.source_id: ref.match for ref in refs}
    team_ids = {team for match in found.values() for team in (match.home_team_id, match.away_team_id)}
    names = {
        alias.team_id: (alias.name, alias.source_team_id, alias.region.name)
        for alias in TeamAlias.objects.filter(source=source, team_id__in=team_ids).select_related("region")
    }
    records = {}
    for source_id, match in found.items():
        competition = match.season.competition
        home = names.get(match.home_team_id, (match.home_team.name, "", match.home_team.region.name))
        away = names.get(match.away_team_id, (match.away_team.name, "", match.away_team.region.name))
        records[source_id] = MatchRecord(
            competition=CompetitionKey(
                competition.region.name, competition.name, competition.level, competition.is_simulated
            ),
            season=match.season.label,
            home_team=home[0],
            away_team=away[0],
            kickoff_at=match.kickoff_at,
            kickoff_precision=KickoffPrecision(match.kickoff_precision),
            status=MatchStatus.SCHEDULED if match.status in RESULTS else MatchStatus(match.status),
            source_id=source_id,
            home_team_id=home[1],
            away_team_id=away[1],
            home_region=home[2],
            away_region=away[2],
        )
    return records
