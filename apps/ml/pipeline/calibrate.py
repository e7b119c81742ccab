"""Calibrate each estimator on its earlier out-of-sample forecasts, and fit intervals around its probabilities."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from apps.ml.forecasting.arrays import Floats
from apps.ml.forecasting.estimators import (
    KNOWN,
    Calibrated,
    Calibration,
    Estimator,
    Intervals,
    fit_calibration,
    fit_intervals,
    load,
)
from apps.ml.forecasting.line_agreement import disagreements, without
from apps.ml.forecasting.prices import probabilities
from apps.ml.pipeline import columns, files
from apps.ml.pipeline.columns import CALIBRATED, ENDS, RAW


def calibrated_steps(rows: pd.DataFrame, section: dict[str, Any], starts: Mapping[int, datetime]) -> Floats:
    """Return the calibrated forecasts of one estimator, each step calibrated on the steps before it.

    `starts` has the time at which the model of each step was fitted. A step with fewer than ``least_past`` earlier
    forecasts is not calibrated. A match that was forecast before the start of a step but ended after it is not used.
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


def closing_lines(root: Path, rows: pd.DataFrame) -> Floats:
    """Return the closing line of each forecast as probabilities, shape (n, 3); NaN where none is quoted.

    A line is left out in the months in which it disagrees with the others, as in the evaluation.
    """
    params = files.read_params(root)
    odds = files.read_frame(root / files.ODDS)
    kickoffs = files.read_frame(root / files.MATCHES, ["match_id", "kickoff_at"])
    odds = without(odds, kickoffs, disagreements(odds, kickoffs, params["prices"]["agreement"]))
    return probabilities(rows, odds, params["calibrate"]["intervals"]["lines"], params["prices"]["devig"])


def known_of(root: Path, rows: pd.DataFrame) -> Floats:
    """Return the features `KNOWN` of each forecast, shape (n, 6)."""
    features = files.read_frame(root / files.FEATURES, ["match_id", *KNOWN]).set_index("match_id")
    return features.loc[rows["match_id"]].to_numpy(dtype=np.float64)


def intervals_of_steps(
    rows: pd.DataFrame, p: Floats, line: Floats, known: Floats, section: dict[str, Any], starts: Mapping[int, datetime]
) -> Floats:
    """Return the ends of the intervals of one estimator, shape (n, 3, 2), each step fitted to the steps before it.

    A step before which too few forecasts have a closing line has NaN. A line counts as known with the result.

    Parameters
    ----------
    rows : DataFrame
        Out-of-sample forecasts, of which `p` are the calibrated probabilities, shape (n, 3).
    line, known : ndarray
        Of `closing_lines` and `known_of`.
    section : dict
        Section ``calibrate.intervals`` of the parameters.
    starts : mapping of int to datetime
        When the model of each step was fitted.
    """
    found = np.full((len(rows), 3, 2), np.nan)
    fold, known_at = rows["fold"].to_numpy(), rows["known_at"]
    for number in np.unique(fold):
        past = (fold < number) & (known_at < starts[int(number)]).to_numpy()
        intervals = fit_to_steps(fold, p, line, known, past, section)
        if intervals is not None:
            here = fold == number
            found[here] = intervals.around(p[here], known[here])
    return found


def fit_to_steps(
    fold: NDArray[np.int16], p: Floats, line: Floats, known: Floats, past: NDArray[np.bool_], section: dict[str, Any]
) -> Intervals | None:
    """Return intervals fitted to the latest steps of some past forecasts; None where too few have a closing line.

    In a small world the latest ``limit_steps`` steps may have too few; then earlier ones count too.
    """
    quoted = past & np.isfinite(line).all(axis=1)
    steps, counts = np.unique(fold[quoted], return_counts=True)
    steps, counts = steps[-section["scale_steps"] :], counts[-section["scale_steps"] :]
    if counts.sum() < section["least_past"]:
        return None
    used = quoted & np.isin(fold, steps)
    enough = 1 + int(np.argmax(np.cumsum(counts[::-1]) >= section["least_past"]))
    latest = np.isin(fold[used], steps[-max(enough, section["limit_steps"]) :])
    return fit_intervals(p[used], line[used], known[used], latest=latest, level=section["level"], l2=section["l2"])


def main(root: Path = Path()) -> None:
    """Run the stage in the workspace `root`."""
    section, plan = files.read_params(root)["calibrate"], files.read_json(root / files.FOLDS)
    section["at_most"] = section["most_past"].get(plan["profile"])
    raw, out = files.read_frame(root / files.OUT_OF_SAMPLE), []
    starts = {step["number"]: datetime.fromisoformat(step["start"]) for step in plan["folds"]}
    line, known = closing_lines(root, raw), known_of(root, raw)
    for name, rows in raw.groupby("model", sort=False):
        own = (line[rows.index], known[rows.index])
        p = calibrated_steps(rows, section, starts)
        ends = intervals_of_steps(rows, p, *own, section["intervals"], starts)
        found = np.concatenate([p, ends.reshape(-1, 6)], axis=1)
        out.append(rows.assign(**{name: found[:, index] for index, name in enumerate([*CALIBRATED, *ENDS])}))
        if plan.get("back_test"):
            continue
        estimator = load(root / files.TRAINED / str(name))
        assert isinstance(estimator, Estimator)
        calibration = fit(rows, section if len(rows) >= section["least_past"] else section | {"methods": ["none"]})
        everything = np.ones(len(rows), dtype=bool)
        intervals = fit_to_steps(rows["fold"].to_numpy(), p, *own, everything, section["intervals"])
        Calibrated(estimator, calibration, intervals).save(root / files.MODEL / str(name))
        files.log_line(f"{name}: {calibration.method}, log loss {calibration.tried}")
    # A back-test has no model to serve; DVC wants the folder.
    (root / files.MODEL).mkdir(parents=True, exist_ok=True)
    files.write_frame(root / files.CALIBRATED, pd.concat(out, ignore_index=True), columns.FORECASTS)


if __name__ == "__main__":
    main()
