"""What the queries of lists and pages cost on real matches: `python -m benchmarks.queries [--json FILE] [--data DIR]`.

DIR (default: SPAI_REAL_DATA) holds files in football-data form (itself, or in football-data/). A PostgreSQL of its own
is started and filled by the importer. Of each address the table says how many rows the page or list shows, how many
rows its queries read, and their milliseconds of planning and execution, each query explained once more after the answer
(the best of three).
"""

from __future__ import annotations

import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.report import Measure, folder_of, parser, print_measures, print_refused, refusals_of
from benchmarks.servers import own_servers

TABLE_SCANS = frozenset(
    {"Seq Scan", "Index Scan", "Index Only Scan", "Bitmap Heap Scan", "Bitmap Index Scan", "Sample Scan", "Tid Scan"}
)
"""Nodes of a plan that read a table or an index; other scans read what these have read."""

COUNTS = re.compile(r"\bCOUNT\(|\bOVER \(")
"""What stands in a query that returns how many rows there are, or which of them come first."""

LINK = re.compile(r'href="(/(?:matches|teams|competitions)/[^"?#]+|[^"]*/(?:\d+)/change/)')


@dataclass(frozen=True, slots=True)
class Explained:
    """A query as PostgreSQL executed it.

    Parameters
    ----------
    returned, counted, read : int
        Rows that it gave, rows that came together in its counts and sums, and rows that its scans read, those included
        that they dropped.
    planning, execution : float
        Milliseconds.
    """

    sql: str
    returned: int
    counted: int
    read: int
    planning: float
    execution: float


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer of the site: rows that it shows, and the queries behind it."""

    address: str
    shown: int
    queries: list[Explained] = field(default_factory=list)

    @property
    def read(self) -> int:
        """Rows that all queries read."""
        return sum(query.read for query in self.queries)

    @property
    def milliseconds(self) -> float:
        """Planning and execution of all queries."""
        return sum(query.planning + query.execution for query in self.queries)


def rows_read(plan: dict[str, Any]) -> int:
    """Return the rows that the scans of a plan read: given or dropped, summed over all loops."""
    own = 0
    if plan["Node Type"] in TABLE_SCANS:
        dropped = plan.get("Rows Removed by Filter", 0) + plan.get("Rows Removed by Index Recheck", 0)
        own = round((plan["Actual Rows"] + dropped) * plan["Actual Loops"])
    return own + sum(rows_read(below) for below in plan.get("Plans", ()))


def rows_counted(plan: dict[str, Any]) -> int:
    """Return the rows that the topmost counts or ranks of a plan are made of."""
    below = plan.get("Plans", ())
    if plan["Node Type"] in ("Aggregate", "WindowAgg"):
        return sum(round(each["Actual Rows"] * each["Actual Loops"]) for each in below)
    return max((rows_counted(each) for each in below), default=0)


def explain(sql: str, *, times: int = 1) -> Explained:
    """Execute a query under EXPLAIN; of several times the quickest counts."""
    from django.db import connection

    found = []
    with connection.cursor() as cursor:
        for _ in range(times):
            cursor.execute(f"EXPLAIN (ANALYZE, FORMAT JSON) {sql}")
            (plans,) = cursor.fetchone()
            (top,) = json.loads(plans) if isinstance(plans, str) else plans
            plan = top["Plan"]
            found.append(
                Explained(
                    sql,
                    round(plan["Actual Rows"] * plan["Actual Loops"]),
                    rows_counted(plan) if COUNTS.search(sql) else 0,
                    rows_read(plan),
                    top["Planning Time"],
                    top["Execution Time"],
                )
            )
    return min(found, key=lambda each: each.planning + each.execution)


def explained(captured: Any, *, times: int = 1) -> list[Explained]:
    """Explain every SELECT that a CaptureQueriesContext has recorded."""
    statements = [each["sql"] for each in captured.captured_queries]
    return [explain(sql, times=times) for sql in statements if sql.lstrip().startswith("SELECT")]


def ask(client: Any, address: str, *, times: int = 1, follow: bool = False) -> Answer:
    """Ask the site for an address, then explain every SELECT that it made."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as captured:
        response = client.get(address, follow=follow)
    if response.status_code != 200:
        raise RuntimeError(f"{address} is answered with {response.status_code}")
    return Answer(address, shown_by(response), explained(captured, times=times))


