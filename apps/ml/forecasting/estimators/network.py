"""An average of small neural networks, which complement trees in a pool because they are smooth."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.contributions import BASELINE, group_of
from apps.ml.forecasting.estimators.base import CLASSES, Estimator, Grouping, chosen, grouped

FILE: Final = "networks.npz"

LIMIT: Final = 4.0
"""Standard deviations at which values are clipped, because a network extrapolates."""

NO_CHANGE: Final = 1e-12
"""Change of a unit's input below which it counts as unchanged."""


class Network(Estimator):
    """Multinomial networks of one hidden layer with rectifiers, by scikit-learn's Adam, their scores averaged.

    A value that is missing counts as the mean of its column. The first network has the seed of the estimator, each
    further one the next.

    Parameters: ``columns`` and ``leave_out``, patterns of the columns that are used and of those that are not;
    ``hidden``, units of the layer; ``networks``, how many are averaged; ``decay``, penalty on the squared weights for
    each match; ``rate``, step of Adam; ``batch``, matches of a step; ``epochs``, rounds over all matches.
    """

    kind = "network"

    def scores(self, X: Floats) -> Floats:
        """Return the mean scores of the networks, shape (n, 3)."""
        standard, total = self._standard(self._own(X)), np.zeros((len(X), len(CLASSES)))
        for first, bias, second, start in self._layers():
            total += np.maximum(standard @ first + bias, 0.0) @ second + start
        return total / len(self._first)

    def parts(self, X: Floats, by: Grouping = group_of) -> dict[str, Floats]:
        """Return the integrated gradients along the straight way from a match of means, and its scores as the baseline.

        A unit of the layer is active on a part of that way, which for a rectifier is known exactly; a column adds its
        weight times that part. See Sundararajan et al. (2017), "Axiomatic attribution for deep networks", ICML 70.
        """
        standard = self._standard(self._own(X))
        added = np.zeros((len(X), len(self.columns), len(CLASSES)))
        start_scores = np.zeros(len(CLASSES))
        for first, bias, second, start in self._layers():
            change = standard @ first
            moved = np.maximum(change + bias, 0.0) - np.maximum(bias, 0.0)
            is_unchanged = np.abs(change) < NO_CHANGE
            active = np.where(is_unchanged, bias > 0.0, moved / np.where(is_unchanged, 1.0, change))
            for place in CLASSES:
                added[:, :, place] += standard * ((active * second[:, place]) @ first.T)
            start_scores += np.maximum(bias, 0.0) @ second + start
        found = grouped(self.columns, added / len(self._first), by)
        found[BASELINE] = found.get(BASELINE, 0.0) + np.tile(start_scores / len(self._first), (len(X), 1))
        return found

    def _standard(self, own: Floats) -> Floats:
        standard = np.clip((own - self._mean) / self._scale, -LIMIT, LIMIT)
        return np.where(np.isnan(standard), 0.0, standard)

    def _layers(self) -> zip[tuple[Floats, Floats, Floats, Floats]]:
        return zip(self._first, self._bias, self._second, self._start, strict=True)

    def _wanted(self, names: Sequence[str]) -> Sequence[str]:
        return chosen(names, self.params)

    def _fit(self, X: Floats, y: Integers, weights: Floats) -> None:
        known = ~np.isnan(X)
        counts = np.maximum(known.sum(axis=0), 1)
        self._mean = np.where(known, X, 0.0).sum(axis=0) / counts
        spread = np.sqrt((np.where(known, X - self._mean, 0.0) ** 2).sum(axis=0) / counts)
        self._scale = np.where(spread > 0.0, spread, 1.0)
        # In the order of rows, because each batch takes some at random.
        standard = np.ascontiguousarray(self._standard(X))
        fitted = [self._network(number, standard, y, weights) for number in range(int(self.params["networks"]))]
        self._first = np.stack([network.coefs_[0] for network in fitted])
        self._bias = np.stack([network.intercepts_[0] for network in fitted])
        self._second = np.stack([network.coefs_[1] for network in fitted])
        self._start = np.stack([network.intercepts_[1] for network in fitted])

    def _network(self, number: int, standard: Floats, y: Integers, weights: Floats) -> Any:
        from sklearn.neural_network import MLPClassifier
        from threadpoolctl import threadpool_limits

        batch = min(int(self.params["batch"]), len(standard))
        network = MLPClassifier(
            (int(self.params["hidden"]),),
            # scikit-learn divides its penalty by the matches of a batch.
            alpha=float(self.params["decay"]) * batch,
            learning_rate_init=float(self.params["rate"]),
            batch_size=batch,
            # An object, because a number would restart the sequence in each round.
            random_state=np.random.RandomState(self.seed + number),
        )
        # Round by round: `fit` would warn that it has not converged, which is not the aim. One thread: the products are
        # small, and on a busy machine threads that wait for each other at every step take many times as long.
        with threadpool_limits(limits=1, user_api="blas"):
            for _ in range(int(self.params["epochs"])):
                network.partial_fit(standard, y, weights, classes=np.array(CLASSES))
        return network

    def _state(self) -> dict[str, Any]:
        return {"networks": FILE, "mean": self._mean.tolist(), "scale": self._scale.tolist()}

    def _restore(self, state: Mapping[str, Any]) -> None:
        self._mean, self._scale = np.array(state["mean"]), np.array(state["scale"])

    def _save_more(self, folder: Path) -> None:
        layers = {"first": self._first, "bias": self._bias, "second": self._second, "start": self._start}
        np.savez(folder / FILE, allow_pickle=False, **layers)

    def _load_more(self, folder: Path) -> None:
        with np.load(folder / FILE, allow_pickle=False) as kept:
            self._first, self._bias = kept["first"], kept["bias"]
            self._second, self._start = kept["second"], kept["start"]
