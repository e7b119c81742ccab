"""Seconds from export to a version: `python -m benchmarks.pipeline [--json FILE] [--data DIR] [--profile NAME]`.

DIR (default: SPAI_REAL_DATA) holds files in football-data form (itself, or in football-data/); without it the simulated
world is measured. A separate PostgreSQL is started; workspaces, caches and MLflow's files are in a temporary folder.
Each profile runs on its own empty cache, then once more without a change.
"""

from __future__ import annotations

import os
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.report import Measure, Refusal, folder_of, parser, print_measures, print_refused, refusals_of
from benchmarks.servers import own_servers

TARGETS = {"production": "≤ 1200", "smoke": "≤ 90"}
PROFILES = ("smoke", "production")


def fill(data: Path | None) -> tuple[str, list[Refusal] | None]:
    """Store real matches, or simulated ones where there is no folder of real ones.

    Returns
    -------
    tuple of str and list of Refusal or None
        The world, and what was refused of real files.
    """
    from apps.matches.ingest import ingest
    from apps.scraping.sandbox.world import SimulatedWorld
    from apps.scraping.services import import_files

    now = datetime.now(UTC)
    if data is None:
        ingest(
            SimulatedWorld(seed=1, anchor_at=now.replace(second=0, microsecond=0)).records(now),
            source="sandbox",
            now=now,
        )
        return "sandbox", None
    report = import_files([data], source="football-data", now=now)
    refusals = refusals_of(report)
    print_refused(refusals, len(report.files))
    if not report.ingest.created:
        raise SystemExit(f"{data} holds no match that could be read")
    return "real", refusals


def run(world: str, profile: str) -> list[Measure]:
    """Run the pipeline of a world twice; return seconds by stage, in total, and of the second run."""
    from apps.ml.models import PipelineRun
    from apps.ml.services import queue_run, run_due

    def once(reason: str) -> tuple[PipelineRun, float]:
        began = time.perf_counter()
        now = datetime.now(UTC)
        queue_run(world=world, profile=profile, requested_by="benchmark", reason=reason, now=now)
        done = run_due(now=now)
        assert done is not None
        if done.status == PipelineRun.RunStatus.FAILED:
            raise SystemExit(f"the run failed: {done.error}\n{done.log}")
        return done, time.perf_counter() - began

    first, seconds = once("first")
    for model, scores in first.metrics["models"].items():
        print(
            f"  {model}: log loss {scores['log_loss']:.4f}, RPS {scores['rps']:.4f}, ECE {scores['ece']:.4f}",
            flush=True,
        )
    for line in first.metrics["benchmarks"]:
        rps = ", ".join(f"{model} {scores['rps']:.4f}" for model, scores in line["models"].items())
        print(f"  on {line['n']} matches RPS of the {line['name']} {line['scores']['rps']:.4f}; {rps}", flush=True)
    stages = [Measure(f"{profile}: {stage['name']}", stage["seconds"], "s") for stage in first.stages]
    again, unchanged = once("again")
    assert again.status == PipelineRun.RunStatus.UNCHANGED, again.status
    return [
        *stages,
        Measure(f"{profile}: export to registered version", seconds, "s", TARGETS[profile]),
        Measure(f"{profile}: again, nothing changed", unchanged, "s", "≤ 5"),
    ]


def champion() -> Any:
    """Train and register a version of the simulated world, whose first one becomes champion; return it."""
    from apps.matches.models import World
    from apps.ml import selectors, services
    from apps.ml.models import PipelineRun

    fill(None)
    services.queue_run(
        world="sandbox", profile="smoke", requested_by="benchmark", reason="champion", now=datetime.now(UTC)
    )
    done = services.run_due(now=datetime.now(UTC))
    if done is None or done.status != PipelineRun.RunStatus.SUCCEEDED:
        raise SystemExit(f"the pipeline made no version: {done and done.error}")
    promotion = selectors.champion(World.SANDBOX)
    if promotion is None:
        raise SystemExit("no version passed its gates")
    return promotion.version


def main() -> int:
    """Measure, and print the table."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument(
        "--data", default=os.environ.get("SPAI_REAL_DATA"), help="folder of files in football-data form"
    )
    options.add_argument("--profile", choices=PROFILES, action="append", help="may be repeated; default: all")
    args = options.parse_args()
    data = folder_of(args.data) if args.data else None
    with own_servers() as folder:
        from django.conf import settings

        world, refusals = fill(data)
        print(f"world: {world}", flush=True)
        measures = []
        for profile in args.profile or PROFILES:
            # What a profile made would be taken from DVC's cache by the next one.
            settings.SPAI_VAR_DIR = folder / profile
            measures += run(world, profile)
    print_measures(f"pipeline, {world} world", measures, args.json, refusals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
