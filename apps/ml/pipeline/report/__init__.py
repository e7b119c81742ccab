"""The report of the evaluation: one HTML page with embedded plots, and the plots as files."""

from __future__ import annotations

from pathlib import Path

from apps.ml.pipeline import files
from apps.ml.pipeline.report.data import ReportData
from apps.ml.pipeline.report.page import page
from apps.ml.pipeline.report.plots import plots

__all__ = ["ReportData", "main", "page", "plots"]


def main(root: Path = Path()) -> None:
    """Run the stage in the workspace `root`."""
    found = ReportData.read(root)
    pictures = plots(found)
    for name, svg in pictures.items():
        files.write_text(root / files.PLOTS / f"{name}.svg", svg)
    text = page(found, pictures)
    files.write_text(root / files.REPORT, text)
    files.log_line(f"report of {len(text.encode()) / 1000:.0f} kB with {len(pictures)} pictures")
