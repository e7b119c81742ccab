"""Models that use prices and are labelled so: prices of earlier matches, or quoted before the match."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.contributions import group_of
from apps.ml.forecasting.estimators.base import Estimator, Grouping, ModelFormatError, chosen, places
from apps.ml.forecasting.estimators.logit import SEEN, Logit, LogitPart, fewest_seen
from apps.ml.forecasting.estimators.trees import XGBoost


class NoPricesError(ValueError):
    """No training match has a price."""


class PricedLogit(Logit):
    """A logit that takes prices; a part of the estimators below."""

    uses_market = True


class PriceRating(XGBoost):
    """The mean of an `XGBoost` with ratings from the prices of earlier matches, and of a logit on few columns.

    The trees know more, and the logit follows the market more closely: the mean of their scores is better than both.

    Parameters: those of `XGBoost`; ``linear``, the section of that logit; and ``least_seen``. A match of which a side
    had fewer priced matches before is not learnt from, because the other columns would have to say what the ratings
    cannot yet.
    """

    kind = "price_rating"
    uses_market = True
    inputs = "prices of earlier matches"
    logit_type = PricedLogit
    _linear: Logit

    def scores(self, X: Floats) -> Floats:
        """Return the mean scores of the three classes, shape (n, 3)."""
        own = self._own(X)
        mean: Floats = (self._boosted(own) + self._linear.scores(own)) / 2.0
        return mean

    def parts(self, X: Floats, by: Grouping = group_of) -> dict[str, Floats]:
        """Return half of the parts of the trees and half of those of the logit."""
        found = {group: part / 2.0 for group, part in super().parts(X, by).items()}
        for group, part in self._linear.parts(self._own(X), by).items():
            found[group] = found.get(group, 0.0) + part / 2.0
        return found

    def logit_parts(self) -> Sequence[LogitPart]:
        """Return the logit that the trees start from."""
        return (LogitPart(self.params["logit"], self.params["least_seen"]),)

    def _fit(self, X: Floats, y: Integers, weights: Floats) -> None:
        if not (fewest_seen(X, self.columns) > 0.0).any():
            raise NoPricesError(f"{self.kind}: no match was priced before those to learn from")
        (part,) = self.logit_parts()
        rows = part.rows(X, self.columns)
        names, X, y, weights = self.columns, X[rows], y[rows], weights[rows]
        super()._fit(X, y, weights)
        self._linear = PricedLogit(self.params["linear"])
        self._linear.fit(X[:, places(names, self.columns)], y, names=self.columns, weights=weights)

    def _state(self) -> dict[str, Any]:
        return {**super()._state(), "linear": self._linear.part_state()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        super()._restore(state)
        if "linear" not in state:
            raise ModelFormatError(f"{self.kind} was trained before it had a logit beside its trees; train it again")
        self._linear = PricedLogit(self.params["linear"]).restored_part(self.columns, state["linear"])


class MarketAware(Estimator):
    """A logit on the line that was quoted before the match; on ratings where none was.

    Some leagues have closing prices only. There the ratings are those made of the prices of earlier matches beside all
    others, and where a side had few of them, ratings without prices.

    Parameters: ``columns``, patterns of the columns made of the line; ``l2``, the penalty of their logit; ``earlier``,
    the section of the logit with prices of earlier matches; ``least_seen``, fewest priced matches of both sides for
    it; ``without``, the section of the `Logit` for all other matches.
    """

    kind = "market_aware"
    uses_market = True
    inputs = "prices before the match"

    def scores(self, X: Floats) -> Floats:
        """Return scores of the three classes, that of the draw being 0; shape (n, 3)."""
        own = self._own(X)
        found = np.empty((len(own), 3))
        for rows, logit in zip(self._rows(own), self._fitted, strict=True):
            found[rows] = logit.scores(own[rows])
        return found

    def parts(self, X: Floats, by: Grouping = group_of) -> dict[str, Floats]:
        """Return the scores by group of columns, from the logit that applies to the match."""
        own = self._own(X)
        found: dict[str, Floats] = {}
        for rows, logit in zip(self._rows(own), self._fitted, strict=True):
            for group, part in logit.parts(own[rows], by).items():
                found.setdefault(group, np.zeros((len(own), 3)))[rows] = part
        return found

    def _rows(self, own: Floats) -> tuple[NDArray[np.bool_], ...]:
        """Return the rows of each logit: those with a line, with prices of earlier matches, and all others."""
        quoted, seen = _quoted(own, self.columns, self._fitted[0].columns), self._has_earlier(own)
        return quoted, ~quoted & seen, ~quoted & ~seen

    def _has_earlier(self, own: Floats) -> NDArray[np.bool_]:
        """Return which matches have prices of enough earlier matches of both sides, shape (n,)."""
        return np.asarray(fewest_seen(own, self.columns) >= self.params["least_seen"])

    def logit_parts(self) -> Sequence[LogitPart]:
        """Return the logits for matches without a line."""
        return (LogitPart(self.params["earlier"], self.params["least_seen"]), LogitPart(self.params["without"]))

    def _sections(self) -> dict[str, Mapping[str, Any]]:
        """Return the section of each logit, in the order of `_rows`."""
        earlier, without = (part.section for part in self.logit_parts())
        line = {name: self.params[name] for name in ("columns", "l2")}
        return {"with": line, "earlier": earlier, "without": without}

    def _wanted(self, names: Sequence[str]) -> Sequence[str]:
        wanted = {name for section in self._sections().values() for name in chosen(names, section)}
        return [name for name in names if name in wanted or name.startswith(SEEN)]

    def _fit(self, X: Floats, y: Integers, weights: Floats) -> None:
        quoted = _quoted(X, self.columns, chosen(self.columns, self.params))
        if not quoted.any():
            raise NoPricesError(f"{self.kind}: no match has a line to learn from")
        line = PricedLogit(self._sections()["with"])
        # Ratings made of prices are learnt from all matches that have them, quoted or not.
        self._fitted = [
            line.fit(X[quoted], y[quoted], names=self.columns, weights=weights[quoted]),
            *(part.fitted(PricedLogit, X, y, weights, self.columns, self._fitted_parts) for part in self.logit_parts()),
        ]

    def _state(self) -> dict[str, Any]:
        return {name: logit.part_state() for name, logit in zip(self._sections(), self._fitted, strict=True)}

    def _restore(self, state: Mapping[str, Any]) -> None:
        if "earlier" not in state:
            raise ModelFormatError(
                f"{self.kind} was trained before it used the prices of earlier matches; train it again"
            )
        self._fitted = [
            PricedLogit(section).restored_part(self.columns, state[name]) for name, section in self._sections().items()
        ]


def _quoted(own: Floats, columns: Sequence[str], line: Sequence[str]) -> NDArray[np.bool_]:
    """Return which matches have a line, shape (n,): a value in each of its columns."""
    return np.asarray(np.isfinite(own[:, [columns.index(name) for name in line]]).all(axis=1))
