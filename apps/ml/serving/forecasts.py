"""Forecasts of fixtures by a loaded model."""

from __future__ import annotations

import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final

import numpy as np

from apps.ml import metrics
from apps.ml.forecasting.weaknesses import FALLBACK, Weakness, weaknesses
from apps.ml.serving.served_models import ServedModel

if TYPE_CHECKING:
    import pandas as pd

    from apps.ml.forecasting.features import FeatureState
    from apps.ml.forecasting.features.events import EventRows

INTERVAL_DIGITS: Final = 4
"""Decimals of the ends of an interval, which are known far less well than its forecast."""


@dataclass(frozen=True, slots=True)
class ServedForecasts:
    """Forecasts of fixtures in the given order: arrays of `n` rows, outcomes in the order home, draw, away."""

    probabilities: np.ndarray
    goals: np.ndarray
    base_rates: np.ndarray
    contributions: dict[str, np.ndarray]
    features_sha256: list[str]
    weaknesses: list[list[Weakness]]
    intervals: list[dict[str, Any] | None]
    """As `Prediction.intervals` stores them."""


@dataclass(frozen=True, slots=True)
class ServedNumbers:
    """The numbers of `ServedForecasts`, and what is said of how sure they are."""

    probabilities: np.ndarray
    goals: np.ndarray
    weaknesses: list[list[Weakness]]
    intervals: np.ndarray | None
    """Low and high end around each probability, shape (n, 3, 2); None where the version has none."""


def forecast(served: ServedModel, fixtures: pd.DataFrame | EventRows, *, now: datetime) -> ServedForecasts:
    """Forecast `fixtures` (rows of `dataset.fixtures`, or what `events.fixture_row` made) as of `now`."""
    began = time.perf_counter()
    features = features_of(served, fixtures, now=now)
    model_began = time.perf_counter()
    forecast = served.bundle.forecast(features)
    ended = time.perf_counter()
    metrics.INFERENCE_SECONDS.labels(served.world).observe(ended - model_began)
    metrics.PREDICTION_SECONDS.labels(served.world).observe(ended - began)
    for confidence in forecast.p.max(axis=1):
        metrics.CONFIDENCE.labels(served.world).observe(confidence)
    names = served.bundle.manifest.names
    base = [names.index(name) for name in ("base_home", "base_draw", "base_away")]
    return ServedForecasts(
        probabilities=forecast.p,
        goals=forecast.goals,
        base_rates=features[:, base] / features[:, base].sum(axis=1, keepdims=True),
        contributions=forecast.contributions,
        features_sha256=[served.bundle.features_sha256(row) for row in features],
        weaknesses=_weaknesses(served, features),
        intervals=_intervals(forecast.intervals, served.bundle.interval_level, len(features)),
    )


def _weaknesses(served: ServedModel, features: np.ndarray) -> list[list[Weakness]]:
    """Return the weaknesses of forecasts; the first of each is that a fallback made it, where one did."""
    of_all = [Weakness(FALLBACK)] if served.degraded else []
    return [[*of_all, *found] for found in weaknesses(served.bundle.manifest.names, features)]


def _intervals(ends: np.ndarray | None, level: float | None, count: int) -> list[dict[str, Any] | None]:
    """Return the intervals of forecasts in the shape that is stored; None for each where the version has none."""
    if ends is None:
        return [None] * count
    from apps.ml.forecasting.prices import OUTCOMES

    return [
        {"level": level}
        | {outcome: {"low": low, "high": high} for outcome, (low, high) in zip(OUTCOMES, match, strict=True)}
        for match in ends.round(INTERVAL_DIGITS).tolist()
    ]


def numbers(served: ServedModel, fixtures: pd.DataFrame, *, now: datetime) -> ServedNumbers:
    """Forecast `fixtures` as `forecast` does, without what explains and identifies the forecasts."""
    features = features_of(served, fixtures, now=now)
    p, goals, ends = served.bundle.numbers(features)
    return ServedNumbers(p, goals, _weaknesses(served, features), None if ends is None else ends.round(INTERVAL_DIGITS))


def features_of(served: ServedModel, fixtures: pd.DataFrame | EventRows, *, now: datetime) -> np.ndarray:
    """Return the features of `fixtures` as of `now`, in the columns that the version was trained on.

    Rows of `dataset.fixtures` come with the line-ups and prices known by then; what `events.fixture_row` made has none.
    """
    from apps.ml.forecasting.estimators.base import places
    from apps.ml.forecasting.features.events import EventRows

    if isinstance(fixtures, EventRows):
        values = _with_prices(served, served.state.describe(fixtures), fixtures)
    else:
        rows = fixtures.assign(as_of=now)
        described = served.state.describe(rows, lineups=_lineups(served.state, rows, now=now))
        values = _with_prices(served, described, rows)
    names, wanted = served.described, served.bundle.manifest.names
    return values if names == wanted else values[:, places(names, wanted)]


def _with_prices(served: ServedModel, described: np.ndarray, fixtures: pd.DataFrame | EventRows) -> np.ndarray:
    """Return the features of fixtures followed by those made of prices, where the version uses any."""
    if served.price_state is None:
        return described
    from apps.ml import dataset
    from apps.ml.forecasting.features.events import EventRows
    from apps.ml.forecasting.prices import BEFORE, before_the_match

    if isinstance(fixtures, EventRows):
        line = np.full((len(described), len(BEFORE)), np.nan)
    else:
        quoted = dataset.prices_of(fixtures["match_id"])
        line = before_the_match(fixtures, quoted, served.bundle.manifest.params["prices"]).to_numpy()
    return np.column_stack((described, served.price_state.describe(fixtures), line))


def _lineups(state: FeatureState, fixtures: pd.DataFrame, *, now: datetime) -> pd.DataFrame | None:
    """Return the known line-ups of fixtures; None, without a query, for a state that does not use them."""
    from apps.ml import dataset

    return dataset.lineups_of(fixtures["match_id"], before=now) if state.reads_lineups else None
