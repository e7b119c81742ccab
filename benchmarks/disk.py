"""What a month uses on disk: `python -m benchmarks.disk [--json FILE] [--minutes N] [--data DIR] [--profile NAME]`.

Scrapes, forecasts and grades the sandbox minute by minute with a clock that runs ahead, for N minutes (default: 120),
and runs the pipeline once; with DIR, which holds real files in football-data form, it imports them and runs the
pipeline of the real world too. Bytes a day and a run are measured; what a month keeps of them follows from the default
periods of retention, and from how often runs are made. On its own servers.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from apps.matches.retention import KINDS
from benchmarks.report import Measure, folder_of, parser, print_measures

LIMIT_MB = 5_000
MONTH = 30
RUNS_A_DAY = {"sandbox": 1.0, "real": 0.3}
"""How often retraining by itself makes a run: at most once a day, and of the real world after some 500 results."""
LOG_FILES, LOG_MB = 17, 40
"""Processes of the stack, and what supervisor keeps of the log of each."""
FOLDERS_OF_RUN = ("run workspaces", "DVC cache", "DVC remote")
FILES_OF_VERSION = ("MLflow files", "model versions", "model copies", "feature states")


@dataclass(frozen=True, slots=True)
class Growth:
    """How a part grows: what is written in a day, and what retention leaves of it.

    Parameters
    ----------
    part : str
    mb_a_day : float
        Megabytes that are written in a day.
    kind : str, optional
        The kind of retention that deletes it; empty where nothing does.
    stays : float, optional
        Share of it that is kept whatever its age.
    newest_mb : float, optional
        Megabytes that are kept because they are the newest, beside those of the period.
    """

    part: str
    mb_a_day: float
    kind: str = ""
    stays: float = 0.0
    newest_mb: float = 0.0

    def after(self, days: int) -> float:
        """Return the megabytes that are kept after so many days."""
        period = KINDS[self.kind].days if self.kind else 0
        kept = min(days, period) if period else days
        return self.mb_a_day * (self.stays * days + (1.0 - self.stays) * kept) + self.newest_mb


def growths(measured: Mapping[str, float]) -> list[Growth]:
    """Return how each part grows, from what was measured: megabytes a day (`day …`) and a run (`run …`)."""
    found = [
        Growth("sandbox: forecasts", measured["day forecasts"], "sandbox-forecasts", measured["share that stays"]),
        Growth("sandbox: ledger", measured["day ledger"], "sandbox-ledger"),
        Growth("sandbox: season forecasts", measured["day season forecasts"], "sandbox-season-forecasts"),
        Growth("sandbox: events", measured["day events"], "events"),
        Growth("sandbox: matches", measured["day matches"]),
        Growth("sandbox: raw pages", measured["day raw pages"], "sandbox-pages"),
        Growth("sandbox: scrape runs", measured["day scrape runs"], "sandbox-pages"),
    ]
    for world in ("sandbox", "real"):
        if f"run {world} folders" not in measured:
            continue
        runs, folders = RUNS_A_DAY[world], measured[f"run {world} folders"]
        newest = (KINDS["workspaces"].newest or 0) * folders
        # A version that is compared with the champion keeps its files.
        versions = Growth(f"{world}: files of versions", runs * measured[f"run {world} files of versions"], stays=1.0)
        found += [
            Growth(f"{world}: folders of runs, DVC", runs * folders, "workspaces", newest_mb=newest),
            versions,
            Growth(f"{world}: rows of runs", runs * measured[f"run {world} rows"], "runs"),
        ]
    constant = ("once database and static files", "once real matches")
    found += [
        Growth(name.removeprefix("once "), 0.0, newest_mb=measured[name]) for name in constant if name in measured
    ]
    return [*found, Growth("logs, at most", 0.0, newest_mb=float(LOG_FILES * LOG_MB))]


def megabytes() -> dict[str, float]:
    """Return the megabytes of each part now."""
    from apps.api.services.retention import measured_sizes

    return {name: size / 1e6 for name, size in measured_sizes().items()}


def run_pipeline(world: str, profile: str) -> dict[str, float]:
    """Run the pipeline of a world; return what one run uses."""
    from apps.ml.services import queue_run, run_due

    before, now = megabytes(), datetime.now(UTC)
    queue_run(world=world, profile=profile, requested_by="benchmark", reason="disk", now=now)
    done = run_due(now=now)
    if done is None or done.error:
        raise SystemExit(f"the run failed: {done and done.error}")
    after = megabytes()
    grown = {name: after[name] - before[name] for name in after}
    return {
        f"run {world} folders": sum(grown[name] for name in FOLDERS_OF_RUN),
        f"run {world} files of versions": sum(grown[name] for name in FILES_OF_VERSION),
        f"run {world} rows": grown["pipeline runs"],
    }


def live(minutes: int, anchor: datetime) -> dict[str, float]:
    """Scrape, forecast and grade the sandbox for some minutes of its time; return what a day writes."""
    from apps.matches import events
    from apps.matches.models import Match
    from apps.ml import services as ml
    from apps.ml.models import LedgerLeaf, Prediction
    from apps.scraping import services
    from apps.scraping.models import Source
    from apps.scraping.services.runs import scrape_due
    from benchmarks.scraping import HOUR, site

    with site(anchor) as (address, offset):
        Source.objects.filter(name="sandbox").update(base_url=address, is_enabled=True, delay=timedelta(0))

        def clock() -> datetime:
            return datetime.now(UTC) + timedelta(seconds=offset.value)

        def minute(number: int) -> None:
            source = Source.objects.get(name="sandbox")
            for scope in ("results", "fixtures") if number % 5 == 0 else ("results",):
                services.request_run(source=source, scope=scope, by="benchmark", now=clock())
            for _ in scrape_due(now=clock(), clock=clock, slice_seconds=HOUR):
                pass
            ml.predict_due(now=clock())
            ml.settle_due(now=clock())
            while events.number_events():
                pass
            if number % 10 == 0:
                ml.simulate_due(now=clock())

        # The first minutes store a whole season and forecast fifteen days at once.
        for number in range(10):
            minute(number)
            offset.value += 60.0
        before, first, began = megabytes(), Prediction.objects.count(), clock()
        for number in range(minutes):
            minute(number)
            offset.value += 60.0
        grown = {name: size - before[name] for name, size in megabytes().items()}
        forecasts = Prediction.objects.count() - first
        lasted = clock() - began
        played = Match.objects.filter(world="sandbox", kickoff_at__gte=began, kickoff_at__lt=clock()).count()
        until_close = timedelta(days=1, minutes=31)
        leaves_before = megabytes()["ledger"]
        ml.close_due(now=clock() + until_close)
        leaf_mb = (megabytes()["ledger"] - leaves_before) / max(1, LedgerLeaf.objects.count())
        # The clock of the site also continued while this worked.
        days = lasted / timedelta(days=1)
    parts = ("forecasts", "season forecasts", "events", "matches", "raw pages", "scrape runs")
    return {
        **{f"day {part}": grown[part] / days for part in parts},
        "day ledger": leaf_mb * forecasts / days,
        "share that stays": min(1.0, played / max(1, forecasts)),
        "forecasts a day": forecasts / days,
        "matches a day": played / days,
    }


def main() -> int:
    """Measure, and print the table of a month."""
    options = parser(__doc__.splitlines()[0])
    options.add_argument("--minutes", type=int, default=120, help="minutes of the sandbox; default: 120")
    options.add_argument("--data", default=os.environ.get("SPAI_REAL_DATA"), help="folder of real files")
    options.add_argument("--profile", default="smoke", help="effort of the runs; the features are the same")
    args = options.parse_args()
    data = folder_of(args.data) if args.data else None

    from benchmarks.servers import own_servers

    with own_servers():
        measured = measure(args.minutes, data, args.profile)
    print_month(measured, args.json)
    return 0


def measure(minutes: int, data: Path | None, profile: str) -> dict[str, float]:
    """Return everything that `growths` needs."""
    from django.conf import settings

    from apps.matches.ingest import ingest
    from apps.scraping import services
    from apps.scraping.sandbox.world import SimulatedWorld

    settings.SPAI_VAR_DIR.mkdir(parents=True, exist_ok=True)
    now = datetime.now(UTC)
    services.ensure_sources(now=now)
    empty = megabytes()
    # The same world as the site of benchmarks.scraping, whose past seasons come from files.
    anchor = now - timedelta(minutes=90)
    ingest(SimulatedWorld(seed=7, anchor_at=anchor).records(now), source="sandbox", now=now)
    measured = run_pipeline("sandbox", "smoke")
    measured |= live(minutes, anchor)
    present = megabytes()
    measured["once database and static files"] = (
        present["rest of PostgreSQL"] + 40.0 + sum(empty[name] for name in empty if name != "rest of PostgreSQL")
    )
    if data is not None:
        before = megabytes()["matches"]
        services.import_files([data], source="football-data", now=now)
        measured["once real matches"] = megabytes()["matches"] - before
        measured |= run_pipeline("real", profile)
    return measured


def print_month(measured: Mapping[str, float], json_file: Path | None) -> None:
    """Print what was measured and what a month keeps."""
    measures = [
        Measure(f"measured: {name}", value, "" if name.startswith("share") or "a day" in name else "MB")
        for name, value in measured.items()
    ]
    found = growths(measured)
    measures += [Measure(f"after {MONTH} days: {growth.part}", growth.after(MONTH), "MB") for growth in found]
    total = sum(growth.after(MONTH) for growth in found)
    measures.append(Measure(f"after {MONTH} days: all", total, "MB", f"≤ {LIMIT_MB:,}"))
    without = sum(growth.mb_a_day * MONTH + growth.newest_mb for growth in found)
    measures.append(Measure("without retention", without, "MB"))
    print_measures("Disk after a month", measures, json_file)


if __name__ == "__main__":
    raise SystemExit(main())
