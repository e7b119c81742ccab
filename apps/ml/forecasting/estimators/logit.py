"""Multinomial logit, fitted by Newton's method."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.contributions import BASELINE, group_of
from apps.ml.forecasting.estimators.base import Estimator, Grouping, chosen, grouped, softmax
from apps.ml.forecasting.scoring import log_loss

TOLERANCE: Final = 1e-10
"""Largest step of a coefficient at which the fit has converged."""

CONSTANT: Final = 1e-6
"""Relative standard deviation below which a column counts as constant; else it would be scaled by noise."""

STEPS: Final = 100

SEEN: Final = "price_seen_"
"""Prefix of the columns that count the earlier matches of a side with a price."""

LATER: Final = 0.2
"""Share of the rows, the latest, that penalties are chosen on."""


class ConvergenceError(ArithmeticError):
    """A fit did not converge."""


class Logit(Estimator):
    """Multinomial logit on the columns that its parameters name, standardised, with a ridge penalty.

    Parameters: ``columns``, patterns of the names of columns; ``leave_out``, patterns of those of them that it does not
    use; ``l2``, penalty on the squared coefficients of the standardised columns, in units of matches. Of several
    penalties it takes the one that loses least on the latest rows, a share of `LATER`, after a fit to those before;
    rows come in the order of time. ``products``, optional: the ``columns`` whose coefficients vary with other columns,
    ``with``; each product of two standardised columns is a column too, so that the penalty pulls towards coefficients
    that do not vary.
    """

    kind = "logit"
    _factors: tuple[list[int], list[int]]  # positions of the columns that are multiplied with each other

    def scores(self, X: Floats) -> Floats:
        """Return scores of the three classes, that of the draw being 0; shape (n, 3)."""
        return self._design(self._own(X)) @ self._slopes + self._intercept

    def parts(self, X: Floats, by: Grouping = group_of) -> dict[str, Floats]:
        """Return the scores by group of columns, and the intercept with the baseline.

        What a product adds belongs to its column of ``products.columns``.
        """
        added = self._design(self._own(X))[:, :, None] * self._slopes
        by_column = added[:, : len(self.columns)].copy()
        for place, column in enumerate(self._factors[0], start=len(self.columns)):
            by_column[:, column] += added[:, place]
        found = grouped(self.columns, by_column, by)
        found[BASELINE] = found.get(BASELINE, 0.0) + np.tile(self._intercept, (len(X), 1))
        return found

    def logit_parts(self) -> Sequence[LogitPart]:
        """Return the logit itself, which is a part of other estimators."""
        return (LogitPart(self.params),)

    def _wanted(self, names: Sequence[str]) -> Sequence[str]:
        return chosen(names, self.params)

    def _fit(self, X: Floats, y: Integers, weights: Floats) -> None:
        state = self._fitted_parts.get(LogitPart(self.params).key)
        if state is not None and state["columns"] == list(self.columns):
            self._restore(state)
            return
        if not np.isfinite(X).all():
            raise ValueError(f"{self.kind}: a feature is missing")
        self._factors = self._found_factors()
        self._mean = np.average(X, axis=0, weights=weights)
        spread = np.sqrt(np.average((X - self._mean) ** 2, axis=0, weights=weights))
        self._scale = np.where(spread > CONSTANT * np.maximum(np.abs(self._mean), 1.0), spread, 1.0)
        design, penalties = self._design(X), np.atleast_1d(self.params["l2"])
        self._l2 = float(penalties[0] if len(penalties) == 1 else _best_penalty(design, y, weights, penalties))
        coefficients = newton(design, y, weights, self._l2)
        self._intercept, self._slopes = coefficients[0], coefficients[1:]

    def _design(self, own: Floats) -> Floats:
        """Return the standardised columns and their products, shape (n, columns + products)."""
        standard: Floats = (own - self._mean) / self._scale
        columns, others = self._factors
        return np.column_stack((standard, standard[:, columns] * standard[:, others])) if columns else standard

    def _found_factors(self) -> tuple[list[int], list[int]]:
        """Return the positions of both factors of each product, in the order of the products."""
        section = self.params.get("products")
        if section is None:
            return [], []
        columns, others = (
            [self.columns.index(name) for name in chosen(self.columns, {"columns": section[part]})]
            for part in ("columns", "with")
        )
        return [column for column in columns for _ in others], others * len(columns)

    def _state(self) -> dict[str, Any]:
        return {
            "mean": self._mean.tolist(),
            "scale": self._scale.tolist(),
            "intercept": self._intercept.tolist(),
            "slopes": self._slopes.tolist(),
            "l2": self._l2,
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._factors = self._found_factors()
        self._mean, self._scale = np.array(state["mean"]), np.array(state["scale"])
        self._intercept, self._slopes = np.array(state["intercept"]), np.array(state["slopes"])
        self._l2 = float(state["l2"])

    def part_state(self) -> dict[str, Any]:
        """Return the fitted state for JSON, as part of another estimator."""
        return {"columns": list(self.columns), **self._state()}

    def restored_part(self, names: tuple[str, ...], state: Mapping[str, Any]) -> Self:
        """Restore what `part_state` returned; `names` are the columns of the other estimator."""
        self.names, self.columns = names, tuple(state["columns"])
        self._restore(state)
        return self


@dataclass(frozen=True, slots=True)
class LogitPart:
    """A logit as a part of other estimators, fitted to all matches, or to those whose sides had enough priced ones."""

    section: Mapping[str, Any]
    least_seen: int = 0  # fewest priced matches of both sides before

    @property
    def key(self) -> str:
        """Text that is the same for equal parts."""
        return json.dumps([dict(self.section), self.least_seen], sort_keys=True)

    def counting(self, names: Sequence[str]) -> list[str]:
        """Return the columns that decide which matches the logit is fitted to."""
        return [name for name in names if name.startswith(SEEN)] if self.least_seen else []

    def rows(self, X: Floats, names: Sequence[str]) -> NDArray[np.bool_]:
        """Return which matches the logit is fitted to, shape (n,); all where no side had enough priced ones."""
        everything = np.ones(len(X), dtype=bool)
        if not self.least_seen:
            return everything
        enough = fewest_seen(X, names) >= self.least_seen
        return enough if enough.any() else everything

    def fitted(
        self,
        logit_type: type[Logit],
        X: Floats,
        y: Integers,
        weights: Floats,
        names: tuple[str, ...],
        fitted_parts: Mapping[str, Mapping[str, Any]],
    ) -> Logit:
        """Return the logit with the state that it has in `fitted_parts`, else fitted to its rows."""
        logit, state = logit_type(self.section), fitted_parts.get(self.key)
        if state is not None and state["columns"] == logit.wanted(names) and state["counting"] == self.counting(names):
            return logit.restored_part(names, state)
        rows = self.rows(X, names)
        if rows.all():
            return logit.fit(X, y, names=names, weights=weights)
        return logit.fit(X[rows], y[rows], names=names, weights=weights[rows])


def fewest_seen(X: Floats, names: Sequence[str]) -> Floats:
    """Return the number of earlier matches with a price of the side that has fewer, shape (n,)."""
    fewest: Floats = X[:, [name.startswith(SEEN) for name in names]].min(axis=1, initial=np.inf)
    return fewest


class EloLogit(Logit):
    """Multinomial logit on the Elo difference only."""

    kind = "elo_logit"


def _best_penalty(X: Floats, y: Integers, weights: Floats, penalties: NDArray[Any]) -> float:
    """Return the penalty with the smallest loss on the latest rows."""
    split = len(X) - max(1, round(LATER * len(X)))
    losses: list[float] = []
    found = None
    for l2 in penalties:
        found = newton(X[:split], y[:split], weights[:split], float(l2), start=found)
        losses.append(log_loss(softmax(X[split:] @ found[1:] + found[0]), y[split:]))
    return float(penalties[int(np.argmin(losses))])


def newton(X: Floats, y: Integers, weights: Floats, l2: float, *, start: Floats | None = None) -> Floats:
    """Return coefficients of a multinomial logit with the draw as the reference class, shape (1 + k, 3).

    Parameters
    ----------
    X : ndarray, shape (n, k)
        Standardised columns.
    y : ndarray of int, shape (n,)
        Classes 0, 1, 2.
    weights : ndarray, shape (n,)
        Weights of the matches.
    l2 : float
        Penalty on squared slopes; the intercept is free.
    start : ndarray, shape (1 + k, 3), optional
        Coefficients to start from, such as those with another penalty: fewer steps lead to the same result.

    Raises
    ------
    ConvergenceError
        When the steps do not become small.
    """
    design = np.column_stack((np.ones(len(X)), X))
    width = design.shape[1]
    penalty = np.full(width, l2)
    penalty[0] = 0.0
    coefficients = np.zeros((width, 3)) if start is None else start.copy()
    free = (0, 2)
    one_hot = (y[:, None] == np.arange(3)).astype(np.float64)
    for _ in range(STEPS):
        p = softmax(design @ coefficients)
        gradient = np.concatenate(
            [design.T @ (weights * (p[:, k] - one_hot[:, k])) + penalty * coefficients[:, k] for k in free]
        )
        hessian = np.empty((2 * width, 2 * width))
        for a, k in enumerate(free):
            for b, m in enumerate(free[: a + 1]):
                curve = weights * p[:, k] * ((k == m) - p[:, m])
                part = (design * curve[:, None]).T @ design
                if k == m:
                    part += np.diag(penalty)
                # It is symmetric.
                hessian[a * width : (a + 1) * width, b * width : (b + 1) * width] = part
                hessian[b * width : (b + 1) * width, a * width : (a + 1) * width] = part.T
        step = np.linalg.solve(hessian, gradient)
        step *= min(1.0, 2.0 / max(float(np.abs(step).max()), 1e-300))
        coefficients[:, 0] -= step[:width]
        coefficients[:, 2] -= step[width:]
        if np.abs(step).max() < TOLERANCE:
            return coefficients
    raise ConvergenceError("the multinomial logit did not converge; a column may separate the outcomes")
