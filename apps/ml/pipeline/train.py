"""Fit all estimators at each walk-forward step and once to all matches; write the out-of-sample forecasts.

A back-test fits only its estimator and base rates, and nothing to all matches, because nothing of it is served.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pyarrow.parquet as pq

from apps.ml.forecasting.arrays import Floats, Integers
from apps.ml.forecasting.estimators import REGISTRY, BaseRates, Estimator, NoPricesError, Pool, create
from apps.ml.forecasting.estimators.logit import LogitPart, fewest_seen
from apps.ml.forecasting.estimators.market import PricedLogit
from apps.ml.pipeline import columns, files, parallel
from apps.ml.pipeline.columns import KEYS, RAW
from apps.ml.pipeline.finished_steps import FinishedSteps, StepForecast, key_of
from apps.ml.pipeline.split import test_rows, training_rows


@dataclass(frozen=True, slots=True)
class Matrix:
    """Feature rows with an outcome, in the order of `as_of`, with the columns that the models use."""

    keys: pd.DataFrame  # `columns.KEYS` of every row
    X: Floats  # features, shape (n, k)
    names: tuple[str, ...]  # of the columns of `X`
    all_names: tuple[str, ...]  # of all columns of the files, as in served rows

    @property
    def y(self) -> Integers:
        """Outcome of every row, shape (n,)."""
        return self.keys["outcome"].to_numpy(dtype=np.int64)

    def kept_in(self, path: Path) -> Matrix:
        """Write `X` into a file and return the matrix with it, so that processes share one copy in memory."""
        np.save(path, self.X, allow_pickle=False)
        return replace(self, X=np.load(path, mmap_mode="r", allow_pickle=False))

    @classmethod
    def read(cls, root: Path, estimators: Iterable[Estimator], *paths: Path) -> Matrix:
        """Read the columns that the estimators use from files with the same rows."""
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
    """A walk-forward step: training rows, and test rows; none for the final fit."""

    number: int
    start: datetime
    train: pd.DataFrame
    test: pd.DataFrame


@dataclass(frozen=True, slots=True)
class Fit:
    """A model fitted at a step."""

    model: Estimator
    p: Floats  # its forecasts of the test rows, shape (test rows, 3)
    seconds: float  # duration of fit and forecast


def fit_one(
    name: str,
    params: Mapping[str, Any],
    seed: int,
    X: Floats,
    y: Integers,
    names: Sequence[str],
    train: Integers,
    test: Integers,
    fitted_parts: Mapping[str, Mapping[str, Any]],
) -> Fit | NoPricesError:
    """Fit a model to the rows `train` and forecast the rows `test`, on its own: the task of a process.

    Return the error of a model without prices to learn from; such a model is left out.
    """
    began = time.perf_counter()
    try:
        model = create(name, params, seed=seed).fit(X[train], y[train], names=names, fitted_parts=fitted_parts)
    except NoPricesError as error:
        return error
    return Fit(model, forecast(model, X, test), time.perf_counter() - began)


def fit_part(
    part: LogitPart, X: Floats, y: Integers, names: tuple[str, ...], train: Integers
) -> Mapping[str, Any] | None:
    """Fit a logit that models are made of to the rows `train`, and return its state: the task of a process.

    Return None where no match has prices to learn from; models without such matches are left out.
    """
    own = X[train]
    if part.least_seen and not (fewest_seen(own, names) > 0.0).any():
        return None
    fitted = part.fitted(PricedLogit, own, y[train], np.ones(len(train)), names, {})
    return {**fitted.part_state(), "counting": part.counting(names)}


def fit_shared_parts(
    steps: Sequence[Step], models: Iterable[Estimator], matrices: Mapping[str, Matrix], at_once: int
) -> dict[int, dict[str, Mapping[str, Any]]]:
    """Return the states of the logits that several models are made of, by number of the step and by key.

    Each is fitted once a step, to the matrix of the first model that is made of it.
    """
    parts: dict[str, list[tuple[LogitPart, Matrix]]] = {}
    for model in models:
        for part in model.logit_parts():
            parts.setdefault(part.key, []).append((part, matrices[model.kind]))
    shared = {key: users[0] for key, users in parts.items() if len(users) > 1}
    tasks = [
        (part, matrix.X, matrix.y, matrix.names, step.train.index.to_numpy(dtype=np.int64))
        for step in steps
        for part, matrix in shared.values()
    ]
    found: dict[int, dict[str, Mapping[str, Any]]] = {step.number: {} for step in steps}
    with closing(parallel.results(fit_part, tasks, at_once=at_once)) as states:
        for step in steps:
            for key in shared:
                if (state := next(states)) is not None:
                    found[step.number][key] = state
    return found


def forecast(model: Estimator, X: Floats, test: Integers) -> Floats:
    """Return the forecasts of some rows, shape (rows, 3)."""
    return model.predict_proba(X[test]) if len(test) else np.zeros((0, 3))


def pooled(
    section: Mapping[str, Any],
    seed: int,
    members: Mapping[str, Estimator],
    past: Mapping[str, Sequence[pd.DataFrame]],
    start: datetime,
    matrix: Matrix,
) -> Pool:
    """Return the pool of members fitted at `start`, weighted by their forecasts in earlier steps.

    `past` has rows of `columns.OUT_OF_SAMPLE` by model. Matches whose result was not known at `start` are ignored.
    """
    forecasts_before, outcomes = [np.zeros((0, 3))] * len(members), np.zeros(0, dtype=np.int64)
    for place, name in enumerate(members):
        if past[name]:
            rows = pd.concat(past[name], ignore_index=True)
            rows = rows[rows["known_at"] < start]
            forecasts_before[place], outcomes = rows[RAW].to_numpy(), rows["outcome"].to_numpy(dtype=np.int64)
    return Pool.joined(section, members, np.stack(forecasts_before), outcomes, names=matrix.names, seed=seed)


def forecasts(model: str, fold: int, rows: pd.DataFrame, p: Floats) -> pd.DataFrame:
    """Return out-of-sample forecasts as rows of `columns.OUT_OF_SAMPLE`."""
    found = {name: p[:, place] for place, name in enumerate(RAW)}
    keys = rows[["match_id", "as_of", "known_at", "outcome"]].reset_index(drop=True)
    return keys.assign(model=model, fold=fold, **found)


def tasks(
    steps: Iterable[Step],
    names: Sequence[str],
    sections: Mapping[str, Mapping[str, Any]],
    seed: int,
    matrices: Mapping[str, Matrix],
    fitted_parts: Mapping[int, Mapping[str, Mapping[str, Any]]],
) -> Iterator[tuple[Any, ...]]:
    """Yield the arguments of `fit_one` for each step and model, in this order."""
    for step in steps:
        train, test = (rows.index.to_numpy(dtype=np.int64) for rows in (step.train, step.test))
        for name in names:
            matrix = matrices[name]
            yield name, sections[name], seed, matrix.X, matrix.y, matrix.names, train, test, fitted_parts[step.number]


def fit_step(
    step: Step,
    fits: Mapping[str, Fit | NoPricesError],
    names: Sequence[str],
    sections: Mapping[str, Mapping[str, Any]],
    seed: int,
    matrices: Mapping[str, Matrix],
    past: Mapping[str, Sequence[pd.DataFrame]],
) -> dict[str, Fit]:
    """Return the fits of the models in `names`, and the pool of them; models without prices are left out."""
    found = {}
    for name, fit in fits.items():
        if isinstance(fit, NoPricesError):
            if name in names:
                files.log_line(f"left out: {fit}")
        elif name in names:
            found[name] = fit
    if Pool.kind in names:
        began, section, matrix = time.perf_counter(), sections[Pool.kind], matrices[Pool.kind]
        members = {member: found[member] for member in section["members"]}
        models = {member: fit.model for member, fit in members.items()}
        pool = pooled(section, seed, models, past, step.start, matrix)
        # The members have forecast the test rows already.
        p = pool.pooled(np.stack([fit.p for fit in members.values()]))
        found[Pool.kind] = Fit(pool, p, time.perf_counter() - began)
    return found


def main(root: Path = Path()) -> None:
    """Run the stage in the workspace `root`."""
    params, plan = files.read_params(root), files.read_json(root / files.FOLDS)
    seed, sections = params["train"]["seed"], params["train"][plan["profile"]]
    chosen = fitted(plan, sections)
    wanted = {name: create(name, sections[name], seed=seed) for name in REGISTRY if name in chosen}
    _check_pool(sections)
    finished = FinishedSteps(root, key_of(root, params))
    matrices = _matrices(root, wanted, finished)
    keys = next(iter(matrices.values())).keys
    latest = keys[keys["as_of"] >= _latest_begin(keys, params)]
    at_most = params["split"]["fit_rows"].get(plan["profile"])
    latest = latest.tail(at_most or len(latest))
    steps = [_step(keys, step, at_most) for step in plan["folds"]]
    # The last step fits the served models: on all matches, without test rows.
    everything = Step(len(steps), datetime.max.replace(tzinfo=latest["as_of"].dt.tz), latest, latest.head(0))
    out: dict[str, list[pd.DataFrame]] = {name: [] for name in wanted}
    took = dict.fromkeys(wanted, 0.0)
    single = [name for name in wanted if name != Pool.kind]
    before = {step.number: found for step in steps if (found := finished.read(step.number)) is not None}
    all_steps = steps if plan.get("back_test") else [*steps, everything]
    left = [step for step in all_steps if step.number not in before]
    at_once, began = parallel.processes(len(latest)), time.perf_counter()
    fitted_parts = fit_shared_parts(left, [wanted[name] for name in single], matrices, at_once)
    files.log_line(f"logits that several models are made of: {time.perf_counter() - began:.1f} s")
    arguments = tasks(left, single, sections, seed, matrices, fitted_parts)
    with closing(parallel.results(fit_one, arguments, at_once=at_once)) as fits:
        for step in all_steps:
            line = f"step {step.number + 1} of {len(all_steps)}: fitted to {len(step.train)} matches"
            if step.number in before:
                found = before[step.number]
                files.log_line(f"{line} before the stage was interrupted")
            else:
                own = fit_step(step, {name: next(fits) for name in single}, list(out), sections, seed, matrices, out)
                found = {name: StepForecast(fit.p, fit.seconds) for name, fit in own.items()}
                if step is everything:
                    for name, fit in own.items():
                        fit.model.for_columns(matrices[name].all_names).save(root / files.TRAINED / name)
                else:
                    finished.write(step.number, found)
                files.log_line(line)
            # A model left out of one step is removed from all, because models are compared on the same matches.
            out = {
                name: [*out[name], forecasts(name, step.number, step.test, found[name].p)]
                for name in out
                if name in found
            }
            for name, kept in found.items():
                took[name] += kept.seconds
    for name in out:
        whole = "" if plan.get("back_test") else " and the whole"
        files.log_line(f"{name}: {len(steps)} steps{whole} in {took[name]:.1f} s")
    all_forecasts = pd.concat([part for parts in out.values() for part in parts], ignore_index=True)
    files.write_frame(root / files.OUT_OF_SAMPLE, all_forecasts, columns.OUT_OF_SAMPLE)
    days = latest["kickoff_at"].dt.date
    about = {"rows": len(latest), "from": days.min().isoformat(), "to": days.max().isoformat()}
    files.write_json(root / files.TRAINED / files.ABOUT, about)
    finished.clear()


def fitted(plan: Mapping[str, Any], sections: Mapping[str, Mapping[str, Any]]) -> set[str]:
    """Return the estimators that a run fits: in a back-test its own, those that it is made of, and base rates.

    `sections` are the parameters of the estimators of the profile.
    """
    own = plan.get("back_test")
    if own is None:
        return set(sections)
    if own not in sections:
        raise ValueError(f"the parameters have no section train.{plan['profile']}.{own}")
    return {BaseRates.kind, own, *sections[own].get("members", ())}


def _check_pool(sections: Mapping[str, Mapping[str, Any]]) -> None:
    """Refuse a pool whose members differ from the models that are fitted under their names."""
    for member, section in sections.get(Pool.kind, {}).get("members", {}).items():
        if sections.get(member) != section:
            raise ValueError(
                f"pool.members.{member} differs from train.{member} of the profile; use the same YAML anchor for both"
            )


def _matrices(root: Path, wanted: Mapping[str, Estimator], finished: FinishedSteps) -> dict[str, Matrix]:
    """Return the matrix of each model; models that use prices get their columns too."""
    blind = [estimator for estimator in wanted.values() if not estimator.uses_market]
    priced = [estimator for estimator in wanted.values() if estimator.uses_market]
    plain = Matrix.read(root, blind, files.FEATURES).kept_in(finished.matrix("plain"))
    found = dict.fromkeys((estimator.kind for estimator in blind), plain)
    if priced:
        both = Matrix.read(root, priced, files.FEATURES, files.PRICES).kept_in(finished.matrix("priced"))
        found |= dict.fromkeys((estimator.kind for estimator in priced), both)
    return found


def _step(keys: pd.DataFrame, step: Mapping[str, Any], at_most: int | None) -> Step:
    start = datetime.fromisoformat(step["start"])
    train = training_rows(keys, datetime.fromisoformat(step["train_from"]), start)
    return Step(step["number"], start, train.tail(at_most or len(train)), test_rows(keys, dict(step)))


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
