"""The interface of estimators: from features to probabilities of home, draw and away, explained in log-odds."""

from __future__ import annotations

import json
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from copy import copy
from fnmatch import fnmatchcase
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final, Self

import numpy as np
from numpy.typing import ArrayLike

from apps.ml.forecasting import goals
from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.contributions import group_of

if TYPE_CHECKING:
    from apps.ml.forecasting.estimators.logit import LogitPart

FORMAT: Final = 2
"""Version of the files of an estimator."""

CLASSES: Final = (0, 1, 2)
"""Home, draw, away."""

MARKET_PREFIXES: Final = ("odds_", "price_")
"""Prefixes of columns made of prices, which only estimators with `uses_market` take."""

Grouping = Callable[[str], str]


class MarketInputError(ValueError):
    """An estimator without `uses_market` was given columns made of prices."""


class ModelFormatError(ValueError):
    """A folder holds no estimator that this code can read."""


class Estimator(ABC):
    """Base of all estimators; `params` are its section of the parameters, `seed` that of the fit."""

    kind: ClassVar[str]
    uses_market: ClassVar[bool] = False  # whether it takes columns made of prices
    inputs: ClassVar[str] = "no odds"  # in words, as shown with its forecasts
    classes_: ClassVar[Integers] = np.array(CLASSES)

    def __init__(self, params: Mapping[str, Any], *, seed: int = 0) -> None:
        self.params = dict(params)
        self.seed = seed
        self.names: tuple[str, ...] = ()  # all columns of `X`, in order, as given to `fit`
        self.columns: tuple[str, ...] = ()  # those that the estimator uses
        self.rho = 0.0  # Dixon-Coles correction for the scoreline grid
        self._fitted_parts: Mapping[str, Mapping[str, Any]] = {}  # during a fit: those that it was given

    def fit(
        self,
        X: Floats,
        y: ArrayLike,
        *,
        names: Sequence[str],
        weights: Floats | None = None,
        fitted_parts: Mapping[str, Mapping[str, Any]] | None = None,
    ) -> Self:
        """Fit to outcomes.

        Parameters
        ----------
        X : ndarray, shape (n, k)
            Features; NaN where one is missing.
        y : array_like of int, shape (n,)
            0 home, 1 draw, 2 away.
        names : sequence of str
            Names of the columns.
        weights : ndarray, shape (n,), optional
            Weight of every match.
        fitted_parts : mapping of str to mapping, optional
            States of `logit_parts` by their keys, fitted to the same matches with the same weights; others are fitted.

        Raises
        ------
        MarketInputError
            When a column is made of prices and the estimator does not use the market.
        """
        self.names = tuple(names)
        if X.ndim != 2 or X.shape[1] != len(self.names) or X.shape[0] == 0:
            raise ValueError(f"X of shape {X.shape} does not go with {len(self.names)} names")
        self.columns = tuple(self.wanted(self.names))
        outcomes = np.asarray(y).astype(np.int64)
        given = np.ones(outcomes.size) if weights is None else np.asarray(weights, dtype=np.float64)
        self._fitted_parts = fitted_parts or {}
        self._fit(self._own(X), outcomes, given)
        self._fitted_parts = {}
        return self

    def logit_parts(self) -> Sequence[LogitPart]:
        """Return the logits that the estimator is made of; other estimators may be made of the same."""
        return ()

    def for_columns(self, names: Sequence[str]) -> Self:
        """Return the same estimator for rows with other columns, in which it finds its own by name.

        This allows a fit on the `wanted` columns only; a matrix of all columns may not fit into memory.
        """
        missing = [name for name in self.columns if name not in names]
        if missing:
            raise ValueError(f"{self.kind} needs the columns {missing}")
        other = copy(self)
        other.names = tuple(names)
        return other

    def wanted(self, names: Sequence[str]) -> list[str]:
        """Return the columns that a fit would use.

        Raises
        ------
        MarketInputError
            When a column is made of prices and the estimator does not use the market.
        """
        priced = [name for name in names if name.startswith(MARKET_PREFIXES)]
        if priced and not self.uses_market:
            raise MarketInputError(f"{self.kind} must not see prices, but was given {priced[:3]}")
        return list(self._wanted(names))

    def predict_proba(self, X: Floats) -> Floats:
        """Return probabilities of home, draw and away, shape (n, 3)."""
        return softmax(self.scores(X))

    def raw_score(self, X: Floats) -> Floats:
        """Return the log-odds of home against away, shape (n,)."""
        scores = self.scores(X)
        difference: Floats = scores[:, 0] - scores[:, 2]
        return difference

    def contributions(self, X: Floats) -> dict[str, Floats]:
        """Return contributions of groups to the log-odds of home against away, shape (n,); they sum to `raw_score`."""
        return {group: parts[:, 0] - parts[:, 2] for group, parts in self.parts(X).items()}

    def expected_goals(self, X: Floats, p: Floats | None = None) -> Floats:
        """Return expected goals of home and away, shape (n, 2).

        An estimator of outcomes takes the total from the goal ratings or from the competition, and splits it so that
        the grid of scorelines agrees with its probabilities. These may be given as `p` where they are known already.
        """
        return goals.split_total(self.predict_proba(X) if p is None else p, self._total_goals(X))

    def numbers(self, X: Floats) -> tuple[Floats, Floats]:
        """Return what `predict_proba` and `expected_goals` return."""
        p = self.predict_proba(X)
        return p, self.expected_goals(X, p)

    @abstractmethod
    def scores(self, X: Floats) -> Floats:
        """Return scores whose softmax is the forecast, shape (n, 3)."""

    @abstractmethod
    def parts(self, X: Floats, by: Grouping = group_of) -> dict[str, Floats]:
        """Return the contribution of each group of columns to the scores, up to a constant common to the classes.

        Parameters
        ----------
        X : ndarray, shape (n, k)
            Features.
        by : callable
            Returns the group of a column; `str` makes each column a group. Contributions that belong to no single
            column, such as a baseline or the strengths of a goal model, keep the name of their group.

        Returns
        -------
        dict of str to ndarray, shape (n, 3)
        """

    @abstractmethod
    def _wanted(self, names: Sequence[str]) -> Sequence[str]:
        """Return the columns to use."""

    @abstractmethod
    def _fit(self, X: Floats, y: Integers, weights: Floats) -> None:
        """Fit to the estimator's own columns."""

    @abstractmethod
    def _state(self) -> dict[str, Any]:
        """Return the fitted state for JSON."""

    @abstractmethod
    def _restore(self, state: Mapping[str, Any]) -> None:
        """Restore the state that `_state` returned."""

    def _save_more(self, folder: Path) -> None:
        """Write the part of the state that is not JSON; most estimators have none."""
        return

    def _load_more(self, folder: Path) -> None:
        """Read what `_save_more` wrote."""
        return

    def save(self, folder: Path) -> None:
        """Write the estimator into a folder."""
        folder.mkdir(parents=True, exist_ok=True)
        content = {
            "format": FORMAT,
            "kind": self.kind,
            "params": self.params,
            "seed": self.seed,
            "names": list(self.names),
            "columns": list(self.columns),
            "rho": self.rho,
            "state": self._state(),
        }
        (folder / "estimator.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")
        self._save_more(folder)

    @classmethod
    def restore(cls, content: Mapping[str, Any], folder: Path) -> Self:
        """Return the estimator that `save` wrote, from its JSON and its folder."""
        estimator = cls(content["params"], seed=content["seed"])
        estimator.names = tuple(content["names"])
        estimator.columns = tuple(content["columns"])
        estimator.rho = content["rho"]
        estimator._restore(content["state"])
        estimator._load_more(folder)
        return estimator

    def _own(self, X: Floats) -> Floats:
        """Return the estimator's own columns of `X`."""
        if X.ndim != 2 or X.shape[1] != len(self.names):
            raise ValueError(f"X of shape {X.shape}; {self.kind} was fitted to {len(self.names)} columns")
        if self.columns == self.names:
            return X
        return X[:, places(self.names, self.columns)]

    def _total_goals(self, X: Floats) -> Floats:
        for home, away in (("dc_mu_home", "dc_mu_away"), ("base_goals_home", "base_goals_away")):
            if home in self.names and away in self.names:
                total: Floats = X[:, self.names.index(home)] + X[:, self.names.index(away)]
                return total
        raise ValueError("expected goals need the columns of dixon_coles or of base_rates")


