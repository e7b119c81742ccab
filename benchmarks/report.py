"""The output of every benchmark: a table for people, and the same numbers as JSON for programs.

A benchmark calls `parser()` for its options, makes a list of `Measure`, and ends with `print_measures()`. Durations are
printed and never decide the exit code. `print_refused()` names the rows that were refused in the files that it read.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    # At run time it needs Django, which not every benchmark sets up.
    from apps.scraping.services import ImportReport


@dataclass(frozen=True, slots=True)
class Measure:
    """One number.

    Parameters
    ----------
    name : str
        What was measured.
    value : float
        The number.
    unit : str
        Its unit, such as ``"s"`` or ``"matches/s"``.
    target : str, optional
        What it should be, in words, such as ``"≤ 90"``.
    """

    name: str
    value: float
    unit: str
    target: str = ""


@dataclass(frozen=True, slots=True)
class Refusal:
    """A row, or a whole file, that was not used.

    Parameters
    ----------
    file : str
        As named within its folder.
    line : int or None
        Of the row, where it is known; 0 for the whole file.
    reason : str
        Why, in words.
    row : str, optional
        What the row says.
    """

    file: str
    line: int | None
    reason: str
    row: str = ""


def refusals_of(report: ImportReport) -> list[Refusal]:
    """Return what an import refused, in the order of its files."""
    found = []
    for file in report.files:
        if file.error:
            found.append(Refusal(file.name, 0, file.error))
        found += [Refusal(file.name, row.line, row.reason, row.row) for row in file.refusals]
    return found


def print_refused(refusals: Sequence[Refusal], files: int) -> None:
    """Print how many of the files and rows were refused, and each of them with its reason."""
    whole = [refusal for refusal in refusals if refusal.line == 0]
    rows = [refusal for refusal in refusals if refusal.line != 0]
    print(f"refused: {len(whole)} of {files} files, and {len(rows)} rows of {len({row.file for row in rows})} others")
    for refusal in whole:
        print(f"  {refusal.file}, the whole file: {refusal.reason}")
    for refusal in rows:
        place = f"{refusal.file}, line {refusal.line}" if refusal.line else refusal.file
        print(f"  {place}: {refusal.reason} | {refusal.row}")


def parser(description: str) -> argparse.ArgumentParser:
    """Return a parser that knows `--json FILE`."""
    options = argparse.ArgumentParser(description=description)
    options.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there too")
    return options


def folder_of(given: str | None) -> Path:
    """Return the folder that holds files in football-data form, or end with what is missing."""
    if not given:
        raise SystemExit("there is nothing to measure with: give --data DIR, or set SPAI_REAL_DATA")
    data = Path(given)
    data = data / "football-data" if (data / "football-data").is_dir() else data
    if not any(data.rglob("*.csv")):
        raise SystemExit(f"{data} holds no csv files")
    return data


def machine() -> dict[str, str | int | float]:
    """Return what the numbers depend on: processors, their load, versions."""
    return {
        "processors": os.cpu_count() or 0,
        "load": round(os.getloadavg()[0], 2),
        "python": platform.python_version(),
        "platform": platform.platform(),
    }


def print_measures(
    title: str, measures: Sequence[Measure], json_file: Path | None, refusals: Sequence[Refusal] | None = None
) -> None:
    """Print the table, and write the JSON where it was requested, with what was refused of the files that were read."""
    about = machine()
    width = max(len(measure.name) for measure in measures)
    print(f"\n{title}  ({about['processors']} processors, load {about['load']} at the end)")
    for measure in measures:
        value = f"{measure.value:,.0f}" if abs(measure.value) >= 1000 else f"{measure.value:,.4g}"
        print(f"  {measure.name:<{width}}  {value:>12} {measure.unit:<10} {measure.target}".rstrip())
    if json_file is not None:
        document = {
            "benchmark": title,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": about,
            "measures": [asdict(measure) for measure in measures],
        }
        if refusals is not None:
            document["refused"] = [asdict(refusal) for refusal in refusals]
        json_file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
