"""`manage.py register_model`: the best model of a run becomes a version in MLflow and a row with its served files."""

from __future__ import annotations

import gzip
import hashlib
import json
import tempfile
from datetime import date
from pathlib import Path
from typing import Any, Final

import numpy as np
from django.conf import settings
from django.core.management.base import BaseCommand, CommandError, CommandParser
from django.db import transaction
from django.utils import timezone
from pyarrow import dataset

from apps.ml import registry, selectors
from apps.ml.forecasting import estimators
from apps.ml.models import Dossier, FeatureCatalogue, ModelVersion, PipelineRun
from apps.ml.pipeline import bundle as bundles
from apps.ml.pipeline import card, comparison, evaluate, files, gates
from apps.ml.pipeline.columns import CALIBRATED
from apps.ml.pipeline.revision import code_revision, params_sha256, sources_sha256

KEPT_BESIDE: Final = (
    *(files.METRICS, files.BREAKDOWN, files.EXPLAINED, files.BETTING),
    *(files.REPORT, files.PLOTS, files.CATALOGUE, files.VALIDATION),
)
"""What MLflow keeps beside a model: the evaluation as numbers and as a page, the catalogue, what the gates said."""


class Command(BaseCommand):
    """Last stage of the pipeline; DVC starts it in the folder of a run."""

    # A run starts two commands; checking the whole site each time would take longer than some stages.
    requires_system_checks = ()
    help = (
        "Register the best model of data/ in MLflow and keep its served files, and beside it, labelled, the best that "
        "looks at prices; the same inputs register nothing twice."
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
            "data_sha256": files.sha256(root / files.MATCHES, root / files.ODDS, root / files.LINEUPS),
            "params_sha256": params_sha256(params, manifest.profile),
            "sources_sha256": sources_sha256(),
        }
        about_labelled = metrics_of_labelled(root, metrics, params)
        if about_labelled is not None:
            # First, so that the newest version of a run is the one that may be served.
            made_of = [manifest.world, hashes, about_labelled["best"]]
            self._once(root, params, about_labelled, manifest, hashes, made_of, run.get("id"))
        made_of = [manifest.world, hashes]
        present, created = self._once(root, params, metrics, manifest, hashes, made_of, run.get("id"))
        files.write_json(
            root / files.REGISTERED,
            {
                "world": present.world,
                "number": present.number,
                "key": present.key,
                "created": created,
                "id": present.pk,
            },
        )

    def _once(
        self,
        root: Path,
        params: dict[str, Any],
        metrics: dict[str, Any],
        manifest: files.RawManifest,
        hashes: dict[str, str],
        made_of: list[Any],
        run_id: int | None,
    ) -> tuple[ModelVersion, bool]:
        """Return the version that was made of the same, else a new one, and whether it is new."""
        key = hashlib.sha256(json.dumps(made_of, sort_keys=True).encode()).hexdigest()
        present = ModelVersion.objects.filter(world=manifest.world, key=key).defer("bundle").first()
        if present is not None:
            self.stdout.write(f"{present} was made from the same already")
            return present, False
        made = self._register(root, params, metrics, manifest, hashes, key, run_id)
        self._describe(made)
        label = f", labelled: {made.inputs}" if made.is_labelled else ""
        self.stdout.write(f"registered {made}: {made.estimator}{label}")
        return made, True

    def _describe(self, version: ModelVersion) -> None:
        try:
            registry.describe(
                world=version.world,
                registered=registry.Registered(version.number, version.mlflow_run_id),
                card=card.markdown(selectors.card_facts(version)),
            )
        except registry.RegistryError as error:
            # The version is whole without its card; the mirror of the aliases writes it as soon as MLflow answers.
            self.stderr.write(str(error))

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
        catalogue = files.read_catalogue(root, with_prices=True)
        catalogue_sha256 = files.json_sha256(catalogue)
        best, inputs = metrics["best"], metrics["inputs"][metrics["best"]]
        model = root / files.MODEL / best
        is_labelled = inputs != files.NO_ODDS
        taken = files.read_catalogue(root, with_prices=is_labelled)
        names = tuple(row["name"] for row in taken)
        content = bundles.pack(
            manifest=bundles.Manifest(
                world=manifest.world,
                estimator=best,
                inputs=inputs,
                profile=manifest.profile,
                as_of=manifest.as_of,
                data_snapshot=snapshot,
                rows=about["rows"],
                trained_from=date.fromisoformat(about["from"]),
                trained_to=date.fromisoformat(about["to"]),
                names=names,
                params=params,
                catalogue_sha256=catalogue_sha256,
                **hashes,
            ),
            model=model,
            state=(root / files.STATE).read_bytes(),
            catalogue=taken,
            golden=golden_rows(root, params["gates"]["golden_rows"], names),
            tolerance=params["gates"]["golden_tolerance"],
        )
        found_gates = [*metrics["gates"], golden_gate(content, params["gates"])]
        lineage = hashes | {
            "key": key,
            "catalogue_sha256": catalogue_sha256,
            "bundle_sha256": hashlib.sha256(content).hexdigest(),
            "code_revision": revision,
            "data_snapshot": str(snapshot),
            "world": manifest.world,
            "as_of": manifest.as_of.isoformat(),
            "profile": manifest.profile,
            "estimator": best,
            "inputs": inputs,
            "rows": str(about["rows"]),
            "trained_from": about["from"],
            "trained_to": about["to"],
        }
        try:
            registered = registry.register(
                world=manifest.world,
                key=key,
                bundle=content,
                names=names,
                params={"profile": manifest.profile, **params},
                metrics=metrics | {"rows_trained": about["rows"]},
                tags=lineage | ({"pipeline_run": str(run_id)} if run_id else {}),
                files=[root / path for path in KEPT_BESIDE if (root / path).exists()],
            )
        except registry.RegistryError as error:
            raise CommandError(str(error)) from error
        now = timezone.now()
        forecasts = comparison.keep(root, best)
        with transaction.atomic():
            kept, _ = FeatureCatalogue.objects.get_or_create(
                sha256=catalogue_sha256, defaults={"features": catalogue, "created_at": now}
            )
            version = ModelVersion.objects.create(
                world=manifest.world,
                number=registered.number,
                mlflow_run_id=registered.run_id,
                estimator=best,
                inputs=inputs,
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
                gates=found_gates,
                bundle=content,
                bundle_sha256=lineage["bundle_sha256"],
                catalogue=kept,
                columns=list(estimators.load(model).columns),
                pipeline_run=PipelineRun.objects.filter(pk=run_id).first() if run_id else None,
                created_at=now,
            )
            Dossier.objects.create(
                version=version,
                forecasts=forecasts,
                forecasts_sha256=hashlib.sha256(forecasts).hexdigest(),
                # The time in the header of the file would make two of the same report differ.
                report=gzip.compress((root / files.REPORT).read_bytes(), mtime=0),
                created_at=now,
            )
        return ModelVersion.objects.get(pk=version.pk)


