"""Rows into PostgreSQL: binary COPY of new ones, and of what may differ by way of temporary tables.

The columns come from the models, so that a field added there is written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any, Final, NamedTuple

from django.db import connection, models

from apps.matches.ingest.rows import COLUMNS, SOURCES, MatchRow
from apps.matches.locks import Lock, wait_for
from apps.matches.models import Absence, Incident, Lineup, Match, MatchRef, MatchStats, Odds, Player, Season
from apps.matches.records import OddsRecord, StatsRecord

MATCHES: Final = "matches_match"
REFS: Final = "matches_matchref"
STATS: Final = "matches_matchstats"
ODDS: Final = "matches_odds"
PLAYERS: Final = "matches_player"
LINEUPS: Final = "matches_lineup"
INCIDENTS: Final = "matches_incident"
ABSENCES: Final = "matches_absence"

MATCH_COLUMNS: Final = (*COLUMNS, "ingest_id", "created_at", "updated_at")
NEW_MATCH_COLUMNS: Final = (*MATCH_COLUMNS, "world", "competition_id")
STATS_COLUMNS: Final = ("match_id", *(field.name for field in fields(StatsRecord)))
ODDS_COLUMNS: Final = ("match_id", *(field.name for field in fields(OddsRecord)))
INCIDENT_COLUMNS: Final = ("match_id", "source", "number", "kind", "side", "minute", "player_id", "other_player_id")


class Table(NamedTuple):
    """A model, and the columns of it that are written here, in the order of rows."""

    model: type[models.Model]
    columns: Sequence[str]


TABLES: Final = {
    REFS: Table(MatchRef, ("match_id", "source", "source_id")),
    STATS: Table(MatchStats, STATS_COLUMNS),
    ODDS: Table(Odds, ODDS_COLUMNS),
    PLAYERS: Table(Player, ("id", "source", "source_player_id", "name")),
    LINEUPS: Table(Lineup, ("match_id", "side", "player_id", "is_starter", "position", "shirt_number", "known_at")),
    INCIDENTS: Table(Incident, INCIDENT_COLUMNS),
    ABSENCES: Table(Absence, ("match_id", "player_id", "side", "reason", "status", "known_at")),
}

_sources: Final = attrgetter(*SOURCES)

_TYPES: Final = {
    "BigAutoField": "int8",
    "ForeignKey": "int8",
    "OneToOneField": "int8",
    "PositiveSmallIntegerField": "int2",
    "PositiveIntegerField": "int4",
    "FloatField": "float8",
    "BooleanField": "bool",
    "DateTimeField": "timestamptz",
    "CharField": "text",
}


def _types(model: type[models.Model], columns: Sequence[str]) -> list[str]:
    by_column = {
        field.column: _TYPES[field.get_internal_type()] for field in model._meta.concrete_fields if field.column
    }
    return [by_column[column] for column in columns]


def lock(*, timeout: timedelta | None = None) -> None:
    """Wait until no other ingest runs, and keep others out until the transaction ends.

    Raises
    ------
    StillBusyError
        When another ingest does not end within `timeout`, if that is given.
    """
    # One at a time, so that the numbers of ingests are in the order of their commits.
    wait_for(Lock.INGEST, timeout=timeout)
    with connection.cursor() as cursor:
        # Checked at each statement, not all at the commit: an error then names its batch.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        # A plan that was made while a table was small would read all of it for every foreign key when it has grown.
        cursor.execute("SET LOCAL enable_seqscan = off")
        # The planner then overestimates the cost of reading a temporary table in full, and would compile the query.
        cursor.execute("SET LOCAL jit = off")


def refresh_statistics(*tables: str) -> None:
    """Update the planner's statistics of tables, the rows of this transaction included.

    Autovacuum does not see these, and a plan for an empty table looks a match up by reading a whole index: storing
    48,000 matches took 131 s of work in place of 5. No other session can analyse the tables until the transaction ends.
    """
    with connection.cursor() as cursor:
        # Only its owner may analyse a table.
        cursor.execute("SELECT spai_analyze(VARIADIC %s::regclass[])", [list(tables)])


def load_matches(season_ids: Iterable[int]) -> list[MatchRow]:
    """Return the stored matches of some seasons."""
    return _load_matches("season_id = ANY(%s)", list(season_ids))


def load_matches_by_id(match_ids: Iterable[int]) -> list[MatchRow]:
    """Return stored matches by number; what is not stored is left out."""
    return _load_matches("id = ANY(%s)", list(match_ids))


def load_matches_of_team(team_id: int, season_ids: Iterable[int] | None = None) -> list[MatchRow]:
    """Return the stored matches of a team, of all seasons or of some."""
    of_team = "(home_team_id = %s OR away_team_id = %s)"
    if season_ids is None:
        return _load_matches(of_team, team_id, team_id)
    return _load_matches(f"{of_team} AND season_id = ANY(%s)", team_id, team_id, list(season_ids))


def _load_matches(condition: str, *values: Any) -> list[MatchRow]:
    # By COPY, because Django reads each moment of a SELECT as text, which took a tenth of an import without changes.
    with connection.cursor() as cursor:
        select = cursor.mogrify(f"SELECT {', '.join(COLUMNS)} FROM {MATCHES} WHERE {condition}", values)
        with cursor.copy(f"COPY ({select}) TO STDOUT (FORMAT BINARY)") as copy:
            copy.set_types(_types(Match, COLUMNS))
            return [MatchRow(*row) for row in copy.rows()]


def pairs_that_repeat(season_id: int, *, days: int) -> int:
    """Return how many pairs have two results, or two fixtures, more than `days` apart in one stage of a season."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT count(DISTINCT (a.home_team_id, a.away_team_id)) FROM matches_match a JOIN matches_match b "
            "ON b.season_id = a.season_id AND b.home_team_id = a.home_team_id AND b.away_team_id = a.away_team_id "
            "AND b.kickoff_at > a.kickoff_at + make_interval(days => %s) "
            "AND b.stage_id IS NOT DISTINCT FROM a.stage_id "
            "AND (b.known_at IS NULL) = (a.known_at IS NULL) WHERE a.season_id = %s",
            [days, season_id],
        )
        return int(cursor.fetchone()[0])


