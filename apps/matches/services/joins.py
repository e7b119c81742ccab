"""Two rows of one match become one, and two again: what belongs to a match travels as it is stored."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Final

from django.db import connection
from django.db.models import PROTECT

from apps.matches.ingest import tables
from apps.matches.ingest.rows import MatchRow
from apps.matches.models import Match

Snapshot = dict[str, list[dict[str, Any]]]
"""Table → its rows, column by column, as JSON holds them."""

CONTRADICTIONS: Final = "matches_contradiction"
CHANGES: Final = "matches_matchchange"

_ONE_OF_EACH: Final = {
    tables.LINEUPS: "player_id",
    tables.ABSENCES: "player_id",
    tables.INCIDENTS: "source",
    CONTRADICTIONS: "source",
}
"""Rows that move where the other match has none of the same."""

CHILDREN: Final = (tables.STATS, tables.ODDS, tables.REFS, *_ONE_OF_EACH)
"""What belongs to a match besides its history, which only moves, and what other apps keep of it, which stays."""

_ADDED: Final[dict[str, dict[str, Any]]] = {
    tables.MATCHES: {"kickoff_source": ""},
    tables.STATS: {"home_xg": None, "away_xg": None},
}
"""Columns that rows kept by earlier releases lack, by table."""

_IGNORED: Final = frozenset({"ingest_id", "updated_at", "seen_at", "competition_id", "world", "kickoff_source"})
"""Columns that may differ although nothing of a match has changed; rows from before migration 0006 lack two."""


@dataclass(frozen=True, slots=True)
class Join:
    """Two rows of one match: one stays, the other's contents move into it."""

    survivor: MatchRow
    gone: MatchRow


def with_new_columns(table: str, row: dict[str, Any]) -> dict[str, Any]:
    """Return a kept row with the columns that an earlier release could not keep."""
    return _ADDED.get(table, {}) | row


def protected(match_ids: Iterable[int]) -> dict[int, str]:
    """Return the matches whose rows must stay, each with what keeps them, such as forecasts.

    A row must stay when something refers to it that may not be deleted, or that another app keeps.
    """
    wanted = list(match_ids)
    kept: dict[int, str] = {}
    for relation in Match._meta.related_objects:
        model = relation.related_model
        assert not isinstance(model, str)
        if relation.on_delete is not PROTECT and model._meta.app_label == Match._meta.app_label:
            continue
        column = relation.field.attname
        rows = model._base_manager.filter(**{f"{column}__in": wanted}).values_list(column, flat=True).distinct()
        kept |= dict.fromkeys(rows, str(model._meta.verbose_name_plural))
    return kept


def snapshot(match_ids: Sequence[int]) -> Snapshot:
    """Return the rows of matches and of what belongs to them."""
    return {tables.MATCHES: _rows(tables.MATCHES, "id", match_ids)} | {
        table: _rows(table, "match_id", match_ids) for table in CHILDREN
    }


def differing(one: Snapshot, other: Snapshot) -> set[int]:
    """Return the matches that differ between two snapshots of the same matches."""
    found: set[int] = set()
    for table in one:
        key = "id" if table == tables.MATCHES else "match_id"
        ours, theirs = _comparable(table, one[table], key), _comparable(table, other[table], key)
        found |= {match_id for match_id in ours.keys() | theirs.keys() if ours.get(match_id) != theirs.get(match_id)}
    return found


