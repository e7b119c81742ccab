"""The only module that calls MLflow: log a run, register its model, set aliases, store model cards.

MLflow is imported inside the functions, because it is slow to load and most processes never use it. All functions are
idempotent.
"""

from __future__ import annotations

import os
import shutil
import tempfile
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeVar

from django.conf import settings

from apps.ml.pipeline.card import shortened

if TYPE_CHECKING:
    from mlflow import MlflowClient

Found = TypeVar("Found")

REQUIREMENTS: Final = ("mlflow", "numpy", "pandas", "scipy", "numba", "xgboost")
"""Packages that the registered model needs, pinned to the versions that it was made with."""

PARAM_LENGTH: Final = 6000
"""Longest value of a parameter that MLflow takes."""

DESCRIPTION_LENGTH: Final = 5000
"""Longest description of a version that MLflow keeps."""

CARD: Final = "model_card.md"
"""Artifact of a run with the model card of its version."""

CODE: Final = Path(__file__).resolve().parent


class RegistryError(RuntimeError):
    """MLflow cannot be reached, or refused a request; the message says what to do."""


@dataclass(frozen=True, slots=True)
class RegisteredVersion:
    """A version in the registry: its number and its MLflow run."""

    number: int
    run_id: str


def name_of(world: str) -> str:
    """Return the name of the registered model of a world."""
    return f"spai-{world}"


def register(
    *,
    world: str,
    key: str,
    bundle: bytes,
    names: Sequence[str],
    params: Mapping[str, Any],
    metrics: Mapping[str, Any],
    tags: Mapping[str, str],
    files: Sequence[Path],
) -> RegisteredVersion:
    """Log a run and register its model, unless a version with this `key` exists; return the version.

    Parameters
    ----------
    world, key : str
        World of the model, and the hash of data, parameters and code that it was made from.
    bundle : bytes
        The served files.
    names : sequence of str
        Features that the model takes, in order.
    params, metrics : mapping
        Nested mappings; numbers and texts are logged under dotted names.
    tags : mapping
        Hashes, code revision and the like.
    files : sequence of Path
        Files and folders to store with the run: plots, report, metrics.

    Raises
    ------
    RegistryError
        When MLflow cannot be reached or refuses.
    """
    import mlflow

    client = _client()
    try:
        present = _with_key(client, world, key)
        if present is not None:
            return present
        mlflow.set_experiment(name_of(world))
        with mlflow.start_run(run_name=f"{metrics['best']} {metrics['as_of'][:10]}", tags=dict(tags)) as run:
            mlflow.log_params({name: str(value)[:PARAM_LENGTH] for name, value in flat(params).items()})
            mlflow.log_metrics({name: value for name, value in flat(metrics).items() if _is_number(value)})
            for path in files:
                log = mlflow.log_artifacts if path.is_dir() else mlflow.log_artifact
                log(str(path), *([path.name] if path.is_dir() else []))
            model_uri = _log_model(bundle, names)
        version = mlflow.register_model(model_uri, name_of(world), tags={"key": key, **tags})
    except mlflow.exceptions.MlflowException as error:
        raise RegistryError(f"MLflow refused the model: {_without_address(error)}") from error
    return RegisteredVersion(int(version.version), run.info.run_id)


def set_aliases(*, world: str, aliases: Mapping[str, int | None]) -> None:
    """Set the aliases of the world's registered model; delete those whose version is None.

    Raises
    ------
    RegistryError
        When MLflow cannot be reached or has no such version.
    """
    import mlflow

    name = name_of(world)
    try:
        client = _client()
        present = client.get_registered_model(name).aliases
        for alias, number in aliases.items():
            if number is None and alias in present:
                client.delete_registered_model_alias(name, alias)
            elif number is not None and str(present.get(alias)) != str(number):
                client.set_registered_model_alias(name, alias, str(number))
    except mlflow.exceptions.MlflowException as error:
        raise RegistryError(f"the aliases of {name} are not set: {_without_address(error)}") from error


def describe(*, world: str, registered: RegisteredVersion, card: str) -> bool:
    """Store a model card as artifact and description of a version; return whether it changed.

    Raises
    ------
    RegistryError
        When MLflow cannot be reached or has no such version.
    """
    import mlflow

    name = name_of(world)
    text = shortened(card, DESCRIPTION_LENGTH, f"the artifact {CARD} of the run")
    try:
        client = _client()
        if client.get_model_version(name, str(registered.number)).description == text:
            return False
        client.log_text(registered.run_id, card, CARD)
        # Written last, so that a version with this description always has the artifact too.
        client.update_model_version(name, str(registered.number), description=text)
    except mlflow.exceptions.MlflowException as error:
        raise RegistryError(
            f"version {registered.number} of {name} is not described: {_without_address(error)}"
        ) from error
    return True


