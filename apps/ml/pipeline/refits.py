"""Refits on fewer matches or without a family of features, to measure what models lose."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting import scoring
from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.estimators import REGISTRY, Estimator, create
from apps.ml.forecasting.estimators.base import chosen

LOGIT: Final = "logit"
"""Estimator that is fitted to each family of features separately."""


@dataclass(frozen=True, slots=True)
class RefitData:
    """Training matches and later test matches, both in chronological order."""

    names: tuple[str, ...]  # of the columns
    X_train: Floats  # matches known at the time of the fit, shape (n, k)
    y_train: Integers  # outcomes, shape (n,)
    X_test: Floats  # those forecast after it, shape (m, k)
    y_test: Integers
    test_days: NDArray[Any]  # days of the test matches, for bootstrap intervals, shape (m,)
    seed: int
    draws: int  # resamples of the intervals
    level: float

    def latest(self, rows: int) -> RefitData:
        """Return the data with the latest training rows only."""
        return replace(self, X_train=self.X_train[-rows:], y_train=self.y_train[-rows:])

    def tail(self, rows: int) -> RefitData:
        """Return the data with the latest test rows only."""
        return replace(self, X_test=self.X_test[-rows:], y_test=self.y_test[-rows:], test_days=self.test_days[-rows:])

    def in_64_bits(self) -> RefitData:
        """Return the data with features in 64 bits, as estimators need them."""
        return replace(self, X_train=self.X_train.astype(np.float64), X_test=self.X_test.astype(np.float64))

    def only(self, names: Sequence[str]) -> RefitData:
        """Return the data with these columns only, missing values replaced by the training mean."""
        places = [self.names.index(name) for name in names]
        X, test = self.X_train[:, places].astype(np.float64), self.X_test[:, places].astype(np.float64)
        there = np.isfinite(X)
        counts = np.maximum(there.sum(axis=0), 1)
        means = np.where(there, X, 0.0).sum(axis=0) / counts
        return replace(
            self,
            names=tuple(names),
            X_train=np.where(there, X, means),
            X_test=np.where(np.isfinite(test), test, means),
        )

    def fitted(self, name: str, section: Mapping[str, Any]) -> Estimator:
        """Return an estimator fitted to the training matches."""
        return create(name, section, seed=self.seed).fit(self.X_train, self.y_train, names=self.names)

    def losses(self, model: Estimator) -> Floats:
        """Return the log loss of each test match, shape (m,)."""
        return scoring.log_loss_each(model.predict_proba(self.X_test), self.y_test)

    def interval(self, difference: Floats) -> dict[str, float]:
        """Return the mean difference with its bootstrap interval over match days."""
        found = scoring.paired_bootstrap(difference, self.test_days, draws=self.draws, level=self.level)
        return found.as_dict()


def wanted(name: str, section: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Return the columns that an estimator would use."""
    return create(name, section, seed=0).wanted(names)


def narrowed(section: Mapping[str, Any], names: Sequence[str], dropped: Collection[str]) -> dict[str, Any]:
    """Return the section of an estimator with its columns listed by name, without the dropped ones.

    Nested sections are treated alike; a member of a pool that needs a dropped column, and products of which one side is
    dropped, are removed.
    """
    found: dict[str, Any] = {}
    for key, value in section.items():
        if key == "members":
            found[key] = {
                member: narrowed(part, names, dropped)
                for member, part in value.items()
                if "columns" in part or not set(wanted(member, part, names)) & set(dropped)
            }
        elif key == "products":
            kept = {
                part: [name for name in chosen(names, {"columns": value[part]}) if name not in dropped]
                for part in value
            }
            found |= {key: kept} if all(kept.values()) else {}
        else:
            found[key] = narrowed(value, names, dropped) if isinstance(value, Mapping) else value
    if "columns" in section:
        left = [name for name in chosen(names, section) if name not in dropped]
        found |= {"columns": left, "leave_out": []}
    return found


def learning_curve(
    data: RefitData, sections: Mapping[str, Mapping[str, Any]], shares: Sequence[float]
) -> list[dict[str, Any]]:
    """Return the loss of each model fitted to the latest share of the matches, for shares that rise to 1."""
    found = []
    for name, section in sections.items():
        by_share = {}
        for share in shares:
            rows = max(1, round(share * len(data.X_train)))
            model = data.latest(rows).fitted(name, section)
            p = model.predict_proba(data.X_test)
            by_share[share] = (rows, p, scoring.log_loss_each(p, data.y_test))
        all_rows = by_share[shares[-1]][2]
        found += [
            {
                "model": name,
                "share": share,
                "rows": rows,
                "log_loss": float(losses.mean()),
                "rps": scoring.rps(p, data.y_test),
                "gap": None if share == shares[-1] else data.interval(losses - all_rows),
            }
            for share, (rows, p, losses) in by_share.items()
        ]
    return found


def without_families(
    data: RefitData, sections: Mapping[str, Mapping[str, Any]], families: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Return, by family, what each model loses without it; None where the model does not use it."""
    whole = {name: data.fitted(name, section) for name, section in sections.items()}
    losses = {name: data.losses(model) for name, model in whole.items()}
    found = []
    for family, columns in families.items():
        models = []
        for name, section in sections.items():
            dropped = set(whole[name].columns) & set(columns)
            gap = None
            if dropped and len(dropped) < len(whole[name].columns):
                model = data.fitted(name, narrowed(section, data.names, dropped))
                gap = data.interval(data.losses(model) - losses[name])
            models.append({"model": name, "columns": len(dropped), "gap": gap})
        found.append({"family": family, "models": models})
    return found


def family_alone(data: RefitData, names: Sequence[str], l2: float) -> dict[str, Any]:
    """Return the scores of a logit on only these columns on the test matches."""
    narrow = data.only(names)
    p = narrow.fitted(LOGIT, {"columns": list(names), "l2": l2}).predict_proba(narrow.X_test)
    return {"columns": len(names), "log_loss": scoring.log_loss(p, data.y_test), "rps": scoring.rps(p, data.y_test)}


def screened(data: RefitData, most: int) -> list[str]:
    """Return the `most` columns that correlate best with the result among training matches, in their order."""
    result = 1.0 - data.y_train
    result = result - result.mean()
    columns = data.only(data.names).X_train
    centred = columns - columns.mean(axis=0)
    spread = np.sqrt((centred**2).sum(axis=0))
    together = np.abs(result @ centred) / np.where(spread > 0.0, spread, np.inf)
    kept = np.sort(np.argsort(-together, kind="stable")[:most])
    return [data.names[place] for place in kept]


def refit_sections(settings: Mapping[str, Any], train: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the sections of the models to refit, with the changes in `settings`.

    Models that the profile does not train, or that use prices, are left out.
    """
    return {
        name: {**train[name], **changes}
        for name, changes in settings.items()
        if name in train and not REGISTRY[name].uses_market
    }
