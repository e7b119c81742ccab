"""A match with one of its published predictions, by one statement that PostgreSQL plans once for each connection."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from functools import cache
from itertools import islice
from typing import Any, Final

import orjson
from django.db import models

from apps.matches.connections import prepared
from apps.matches.models import Competition, Match, Region, Season, Team
from apps.ml.models import ModelVersion, Prediction

_TABLES: Final[dict[str, tuple[type[models.Model], frozenset[str]]]] = {
    "m": (
        Match,
        frozenset(
            ("id", "season_id", "competition_id", "world", "home_team_id", "away_team_id", "kickoff_at", "status")
            + ("kickoff_precision", "is_neutral", "revision")
        ),
    ),
    "s": (Season, frozenset(("id", "competition_id", "label", "world"))),
    "c": (Competition, frozenset(("id", "region_id", "name", "slug", "level", "is_simulated", "world"))),
    "r": (Region, frozenset(("id", "name"))),
    "h": (Team, frozenset(("id", "region_id", "name", "slug", "short_name", "code", "first_colour", "second_colour"))),
    "a": (Team, frozenset(("id", "region_id", "name", "slug", "short_name", "code", "first_colour", "second_colour"))),
    "p": (Prediction, frozenset(field.attname for field in Prediction._meta.concrete_fields)),
    "v": (ModelVersion, frozenset(("id", "world", "number", "estimator", "inputs"))),
}
"""Alias in the statement → model, and the columns of it that are read; the others load when they are used."""

_CONTRIBUTIONS: Final = "contributions"


@cache
def _columns(alias: str) -> list[str]:
    """Return the columns of a table that are read, in the order in which Django expects them."""
    model, wanted = _TABLES[alias]
    return [field.attname for field in model._meta.concrete_fields if field.attname in wanted]


@cache
def _statement() -> str:
    selected = ", ".join(f"{alias}.{column}" for alias in _TABLES for column in _columns(alias))
    return f"""
        SELECT {selected}
        FROM matches_match m
        JOIN matches_season s ON s.id = m.season_id
        JOIN matches_competition c ON c.id = m.competition_id
        JOIN matches_region r ON r.id = c.region_id
        JOIN matches_team h ON h.id = m.home_team_id
        JOIN matches_team a ON a.id = m.away_team_id
        LEFT JOIN LATERAL (
            SELECT * FROM ml_prediction
            WHERE match_id = m.id AND published_at < m.kickoff_at
                AND published_at <= coalesce(%s::timestamptz, 'infinity')
                AND (%s::bigint IS NULL OR version_id = %s::bigint)
            ORDER BY published_at DESC, id DESC LIMIT 1
        ) p ON true
        LEFT JOIN ml_modelversion v ON v.id = p.version_id
        WHERE m.id = %s::bigint"""  # noqa: S608  names of columns


def match_with_prediction(
    match_id: int, *, at: datetime | None = None, version_id: int | None = None
) -> tuple[Match, Prediction | None] | None:
    """Return a match and its latest prediction that was published before the kick-off; None where there is no match.

    Parameters
    ----------
    at : datetime, optional
        The prediction that stood at this moment; the latest one by default.
    version_id : int, optional
        Only predictions by this version; of any by default.
    """
    rows = prepared(_statement(), [at, version_id, version_id, match_id])
    if not rows:
        return None
    values = iter(rows[0])
    match, season, competition, region, home, away = (_object(alias, values) for alias in "mscrha")
    competition.region, season.competition = region, competition
    match.season, match.home_team, match.away_team = season, home, away
    of_prediction = dict(zip(_columns("p"), values, strict=False))
    if of_prediction["id"] is None:
        return match, None
    of_prediction[_CONTRIBUTIONS] = orjson.loads(of_prediction[_CONTRIBUTIONS])
    prediction = _object("p", iter(of_prediction.values()))
    prediction.match, prediction.version = match, _object("v", values)
    return match, prediction


def _object(alias: str, values: Iterator[Any]) -> Any:
    """Return the object of the next values."""
    columns = _columns(alias)
    return _TABLES[alias][0].from_db("default", columns, tuple(islice(values, len(columns))))
