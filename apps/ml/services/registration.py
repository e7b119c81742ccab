"""The last stage of the pipeline: register the best model of a run in MLflow and as a row with its bundle.

Not imported by the package: it loads pandas and the estimators, which web processes do not need.
"""

from __future__ import annotations

import gzip
import hashlib
import json
import logging
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from pathlib import Path
from typing import Any, Final

import numpy as np
import pandas as pd
import pyarrow.parquet as pq
from django.conf import settings
from django.db import transaction

from apps.ml import registry, selectors
from apps.ml.forecasting import estimators
from apps.ml.models import EvaluationArtifacts, FeatureCatalogue, ModelVersion, PipelineRun
from apps.ml.pipeline import bundle as bundles
from apps.ml.pipeline import card, comparison, evaluate, files, gates
from apps.ml.pipeline.columns import CALIBRATED, KEYS
from apps.ml.pipeline.revision import code_revision, params_sha256, sources_sha256

logger = logging.getLogger(__name__)

ARTIFACTS: Final = (
    *(files.METRICS, files.BREAKDOWN, files.EXPLAINED, files.BETTING),
    *(files.REPORT, files.PLOTS, files.CATALOGUE, files.VALIDATION),
)
"""Files that MLflow stores with a model: the evaluation as data and as a page, the catalogue, the gates."""


@dataclass(frozen=True, slots=True)
class Registration:
    """A version, and whether this call made it."""

    version: ModelVersion
    created: bool


@dataclass(frozen=True, slots=True)
class FinishedRun:
    """A run whose other stages have finished."""

    root: Path
    params: dict[str, Any]  # its ``params.yaml`` but the section ``run``
    manifest: files.RawManifest
    hashes: dict[str, str]  # of data, parameters and source code
    about: dict[str, Any]  # number of training rows, and the days of the first and last
    snapshot: int  # number of the data snapshot
    catalogue: list[dict[str, Any]]  # all features, including those made of prices
    catalogue_sha256: str
    golden: pd.DataFrame  # the golden rows, with the columns of both feature files
    run_id: int | None  # of the `PipelineRun`, where the site started it

    @classmethod
    def read(cls, root: Path) -> FinishedRun:
        """Read the files in the folder of a run."""
        params = files.read_params(root)
        run = params.pop("run", None) or {}
        manifest = files.RawManifest.read(root)
        hashes = {
            "data_sha256": files.sha256(*(root / path for path in files.RAW)),
            "params_sha256": params_sha256(params, manifest.profile),
            "sources_sha256": sources_sha256(),
        }
        catalogue = files.read_catalogue(root, with_prices=True)
        return cls(
            root=root,
            params=params,
            manifest=manifest,
            hashes=hashes,
            about=files.read_json(root / files.TRAINED / files.ABOUT),
            snapshot=int(files.read_json(root / files.SNAPSHOT)["data_snapshot"]),
            catalogue=catalogue,
            catalogue_sha256=files.json_sha256(catalogue),
            golden=golden_rows(root, params["gates"]["golden_rows"]),
            run_id=run.get("id"),
        )


@dataclass(frozen=True, slots=True)
class ChosenModel:
    """A model of a run that is registered as a version."""

    run: FinishedRun
    metrics: dict[str, Any]  # results of the evaluation, with the model's name as ``best``
    key: str  # hash of everything that it was made from

    @property
    def name(self) -> str:
        """Name of the estimator."""
        return str(self.metrics["best"])

    @property
    def inputs(self) -> str:
        """Its inputs: `files.NO_ODDS`, or its label."""
        return str(self.metrics["inputs"][self.name])

    @property
    def folder(self) -> Path:
        """Folder of the saved estimator."""
        return self.run.root / files.MODEL / self.name

    @property
    def catalogue(self) -> list[dict[str, Any]]:
        """Features of the model's input rows; those made of prices only for a model that uses them."""
        return [row for row in self.run.catalogue if row["inputs"] == files.NO_ODDS or self.inputs != files.NO_ODDS]

    @property
    def names(self) -> tuple[str, ...]:
        """Names of these features."""
        return tuple(row["name"] for row in self.catalogue)


