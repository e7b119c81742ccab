"""Forecasts and their scores as flat rows, one value for each column: for lists, batches and files."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from functools import lru_cache
from typing import Any, Final

import numpy as np
import orjson
from django.db.models import F, TextField, Value
from django.db.models.expressions import Combinable
from django.db.models.functions import Cast, Coalesce, NullIf

from apps.matches.models import Match
from apps.ml import selectors as ml_selectors
from apps.ml.forecasting import goals
from apps.ml.forecasting.weaknesses import Weakness

Row = dict[str, Any]
Values = Sequence[Any]

PROBABILITY_DIGITS: Final = 5
"""Decimals of a probability and of a score. A forecast is published when a probability moves by 0.001."""

DIGITS: Final = 3
"""Decimals of expected goals and of fair odds."""

RESULTS: Final = ("H", "D", "A")


def _shown_name(team: str) -> Coalesce:
    return Coalesce(NullIf(f"{team}__short_name", Value("")), f"{team}__name")


_MATCH: Final[Mapping[str, Combinable]] = {
    "match": F("pk"),
    "world": F("world"),
    "kickoff_at": F("kickoff_at"),
    "status": F("status"),
    "competition": F("competition__slug"),
    "competition_name": F("competition__name"),
    "season": F("season__label"),
    "home_team": F("home_team__slug"),
    "home_team_name": _shown_name("home_team"),
    "away_team": F("away_team__slug"),
    "away_team_name": _shown_name("away_team"),
    "is_neutral": F("is_neutral"),
    "home_goals": F("home_goals"),
    "away_goals": F("away_goals"),
}
"""Columns of a match, as they are read from the database; `match_values` has them of a `Match`."""

_STATUS: Final = list(_MATCH).index("status")

_ORIGIN: Final[Mapping[str, Combinable]] = {
    "model": F("version__number"),
    "data_snapshot": F("data_snapshot"),
    "as_of": F("as_of"),
    "published_at": F("published_at"),
    "degraded": NullIf("degraded", Value("")),
}
"""Columns that say where a forecast comes from."""

_UNCERTAINTY: Final[Mapping[str, Combinable]] = {name: Cast(name, TextField()) for name in ("weaknesses", "intervals")}
"""JSON that says how sure a forecast is, as text, which is read faster than by Django's field."""

_NUMBERS: Final = ("p_home", "p_draw", "p_away", "home_expected_goals", "away_expected_goals", "rho")

FORECAST_COLUMNS: Final = (
    *(*_MATCH, "result", "p_home", "p_draw", "p_away", "model"),
    *("home_expected_goals", "away_expected_goals", "fair_home", "fair_draw", "fair_away"),
    *("data_snapshot", "as_of", "published_at", "degraded"),
    *("weaknesses", "interval_level"),
    *("p_home_low", "p_home_high", "p_draw_low", "p_draw_high", "p_away_low", "p_away_high"),
)
"""Columns of a forecast, in the order of `ForecastRowSerializer`."""

_NO_INTERVALS: Final = (None,) * 7

_SCORES: Final = ("log_loss", "rps", "brier", "base_log_loss", "base_rps", "market_log_loss", "market_rps")


def forecast_rows(match_ids: Sequence[int], *, version_id: int | None = None) -> list[Row]:
    """Return the latest forecast of each match that was published before its kick-off, by one version or by any.

    Two queries. Rows are in the order of `match_ids`, without the matches that have no forecast.
    """
    found = list(
        ml_selectors.newest_predictions(match_ids, version_id=version_id, in_time=True).values_list(
            "match_id", *_ORIGIN.values(), *_UNCERTAINTY.values(), *_NUMBERS
        )
    )
    numbers = np.array([values[-len(_NUMBERS) :] for values in found], dtype=np.float64).reshape(-1, len(_NUMBERS))
    rounded_numbers = number_values(numbers[:, :3], numbers[:, 3:5], numbers[:, 5])
    start, end = 1 + len(_ORIGIN), -len(_NUMBERS)
    forecasts = {
        values[0]: (of_match, values[1:start], _stored_uncertainty(*values[start:end]))
        for values, of_match in zip(found, rounded_numbers, strict=True)
    }
    return [forecast_row(match, *forecasts[match[0]]) for match in _matches(match_ids, forecasts)]


def _matches(match_ids: Sequence[int], rows: Mapping[int, object]) -> list[Values]:
    """Return the values of `_MATCH` of the matches that have rows, each once, in the order of `match_ids`; one query.

    The query is one of its own: with more tables PostgreSQL would no longer find the order that reads few rows.
    """
    found = {values[0]: values for values in Match.objects.filter(pk__in=rows).values_list(*_MATCH.values())}
    return [found[match_id] for match_id in dict.fromkeys(match_ids) if match_id in found]


def forecast_row(match: Values, numbers: Values, origin: Values, uncertainty: Values) -> Row:
    """Return a forecast as a row, made at once of its parts: `FORECAST_COLUMNS` in their order.

    Parameters
    ----------
    match, numbers, origin, uncertainty : sequence
        What `match_values`, `number_values` and `uncertainty_values` give of it, and model, data snapshot, `as_of`,
        publication and fallback.
    """
    values = (*match, result_of(match), *numbers[:3], origin[0], *numbers[3:], *origin[1:], *uncertainty)
    return dict(zip(FORECAST_COLUMNS, values, strict=True))


