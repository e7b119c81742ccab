"""Explain the skill of the best model by fits before the latest steps of the walk-forward evaluation."""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd

from apps.ml.pipeline import files, importance, refits
from apps.ml.pipeline.columns import KEYS
from apps.ml.pipeline.refits import RefitData
from apps.ml.pipeline.split import test_rows, training_rows

AT_ONCE: Final = 100
"""Most columns that are screened at once in a large family."""


def latest_steps(steps: list[dict[str, Any]], least_rows: int) -> list[dict[str, Any]]:
    """Return the latest test steps with at least `least_rows` matches together; all if there are fewer."""
    found: list[dict[str, Any]] = []
    for step in reversed([step for step in steps if step["purpose"] == "test"]):
        found.insert(0, step)
        if sum(step["test_rows"] for step in found) >= least_rows:
            break
    return found


class FeatureTable:
    """Features of finished matches in the order of `as_of`; columns are read on demand."""

    def __init__(self, root: Path) -> None:
        self._path = root / files.FEATURES
        keys = files.read_frame(self._path, KEYS.names)
        keys = keys[keys["outcome"].notna()].sort_values(["as_of", "match_id"], kind="stable")
        self._places = keys.index.to_numpy()
        self.keys = keys.reset_index(drop=True)

    def data(
        self, train_index: pd.Index, test_index: pd.Index, names: Sequence[str], seed: int, section: dict[str, Any]
    ) -> RefitData:
        """Return training and test data of the given positions of `keys` and columns, in 32 bits."""
        values = files.read_rows(self._path, list(names), self._places[train_index.append(test_index)]).to_numpy()
        y = self.keys["outcome"].to_numpy(dtype=np.int64)
        return RefitData(
            names=tuple(names),
            X_train=values[: len(train_index)],
            y_train=y[train_index],
            X_test=values[len(train_index) :],
            y_test=y[test_index],
            test_days=self.keys.loc[test_index, "as_of"].dt.floor("D").to_numpy(dtype="datetime64[us]"),
            seed=seed,
            draws=section["bootstrap_draws"],
            level=section["bootstrap_level"],
        )


def explained(root: Path) -> dict[str, Any]:
    """Return the content of `data/explained.json`."""
    params, plan = files.read_params(root), files.read_json(root / files.FOLDS)
    best, train = files.read_json(root / files.METRICS)["best"], params["train"]
    sections, settings = train[plan["profile"]], _settings(params["explain"], plan["profile"])
    families = _families(root)
    all_names = [name for columns in families.values() for name in columns]
    steps = latest_steps(plan["folds"], params["explain"]["least_rows"])
    table, start = FeatureTable(root), datetime.fromisoformat(steps[0]["start"])
    train_index = training_rows(table.keys, datetime.fromisoformat(steps[0]["train_from"]), start).index
    train_index = train_index[-max(settings[name] for name in ("rows", "learning_rows", "refit_rows")) :]
    test_index = pd.concat([test_rows(table.keys, step) for step in steps]).index

    refitted = refits.refit_sections(settings["refits"], sections)
    used = [refits.wanted(name, section, all_names) for name, section in {**refitted, best: sections[best]}.items()]
    names = [name for name in all_names if any(name in columns for columns in used)]
    data = table.data(train_index, test_index, names, train["seed"], params["evaluate"]).in_64_bits()

    began = time.perf_counter()
    model = data.latest(settings["rows"]).fitted(best, sections[best])
    files.log_line(f"{best}: fitted before {start:%Y-%m-%d} in {time.perf_counter() - began:.1f} s")
    found = {
        "model": best,
        "train": _span(table.keys.loc[train_index[-settings["rows"] :]]),
        "test": _span(table.keys.loc[test_index]),
        "asked": min(settings["asked"], len(test_index)),
        "repeats": settings["repeats"],
        "refit_rows": min(settings["refit_rows"], len(train_index)),
        "refits": settings["refits"],
        **_importance(model, data, families, settings),
        "learning": refits.learning_curve(data.latest(settings["learning_rows"]), refitted, settings["shares"]),
    }
    files.log_line(f"importance and learning curve after {time.perf_counter() - began:.1f} s")
    families_of = refits.without_families(data.latest(settings["refit_rows"]), refitted, families)
    del data
    few = train_index[-settings["refit_rows"] :]
    for row in families_of:
        columns = families[row["family"]]
        part = table.data(few, test_index, columns, train["seed"], params["evaluate"])
        row["columns"] = len(columns)
        row["alone"] = _alone(part, settings["alone_columns"], params["explain"]["alone_l2"])
    files.log_line(f"families after {time.perf_counter() - began:.1f} s")
    return found | {"families": families_of}


def _importance(
    model: Any, data: RefitData, families: dict[str, list[str]], settings: dict[str, Any]
) -> dict[str, Any]:
    """Return Shapley values and the cost of shuffling features, on the latest test matches."""
    few = data.tail(settings["asked"])
    values = importance.shapley(model, few.X_test, settings["columns"])
    columns = {row["name"]: [row["name"]] for row in values["columns"]}
    return {
        "shapley": values,
        "shuffled": {
            "families": importance.shuffled(model, few, families, settings["repeats"]),
            "columns": importance.shuffled(model, few, columns, settings["repeats"]),
        },
    }


def _alone(data: RefitData, most: int, l2: float) -> dict[str, Any]:
    """Return the scores of a logit on the given columns; of many columns, on the most informative ones."""
    kept = list(data.names)
    while len(kept) > most:
        # Each part has more columns than are kept of it, so the loop ends.
        width = max(AT_ONCE, 2 * most)
        parts = [kept[first : first + width] for first in range(0, len(kept), width)]
        kept = [name for part in parts for name in refits.screened(data.only(part), most)]
    return refits.family_alone(data, kept, l2)


def _settings(section: dict[str, Any], profile: str) -> dict[str, Any]:
    if profile not in section:
        raise ValueError(f"{files.PARAMS}: section explain lacks the profile {profile!r}")
    found: dict[str, Any] = section[profile]
    return found


def _families(root: Path) -> dict[str, list[str]]:
    """Return the columns of each family, in the order of the catalogue."""
    found: dict[str, list[str]] = {}
    for feature in files.read_catalogue(root):
        found.setdefault(feature["family"], []).append(feature["name"])
    return found


def _span(rows: pd.DataFrame) -> dict[str, Any]:
    return {"from": f"{rows['as_of'].min():%Y-%m-%d}", "to": f"{rows['as_of'].max():%Y-%m-%d}", "n": len(rows)}


def main(root: Path = Path()) -> None:
    """Run the stage in the workspace `root`."""
    files.write_json(root / files.EXPLAINED, explained(root))


if __name__ == "__main__":
    main()
