"""The result of a back-test whose stages have ended: its forecasts, and a line for its log."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from apps.ml.models import BackTestForecasts, PipelineRun
from apps.ml.pipeline import files


@dataclass(frozen=True, slots=True)
class BackTestResult:
    """The content of a `BackTestForecasts` row."""

    forecasts: bytes
    seasons: dict[str, str]
    data_snapshot: int


def read(folder: Path) -> BackTestResult:
    """Read the result of a finished back-test from the folder of its run."""
    # Loads pandas: only at the end of a run.
    from apps.ml.pipeline import comparison

    plan = files.read_json(folder / files.FOLDS)
    snapshot = int(files.read_json(folder / files.SNAPSHOT)["data_snapshot"])
    return BackTestResult(comparison.stored_forecasts(folder, plan["back_test"]), plan["seasons"], snapshot)


def store(run: PipelineRun, result: BackTestResult, *, now: datetime) -> None:
    """Store the forecasts of a back-test; a run that repeats its end after an interruption stores them once."""
    values = {"forecasts": result.forecasts, "seasons": result.seasons, "data_snapshot": result.data_snapshot}
    BackTestForecasts.objects.get_or_create(run_id=run.pk, defaults=values | {"created_at": now})


def result_in_words(metrics: Mapping[str, Any]) -> str:
    """Return the result of a back-test as a line of its log."""
    scores = {name: metrics["models"][name]["log_loss"] for name in (metrics["best"], "base_rates")}
    found = [f"{metrics['test']['n']} matches", *(f"log loss of {name} {loss:.4f}" for name, loss in scores.items())]
    for line in metrics["benchmarks"]:
        gap = line["gap"]["log_loss"]
        found.append(
            f"{gap['mean']:+.4f} [{gap['low']:+.4f}, {gap['high']:+.4f}] from the {line['name']} on {line['n']} of them"
        )
    return ", ".join(found)
