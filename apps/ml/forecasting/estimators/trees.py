"""Boosted trees on top of a logit."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.contributions import BASELINE, group_of
from apps.ml.forecasting.estimators.base import Estimator, Grouping, chosen, grouped
from apps.ml.forecasting.estimators.logit import Logit, LogitPart

if TYPE_CHECKING:
    import xgboost

FILE: Final = "trees.ubj"


class XGBoost(Estimator):
    """XGBoost on the margin of a logit.

    The logit covers what is linear in the ratings. The trees start from its scores, so that few are needed; each round
    is the mean of several trees on different samples. Constant columns, such as those of line-ups where no source has
    any, are left out: otherwise they would be sampled in place of others.

    Parameters: ``logit``, the section of the `Logit` that they start from; ``columns`` and ``leave_out``, patterns of
    the columns that are used, those of the logit among them, and of those that are not; ``rounds``; ``booster``, the
    parameters of xgboost, among them ``num_parallel_tree`` (trees of a round) and ``nthread``: more threads than free
    cores slow it down.
    """

    kind = "xgboost"
    logit_type: ClassVar[type[Logit]] = Logit
    _booster: xgboost.Booster
    _logit: Logit

    def scores(self, X: Floats) -> Floats:
        """Return the margins of the three classes, shape (n, 3)."""
        return self._boosted(self._own(X))

    def parts(self, X: Floats, by: Grouping = group_of) -> dict[str, Floats]:
        """Return the parts of the logit and the sums of the trees' Shapley values by group of columns.

        Trees sum in single precision; rounding errors go to the baseline, so that the parts sum exactly.
        """
        import xgboost

        own = self._own(X)
        data = xgboost.DMatrix(own, base_margin=_zero_margin(own))
        values = self._booster.predict(data, pred_contribs=True).astype(np.float64)
        values = values.reshape(len(own), 3, len(self.columns) + 1).transpose(0, 2, 1)
        found = self._logit.parts(own, by)
        for group, part in grouped(self.columns, values[:, :-1], by).items():
            found[group] = found[group] + part if group in found else part
        found[BASELINE] += self._boosted(own) - sum(found.values())
        return found

    def _boosted(self, own: Floats) -> Floats:
        """Return the scores of the logit with what the trees add, shape (n, 3)."""
        return self._logit.scores(own) + self._added(own)

    def _added(self, own: Floats) -> Floats:
        """Return what the trees add to the scores of the logit, shape (n, 3)."""
        found = self._booster.inplace_predict(own, predict_type="margin", base_margin=_zero_margin(own))
        added: Floats = found.astype(np.float64)
        return added

    def logit_parts(self) -> Sequence[LogitPart]:
        """Return the logit that the trees start from."""
        return (LogitPart(self.params["logit"]),)

    def _wanted(self, names: Sequence[str]) -> Sequence[str]:
        return chosen(names, self.params)

    def _fit(self, X: Floats, y: Integers, weights: Floats) -> None:
        import xgboost

        linear = set(chosen(self.columns, self.params["logit"]))
        useful = [name in linear for name in self.columns] | _varies(X)
        self.columns, X = tuple(np.array(self.columns)[useful].tolist()), X[:, useful]
        (part,) = self.logit_parts()
        self._logit = part.fitted(self.logit_type, X, y, weights, self.columns, self._fitted_parts)
        settings = {
            **self.params["booster"],
            "objective": "multi:softprob",
            "num_class": 3,
            "tree_method": "hist",
            "seed": self.seed,
        }
        data = xgboost.QuantileDMatrix(
            X,
            label=y,
            weight=weights,
            base_margin=self._logit.scores(X),
            max_bin=int(settings.get("max_bin", 256)),
        )
        self._booster = xgboost.train(settings, data, num_boost_round=int(self.params["rounds"]))

    def _state(self) -> dict[str, Any]:
        return {"trees": FILE, "logit": self._logit.part_state()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        import xgboost

        self._logit = self.logit_type(self.params["logit"]).restored_part(self.columns, state["logit"])
        self._booster = xgboost.Booster({"nthread": 1})

    def _save_more(self, folder: Path) -> None:
        self._booster.save_model(os.fspath(folder / FILE))

    def _load_more(self, folder: Path) -> None:
        self._booster.load_model(os.fspath(folder / FILE))


def _varies(X: Floats) -> NDArray[np.bool_]:
    """Return which columns are not constant, shape (k,); a missing value counts as different."""
    return np.asarray((X[0] != X).any(axis=0) & ~np.isnan(X).all(axis=0))


def _zero_margin(own: Floats) -> NDArray[np.float32]:
    """Return base margins of 0, shape (n, 3), in place of xgboost's default."""
    return np.zeros((len(own), 3), dtype=np.float32)
