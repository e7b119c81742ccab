"""Split the raw matches into finished and upcoming ones, each with its `as_of`."""

from __future__ import annotations

from pathlib import Path
from typing import Final

import pandas as pd

from apps.ml.forecasting.features import offline_as_of
from apps.ml.pipeline import columns, files

ORDER: Final = ["as_of", "kickoff_at", "match_id"]


def finished_matches(matches: pd.DataFrame, params: dict) -> pd.DataFrame:
    """Return the matches with a result, each with the moment as of which it is forecast."""
    rows = matches[(matches["status"] == "finished") & matches["known_at"].notna()]
    rows = rows.assign(as_of=offline_as_of(rows, files.horizon(params)))
    return rows.sort_values(ORDER, kind="stable", ignore_index=True)


def upcoming_matches(matches: pd.DataFrame, params: dict, as_of: pd.Timestamp) -> pd.DataFrame:
    """Return the fixtures after `as_of`; all are forecast as of that moment or later."""
    rows = matches[(matches["status"] == "scheduled") & (matches["kickoff_at"] >= as_of)]
    rows = rows.assign(as_of=offline_as_of(rows, files.horizon(params)))
    rows["as_of"] = rows["as_of"].where(rows["as_of"] >= as_of, as_of)
    return rows.sort_values(ORDER, kind="stable", ignore_index=True)


def main(root: Path = Path()) -> None:
    """Run the stage in the workspace `root`."""
    params, manifest = files.read_params(root), files.RawManifest.read(root)
    matches = files.read_frame(root / files.MATCHES)
    finished = finished_matches(matches, params)
    upcoming = upcoming_matches(matches, params, pd.Timestamp(manifest.as_of))
    files.write_frame(root / files.FINISHED, finished, columns.DESCRIBED)
    files.write_frame(root / files.UPCOMING, upcoming, columns.DESCRIBED)
    files.log_line(f"{len(finished)} finished matches, {len(upcoming)} fixtures as of {manifest.as_of.isoformat()}")


if __name__ == "__main__":
    main()
