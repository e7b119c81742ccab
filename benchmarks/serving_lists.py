"""What lists and batches cost: `python -m benchmarks.serving_lists [--json FILE] [--matches N] [--seconds S]`.

A separate PostgreSQL is filled with the simulated world, of which the pipeline trains and registers a champion, and
with N matches (200,000) that were forecast. The `web` process, with as many workers as the stack has, then answers page
1 and page 10,000 of the list, files of 10,000 rows, batches of 10,000 matches and of 10,000 pairings, and single
forecasts: alone, and beside batches and files. CPU is that of the web process and of PostgreSQL, from /proc.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from itertools import permutations
from pathlib import Path
from typing import Any

from benchmarks.pipeline import champion
from benchmarks.report import Measure, parser, print_measures
from benchmarks.servers import STUCK, cpu_milliseconds, own_servers, postmaster
from spai.stack.ports import free_port

PAGE = 20
DEEP = 10_000
BATCH = 10_000
ROUNDS = 200
CONNECTIONS = 2
"""Of single forecasts: more would measure the wait for the threads."""

FILL = """
SET LOCAL session_replication_role = replica;
INSERT INTO matches_region (id, name) VALUES (-1, 'Benchmark');
INSERT INTO matches_competition (id, region_id, name, slug, level, is_simulated)
    SELECT -n, -1, 'League ' || n, 'benchmark-' || n, 1, true FROM generate_series(1, %(leagues)s) n;
INSERT INTO matches_season (id, competition_id, label, world)
    SELECT id, id, '2026-27', world FROM matches_competition WHERE id < 0;
INSERT INTO matches_team (id, region_id, name, slug, full_name, short_name, other_names, code, first_colour,
        second_colour)
    SELECT c.id * 100 - n, -1, 'Club ' || n || ' of ' || c.name, 'club-' || n || '-' || c.slug, '', '', '', '', '', ''
    FROM matches_competition c, generate_series(0, 19) n WHERE c.id < 0;
INSERT INTO matches_match (id, season_id, competition_id, world, round, home_team_id, away_team_id, occurrence,
        kickoff_at, kickoff_precision, known_at, status, is_neutral, result_source, home_goals, away_goals, revision,
        ingest_id, created_at, updated_at)
    SELECT 1000000 + row_number() OVER (), id, id, world, '', id * 100 - n / 19,
        id * 100 - (n / 19 + 1 + n %% 19) %% 20, 1, at, 'minute', at + interval '2 hours', 'finished', false, '',
        n %% 4, n %% 3, 1, (SELECT max(id) FROM matches_ingest), now(), now()
    FROM matches_competition, generate_series(0, 379) n,
        LATERAL (SELECT now() - interval '1 day' - (n * 1000 - id) * interval '2 minutes' AS at) AS kickoff
    WHERE id < 0;
UPDATE ml_promotion SET decided_at = now() - interval '3 years';
INSERT INTO ml_prediction (match_id, version_id, data_snapshot, as_of, published_at, kickoff_at, p_home, p_draw, p_away,
        home_expected_goals, away_expected_goals, rho, base_home, base_draw, base_away, features_sha256, contributions,
        degraded, weaknesses, intervals)
    SELECT m.id, v.id, k, at, at, kickoff_at, 0.3 + m.id %% 997 / 3000.0, 0.25, 0.45 - m.id %% 997 / 3000.0,
        1 + m.id %% 991 / 1000.0, 1.2, -0.05, 0.45, 0.27, 0.28, '', '{}', '',
        CASE WHEN m.id %% 3 > 0 THEN '[]' ELSE
            jsonb_build_array(jsonb_build_object('code', 'new_club', 'side', 'home', 'number', m.id %% 15),
                '{"code": "season_start", "side": "", "number": 0}'::jsonb) END,
        jsonb_build_object('level', 0.8, 'home', jsonb_build_object('low', 0.2412, 'high', 0.3 + m.id %% 997 / 2000.0),
            'draw', '{"low": 0.2236, "high": 0.2811}'::jsonb, 'away', '{"low": 0.1027, "high": 0.4873}'::jsonb)
    FROM matches_match m, (SELECT max(version_id) AS id FROM ml_promotion) v, generate_series(1, 2) k,
        LATERAL (SELECT m.kickoff_at - k * interval '1 hour' AS at) AS published
    WHERE m.id > 1000000;