def match_values(match: Any) -> Values:
    """Return the values of `_MATCH` of a `Match` or `Meeting`, with its season, competition and teams."""
    competition, home, away = match.season.competition, match.home_team, match.away_team
    return (
        match.pk,
        competition.world,
        match.kickoff_at,
        match.status if match.pk else None,
        competition.slug,
        competition.name,
        match.season.label,
        home.slug,
        home.display_name,
        away.slug,
        away.display_name,
        match.is_neutral,
        match.home_goals,
        match.away_goals,
    )


def number_values(p: np.ndarray, mu: np.ndarray, rho: np.ndarray | float) -> list[list[float | None]]:
    """Return probabilities, expected goals and fair odds of n forecasts, rounded; None for the odds of the impossible.

    Parameters
    ----------
    p : ndarray, shape (n, 3)
        Calibrated probabilities of home, draw and away.
    mu : ndarray, shape (n, 2)
        Expected goals of home and away, before the grid of scorelines is made to agree with `p`.
    rho : ndarray of shape (n,), or float
        Dixon-Coles correction of low scores.
    """
    grid = goals.scorelines(mu, p, rho)
    counts = np.arange(grid.shape[1])
    expected = np.stack([grid.sum(axis=2) @ counts, grid.sum(axis=1) @ counts], axis=1)
    with np.errstate(divide="ignore"):
        fair = np.where(p > 0.0, 1.0 / p, np.nan)
    table = np.column_stack([rounded(p), expected.round(DIGITS), fair.round(DIGITS)])
    rows: list[list[float | None]] = table.tolist()
    for row, place in np.argwhere(np.isnan(table)).tolist():
        rows[row][place] = None
    return rows


def _stored_uncertainty(weaknesses: str, intervals: str | None) -> Values:
    """Return codes of weaknesses, level and ends of the intervals of a stored forecast, from its JSON."""
    if intervals is None:
        return (_stored_codes(weaknesses), *_NO_INTERVALS)
    found = orjson.loads(intervals)
    home, draw, away = found["home"], found["draw"], found["away"]
    return (
        *(_stored_codes(weaknesses), found["level"]),
        *(home["low"], home["high"], draw["low"], draw["high"], away["low"], away["high"]),
    )


# A cache, because few lists of weaknesses differ.
@lru_cache(maxsize=4096)
def _stored_codes(weaknesses: str) -> str:
    return _codes(Weakness(**each) for each in orjson.loads(weaknesses))


def _codes(weaknesses: Iterable[Weakness]) -> str:
    """Return weaknesses as one value: `code`, or `code:side` for one of a side, with spaces between them."""
    return " ".join(f"{each.code}:{each.side}" if each.side else each.code for each in weaknesses)


def uncertainty_values(
    weaknesses: Sequence[Sequence[Weakness]], intervals: np.ndarray | None, level: float | None
) -> list[Values]:
    """Return codes of weaknesses, level and ends of the intervals of n forecasts.

    Parameters
    ----------
    weaknesses : sequence of sequences of Weakness
        Of each forecast.
    intervals : ndarray, shape (n, 3, 2), or None
        Low and high end around each probability; None without any.
    level : float or None
        Share of closing lines that an interval shall hold.
    """
    if intervals is None:
        return [(_codes(each), *_NO_INTERVALS) for each in weaknesses]
    ends = intervals.reshape(len(intervals), -1).tolist()
    return [(_codes(each), level, *values) for each, values in zip(weaknesses, ends, strict=True)]


def rounded(p: np.ndarray) -> np.ndarray:
    """Round probabilities (n, 3) to `PROBABILITY_DIGITS` so that those of a match still sum to 1.

    All are rounded down, and those with the largest remainders up.
    """
    scaled = p / p.sum(axis=1, keepdims=True) * 10**PROBABILITY_DIGITS
    units = np.floor(scaled + 1e-6)
    rank = np.argsort(np.argsort(units - scaled, axis=1, kind="stable"), axis=1, kind="stable")
    units += rank < (10**PROBABILITY_DIGITS - units.sum(axis=1, keepdims=True))
    return units / 10**PROBABILITY_DIGITS


def score_rows(match_ids: Sequence[int]) -> list[Row]:
    """Return the valid score of each match that has one, in the order of `match_ids`. Two queries."""
    columns: dict[str, Any] = {
        **{name: F(f"prediction__{name}") for name in _NUMBERS[:3]},
        **{name: F(name) for name in (*_SCORES, "revision", "settled_at")},
        "model": F("prediction__version__number"),
        "published_at": F("prediction__published_at"),
    }
    scores = ml_selectors.valid_scores().filter(match_id__in=list(match_ids))
    found = list(scores.values_list("match_id", *columns.values()))
    p = rounded(np.array([values[1:4] for values in found], dtype=np.float64).reshape(-1, 3)).tolist()
    rows = {}
    for values, triple in zip(found, p, strict=True):
        row = dict(zip(columns, values[1:], strict=True)) | dict(zip(_NUMBERS, triple, strict=False))
        row |= {name: round(row[name], PROBABILITY_DIGITS) for name in _SCORES if row[name] is not None}
        rows[values[0]] = row
    return [
        dict(zip(_MATCH, match, strict=True)) | {"result": result_of(match)} | rows[match[0]]
        for match in _matches(match_ids, rows)
    ]


def result_of(match: Values) -> str | None:
    """Return H, D or A for the values of `_MATCH` of a match that has a result."""
    status, home_goals, away_goals = match[_STATUS], match[-2], match[-1]
    if home_goals is None or status not in (Match.Status.FINISHED, Match.Status.AWARDED):
        return None
    margin = home_goals - away_goals
    return RESULTS[0 if margin > 0 else 1 if margin == 0 else 2]
