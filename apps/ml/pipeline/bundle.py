"""The bundle of a model version: its served files in one zip. Equal content gives equal bytes; nothing is pickled.

A bundle holds the calibrated estimator, the feature state at the end of the training data, for a model that uses prices
also the state of the ratings made of them, the catalogue of features, and golden rows: features with the forecasts that
they gave where the bundle was made. Unpacking checks the files, the
columns and the golden rows before the model can be used.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import json
import platform
import shutil
import tempfile
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final, Self

import numpy as np

from apps.ml.forecasting import estimators
from apps.ml.forecasting.arrays import Floats
from apps.ml.forecasting.estimators import Calibrated, Estimator
from apps.ml.forecasting.estimators.base import places
from apps.ml.forecasting.features import FeatureState

FORMAT: Final = 1
"""Version of the layout; increase it when older code would misread the files."""

GOLDEN_TOLERANCE: Final = 1e-6
"""Default of the largest difference of a golden forecast."""

OTHER_PYTHON_TOLERANCE: Final = 1e-9
"""Largest difference when another minor version of Python made the bundle."""

FIRST_PYTHON: Final = "3.11"
"""The version of Python that made bundles without this field."""

MANIFEST: Final = "manifest.json"
CATALOGUE: Final = "catalogue.json"
GOLDEN: Final = "golden.json"
STATE: Final = "state.bin"
PRICE_STATE: Final = "price_state.bin"
MODEL: Final = "model"


class BundleError(ValueError):
    """The bundle is damaged, has another format, or does not reproduce its golden forecasts."""


@dataclass(frozen=True, slots=True)
class Manifest:
    """What the bundle was made from."""

    world: str
    estimator: str  # name in the registry of estimators
    inputs: str  # such as ``no odds``
    profile: str
    as_of: datetime  # facts known before it were used; aware, UTC
    data_snapshot: int  # number of the one that was exported
    rows: int  # matches that it was trained on
    trained_from: date  # day of their first kick-off, UTC
    trained_to: date
    names: tuple[str, ...]  # columns of the features it was trained on; newer code may make more of the same state
    params: Mapping[str, Any]  # those of the whole pipeline
    sources_sha256: str  # hash of the code of features, estimators and stages
    # Hashes of the exported files, of the parameters with the profile, and of the run's whole catalogue of features;
    # empty in bundles that are older than these fields.
    data_sha256: str = ""
    params_sha256: str = ""
    catalogue_sha256: str = ""

    def as_dict(self) -> dict[str, Any]:
        """Return the manifest for JSON."""
        moments = {name: getattr(self, name).isoformat() for name in ("as_of", "trained_from", "trained_to")}
        return asdict(self) | moments | {"names": list(self.names), "params": dict(self.params)}

    @classmethod
    def from_dict(cls, content: Mapping[str, Any]) -> Self:
        """Return the manifest that `as_dict` gave."""
        return cls(
            **dict(content)
            | {
                "as_of": datetime.fromisoformat(content["as_of"]),
                "trained_from": date.fromisoformat(content["trained_from"]),
                "trained_to": date.fromisoformat(content["trained_to"]),
                "names": tuple(content["names"]),
            }
        )


@dataclass(frozen=True, slots=True)
class ModelForecast:
    """Forecasts of fixtures by the model."""

    p: Floats  # home, draw, away; calibrated, shape (n, 3)
    goals: Floats  # expected, of the home and of the away side, shape (n, 2)
    contributions: dict[str, Floats]  # log-odds of home against away by group; they sum to the raw score
    intervals: Floats | None  # low and high end around each probability, shape (n, 3, 2); None where none were fitted


@dataclass(frozen=True, slots=True)
class Bundle:
    """An unpacked and checked bundle."""

    manifest: Manifest
    estimator: Estimator | Calibrated
    catalogue: tuple[dict[str, Any], ...]
    state_bytes: bytes
    golden: dict[str, Any]
    price_state_bytes: bytes = b""  # of a model that uses prices

    def price_state(self) -> FeatureState | None:
        """Return a new state of the ratings made of prices; None for a model that uses none."""
        return FeatureState.from_bytes(self.price_state_bytes) if self.price_state_bytes else None

    def state(self) -> FeatureState:
        """Return a new feature state that has observed the training data."""
        return FeatureState.from_bytes(self.state_bytes)

    def forecast(self, values: Floats) -> ModelForecast:
        """Return the forecasts of features as `FeatureState.describe` gives them, shape (n, features)."""
        p, goals, around = self.numbers(values)
        return ModelForecast(p, goals, self.estimator.contributions(as_trained(values)), around)

    @property
    def interval_level(self) -> float | None:
        """Share of the matches whose closing line the intervals shall hold; None where none were fitted."""
        intervals = self.estimator.intervals if isinstance(self.estimator, Calibrated) else None
        return None if intervals is None else intervals.level

    def numbers(self, values: Floats) -> tuple[Floats, Floats, Floats | None]:
        """Return `p`, `goals` and `intervals` of `forecast`, without the contributions, which take most of its time."""
        rounded = as_trained(values)
        p, goals = self.estimator.numbers(rounded)
        around = self.estimator.intervals_around(p, rounded) if isinstance(self.estimator, Calibrated) else None
        return p, goals, around

    def features_sha256(self, row: Floats) -> str:
        """Return the hash of the features of one fixture that the model uses, in 32 bits."""
        read = row[places(self.manifest.names, self.estimator.columns)]
        # Adding 0 turns -0 into 0; all NaN get the same bits.
        rounded = np.where(np.isnan(read), np.float32("nan"), read.astype(np.float32) + np.float32(0)).astype("<f4")
        return hashlib.sha256(rounded.tobytes()).hexdigest()


def as_trained(values: Floats) -> Floats:
    """Round features to 32 bits, as in the files that models are trained on."""
    return values.astype(np.float32).astype(np.float64)


def pack(
    *,
    manifest: Manifest,
    model: Path,
    state: bytes,
    catalogue: list[dict[str, Any]],
    golden: Floats,
    tolerance: float = GOLDEN_TOLERANCE,
    price_state: bytes = b"",
) -> bytes:
    """Return the bundle as an uncompressed zip.

    Parameters
    ----------
    manifest : Manifest
        What it was made from.
    model : Path
        Folder of the saved estimator.
    state : bytes
        The feature state at the end of the training data.
    catalogue : list of dict
        One row for each feature.
    golden : ndarray, shape (n, features)
        Features of the golden rows.
    tolerance : float
        Largest difference of a golden probability, or of golden expected goals, when the bundle is opened.
    price_state : bytes
        For a model that uses prices: the state of the ratings made of them, at the end of the training data.
    """
    estimator = estimators.load(model)
    paths = sorted(path for path in model.rglob("*") if path.is_file())
    content = {f"{MODEL}/{path.relative_to(model).as_posix()}": path.read_bytes() for path in paths}
    content[STATE] = state
    if price_state:
        content[PRICE_STATE] = price_state
    content[CATALOGUE] = _json(catalogue)
    content[GOLDEN] = _json(_golden_rows(estimator, as_trained(golden)) | {"tolerance": tolerance})
    hashes = {name: hashlib.sha256(data).hexdigest() for name, data in sorted(content.items())}
    content[MANIFEST] = _json({"format": FORMAT, "files": hashes, **manifest.as_dict()})
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_STORED) as archive:
        for name, data in sorted(content.items()):
            # The default date of ZipInfo is fixed, so that the bytes do not depend on the time.
            archive.writestr(zipfile.ZipInfo(name), data)
    return buffer.getvalue()


def unpack(content: bytes, folder: Path, *, sha256: str | None = None) -> Bundle:
    """Write the files of a bundle into `folder` and return it, checked.

    Raises
    ------
    BundleError
        When the bytes do not have the hash `sha256` or are not a bundle, or a check of `open_folder` fails.
    """
    if sha256 is not None and hashlib.sha256(content).hexdigest() != sha256:
        raise BundleError("the bundle does not have the registered sha256")
    if folder.exists():
        with contextlib.suppress(BundleError):
            return open_folder(folder)
        # The folder is damaged; unpack again.
        shutil.rmtree(folder, ignore_errors=True)
    folder.parent.mkdir(parents=True, exist_ok=True)
    # Processes may unpack at the same time: each into its own folder, and the first to rename it wins.
    with tempfile.TemporaryDirectory(dir=folder.parent) as scratch:
        _extract(content, Path(scratch) / folder.name)
        with contextlib.suppress(OSError):
            (Path(scratch) / folder.name).rename(folder)
    return open_folder(folder)


def _extract(content: bytes, folder: Path) -> None:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            for name in archive.namelist():
                target = folder / name
                if not target.resolve().is_relative_to(folder.resolve()):
                    raise BundleError(f"the bundle names a file outside its folder: {name}")
                target.parent.mkdir(parents=True, exist_ok=True)
                target.write_bytes(archive.read(name))
    except (zipfile.BadZipFile, EOFError, NotImplementedError, RuntimeError) as error:
        raise BundleError(f"the bundle is not a zip file that can be read: {error}") from error


def open_folder(folder: Path) -> Bundle:
    """Return the bundle in an unpacked folder.

    Raises
    ------
    BundleError
        When a file is missing or changed, the format is another, the columns do not match, or the golden rows give
        other forecasts here than where the bundle was made.
    """
    try:
        header = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
        if header.pop("format") != FORMAT:
            raise BundleError(f"the bundle has another format than {FORMAT}")
        listed = header.pop("files")
        for name, expected in listed.items():
            if hashlib.sha256((folder / name).read_bytes()).hexdigest() != expected:
                raise BundleError(f"{name} in the bundle has changed")
        manifest = Manifest.from_dict(header)
        estimator = estimators.load(folder / MODEL)
        golden = json.loads((folder / GOLDEN).read_text(encoding="utf-8"))
        catalogue = json.loads((folder / CATALOGUE).read_text(encoding="utf-8"))
        described = [row["name"] for row in catalogue]
        state = (folder / STATE).read_bytes()
        price_state = (folder / PRICE_STATE).read_bytes() if PRICE_STATE in listed else b""
    except BundleError:
        raise
    except (OSError, KeyError, IndexError, TypeError, ValueError) as error:
        raise BundleError(f"the bundle is incomplete: {error}") from error
    if tuple(estimator.names) != manifest.names or described != list(manifest.names):
        raise BundleError("the features of the model, the catalogue and the manifest differ")
    check_golden(estimator, golden)
    return Bundle(manifest, estimator, tuple(catalogue), state, golden, price_state)


def header_of(content: bytes) -> dict[str, Any] | None:
    """Return the manifest of a bundle as data, without unpacking the rest; None when it cannot be read."""
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            header: dict[str, Any] = json.loads(archive.read(MANIFEST))
            return header
    except (zipfile.BadZipFile, KeyError, ValueError):
        return None


def manifest_of(content: bytes) -> Manifest:
    """Return the manifest of a bundle, without loading the model.

    Raises
    ------
    BundleError
        When it cannot be read.
    """
    header = header_of(content) or {}
    try:
        return Manifest.from_dict({name: value for name, value in header.items() if name not in ("format", "files")})
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"the manifest of the bundle cannot be read: {error}") from error


def check_golden(estimator: Estimator | Calibrated, golden: Mapping[str, Any]) -> None:
    """Check that the golden rows give the stored forecasts.

    Raises
    ------
    BundleError
        When a probability or an expected number of goals differs by more than the stored tolerance, or by more than
        `OTHER_PYTHON_TOLERANCE` when another version of Python made the bundle.
    """
    tolerance, made_with, here = golden["tolerance"], golden.get("python", FIRST_PYTHON), running_python()
    origin = "those of the training machine"
    if made_with != here:
        tolerance = min(tolerance, OTHER_PYTHON_TOLERANCE)
        origin = f"those of Python {made_with}, which made the bundle; this is Python {here}"
    values = np.array(golden["features"], dtype=np.float64).reshape(-1, len(estimator.names))
    for name, got in (("p", estimator.predict_proba(values)), ("goals", estimator.expected_goals(values))):
        expected = np.array(golden[name], dtype=np.float64).reshape(got.shape)
        difference = float(np.abs(got - expected).max(initial=0.0))
        if not difference <= tolerance:
            raise BundleError(f"golden rows: {name} differ by {difference:.3g} from {origin}")


def running_python() -> str:
    """Return the minor version of the running Python, such as 3.13."""
    return ".".join(platform.python_version_tuple()[:2])


def _golden_rows(estimator: Estimator | Calibrated, values: Floats) -> dict[str, Any]:
    return {
        "features": [[None if np.isnan(number) else number for number in row] for row in values.tolist()],
        "p": estimator.predict_proba(values).tolist(),
        "goals": estimator.expected_goals(values).tolist(),
        "python": running_python(),
    }


def _json(content: object) -> bytes:
    return json.dumps(content, indent=1, sort_keys=True, allow_nan=False, ensure_ascii=False).encode()
