"""Gates: check files between stages, write the results, and stop the pipeline when a row is wrong."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import pandas as pd

# Read at the import of Great Expectations, which would send usage statistics otherwise.
os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")

import great_expectations as gx
from great_expectations.data_context.types.base import ProgressBarsConfig

from apps.ml.pipeline import expectations, files
from apps.ml.pipeline.expectations import Check, CheckedFile

GATES: Final = ("raw", "finished", "upcoming", "features")

SANDBOX: Final = "sandbox"

ROWS_SHOWN: Final = 20
"""Rows that are listed for each broken expectation."""

TITLE: Final = ("competition", "kickoff_at", "home_team", "away_team")
"""Columns that identify a match for people, shown with its id."""


def subjects_of(gate: str, root: Path) -> list[CheckedFile]:
    """Return the files that a gate checks, with its expectations."""
    manifest = files.RawManifest.read(root)
    as_of = pd.Timestamp(manifest.as_of)
    if gate == "raw":
        return expectations.raw(manifest)
    if gate == "finished":
        return expectations.finished(as_of, files.read_params(root)["split"]["least_rows"])
    if gate == "upcoming":
        return expectations.upcoming(as_of)
    catalogue = files.read_catalogue(root)
    required = expectations.required(catalogue)
    rows = sum(len(files.read_frame(root / path, ["match_id"])) for path in (files.FINISHED, files.UPCOMING))
    return expectations.features(list(dict.fromkeys(row["unit"] for row in catalogue)), required, rows)


def frame_of(gate: str, subject: CheckedFile, root: Path) -> pd.DataFrame:
    """Return the rows that a gate checks."""
    if subject.path == files.MATCHES:
        return expectations.matches(root / subject.path, pd.Timestamp(files.RawManifest.read(root).as_of))
    if subject.path == files.ODDS:
        return expectations.odds(root / subject.path)
    if gate == "features":
        own_pace = expectations.OF_THE_CALENDAR if files.RawManifest.read(root).world == SANDBOX else ()
        return expectations.ranges(root / subject.path, files.read_catalogue(root), not_compared=own_pace)
    return files.read_frame(root / subject.path)


def check(frame: pd.DataFrame, subject: CheckedFile) -> list[dict[str, Any]]:
    """Return, for each expectation, whether it holds, how many rows break it and the first of them."""
    context = gx.get_context(mode="ephemeral")
    context.variables.progress_bars = ProgressBarsConfig(globally=False)
    asset = context.data_sources.add_pandas("pandas").add_dataframe_asset("rows")
    batch = asset.add_batch_definition_whole_dataframe("all").get_batch({"dataframe": frame})
    for number, one in enumerate(subject.checks):
        one.expectation.meta = {"number": number}
    suite = gx.ExpectationSuite(name="gate", expectations=[one.expectation for one in subject.checks])
    # Finding the rows takes several times as long, and most files are valid.
    if batch.validate(suite, result_format="BOOLEAN_ONLY").success:
        return [_passed(one, subject) for one in subject.checks]
    wanted = {
        "result_format": "COMPLETE",
        "unexpected_index_column_names": list(subject.keys),
        "partial_unexpected_count": ROWS_SHOWN,
    }
    results = batch.validate(suite, result_format=wanted).results
    # Results are not in the order of the suite.
    found = {
        (result.expectation_config.meta or {})["number"]: result for result in results if result.expectation_config
    }
    return [_result(one, found[number], frame, subject) for number, one in enumerate(subject.checks)]


def _passed(one: Check, subject: CheckedFile) -> dict[str, Any]:
    return {"name": one.name, "file": subject.path.as_posix(), "passed": True}


def _result(one: Check, found: Any, frame: pd.DataFrame, subject: CheckedFile) -> dict[str, Any]:
    if found.success:
        return _passed(one, subject)
    result = _passed(one, subject) | {"passed": False}
    broken = found.result.get("unexpected_index_list") or []
    count = found.result.get("unexpected_count", len(broken))
    result |= {"count": int(count), "rows": [_row(values, frame, subject) for values in broken[:ROWS_SHOWN]]}
    if "observed_value" in found.result:
        result["observed"] = _plain(found.result["observed_value"])
    message = (found.exception_info or {}).get("exception_message")
    return result | ({"error": message} if message else {})


def _row(values: dict[str, Any], frame: pd.DataFrame, subject: CheckedFile) -> dict[str, Any]:
    """Return the wrong values with the key and title of their row."""
    here = frame[(frame[list(subject.keys)] == [values[key] for key in subject.keys]).all(axis=1)]
    title = {name: here[name].iloc[0] for name in TITLE if name in frame and len(here)}
    keys = {key: values[key] for key in subject.keys}
    return {name: _plain(value) for name, value in (keys | title | values).items()}


def _plain(value: Any) -> Any:
    """Return a value that JSON can hold."""
    if isinstance(value, pd.Timestamp):
        return value.isoformat()
    value = value.item() if hasattr(value, "item") else value
    if isinstance(value, float) and not abs(value) < float("inf"):
        return None if value != value else str(value)
    return value if isinstance(value, str | int | float | bool) or value is None else str(value)


def line(result: dict[str, Any]) -> str:
    """Return a broken expectation in one line, with the rows that break it."""
    rows = "; ".join(", ".join(f"{name}={value}" for name, value in row.items()) for row in result.get("rows", ()))
    reason = rows or result.get("error") or f"observed {result.get('observed')}"
    more = result["count"] - len(result["rows"])
    return f"FAILED {result['file']}: {result['name']}: {reason}" + (f"; and {more} more" if more > 0 else "")


def passes(gate: str, root: Path) -> bool:
    """Run one gate, write its result, and print it."""
    checks = [result for subject in subjects_of(gate, root) for result in check(frame_of(gate, subject, root), subject)]
    broken = [result for result in checks if not result["passed"]]
    result = {"gate": gate, "passed": not broken, "expectations": len(checks), "broken": broken}
    files.write_json(root / files.VALIDATION / f"{gate}.json", result)
    for result in broken:
        files.log_line(line(result))
    files.log_line(f"gate {gate}: {len(checks) - len(broken)} of {len(checks)} expectations hold")
    return not broken


def main(arguments: Sequence[str], root: Path = Path()) -> int:
    """Run gates in the workspace `root`; return 1 when one of them stops the pipeline.

    All gates run even if one fails, so that all wrong rows are listed.
    """
    unknown = [gate for gate in arguments if gate not in GATES]
    if unknown or not arguments:
        files.log_line(f"unknown gates {unknown}; there are {', '.join(GATES)}")
        return 2
    results = [passes(gate, root) for gate in arguments]
    return 0 if all(results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