def absorb(joins: Sequence[Join]) -> dict[int, list[int]]:
    """Move what belongs to the rows that go into those that stay, and delete the former; return their history's rows.

    What both have stays as the survivor has it, filled where that is empty.
    """
    pairs = [[join.survivor.id for join in joins], [join.gone.id for join in joins]]
    pair = "unnest(%s::bigint[], %s::bigint[]) AS p (survivor, gone)"
    gone = pairs[1]
    with connection.cursor() as cursor:
        cursor.execute(f"SELECT match_id, id FROM {CHANGES} WHERE match_id = ANY(%s) ORDER BY id", [gone])
        history: dict[int, list[int]] = {}
        for match_id, change_id in cursor.fetchall():
            history.setdefault(match_id, []).append(change_id)
        for table in (CHANGES, tables.REFS):
            cursor.execute(f"UPDATE {table} t SET match_id = p.survivor FROM {pair} WHERE t.match_id = p.gone", pairs)
        for table, key in _ONE_OF_EACH.items():
            cursor.execute(
                f"UPDATE {table} t SET match_id = p.survivor FROM {pair} WHERE t.match_id = p.gone AND NOT EXISTS "
                f"(SELECT 1 FROM {table} s WHERE s.match_id = p.survivor AND s.{key} = t.{key})",
                pairs,
            )
        for table, columns, keys in (
            (tables.STATS, tables.STATS_COLUMNS, ("match_id",)),
            (tables.ODDS, tables.ODDS_COLUMNS, ("match_id", "bookmaker", "moment")),
        ):
            values = [column for column in columns if column != "match_id"]
            filled = ", ".join(
                f"{column} = COALESCE({_null_if_blank(f's.{column}', column)}, excluded.{column})"
                for column in values
                if column not in keys
            )
            cursor.execute(
                f"INSERT INTO {table} AS s (match_id, {', '.join(values)}) "
                f"SELECT p.survivor, {', '.join(f't.{column}' for column in values)} "
                f"FROM {table} t JOIN {pair} ON t.match_id = p.gone "
                f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {filled}",
                pairs,
            )
        for table in CHILDREN:
            cursor.execute(f"DELETE FROM {table} WHERE match_id = ANY(%s)", [gone])
        cursor.execute(f"DELETE FROM {tables.MATCHES} WHERE id = ANY(%s)", [gone])
    return history


def split_matches(survivor_ids: Sequence[int], before: Snapshot, history: dict[int, list[int]]) -> None:
    """Put back the rows that were absorbed, and what belonged to either row; the survivors' own rows are not touched.

    Parameters
    ----------
    before : Snapshot
        Of both rows of each match, from before they were joined.
    history : dict
        Of each row that went, the rows of its history.
    """
    stayed = set(survivor_ids)
    with connection.cursor() as cursor:
        for table in CHILDREN:
            cursor.execute(f"DELETE FROM {table} WHERE match_id = ANY(%s)", [list(survivor_ids)])
        _insert(tables.MATCHES, [row for row in before[tables.MATCHES] if row["id"] not in stayed])
        for table in CHILDREN:
            _insert(table, before[table])
        for match_id, change_ids in history.items():
            cursor.execute(f"UPDATE {CHANGES} SET match_id = %s WHERE id = ANY(%s)", [match_id, change_ids])


def _null_if_blank(value: str, column: str) -> str:
    return f"NULLIF({value}, '')" if column == "referee" else value


def _rows(table: str, key: str, match_ids: Sequence[int]) -> list[dict[str, Any]]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"SELECT coalesce(jsonb_agg(to_jsonb(t)), '[]') FROM {table} t WHERE t.{key} = ANY(%s)", [list(match_ids)]
        )
        (found,) = cursor.fetchone()
    rows: list[dict[str, Any]] = json.loads(found) if isinstance(found, str) else found
    return rows


def _insert(table: str, rows: Sequence[dict[str, Any]]) -> None:
    if rows:
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO {table} SELECT * FROM jsonb_populate_recordset(NULL::{table}, %s::jsonb)",
                [json.dumps([with_new_columns(table, row) for row in rows])],
            )


def _comparable(table: str, rows: Iterable[dict[str, Any]], key: str) -> dict[int, list[str]]:
    texts: dict[int, list[str]] = {}
    for row in rows:
        values = {name: value for name, value in with_new_columns(table, row).items() if name not in _IGNORED}
        text = json.dumps(values, sort_keys=True)
        texts.setdefault(row[key], []).append(text)
    return {match_id: sorted(found) for match_id, found in texts.items()}
