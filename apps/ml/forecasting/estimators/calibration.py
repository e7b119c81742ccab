"""Calibration on past out-of-sample forecasts, by the best of temperature, vector scaling and isotonic maps."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Literal, Self

import numpy as np
from numpy.typing import ArrayLike, NDArray

from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.contributions import CALIBRATION
from apps.ml.forecasting.estimators.base import Estimator, places, softmax
from apps.ml.forecasting.estimators.intervals import INTERVALS_FILE, KNOWN, Intervals
from apps.ml.forecasting.scoring import FLOOR, log_loss

Method = Literal["none", "temperature", "vector", "isotonic"]

METHODS: Final[tuple[Method, ...]] = ("none", "temperature", "vector", "isotonic")
"""From few parameters to many; of equally good ones the first is taken."""

ISOTONIC_FROM: Final = 20_000
"""Fewest forecasts for isotonic maps, whose number of parameters grows with the data."""

LEAST: Final = 2e-3
"""Smallest probability of an isotonic map, which could be 0 at its flat ends."""

Knots = tuple[tuple[float, ...], tuple[float, ...]]
"""Rising forecast probabilities and the values they are mapped to; linear in between."""

FILE: Final = "calibration.json"


@dataclass(frozen=True, slots=True)
class Calibration:
    """A map of forecasts.

    Each centred log-probability is scaled and shifted by class. With `knots`, each probability is mapped by an
    increasing function of its class instead, and the three are normalized.

    `tried` holds the log loss of every method on forecasts that it was not fitted to, in nats.
    """

    method: Method
    scale: tuple[float, float, float]
    shift: tuple[float, float, float]
    n: int
    tried: Mapping[str, float]
    knots: tuple[Knots, ...] = ()

    def apply(self, p: Floats) -> Floats:
        """Return calibrated probabilities, shape (n, 3)."""
        return p if self.method == "none" else softmax(self.scores(p))

    def scores(self, p: Floats) -> Floats:
        """Return the scores whose softmax is the calibrated forecast, shape (n, 3)."""
        if self.knots:
            mapped = [np.interp(p[:, place], *knots) for place, knots in enumerate(self.knots)]
            return np.log(np.maximum(np.stack(mapped, axis=1), LEAST))
        return centred(np.log(np.maximum(p, FLOOR))) * np.array(self.scale) + np.array(self.shift)

    def as_dict(self) -> dict[str, Any]:
        """Return the calibration as JSON."""
        return {
            "method": self.method,
            "scale": list(self.scale),
            "shift": list(self.shift),
            "n": self.n,
            "tried": dict(self.tried),
            "knots": [[list(line) for line in knots] for knots in self.knots],
        }

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return the calibration that `as_dict` gave."""
        scale, shift = content["scale"], content["shift"]
        return cls(
            method=content["method"],
            scale=(scale[0], scale[1], scale[2]),
            shift=(shift[0], shift[1], shift[2]),
            n=content["n"],
            tried=content["tried"],
            knots=tuple((tuple(x), tuple(y)) for x, y in content["knots"]),
        )


class Calibrated:
    """An estimator followed by a calibration, with the same interface, and with intervals around its probabilities.

    `intervals` is None where too few forecasts with a closing line were there to fit them.
    """

    def __init__(self, estimator: Estimator, calibration: Calibration, intervals: Intervals | None = None) -> None:
        self.estimator = estimator
        self.calibration = calibration
        self.intervals = intervals

    @property
    def kind(self) -> str:
        return self.estimator.kind

    @property
    def names(self) -> tuple[str, ...]:
        return self.estimator.names

    @property
    def columns(self) -> tuple[str, ...]:
        return self.estimator.columns

    @property
    def rho(self) -> float:
        return self.estimator.rho

    def predict_proba(self, X: Floats) -> Floats:
        return self.calibration.apply(self.estimator.predict_proba(X))

    def expected_goals(self, X: Floats) -> Floats:
        return self.estimator.expected_goals(X)

    def numbers(self, X: Floats) -> tuple[Floats, Floats]:
        """Return what `predict_proba` and `expected_goals` return, by one forecast of the estimator."""
        p, expected = self.estimator.numbers(X)
        return self.calibration.apply(p), expected

    def intervals_around(self, p: Floats, X: Floats) -> Floats | None:
        """Return the ends of the intervals of the forecasts `p` of the rows `X`, shape (n, 3, 2); None without any."""
        if self.intervals is None:
            return None
        return self.intervals.around(p, X[:, places(self.names, KNOWN)])

    def raw_score(self, X: Floats) -> Floats:
        """Return the calibrated log-odds of home against away, shape (n,)."""
        if self.calibration.knots:
            scores = self.calibration.scores(self.estimator.predict_proba(X))
        else:
            scores = self._scaled(self.estimator.scores(X)) + np.array(self.calibration.shift)
        difference: Floats = scores[:, 0] - scores[:, 2]
        return difference

    def contributions(self, X: Floats) -> dict[str, Floats]:
        """Return what each group adds to the log-odds of home against away; they sum to `raw_score`."""
        found = {}
        for group, part in self.estimator.parts(X).items():
            scaled = self._scaled(part)
            found[group] = scaled[:, 0] - scaled[:, 2]
        if self.calibration.knots:
            # The effect of a nonlinear map cannot be assigned to groups, so it is a contribution of its own.
            found[CALIBRATION] = self.raw_score(X) - sum(found.values())
        elif self.calibration.method != "none":
            found[CALIBRATION] = np.full(len(X), self.calibration.shift[0] - self.calibration.shift[2])
        return found

    def save(self, folder: Path) -> None:
        """Write the estimator, its calibration and its intervals into a folder."""
        self.estimator.save(folder)
        for file, part in ((FILE, self.calibration), (INTERVALS_FILE, self.intervals)):
            if part is not None:
                (folder / file).write_text(json.dumps(part.as_dict(), indent=1) + "\n", encoding="utf-8")

    def _scaled(self, scores: Floats) -> Floats:
        return centred(scores) * np.array(self.calibration.scale)


