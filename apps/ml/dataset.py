"""Matches, odds and line-ups from the database as Arrow tables and pandas frames, for the export and for serving.

Every frame of matches has the columns of `forecasting.features.schema.MATCHES`. Rows are read by COPY into Arrow:
280,000 matches take two seconds, one fixture takes a few milliseconds.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from django.db import connection
from pyarrow import csv

from apps.matches.models import Match, MatchChange, World
from apps.matches.records import DATE_ONLY_KNOWN_AT
from apps.matches.selectors import data_snapshot
from apps.ml.forecasting.features.events import EventRows, fixture_row
from apps.ml.forecasting.features.schema import ADJUSTMENTS, LINEUPS, MATCHES, ODDS, STATS, TIMESTAMP, XG

ATTEMPTS: Final = 5
"""How often the export starts over because facts changed while it read them."""

# `LeagueDecision.known_at`
_DECIDED: Final = "(v.decided_on + 1)::timestamp AT TIME ZONE 'UTC'"

# `records.xg_known_at`
_XG_KNOWN_AT: Final = f"""greatest(
    m.known_at, ((m.kickoff_at AT TIME ZONE 'UTC')::date + 1 + time '{DATE_ONLY_KNOWN_AT}') AT TIME ZONE 'UTC'
)"""

_HAS_XG: Final = "x.home_xg IS NOT NULL AND x.away_xg IS NOT NULL"

_NOT_PLAYED: Final = "('postponed', 'cancelled', 'abandoned')"

# An export as of an instant hides what was not known then. A match after the instant is a fixture, whatever came of it;
# one that had begun without a known result is only a date in the calendar of its teams. A cancellation or a new date
# counts from the moment it was stored; before that, `matches_matchchange` has the status and kick-off of the time.
_KNOWN_AT: Final = "m.known_at < %(at)s"
_EARLIER_VALUES: Final = "".join(
    f"""
        LEFT JOIN (
            SELECT DISTINCT ON (match_id) match_id, (before->>'{name}'){cast} AS {name}
            FROM matches_matchchange WHERE changed_at >= %(at)s AND before->>'{name}' IS NOT NULL
            ORDER BY match_id, changed_at, id
        ) {table} ON {table}.match_id = m.id"""
    for table, name, cast in (
        ("was", "status", ""),
        ("planned", "kickoff_at", "::timestamptz"),
        ("precise", "kickoff_precision", ""),
    )
)


@dataclass(frozen=True, slots=True)
class _MatchColumns:
    """SQL expressions for the columns of matches that depend on what is known."""

    known: str  # condition under which results and statistics are columns
    xg_known: str  # condition under which xG is
    status: str = "m.status"
    kickoff: str = "m.kickoff_at"
    precision: str = "m.kickoff_precision"
    known_at: str = "m.known_at"
    joined: str = ""  # joins that these expressions need


_PLANNED: Final = f"CASE WHEN {_KNOWN_AT} THEN m.kickoff_at ELSE coalesce(planned.kickoff_at, m.kickoff_at) END"
_STATUS: Final = "coalesce(was.status, m.status)"

_CURRENT: Final = _MatchColumns(known="true", xg_known="true")
_NO_RESULTS: Final = _MatchColumns(known="false", xg_known="false")
_AT: Final = _MatchColumns(
    known=_KNOWN_AT,
    xg_known=f"{_XG_KNOWN_AT} < %(at)s",
    status=f"""CASE WHEN {_KNOWN_AT} THEN m.status WHEN {_STATUS} IN {_NOT_PLAYED} THEN {_STATUS}
        WHEN {_PLANNED} >= %(at)s THEN 'scheduled' ELSE 'unknown' END""",
    kickoff=_PLANNED,
    precision=f"""CASE WHEN {_KNOWN_AT} THEN m.kickoff_precision
        ELSE coalesce(precise.kickoff_precision, m.kickoff_precision) END""",
    joined=_EARLIER_VALUES,
)
_XG_BETWEEN: Final = f"{_XG_KNOWN_AT} > %(after)s AND {_XG_KNOWN_AT} < %(at)s"
_BETWEEN: Final = _MatchColumns(
    known="true", xg_known=_XG_BETWEEN, known_at="CASE WHEN m.known_at > %(after)s THEN m.known_at END"
)

# Finished matches of which a state that has observed until `after` observes something before `at`. The xG of a match is
# known with its result or on the morning after it: within two days, so that an index on `known_at` finds both.
_OBSERVED_BETWEEN: Final = f"""m.status = 'finished' AND m.world = %(world)s AND m.known_at < %(at)s
    AND m.known_at > %(after)s - interval '2 days'
    AND (m.known_at > %(after)s OR {_HAS_XG} AND {_XG_BETWEEN})"""

_BEFORE_ALL: Final = datetime(1800, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Export:
    """The facts of one world that were known at an instant."""

    matches: pa.Table  # in the columns of the schema `MATCHES`, sorted; the other three likewise
    odds: pa.Table
    lineups: pa.Table
    adjustments: pa.Table
    data_snapshot: int  # number of the latest ingest that they include


class UnsettledFactsError(RuntimeError):
    """Facts kept changing while the export read them."""


def export(world: World, *, as_of: datetime) -> Export:
    """Return the facts known before `as_of`, and the fixtures after it.

    Raises
    ------
    UnsettledFactsError
        When an ingest changed facts during every attempt.
    """
    for _ in range(ATTEMPTS):
        before = data_snapshot(world)
        values = {"world": world, "at": as_of}
        matches = _sorted(_select("m.world = %(world)s", values, _AT), "kickoff_at", "match_id")
        odds = _prices("m.world = %(world)s AND m.status = 'finished' AND m.known_at < %(at)s", values)
        lineups = _lineups("m.world = %(world)s", values)
        adjusted = _adjustments(values)
        if data_snapshot(world) == before:
            return Export(matches, odds, lineups, adjusted, before)
    raise UnsettledFactsError(f"facts of the {world} world changed during each of {ATTEMPTS} exports; try again later")


def fixtures(match_ids: Iterable[int]) -> pd.DataFrame:
    """Return matches in the order of `match_ids`; results, statistics and `known_at` are empty."""
    ids = list(match_ids)
    rows = _select("m.id = ANY(%(ids)s)", {"ids": ids}, _NO_RESULTS).to_pandas()
    return rows.set_index("match_id", drop=False).loc[ids].reset_index(drop=True)


def hypothetical_fixtures(matches: Sequence[Any]) -> pd.DataFrame:
    """Return matches that are not stored, as `Match` or `Meeting`, in the columns that `fixtures` returns."""
    rows = [
        {
            "match_id": 0,
            "competition_id": match.season.competition_id,
            "competition": match.season.competition.slug,
            "region": match.season.competition.region.name,
            "level": match.season.competition.level,
            "season_id": match.season_id,
            "season": match.season.label,
            "stage": "",
            "home_team_id": match.home_team_id,
            "away_team_id": match.away_team_id,
            "home_team": match.home_team.name,
            "away_team": match.away_team.name,
            "kickoff_at": match.kickoff_at,
            "kickoff_precision": match.kickoff_precision,
            "status": match.status,
            "is_neutral": match.is_neutral,
        }
        for match in matches
    ]
    return pa.Table.from_pylist(rows, schema=MATCHES).to_pandas()


def hypothetical_row(match: Match, *, as_of: datetime) -> EventRows:
    """Return the fixture that `hypothetical_fixtures` returns of a match, without a frame, for one forecast at once."""
    competition = match.season.competition
    return fixture_row(
        match_id=0,
        competition_id=competition.pk,
        region=competition.region.name,
        level=competition.level,
        season_id=match.season_id,
        is_regular=True,
        team_ids=(match.home_team_id, match.away_team_id),
        kickoff_at=match.kickoff_at,
        is_neutral=match.is_neutral,
        as_of=as_of,
    )


def upcoming(world: World, *, now: datetime, until: datetime) -> pd.DataFrame:
    """Return the scheduled matches that kick off after `now` and not after `until`, ordered by kick-off."""
    where = """m.status = 'scheduled' AND m.kickoff_at > %(now)s AND m.kickoff_at <= %(until)s
        AND m.world = %(world)s"""
    values = {"now": now, "until": until, "world": world}
    return _sorted(_select(where, values, _NO_RESULTS), "kickoff_at", "match_id").to_pandas()


def results_between(world: World, *, after: datetime | None, before: datetime) -> pd.DataFrame:
    """Return what a state observes of a period: finished matches whose result or xG became known in it.

    Both ends are left out. A result, or xG, from outside the period is there without its `known_at` or `xg_known_at`,
    and is not observed.
    """
    values = {"world": world, "after": after or _BEFORE_ALL, "at": before}
    rows = _select(_OBSERVED_BETWEEN, values, _BETWEEN)
    return _sorted(rows, "known_at", "kickoff_at", "match_id").to_pandas()


def lineups_of(match_ids: Iterable[int], *, before: datetime) -> pd.DataFrame:
    """Return the line-ups and absences of matches that were known before an instant, in the columns of `LINEUPS`."""
    return _lineups("x.match_id = ANY(%(ids)s)", {"ids": [int(each) for each in match_ids], "at": before}).to_pandas()


def lineups_between(world: World, *, after: datetime | None, before: datetime) -> pd.DataFrame:
    """Return the line-ups of the matches whose result became known in a period, in the columns of `LINEUPS`."""
    return _lineups(*_finished_between(world, after, before)).to_pandas()


def prices_of(match_ids: Iterable[int]) -> pd.DataFrame:
    """Return the 1X2 prices that are stored of matches by now, in the columns of `ODDS`."""
    return _prices("m.id = ANY(%(ids)s)", {"ids": [int(each) for each in match_ids]}).to_pandas()


def adjustments(world: World, *, before: datetime) -> pd.DataFrame:
    """Return what changed league tables besides finished matches and was known before an instant."""
    return _adjustments({"world": world, "at": before}).to_pandas()


def schedule(world: World, *, start: datetime, until: datetime) -> pd.DataFrame:
    """Return every match with a kick-off from `start` to `until` that was neither postponed nor cancelled."""
    where = """m.status NOT IN ('postponed', 'cancelled') AND m.kickoff_at >= %(start)s AND m.kickoff_at <= %(until)s
        AND m.world = %(world)s"""
    values = {"start": start, "until": until, "world": world}
    return _select(where, values, _CURRENT).to_pandas()


def unobserved(world: World, observed_until: datetime | None, now: datetime) -> bool:
    """Return whether a result or xG known by `now` is missing from a state that has observed until `observed_until`.

    This happens without a new data snapshot: an export may be as of an earlier instant, and a result may be stored
    before its `known_at`.
    """
    statement = f"""
        SELECT EXISTS (
            SELECT FROM matches_match m LEFT JOIN matches_matchstats x ON x.match_id = m.id WHERE {_OBSERVED_BETWEEN}
        )"""
    with connection.cursor() as cursor:
        cursor.execute(statement, {"world": world, "after": observed_until or _BEFORE_ALL, "at": now})
        (found,) = cursor.fetchone()
    return bool(found)


def changed_behind(world: World, *, snapshot: int, observed_until: datetime) -> bool:
    """Return whether an ingest after `snapshot` changed a fact that was known by `observed_until`.

    A feature state that has observed results until then must be rebuilt; otherwise it observes the newer results.
    """
    touched = Match.objects.filter(ingest_id__gt=snapshot, world=world)
    if touched.filter(known_at__lte=observed_until).exists():
        return True
    # A result that was withdrawn, or moved after that instant, is found only in the history of changes.
    changes = MatchChange.objects.filter(ingest_id__gt=snapshot, match__world=world)
    taken_back = changes.filter(match__kickoff_at__lte=observed_until, before__has_any_keys=["home_goals", "known_at"])
    return taken_back.exclude(before__home_goals=None).exists()


def _finished_between(world: World, after: datetime | None, before: datetime) -> tuple[str, dict[str, Any]]:
    """Return the condition, and its values, of finished matches with ``after < known_at < before``."""
    where = "m.status = 'finished' AND m.known_at < %(at)s AND m.world = %(world)s"
    values: dict[str, Any] = {"at": before, "world": world}
    return (where, values) if after is None else (f"{where} AND m.known_at > %(after)s", values | {"after": after})


def _select(where: str, values: dict[str, Any], columns: _MatchColumns) -> pa.Table:
    """Return the matches that fulfil a condition."""

    def if_known(expression: str) -> str:
        return f"CASE WHEN {columns.known} THEN {expression} END"

    def if_xg_known(expression: str) -> str:
        return f"CASE WHEN {_HAS_XG} AND {columns.xg_known} THEN {expression} END"

    statement = f"""
        SELECT m.id, c.id, c.slug, r.name, c.level, s.id, s.label, coalesce(g.name, ''), m.home_team_id, m.away_team_id,
            h.name, a.name, {_microseconds(columns.kickoff)}, {columns.precision},
            {if_known(_microseconds(columns.known_at))}, {columns.status}, m.is_neutral,
            {if_known("m.home_goals")}, {if_known("m.away_goals")},
            {", ".join(if_known(f"x.{name}") for name in STATS)},
            {", ".join(if_xg_known(f"x.{name}") for name in XG)},
            {if_xg_known(_microseconds(_XG_KNOWN_AT))}
        FROM matches_match m
        JOIN matches_season s ON s.id = m.season_id
        JOIN matches_competition c ON c.id = s.competition_id
        JOIN matches_region r ON r.id = c.region_id
        JOIN matches_team h ON h.id = m.home_team_id
        JOIN matches_team a ON a.id = m.away_team_id
        LEFT JOIN matches_stage g ON g.id = m.stage_id
        LEFT JOIN matches_matchstats x ON x.match_id = m.id
        {columns.joined}
        WHERE {where}"""
    return _copy(statement, values, MATCHES)


def _prices(where: str, values: dict[str, Any]) -> pa.Table:
    """Return complete 1X2 prices of the matches that fulfil a condition."""
    statement = f"""
        SELECT o.match_id, o.bookmaker, o.moment, o.home, o.draw, o.away
        FROM matches_odds o
        JOIN matches_match m ON m.id = o.match_id
        WHERE {where} AND o.home IS NOT NULL AND o.draw IS NOT NULL AND o.away IS NOT NULL"""
    return _sorted(_copy(statement, values, ODDS), "match_id", "bookmaker", "moment")


def _lineups(where: str, values: dict[str, Any]) -> pa.Table:
    """Return squads and absences known before the instant `at`, of the matches that fulfil a condition.

    An absence whose status begins with "doubt" has the role ``doubtful``.
    """
    statement = f"""
        SELECT x.match_id, p.source, x.side, x.player_id, x.role, {_microseconds("x.known_at")}
        FROM (
            SELECT match_id, player_id, side, known_at,
                CASE WHEN is_starter THEN 'starter' ELSE 'substitute' END AS role
            FROM matches_lineup
            UNION ALL
            SELECT match_id, player_id, side, known_at,
                CASE WHEN status ILIKE 'doubt%%' THEN 'doubtful' ELSE 'absent' END
            FROM matches_absence
        ) x
        JOIN matches_player p ON p.id = x.player_id
        JOIN matches_match m ON m.id = x.match_id
        WHERE x.known_at < %(at)s AND {where}"""
    return _sorted(_copy(statement, values, LINEUPS), *LINEUPS.names)


def _sorted(table: pa.Table, *names: str) -> pa.Table:
    return table.sort_by([(name, "ascending") for name in names])


def _adjustments(values: dict[str, Any]) -> pa.Table:
    """Return decisions on points, and results by verdict as each side sees them, in the columns of `ADJUSTMENTS`.

    Where a state observes what was played, a verdict adds the difference. An awarded match without an `AwardedResult`
    counts from the moment at which its status was stored, when another one was stored before.
    """
    statement = f"""
        WITH judged AS (
            SELECT m.id, v.home_goals, v.away_goals, {_DECIDED} AS known_at
            FROM matches_awardedresult v
            JOIN matches_match m ON m.season_id = v.season_id AND m.home_team_id = v.home_team_id
                AND m.away_team_id = v.away_team_id
                AND abs((m.kickoff_at AT TIME ZONE 'UTC')::date - v.played_on) <= 1
            WHERE v.undone_at IS NULL
        ), counted AS (
            SELECT * FROM judged
            UNION ALL
            SELECT m.id, m.home_goals, m.away_goals, greatest(m.known_at, (
                SELECT max(changed_at) FROM matches_matchchange
                WHERE match_id = m.id AND after->>'status' = 'awarded'
            ))
            FROM matches_match m
            WHERE m.status = 'awarded' AND m.home_goals IS NOT NULL AND m.id NOT IN (SELECT id FROM judged)
        )
        SELECT x.season_id, x.team_id, {_microseconds("x.known_at")}, x.points, x.played, x.difference, x.scored
        FROM (
            SELECT season_id, team_id, {_DECIDED} AS known_at, points, 0 AS played, 0 AS difference, 0 AS scored
            FROM matches_pointsadjustment v
            WHERE undone_at IS NULL
            UNION ALL
            SELECT m.season_id, side.team_id, greatest(c.known_at, m.known_at),
                {_points("side.own - side.other")} - coalesce({_points("side.own_played - side.other_played")}, 0),
                CASE WHEN m.status = 'finished' THEN 0 ELSE 1 END,
                side.own - side.other - coalesce(side.own_played - side.other_played, 0),
                side.own - coalesce(side.own_played, 0)
            FROM counted c
            JOIN matches_match m ON m.id = c.id
            CROSS JOIN LATERAL (
                SELECT CASE WHEN m.status = 'finished' THEN m.home_goals END AS home,
                    CASE WHEN m.status = 'finished' THEN m.away_goals END AS away
            ) AS played
            CROSS JOIN LATERAL (VALUES
                (m.home_team_id, c.home_goals, c.away_goals, played.home, played.away),
                (m.away_team_id, c.away_goals, c.home_goals, played.away, played.home)
            ) AS side (team_id, own, other, own_played, other_played)
            WHERE m.stage_id IS NULL
        ) x
        JOIN matches_season s ON s.id = x.season_id
        WHERE s.world = %(world)s AND x.known_at < %(at)s"""
    return _sorted(_copy(statement, values, ADJUSTMENTS), *ADJUSTMENTS.names)


def _points(difference: str) -> str:
    """Return the points of a goal difference, as SQL."""
    return f"CASE sign({difference}) WHEN 1 THEN 3 WHEN 0 THEN 1 WHEN -1 THEN 0 END"


def _microseconds(column: str) -> str:
    return f"(extract(epoch FROM {column}) * 1000000)::bigint"


def _copy(statement: str, values: dict[str, Any], schema: pa.Schema) -> pa.Table:
    """Return the rows of a SELECT in the columns and types of `schema`."""
    content = io.BytesIO()
    # The inner cursor, because Django's debugging cursor takes no values for a COPY.
    with (
        connection.cursor() as cursor,
        cursor.cursor.copy(f"COPY ({statement}) TO STDOUT (FORMAT csv)", values) as copy,
    ):
        for block in copy:
            content.write(block)
    if not content.tell():
        return schema.empty_table()
    content.seek(0)
    # PostgreSQL writes NULL as nothing, an empty text as "", and booleans as t or f.
    read_as = [pa.int64() if field.type == TIMESTAMP else field.type for field in schema]
    table = csv.read_csv(
        content,
        read_options=csv.ReadOptions(column_names=schema.names),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            column_types=dict(zip(schema.names, read_as, strict=True)),
            null_values=[""],
            true_values=["t"],
            false_values=["f"],
            strings_can_be_null=True,
            quoted_strings_can_be_null=False,
        ),
    )
    columns: Sequence[Any] = [pc.cast(column, field.type) for column, field in zip(table.columns, schema, strict=True)]
    return pa.Table.from_arrays(columns, schema=schema).combine_chunks()