def register(root: Path, *, now: datetime) -> list[Registration]:
    """Register the best model of a finished run and, before it, the best one that uses prices, as labelled.

    The last one is the version that can be served; `files.REGISTERED` names it.

    Raises
    ------
    registry.RegistryError
        When MLflow cannot be reached or refuses.
    """
    run, metrics = FinishedRun.read(root), files.read_json(root / files.METRICS)
    chosen = [ChosenModel(run, metrics, _key(run.manifest.world, run.hashes))]
    labelled = metrics_of_labelled(root, metrics, run.params)
    if labelled is not None:
        # First, so that the newest version of a run is the one that can be served.
        chosen.insert(0, ChosenModel(run, labelled, _key(run.manifest.world, run.hashes, labelled["best"])))
    made = [_registered(one, now) for one in chosen]
    version = made[-1].version
    about = {"world": version.world, "number": version.number, "key": version.key, "id": version.pk}
    files.write_json(root / files.REGISTERED, about | {"created": made[-1].created})
    return made


def _key(*made_of: object) -> str:
    return hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()


def _registered(chosen: ChosenModel, now: datetime) -> Registration:
    """Return the version made from the same inputs, or a new one."""
    same = ModelVersion.objects.filter(world=chosen.run.manifest.world, key=chosen.key, files_deleted_at__isnull=True)
    present = same.defer("bundle").first()
    if present is not None:
        return Registration(present, created=False)
    content = _bundle(chosen)
    tags = _tags(chosen, content)
    registered = registry.register(
        world=chosen.run.manifest.world,
        key=chosen.key,
        bundle=content,
        names=chosen.names,
        params={"profile": chosen.run.manifest.profile, **chosen.run.params},
        metrics=chosen.metrics | {"rows_trained": chosen.run.about["rows"]},
        tags=tags | ({"pipeline_run": str(chosen.run.run_id)} if chosen.run.run_id else {}),
        files=[chosen.run.root / path for path in ARTIFACTS if (chosen.run.root / path).exists()],
    )
    version = _stored(chosen, registered, content, tags, now)
    try:
        registry.describe(world=version.world, registered=registered, card=card.markdown(selectors.card_facts(version)))
    except registry.RegistryError as error:
        # The card can wait: `mirror_aliases` stores it as soon as MLflow can be reached.
        logger.warning("%s", error)
    return Registration(version, created=True)


def _bundle(chosen: ChosenModel) -> bytes:
    """Return the bundle."""
    run, about, names = chosen.run, chosen.run.about, chosen.names
    manifest = bundles.Manifest(
        world=run.manifest.world,
        estimator=chosen.name,
        inputs=chosen.inputs,
        profile=run.manifest.profile,
        as_of=run.manifest.as_of,
        data_snapshot=run.snapshot,
        rows=about["rows"],
        trained_from=date.fromisoformat(about["from"]),
        trained_to=date.fromisoformat(about["to"]),
        names=names,
        params=run.params,
        catalogue_sha256=run.catalogue_sha256,
        **run.hashes,
    )
    return bundles.pack(
        manifest=manifest,
        model=chosen.folder,
        state=(run.root / files.STATE).read_bytes(),
        catalogue=chosen.catalogue,
        golden=run.golden[list(names)].to_numpy(dtype=np.float64),
        tolerance=run.params["gates"]["golden_tolerance"],
        price_state=b"" if chosen.inputs == files.NO_ODDS else (run.root / files.PRICE_STATE).read_bytes(),
    )


def _tags(chosen: ChosenModel, content: bytes) -> dict[str, str]:
    """Return the lineage of the model as tags of the MLflow run and version."""
    run, about = chosen.run, chosen.run.about
    return run.hashes | {
        "key": chosen.key,
        "catalogue_sha256": run.catalogue_sha256,
        "bundle_sha256": hashlib.sha256(content).hexdigest(),
        "code_revision": code_revision(settings.SPAI_REVISION),
        "data_snapshot": str(run.snapshot),
        "world": run.manifest.world,
        "as_of": run.manifest.as_of.isoformat(),
        "profile": run.manifest.profile,
        "estimator": chosen.name,
        "inputs": chosen.inputs,
        "rows": str(about["rows"]),
        "trained_from": about["from"],
        "trained_to": about["to"],
    }