def fit_calibration(
    p: Floats, y: ArrayLike, *, methods: Sequence[Method] = METHODS, folds: int = 5, isotonic_from: int = ISOTONIC_FROM
) -> Calibration:
    """Return the calibration with the smallest loss on forecasts later than those that it was fitted to.

    Parameters
    ----------
    p : ndarray, shape (n, 3)
        Out-of-sample forecasts in the order of time.
    y : array_like of int, shape (n,)
        Their outcomes.
    methods : sequence of {"none", "temperature", "vector", "isotonic"}
        Methods to try; isotonic maps only with at least `isotonic_from` forecasts.
    folds : int
        Number of parts of the rows; each part except the first is calibrated by a fit to the parts before it.
    isotonic_from : int
        See `methods`.
    """
    if len(p) < isotonic_from:
        methods = [method for method in methods if method != "isotonic"]
    outcomes = np.asarray(y).astype(np.int64)
    tried: dict[str, float] = {}
    parts = np.array_split(np.arange(len(p)), folds)
    for method in methods:
        later = []
        for number in range(1, folds):
            past = np.concatenate(parts[:number])
            later.append(_fitted(method, p[past], outcomes[past]).apply(p[parts[number]]))
        tried[method] = log_loss(np.concatenate(later), outcomes[parts[1][0] :])
    best = min(methods, key=lambda method: (tried[method], METHODS.index(method)))
    found = _fitted(best, p, outcomes)
    return replace(found, tried=tried)


def centred(scores: Floats) -> Floats:
    """Subtract the mean over the classes, the last axis, which does not change the softmax."""
    moved: Floats = scores - scores.mean(axis=-1, keepdims=True)
    return moved


def _fitted(method: Method, p: Floats, y: Integers) -> Calibration:
    plain = Calibration(method, (1.0, 1.0, 1.0), (0.0, 0.0, 0.0), len(p), {})
    if method == "none":
        return plain
    if method == "isotonic":
        return replace(plain, knots=tuple(_rising(p[:, place], y == place) for place in range(3)))
    from scipy.optimize import minimize

    scores = centred(np.log(np.maximum(p, FLOOR)))
    one_hot = (y[:, None] == np.arange(3)).astype(np.float64)

    def spread(point: Floats) -> tuple[Floats, Floats]:
        if method == "temperature":
            return np.full(3, point[0]), np.zeros(3)
        return point[:3], np.array([point[3], 0.0, point[4]])

    def loss(point: Floats) -> tuple[float, Floats]:
        scale, shift = spread(point)
        found = softmax(scores * scale + shift)
        gap = (found - one_hot) / len(p)
        by_scale, by_shift = (gap * scores).sum(axis=0), gap.sum(axis=0)
        slope = np.array([by_scale.sum()]) if method == "temperature" else np.r_[by_scale, by_shift[[0, 2]]]
        return log_loss(found, y), slope

    start = np.ones(1) if method == "temperature" else np.array([1.0, 1.0, 1.0, 0.0, 0.0])
    point = minimize(loss, start, jac=True, method="L-BFGS-B").x
    scale, shift = spread(point)
    return Calibration(
        method,
        (float(scale[0]), float(scale[1]), float(scale[2])),
        (float(shift[0]), float(shift[1]), float(shift[2])),
        len(p),
        {},
    )


def _rising(p: Floats, hit: NDArray[np.bool_]) -> Knots:
    """Return the isotonic regression of the observed frequency."""
    from sklearn.isotonic import IsotonicRegression

    found = IsotonicRegression(out_of_bounds="clip").fit(p, hit.astype(np.float64))
    return tuple(found.X_thresholds_.tolist()), tuple(found.y_thresholds_.tolist())
