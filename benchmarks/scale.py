"""What more matches cost: `python -m benchmarks.scale [--matches N …] [--profile NAME] [--processes N …]`.

For each N (default: 100,000, 300,000 and a million) simulated matches of 40 leagues are imported into a PostgreSQL of
their own and exported, and every stage up to the training runs on them, each in its own process as in a run:
seconds by the clock and of processors, and the largest memory of a process. On a busy machine the elapsed time means
little. With `--processes 1 2` the training runs once for each number of processes, and whether its files are equal is
printed.
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import yaml

from apps.matches.records import CompetitionKey, KickoffPrecision, MatchRecord, MatchStatus, StatsRecord
from apps.ml.pipeline import files
from benchmarks.features import simulated
from benchmarks.report import Measure, parser, print_measures
from benchmarks.servers import own_servers

SIZES: Final = (100_000, 300_000, 1_000_000)

BUDGET: Final = 4096
"""MiB that no process of a million matches may take."""

STAGES: Final = ("preprocess", "featurize", "split")

ROOT: Final = Path(__file__).resolve().parents[1]

AS_OF: Final = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True, slots=True)
class Cost:
    """What a process cost: seconds by the clock and of processors, and its largest memory in MiB."""

    seconds: float
    cpu: float
    memory: float


def records(matches: int) -> Iterator[MatchRecord]:
    """Yield simulated matches as a source reports them, season by season."""
    frame = simulated(matches)
    counts = ("shots", "shots_on_target", "corners")
    for row in frame.sort_values(["season_id", "kickoff_at"], kind="stable").itertuples():
        found: dict[str, int] = {
            f"{side}_{name}": int(getattr(row, f"{side}_{name}")) for side in ("home", "away") for name in counts
        }
        yield MatchRecord(
            competition=CompetitionKey(row.region, row.competition, is_simulated=True),
            season=row.season,
            home_team=f"Club {row.home_team_id}",
            away_team=f"Club {row.away_team_id}",
            kickoff_at=row.kickoff_at.to_pydatetime(),
            kickoff_precision=KickoffPrecision.MINUTE,
            status=MatchStatus.FINISHED,
            home_goals=int(row.home_goals),
            away_goals=int(row.away_goals),
            stats=StatsRecord(**found),
        )


def import_and_export(matches: int, root: Path) -> None:
    """Import the matches into their own database and export them; print what the database's process cost."""
    from django.core.management import call_command

    from apps.matches.ingest import ingest
    from benchmarks.ingest import timed

    report, took = timed(lambda: ingest(records(matches), source="benchmark", now=AS_OF))
    assert report.created == matches, report
    print(f"import {took.clock} {took.here} {took.database or 0.0}")
    _, took = timed(lambda: call_command("export_matches", world="sandbox", as_of=AS_OF.isoformat(), root=root))
    print(f"export {took.clock} {took.here} {took.database or 0.0}")


def run(command: Sequence[str], folder: Path, **variables: str) -> tuple[str, Cost]:
    """Run a command in a folder; return what it printed, and its cost with that of the processes that it waited for."""
    environment = os.environ | {"PYTHONPATH": str(ROOT)} | variables
    began = time.perf_counter()
    with tempfile.TemporaryFile("w+") as output:
        process = subprocess.Popen(
            [sys.executable, *command], cwd=folder, env=environment, stdout=output, stderr=subprocess.STDOUT
        )
        _, status, used = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        output.seek(0)
        text = output.read()
    if process.returncode:
        raise SystemExit(f"{' '.join(command)} ended with {process.returncode}\n{text[-4000:]}")
    return text, Cost(time.perf_counter() - began, used.ru_utime + used.ru_stime, used.ru_maxrss / 1024)


def measures_of(matches: int, profile: str, processes: Sequence[int]) -> list[Measure]:
    """Measure one size."""

    def lines(name: str, cost: Cost) -> list[Measure]:
        per_million = cost.cpu * 1_000_000 / matches
        return [
            Measure(f"{matches:,}: {name}", cost.seconds, "s"),
            Measure("  processors", cost.cpu, "s", f"{per_million:,.0f} s a million"),
            Measure("  largest memory", cost.memory, "MiB", f"≤ {BUDGET}"),
        ]

    with tempfile.TemporaryDirectory(prefix="spai-scale-") as name:
        root = Path(name)
        params: dict[str, Any] = yaml.safe_load((ROOT / files.PARAMS).read_text(encoding="utf-8"))
        params["run"] = {"profile": profile}
        files.write_text(root / files.PARAMS, yaml.safe_dump(params, sort_keys=False))
        text, cost = run(
            ["-m", "benchmarks.scale", "--child", str(matches), "--root", name, "--profile", profile], ROOT
        )
        measures = []
        for line in text.splitlines():
            what, *numbers = line.split(" ")
            if what in ("import", "export"):
                clock, here, database = map(float, numbers)
                measures += lines(what, Cost(clock, here + database, cost.memory))
        for stage in STAGES:
            text, cost = run(["-m", f"apps.ml.pipeline.{stage}"], root)
            print(f"  {matches:,} {stage}: {cost.seconds:.1f} s, {cost.cpu:.1f} s of processors", flush=True)
            measures += lines(stage, cost)
        made = set()
        for number in processes:
            _, cost = run(["-m", "apps.ml.pipeline.train"], root, SPAI_TRAIN_PROCESSES=str(number))
            print(f"  {matches:,} train, {number} processes: {cost.seconds:.1f} s", flush=True)
            measures += lines(f"train, {number} processes", cost)
            trained = (path for path in (root / files.TRAINED).rglob("*") if path.is_file())
            made.add(files.sha256(root / files.OUT_OF_SAMPLE, *sorted(trained)))
        measures.append(Measure(f"{matches:,}: different trainings", len(made), "", "1"))
        size = (root / files.FEATURES).stat().st_size / 2**20
        measures.append(Measure(f"{matches:,}: file of features", size, "MiB"))
    return measures


def main() -> int:
    """Measure and print."""
    options = parser(__doc__ or "")
    options.add_argument("--matches", type=int, nargs="+", default=SIZES)
    options.add_argument("--profile", choices=("smoke", "production"), default="smoke")
    options.add_argument("--processes", type=int, nargs="+", default=(1,), help="that train")
    options.add_argument("--child", type=int, help="import and export so many matches in this process, and end")
    options.add_argument("--root", type=Path, help="where a child exports to")
    args = options.parse_args()
    if args.child:
        os.environ["SPAI_PROFILE"] = args.profile
        with own_servers():
            import_and_export(args.child, args.root)
        return 0
    measures = [measure for matches in args.matches for measure in measures_of(matches, args.profile, args.processes)]
    print_measures(f"cost of simulated matches, profile {args.profile}", measures, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
