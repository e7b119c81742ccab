"""Describe every match by what was known before its `as_of`, and keep the state at the end for serving."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa

from apps.ml.forecasting.features import FeatureState
from apps.ml.pipeline import columns, files
from apps.ml.pipeline.columns import KEYS


def outcomes(matches: pd.DataFrame) -> pd.Series:
    """Return 0, 1 or 2 for a home win, a draw or an away win, and null without a result."""
    margin = matches["home_goals"] - matches["away_goals"]
    return pd.Series(1 - np.sign(margin), index=matches.index).astype("Int8")


def main(root: Path = Path()) -> None:
    """Run the stage in the workspace `root`."""
    params = files.read_params(root)
    matches = files.read_frame(root / files.MATCHES)
    finished, upcoming = files.read_frame(root / files.FINISHED), files.read_frame(root / files.UPCOMING)
    described = pd.concat([finished, upcoming], ignore_index=True)
    state = FeatureState.new(params["features"])
    past = state.fold(matches, finished, schedule=matches)
    # Kept before any fixture is described: ratings may move on to the time that they are asked for.
    kept = state.to_bytes()
    values = np.concatenate([past, FeatureState.from_bytes(kept).describe(upcoming)]).astype(np.float32)
    keys = described.assign(outcome=outcomes(described))[KEYS.names]
    arrays = [
        *pa.Table.from_pandas(keys, schema=KEYS, preserve_index=False).columns,
        *(values[:, [i]].ravel() for i in range(values.shape[1])),
    ]
    files.write_table(root / files.FEATURES, pa.Table.from_arrays(arrays, schema=columns.features(state.names)))
    (root / files.STATE).write_bytes(kept)
    files.write_json(root / files.CATALOGUE, [feature.as_dict() for feature in state.catalogue])
    files.say(f"{values.shape[1]} features of {values.shape[0]} matches; results observed until {state.observed_until}")


if __name__ == "__main__":
    main()
