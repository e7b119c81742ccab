"""Rows into PostgreSQL: binary COPY of new ones, and of what may differ by way of temporary tables.

The columns come from the models, so that a field added there is written here.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import fields
from datetime import datetime
from typing import Any, Final

from django.db import connection, models

from apps.matches.locks import Lock, wait_for
from apps.matches.models import Match, MatchRef, MatchStats, Odds
from apps.matches.records import OddsRecord, StatsRecord
from apps.matches.services.rows import COLUMNS, MatchRow

MATCHES: Final = "matches_match"
REFS: Final = "matches_matchref"
STATS: Final = "matches_matchstats"
ODDS: Final = "matches_odds"

MATCH_COLUMNS: Final = (*COLUMNS, "ingest_id", "created_at", "updated_at")
STATS_COLUMNS: Final = ("match_id", *(field.name for field in fields(StatsRecord)))
ODDS_COLUMNS: Final = ("match_id", *(field.name for field in fields(OddsRecord)))
REF_COLUMNS: Final = ("match_id", "source", "source_id")

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


def lock() -> None:
    """Wait until no other ingest runs, and keep others out until the transaction ends."""
    # One at a time, so that the numbers of ingests are in the order of their commits.
    wait_for(Lock.INGEST)
    with connection.cursor() as cursor:
        # Checked at each statement, not all at the commit: an error then names its batch.
        cursor.execute("SET CONSTRAINTS ALL IMMEDIATE")
        # A plan that was made while a table was small would read all of it for every foreign key when it has grown.
        cursor.execute("SET LOCAL enable_seqscan = off")
        # What is read in full all the same, a temporary table, then looks so dear that compiling pays. It does not.
        cursor.execute("SET LOCAL jit = off")


def refresh_statistics(*tables: str) -> None:
    """Count the rows of tables for the planner, those of this transaction included.

    Others' counts see none of these, and a plan made from "no rows" looks a match up by reading a whole index: storing
    48,000 matches took 131 s of work in place of 5. From here to the end of the transaction nobody else counts.
    """
    with connection.cursor() as cursor:
        cursor.execute(f"ANALYZE {', '.join(tables)}")


def load_matches(season_ids: Iterable[int]) -> list[MatchRow]:
    """Return the stored matches of some seasons."""
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT {', '.join(COLUMNS)} FROM matches_match WHERE season_id = ANY(%s)", [list(season_ids)])
        return [MatchRow(*row) for row in cursor.fetchall()]


def load_refs(source: str, source_ids: Iterable[str], season_ids: Iterable[int]) -> dict[str, int]:
    """Return source id → match, of these ids and of all that the source tells of these seasons."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT source_id, match_id FROM matches_matchref WHERE source = %s AND source_id = ANY(%s) "
            "UNION SELECT r.source_id, r.match_id FROM matches_matchref r JOIN matches_match m ON m.id = r.match_id "
            "WHERE r.source = %s AND m.season_id = ANY(%s)",
            [source, list(source_ids), source, list(season_ids)],
        )
        return dict(cursor.fetchall())


def next_match_ids(count: int) -> list[int]:
    """Take numbers for new matches."""
    if not count:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT nextval(pg_get_serial_sequence('matches_match', 'id')) FROM generate_series(1, %s)", [count]
        )
        return [row[0] for row in cursor.fetchall()]


def insert_matches(rows: Sequence[MatchRow], *, ingest_id: int, now: datetime) -> None:
    """Store new matches."""
    tail = (ingest_id, now, now)
    _copy(MATCHES, Match, MATCH_COLUMNS, (row.values() + tail for row in rows))


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


def insert_refs(refs: Iterable[tuple[int, str, str]]) -> None:
    """Store new references: match, source, source id."""
    _copy(REFS, MatchRef, REF_COLUMNS, refs)


def insert_stats(rows: Iterable[tuple[Any, ...]]) -> None:
    """Store the statistics of new matches, in the order of `STATS_COLUMNS`."""
    _copy(STATS, MatchStats, STATS_COLUMNS, rows)


def insert_odds(rows: Iterable[tuple[Any, ...]]) -> None:
    """Store the prices of new matches, in the order of `ODDS_COLUMNS`."""
    _copy(ODDS, Odds, ODDS_COLUMNS, rows)


def mark_changed(match_ids: set[int], *, ingest_id: int, now: datetime) -> None:
    """Note in matches whose statistics changed which ingest did it."""
    if match_ids:
        Match.objects.filter(pk__in=match_ids).update(ingest_id=ingest_id, updated_at=now)


def upsert_stats(rows: Sequence[tuple[Any, ...]]) -> set[int]:
    """Store statistics where they differ from what is stored; return the matches whose did."""
    return _upsert(STATS, MatchStats, STATS_COLUMNS, ("match_id",), rows, blank=("referee",))


def upsert_odds(rows: Sequence[tuple[Any, ...]]) -> set[int]:
    """Store prices where they differ from what is stored; return the matches whose did."""
    return _upsert(ODDS, Odds, ODDS_COLUMNS, ("match_id", "bookmaker", "moment"), rows)


def _upsert(
    table: str,
    model: type[models.Model],
    columns: Sequence[str],
    key: Sequence[str],
    rows: Sequence[tuple[Any, ...]],
    *,
    blank: Sequence[str] = (),
) -> set[int]:
    """Write what differs. An empty value never erases one that is known; an equal row is not even locked."""
    if not rows:
        return set()
    temporary = table.replace("matches_", "ingest_")
    _fresh(temporary, table)
    _copy(temporary, model, columns, rows)
    values = [column for column in columns if column not in key]
    told = {column: f"NULLIF(t.{column}, '')" if column in blank else f"t.{column}" for column in values}
    differs = " OR ".join(
        f"({told[column]} IS NOT NULL AND {told[column]} IS DISTINCT FROM s.{column})" for column in values
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
        cursor.execute(f"CREATE TEMPORARY TABLE IF NOT EXISTS {temporary} (LIKE {table}) ON COMMIT DROP")
        cursor.execute(f"TRUNCATE {temporary}")


def _copy(table: str, model: type[models.Model], columns: Sequence[str], rows: Iterable[tuple[Any, ...]]) -> None:
    with (
        connection.cursor() as cursor,
        cursor.copy(f"COPY {table} ({', '.join(columns)}) FROM STDIN (FORMAT BINARY)") as copy,
    ):
        copy.set_types(_types(model, columns))
        for row in rows:
            copy.write_row(row)
