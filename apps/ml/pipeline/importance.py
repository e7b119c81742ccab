"""Which features a fitted model leans on: what shuffling them costs, and their Shapley values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting import scoring
from apps.ml.forecasting.estimators import Estimator
from apps.ml.forecasting.estimators.base import BASELINE
from apps.ml.forecasting.estimators.calibration import centred
from apps.ml.forecasting.estimators.logit import Logit
from apps.ml.forecasting.estimators.pool import Pool
from apps.ml.forecasting.estimators.trees import XGBoost
from apps.ml.pipeline.refits import Trial

WHOLE: Final = "whole: "
"""Begins the name of what no single column stands behind."""

Floats = NDArray[np.float64]


def shuffled(model: Estimator, trial: Trial, groups: Mapping[str, Sequence[str]], repeats: int) -> list[dict[str, Any]]:
    """Return for each group of columns what shuffling them among the asked matches adds to the log loss.

    The columns of a group move together, match by match; the others stay. Columns that say much the same stand in for
    each other, so that the losses of single columns are low and do not sum to those of their group.

    Parameters
    ----------
    groups : mapping
        Names of columns by the name of their group; those that the trial does not hold are passed over.
    repeats : int
        Shuffles; the interval is over match days, of the mean over the shuffles.
    """
    intact = trial.losses(model)
    generator = np.random.default_rng(trial.seed)
    orders = [generator.permutation(len(trial.asked)) for _ in range(repeats)]
    found = []
    for group, columns in groups.items():
        places = [trial.names.index(name) for name in columns if name in model.columns]
        added = np.zeros(len(intact))
        for order in orders if places else []:
            X = trial.asked.copy()
            X[:, places] = X[order][:, places]
            added += (scoring.log_loss_each(model.predict_proba(X), trial.asked_y) - intact) / repeats
        found.append({"name": group, "columns": len(places), "loss": trial.interval(added)})
    return sorted(found, key=lambda row: -row["loss"]["mean"])


def shapley(model: Estimator, X: Floats, most: int) -> dict[str, Any]:
    """Return mean sizes of the parts of the scores: by group as forecasts show them, and by column, the largest."""
    return {
        "groups": _sizes(model.parts(X)),
        "columns": [row for row in _sizes(by_column(model, X)) if not row["name"].startswith(WHOLE)][:most],
    }


def by_column(model: Estimator, X: Floats) -> dict[str, Floats]:
    """Return what each column adds to the scores, up to a number common to the classes; shape (n, 3) each.

    They sum to the scores. What is not additive in columns, such as a goal model, keeps the groups of `parts`, under
    names that begin with `WHOLE`.
    """
    if isinstance(model, Pool):
        found: dict[str, Floats] = {}
        own = model._own(X)
        for weight, member in zip(model._weights, model._members, strict=True):
            _add(found, {name: weight * centred(part) for name, part in by_column(member, own).items()})
        return found
    if isinstance(model, XGBoost):
        return _of_trees(model, X)
    if isinstance(model, Logit):
        standard = (model._own(X) - model._mean) / model._scale
        found = {name: standard[:, [k]] * model._slopes[k] for k, name in enumerate(model.columns)}
        return found | {WHOLE + BASELINE: np.tile(model._intercept, (len(X), 1))}
    return {WHOLE + group: part for group, part in model.parts(X).items()}


def _of_trees(model: XGBoost, X: Floats) -> dict[str, Floats]:
    import xgboost

    own = model._own(X)
    data = xgboost.DMatrix(own, base_margin=np.zeros((len(own), 3), dtype=np.float32))
    values = model._booster.predict(data, pred_contribs=True).astype(np.float64)
    values = values.reshape(len(own), 3, len(model.columns) + 1).transpose(0, 2, 1)
    found = by_column(model._logit, own)
    _add(found, {name: values[:, k] for k, name in enumerate(model.columns)})
    # The trees add in single precision; what rounding leaves over belongs to no column.
    found[WHOLE + BASELINE] = found[WHOLE + BASELINE] + model.scores(X) - sum(found.values())
    return found


def _add(found: dict[str, Floats], parts: Mapping[str, Floats]) -> None:
    for name, part in parts.items():
        found[name] = found[name] + part if name in found else part


def _sizes(parts: Mapping[str, Floats]) -> list[dict[str, Any]]:
    """Return mean absolute parts in log-odds: of home against away, and of the draw against their mean."""
    rows = [
        {
            "name": name,
            "home_away": float(np.abs(part[:, 0] - part[:, 2]).mean()),
            "draw": float(np.abs(part[:, 1] - (part[:, 0] + part[:, 2]) / 2.0).mean()),
        }
        for name, part in parts.items()
    ]
    return sorted(rows, key=lambda row: (-row["home_away"], row["name"]))
