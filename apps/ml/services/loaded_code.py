"""Whether the code of runs was replaced since this process loaded it, as an upgrade does."""

from __future__ import annotations

from typing import Final

from apps.ml.models import PipelineRun
from apps.ml.pipeline.revision import run_code_sha256

LOADED_CODE: Final = run_code_sha256()
"""Hash of the code of runs when this process loaded it; stages are processes of their own and load what is there."""

NEW_CODE: Final = "its code was replaced while it ran, as an upgrade does; it goes on after the restart"
"""Why a run was interrupted."""


def code_was_replaced() -> bool:
    """Whether stages load other code than this process has, which may not go with the tables until the restart."""
    return run_code_sha256() != LOADED_CODE


def waits_for_restart(run: PipelineRun) -> bool:
    """Whether a run was interrupted because its code was replaced, and this process still has the code of before."""
    is_interrupted = run.status == PipelineRun.RunStatus.INTERRUPTED
    causes = [noted["cause"] for noted in run.interruptions[-1:]]
    return is_interrupted and causes == [NEW_CODE] and code_was_replaced()
