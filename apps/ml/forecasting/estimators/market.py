"""Models that use prices and are labelled so: prices of earlier matches, or quoted before the match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.contributions import group_of
from apps.ml.forecasting.estimators.base import Estimator, Grouping, chosen
from apps.ml.forecasting.estimators.logit import Logit
from apps.ml.forecasting.estimators.trees import XGBoost

SEEN: Final = "price_seen_"
"""Prefix of the columns that count the earlier matches of a side with a price."""


class NoPricesError(ValueError):
    """No training match has a price."""


class PricedLogit(Logit):
    """A logit that takes prices; a part of the estimators below."""

    uses_market = True


class PriceRating(XGBoost):
    """`XGBoost` with ratings derived from the prices of earlier matches.

    Parameters: those of `XGBoost`, and ``least_seen``. A match of which a side had fewer priced matches before is not
    learnt from, because the other columns would have to say what the ratings cannot yet.
    """

    kind = "price_rating"
    uses_market = True
    inputs = "prices of earlier matches"
    logit_type = PricedLogit

    def _fit(self, X: Floats, y: Integers, weights: Floats) -> None:
        priced = X[:, [name.startswith(SEEN) for name in self.columns]]
        if not (priced > 0.0).any():
            raise NoPricesError(f"{self.kind}: no match was priced before those to learn from")
        seen = priced.min(axis=1) >= self.params["least_seen"]
        rows = seen if seen.any() else np.ones(len(X), dtype=bool)
        super()._fit(X[rows], y[rows], weights[rows])


class MarketAware(Estimator):
    """A logit on the line that was quoted before the match; a logit on ratings where none was.

    Parameters: ``columns``, patterns of the columns made of the line; ``l2``, the penalty of their logit; ``without``,
    the section of the `Logit` for matches without a line.
    """

    kind = "market_aware"
    uses_market = True
    inputs = "prices before the match"

    def scores(self, X: Floats) -> Floats:
        """Return scores of the three classes, that of the draw being 0; shape (n, 3)."""
        own = self._own(X)
        quoted, found = self._quoted(own), np.empty((len(own), 3))
        found[quoted] = self._with.scores(own[quoted])
        found[~quoted] = self._without.scores(own[~quoted])
        return found

    def parts(self, X: Floats, by: Grouping = group_of) -> dict[str, Floats]:
        """Return the scores by group of columns, from the logit that applies to the match."""
        own = self._own(X)
        quoted = self._quoted(own)
        found: dict[str, Floats] = {}
        for rows, logit in ((quoted, self._with), (~quoted, self._without)):
            for group, part in logit.parts(own[rows], by).items():
                found.setdefault(group, np.zeros((len(own), 3)))[rows] = part
        return found

    def _quoted(self, own: Floats) -> NDArray[np.bool_]:
        """Return which matches have a line, shape (n,)."""
        line = [self.columns.index(name) for name in self._with.columns]
        return _complete(own[:, line])

    def _logits(self) -> tuple[Logit, Logit]:
        line = {name: self.params[name] for name in ("columns", "l2")}
        return PricedLogit(line), PricedLogit(self.params["without"])

    def _wanted(self, names: Sequence[str]) -> Sequence[str]:
        return [*chosen(names, self.params["without"]), *chosen(names, self.params)]

    def _fit(self, X: Floats, y: Integers, weights: Floats) -> None:
        self._with, self._without = self._logits()
        self._without.fit(X, y, names=self.columns, weights=weights)
        quoted = _complete(X[:, [self.columns.index(name) for name in chosen(self.columns, self.params)]])
        if not quoted.any():
            raise NoPricesError(f"{self.kind}: no match has a line to learn from")
        self._with.fit(X[quoted], y[quoted], names=self.columns, weights=weights[quoted])

    def _state(self) -> dict[str, Any]:
        return {"with": self._with.part_state(), "without": self._without.part_state()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        line, other = self._logits()
        self._with = line.restored_part(self.columns, state["with"])
        self._without = other.restored_part(self.columns, state["without"])


def _complete(columns: Floats) -> NDArray[np.bool_]:
    """Return which rows have no missing value, shape (n,)."""
    return np.asarray(np.isfinite(columns).all(axis=1))
