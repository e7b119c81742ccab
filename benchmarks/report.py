"""The form of every benchmark's answer: a table for people, the same numbers for programs.

A benchmark calls `parser()` for its options, makes a list of `Measure`, and ends with `tell()`.
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


def tell(title: str, measures: Sequence[Measure], json_file: Path | None) -> None:
    """Print the table, and write the JSON where it was asked for."""
    about = machine()
    width = max(len(measure.name) for measure in measures)
    print(f"\n{title}  ({about['processors']} processors, load {about['load']} at the end)")
    for measure in measures:
        value = f"{measure.value:,.0f}" if abs(measure.value) >= 1000 else f"{measure.value:,.3g}"
        print(f"  {measure.name:<{width}}  {value:>12} {measure.unit:<10} {measure.target}".rstrip())
    if json_file is not None:
        document = {
            "benchmark": title,
            "measured_at": datetime.now(UTC).isoformat(timespec="seconds"),
            "machine": about,
            "measures": [asdict(measure) for measure in measures],
        }
        json_file.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n")
