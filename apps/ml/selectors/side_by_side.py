"""Versions and runs side by side: metrics, calibration, features, parameters and data."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import yaml

from apps.matches.models import World
from apps.ml.models import ModelVersion, PipelineRun
from apps.ml.params_schema import flat
from apps.ml.selectors.registered_versions import stages, versions

SCORES: Final = {
    "log_loss": "log loss",
    "rps": "RPS",
    "brier": "Brier score",
    "ece": "ECE",
    "accuracy": "accuracy",
    "n": "matches",
}
"""Scores of a model in metrics.json, and their names."""

ONLY_DIFFERENCES: Final = ("Features", "Parameters")
"""Sections that show only the rows whose values differ: they have hundreds."""

Facts = dict[str, dict[str, Any]]
"""Values of one column by section and row."""


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One value of each column; None where a column does not have it."""

    name: str
    values: tuple[Any, ...]

    @property
    def differs(self) -> bool:
        """Whether the columns have different values."""
        return any(value != self.values[0] for value in self.values[1:])


@dataclass(frozen=True, slots=True)
class ComparedSection:
    """The rows of one subject, and the number of equal ones that are left out."""

    title: str
    rows: tuple[ComparedRow, ...]
    left_out: int


def versions_side_by_side(ids: Sequence[int]) -> tuple[list[ModelVersion], list[ComparedSection]]:
    """Return versions in the order of `ids`, labelled ones too, and what they have in common and apart."""
    found = versions().select_related("pipeline_run").in_bulk(list(ids))
    shown = [found[each] for each in dict.fromkeys(ids) if each in found]
    stages_of = {world: stages(World(world)) for world in {version.world for version in shown}}
    return shown, sections([_of_version(version, stages_of[version.world].of(version)) for version in shown])


def runs_side_by_side(ids: Sequence[int]) -> tuple[list[PipelineRun], list[ComparedSection]]:
    """Return runs in the order of `ids`, and what they have in common and apart."""
    found = PipelineRun.objects.defer("log").in_bulk(list(ids))
    shown = [found[each] for each in dict.fromkeys(ids) if each in found]
    made: dict[int, list[ModelVersion]] = {}
    for version in versions().filter(pipeline_run__in=shown).order_by("number"):
        made.setdefault(version.pipeline_run_id or 0, []).append(version)
    return shown, sections([_of_run(run, made.get(run.pk, [])) for run in shown])


def sections(columns: Sequence[Mapping[str, Mapping[str, Any]]]) -> list[ComparedSection]:
    """Return the facts of several columns row by row, in the order in which they first appear."""
    found = []
    for title in dict.fromkeys(title for column in columns for title in column):
        names = dict.fromkeys(name for column in columns for name in column.get(title, {}))
        rows = [ComparedRow(name, tuple(column.get(title, {}).get(name) for column in columns)) for name in names]
        shown = [row for row in rows if row.differs] if title in ONLY_DIFFERENCES else rows
        found.append(ComparedSection(title, tuple(shown), len(rows) - len(shown)))
    return found


def scores_of(metrics: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return the scores of all models and lines of prices in the metrics of a version, the lowest log loss first."""
    rows = [
        {"model": name, "inputs": metrics.get("inputs", {}).get(name, ""), **_named(scores)}
        for name, scores in metrics.get("models", {}).items()
    ]
    lines = [
        {"model": line["name"], "inputs": "prices", **_named(line["scores"])} for line in metrics.get("benchmarks", ())
    ]
    return sorted(rows, key=lambda row: row["log loss"] or 0.0) + lines


def _of_version(version: ModelVersion, stage: str) -> Facts:
    run = version.pipeline_run
    return {
        "About": {
            "stage": str(stage),
            "estimator": version.estimator,
            "inputs": version.inputs,
            "profile": version.profile,
            "code": version.code_revision,
            "made": version.created_at,
            "run": run.pk if run else None,
            "notes of the run": run.notes if run else None,
        },
        "Data": {
            "world": version.world,
            "data snapshot": version.data_snapshot,
            "as of": version.as_of,
            "sha256": version.data_sha256[:12],
            "matches": version.rows,
            "trained from": version.trained_from,
            "trained to": version.trained_to,
        }
        | _tested(version.metrics),
        **_measured(version.metrics, version.estimator),
        "Gates": {gate["name"]: "passed" if gate["passed"] else "not passed" for gate in version.gates},
        "Features": {"number of them": len(version.columns), **dict.fromkeys(version.columns, "read")},
        "Parameters": flat(run.params) if run else {"sha256": version.params_sha256[:12]},
    }


def _of_run(run: PipelineRun, made: Iterable[ModelVersion]) -> Facts:
    made = list(made)
    columns = {name: "read" for version in made for name in version.columns}
    return {
        "About": {
            "kind": run.get_kind_display(),
            "status": run.get_status_display(),
            "version": ", ".join(map(str, made)) or None,
            "requested by": run.requested_by,
            "why": run.reason,
            "notes": run.notes,
            "tags": ", ".join(run.tags),
            "error": run.error.get("message"),
            "code": run.code_revision,
        },
        "Data": {"world": run.world, "as of": run.as_of, **_files_of(run.dvc_lock), **_tested(run.metrics)},
        **_measured(run.metrics, run.metrics.get("best", "")),
        "Features": {"number of them": len(columns), **columns} if made else {},
        "Parameters": {"profile": run.profile, **flat(run.params)},
        "Seconds": {stage["name"]: stage["seconds"] for stage in run.stages},
    }


def _measured(metrics: Mapping[str, Any], estimator: str) -> Facts:
    """Return scores, calibration and distance from the lines of prices of one model."""
    models = metrics.get("models", {})
    own = models.get(estimator, {})
    gaps = {
        f"log loss against the {line['name']}": _interval(line["gap"]["log_loss"])
        for line in metrics.get("benchmarks", ())
        if line.get("gap")
    }
    calibration: dict[str, Any] = {"log loss before": own.get("raw", {}).get("log_loss"), "ECE": own.get("ece")}
    for row in metrics.get("reliability", ()):
        calibration |= {
            f"ECE of {row['outcome']}": row["ece"],
            f"its limit, {row['outcome']}": row["ece_limit"],
            f"ECE of {row['outcome']} before": row["before"]["ece"],
        }
    others = {f"log loss of {name}": scores["log_loss"] for name, scores in models.items() if name != estimator}
    return {"Metrics": {**_named(own), **gaps, **others}, "Calibration": calibration}


def _named(scores: Mapping[str, Any]) -> dict[str, Any]:
    return {name: scores.get(key) for key, name in SCORES.items()}


def _tested(metrics: Mapping[str, Any]) -> dict[str, Any]:
    test = metrics.get("test", {})
    return {"tested from": test.get("from"), "tested to": test.get("to"), "matches tested": test.get("n")}


def _interval(gap: Mapping[str, float]) -> str:
    return f"{gap['mean']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}]"


def _files_of(dvc_lock: str) -> dict[str, str]:
    """Return the hashes of the exported files in a lock file; none when it cannot be read."""
    try:
        outs = yaml.safe_load(dvc_lock)["stages"]["export"]["outs"]
        return {out["path"]: out["md5"][:12] for out in outs}
    except (yaml.YAMLError, KeyError, TypeError, ValueError):
        return {}
