"""Fit every estimator at each step of the walk forward and once to everything; keep the out-of-sample forecasts."""

from __future__ import annotations

import time
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.ml.forecasting.estimators import REGISTRY, Estimator, create
from apps.ml.pipeline import columns, files
from apps.ml.pipeline.columns import KEYS
from apps.ml.pipeline.split import test_rows, training_rows


def read_matrix(root: Path, file: Path = files.FEATURES) -> tuple[pd.DataFrame, NDArray[np.float64], tuple[str, ...]]:
    """Return the keys, the features (n, k) and their names, of matches with an outcome in the order of `as_of`."""
    frame = files.read_frame(root / file)
    frame = frame[frame["outcome"].notna()].sort_values(["as_of", "match_id"], kind="stable", ignore_index=True)
    names = tuple(name for name in frame.columns if name not in KEYS.names)
    return frame[KEYS.names], frame[list(names)].to_numpy(dtype=np.float64), names


def fitted(
    name: str, params: dict[str, Any], seed: int, rows: pd.DataFrame, X: NDArray[np.float64], names: tuple[str, ...]
) -> Estimator:
    """Return one estimator fitted to the rows that `rows` names by their position."""
    estimator = create(name, params, seed=seed)
    return estimator.fit(X[rows.index], rows["outcome"].to_numpy(dtype=np.int64), names=names)


def forecasts(model: str, fold: int, rows: pd.DataFrame, p: NDArray[np.float64]) -> pd.DataFrame:
    """Return out-of-sample forecasts as rows of `columns.OUT_OF_SAMPLE`."""
    found = {name: p[:, place] for place, name in enumerate(columns.RAW)}
    keys = rows[["match_id", "as_of", "known_at", "outcome"]].reset_index(drop=True)
    return keys.assign(model=model, fold=fold, **found)


def main(root: Path = Path()) -> None:
    """Run the stage in the workspace `root`."""
    params, plan = files.read_params(root), files.read_json(root / files.FOLDS)
    keys, plain, plain_names = read_matrix(root)
    _, prices, price_names = read_matrix(root, files.PRICES)
    seed, out = params["train"]["seed"], []
    latest = keys[keys["as_of"] >= _latest_begin(keys, params)]
    sections = params["train"][plan["profile"]]
    for name in [name for name in REGISTRY if name in sections]:
        section, X, names = sections[name], plain, plain_names
        if REGISTRY[name].uses_market:
            X, names = np.column_stack((plain, prices)), (*plain_names, *price_names)
        began = time.perf_counter()
        for step in plan["folds"]:
            start = datetime.fromisoformat(step["start"])
            learnt = training_rows(keys, datetime.fromisoformat(step["train_from"]), start)
            asked = test_rows(keys, step)
            estimator = fitted(name, section, seed, learnt, X, names)
            out.append(forecasts(name, step["number"], asked, estimator.predict_proba(X[asked.index])))
        fitted(name, section, seed, latest, X, names).save(root / files.TRAINED / name)
        files.say(f"{name}: {len(plan['folds'])} steps and the whole in {time.perf_counter() - began:.1f} s")
    files.write_frame(root / files.OUT_OF_SAMPLE, pd.concat(out, ignore_index=True), columns.OUT_OF_SAMPLE)
    days = latest["kickoff_at"].dt.date
    about = {"rows": len(latest), "from": days.min().isoformat(), "to": days.max().isoformat()}
    files.write_json(root / files.TRAINED / files.ABOUT, about)


def _latest_begin(keys: pd.DataFrame, params: dict[str, Any]) -> datetime:
    section = params["split"]
    begin = keys["as_of"].min() + timedelta(days=section["warm_up_days"])
    earliest = keys["as_of"].max() - timedelta(days=section["train_days"])
    found: datetime = max(begin, earliest).to_pydatetime()
    return found


if __name__ == "__main__":
    main()
