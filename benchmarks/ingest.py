"""How fast files of real matches become committed rows: `python -m benchmarks.ingest [--json FILE] [--data DIR]`.

DIR (default: SPAI_REAL_DATA) holds files in football-data form (itself, or in football-data/). A PostgreSQL of its own
is started. The table of matches, with all indexes and constraints, is empty at first.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import TypeVar

import psutil

from benchmarks.report import Measure, Refusal, folder_of, parser, print_measures, print_refused, refusals_of
from benchmarks.servers import own_servers

SOURCE = "football-data"
T = TypeVar("T")


def measure(folder: Path) -> tuple[list[Measure], list[Refusal]]:
    """Import all files twice, then the matches with only reference and statistics."""
    from celery import current_app
    from django.db import connection

    from apps.matches.ingest import ingest
    from apps.matches.models import Match, MatchStats, Odds
    from apps.scraping.services import find_files, import_files, read_files

    # The first wake-up loads the tasks of all apps, which no worker does in the middle of its work.
    current_app.loader.import_default_modules()
    now = datetime.now(UTC)
    first, first_time = timed(lambda: import_files([folder], source=SOURCE, now=now))
    matches, stats, odds = Match.objects.count(), MatchStats.objects.count(), Odds.objects.count()
    again, again_time = timed(lambda: import_files([folder], source=SOURCE, now=now))
    with connection.cursor() as cursor:
        cursor.execute("TRUNCATE matches_region, matches_ingest CASCADE")
    records = [
        replace(record, odds=())
        for content in read_files(find_files([folder]), SOURCE)
        if content.parsed is not None
        for record in content.parsed.records
    ]
    records = [replace(record, source_id=str(number)) for number, record in enumerate(records)]
    bare, bare_time = timed(lambda: ingest(records, source="benchmark", now=now))
    refusals = refusals_of(first)
    print_refused(refusals, len(first.files))
    measures = [
        Measure("files", len(first.files), ""),
        Measure("files refused", len(first.failed), ""),
        Measure("matches stored", matches, ""),
        Measure("statistics stored", stats, ""),
        Measure("odds rows stored", odds, ""),
        Measure("rows refused", first.ingest.refused, ""),
        *first_time.measures("from CSV to committed rows", "≤ 90, aim 60"),
        Measure("  matches per second", matches / first_time.clock, "matches/s"),
        *again_time.measures("second import of the same files", ""),
        Measure("  records created or changed by it", again.ingest.created + again.ingest.changed, "", "0"),
        *bare_time.measures("match, reference, statistics alone", ""),
        Measure("  matches per second", bare.created / bare_time.clock, "matches/s", "≥ 25,000"),
        Measure("largest memory", resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, "MiB"),
    ]
    return measures, refusals


@dataclass(frozen=True, slots=True)
class Time:
    """Seconds by the clock, and of computing here and in the database's process, if that is on this machine.

    On a busy machine the elapsed time means little; CPU time still shows the cost.
    """

    clock: float
    here: float
    database: float | None

    def measures(self, name: str, target: str) -> list[Measure]:
        """Return the lines of the table."""
        lines = [Measure(name, self.clock, "s", target), Measure("  of it, computing here", self.here, "s")]
        if self.database is not None:
            lines.append(Measure("  of it, computing in the database", self.database, "s"))
        return lines


def timed(work: Callable[[], T]) -> tuple[T, Time]:
    """Return what a piece of work gives, and what it took."""
    database = database_seconds()
    clock, here = time.perf_counter(), time.process_time()
    result = work()
    clock, here = time.perf_counter() - clock, time.process_time() - here
    after = database_seconds()
    return result, Time(clock, here, None if database is None or after is None else after - database)


def database_seconds() -> float | None:
    """Return the seconds that this connection's server process has computed; None when it is on another machine."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        pid = cursor.fetchone()[0]
    try:
        process = psutil.Process(pid)
        return sum(process.cpu_times()[:2]) if "postgres" in process.name() else None
    except psutil.Error:
        return None


def main() -> int:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--data", default=os.environ.get("SPAI_REAL_DATA"), metavar="DIR")
    args = options.parse_args()
    folder = folder_of(args.data)
    with own_servers():
        measures, refusals = measure(folder)
    print_measures("ingest", measures, args.json, refusals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