@lru_cache(maxsize=256)
def places(names: tuple[str, ...], columns: tuple[str, ...]) -> Integers:
    """Return the positions of the columns among the names, shape (columns,); cached."""
    by_name = {name: place for place, name in enumerate(names)}
    found = np.array([by_name[name] for name in columns], dtype=np.int64)
    found.flags.writeable = False
    return found


def read_json(file: Path) -> Any:
    """Return the content of a file of an estimator.

    Raises
    ------
    ModelFormatError
        When one of its numbers is NaN.
    """

    def number(name: str) -> float:
        if name == "NaN":
            raise ModelFormatError(f"a number in {file.name} is NaN")
        return float(name)

    return json.loads(file.read_text(encoding="utf-8"), parse_constant=number)


def softmax(scores: Floats) -> Floats:
    """Return probabilities from scores, shape (n, 3)."""
    powers = np.exp(scores - scores.max(axis=1, keepdims=True))
    found: Floats = powers / powers.sum(axis=1, keepdims=True)
    return found


def chosen(names: Sequence[str], section: Mapping[str, Any]) -> list[str]:
    """Return the names that match ``columns`` of a section, patterns such as ``form_*_3_*``, and none of ``leave_out``.

    They keep their order. Raise `ValueError` when a pattern matches no name, which is probably a typing error.
    """
    patterns, left_out = section["columns"], section.get("leave_out", ())
    idle = [pattern for pattern in patterns if not any(fnmatchcase(name, pattern) for name in names)]
    if idle:
        raise ValueError(f"no column is called {idle}")
    return [
        name
        for name in names
        if any(fnmatchcase(name, pattern) for pattern in patterns)
        and not any(fnmatchcase(name, pattern) for pattern in left_out)
    ]


def grouped(names: Sequence[str], parts: Floats, by: Grouping) -> dict[str, Floats]:
    """Sum the parts of k columns, shape (n, k, 3), by group of columns; shape (n, 3) each."""
    found: dict[str, Floats] = {}
    for place, name in enumerate(names):
        group, part = by(name), parts[:, place]
        found[group] = found[group] + part if group in found else part.copy()
    return found
