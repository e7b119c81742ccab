"""Calibrate each estimator on its earlier out-of-sample forecasts."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from apps.ml.forecasting.arrays import Floats
from apps.ml.forecasting.estimators import Calibrated, Calibration, Estimator, fit_calibration, load
from apps.ml.pipeline import columns, files
from apps.ml.pipeline.columns import CALIBRATED, RAW


def calibrated_steps(rows: pd.DataFrame, section: dict[str, Any], starts: Mapping[int, datetime]) -> Floats:
    """Return the calibrated forecasts of one estimator, each step calibrated on the steps before it.

    `starts` says when the model of each step was fitted. A step with fewer than ``least_past`` earlier forecasts is not
    calibrated. A match that was forecast before the start of a step but ended after it is not used.
    """
    found = rows[RAW].to_numpy(copy=True)
    fold = rows["fold"].to_numpy()
    for number in np.unique(fold):
        here, past = fold == number, rows[(fold < number) & (rows["known_at"] < starts[int(number)])]
        if len(past) >= section["least_past"]:
            found[here] = fit(past, section).apply(found[here])
    return found


def fit(rows: pd.DataFrame, section: dict[str, Any]) -> Calibration:
    """Return the calibration fitted to past forecasts, to the latest ``at_most`` of them if that is set."""
    rows = rows.tail(section.get("at_most") or len(rows))
    return fit_calibration(
        rows[RAW].to_numpy(),
        rows["outcome"].to_numpy(),
        methods=section["methods"],
        folds=section["folds"],
        isotonic_from=section["isotonic_from"],
    )


def main(root: Path = Path()) -> None:
    """Run the stage in the workspace `root`."""
    section, plan = files.read_params(root)["calibrate"], files.read_json(root / files.FOLDS)
    section["at_most"] = section["most_past"].get(plan["profile"])
    raw, out = files.read_frame(root / files.OUT_OF_SAMPLE), []
    starts = {step["number"]: datetime.fromisoformat(step["start"]) for step in plan["folds"]}
    for name, rows in raw.groupby("model", sort=False):
        found = calibrated_steps(rows, section, starts)
        out.append(rows.assign(**{name: found[:, place] for place, name in enumerate(CALIBRATED)}))
        if plan.get("back_test"):
            continue
        estimator = load(root / files.TRAINED / str(name))
        assert isinstance(estimator, Estimator)
        calibration = fit(rows, section if len(rows) >= section["least_past"] else section | {"methods": ["none"]})
        Calibrated(estimator, calibration).save(root / files.MODEL / str(name))
        files.log_line(f"{name}: {calibration.method}, log loss {calibration.tried}")
    # A back-test has no model to serve; DVC wants the folder.
    (root / files.MODEL).mkdir(parents=True, exist_ok=True)
    files.write_frame(root / files.CALIBRATED, pd.concat(out, ignore_index=True), columns.FORECASTS)


if __name__ == "__main__":
    main()