def shown_by(response: Any) -> int:
    """Return how many rows an answer shows: results of a list, different matches, teams, competitions of a page."""
    if "json" in response["Content-Type"]:
        return len(response.json().get("results", [None]))
    return len(set(LINK.findall(response.content.decode())))


def addresses() -> Iterator[str]:
    """Yield the addresses of pages and lists of what is stored."""
    from apps.matches.models import Match, World

    now = datetime.now(UTC)
    for world in World:
        of = Match.objects.filter(season__competition__is_simulated=world == World.SANDBOX)
        newest = of.select_related("season__competition", "home_team").order_by("-kickoff_at", "-id").first()
        if newest is None:
            continue
        past = of.filter(status="finished").order_by("-kickoff_at", "-id").first() or newest
        slug, team, api = newest.season.competition.slug, newest.home_team.slug, "/api/v1/matches/"
        middle = (past.kickoff_at - timedelta(days=5 * 365)).date()
        yield from (
            f"/?world={world}",
            f"/?world={world}&day={past.kickoff_at.date()}",
            f"/competitions/?world={world}",
            f"/competitions/{slug}/",
            f"/teams/{team}/",
            f"/matches/{past.pk}/",
            f"/track-record/?world={world}",
            f"/models/?world={world}",
            f"{api}?world={world}",
            f"{api}?world={world}&from={middle}",
            f"{api}?world={world}&from={now.date()}",
            f"{api}?world={world}&status=scheduled",
            f"{api}?world={world}&status=finished",
            f"{api}?competition={slug}",
            f"{api}?competition={slug}&status=scheduled",
            f"{api}?team={team}",
            f"{api}?team={team}&status=scheduled",
            f"{api}?team={team}&competition={slug}",
        )


def measure(times: int = 3) -> list[Measure]:
    """Ask for every address and print a line of each; return the totals."""
    from django.test import Client
    from django.test.utils import override_settings

    print(f"{'address':<78} {'shown':>6} {'read':>9} {'most by one':>11} {'ms':>8} {'planning':>8}")
    measures = []
    # Static files under their own names: a manifest is there only after `collectstatic`.
    plain = {"staticfiles": {"BACKEND": "django.contrib.staticfiles.storage.StaticFilesStorage"}}
    from django.conf import settings

    with override_settings(ALLOWED_HOSTS=["testserver"], STORAGES={**settings.STORAGES, **plain}, DEBUG=False):
        client = Client()
        for address in addresses():
            answer = ask(client, address, times=times)
            most = max((query.read for query in answer.queries), default=0)
            planning = sum(query.planning for query in answer.queries)
            print(
                f"{address:<78} {answer.shown:>6} {answer.read:>9,} {most:>11,} {answer.milliseconds:>8.1f} "
                f"{planning:>8.1f}",
                flush=True,
            )
            measures += [
                Measure(f"{address}: rows read", answer.read, "rows"),
                Measure(f"{address}: queries", answer.milliseconds, "ms"),
            ]
    return measures


def main() -> int:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--data", default=os.environ.get("SPAI_REAL_DATA"), metavar="DIR")
    args = options.parse_args()
    folder = folder_of(args.data)
    with own_servers():
        from django.db import connection

        from apps.scraping.services import import_files

        report = import_files([folder], source="football-data", now=datetime.now(UTC))
        refusals = refusals_of(report)
        print_refused(refusals, len(report.files))
        with connection.cursor() as cursor:
            cursor.execute("ANALYZE")
        measures = measure()
    print_measures("queries", measures, args.json, refusals)
    return 0


if __name__ == "__main__":
    sys.exit(main())
