"""What serving costs and keeps to, part by part in one run: `python -m benchmarks.serving [PART ...]`.

The parts are separate benchmarks, each with its own throw-away servers and its own table: forecasts of single
matches, lists and batches, limits of requests, jobs and webhooks, push. Figures of different runs cannot be compared
where the machine was busy; those of one run can.
"""

from __future__ import annotations

import argparse
import subprocess
import sys
from typing import Final

PARTS: Final = {
    "single": "benchmarks.serving_single",
    "lists": "benchmarks.serving_lists",
    "limits": "benchmarks.throttle",
    "jobs": "benchmarks.jobs",
    "push": "benchmarks.push",
}


def main(arguments: list[str] | None = None) -> int:
    """Run the parts one after the other; return how many of them failed."""
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    options.add_argument("parts", nargs="*", metavar="PART", help=f"some of {', '.join(PARTS)}; all by default")
    chosen = options.parse_args(arguments).parts or list(PARTS)
    if unknown := set(chosen) - PARTS.keys():
        options.error(f"{', '.join(sorted(unknown))}: the parts are {', '.join(PARTS)}")
    return sum(subprocess.run([sys.executable, "-m", PARTS[part]], check=False).returncode != 0 for part in chosen)


if __name__ == "__main__":
    sys.exit(main())
