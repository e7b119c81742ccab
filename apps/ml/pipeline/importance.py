"""Importance of features for a fitted model: the cost of shuffling them, and their Shapley values."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from apps.ml.forecasting import scoring
from apps.ml.forecasting.arrays import Floats
from apps.ml.forecasting.estimators import Estimator
from apps.ml.pipeline.refits import RefitData


def shuffled(
    model: Estimator, data: RefitData, groups: Mapping[str, Sequence[str]], repeats: int
) -> list[dict[str, Any]]:
    """Return, for each group of columns, the increase of the log loss when they are shuffled among the test matches.

    The columns of a group are shuffled together. Similar columns replace each other, so that the losses of single
    columns are low and do not sum to the loss of their group.

    Parameters
    ----------
    groups : mapping
        Names of columns by the name of their group; columns that the model does not use are skipped.
    repeats : int
        Number of shuffles, whose losses are averaged; the interval is over match days.
    """
    intact = data.losses(model)
    generator = np.random.default_rng(data.seed)
    orders = [generator.permutation(len(data.X_test)) for _ in range(repeats)]
    found = []
    for group, columns in groups.items():
        places = [data.names.index(name) for name in columns if name in model.columns]
        added = np.zeros(len(intact))
        for order in orders if places else []:
            X = data.X_test.copy()
            X[:, places] = X[order][:, places]
            added += (scoring.log_loss_each(model.predict_proba(X), data.y_test) - intact) / repeats
        found.append({"name": group, "columns": len(places), "loss": data.interval(added)})
    return sorted(found, key=lambda row: -row["loss"]["mean"])


def shapley(model: Estimator, X: Floats, most: int) -> dict[str, Any]:
    """Return mean absolute contributions by group, and the `most` largest by column.

    Goal models have none by column, because their contributions do not add up over columns.
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
