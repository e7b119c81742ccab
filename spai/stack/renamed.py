"""Names that earlier versions used: variables that an operator set, and files that a stack left in `var/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

VARIABLES = {"SPAI_FACE": "SPAI_ROLE", "SPAI_OFFICE_URL": "SPAI_ADMIN_URL"}
LOGS = {"office": "admin", "watch": "monitor"}
RUN_FILES = ("asked", "watched-by")
"""Files in `var/run` that have another name now and are written again at each start."""


def error_in(environment: Mapping[str, str]) -> str:
    """Return an error message when `environment` sets a variable under its old name, otherwise an empty string."""
    for old, new in VARIABLES.items():
        if environment.get(old):
            value = " and its value `office` is now `admin`" if old == "SPAI_FACE" else ""
            return f"{old} is now called {new}{value}. Rename it where it is set: in the environment or in .env."
    return ""


def with_current_names(values: Mapping[str, str]) -> dict[str, str]:
    """Return the values of an earlier version's `stack.env` under the names of today; a value under both is kept."""
    return {VARIABLES.get(name, name): value for name, value in values.items()} | {
        name: value for name, value in values.items() if name not in VARIABLES
    }


def convert_files(logs: Path, run: Path) -> None:
    """Rename logs and their rotated files without overwriting any; remove old files in `run`."""
    for old, new in LOGS.items():
        for path in logs.glob(f"{old}.log*"):
            target = path.with_name(path.name.replace(old, new, 1))
            if not target.exists():
                path.rename(target)
    for name in RUN_FILES:
        (run / name).unlink(missing_ok=True)
