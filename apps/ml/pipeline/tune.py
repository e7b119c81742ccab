"""Look for better parameters of one estimator on a walk forward that ends before the first tested step.

No stage of the pipeline: a run of its own, whose result is parameters that somebody commits. A study lives in a
database, so that several processes search in one, and a search that was stopped goes on where it was.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
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
from apps.ml.pipeline import files, split
from apps.ml.pipeline.train import Matrix

if TYPE_CHECKING:
    import optuna

STUDY_URL: Final = "SPAI_STUDY_URL"
"""Variable in which the caller names the database of the studies, as SQLAlchemy writes it; without it none is kept."""

RESULT: Final = Path("data/tuned.json")

NOTHING_KEPT: Final = "sqlite://"

BEFORE: Final = "log_loss_before"
"""Where a study keeps what the parameters that it started from lose."""


class NothingToTuneError(ValueError):
    """The parameters name no search space, or the history has no step to try them on."""


@dataclass(frozen=True, slots=True)
class TuningStep:
    """One step of the walk forward: positions of the rows to learn from and of those to forecast."""

    start: datetime
    learnt: pd.Index[Any]
    asked: pd.Index[Any]


def steps_before(keys: pd.DataFrame, first_tested: datetime, params: Mapping[str, Any]) -> list[TuningStep]:
    """Return the latest steps that end before a moment, nothing of which was known only after it.

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
        learnt = split.training_rows(past, datetime.fromisoformat(step["train_from"]), start)
        found.append(TuningStep(start, learnt.index, split.test_rows(past, step).index))
    return found


def suggested(trial: optuna.Trial, space: Mapping[str, Mapping[str, Any]]) -> dict[str, Any]:
    """Return the values of a trial by dotted names; a space of whole numbers gives whole numbers."""
    values: dict[str, Any] = {}
    for name, bounds in space.items():
        low, high, log = bounds["low"], bounds["high"], bool(bounds.get("log", False))
        if isinstance(low, int) and isinstance(high, int):
            values[name] = trial.suggest_int(name, low, high, log=log)
        else:
            values[name] = trial.suggest_float(name, float(low), float(high), log=log)
    return values


def changed(section: Mapping[str, Any], values: Mapping[str, Any]) -> dict[str, Any]:
    """Return a section of parameters with values put in by their dotted names."""
    found: dict[str, Any] = deepcopy(dict(section))
    for name, value in values.items():
        *way, latest = name.split(".")
        place = found
        for part in way:
            place = place[part]
        place[latest] = value
    return found


def losses(
    kind: str, section: Mapping[str, Any], seed: int, matrix: Matrix, steps: Sequence[TuningStep]
) -> Iterator[float]:
    """Yield the mean log loss of all rows forecast so far, after each step."""
    y, said = matrix.keys["outcome"].to_numpy(dtype=np.int64), np.zeros(0)
    for rows in steps:
        found = create(kind, section, seed=seed).fit(matrix.X[rows.learnt], y[rows.learnt], names=matrix.names)
        said = np.append(said, scoring.log_loss_each(found.predict_proba(matrix.X[rows.asked]), y[rows.asked]))
        yield float(said.mean())


def search(
    kind: str,
    params: Mapping[str, Any],
    profile: str,
    matrix: Matrix,
    steps: Sequence[TuningStep],
    *,
    name: str,
    storage: str,
    seconds: float,
    trials: int | None,
    say: Callable[[str], None] = files.log_line,
) -> dict[str, Any]:
    """Try parameters until the time is over, and return the best ones found by anybody in the study.

    Parameters
    ----------
    kind, profile : str
        The estimator, and the profile whose section is the start.
    name, storage : str
        The study, and the database that it is kept in.
    seconds : float
        Time after which no trial begins.
    trials : int or None
        Most trials of this process.
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

    def told(study: optuna.Study, trial: optuna.trial.FrozenTrial) -> None:
        ended = f"log loss {trial.value:.5f}" if trial.state == optuna.trial.TrialState.COMPLETE else "given up"
        say(f"trial {trial.number}: {ended}; best so far {study.best_value:.5f} by trial {study.best_trial.number}")

    optuna.logging.set_verbosity(optuna.logging.WARNING)
    kept = optuna.storages.RDBStorage(storage)
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
            *_, today = losses(kind, section, seed, matrix, steps)
            study.set_user_attr(BEFORE, today)
            say(f"log loss {today:.5f} with the parameters of today")
        study.optimize(objective, n_trials=trials, timeout=seconds, callbacks=[told])
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
    """Search in the workspace `root`, whose stages up to `split` were run."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("estimator")
    parser.add_argument("--minutes", type=float, default=30.0, help="no trial begins after these")
    parser.add_argument("--trials", type=int, help="most trials of this process")
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
    found = search(
        given.estimator,
        params,
        profile,
        matrix,
        steps,
        name=given.study or study_name(given.estimator, profile, [root / path for path in paths], params),
        storage=os.environ.get(STUDY_URL, NOTHING_KEPT),
        seconds=60.0 * given.minutes,
        trials=given.trials,
    )
    files.write_json(given.result, found)
    files.log_line(f"log loss {found['log_loss_before']:.5f} before, {found['log_loss']:.5f} with {found['values']}")


def study_name(kind: str, profile: str, learnt_from: Sequence[Path], params: Mapping[str, Any]) -> str:
    """Return a name that two searches share when their trials can be compared: the same files, the same rules."""
    same = json.dumps([params["tune"], params["split"], params["train"][profile][kind]], sort_keys=True)
    digest = hashlib.sha256(same.encode()).hexdigest()
    return f"{kind} {profile} {files.sha256(*learnt_from)[:12]} {digest[:12]}"


if __name__ == "__main__":
    main()
