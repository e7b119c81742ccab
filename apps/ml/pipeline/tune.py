"""Search better parameters of one estimator on walk-forward steps before the first test step.

This is not a stage of the pipeline: its result is parameters for somebody to commit. A study is stored in a database,
so that several processes can share it and a stopped search can continue.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from apps.ml.forecasting import scoring
from apps.ml.forecasting.estimators import create
from apps.ml.pipeline import files, parallel, split
from apps.ml.pipeline.train import Matrix

if TYPE_CHECKING:
    import optuna

STUDY_URL: Final = "SPAI_STUDY_URL"
"""Environment variable with the SQLAlchemy URL of the database of studies; without it the study is not stored."""

RESULT: Final = Path("data/tuned.json")

IN_MEMORY: Final = "sqlite://"

SQLITE_SECONDS: Final = 60.0
"""Time for which a search waits for another one that writes; the driver's 5 s pass on a machine with a busy disk."""

BEFORE: Final = "log_loss_before"
"""Attribute of a study: the log loss of the parameters before the search."""


class NothingToTuneError(ValueError):
    """There is no search space for the estimator, or the history has no step to evaluate it on."""


@dataclass(frozen=True, slots=True)
class TuningStep:
    """A walk-forward step: positions of training and test rows."""

    start: datetime
    train: pd.Index[Any]
    test: pd.Index[Any]


def steps_before(keys: pd.DataFrame, first_tested: datetime, params: Mapping[str, Any]) -> list[TuningStep]:
    """Return the latest steps that use only what was known before `first_tested`.

    Raises
    ------
    NothingToTuneError
        When there is none.
    """
    past = keys[keys["known_at"] < first_tested]
    section = dict(params["split"]) | {"test_refits": params["tune"]["steps"], "calibrate_refits": 0}
    try:
        plan = split.folds(past, {"split": section})
    except split.TooLittleHistoryError as error:
        raise NothingToTuneError(f"before {first_tested:%Y-%m-%d}, the first tested step: {error}") from error
    found = []
    for step in plan:
        start = datetime.fromisoformat(step["start"])
        train = split.training_rows(past, datetime.fromisoformat(step["train_from"]), start)
        found.append(TuningStep(start, train.index, split.test_rows(past, step).index))
    return found