def delete(*, world: str, number: int, run_id: str) -> None:
    """Delete a version with its run and the files of both; what is gone already is passed over.

    Raises
    ------
    RegistryError
        When MLflow cannot be reached or refuses.
    """
    import mlflow
    from mlflow.store.artifact.artifact_repository_registry import get_artifact_repository

    name = name_of(world)
    try:
        client = _client()
        run = _found(lambda: client.get_run(run_id))
        version = _found(lambda: client.get_model_version(name, str(number)))
        # The version names it only by its address.
        model_id = (version.source or "").removeprefix("models:/") if version is not None else ""
        model = _found(lambda: client.get_logged_model(model_id)) if model_id else None
        # The files first: what is deleted names them no longer.
        for place in (model and model.artifact_location, run and run.info.artifact_uri):
            if place:
                get_artifact_repository(place).delete_artifacts()
        if version is not None:
            client.delete_model_version(name, str(number))
        if model is not None:
            client.delete_logged_model(model.model_id)
        if run is not None and run.info.lifecycle_stage == "active":
            client.delete_run(run_id)
    except mlflow.exceptions.MlflowException as error:
        raise RegistryError(f"version {number} of {name} is not deleted: {_without_address(error)}") from error


def _found(read: Callable[[], Found]) -> Found | None:
    """Return what `read` returns; None when MLflow does not have it."""
    import mlflow

    try:
        return read()
    except mlflow.exceptions.MlflowException as error:
        if error.error_code != "RESOURCE_DOES_NOT_EXIST":
            raise
        return None


def flat(nested: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    """Return the leaves of nested mappings by dotted names, without lists of mappings."""
    found: dict[str, Any] = {}
    for name, value in nested.items():
        if isinstance(value, Mapping):
            found |= flat(value, f"{prefix}{name}.")
        elif not (isinstance(value, list) and value and isinstance(value[0], Mapping)):
            found[f"{prefix}{name}"] = value
    return found


def _without_address(error: Exception) -> str:
    # The address may contain a password, and the message is shown on the page of the run.
    return str(error).replace(settings.MLFLOW_TRACKING_URI, "the server of MLFLOW_TRACKING_URI")


def _client() -> MlflowClient:
    if not settings.MLFLOW_TRACKING_URI:
        raise RegistryError("MLFLOW_TRACKING_URI is not set; `manage.py stack up` starts an MLflow server and sets it")
    os.environ.setdefault("MLFLOW_DISABLE_TELEMETRY", "true")
    import mlflow

    mlflow.set_tracking_uri(settings.MLFLOW_TRACKING_URI)
    return mlflow.MlflowClient()


def _with_key(client: MlflowClient, world: str, key: str) -> RegisteredVersion | None:
    found = client.search_model_versions(f"name='{name_of(world)}' and tags.`key`='{key}'", max_results=1)
    return RegisteredVersion(int(found[0].version), str(found[0].run_id)) if found else None


def _log_model(bundle: bytes, names: Sequence[str]) -> str:
    """Log the bundle as a pyfunc with the code that it needs; return the URI of the model."""
    import mlflow
    import numpy as np

    from apps.ml.pyfunc_model import INPUT, OUTPUTS

    inputs = mlflow.types.Schema([mlflow.types.TensorSpec(np.dtype(np.float64), (-1, len(names)), INPUT)])
    outputs = mlflow.types.Schema([mlflow.types.ColSpec("double", name) for name in OUTPUTS])
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "bundle.zip").write_bytes(bundle)
        with warnings.catch_warnings():
            # MLflow asks for an example input; the metadata name every feature, and golden rows check the model.
            warnings.filterwarnings("ignore", "An input example was not provided|.*input_example", UserWarning)
            logged = mlflow.pyfunc.log_model(
                name="model",
                python_model=str(CODE / "pyfunc_model.py"),
                artifacts={"bundle": str(Path(folder) / "bundle.zip")},
                code_paths=[str(_code(Path(folder)))],
                pip_requirements=[f"{name}=={metadata.version(name)}" for name in REQUIREMENTS],
                signature=mlflow.models.ModelSignature(inputs=inputs, outputs=outputs),
                metadata={INPUT: list(names)},
            )
    return str(logged.model_uri)


def _code(folder: Path) -> Path:
    """Copy the code that a model needs to forecast; return the folder of the package."""
    package = folder / "code" / "apps"
    shutil.copytree(CODE / "forecasting", package / "ml" / "forecasting", ignore=shutil.ignore_patterns("__pycache__"))
    for source in (CODE.parent / "__init__.py", CODE / "__init__.py"):
        shutil.copy(source, package / source.relative_to(CODE.parent))
    return package


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)
