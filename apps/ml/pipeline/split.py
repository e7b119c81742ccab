"""Split the history into walk-forward steps: train on what was known, forecast until the next refit.

`data/folds.json` also holds the profile, so that a new export of the same facts does not repeat the training; and of a
back-test the estimator and the seasons that it is about.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from apps.ml.forecasting import scoring
from apps.ml.pipeline import back_test, files


class TooLittleHistoryError(ValueError):
    """The history is too short for one walk-forward step."""


def folds(matches: pd.DataFrame, params: dict[str, Any], profile: str = "production") -> list[dict[str, Any]]:
    """Return the steps in chronological order.

    Each has the time of its fit (`start`), the end of its forecasts (`end`, None for the last), the first time of its
    training rows (`train_from`), numbers of rows, and its purpose: test, or only calibration of later steps.

    Raises
    ------
    TooLittleHistoryError
        When no step has enough training and test rows.
    """
    section = params["split"]
    found = _every_step(matches, section)
    tested = min(section["test_refits"], _steps_with(found, section["enough_tested"].get(profile)))
    found = found[-(tested + section["calibrate_refits"]) :]
    # With a short history, test steps take precedence over steps that only calibrate.
    tested = min(tested, max(1, len(found) - section["calibrate_refits"]))
    return _numbered(found, tested)


def folds_of(matches: pd.DataFrame, tested: pd.Series, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return the steps that forecast some of the matches, and those before them that only calibrate.

    `tested` is true for the rows to be forecast; those before the first step are not.

    Raises
    ------
    TooLittleHistoryError
        When no step forecasts any of them.
    """
    section = params["split"]
    every = _every_step(matches, section)
    chosen = [number for number, step in enumerate(every) if tested[test_rows(matches, step).index].any()]
    if not chosen:
        raise TooLittleHistoryError(f"no walk-forward step forecasts any of the {int(tested.sum())} matches to test")
    found = every[max(0, chosen[0] - section["calibrate_refits"]) : chosen[-1] + 1]
    return _numbered(found, chosen[-1] - chosen[0] + 1)


def _every_step(matches: pd.DataFrame, section: dict[str, Any]) -> list[dict[str, Any]]:
    """Return all steps that the history has enough matches for, without their numbers and purposes."""
    begin = matches["as_of"].min() + timedelta(days=section["warm_up_days"])
    starts = scoring.season_starts(
        begin.to_pydatetime(), matches["as_of"].max().to_pydatetime(), section["refit_month"], section["refit_day"]
    )
    starts = _long_enough(matches, starts, section["least_rows"])
    found = []
    for split in scoring.walk_forward(matches["as_of"], matches["known_at"], starts):
        train_from = max(begin.to_pydatetime(), split.start - timedelta(days=section["train_days"]))
        train = training_rows(matches, train_from, split.start)
        if len(train) >= section["least_rows"]:
            found.append(
                {
                    "start": split.start.isoformat(),
                    "end": split.end.isoformat() if split.end else None,
                    "train_from": train_from.isoformat(),
                    "train_rows": len(train),
                    "test_rows": len(split.test),
                }
            )
    if not found:
        raise TooLittleHistoryError(
            f"{len(matches)} finished matches since {matches['as_of'].min():%Y-%m-%d} are too few: a walk-forward "
            f"step needs {section['least_rows']} to train on and as many to test on"
        )
    return found


def _numbered(steps: list[dict[str, Any]], tested: int) -> list[dict[str, Any]]:
    """Return steps with their numbers and purposes; the latest `tested` of them test."""
    return [
        step | {"number": number, "purpose": "test" if number >= len(steps) - tested else "calibrate"}
        for number, step in enumerate(steps)
    ]


def _steps_with(steps: list[dict[str, Any]], rows: int | None) -> int:
    """Return how many of the latest steps have at least `rows` test rows together; all of them if `rows` is None."""
    held = 0
    for number, step in enumerate(reversed(steps), start=1):
        held += step["test_rows"]
        if rows is not None and held >= rows:
            return number
    return len(steps)


def training_rows(matches: pd.DataFrame, train_from: datetime, start: datetime) -> pd.DataFrame:
    """Return the training rows of a model fitted at `start`."""
    return matches[(matches["as_of"] >= train_from) & (matches["known_at"] < start)]


def test_rows(matches: pd.DataFrame, fold: dict[str, Any]) -> pd.DataFrame:
    """Return the test rows of a step."""
    later = matches["as_of"] >= pd.Timestamp(fold["start"])
    return matches[later & (matches["as_of"] < pd.Timestamp(fold["end"]))] if fold["end"] else matches[later]


def _long_enough(matches: pd.DataFrame, starts: list[datetime], least_rows: int) -> list[datetime]:
    """Drop the starts of steps with too few test rows; the step before takes over their rows."""
    kept: list[datetime] = []
    for start in reversed(starts):
        rows = (matches["as_of"] >= start) & (matches["as_of"] < kept[-1] if kept else True)
        if int(rows.sum()) >= least_rows:
            kept.append(start)
    return kept[::-1]


def main(root: Path = Path()) -> None:
    """Run the stage in the workspace `root`."""
    manifest, params = files.RawManifest.read(root), files.read_params(root)
    matches = files.read_frame(root / files.FINISHED, ["as_of", "known_at", *back_test.COLUMNS])
    plan: dict[str, Any] = {"profile": manifest.profile}
    if manifest.back_test:
        upcoming = files.read_frame(root / files.UPCOMING, back_test.COLUMNS)
        seasons = back_test.latest_finished_seasons(matches, upcoming, manifest.as_of)
        if not seasons:
            raise TooLittleHistoryError("no season of any competition has ended, so there is nothing to test on")
        plan |= {"back_test": manifest.back_test, "seasons": seasons}
        found = folds_of(matches, back_test.is_tested(matches, plan), params)
        for competition, season in sorted(seasons.items()):
            files.log_line(f"latest finished season of {competition}: {season}")
    else:
        found = folds(matches, params, manifest.profile)
    files.write_json(root / files.FOLDS, plan | {"folds": found})
    for fold in found:
        files.log_line(
            f"{fold['start'][:10]} {fold['purpose']}: {fold['train_rows']} to train, {fold['test_rows']} to forecast"
        )


if __name__ == "__main__":
    main()
