"""Errors of failed runs for people: the stage, the rows, a message and what to do next."""

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
    "register": "Check that MLflow is up (`manage.py stack status`), then run again: nothing is trained twice.",
}

GATES_OF: Final = {
    "validate_raw": ("raw",),
    "validate_matches": ("finished", "upcoming"),
    "validate_features": ("features",),
}
"""Gates that each stage runs."""

NEXT_STEP: Final = "Read the last lines of the log, then run again, which resumes at this stage."

AFTER_CRASHES: Final = (
    "The system sends SIGKILL when memory runs out: check the memory of the machine. Then run again, which resumes at "
    "this stage."
)

GONE: Final = "The files of the earlier stages, which this retry begins with, are no longer kept."

AFTER_GONE: Final = "Run the pipeline again from its start: “Change parameters and run again” on this page."

AFTER_LIMIT: Final = "Raise SPAI_STAGE_LIMIT_MINUTES, then run again, which resumes at this stage."


def error_of(folder: Path, progress: Progress) -> dict[str, Any]:
    """Return the error of a failed run: the stage, the rows that a gate refused, a message, the next step."""
    stage = progress.failed
    results = [folder / files.VALIDATION / f"{gate}.json" for gate in GATES_OF.get(stage or "", ())]
    broken = [
        expectation for result in results if result.is_file() for expectation in files.read_json(result)["broken"]
    ]
    rows = [_row_text(expectation, row) for expectation in broken for row in expectation.get("rows", ())]
    message = "; ".join(
        f"{expectation['name']}: broken by {expectation.get('count', 0)} rows" for expectation in broken
    )
    message = message or _last_line(progress.attempt_log)
    return {"stage": stage, "rows": rows, "message": message, "next_step": NEXT_STEPS.get(stage or "", NEXT_STEP)}


def _last_line(log: str) -> str:
    """Return the error of DVC, or the last line of the failed stage."""
    lines = [line for line in log.splitlines() if not line.startswith(">")]
    refused = [line for line in lines if line.startswith("ERROR: ")]
    if refused and "failed to run" not in refused[0]:
        return refused[0].removeprefix("ERROR: ")
    output = [line for line in lines if not line.startswith("ERROR: ")]
    return output[-1] if output else "It ended without any output."


def _row_text(expectation: dict[str, Any], row: dict[str, Any]) -> str:
    values = ", ".join(f"{name}={'none' if value is None else value}" for name, value in row.items())
    return f"{expectation['file']}: {expectation['name']}: {values}"
