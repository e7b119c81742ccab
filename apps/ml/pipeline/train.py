"""Fit every estimator at each step of the walk forward and once to everything; keep the out-of-sample forecasts."""

from __future__ import annotations

import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from numpy.typing import NDArray

from apps.ml.forecasting.estimators import REGISTRY, Estimator, NoPricesError, Pool, create
from apps.ml.pipeline import columns, files
from apps.ml.pipeline.columns import KEYS, RAW
from apps.ml.pipeline.finished_steps import FinishedSteps, StepForecast, key_of
from apps.ml.pipeline.split import test_rows, training_rows

Floats = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Matrix:
    """Rows of the feature files that have an outcome, in the order of `as_of`, with the columns that some model uses.

    Parameters
    ----------
    keys : DataFrame
        `columns.KEYS` of every row.
    X : ndarray, shape (n, k)
        Features.
    names : tuple of str
        Names of the columns of `X`.
    all_names : tuple of str
        Names of all columns of the files, which a served row has.
    """

    keys: pd.DataFrame
    X: Floats
    names: tuple[str, ...]
    all_names: tuple[str, ...]

    @classmethod
    def read(cls, root: Path, estimators: Iterable[Estimator], *paths: Path) -> Matrix:
        """Read what the estimators want from files whose rows are the same."""
        by_file = {path: _feature_names(root / path) for path in paths}
        all_names = tuple(name for names in by_file.values() for name in names)
        wanted = {name for estimator in estimators for name in estimator.wanted(all_names)}
        parts = []
        for path, names in by_file.items():
            frame = files.read_frame(root / path, [*KEYS.names, *(name for name in names if name in wanted)])
            frame = frame[frame["outcome"].notna()].sort_values(["as_of", "match_id"], kind="stable", ignore_index=True)
            parts.append(frame)
        own = [name for name in all_names if name in wanted]
        X = np.column_stack([part.drop(columns=KEYS.names).to_numpy(dtype=np.float64) for part in parts])
        return cls(parts[0][KEYS.names], X, tuple(own), all_names)


@dataclass(frozen=True, slots=True)
class Step:
    """A step of the walk forward: rows to learn from and rows to forecast, by their position; none for the last fit."""

    number: int
    start: datetime
    learnt: pd.DataFrame
    asked: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Fit:
    """A model fitted at a step.

    Parameters
    ----------
    model : Estimator
        The model.
    p : ndarray, shape (asked, 3)
        What it forecasts for the rows that the step asks for.
    seconds : float
        What both took.
    """

    model: Estimator
    p: Floats
    seconds: float

    @classmethod
    def of(cls, model: Estimator, step: Step, matrix: Matrix, began: float) -> Fit:
        """Ask a model for the rows of its step."""
        p = model.predict_proba(matrix.X[step.asked.index]) if len(step.asked) else np.zeros((0, 3))
        return cls(model, p, time.perf_counter() - began)


def fitted(name: str, params: Mapping[str, Any], seed: int, rows: pd.DataFrame, matrix: Matrix) -> Estimator:
    """Return one estimator fitted to the rows that `rows` names by their position."""
    estimator = create(name, params, seed=seed)
    outcomes = rows["outcome"].to_numpy(dtype=np.int64)
    return estimator.fit(matrix.X[rows.index], outcomes, names=matrix.names)


def pooled(
    section: Mapping[str, Any],
    seed: int,
    members: Mapping[str, Estimator],
    past: Mapping[str, Sequence[pd.DataFrame]],
    start: datetime,
    matrix: Matrix,
) -> Pool:
    """Return the pool of members fitted for a step, weighed by what they forecast in the steps before it.

    Parameters
    ----------
    past : mapping of str to sequence of DataFrame
        Rows of `columns.OUT_OF_SAMPLE` by model.
    start : datetime
        Matches whose result was not known then weigh nothing.
    """
    said, outcomes = [np.zeros((0, 3))] * len(members), np.zeros(0, dtype=np.int64)
    for place, name in enumerate(members):
        if past[name]:
            rows = pd.concat(past[name], ignore_index=True)
            rows = rows[rows["known_at"] < start]
            said[place], outcomes = rows[RAW].to_numpy(), rows["outcome"].to_numpy(dtype=np.int64)
    return Pool.joined(section, members, np.stack(said), outcomes, names=matrix.names, seed=seed)


def forecasts(model: str, fold: int, rows: pd.DataFrame, p: Floats) -> pd.DataFrame:
    """Return out-of-sample forecasts as rows of `columns.OUT_OF_SAMPLE`."""
    found = {name: p[:, place] for place, name in enumerate(RAW)}
    keys = rows[["match_id", "as_of", "known_at", "outcome"]].reset_index(drop=True)
    return keys.assign(model=model, fold=fold, **found)


