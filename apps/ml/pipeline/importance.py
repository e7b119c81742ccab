"""Which features a fitted model leans on: what shuffling them costs, and their Shapley values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting import scoring
from apps.ml.forecasting.estimators import Estimator
from apps.ml.pipeline.refits import RefitData

Floats = NDArray[np.float64]


def shuffled(
    model: Estimator, trial: RefitData, groups: Mapping[str, Sequence[str]], repeats: int
) -> list[dict[str, Any]]:
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
    """Return mean sizes of the parts of the scores: by group as forecasts show them, and by column, the largest.

    A goal model has none by column: its parts do not add over them.
    """
    return {
        "groups": _sizes(model.parts(X)),
        "columns": [row for row in _sizes(model.parts(X, str)) if row["name"] in model.columns][:most],
    }


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
