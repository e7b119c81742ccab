"""`manage.py register_model`: the best model of a run becomes a version in MLflow and a row with its served files."""

from __future__ import annotations

import hashlib
import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.utils import timezone

from apps.ml import registry
from apps.ml.models import ModelVersion, PipelineRun
from apps.ml.pipeline import bundle as bundles
from apps.ml.pipeline import files
from apps.ml.pipeline.columns import KEYS
from apps.ml.pipeline.revision import code_revision, sources_sha256

KEPT: Final = (
    files.METRICS,
    files.BREAKDOWN,
    files.EXPLAINED,
    files.BETTING,
    files.REPORT,
    files.PLOTS,
    files.CATALOGUE,
)
"""What is kept in MLflow beside the model: the evaluation as numbers and as a page, and the catalogue of features."""


class Command(BaseCommand):
    """Last stage of the pipeline; DVC starts it in the folder of a run."""

    # A run starts two commands; checking the whole site each time would take longer than some stages.
    requires_system_checks = ()
    help = (
        "Register the best model of data/ in MLflow and keep its served files; the same inputs register nothing twice."
    )

    def add_arguments(self, parser: CommandParser) -> None:
        """Declare the options."""
        parser.add_argument("--root", type=Path, default=Path(), help="folder of the run; default: this one")

    def handle(self, **options: Any) -> None:
        """Register, unless a version was made from the same data, params and code."""
        root: Path = options["root"]
        params = files.read_params(root)
        run = params.pop("run", None) or {}
        metrics, manifest = files.read_json(root / files.METRICS), files.RawManifest.read(root)
        hashes = {
            "data_sha256": files.sha256(root / files.MATCHES, root / files.ODDS),
            "params_sha256": hashlib.sha256(
                json.dumps([params, manifest.profile], sort_keys=True).encode()
            ).hexdigest(),
            "sources_sha256": sources_sha256(),
        }
        key = hashlib.sha256(json.dumps([manifest.world, hashes], sort_keys=True).encode()).hexdigest()
        present = ModelVersion.objects.filter(world=manifest.world, key=key).defer("bundle").first()
        if present is None:
            present = self._register(root, params, metrics, manifest, hashes, key, run.get("id"))
            created = True
        else:
            created = False
        files.write_json(
            root / files.REGISTERED,
            {"world": present.world, "number": present.number, "key": key, "created": created, "id": present.pk},
        )
        says = f"registered {present}: {present.estimator}" if created else f"{present} was made from the same already"
        self.stdout.write(says)

    def _register(
        self,
        root: Path,
        params: dict[str, Any],
        metrics: dict[str, Any],
        manifest: files.RawManifest,
        hashes: dict[str, str],
        key: str,
        run_id: int | None,
    ) -> ModelVersion:
        about = files.read_json(root / files.TRAINED / files.ABOUT)
        snapshot = files.read_json(root / files.SNAPSHOT)["data_snapshot"]
        revision = code_revision(settings.SPAI_REVISION)
        features, _, names = read_all(root)
        content = bundles.pack(
            manifest=bundles.Manifest(
                world=manifest.world,
                estimator=metrics["best"],
                inputs=metrics["inputs"][metrics["best"]],
                profile=manifest.profile,
                as_of=manifest.as_of,
                data_snapshot=snapshot,
                rows=about["rows"],
                trained_from=date.fromisoformat(about["from"]),
                trained_to=date.fromisoformat(about["to"]),
                names=names,
                params=params,
                sources_sha256=hashes["sources_sha256"],
            ),
            model=root / files.MODEL / metrics["best"],
            state=(root / files.STATE).read_bytes(),
            catalogue=files.read_json(root / files.CATALOGUE),
            golden=golden_rows(features, params["gates"]["golden_rows"]),
            tolerance=params["gates"]["golden_tolerance"],
        )
        gates = [*metrics["gates"], golden_gate(content, params["gates"])]
        try:
            registered = registry.register(
                world=manifest.world,
                key=key,
                bundle=content,
                names=names,
                params={"profile": manifest.profile, **params},
                metrics=metrics | {"rows_trained": about["rows"]},
                tags=hashes | {"key": key, "code_revision": revision, "data_snapshot": str(snapshot)},
                files=[root / path for path in KEPT],
            )
        except registry.RegistryError as error:
            raise CommandError(str(error)) from error
        return ModelVersion.objects.create(
            world=manifest.world,
            number=registered.number,
            mlflow_run_id=registered.run_id,
            estimator=metrics["best"],
            inputs=metrics["inputs"][metrics["best"]],
            profile=manifest.profile,
            key=key,
            data_sha256=hashes["data_sha256"],
            params_sha256=hashes["params_sha256"],
            code_revision=revision,
            data_snapshot=snapshot,
            as_of=manifest.as_of,
            rows=about["rows"],
            trained_from=about["from"],
            trained_to=about["to"],
            metrics=metrics,
            gates=gates,
            bundle=content,
            bundle_sha256=hashlib.sha256(content).hexdigest(),
            pipeline_run=PipelineRun.objects.filter(pk=run_id).first() if run_id else None,
            created_at=timezone.now(),
        )


def read_all(root: Path) -> tuple[np.ndarray, Any, tuple[str, ...]]:
    """Return the features of all matches, fixtures included, their keys and the names of the columns."""
    frame = files.read_frame(root / files.FEATURES)
    names = tuple(name for name in frame.columns if name not in KEYS.names)
    return frame[list(names)].to_numpy(dtype=np.float64), frame[KEYS.names], names


def golden_rows(features: np.ndarray, count: int) -> np.ndarray:
    """Return rows spread evenly over the history, the first and the latest among them."""
    return features[np.unique(np.linspace(0, len(features) - 1, count).round().astype(int))]


def golden_gate(content: bytes, section: dict[str, Any]) -> dict[str, Any]:
    """Return the gate that a loaded copy of the served files gives the forecasts that it was made with."""
    with tempfile.TemporaryDirectory() as folder:
        try:
            bundles.unpack(content, Path(folder) / "bundle")
            passed, reason = True, f"a loaded copy gives the same forecast for {section['golden_rows']} kept matches"
        except bundles.BundleError as error:
            passed, reason = False, str(error)
    bound = section["golden_tolerance"]
    return {"name": "golden rows", "passed": passed, "value": None, "bound": bound, "reason": reason}
