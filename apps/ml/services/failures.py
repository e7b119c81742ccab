"""What people read of a run that failed: the stage, the rows, a message and what to do next."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final

from apps.ml.pipeline import files
from apps.ml.pipeline.progress import Progress

CORRECT_ROWS: Final = "Look at the rows in the admin under Matches, correct or re-import their source, then run again."

NEXT_STEPS: Final = {
    "export": "The database could not be read, or holds no matches of this world. Import some, then run again.",
    "validate_raw": CORRECT_ROWS,
    "validate_matches": CORRECT_ROWS,
    "validate_features": "A feature is out of bounds: look at the teams' matches before these rows, then run again.",
    "split": "The history is too short for a walk forward. Import older seasons, then run again.",
    "register": "Is MLflow up? `manage.py stack status` tells. Then run again: nothing is trained twice.",
}

GATES_OF: Final = {
    "validate_raw": ("raw",),
    "validate_matches": ("finished", "upcoming"),
    "validate_features": ("features",),
}
"""The gates that a stage runs."""

NEXT_STEP: Final = (
    "Read the last lines of the log; when they do not tell enough, run again, which resumes at this stage."
)

AFTER_CRASHES: Final = (
    "SIGKILL is what the system sends when memory runs out: look at the memory of the machine. Then run again, which "
    "resumes at this stage."
)

AFTER_LIMIT: Final = "Raise SPAI_STAGE_LIMIT_MINUTES, then run again, which resumes at this stage."


def error_of(folder: Path, progress: Progress) -> dict[str, Any]:
    """Return what a failed run says of itself: the stage, the rows that a gate refused, a message, the next step."""
    stage = progress.failed
    results = [folder / files.VALIDATION / f"{gate}.json" for gate in GATES_OF.get(stage or "", ())]
    broken = [verdict for result in results if result.is_file() for verdict in files.read_json(result)["broken"]]
    rows = [_named(verdict, row) for verdict in broken for row in verdict.get("rows", ())]
    message = "; ".join(f"{verdict['name']}: {verdict.get('count', 0)} rows are not so" for verdict in broken)
    message = message or _last_words(progress.attempt_log)
    return {"stage": stage, "rows": rows, "message": message, "next_step": NEXT_STEPS.get(stage or "", NEXT_STEP)}


def _last_words(log: str) -> str:
    """Return what DVC refused, or the latest line of the stage that failed."""
    lines = [line for line in log.splitlines() if not line.startswith(">")]
    refused = [line for line in lines if line.startswith("ERROR: ")]
    if refused and "failed to run" not in refused[0]:
        return refused[0].removeprefix("ERROR: ")
    said = [line for line in lines if not line.startswith("ERROR: ")]
    return said[-1] if said else "It ended without a word."


def _named(verdict: dict[str, Any], row: dict[str, Any]) -> str:
    values = ", ".join(f"{name}={'none' if value is None else value}" for name, value in row.items())
    return f"{verdict['file']}: {verdict['name']}: {values}"
