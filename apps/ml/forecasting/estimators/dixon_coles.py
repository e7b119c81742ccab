"""Probabilities from the expected goals of attack and defence ratings, after Dixon and Coles."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import combinations
from math import factorial
from typing import Any, ClassVar, Final

import numpy as np

from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.contributions import BASELINE, GOAL_MODEL_GROUPS, group_of
from apps.ml.forecasting.estimators.base import Estimator, Grouping
from apps.ml.forecasting.goals import outcome_probabilities
from apps.ml.forecasting.scoring import FLOOR

BASE: Final = ("base_home", "base_away")

TEAMS: Final = ("attack_home", "concession_away", "attack_away", "concession_home")
"""Differences of teams from the mean of their level; the first two affect the goals of the home side."""


class DixonColes(Estimator):
    """Dixon-Coles probabilities from the ratings, with fitted rho, scale of the ratings and lean to one side.

    The logarithm of expected goals is ``base + scale * (attack + concession)``, plus `lean` for the home side and minus
    it for the away side; lean, scale and rho minimise the log loss of the outcomes of the latest ``fit_rows`` matches.
    The number of goals is left to the ratings, because outcomes have little information about it.
    """

    kind = "dixon_coles"
    prefix: ClassVar[str] = "dc_"

    def scores(self, X: Floats) -> Floats:
        """Return the logarithms of the probabilities, shape (n, 3)."""
        own = self._own(X)
        return self._log_p(own[:, :2], own[:, 2:])

    def expected_goals(self, X: Floats, p: Floats | None = None) -> Floats:
        own = self._own(X)
        return _goals(own[:, :2], own[:, 2:], self._theta)

    def parts(self, X: Floats, by: Grouping = group_of) -> dict[str, Floats]:
        """Return Shapley values of the four strengths for the log-probabilities, and the baseline without them."""
        own = self._own(X)
        base, teams = own[:, :2], own[:, 2:]
        players = len(TEAMS)
        value: dict[tuple[int, ...], Floats] = {}
        for size in range(players + 1):
            for chosen in combinations(range(players), size):
                present = np.zeros_like(teams)
                present[:, chosen] = teams[:, chosen]
                value[chosen] = self._log_p(base, present)
        found = {BASELINE: value[()]}
        for player, name in enumerate(GOAL_MODEL_GROUPS):
            total = np.zeros((len(X), 3))
            for chosen, before in value.items():
                if player not in chosen:
                    share = factorial(len(chosen)) * factorial(players - len(chosen) - 1) / factorial(players)
                    total += share * (value[tuple(sorted((*chosen, player)))] - before)
            found[name] = total
        return found

    def _log_p(self, base: Floats, teams: Floats) -> Floats:
        mu = _goals(base, teams, self._theta)
        logs: Floats = np.log(np.maximum(outcome_probabilities(mu[:, 0], mu[:, 1], self.rho), FLOOR))
        return logs

    def _wanted(self, names: Sequence[str]) -> Sequence[str]:
        return [self.prefix + name for name in (*BASE, *TEAMS)]

    def _fit(self, X: Floats, y: Integers, weights: Floats) -> None:
        from scipy.optimize import minimize

        rows = slice(-int(self.params["fit_rows"]), None)
        base, teams, outcomes, given = X[rows, :2], X[rows, 2:], y[rows], weights[rows]
        if not np.isfinite(X[rows]).all():
            raise ValueError(f"{self.kind}: a feature is missing")
        row = np.arange(outcomes.size)

        def loss(point: Floats) -> float:
            mu = _goals(base, teams, point)
            p = outcome_probabilities(mu[:, 0], mu[:, 1], point[2])
            return float(-np.average(np.log(np.maximum(p[row, outcomes], FLOOR)), weights=given))

        bounds = ((-1.0, 1.0), (0.1, 3.0), (-0.3, 0.3))
        found = minimize(loss, np.array([0.0, 1.0, -0.05]), method="L-BFGS-B", bounds=bounds)
        if not found.success:
            raise ArithmeticError(f"{self.kind}: the fit stopped: {found.message}")
        self._theta = np.asarray(found.x[:2], dtype=np.float64)
        self.rho = float(found.x[2])

    def _state(self) -> dict[str, Any]:
        return {"lean": float(self._theta[0]), "scale": float(self._theta[1])}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._theta = np.array([state["lean"], state["scale"]])


class ScoreDriven(DixonColes):
    """The same probabilities from the attack and concession that the Poisson filter follows match by match."""

    kind = "score_driven"
    prefix = "filter_"


def _goals(base: Floats, teams: Floats, theta: Floats) -> Floats:
    """Return expected goals of home and away, shape (n, 2), within plausible bounds."""
    home = base[:, 0] + theta[0] + theta[1] * (teams[:, 0] + teams[:, 1])
    away = base[:, 1] - theta[0] + theta[1] * (teams[:, 2] + teams[:, 3])
    mu: Floats = np.exp(np.clip(np.stack((home, away), axis=1), -5.0, 2.5))
    return mu
