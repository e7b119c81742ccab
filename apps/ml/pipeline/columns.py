"""Columns of the files between the stages."""

from __future__ import annotations

from typing import Final

import pyarrow as pa

from apps.ml.forecasting.features.schema import MATCHES, TIMESTAMP
from apps.ml.forecasting.prices import OUTCOMES

DESCRIBED: Final = MATCHES.append(pa.field("as_of", TIMESTAMP, nullable=False))
"""`data/finished.parquet` and `data/upcoming.parquet`, sorted by (as_of, kickoff_at, match_id)."""

KEYS: Final = pa.schema(
    [
        pa.field("match_id", pa.int64(), nullable=False),
        pa.field("competition", pa.string(), nullable=False),
        pa.field("season", pa.string(), nullable=False),
        pa.field("kickoff_at", TIMESTAMP, nullable=False),
        pa.field("known_at", TIMESTAMP),
        pa.field("as_of", TIMESTAMP, nullable=False),
        pa.field("outcome", pa.int8()),  # 0 home, 1 draw, 2 away; null for a fixture
    ]
)
"""Key columns of `data/features.parquet`, before the float32 columns of the features."""

RAW: Final = [f"p_{outcome}" for outcome in OUTCOMES]
CALIBRATED: Final = [f"calibrated_{outcome}" for outcome in OUTCOMES]
ENDS: Final = [f"{end}_{outcome}" for outcome in OUTCOMES for end in ("low", "high")]

OUT_OF_SAMPLE: Final = pa.schema(
    [
        pa.field("model", pa.string(), nullable=False),
        pa.field("fold", pa.int16(), nullable=False),
        pa.field("match_id", pa.int64(), nullable=False),
        pa.field("as_of", TIMESTAMP, nullable=False),
        pa.field("known_at", TIMESTAMP, nullable=False),
        pa.field("outcome", pa.int8(), nullable=False),
        *(pa.field(name, pa.float64(), nullable=False) for name in RAW),
    ]
)
"""`data/oos.parquet`: by model, fold and then the order of time."""

FORECASTS: Final = pa.schema(
    [
        *OUT_OF_SAMPLE,
        *(pa.field(name, pa.float64(), nullable=False) for name in CALIBRATED),
        *(pa.field(name, pa.float64()) for name in ENDS),
    ]
)
"""`data/forecasts.parquet`: the same rows with raw and calibrated forecasts, and the ends of the intervals around the
calibrated ones, NaN where too few earlier forecasts had a closing line."""


def features(names: tuple[str, ...]) -> pa.Schema:
    """Return the schema of `data/features.parquet`."""
    return pa.schema([*KEYS, *(pa.field(name, pa.float32()) for name in names)])
