"""Base rates of the competition as a forecast, which every model has to beat."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.contributions import BASELINE, group_of
from apps.ml.forecasting.estimators.base import Estimator, Grouping

RATES = ("base_home", "base_draw", "base_away")
GOALS = ("base_goals_home", "base_goals_away")


class BaseRates(Estimator):
    """The outcome rates of the competition so far; there is nothing to fit."""

    kind = "base_rates"

    def scores(self, X: Floats) -> Floats:
        """Return the logarithms of the rates, shape (n, 3)."""
        logs: Floats = np.log(self._own(X)[:, :3])
        return logs

    def parts(self, X: Floats, by: Grouping = group_of) -> dict[str, Floats]:
        """Return the scores as the baseline; teams contribute nothing."""
        return {BASELINE: self.scores(X)}

    def expected_goals(self, X: Floats, p: Floats | None = None) -> Floats:
        """Return the mean goals of the competition, shape (n, 2)."""
        return self._own(X)[:, 3:]

    def _wanted(self, names: Sequence[str]) -> Sequence[str]:
        return (*RATES, *GOALS)

    def _fit(self, X: Floats, y: Integers, weights: Floats) -> None:
        if not (X[:, :3] > 0.0).all():
            raise ValueError("a base rate is missing or zero")

    def _state(self) -> dict[str, Any]:
        return {}

    def _restore(self, state: Mapping[str, Any]) -> None:
        """Nothing was fitted."""
