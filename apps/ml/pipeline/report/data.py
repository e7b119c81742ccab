"""What the stages before the report found."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from apps.ml.pipeline import files


@dataclass(frozen=True, slots=True)
class ReportData:
    """The contents of the files that the report is made of.

    Parameters
    ----------
    metrics, breakdown, betting : dict
        What the evaluation writes.
    explained : dict
        What the stage of that name writes.
    """

    metrics: dict[str, Any]
    breakdown: dict[str, Any]
    betting: dict[str, Any]
    explained: dict[str, Any]

    @classmethod
    def read(cls, root: Path) -> Self:
        """Read the files of the workspace `root`."""
        paths = (files.METRICS, files.BREAKDOWN, files.BETTING, files.EXPLAINED)
        return cls(*(files.read_json(root / path) for path in paths))
