"""Compute the features of every match from what was known before its `as_of`, and save the final state for serving.

Features made of prices go into their own file, and so does their state, for the models that are labelled with
them: neither the features of other models nor the state of the champion contain any.
"""

from __future__ import annotations

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from itertools import chain
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq

from apps.ml.forecasting.features import FAMILIES, Feature, FeatureBlock, FeatureState
from apps.ml.forecasting.line_agreement import disagreements, without
from apps.ml.forecasting.prices import before_the_match, with_prices
from apps.ml.pipeline import columns, files
from apps.ml.pipeline.columns import KEYS

MARKET: Final = ("market",)
"""Families that are made of prices."""

LINE: Final = (
    Feature(
        "odds_home",
        "line",
        "match",
        "all",
        None,
        "log-odds",
        "Home win against away win behind the prices before the match, margin taken out, the mean of the lines quoted.",
    ),
    Feature("odds_draw", "line", "match", "all", None, "log-odds", "The same of a draw against an away win."),
)
"""Features of the prices of the match itself, see `prices.before_the_match`."""

INPUTS: Final = (files.NO_ODDS, "prices of earlier matches", "prices before the match")
"""Inputs of features, as in `Estimator.inputs`."""


def outcomes(matches: pd.DataFrame) -> pd.Series:
    """Return 0, 1 or 2 for a home win, a draw or an away win, and null without a result."""
    margin = matches["home_goals"] - matches["away_goals"]
    return pd.Series(1 - np.sign(margin), index=matches.index).astype("Int8")


def priced(
    matches: pd.DataFrame, described: pd.DataFrame, odds: pd.DataFrame, params: dict[str, Any]
) -> tuple[np.ndarray, tuple[str, ...], FeatureState]:
    """Return the features made of prices, shape (n, columns), their names, and the state behind them."""
    found = disagreements(odds, matches, params["prices"]["agreement"])
    odds = without(odds, matches, found, months_later=1)
    state = FeatureState.new(params["features"], MARKET)
    values = state.fold(with_prices(matches, odds, params["prices"]), described, schedule=matches)
    line = before_the_match(described, odds, params["prices"])
    return np.column_stack((values, line.to_numpy())), (*state.names, *line.columns), state


def catalogue_of(state: FeatureState, params: dict[str, Any]) -> list[dict[str, Any]]:
    """Return a row for each column of both files, with its inputs."""
    market = FeatureState.new(params["features"], MARKET)
    parts = zip(INPUTS, (state.catalogue, market.catalogue, LINE), strict=True)
    return [asdict(feature) | {"inputs": inputs} for inputs, features in parts for feature in features]


def write(
    path: Path,
    keys: pd.DataFrame,
    blocks: Iterable[FeatureBlock],
    names: tuple[str, ...],
    repeating: Iterable[str] = (),
) -> int:
    """Write keys and values, in 32 bits, into one file; return the number of rows.

    Each block becomes a row group and is written while the next one is computed. Columns in `repeating` have few
    different values and are dictionary-encoded.
    """
    arrow = pa.Table.from_pandas(keys, schema=KEYS, preserve_index=False)
    schema, rows = columns.features(names), 0
    path.parent.mkdir(parents=True, exist_ok=True)
    options = {"compression": "lz4", "use_dictionary": ["competition", "season", *repeating], "store_schema": False}
    with pq.ParquetWriter(path, schema, **options) as writer, ThreadPoolExecutor(1) as pool:
        being_written = pool.submit(int)
        for block in blocks:
            arrays = [*arrow.take(pa.array(block.rows)).columns, *map(pa.array, block.values)]
            being_written.result()
            being_written = pool.submit(writer.write_table, pa.Table.from_arrays(arrays, schema=schema))
            rows += block.rows.size
        being_written.result()
    return rows


def as_block(values: np.ndarray, first: int = 0) -> FeatureBlock:
    """Return described rows, shape (n, features), as the block of those from number `first` on."""
    return FeatureBlock(np.arange(first, first + len(values)), np.ascontiguousarray(values.T, dtype=np.float32))


def main(root: Path = Path()) -> None:
    """Run the stage in the workspace `root`."""
    params = files.read_params(root)
    matches = files.read_frame(root / files.MATCHES)
    finished, upcoming = files.read_frame(root / files.FINISHED), files.read_frame(root / files.UPCOMING)
    described = pd.concat([finished, upcoming], ignore_index=True)
    lineups = files.read_frame(root / files.LINEUPS)
    keys = described.assign(outcome=outcomes(described))[KEYS.names]
    state = FeatureState.new(params["features"], [name for name in FAMILIES if name not in MARKET])
    state.adjust(files.read_frame(root / files.ADJUSTMENTS))

    def fixtures() -> Iterable[FeatureBlock]:
        # Serialized before fixtures are described, because that may refit ratings up to the time of the fixtures.
        kept = state.to_bytes()
        (root / files.STATE).write_bytes(kept)
        yield as_block(FeatureState.from_bytes(kept).describe(upcoming, lineups=lineups), len(finished))

    blocks = chain(state.stream(matches, finished, schedule=matches, lineups=lineups), fixtures())
    repeating = [feature.name for feature in state.catalogue if feature.window is not None]
    rows = write(root / files.FEATURES, keys, blocks, state.names, repeating)
    values, names, prices = priced(matches, described, files.read_frame(root / files.ODDS), params)
    write(root / files.PRICES, keys, [as_block(values)], names)
    (root / files.PRICE_STATE).write_bytes(prices.to_bytes())
    files.write_json(root / files.CATALOGUE, catalogue_of(state, params))
    files.log_line(f"{len(state.names)} features of {rows} matches; results observed until {state.observed_until}")


if __name__ == "__main__":
    main()
