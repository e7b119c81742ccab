"""Saved forecasts of finished walk-forward steps, so that an interrupted stage does not repeat them."""

from __future__ import annotations

import hashlib
import os
import platform
import shutil
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import Any, Final

import numpy as np

from apps.ml.forecasting.arrays import Floats
from apps.ml.pipeline import files

FOLDER: Final = Path(".steps")
"""Folder of the steps. All workspaces link it to one shared folder, so that a repeated run reuses the steps of the
failed one."""

KEYS_KEPT: Final = 4
"""Number of stages whose steps are kept: the running one, and those interrupted last."""

CODE: Final = Path(__file__).resolve().parents[1]
DECIDES: Final = (
    CODE / "forecasting",
    *(
        CODE / "pipeline" / f"{name}.py"
        for name in ("back_test", "columns", "files", "finished_steps", "parallel", "split", "train")
    ),
)
"""Code that determines the forecasts of a step."""

LIBRARIES: Final = ("numpy", "scipy", "pandas", "scikit-learn", "xgboost", "numba")


@dataclass(frozen=True, slots=True)
class StepForecast:
    """The forecasts of a model in a step."""

    p: Floats  # shape (test rows, 3)
    seconds: float  # duration of fit and forecast


def key_of(root: Path, params: Mapping[str, Any]) -> str:
    """Return the hash of everything that determines the forecasts: data, parameters, code, libraries."""
    digest = hashlib.sha256()
    for path in (files.FEATURES, files.PRICES, files.FOLDS):
        with (root / path).open("rb") as file:
            digest.update(hashlib.file_digest(file, "sha256").digest())
    versions = {name: metadata.version(name) for name in LIBRARIES} | {"python": platform.python_version()}
    about = [params["split"], params["train"], files.sources_sha256(*DECIDES), versions]
    digest.update(files.json_sha256(about).encode())
    return digest.hexdigest()


class FinishedSteps:
    """Saved steps of the workspace `root` under one key, see `key_of`."""

    def __init__(self, root: Path, key: str) -> None:
        self._folder = root / FOLDER / key
        self._folder.mkdir(parents=True, exist_ok=True)
        # Sorted with the newest last; this one is in use, so make it the newest.
        os.utime(self._folder)
        others = sorted(self._folder.parent.iterdir(), key=lambda path: path.stat().st_mtime)
        for path in others[:-KEYS_KEPT]:
            shutil.rmtree(path, ignore_errors=True)
        # A stage that was killed leaves its matrices, hundreds of megabytes; it writes them again.
        for path in self._folder.parent.glob("*/*.npy"):
            path.unlink(missing_ok=True)

    def read(self, number: int) -> dict[str, StepForecast] | None:
        """Return the forecasts of a step by model; None when they are not saved or damaged."""
        try:
            with self._path(number).open("rb") as file, np.load(file, allow_pickle=False) as kept:
                names = [name.removeprefix("p ") for name in kept.files if name.startswith("p ")]
                return {name: StepForecast(kept[f"p {name}"], float(kept[f"seconds {name}"])) for name in names}
        except (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile):
            return None

    def write(self, number: int, forecasts: Mapping[str, StepForecast]) -> None:
        """Save the forecasts of a step."""
        arrays: dict[str, Floats] = {}
        for name, forecast in forecasts.items():
            arrays |= {f"p {name}": forecast.p, f"seconds {name}": np.array(forecast.seconds)}
        unfinished = self._path(number).with_suffix(".new")
        with unfinished.open("wb") as file:
            np.savez(file, allow_pickle=False, **arrays)
        unfinished.replace(self._path(number))

    def matrix(self, name: str) -> Path:
        """Return the file of features that the steps share while the stage runs."""
        return self._folder / f"{name}.npy"

    def clear(self) -> None:
        """Delete the steps, when the stage has finished."""
        shutil.rmtree(self._folder, ignore_errors=True)

    def _path(self, number: int) -> Path:
        return self._folder / f"{number:03d}.npz"
