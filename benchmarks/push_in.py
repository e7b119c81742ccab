"""How fast lines that a feed pushes in become committed rows: `python -m benchmarks.push_in [--json FILE]`.

A body of 20,000 lines goes over HTTP to its own admin process, on its own PostgreSQL.
"""

from __future__ import annotations

import contextlib
import gzip
import http.client
import json
import os
import random
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import BytesIO
from typing import Any

from benchmarks.report import Measure, parser, print_measures
from benchmarks.servers import STUCK, own_servers
from spai.stack.ports import free_port
from spai.stack.processes import ADMIN_THREADS, granian_command

LINES = 20_000
LEAGUES, CLUBS = 10, 20
BOOKMAKERS = ("B365", "PS", "Avg")


def lines_of(*, is_rich: bool) -> list[dict[str, Any]]:
    """Return results of whole seasons of ten leagues; rich ones carry statistics and three bookmakers' prices."""
    chance = random.Random(1)
    per_season = CLUBS * (CLUBS - 1)
    lines = []
    for n in range(LINES):
        season, place = divmod(n, per_season)
        league, year = season % LEAGUES, 2010 + season // LEAGUES
        home, away = divmod(place, CLUBS - 1)
        away += away >= home
        kickoff_at = datetime(year, 8, 1, 15, tzinfo=UTC) + timedelta(hours=place * 16)
        line: dict[str, Any] = {
            "competition": {"region": f"Region {league}", "name": f"League {league}"},
            "season": f"{year}-{(year + 1) % 100:02}",
            "home_team": f"Club {league} {home}",
            "away_team": f"Club {league} {away}",
            "kickoff_at": kickoff_at.isoformat(),
            "status": "finished",
            "home_goals": chance.randrange(4),
            "away_goals": chance.randrange(4),
            "source_id": f"m{n}",
        }
        if is_rich:
            line["stats"] = {
                f"{side}_{what}": chance.randrange(20)
                for side in ("home", "away")
                for what in ("shots", "corners", "fouls")
            }
            line["odds"] = [
                {
                    "bookmaker": name,
                    "moment": "closing",
                    "home": 1.9,
                    "draw": 3.4,
                    "away": 1.1 + chance.randrange(90) / 10,
                }
                for name in BOOKMAKERS
            ]
        lines.append(line)
    return lines


def body_of(lines: list[dict[str, Any]]) -> bytes:
    """Return lines as NDJSON."""
    return "".join(json.dumps(line) + "\n" for line in lines).encode()


@contextlib.contextmanager
def admin() -> Iterator[int]:
    """Run an admin process on the database that Django is pointed to; yield its port."""
    port = free_port()
    process = subprocess.Popen(
        granian_command(port, "spai.front:application"),
        env={
            **os.environ,
            "SPAI_ROLE": "admin",
            "SPAI_THREADS": str(ADMIN_THREADS),
            "LOG_LEVEL": "WARNING",
        },
    )
    try:
        end = time.monotonic() + STUCK
        while not ready(port):
            if process.poll() is not None or time.monotonic() > end:
                raise SystemExit("the admin process did not start; the lines above say why")
            time.sleep(0.1)
        yield port
    finally:
        process.terminate()
        process.wait()


def ready(port: int) -> bool:
    """Whether the process that listens there says that it is ready."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=STUCK)
    try:
        link.request("GET", "/readyz")
        return link.getresponse().status == 200
    except OSError:
        return False
    finally:
        link.close()


def sent(port: int, token: str, content: bytes, **headers: str) -> tuple[dict[str, Any], float]:
    """Push a body; return its account and the seconds that it took."""
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=600)
    given = {"Authorization": f"Bearer {token}", "Content-Type": "application/x-ndjson"} | headers
    began = time.perf_counter()
    link.request("POST", "/api/v1/ingest/", body=content, headers=given)
    answer = link.getresponse()
    account = json.loads(answer.read())
    seconds = time.perf_counter() - began
    link.close()
    if answer.status != 200:
        raise RuntimeError(f"the admin answered {answer.status}: {account}")
    return account, seconds


def measure() -> list[Measure]:
    """Push bodies of plain and of rich lines: new, again, packed, changed; and read them alone."""
    from django.utils import timezone

    from apps.api import services
    from apps.api.intake import read_body, read_line

    measures: list[Measure] = []
    with admin() as port:
        for name, is_rich in (("plain", False), ("with statistics and odds", True)):
            lines = lines_of(is_rich=is_rich)
            source = "rich" if is_rich else "plain"
            for line in lines:
                line["competition"]["region"] += source
            content = body_of(lines)
            made = services.create_key(
                name=name, source=source, worlds=["real"], created_by="benchmark", now=timezone.now()
            )
            began = time.perf_counter()
            body = read_body(BytesIO(content), length=len(content), encoding="")
            for _, raw in body.numbered():
                read_line(raw)
            reading = time.perf_counter() - began
            first, first_seconds = sent(port, made.token, content)
            again, again_seconds = sent(port, made.token, content)
            packed = gzip.compress(content)
            _, packed_seconds = sent(port, made.token, packed, **{"Content-Encoding": "gzip", "Idempotency-Key": "a"})
            _, replay_seconds = sent(port, made.token, packed, **{"Content-Encoding": "gzip", "Idempotency-Key": "a"})
            measures += [
                Measure(f"{LINES:,} lines, {name}", len(content) / 1e6, "MB"),
                Measure("  reading them alone", LINES / reading, "lines/s"),
                Measure("  new, from first byte to answer", LINES / first_seconds, "lines/s"),
                Measure("  created", first["created"], "", f"{LINES:,}"),
                Measure("  again, nothing changes", LINES / again_seconds, "lines/s"),
                Measure("  created or changed by it", again["created"] + again["changed"], "", "0"),
                Measure("  again, packed", LINES / packed_seconds, "lines/s"),
                Measure("  the answer to the same request", replay_seconds * 1000, "ms"),
            ]
    return measures


def main() -> int:
    """Measure and print."""
    args = parser(__doc__.splitlines()[0] if __doc__ else "").parse_args()
    with own_servers():
        measures = measure()
    print_measures("push in", measures, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
