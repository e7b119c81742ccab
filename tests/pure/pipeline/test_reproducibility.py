"""Another process makes the same bytes, and none of them is a pickle."""

from __future__ import annotations

from datetime import date
from pathlib import Path

import numpy as np
import pandas as pd

from apps.ml.pipeline import bundle as bundles
from apps.ml.pipeline import comparison, files


def outs(root: Path) -> dict[str, bytes]:
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def test_another_process_in_another_folder_gives_the_same_bytes_of_every_file(built, again):
    first, second = outs(built), outs(again / "workspace")
    assert list(first) == list(second)
    assert [name for name in first if first[name] != second[name]] == []
    assert any(name.endswith(".ubj") for name in first)


def test_the_served_files_and_the_kept_forecasts_of_both_are_the_same_bytes(built, again):
    best = files.read_json(built / files.METRICS)["best"]
    assert packed(built, best) == packed(again / "workspace", best)
    assert comparison.stored_forecasts(built, best) == comparison.stored_forecasts(again / "workspace", best)


def packed(root: Path, model: str) -> bytes:
    catalogue = files.read_catalogue(root)
    names = tuple(row["name"] for row in catalogue)
    about = files.read_json(root / files.TRAINED / files.ABOUT)
    return bundles.pack(
        manifest=bundles.Manifest(
            world="sandbox",
            estimator=model,
            inputs="no odds",
            profile="smoke",
            as_of=files.RawManifest.read(root).as_of,
            data_snapshot=7,
            rows=about["rows"],
            trained_from=date.fromisoformat(about["from"]),
            trained_to=date.fromisoformat(about["to"]),
            names=names,
            params=files.read_params(root),
            sources_sha256="0" * 64,
            data_sha256=files.sha256(root / files.MATCHES, root / files.ODDS),
            catalogue_sha256=files.json_sha256(files.read_catalogue(root, with_prices=True)),
        ),
        model=root / files.MODEL / model,
        state=(root / files.STATE).read_bytes(),
        catalogue=catalogue,
        golden=pd.read_parquet(root / files.FEATURES)[list(names)].to_numpy(dtype=np.float64)[-5:],
    )


def test_nothing_that_a_run_writes_is_pickled(built):
    assert [name for name, content in outs(built).items() if content[:2] in (b"\x80\x04", b"\x80\x05")] == []
    assert {Path(name).suffix for name in outs(built)} <= {
        ".parquet",
        ".npz",
        ".json",
        ".yaml",
        ".bin",
        ".npy",
        ".ubj",
        ".svg",
        ".html",
    }
