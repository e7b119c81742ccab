"""Models that use prices and are labelled so: prices of earlier matches, or quoted before the match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.contributions import group_of
from apps.ml.forecasting.estimators.base import Estimator, Floats, Grouping, chosen
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

    Parameters
    ----------
    params : mapping
        Those of `XGBoost`, and ``least_seen``: a match of which a side had fewer priced matches before is not learnt
        from, because the other columns would have to say what the ratings cannot yet.
    seed : int
        Seed of row and column sampling.
    """

    kind = "price_rating"
    uses_market = True
    inputs = "prices of earlier matches"
    begins_at = PricedLogit

    def _fit(self, X: Floats, y: NDArray[np.int64], weights: Floats) -> None:
        priced = X[:, [name.startswith(SEEN) for name in self.columns]]
        if not (priced > 0.0).any():
            raise NoPricesError(f"{self.kind}: no match was priced before those to learn from")
        seen = priced.min(axis=1) >= self.params["least_seen"]
        rows = seen if seen.any() else np.ones(len(X), dtype=bool)
        super()._fit(X[rows], y[rows], weights[rows])


class MarketAware(Estimator):
    """A logit on the line that was quoted before the match; a logit on ratings where none was.

    Parameters
    ----------
    params : mapping
        ``columns``, patterns of the columns made of the line; ``l2``, the penalty of their logit; ``without``, the
        section of the `Logit` for matches without a line.
    seed : int
        Not used; nothing is random.
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
        without = self.params["without"]
        line = chosen(names, self.params["columns"])
        return [*chosen(names, without["columns"], without.get("leave_out", ())), *line]

    def _fit(self, X: Floats, y: NDArray[np.int64], weights: Floats) -> None:
        self._with, self._without = self._logits()
        self._without.fit(X, y, names=self.columns, weights=weights)
        line = chosen(self.columns, self.params["columns"])
        quoted = _complete(X[:, [self.columns.index(name) for name in line]])
        if not quoted.any():
            raise NoPricesError(f"{self.kind}: no match has a line to learn from")
        self._with.fit(X[quoted], y[quoted], names=self.columns, weights=weights[quoted])

    def _state(self) -> dict[str, Any]:
        return {
            name: {"columns": list(logit.columns), **logit._state()}
            for name, logit in (("with", self._with), ("without", self._without))
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._with, self._without = self._logits()
        for name, logit in (("with", self._with), ("without", self._without)):
            logit.names = self.columns
            logit.columns = tuple(state[name]["columns"])
            logit._restore(state[name])


def _complete(columns: Floats) -> NDArray[np.bool_]:
    """Return which rows have no missing value, shape (n,)."""
    return np.asarray(np.isfinite(columns).all(axis=1))