def metrics_of_labelled(root: Path, metrics: dict[str, Any], params: dict[str, Any]) -> dict[str, Any] | None:
    """Return what the evaluation says of the best model that looks at prices; None where none was trained.

    What was measured of the best model alone, such as its leagues and its distance to the lines, is left out.
    """
    scores, inputs = metrics["models"], metrics["inputs"]
    labelled = [name for name in scores if inputs[name] != files.NO_ODDS]
    if not labelled:
        return None
    best = min(labelled, key=lambda name: scores[name]["log_loss"])
    steps = files.read_json(root / files.FOLDS)["folds"]
    rows = evaluate.tested(files.read_frame(root / files.CALIBRATED), steps)[best]
    kept = {name: metrics[name] for name in ("world", "profile", "as_of", "rows", "inputs", "test", "models")}
    return kept | {
        "best": best,
        "gates": gates.passed(rows[CALIBRATED].to_numpy(), best, scores, params["gates"]),
    }


def golden_rows(root: Path, count: int, names: tuple[str, ...]) -> np.ndarray:
    """Return rows spread evenly over the history, the first and the latest among them, shape (count, names).

    No more than these rows are kept in memory: a long history with all its columns may not fit into it.
    """
    parts = []
    for path in (files.FEATURES, files.PRICES):
        table = dataset.dataset(root / path)
        rows = np.unique(np.linspace(0, table.count_rows() - 1, count).round().astype(int))
        own = [name for name in table.schema.names if name in names]
        if own:
            parts.append(table.take(rows, columns=own).select(own).to_pandas().to_numpy(dtype=np.float64))
    return np.column_stack(parts)


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
