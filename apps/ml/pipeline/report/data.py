"""The input of the report."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from apps.ml.pipeline import files


@dataclass(frozen=True, slots=True)
class ReportData:
    """Contents of the files that the report is made from."""

    metrics: dict[str, Any]
    breakdown: dict[str, Any]
    betting: dict[str, Any]
    explained: dict[str, Any]

    @classmethod
    def read(cls, root: Path) -> Self:
        """Read the files of the workspace `root`."""
        paths = (files.METRICS, files.BREAKDOWN, files.BETTING, files.EXPLAINED)
        return cls(*(files.read_json(root / path) for path in paths))
