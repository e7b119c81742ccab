"""Names that earlier versions used: variables that an operator set, and files that a stack left in `var/`."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

VARIABLES = {"SPAI_FACE": "SPAI_ROLE", "SPAI_OFFICE_URL": "SPAI_ADMIN_URL"}
LOGS = {"office": "admin", "watch": "monitor"}


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


def rename_logs(folder: Path) -> None:
    """Rename the logs of processes that have another name now, with their rotated files; overwrite none."""
    for old, new in LOGS.items():
        for path in folder.glob(f"{old}.log*"):
            target = path.with_name(path.name.replace(old, new, 1))
            if not target.exists():
                path.rename(target)
