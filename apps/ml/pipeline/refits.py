"""What models lose when they learn from fewer matches or without a family of features: fits before, scored after."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from apps.ml.forecasting import scoring
from apps.ml.forecasting.estimators import REGISTRY, Estimator, create
from apps.ml.forecasting.estimators.base import chosen

LOGIT: Final = "logit"
"""Estimator that is asked what a family says by itself."""

Floats = NDArray[np.float64]
Ints = NDArray[np.int64]


@dataclass(frozen=True, slots=True)
class RefitData:
    """Matches to learn from, and later ones to be scored on, both in the order of time.

    Parameters
    ----------
    names : tuple of str
        Names of the columns.
    X, asked : ndarray, shape (n, k) and (m, k)
        Features of the matches that were known when the models are fitted, and of those forecast after it.
    y, asked_y : ndarray of int, shape (n,) and (m,)
        Outcomes.
    asked_days : ndarray, shape (m,)
        Days of the later ones, which intervals draw.
    seed : int
        Seed of the fits.
    draws, level
        Bootstrap of the intervals.
    """

    names: tuple[str, ...]
    X: Floats
    y: Ints
    asked: Floats
    asked_y: Ints
    asked_days: NDArray[Any]
    seed: int
    draws: int
    level: float

    def latest(self, rows: int) -> RefitData:
        """Return the trial that learns from the latest rows alone."""
        return replace(self, X=self.X[-rows:], y=self.y[-rows:])

    def tail(self, rows: int) -> RefitData:
        """Return the trial that is scored on the latest rows alone."""
        return replace(self, asked=self.asked[-rows:], asked_y=self.asked_y[-rows:], asked_days=self.asked_days[-rows:])

    def in_64_bits(self) -> RefitData:
        """Return the trial with its features in 64 bits, as estimators take them."""
        return replace(self, X=self.X.astype(np.float64), asked=self.asked.astype(np.float64))

    def only(self, names: Sequence[str]) -> RefitData:
        """Return the trial with these columns alone, each missing value being the mean of those learnt from."""
        places = [self.names.index(name) for name in names]
        X, asked = self.X[:, places].astype(np.float64), self.asked[:, places].astype(np.float64)
        there = np.isfinite(X)
        counts = np.maximum(there.sum(axis=0), 1)
        means = np.where(there, X, 0.0).sum(axis=0) / counts
        return replace(
            self,
            names=tuple(names),
            X=np.where(there, X, means),
            asked=np.where(np.isfinite(asked), asked, means),
        )

    def fitted(self, name: str, section: Mapping[str, Any]) -> Estimator:
        """Return an estimator fitted to what may be learnt from."""
        return create(name, section, seed=self.seed).fit(self.X, self.y, names=self.names)

    def losses(self, model: Estimator) -> Floats:
        """Return the log loss of each match that is asked, shape (m,)."""
        return scoring.log_loss_each(model.predict_proba(self.asked), self.asked_y)

    def interval(self, difference: Floats) -> dict[str, float]:
        """Return the mean difference with its bootstrap interval over match days."""
        found = scoring.paired_bootstrap(difference, self.asked_days, draws=self.draws, level=self.level)
        return found.as_dict()


def wanted(name: str, section: Mapping[str, Any], names: Sequence[str]) -> list[str]:
    """Return the columns that an estimator would use."""
    return create(name, section, seed=0).wanted(names)


def narrowed(section: Mapping[str, Any], names: Sequence[str], dropped: Collection[str]) -> dict[str, Any]:
    """Return the section of an estimator with its patterns of columns spelt out, less the dropped ones.

    Sections inside it are narrowed alike; a member of a pool that cannot do without a dropped column goes.
    """
    found: dict[str, Any] = {}
    for key, value in section.items():
        if key == "members":
            found[key] = {
                member: narrowed(part, names, dropped)
                for member, part in value.items()
                if "columns" in part or not set(wanted(member, part, names)) & set(dropped)
            }
        else:
            found[key] = narrowed(value, names, dropped) if isinstance(value, Mapping) else value
    if "columns" in section:
        kept = chosen(names, section["columns"], section.get("leave_out", ()))
        found |= {"columns": [name for name in kept if name not in dropped], "leave_out": []}
    return found


def learning_curve(
    trial: RefitData, sections: Mapping[str, Mapping[str, Any]], shares: Sequence[float]
) -> list[dict[str, Any]]:
    """Return what each model loses when it learns from a share of the matches, the latest; shares rise to 1."""
    found = []
    for name, section in sections.items():
        by_share = {}
        for share in shares:
            rows = max(1, round(share * len(trial.X)))
            model = trial.latest(rows).fitted(name, section)
            p = model.predict_proba(trial.asked)
            by_share[share] = (rows, p, scoring.log_loss_each(p, trial.asked_y))
        all_rows = by_share[shares[-1]][2]
        found += [
            {
                "model": name,
                "share": share,
                "rows": rows,
                "log_loss": float(losses.mean()),
                "rps": scoring.rps(p, trial.asked_y),
                "gap": None if share == shares[-1] else trial.interval(losses - all_rows),
            }
            for share, (rows, p, losses) in by_share.items()
        ]
    return found


def without_families(
    trial: RefitData, sections: Mapping[str, Mapping[str, Any]], families: Mapping[str, Sequence[str]]
) -> list[dict[str, Any]]:
    """Return by family what each model loses without it, null where the model does not use it anyway."""
    whole = {name: trial.fitted(name, section) for name, section in sections.items()}
    losses = {name: trial.losses(model) for name, model in whole.items()}
    found = []
    for family, columns in families.items():
        models = []
        for name, section in sections.items():
            dropped = set(whole[name].columns) & set(columns)
            gap = None
            if dropped and len(dropped) < len(whole[name].columns):
                model = trial.fitted(name, narrowed(section, trial.names, dropped))
                gap = trial.interval(trial.losses(model) - losses[name])
            models.append({"model": name, "columns": len(dropped), "gap": gap})
        found.append({"family": family, "models": models})
    return found


def family_alone(trial: RefitData, names: Sequence[str], l2: float) -> dict[str, Any]:
    """Return what a logit on these columns alone scores on the matches that are asked."""
    narrow = trial.only(names)
    p = narrow.fitted(LOGIT, {"columns": list(names), "l2": l2}).predict_proba(narrow.asked)
    return {
        "columns": len(names),
        "log_loss": scoring.log_loss(p, trial.asked_y),
        "rps": scoring.rps(p, trial.asked_y),
    }


def screened(trial: RefitData, most: int) -> list[str]:
    """Return at most so many columns, those that go most with the result among the matches learnt from, in order."""
    result = 1.0 - trial.y
    result = result - result.mean()
    columns = trial.only(trial.names).X
    centred = columns - columns.mean(axis=0)
    spread = np.sqrt((centred**2).sum(axis=0))
    together = np.abs(result @ centred) / np.where(spread > 0.0, spread, np.inf)
    kept = np.sort(np.argsort(-together, kind="stable")[:most])
    return [trial.names[place] for place in kept]


def refit_sections(settings: Mapping[str, Any], train: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """Return the sections of the models that are fitted anew, with what `settings` changes of them.

    A model that the profile does not train, or that may see prices, is left out.
    """
    return {
        name: {**train[name], **changes}
        for name, changes in settings.items()
        if name in train and not REGISTRY[name].uses_market
    }
