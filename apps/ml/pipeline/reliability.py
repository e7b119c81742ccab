"""Observed frequencies by forecast probability, before and after calibration."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.ml.forecasting import scoring
from apps.ml.forecasting.arrays import Floats
from apps.ml.forecasting.prices import OUTCOMES
from apps.ml.pipeline.columns import CALIBRATED, RAW


def by_outcome(rows: pd.DataFrame, section: dict[str, Any]) -> list[dict[str, Any]]:
    """Return, for each outcome, the bins of its calibrated forecasts and its error before and after calibration."""
    found = []
    for index, outcome in enumerate(OUTCOMES):
        hit = (rows["outcome"] == index).to_numpy()
        raw, own = rows[RAW[index]].to_numpy(), rows[CALIBRATED[index]].to_numpy()
        found.append(
            {
                "outcome": outcome,
                "bins": binned(own, hit),
                "ece": error(own, hit),
                "ece_limit": limit(own, section),
                "before": {"bins": binned(raw, hit), "ece": error(raw, hit)},
            }
        )
    return found


def by_competition(rows: pd.DataFrame, competitions: pd.Series, section: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the same for each competition with enough matches, and the error with the three outcomes pooled."""
    found = []
    names = competitions.to_numpy()
    for name in np.unique(names):
        part = rows[names == name]
        if len(part) < section["least_matches"]:
            continue
        y = part["outcome"].to_numpy(dtype=np.int64)
        raw, own = part[RAW].to_numpy(), part[CALIBRATED].to_numpy()
        quantile, draws = section["ece_quantile"], section["ece_draws"]
        found.append(
            {
                "competition": str(name),
                "n": len(part),
                "ece": scoring.ece(own, y),
                "ece_limit": scoring.ece_limit(own, quantile, draws),
                "log_loss": scoring.log_loss(own, y),
                "before": {"ece": scoring.ece(raw, y), "log_loss": scoring.log_loss(raw, y)},
                "outcomes": [_brief(row) for row in by_outcome(part, section)],
            }
        )
    return found


def binned(p: Floats, hit: NDArray[np.bool_]) -> list[dict[str, Any]]:
    """Return the nonempty bins of equal width: bounds, number of forecasts, mean forecast, observed frequency."""
    number = scoring.bins_of(p)
    return [
        {
            "low": here / scoring.BINS,
            "high": (here + 1) / scoring.BINS,
            "n": int((number == here).sum()),
            "mean_p": float(p[number == here].mean()),
            "frequency": float(hit[number == here].mean()),
        }
        for here in np.unique(number).tolist()
    ]


def error(p: Floats, hit: NDArray[np.bool_]) -> float:
    """Return the expected calibration error of one outcome, in [0, 1]."""
    return scoring.binned_error(p, hit, scoring.bins_of(p))


def limit(p: Floats, section: dict[str, Any], seed: int = 0) -> float:
    """Return the error of one outcome that a perfectly calibrated forecaster seldom exceeds."""
    generator = np.random.default_rng(seed)
    errors = [error(p, generator.random(len(p)) < p) for _ in range(section["ece_draws"])]
    return float(np.quantile(errors, section["ece_quantile"]))


def _brief(row: dict[str, Any]) -> dict[str, Any]:
    """Return the summary of an outcome in one competition: points of its bins, and its errors."""
    points = [[place["n"], place["mean_p"], place["frequency"]] for place in row["bins"]]
    return {
        "outcome": row["outcome"],
        "ece": row["ece"],
        "ece_limit": row["ece_limit"],
        "ece_before": row["before"]["ece"],
        "points": points,
    }
