"""Histogram gradient boosting on top of a logit, in one Newton step."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats, Integers, Records
from apps.ml.forecasting.contributions import BASELINE, group_of
from apps.ml.forecasting.estimators.base import Estimator, Grouping, chosen
from apps.ml.forecasting.estimators.logit import Logit, LogitPart
from apps.ml.forecasting.kernels import njit

FILE: Final = "trees.npy"

NODE: Final = np.dtype(
    [
        ("value", np.float64),  # value if the tree ended here
        ("threshold", np.float64),
        ("column", np.int32),  # -1 for a leaf
        ("left", np.int32),  # rows of this array; a value up to the threshold goes left
        ("right", np.int32),
        ("missing_left", np.int32),  # 0 or 1; 32 bits, so that a node has no padding
    ]
)
"""One node of a tree; trees lie one after the other, each with its root first."""

SHARE: Final = 0.5
"""Share of a step of one class by itself that is taken: the three move against each other, and twice the diagonal of
the Hessian, ``2 p (1 - p)``, bounds it from above (Gershgorin), as in xgboost's ``multi:softprob``."""

LEAST: Final = 1e-6
"""Least probability of a class in a working response."""


class HistBoosting(Estimator):
    """Trees of scikit-learn's histogram gradient boosting on the margin of a logit.

    scikit-learn's classifier cannot start from a given margin. What the trees have to add is small, so the log loss is
    nearly quadratic in it: for each class, boosted trees fit the working response ``(y - p) / (p (1 - p))`` of the
    logit's forecasts with the weights ``p (1 - p)``, as one step of iteratively reweighted least squares does.

    Parameters: ``logit``, the section of the `Logit` that they start from; ``columns`` and ``leave_out``, patterns of
    the columns that are used, those of the logit among them, and of those that are not; ``trees``, the settings of
    ``HistGradientBoostingRegressor``.
    """

    kind = "hist_boosting"
    _logit: Logit

    def scores(self, X: Floats) -> Floats:
        """Return the scores of the logit and the trees together, shape (n, 3)."""
        own = self._own(X)
        added = np.tile(self._start, (len(own), 1))
        for place in range(3):
            _add_values(self._nodes, self._roots[place], own, added[:, place])
        return self._logit.scores(own) + added

    def parts(self, X: Floats, by: Grouping = group_of) -> dict[str, Floats]:
        """Return the parts of the logit plus the change of value at each split of the trees, by group of columns.

        See Palczewska et al. (2013), "Interpreting random forest models using a feature contribution method".
        """
        own = self._own(X)
        found = self._logit.parts(own, by)
        groups = [by(name) for name in self.columns]
        names = sorted(set(groups))
        number = np.array([names.index(group) for group in groups], dtype=np.int64)
        moved = np.zeros((len(names), len(own), 3))
        for place in range(3):
            _add_splits(self._nodes, self._roots[place], own, number, moved[:, :, place])
        for name, part in zip(names, moved, strict=True):
            found[name] = found[name] + part if name in found else part
        # The start of the trees and rounding errors go to the baseline, so that the parts sum exactly.
        found[BASELINE] += self.scores(X) - sum(found.values())
        return found

    def logit_parts(self) -> Sequence[LogitPart]:
        """Return the logit that the trees start from."""
        return (LogitPart(self.params["logit"]),)

    def _wanted(self, names: Sequence[str]) -> Sequence[str]:
        wanted = {*chosen(names, self.params), *chosen(names, self.params["logit"])}
        return [name for name in names if name in wanted]

    def _fit(self, X: Floats, y: Integers, weights: Floats) -> None:
        from threadpoolctl import threadpool_limits

        from apps.ml.forecasting.estimators.binned_trees import BinnedTrees

        settings = dict(self.params["trees"])
        (part,) = self.logit_parts()
        self._logit = part.fitted(Logit, X, y, weights, self.columns, self._fitted_parts)
        p = np.clip(self._logit.predict_proba(X), LEAST, 1.0 - LEAST)
        # A world without line-ups has empty columns, which scikit-learn cannot bin.
        wanted = [self.columns.index(name) for name in chosen(self.columns, self.params)]
        used = [place for place in wanted if not np.isnan(X[:, place]).all()]
        edges = [bin_edges(X[:, place], int(settings.get("max_bins", 255))) for place in used]
        columns = np.stack([binned(X[:, place], own) for place, own in zip(used, edges, strict=True)]).T
        bins: list[Any] = []
        start, roots = [], []
        nodes: list[NDArray[Any]] = []
        for place in range(3):
            curve = p[:, place] * (1.0 - p[:, place])
            trees = BinnedTrees(**settings, early_stopping=False, random_state=self.seed + place)
            trees.bins = bins
            # One thread: the last bits depend on the order of summation, and that on the number of threads.
            with threadpool_limits(limits=1, user_api="openmp"):
                trees.fit(columns, ((y == place) - p[:, place]) / curve, sample_weight=weights * curve)
            start.append(SHARE * float(trees._baseline_prediction[0, 0]))
            begins, found = _unpacked(trees, np.array(used), edges, sum(map(len, nodes)))
            roots.append(begins)
            nodes.append(found)
        self._start, self._nodes, self._roots = np.array(start), np.concatenate(nodes), np.array(roots)

    def _state(self) -> dict[str, Any]:
        return {
            "trees": FILE,
            "roots": self._roots.tolist(),
            "start": self._start.tolist(),
            "logit": self._logit.part_state(),
        }

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._logit = Logit(self.params["logit"]).restored_part(self.columns, state["logit"])
        self._roots, self._start = np.array(state["roots"], dtype=np.int64), np.array(state["start"])

    def _save_more(self, folder: Path) -> None:
        np.save(folder / FILE, self._nodes, allow_pickle=False)

    def _load_more(self, folder: Path) -> None:
        self._nodes = np.load(folder / FILE, allow_pickle=False)
        if self._nodes.dtype != NODE:
            raise KeyError(f"{FILE} holds no trees")