def _stored(
    chosen: ChosenModel, registered: registry.RegisteredVersion, content: bytes, tags: Mapping[str, str], now: datetime
) -> ModelVersion:
    """Store the version with its catalogue and evaluation artifacts, and return it as read from the database."""
    run, about, forecasts = chosen.run, chosen.run.about, comparison.stored_forecasts(chosen.run.root, chosen.name)
    with transaction.atomic():
        catalogue, _ = FeatureCatalogue.objects.get_or_create(
            sha256=tags["catalogue_sha256"],
            defaults={"features": run.catalogue, "created_at": now},
        )
        version = ModelVersion.objects.create(
            world=run.manifest.world,
            number=registered.number,
            mlflow_run_id=registered.run_id,
            estimator=chosen.name,
            inputs=chosen.inputs,
            profile=run.manifest.profile,
            key=chosen.key,
            data_sha256=run.hashes["data_sha256"],
            params_sha256=run.hashes["params_sha256"],
            sources_sha256=run.hashes["sources_sha256"],
            code_revision=tags["code_revision"],
            data_snapshot=run.snapshot,
            as_of=run.manifest.as_of,
            rows=about["rows"],
            trained_from=about["from"],
            trained_to=about["to"],
            metrics=chosen.metrics,
            gates=[*chosen.metrics["gates"], golden_gate(content, run.params["gates"])],
            bundle=content,
            bundle_sha256=tags["bundle_sha256"],
            catalogue=catalogue,
            columns=list(estimators.load(chosen.folder).columns),
            pipeline_run=PipelineRun.objects.filter(pk=run.run_id).first() if run.run_id else None,
            created_at=now,
        )
        EvaluationArtifacts.objects.create(
            version=version,
            forecasts=forecasts,
            forecasts_sha256=hashlib.sha256(forecasts).hexdigest(),
            # Without a time in the header, equal reports give equal bytes.
            report=gzip.compress((run.root / files.REPORT).read_bytes(), mtime=0),
            created_at=now,
        )
    return ModelVersion.objects.get(pk=version.pk)


def metrics_of_labelled(root: Path, metrics: dict[str, Any], params: dict[str, Any]) -> dict[str, Any] | None:
    """Return the evaluation of the best model that uses prices; None where none was trained.

    Results that exist for the best model only, such as those by competition, are left out.
    """
    scores, inputs = metrics["models"], metrics["inputs"]
    labelled = [name for name in scores if inputs[name] != files.NO_ODDS]
    if not labelled:
        return None
    best = min(labelled, key=lambda name: scores[name]["log_loss"])
    rows = evaluate.test_forecasts(root)[best]
    kept = {name: metrics[name] for name in ("world", "profile", "as_of", "rows", "inputs", "test", "models")}
    return kept | {"best": best, "gates": gates.passed(rows[CALIBRATED].to_numpy(), best, scores, params["gates"])}


def golden_rows(root: Path, count: int) -> pd.DataFrame:
    """Return feature rows spread evenly over the history, including the first and the last."""
    parts = []
    for path in (files.FEATURES, files.PRICES):
        schema, total = pq.read_schema(root / path), pq.read_metadata(root / path).num_rows
        rows = np.unique(np.linspace(0, total - 1, count).round().astype(int))
        parts.append(files.read_rows(root / path, [name for name in schema.names if name not in KEYS.names], rows))
    return pd.concat(parts, axis=1)


def golden_gate(content: bytes, section: dict[str, Any]) -> dict[str, Any]:
    """Return the gate that a loaded copy of the bundle reproduces its golden forecasts."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            bundles.unpack(content, Path(folder) / "bundle")
            passed, reason = True, f"a loaded copy gives the same forecast for {section['golden_rows']} kept matches"
        except bundles.BundleError as error:
            passed, reason = False, str(error)
    bound = section["golden_tolerance"]
    return {"name": "golden rows", "passed": passed, "value": None, "bound": bound, "reason": reason}
