"""Estimators behind one interface and one registry, saved without pickle."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from apps.ml.forecasting.estimators import calibration
from apps.ml.forecasting.estimators.base import FORMAT, Estimator, MarketInputError, ModelFormatError, read_json
from apps.ml.forecasting.estimators.base_rates import BaseRates
from apps.ml.forecasting.estimators.calibration import Calibrated, Calibration, fit_calibration
from apps.ml.forecasting.estimators.dixon_coles import DixonColes, ScoreDriven
from apps.ml.forecasting.estimators.hist_boosting import HistBoosting
from apps.ml.forecasting.estimators.intervals import INTERVALS_FILE, KNOWN, Intervals, fit_intervals
from apps.ml.forecasting.estimators.logit import EloLogit, Logit
from apps.ml.forecasting.estimators.market import MarketAware, NoPricesError, PriceRating
from apps.ml.forecasting.estimators.network import Network
from apps.ml.forecasting.estimators.pool import Pool
from apps.ml.forecasting.estimators.trees import XGBoost

__all__ = [
    "KNOWN",
    "REGISTRY",
    "Calibrated",
    "Calibration",
    "Estimator",
    "Intervals",
    "MarketInputError",
    "ModelFormatError",
    "NoPricesError",
    "Pool",
    "create",
    "fit_calibration",
    "fit_intervals",
    "load",
]

REGISTRY: Final[dict[str, type[Estimator]]] = {
    estimator.kind: estimator
    for estimator in (
        *(BaseRates, EloLogit, DixonColes, ScoreDriven, Logit, XGBoost, HistBoosting, Network, Pool),
        *(PriceRating, MarketAware),
    )
}
"""Every estimator by name; those with `uses_market` are labelled with their inputs wherever they are shown."""


def create(name: str, params: Mapping[str, Any], *, seed: int) -> Estimator:
    """Return an unfitted estimator of `REGISTRY`, with its section of the parameters."""
    if name not in REGISTRY:
        raise ValueError(f"unknown estimator {name!r}; there are {list(REGISTRY)}")
    return REGISTRY[name](params, seed=seed)


def load(folder: Path) -> Estimator | Calibrated:
    """Load the estimator in a folder, with its calibration and its intervals if it has them.

    Raises
    ------
    ModelFormatError
        When the folder holds no estimator that this code can read.
    """
    try:
        content = read_json(folder / "estimator.json")
        if content["format"] != FORMAT:
            raise ModelFormatError(f"{folder}: format {content['format']}; this code reads {FORMAT}")
        estimator = REGISTRY[content["kind"]].restore(content, folder)
        file = folder / calibration.FILE
        if not file.exists():
            return estimator
        around = folder / INTERVALS_FILE
        return Calibrated(
            estimator,
            Calibration.from_dict(read_json(file)),
            Intervals.from_dict(read_json(around)) if around.exists() else None,
        )
    except (OSError, KeyError, json.JSONDecodeError) as error:
        raise ModelFormatError(f"{folder} holds no estimator: {error!r}") from error