def bin_edges(column: Floats, bins: int) -> Floats:
    """Return rising edges that split a column into bins of equal counts; fewer where values repeat.

    scikit-learn would compute them for each class again by weighted quantiles, which takes twice as long as its trees.
    """
    known = column[~np.isnan(column)]
    return np.unique(np.quantile(known, np.arange(1, bins) / bins, method="inverted_cdf"))


def binned(column: Floats, edges: Floats) -> Floats:
    """Return the number of the bin of every value, NaN where it is missing: bin k ends with the edge k."""
    return np.where(np.isnan(column), np.nan, np.searchsorted(edges, column, side="left"))


def _unpacked(trees: Any, used: Integers, edges: Sequence[Floats], first: int) -> tuple[list[int], NDArray[Any]]:
    """Return the rows of the roots and the nodes of fitted trees, columns numbered as in ``used``.

    A split between bins becomes one at the edge of the lower bin.

    scikit-learn has no public format for its trees other than pickle. A test compares our predictions with its own, and
    fails when a release changes them.
    """
    roots, parts, place = [], [], first
    for (tree,) in trees._predictors:
        raw = tree.nodes
        is_leaf = raw["is_leaf"].astype(bool)
        nodes = np.zeros(len(raw), dtype=NODE)
        # Leaves come shrunk, the nodes above them do not.
        nodes["value"] = SHARE * raw["value"] * np.where(is_leaf, 1.0, trees.learning_rate)
        nodes["threshold"] = [
            0.0 if leaf else _edge(edges[column], float(bin_))
            for leaf, column, bin_ in zip(is_leaf, raw["feature_idx"], raw["num_threshold"], strict=True)
        ]
        nodes["column"] = np.where(is_leaf, -1, used[np.where(is_leaf, 0, raw["feature_idx"])])
        nodes["left"], nodes["right"] = raw["left"] + place, raw["right"] + place
        nodes["missing_left"] = raw["missing_go_to_left"]
        roots.append(place)
        parts.append(nodes)
        place += len(nodes)
    return roots, np.concatenate(parts) if parts else np.zeros(0, dtype=NODE)


def _edge(edges: Floats, split: float) -> float:
    """Return the largest value that goes left where bins up to `split` do; infinity beyond the last edge."""
    return float(edges[int(split)]) if split < len(edges) else np.inf


@njit(cache=True)
def _next(nodes: Records, number: int, row: Floats) -> int:
    """Return the node below `number` that a row goes to."""
    node = nodes[number]
    value = row[node.column]
    to_left = node.missing_left if np.isnan(value) else value <= node.threshold
    return node.left if to_left else node.right


@njit(cache=True)
def _add_values(nodes: Records, roots: Integers, X: Floats, out: Floats) -> None:
    """Add the values of all trees to `out`, shape (n,)."""
    for row in range(len(X)):
        for root in roots:
            number = root
            while nodes[number].column >= 0:
                number = _next(nodes, number, X[row])
            out[row] += nodes[number].value


@njit(cache=True)
def _add_splits(nodes: Records, roots: Integers, X: Floats, group: Integers, out: Floats) -> None:
    """Add the change at each split to `out`, shape (groups, n); `group` holds the group of each column."""
    for row in range(len(X)):
        for root in roots:
            number = root
            while nodes[number].column >= 0:
                below = _next(nodes, number, X[row])
                out[group[nodes[number].column], row] += nodes[below].value - nodes[number].value
                number = below


def call_kernels() -> None:
    """Call each kernel with all types of arguments that are used, so that `pipeline.warm_up` compiles them."""
    nodes, roots, group = np.zeros(1, dtype=NODE), np.zeros(1, dtype=np.int64), np.zeros(2, dtype=np.int64)
    nodes["column"] = -1
    rows = np.zeros((2, 2))
    # All columns in the order of their rows; some of them; one row, which is both.
    for own in (rows, np.asfortranarray(rows), rows[:1]):
        _add_values(nodes, roots, own, np.zeros((len(own), 3))[:, 0])
        _add_splits(nodes, roots, own, group, np.zeros((1, len(own), 3))[:, :, 0])
