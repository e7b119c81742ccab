"""A match with one of its published predictions, by one statement that PostgreSQL plans once for each connection."""

from __future__ import annotations

from datetime import datetime
from functools import cache
from typing import Any, Final, NamedTuple

import orjson

from apps.matches import selectors as matches
from apps.matches.connections import Columns, SharedColumns, prepared
from apps.matches.models import LiveScore, Match
from apps.ml.models import ModelVersion, Prediction

_MATCH: Final = Columns(
    Match,
    "id season_id competition_id world home_team_id away_team_id kickoff_at kickoff_precision status is_neutral "
    "revision",
)
_SEASON: Final = SharedColumns(matches.SEASON)
_COMPETITION: Final = SharedColumns(matches.COMPETITION)
_REGION: Final = SharedColumns(matches.REGION)
_TEAM: Final = SharedColumns(matches.TEAM)
_VERSION: Final = SharedColumns(Columns(ModelVersion, "id world number estimator inputs"))
_LIVE: Final = Columns(LiveScore, "match_id minute home_goals away_goals read_at")
_PREDICTION: Final = Columns(Prediction, " ".join(field.attname for field in Prediction._meta.concrete_fields))


@cache
def _statement() -> str:
    tables: dict[str, Columns[Any]] = {
        "m": _MATCH,
        "s": _SEASON,
        "c": _COMPETITION,
        "r": _REGION,
        "h": _TEAM,
        "a": _TEAM,
        "v": _VERSION,
        "p": _PREDICTION,
        "l": _LIVE,
    }
    selected = ", ".join(columns.sql(alias) for alias, columns in tables.items())
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
        LEFT JOIN matches_livescore l ON l.match_id = m.id AND m.status = 'live'
        WHERE m.id = %s::bigint"""


class PublishedMatch(NamedTuple):
    """A match with a prediction, and with its score while it is in play, however old the news of that is."""

    match: Match
    prediction: Prediction | None
    live: LiveScore | None


def match_with_prediction(
    match_id: int, *, at: datetime | None = None, version_id: int | None = None
) -> PublishedMatch | None:
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
    match, season, competition = _MATCH.take(values), _SEASON.take(values), _COMPETITION.take(values)
    competition.region, season.competition, match.season = _REGION.take(values), competition, season
    match.home_team, match.away_team = _TEAM.take(values), _TEAM.take(values)
    version, prediction = _VERSION.take(values), _PREDICTION.take(values)
    live = _LIVE.take(values)
    score = live if live.pk else None
    if not prediction.pk:
        return PublishedMatch(match, None, score)
    prediction.contributions = orjson.loads(prediction.contributions)
    prediction.weaknesses = orjson.loads(prediction.weaknesses)
    prediction.intervals = prediction.intervals and orjson.loads(prediction.intervals)
    prediction.match, prediction.version = match, version
    return PublishedMatch(match, prediction, score)
