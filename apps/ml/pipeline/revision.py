"""Revision and hash of the running code."""

from __future__ import annotations

import hashlib
import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from apps.ml.pipeline import files
from apps.ml.policy import SECTIONS

CODE: Final = Path(__file__).resolve().parents[1]
"""Folder of the code of models: `apps/ml`."""

ROOT: Final = CODE.parents[1]
"""The checkout."""

DIRTY: Final = "+dirty"
"""Suffix of a revision with uncommitted changes."""

MODEL_CODE: Final = ("forecasting", "pipeline", "pyfunc_model.py")
"""Code that determines the numbers of a model."""

RUN_CODE: Final = (CODE, CODE.parent / "matches")
"""Code that determines what a run exports, trains and registers."""


SHOWN: Final = ("back_test",)
"""Sections of the parameters that change pages only, and no model."""


def sources_sha256() -> str:
    """Return the hash over the code that determines the numbers of a model."""
    return files.sources_sha256(*(CODE / name for name in MODEL_CODE))


def run_code_sha256() -> str:
    """Return the hash over the code that determines what a run does, as the files are now."""
    return files.sources_sha256(*RUN_CODE)


def params_sha256(params: Mapping[str, Any], profile: str) -> str:
    """Return the hash over the profile and the parameters of a version, without the policy and the page sections."""
    made_of = {name: section for name, section in params.items() if name not in (*SECTIONS, *SHOWN)}
    return hashlib.sha256(json.dumps([made_of, profile], sort_keys=True).encode()).hexdigest()


def code_revision(given: str = "") -> str:
    """Return the revision in git, with ``+dirty`` where files differ from it; else `given`; else ``src-`` and a hash.

    An image that carries no git history has a `given` revision.
    """
    if (ROOT / ".git").exists():
        command = ["git", "describe", "--always", "--abbrev=12", f"--dirty={DIRTY}"]
        try:
            found = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=20, check=True)  # noqa: S603
            return found.stdout.strip()
        except (OSError, subprocess.SubprocessError):
            pass
    return given or f"src-{run_code_sha256()[:16]}"
