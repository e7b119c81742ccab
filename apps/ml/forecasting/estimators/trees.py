"""Boosted trees on all features that hold no prices."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.estimators.base import BASELINE, Estimator, Floats, group_of

if TYPE_CHECKING:
    import xgboost

FILE: Final = "trees.ubj"


class XGBoost(Estimator):
    """XGBoost with one tree a class and round.

    Parameters
    ----------
    params : mapping
        ``rounds``; ``leave_out``, patterns such as ``form_*_3_*`` of columns that it does not use; ``booster``, the
        parameters of xgboost, among them ``nthread``: with more threads than free cores they wait for each other.
    seed : int
        Seed of row and column sampling.
    """

    kind = "xgboost"
    _booster: xgboost.Booster

    def scores(self, X: Floats) -> Floats:
        """Return the margins of the three classes, shape (n, 3)."""
        margins: Floats = self._booster.inplace_predict(self._own(X), predict_type="margin").astype(np.float64)
        return margins

    def parts(self, X: Floats) -> dict[str, Floats]:
        """Return the sums of Shapley values by group of columns.

        The trees add in single precision; what rounding leaves over goes to the baseline, so that the parts are exact.
        """
        import xgboost

        own = self._own(X)
        values = self._booster.predict(xgboost.DMatrix(own), pred_contribs=True).astype(np.float64)
        values = values.reshape(len(own), 3, len(self.columns) + 1)
        found = {BASELINE: values[:, :, -1].copy()}
        for place, name in enumerate(self.columns):
            group = group_of(name)
            part = values[:, :, place]
            found[group] = found[group] + part if group in found else part.copy()
        found[BASELINE] += self.scores(X) - sum(found.values())
        return found

    def _wanted(self, names: Sequence[str]) -> Sequence[str]:
        left_out = self.params.get("leave_out", ())
        return [name for name in names if not any(fnmatchcase(name, pattern) for pattern in left_out)]

    def _fit(self, X: Floats, y: NDArray[np.int64], weights: Floats) -> None:
        import xgboost

        settings = {
            **self.params["booster"],
            "objective": "multi:softprob",
            "num_class": 3,
            "tree_method": "hist",
            "seed": self.seed,
        }
        data = xgboost.QuantileDMatrix(X, label=y, weight=weights, max_bin=int(settings.get("max_bin", 256)))
        self._booster = xgboost.train(settings, data, num_boost_round=int(self.params["rounds"]))

    def _state(self) -> dict[str, Any]:
        return {"trees": FILE}

    def _restore(self, state: Mapping[str, Any]) -> None:
        import xgboost

        self._booster = xgboost.Booster({"nthread": 1})

    def _save_more(self, folder: Path) -> None:
        self._booster.save_model(os.fspath(folder / FILE))

    def _load_more(self, folder: Path) -> None:
        self._booster.load_model(os.fspath(folder / FILE))