def season_before(season_id: int) -> int | None:
    """Return the latest season of the same competition with an earlier label; None without one."""
    label, competition_id = Season.objects.values_list("label", "competition_id").get(pk=season_id)
    earlier = Season.objects.filter(competition_id=competition_id, label__lt=label).order_by("-label")
    return earlier.values_list("pk", flat=True).first()


def load_refs(source: str, source_ids: Iterable[str], season_ids: Iterable[int]) -> dict[str, int]:
    """Return source id → match, of these ids and of all that the source has given to matches of these seasons."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT source_id, match_id FROM matches_matchref WHERE source = %s AND source_id = ANY(%s) "
            "UNION SELECT r.source_id, r.match_id FROM matches_matchref r JOIN matches_match m ON m.id = r.match_id "
            "WHERE r.source = %s AND m.season_id = ANY(%s)",
            [source, list(source_ids), source, list(season_ids)],
        )
        return dict(cursor.fetchall())


def next_ids(table: str, count: int) -> list[int]:
    """Reserve ids for new rows of a table."""
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute("SELECT nextval(pg_get_serial_sequence(%s, 'id')) FROM generate_series(1, %s)", [table, count])
        return [row[0] for row in cursor.fetchall()]


def insert_matches(rows: Iterable[tuple[MatchRow, int]], *, world: str, ingest_id: int, now: datetime) -> None:
    """Store new matches of a world, each given with the id of its competition."""
    tail = (ingest_id, now, now, world)
    _copy(MATCHES, Match, NEW_MATCH_COLUMNS, ((*row.values(), *tail, competition_id) for row, competition_id in rows))


def update_matches(rows: Sequence[MatchRow], *, ingest_id: int, now: datetime) -> None:
    """Store what stored matches have become."""
    if not rows:
        return
    columns = [column for column in (*COLUMNS, "ingest_id", "updated_at") if column != "id"]
    tail = (ingest_id, now, now)
    _fresh("ingest_match", MATCHES)
    _copy("ingest_match", Match, MATCH_COLUMNS, (row.values() + tail for row in rows))
    with connection.cursor() as cursor:
        assignments = ", ".join(f"{column} = t.{column}" for column in columns)
        cursor.execute(f"UPDATE matches_match m SET {assignments} FROM ingest_match t WHERE m.id = t.id")


def set_sources(rows: Sequence[MatchRow], now: datetime) -> None:
    """Store other sources of the result and kick-off of matches that are otherwise unchanged."""
    for sources, group in groupby(sorted(rows, key=_sources), key=_sources):
        values = dict(zip(SOURCES, sources, strict=True))
        Match.objects.filter(pk__in=[row.id for row in group]).update(**values, updated_at=now)


def insert(table: str, rows: Iterable[tuple[Any, ...]]) -> None:
    """Store new rows of a table, in the order of its columns in `TABLES`."""
    _copy(table, *TABLES[table], rows)


def mark_changed(match_ids: set[int], *, ingest_id: int, now: datetime) -> None:
    """Note in matches whose statistics changed which ingest did it."""
    if match_ids:
        Match.objects.filter(pk__in=match_ids).update(ingest_id=ingest_id, updated_at=now)


def upsert_stats(rows: Sequence[tuple[Any, ...]]) -> set[int]:
    """Store statistics where they differ from what is stored; return the matches whose did."""
    return _upsert(STATS, ("match_id",), rows, blank=("referee",))


def upsert_odds(rows: Sequence[tuple[Any, ...]]) -> set[int]:
    """Store prices where they differ from what is stored; return the matches whose did."""
    return _upsert(ODDS, ("match_id", "bookmaker", "moment"), rows)


def load_players(source: str, source_player_ids: Iterable[str]) -> list[tuple[str, int, str]]:
    """Return source id, row and name of the players that a source has named before."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT source_player_id, id, name FROM matches_player WHERE source = %s AND source_player_id = ANY(%s)",
            [source, list(source_player_ids)],
        )
        return cursor.fetchall()


