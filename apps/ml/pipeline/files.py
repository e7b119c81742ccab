"""Paths of the files of a run, and functions that read and write them; equal content gives equal bytes.

pandas and pyarrow are imported inside the functions, because the services need only the paths.
"""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import yaml

if TYPE_CHECKING:
    import numpy as np
    import pandas as pd
    import pyarrow as pa
    from numpy.typing import NDArray

PARAMS: Final = Path("apps/ml/params.yaml")
MATCHES: Final = Path("data/raw/matches.parquet")
ODDS: Final = Path("data/raw/odds.parquet")
LINEUPS: Final = Path("data/raw/lineups.parquet")
ADJUSTMENTS: Final = Path("data/raw/adjustments.parquet")
MANIFEST: Final = Path("data/raw/manifest.json")
SNAPSHOT: Final = Path("data/raw/snapshot.json")
RAW: Final = (MATCHES, ODDS, LINEUPS, ADJUSTMENTS)
VALIDATION: Final = Path("data/validation")
FINISHED: Final = Path("data/finished.parquet")
UPCOMING: Final = Path("data/upcoming.parquet")
FEATURES: Final = Path("data/features.parquet")
PRICES: Final = Path("data/prices.parquet")
STATE: Final = Path("data/state.bin")
PRICE_STATE: Final = Path("data/price_state.bin")
CATALOGUE: Final = Path("data/catalogue.json")
FOLDS: Final = Path("data/folds.json")
TRAINED: Final = Path("data/trained")
ABOUT: Final = "rows.json"
OUT_OF_SAMPLE: Final = Path("data/oos.parquet")
MODEL: Final = Path("data/model")
CALIBRATED: Final = Path("data/forecasts.parquet")
METRICS: Final = Path("data/metrics.json")
BREAKDOWN: Final = Path("data/breakdown.json")
BETTING: Final = Path("data/betting.json")
EXPLAINED: Final = Path("data/explained.json")
PLOTS: Final = Path("data/plots")
REPORT: Final = Path("data/report.html")
REGISTERED: Final = Path("data/registered.json")

NO_ODDS: Final = "no odds"
"""Inputs of features and models that use no prices."""


@dataclass(frozen=True, slots=True)
class RawManifest:
    """What was exported."""

    world: str
    as_of: datetime  # facts known before it, fixtures after it; aware, UTC
    profile: str  # section of ``train`` in the parameters
    rows: int  # of matches
    odds_rows: int
    lineup_rows: int = 0
    back_test: str = ""  # estimator that is back-tested on the latest finished seasons; empty where versions are made

    def write(self, path: Path) -> None:
        """Write the manifest as JSON."""
        write_json(path, {name: getattr(self, name) for name in self.__slots__} | {"as_of": self.as_of.isoformat()})

    @classmethod
    def read(cls, root: Path) -> RawManifest:
        """Read the manifest of the workspace `root`."""
        content = read_json(root / MANIFEST)
        return cls(**content | {"as_of": datetime.fromisoformat(content["as_of"])})


def read_params(root: Path) -> dict[str, Any]:
    """Return the parameters of the workspace `root`."""
    # The loader in C: admin pages and tasks read the file too, and the one in Python takes 50 ms.
    params: dict[str, Any] = yaml.load((root / PARAMS).read_text(encoding="utf-8"), Loader=yaml.CSafeLoader)
    return params


def horizon(params: Mapping[str, Any]) -> timedelta:
    """Return how long before kick-off a past match is forecast."""
    return timedelta(hours=params["horizon"]["hours"])


def read_json(path: Path) -> Any:
    """Return the content of a JSON file."""
    return json.loads(path.read_text(encoding="utf-8"))


def read_catalogue(root: Path, *, with_prices: bool = False) -> list[dict[str, Any]]:
    """Return the catalogue of `FEATURES`, optionally followed by that of `PRICES`."""
    rows: list[dict[str, Any]] = read_json(root / CATALOGUE)
    return rows if with_prices else [row for row in rows if row["inputs"] == NO_ODDS]


def write_json(path: Path, content: object) -> None:
    """Write indented JSON with sorted keys and without NaN."""
    text = json.dumps(content, indent=2, sort_keys=True, allow_nan=False, ensure_ascii=False)
    write_text(path, text + "\n")


def write_text(path: Path, text: str) -> None:
    """Write a text file."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")


def write_table(path: Path, table: pa.Table) -> None:
    """Write a parquet file whose bytes depend only on rows and schema."""
    path.parent.mkdir(parents=True, exist_ok=True)
    import pyarrow.parquet as pq

    pq.write_table(table.replace_schema_metadata(None), path, compression="zstd", store_schema=False)


def write_frame(path: Path, frame: pd.DataFrame, schema: pa.Schema) -> None:
    """Write the columns that `schema` names, in its types."""
    import pyarrow as pa

    write_table(path, pa.Table.from_pandas(frame[schema.names], schema=schema, preserve_index=False))


def read_frame(path: Path, columns: list[str] | None = None) -> pd.DataFrame:
    """Return a parquet file as a frame with aware times in UTC."""
    import pandas as pd

    return pd.read_parquet(path, columns=columns)


def read_rows(path: Path, columns: list[str], rows: NDArray[np.integer[Any]]) -> pd.DataFrame:
    """Return rows of a parquet file by their position, in the given order, without reading the groups between them.

    Parameters
    ----------
    rows : ndarray of int, shape (n,)
        Positions in the file; n > 0.

    Returns
    -------
    DataFrame, shape (n, columns)
        With a new index.
    """
    import numpy as np
    import pandas as pd
    import pyarrow.parquet as pq

    with pq.ParquetFile(path) as file:
        counts = [file.metadata.row_group(group).num_rows for group in range(file.metadata.num_row_groups)]
        ends = np.cumsum(counts)
        group_of = np.searchsorted(ends, rows, side="right")
        # Read one group at a time, because all columns of a long history may not fit into memory.
        parts = []
        for group in np.unique(group_of).tolist():
            here = np.flatnonzero(group_of == group)
            taken = file.read_row_group(group, columns=columns).take(rows[here] - (ends[group] - counts[group]))
            parts.append(taken.to_pandas().set_axis(here))
    return pd.concat(parts).sort_index()[columns]


def sha256(*paths: Path) -> str:
    """Return the hash over the bytes of files, in the given order."""
    digest = hashlib.sha256()
    for path in paths:
        digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def json_sha256(content: object) -> str:
    """Return the hash of content as canonical JSON: sorted keys, no space."""
    text = json.dumps(content, sort_keys=True, allow_nan=False, ensure_ascii=False, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def sources_sha256(*places: Path) -> str:
    """Return the hash over names and bytes of Python files, given as files or folders."""
    digest = hashlib.sha256()
    for place in places:
        for path in sorted(place.rglob("*.py")) if place.is_dir() else [place]:
            digest.update(path.relative_to(place.parent).as_posix().encode() + b"\0")
            digest.update(hashlib.sha256(path.read_bytes()).digest())
    return digest.hexdigest()


def log_line(text: str) -> None:
    """Print and flush a line, for the log of the run."""
    sys.stdout.write(text + "\n")
    sys.stdout.flush()
