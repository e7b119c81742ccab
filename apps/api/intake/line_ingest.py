"""Stores the lines of a body in one ingest, and maps the outcome of each record back to its lines."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import date
from typing import Final

from apps.api.intake.bodies import PushBody
from apps.api.intake.lines import LineError, OddsLine, read_line
from apps.api.selectors import WITH_RESULT
from apps.matches.ingest import Ingestion, RecordOutcome, is_full
from apps.matches.models import MatchRef, TeamAlias, World
from apps.matches.records import CompetitionKey, KickoffPrecision, MatchRecord, MatchStatus, OddsRecord

ERRORS_LISTED: Final = 1_000

NAMES_LIMIT: Final = 5_000
"""Different competitions, seasons, stages and teams in one body; each new one takes about a millisecond."""

VERSIONS_LIMIT: Final = 20
"""Different versions of one match in one batch; the ingest stores each in its own pass."""

REASON_LIMIT: Final = 200
"""Characters of a reason that are stored with the ingest; the client gets all of it."""


class WorldForbiddenError(Exception):
    """A line belongs to a world that its key may not write to."""


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
    """Stores the lines of one body in one ingest, and counts and lists the outcomes.

    A line of odds joins the line of its match in the same batch, else the stored match. A line that repeats the latest
    line of its match counts as same; one that differs is a separate record.
    """

    def __init__(self, *, worlds: frozenset[World], source: str, from_line: int = 1) -> None:
        self._worlds = worlds
        self._source = source
        self._offset = from_line - 1
        self.outcomes: Counter[RecordOutcome] = Counter()
        self._errors: list[LineRefusal] = []
        self._names: set[Key] = set()
        self._begin_batch()

    def _begin_batch(self) -> None:
        self._records: list[MatchRecord] = []
        # By index of a record: its first line, and the other lines that equal it or hold its odds.
        self._first: list[int] = []
        self._others: dict[int, list[int]] = {}
        # By match: the index of its latest record, and the number of its records.
        self._newest: dict[Key, int] = {}
        self._versions: Counter[Key] = Counter()
        self._odds: dict[str, list[tuple[int, tuple[OddsRecord, ...]]]] = {}

    @property
    def refused(self) -> int:
        return self.outcomes[RecordOutcome.REFUSED]

    @property
    def stored(self) -> int:
        """Number of lines whose content is in the database now."""
        return self.outcomes.total() - self.refused

    @property
    def errors(self) -> list[LineRefusal]:
        """The first `ERRORS_LISTED` refused lines, in order."""
        return sorted(self._errors, key=lambda each: each.line)[:ERRORS_LISTED]

    def store(self, body: PushBody, run: Ingestion) -> None:
        """Store every line of a body.

        Raises
        ------
        WorldForbiddenError, TooManyNamesError
            The caller must roll back the ingest.
        """
        season: Key = ()
        for number, raw in body.numbered():
            line = number + self._offset
            try:
                record = read_line(raw)
                if isinstance(record, OddsLine):
                    self._odds.setdefault(record.source_id, []).append((line, record.odds))
                    continue
                self._check_limits(line, record)
                before, season = season, (record.competition, record.season)
                size = len(self._records)
                if is_full(size, season_ends=season != before):
                    self._store_batch(run)
                self._add(line, record)
            except LineError as error:
                self._refuse(run, line, error.reason, error.pointer)
        self._store_batch(run)

    def _check_limits(self, line: int, record: MatchRecord) -> None:
        competition = record.competition
        world = World.SANDBOX if competition.is_simulated else World.REAL
        if world not in self._worlds:
            raise WorldForbiddenError(
                f"Line {line:,} belongs to the {world} world, to which this API key may not write; "
                "`competition.is_simulated` decides the world of a line."
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
            self._others.setdefault(newest, []).append(line)
            return
        self._versions[key] += 1
        if self._versions[key] > VERSIONS_LIMIT:
            raise LineError(f"the body holds more than {VERSIONS_LIMIT} versions of this match; send only the latest")
        self._newest[key] = len(self._records)
        self._records.append(record)
        self._first.append(line)

    def _refuse(self, run: Ingestion, line: int, reason: str, pointer: str = "") -> None:
        self.outcomes[RecordOutcome.REFUSED] += 1
        run.refuse(f"line {line}", f"{pointer}: {reason}"[:REASON_LIMIT] if pointer else reason[:REASON_LIMIT])
        self._list(line, reason, pointer)

    def _list(self, line: int, reason: str, pointer: str = "") -> None:
        self._errors.append(LineRefusal(line, pointer, reason))
        if len(self._errors) > 4 * ERRORS_LISTED:
            self._errors = self.errors

    def _store_batch(self, run: Ingestion) -> None:
        self._join_odds(run)
        batch = run.store(self._records)
        for index, outcome in enumerate(batch.outcomes):
            lines = [self._first[index], *self._others.get(index, ())]
            if outcome == RecordOutcome.REFUSED:
                for line in lines:
                    self._list(line, batch.refused[index].reason)
                self.outcomes[outcome] += len(lines)
            else:
                self.outcomes[outcome] += 1
                self.outcomes[RecordOutcome.SAME] += len(lines) - 1
        self._begin_batch()

    # ── Odds ─────────────────────────────────────────────────────────────────────────────────────────────────────────
    def _join_odds(self, run: Ingestion) -> None:
        """Add the lines of odds to the records of their matches; make a record for a match that is stored already."""
        stored = _stored(self._source, [each for each in self._odds if ("id", each) not in self._newest])
        for source_id, lines in self._odds.items():
            index = self._newest.get(("id", source_id))
            if index is None:
                record = stored.get(source_id)
                if record is None:
                    for line, _ in lines:
                        reason = f"no match of {self._source} has this id"
                        self._refuse(run, line, reason, "/source_id")
                    continue
                self._check_limits(lines[0][0], record)
                index = len(self._records)
                self._records.append(record)
                self._first.append(lines[0][0])
                others = [line for line, _ in lines[1:]]
            else:
                others = [line for line, _ in lines]
            if others:
                self._others.setdefault(index, []).extend(others)
            quotes = [quote for _, quoted in lines for quote in quoted]
            self._records[index] = replace(self._records[index], odds=(*self._records[index].odds, *quotes))


def _key(record: MatchRecord) -> Key:
    if record.source_id:
        return ("id", record.source_id)
    day: date = record.kickoff_at.date()
    home, away = (record.home_region, record.home_team), (record.away_region, record.away_team)
    return (record.competition, record.season, home, away, day)


def _stored(source: str, source_ids: Iterable[str]) -> dict[str, MatchRecord]:
    """Return records of the stored matches that a source has under some ids.

    They name the teams as the source does, and carry no result: the stored one may come from another source, and must
    not be stored as a claim of this one.
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
            status=MatchStatus.SCHEDULED if match.status in WITH_RESULT else MatchStatus(match.status),
            source_id=source_id,
            home_team_id=home[1],
            away_team_id=away[1],
            home_region=home[2],
            away_region=away[2],
        )
    return records