def suggested(trial: optuna.Trial, space: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values of a trial by dotted names; integer bounds give integers."""
    values: dict[str, Any] = {}
    for name, bounds in space.items():
        low, high, log = bounds["low"], bounds["high"], bool(bounds.get("log", False))
        if isinstance(low, int) and isinstance(high, int):
            values[name] = trial.suggest_int(name, low, high, log=log)
        else:
            values[name] = trial.suggest_float(name, float(low), float(high), log=log)
    return values


def changed(section: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section of parameters with values replaced by their dotted names."""
    found: dict[str, Any] = deepcopy(dict(section))
    for name, value in values.items():
        *path_names, last = name.split(".")
        place = found
        for part in path_names:
            place = place[part]
        place[last] = value
    return found


def losses(
    kind: str, section: Mapping[str, Any], seed: int, matrix: Matrix, steps: Sequence[TuningStep]
) -> Iterator[float]:
    """Yield the mean log loss of all rows forecast so far, after each step."""
    y, all_losses = matrix.keys["outcome"].to_numpy(dtype=np.int64), np.zeros(0)
    for rows in steps:
        found = create(kind, section, seed=seed).fit(matrix.X[rows.train], y[rows.train], names=matrix.names)
        all_losses = np.append(
            all_losses, scoring.log_loss_each(found.predict_proba(matrix.X[rows.test]), y[rows.test])
        )
        yield float(all_losses.mean())


def opened(storage: str) -> optuna.storages.RDBStorage:
    """Open a database of studies; with SQLite, another process may write for as long as a commit takes under load."""
    import optuna

    waits = {"timeout": SQLITE_SECONDS} if storage.startswith("sqlite") else {}
    return optuna.storages.RDBStorage(storage, engine_kwargs={"connect_args": waits})


def prepare(storage: str) -> None:
    """Create the tables of a database of studies; two searches that begin at once would both try."""
    opened(storage).engine.dispose()


def search(
    kind: str,
    params: Mapping[str, Any],
    profile: str,
    matrix: Matrix,
    steps: Sequence[TuningStep],
    name: str,
    storage: str,
    seconds: float,
    trials: int | None,
    *,
    log: Callable[[str], None] = files.log_line,
) -> dict[str, Any]:
    """Try parameters until the time is over; return the best ones of the study.

    Parameters
    ----------
    kind, profile : str
        The estimator, and the profile with its current parameters.
    name, storage : str
        Name of the study, and the URL of its database.
    seconds : float
        Time in seconds after which no trial begins.
    trials : int or None
        Maximum number of trials of this process.
    """
    import optuna

    section, seed = params["train"][profile][kind], int(params["train"]["seed"])
    space = params["tune"]["spaces"][kind]

    def objective(trial: optuna.Trial) -> float:
        values, loss = suggested(trial, space), float("nan")
        for number, loss in enumerate(losses(kind, changed(section, values), seed, matrix, steps)):
            trial.report(loss, number)
            if trial.should_prune():
                raise optuna.TrialPruned
        return loss

    def report(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        ended = f"log loss {trial.value:.5f}" if trial.state == optuna.trial.TrialState.COMPLETE else "pruned"
        log(f"trial {trial.number}: {ended}; best so far {study.best_value:.5f} by trial {study.best_trial.number}")

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept = opened(storage)
    try:
        study = optuna.create_study(
            study_name=name,
            storage=kept,
            load_if_exists=True,
            direction="minimize",
            sampler=optuna.samplers.TPESampler(constant_liar=True),
            pruner=optuna.pruners.MedianPruner(n_startup_trials=params["tune"]["unpruned"]),
        )
        if BEFORE not in study.user_attrs:
            *_, current = losses(kind, section, seed, matrix, steps)
            study.set_user_attr(BEFORE, current)
            log(f"log loss {current:.5f} with the current parameters")
        study.optimize(objective, n_trials=trials, timeout=seconds, callbacks=[report])
        complete = study.get_trials(deepcopy=False, states=(optuna.trial.TrialState.COMPLETE,))
        before = study.user_attrs[BEFORE]
        return {
            "study": name,
            "estimator": kind,
            "profile": profile,
            "steps": [rows.start.isoformat() for rows in steps],
            "trials": len(study.trials),
            "complete": len(complete),
            "log_loss": study.best_value if complete else before,
            "log_loss_before": before,
            "values": dict(study.best_params) if complete else {},
        }
    finally:
        kept.engine.dispose()


def main(root: Path = Path(), arguments: Sequence[str] | None = None) -> None:
    """Search in the workspace `root`, in which the stages up to `split` have run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("estimator")
    parser.add_argument("--minutes", type=float, default=30.0, help="no trial begins after these")
    parser.add_argument("--trials", type=int, help="most trials of each process")
    parser.add_argument("--processes", type=int, default=1, help="searches at once; they need a database (default: 1)")
    parser.add_argument("--study", help="default: named after the estimator, the profile, the data and the space")
    parser.add_argument("--result", type=Path, default=root / RESULT, help=f"default: {RESULT}")
    given = parser.parse_args(arguments)
    params, plan = files.read_params(root), files.read_json(root / files.FOLDS)
    spaces, profile = params["tune"]["spaces"], plan["profile"]
    if given.estimator not in spaces:
        raise NothingToTuneError(f"{given.estimator} has no search space; tune.spaces names {list(spaces)}")
    estimator = create(given.estimator, params["train"][profile][given.estimator], seed=0)
    paths = (files.FEATURES, files.PRICES) if estimator.uses_market else (files.FEATURES,)
    matrix = Matrix.read(root, [estimator], *paths)
    tested = next(step for step in plan["folds"] if step["purpose"] == "test")
    steps = steps_before(matrix.keys, datetime.fromisoformat(tested["start"]), params)
    files.log_line(
        f"{len(steps)} steps from {steps[0].start:%Y-%m-%d}; the first tested one begins {tested['start'][:10]}"
    )
    storage = os.environ.get(STUDY_URL, IN_MEMORY)
    if given.processes > 1 and storage == IN_MEMORY:
        parser.error(f"--processes needs a database that they share: set {STUDY_URL}")
    prepare(storage)
    name = given.study or study_name(given.estimator, profile, [root / path for path in paths], params)
    with tempfile.TemporaryDirectory() as folder:
        shared = matrix.kept_in(Path(folder) / "X.npy")
        one = (given.estimator, params, profile, shared, steps, name, storage, 60.0 * given.minutes, given.trials)
        searches = parallel.results(search, [one] * given.processes, at_once=given.processes)
        # The one that read the study last has seen all trials; the others may have counted one that was still running.
        found = max(searches, key=lambda result: (int(result["complete"]), int(result["trials"])))
    files.write_json(given.result, found)
    files.log_line(f"log loss {found['log_loss_before']:.5f} before, {found['log_loss']:.5f} with {found['values']}")


def study_name(kind: str, profile: str, train_from: Sequence[Path], params: Mapping[str, Any]) -> str:
    """Return a name that is equal for searches with comparable trials: the same files and parameters."""
    same = json.dumps([params["tune"], params["split"], params["train"][profile][kind]], sort_keys=True)
    digest = hashlib.sha256(same.encode()).hexdigest()
    return f"{kind} {profile} {files.sha256(*train_from)[:12]} {digest[:12]}"


if __name__ == "__main__":
    main()
