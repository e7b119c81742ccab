"""A logarithmic pool of estimators, weighted by their out-of-sample forecasts."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.contributions import group_of
from apps.ml.forecasting.estimators.base import Estimator, Grouping, read_json, softmax
from apps.ml.forecasting.estimators.calibration import centred
from apps.ml.forecasting.estimators.dixon_coles import DixonColes, ScoreDriven
from apps.ml.forecasting.estimators.hist_boosting import HistBoosting
from apps.ml.forecasting.estimators.logit import EloLogit, Logit
from apps.ml.forecasting.estimators.network import Network
from apps.ml.forecasting.estimators.trees import XGBoost
from apps.ml.forecasting.scoring import FLOOR, log_loss

MEMBERS: Final[Mapping[str, type[Estimator]]] = {
    member.kind: member for member in (EloLogit, DixonColes, ScoreDriven, Logit, XGBoost, HistBoosting, Network)
}
"""Estimators that can be members of a pool."""


class Pool(Estimator):
    """The pool ``p ∝ Π p_i ** w_i`` of several estimators; scores and contributions are weighted sums.

    The weights, none below 0, minimise the log loss of out-of-sample forecasts. `joined` makes a pool from fitted
    members and such forecasts. `fit` fits the members to the earlier rows (rows are in the order of time), the weights
    to their forecasts of the later rows, and then the members to all rows.

    Parameters: ``members``, the section of each by its name in `MEMBERS`; ``later``, the share of the rows that `fit`
    keeps for the weights; ``least_past``, fewest forecasts that weights are fitted to: with fewer all members weigh
    alike.
    """

    kind = "pool"

    @classmethod
    def joined(
        cls,
        params: Mapping[str, Any],
        members: Mapping[str, Estimator],
        past: Floats,
        y: Integers,
        *,
        names: Sequence[str],
        seed: int,
    ) -> Self:
        """Return the pool of fitted members, weighted by their earlier forecasts.

        Parameters
        ----------
        params : mapping
            As of the class.
        members : mapping of str to Estimator
            By their names, in the order of the parameters; each takes all columns of `names`.
        past : ndarray, shape (members, n, 3)
            Out-of-sample forecasts of each, in the same order.
        y : ndarray of int, shape (n,)
            Outcomes.
        names : sequence of str
            Names of the columns of `X`.
        seed : int
            Kept with the model.
        """
        if list(members) != list(params["members"]):
            raise ValueError(f"the pool is made of {list(params['members'])}, not of {list(members)}")
        pool = cls(params, seed=seed)
        pool.names = tuple(names)
        pool.columns = tuple(pool._wanted(names))
        enough = len(y) >= int(params["least_past"])
        scores = centred(np.log(np.maximum(past, FLOOR)))
        weights = fitted_weights(scores, y) if enough else np.full(len(members), 1.0 / len(members))
        pool._take([member.for_columns(pool.columns) for member in members.values()], weights)
        return pool

    def pooled(self, forecasts: Floats) -> Floats:
        """Return what `predict_proba` returns, from what the members forecast: shape (members, n, 3)."""
        return softmax(np.tensordot(self._weights, centred(np.log(np.maximum(forecasts, FLOOR))), axes=1))

    def scores(self, X: Floats) -> Floats:
        """Return the weighted sum of the members' centred scores, shape (n, 3)."""
        own, total = self._own(X), np.zeros((len(X), 3))
        for weight, member in zip(self._weights, self._members, strict=True):
            total += weight * centred(member.scores(own))
        return total

    def parts(self, X: Floats, by: Grouping = group_of) -> dict[str, Floats]:
        """Return the weighted sums of the members' parts by group."""
        own = self._own(X)
        found: dict[str, Floats] = {}
        for weight, member in zip(self._weights, self._members, strict=True):
            for group, part in member.parts(own, by).items():
                added = weight * centred(part)
                found[group] = found[group] + added if group in found else added
        return found

    def _wanted(self, names: Sequence[str]) -> Sequence[str]:
        wanted = {name for member in self._created() for name in member._wanted(names)}
        return [name for name in names if name in wanted]

    def _created(self) -> list[Estimator]:
        sections = self.params["members"]
        unknown = [name for name in sections if name not in MEMBERS]
        if unknown or not sections:
            raise ValueError(f"a pool is made of some of {list(MEMBERS)}, not of {unknown or 'nothing'}")
        return [MEMBERS[name](sections[name], seed=self.seed) for name in sections]

    def _fit(self, X: Floats, y: Integers, weights: Floats) -> None:
        later = max(1, round(len(X) * float(self.params["later"])))
        earlier = slice(0, len(X) - later)
        tried = [
            member.fit(X[earlier], y[earlier], names=self.columns, weights=weights[earlier])
            for member in self._created()
        ]
        forecasts = np.stack([centred(member.scores(X[-later:])) for member in tried])
        members = [member.fit(X, y, names=self.columns, weights=weights) for member in self._created()]
        self._take(members, fitted_weights(forecasts, y[-later:]))

    def _take(self, members: Sequence[Estimator], weights: Floats) -> None:
        self._members, self._weights = list(members), weights
        self.rho = float(np.average([member.rho for member in members], weights=weights + 1e-12))

    def _state(self) -> dict[str, Any]:
        return {"weights": self._weights.tolist()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._weights = np.array(state["weights"])

    def _save_more(self, folder: Path) -> None:
        for member in self._members:
            member.save(folder / member.kind)

    def _load_more(self, folder: Path) -> None:
        self._members = []
        for name in self.params["members"]:
            content = read_json(folder / name / "estimator.json")
            self._members.append(MEMBERS[name].restore(content, folder / name))


def fitted_weights(scores: Floats, y: Integers) -> Floats:
    """Return the weights of a logarithmic pool with the smallest loss, shape (members,), none below 0.

    Parameters
    ----------
    scores : ndarray, shape (members, n, 3)
        Scores of each member, centred over the classes.
    y : ndarray of int, shape (n,)
        Outcomes.
    """
    from scipy.optimize import minimize

    one_hot = (y[:, None] == np.arange(3)).astype(np.float64)

    def loss(weights: Floats) -> tuple[float, Floats]:
        p = softmax(np.tensordot(weights, scores, axes=1))
        slope = (scores * ((p - one_hot) / len(y))).sum(axis=(1, 2))
        return log_loss(p, y), slope

    members = len(scores)
    found = minimize(loss, np.full(members, 1.0 / members), jac=True, method="L-BFGS-B", bounds=[(0.0, None)] * members)
    weights: Floats = np.asarray(found.x, dtype=np.float64)
    return weights