def fit_step(
    step: Step,
    names: Sequence[str],
    sections: Mapping[str, Mapping[str, Any]],
    seed: int,
    matrices: Mapping[str, Matrix],
    past: Mapping[str, Sequence[pd.DataFrame]],
) -> dict[str, Fit]:
    """Return the models of a step with what they forecast; one that finds no prices to learn from is not among them."""

    def fit(name: str) -> Fit | None:
        began = time.perf_counter()
        try:
            model = fitted(name, sections[name], seed, step.learnt, matrices[name])
        except NoPricesError as error:
            files.log_line(f"left out: {error}")
            return None
        return Fit.of(model, step, matrices[name], began)

    single = [name for name in names if name != Pool.kind]
    found = {name: one for name in single if (one := fit(name)) is not None}
    if Pool.kind in names:
        began, section, matrix = time.perf_counter(), sections[Pool.kind], matrices[Pool.kind]
        members = {member: found[member].model for member in section["members"]}
        found[Pool.kind] = Fit.of(pooled(section, seed, members, past, step.start, matrix), step, matrix, began)
    return found


def main(root: Path = Path()) -> None:
    """Run the stage in the workspace `root`."""
    params, plan = files.read_params(root), files.read_json(root / files.FOLDS)
    seed, sections = params["train"]["seed"], params["train"][plan["profile"]]
    wanted = {name: create(name, sections[name], seed=seed) for name in REGISTRY if name in sections}
    _check_pool(sections)
    matrices = _matrices(root, wanted)
    keys = next(iter(matrices.values())).keys
    latest = keys[keys["as_of"] >= _latest_begin(keys, params)]
    at_most = params["split"]["fit_rows"].get(plan["profile"])
    latest = latest.tail(at_most or len(latest))
    steps = [_step(keys, step, at_most) for step in plan["folds"]]
    # The last one is the model that is served: it learns from everything and is asked for nothing.
    everything = Step(len(steps), datetime.max.replace(tzinfo=latest["as_of"].dt.tz), latest, latest.head(0))
    out: dict[str, list[pd.DataFrame]] = {name: [] for name in wanted}
    took = dict.fromkeys(wanted, 0.0)
    finished = FinishedSteps(root, key_of(root, params))
    for step in (*steps, everything):
        found = None if step is everything else finished.read(step.number)
        line = f"step {step.number + 1} of {len(steps) + 1}: fitted to {len(step.learnt)} matches"
        if found is not None:
            files.log_line(f"{line} before the stage was stopped")
        else:
            fits = fit_step(step, list(out), sections, seed, matrices, out)
            found = {name: StepForecast(fit.p, fit.seconds) for name, fit in fits.items()}
            if step is everything:
                for name, fit in fits.items():
                    fit.model.taking(matrices[name].all_names).save(root / files.TRAINED / name)
            else:
                finished.write(step.number, found)
            files.log_line(line)
        # Who has no prices at one step goes from every step: models are compared on the same matches.
        out = {
            name: [*out[name], forecasts(name, step.number, step.asked, found[name].p)] for name in out if name in found
        }
        for name, forecast in found.items():
            took[name] += forecast.seconds
    for name in out:
        files.log_line(f"{name}: {len(steps)} steps and the whole in {took[name]:.1f} s")
    said = pd.concat([part for parts in out.values() for part in parts], ignore_index=True)
    files.write_frame(root / files.OUT_OF_SAMPLE, said, columns.OUT_OF_SAMPLE)
    days = latest["kickoff_at"].dt.date
    about = {"rows": len(latest), "from": days.min().isoformat(), "to": days.max().isoformat()}
    files.write_json(root / files.TRAINED / files.ABOUT, about)
    finished.clear()


def _check_pool(sections: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a pool whose members are not the models that are fitted: those it is made of, and their names are kept."""
    for member, section in sections.get(Pool.kind, {}).get("members", {}).items():
        if sections.get(member) != section:
            raise ValueError(f"pool.members.{member} is not what the profile fits as {member}; let both be one anchor")


def _matrices(root: Path, wanted: Mapping[str, Estimator]) -> dict[str, Matrix]:
    """Return what each model learns from: those that look at prices get their columns too."""
    blind = [estimator for estimator in wanted.values() if not estimator.uses_market]
    priced = [estimator for estimator in wanted.values() if estimator.uses_market]
    plain = Matrix.read(root, blind, files.FEATURES)
    found = dict.fromkeys((estimator.kind for estimator in blind), plain)
    if priced:
        both = Matrix.read(root, priced, files.FEATURES, files.PRICES)
        found |= dict.fromkeys((estimator.kind for estimator in priced), both)
    return found


def _step(keys: pd.DataFrame, step: Mapping[str, Any], at_most: int | None) -> Step:
    start = datetime.fromisoformat(step["start"])
    learnt = training_rows(keys, datetime.fromisoformat(step["train_from"]), start)
    return Step(step["number"], start, learnt.tail(at_most or len(learnt)), test_rows(keys, dict(step)))


def _feature_names(path: Path) -> list[str]:
    return [name for name in pq.read_schema(path).names if name not in KEYS.names]


def _latest_begin(keys: pd.DataFrame, params: dict[str, Any]) -> datetime:
    section = params["split"]
    begin = keys["as_of"].min() + timedelta(days=section["warm_up_days"])
    earliest = keys["as_of"].max() - timedelta(days=section["train_days"])
    found: datetime = max(begin, earliest).to_pydatetime()
    return found


if __name__ == "__main__":
    main()