def rename_players(names: dict[int, str]) -> None:
    """Store the names that players go by now."""
    with connection.cursor() as cursor:
        cursor.execute(
            "UPDATE matches_player p SET name = t.name FROM unnest(%s::bigint[], %s::text[]) AS t (id, name) "
            "WHERE p.id = t.id",
            [list(names), list(names.values())],
        )


def load_player_rows(table: str, source: str, match_ids: Sequence[int]) -> list[tuple[Any, ...]]:
    """Return the line-ups or absences that a source has reported: row, then the columns in `TABLES`."""
    columns = TABLES[table].columns
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT t.id, {', '.join(f't.{column}' for column in columns)} FROM {table} t "
            "JOIN matches_player p ON p.id = t.player_id WHERE p.source = %s AND t.match_id = ANY(%s)",
            [source, list(match_ids)],
        )
        return cursor.fetchall()


def load_incidents(source: str, match_ids: Sequence[int]) -> list[tuple[Any, ...]]:
    """Return the incidents that a source has reported, in the order of play: row, then `INCIDENT_COLUMNS`."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT id, {', '.join(INCIDENT_COLUMNS)} FROM {INCIDENTS} WHERE source = %s AND match_id = ANY(%s) "
            "ORDER BY match_id, number",
            [source, list(match_ids)],
        )
        return cursor.fetchall()


def replace(table: str, gone: Sequence[int], rows: Sequence[tuple[Any, ...]]) -> None:
    """Delete rows of a table by id, then store new ones."""
    if gone:
        with connection.cursor() as cursor:
            cursor.execute(f"DELETE FROM {table} WHERE id = ANY(%s)", [list(gone)])
    if rows:
        insert(table, rows)


def _upsert(table: str, key: Sequence[str], rows: Sequence[tuple[Any, ...]], *, blank: Sequence[str] = ()) -> set[int]:
    """Write what differs. An empty value never erases one that is known; an equal row is not even locked."""
    if not rows:
        return set()
    model, columns = TABLES[table]
    temporary = table.replace("matches_", "ingest_")
    _fresh(temporary, table)
    _copy(temporary, model, columns, rows)
    values = [column for column in columns if column not in key]
    given = {column: f"NULLIF(t.{column}, '')" if column in blank else f"t.{column}" for column in values}
    differs = " OR ".join(
        f"({given[column]} IS NOT NULL AND {given[column]} IS DISTINCT FROM s.{column})" for column in values
    )
    merged = ", ".join(
        f"{column} = COALESCE(NULLIF(excluded.{column}, ''), s.{column})"
        if column in blank
        else f"{column} = COALESCE(excluded.{column}, s.{column})"
        for column in values
    )
    same_key = " AND ".join(f"s.{column} = t.{column}" for column in key)
    names = ", ".join(columns)
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {temporary}")
        cursor.execute(
            f"INSERT INTO {table} AS s ({names}) SELECT {', '.join(f't.{column}' for column in columns)} "
            f"FROM {temporary} t LEFT JOIN {table} s ON {same_key} WHERE s.match_id IS NULL OR {differs} "
            f"ON CONFLICT ({', '.join(key)}) DO UPDATE SET {merged} RETURNING match_id"
        )
        return {row[0] for row in cursor.fetchall()}


def _fresh(temporary: str, table: str) -> None:
    """Make an empty temporary table of a table's columns."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"CREATE TEMPORARY TABLE IF NOT EXISTS {temporary} (LIKE {table} INCLUDING DEFAULTS) ON COMMIT DROP"
        )
        cursor.execute(f"TRUNCATE {temporary}")


def _copy(table: str, model: type[models.Model], columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(_types(model, columns))
        for row in rows:
            copy.write_row(row)