"""


def store(matches: int) -> list[int]:
    """Store so many matches, each with two published forecasts; return their ids."""
    from django.db import connection, transaction

    from apps.matches.models import Match

    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(FILL, {"leagues": -(-matches // 380)})
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    return list(Match.objects.filter(pk__gt=1_000_000).values_list("pk", flat=True)[:matches])


class Site:
    """The web process under measurement."""

    def __init__(self, port: int, pids: tuple[int, ...], key: dict[str, str]) -> None:
        self.port, self.pids, self.key = port, pids, key

    def ask(self, path: str, body: bytes | None = None, *, link: Any = None, **headers: str) -> bytes:
        """Return the body of an answer; raise SystemExit for another status than 200."""
        kept = link or http.client.HTTPConnection("127.0.0.1", self.port, timeout=STUCK)
        kept.request("POST" if body else "GET", path, body, {"Content-Type": "application/json"} | self.key | headers)
        answer = kept.getresponse()
        content = answer.read()
        if answer.status != 200:
            raise SystemExit(f"{path}: {answer.status} {content[:300]!r}")
        if link is None:
            kept.close()
        return content

    def times(self, work: Callable[[], object], rounds: int) -> tuple[list[float], float]:
        """Return the milliseconds of each of some calls, sorted, and their mean CPU in milliseconds."""
        work()
        before, found = sum(map(cpu_milliseconds, self.pids)), []
        for _ in range(rounds):
            start = time.perf_counter()
            work()
            found.append((time.perf_counter() - start) * 1000)
        return sorted(found), (sum(map(cpu_milliseconds, self.pids)) - before) / rounds

    def measure(self, name: str, work: Callable[[], object], *, rounds: int, target: str = "") -> list[Measure]:
        """Return the median time of a call, and its CPU."""
        found, cpu = self.times(work, rounds)
        return [Measure(f"{name}: p50", found[rounds // 2], "ms", target), Measure("  CPU", cpu, "ms")]

    def singles(self, paths: list[str], seconds: float) -> list[float]:
        """Return the milliseconds of single forecasts, sorted."""
        found: list[float] = []
        end = time.monotonic() + seconds

        def client(number: int) -> None:
            link = http.client.HTTPConnection("127.0.0.1", self.port, timeout=STUCK)
            chosen = random.Random(number)
            while time.monotonic() < end:
                start = time.perf_counter()
                self.ask(chosen.choice(paths), link=link)
                found.append((time.perf_counter() - start) * 1000)

        with ThreadPoolExecutor(CONNECTIONS) as pool:
            list(pool.map(client, range(CONNECTIONS)))
        return sorted(found)


@contextmanager
def repeated(*works: Callable[[], object]) -> Iterator[list[int]]:
    """Call each function again and again in its own thread; yield how often they were called."""
    ended, calls = threading.Event(), [0] * len(works)

    def repeat(place: int, work: Callable[[], object]) -> None:
        while not ended.is_set():
            work()
            calls[place] += 1

    with ThreadPoolExecutor(len(works)) as pool:
        repeating = [pool.submit(repeat, *each) for each in enumerate(works)]
        try:
            yield calls
        finally:
            ended.set()
    for each in repeating:
        each.result()


def key_without_limit() -> dict[str, str]:
    """Return the headers of a client that may send any number of requests."""
    from apps.api import services
    from apps.api.models import ApiKeyScope

    scopes = (ApiKeyScope.READ, ApiKeyScope.PREDICT)
    made = services.create_key(
        name="client", created_by="benchmark", now=datetime.now(UTC), scopes=scopes, requests_per_minute=0
    )
    return {"Authorization": f"Bearer {made.token}"}


def deep_page() -> str:
    """Return the address of page 10,000 of the list."""
    from apps.api.rest.pagination import PagePosition
    from apps.matches.models import Match

    before = Match.objects.filter(pk__gt=1_000_000).order_by("kickoff_at", "id")[(DEEP - 1) * PAGE - 1]
    cursor = PagePosition((before.kickoff_at, before.pk)).as_cursor()
    return f"/api/v1/predictions/?world=sandbox&page_size={PAGE}&cursor={cursor}"


def batches(ids: list[int]) -> tuple[bytes, bytes]:
    """Return the bodies of a batch of matches and of one of different pairings of the simulated world."""
    from apps.matches.models import Team

    slugs = list(
        Team.objects.filter(pk__gt=0, region__competitions__world="sandbox").values_list("slug", flat=True).distinct()
    )
    days = [(datetime.now(UTC) + timedelta(days=day)).date().isoformat() for day in range(1, 300)]
    pairs = [
        {"home": home, "away": away, "date": day}
        for day in days[: -(-BATCH // (len(slugs) * (len(slugs) - 1))) + 1]
        for home, away in permutations(slugs, 2)
    ]
    random.Random(1).shuffle(pairs)
    return json.dumps({"items": ids[:BATCH]}).encode(), json.dumps({"items": pairs[:BATCH]}).encode()


def measure(site: Site, ids: list[int], seconds: float) -> list[Measure]:
    """Measure lists, files, batches, and single forecasts beside them."""
    random.Random(1).shuffle(ids)
    first = f"/api/v1/predictions/?world=sandbox&page_size={PAGE}"
    if len(json.loads(site.ask(first))["results"]) != PAGE:
        raise SystemExit("the first page is not full")
    measures = site.measure(f"page 1 of {PAGE} forecasts", lambda: site.ask(first), rounds=ROUNDS)
    deep = deep_page()
    measures += site.measure(f"page {DEEP:,}", lambda: site.ask(deep), rounds=ROUNDS, target="≤ page 1 + 20 %")
    for form in ("json", "csv", "parquet"):
        path = f"/api/v1/predictions/?world=sandbox&page_size=10000&format={form}"
        measures += site.measure(f"10,000 forecasts as {form}", partial(site.ask, path), rounds=5)
    stored, pairs = batches(ids)
    batch = "/api/v1/predictions/batch/"
    answers = json.loads(site.ask(batch, pairs))["results"]
    wrong = [each for each in answers if each["error"]]
    if wrong or len(answers) != BATCH:
        raise SystemExit(f"{len(wrong)} of {len(answers)} pairings have an error: {wrong[:1]}")
    measures += site.measure("batch of 10,000 matches", lambda: site.ask(batch, stored), rounds=5, target="≤ 1000")
    measures += site.measure("batch of 10,000 pairings", lambda: site.ask(batch, pairs), rounds=5, target="≤ 1000")
    singles = [f"/api/v1/matches/{match_id}/prediction/" for match_id in ids[:5000]]
    site.singles(singles, 2)
    alone = site.singles(singles, seconds)
    measures += [Measure("single forecast, alone: p99", alone[int(len(alone) * 0.99)], "ms")]
    files = f"{first.replace(f'={PAGE}', '=10000')}&format=csv"
    works = (lambda: site.ask(batch, stored), lambda: site.ask(batch, pairs), lambda: site.ask(files))
    with repeated(*works) as calls:
        beside = site.singles(singles, seconds)
    name = f"  beside {calls[0] + calls[1]} batches and {calls[2]} files in {seconds:.0f} s: p99"
    return [*measures, Measure(name, beside[int(len(beside) * 0.99)], "ms", "≤ 50")]


def main() -> int:
    """Measure, and print the table."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--matches", type=int, default=205_000, help="with published forecasts (205,000)")
    options.add_argument("--seconds", type=float, default=15.0, help="of each load (15)")
    args = options.parse_args()
    with own_servers() as folder:
        from spai.stack.processes import granian_command

        champion()
        ids = store(args.matches)
        (folder / "metrics").mkdir()
        port, workers = free_port(), min(4, os.cpu_count() or 1)
        environment = {
            "SPAI_ROLE": "web",
            "SPAI_THREADS": "1",
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
            "LOG_LEVEL": "WARNING",
        }
        log = folder / "web.log"
        with log.open("wb") as output:
            process = subprocess.Popen(
                granian_command(port, "spai.front:application", workers=workers),
                env=os.environ | environment,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            wait_until_ready(port, process, log)
            site = Site(port, (process.pid, postmaster()), key_without_limit())
            measures = measure(site, ids, args.seconds)
        finally:
            process.terminate()
            process.wait(STUCK)
    print_measures(f"lists and batches, {len(ids)} matches, {workers} workers", measures, args.json)
    return 0


def wait_until_ready(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    """Return when each worker has loaded the champion."""
    end, ready = time.monotonic() + STUCK, 0
    while ready < 20:
        try:
            link = http.client.HTTPConnection("127.0.0.1", port, timeout=STUCK)
            link.request("GET", "/readyz")
            ready = ready + 1 if link.getresponse().status == 200 else 0
            link.close()
        except OSError:
            ready = 0
        if process.poll() is not None or time.monotonic() > end:
            raise SystemExit(f"the web process did not start:\n{log.read_text()[-3000:]}")
        time.sleep(0.2)


if __name__ == "__main__":
    sys.exit(main())
