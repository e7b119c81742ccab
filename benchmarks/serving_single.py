"""What one forecast costs: `python -m benchmarks.serving_single [--matches N] [--seconds S] [--workers W]`.

A separate PostgreSQL is filled with the simulated world, of which the pipeline trains and registers a champion, and
with N published forecasts (20,000) in their own leagues. W workers (1) of the `web` process then answer eight
connections: `/livez`, which is the floor, each stored forecast once (cold) and again (warm, with 100 API keys, with and
without If-None-Match), and what-if matches. One worker shows what a request costs, as many as the processors what a
client waits; each worker has its own cache, so that of several also warm requests are cold until all have it. CPU is
that of the web process and of PostgreSQL, from /proc. In this process: one row through the champion, and a hundred
replacements of it while threads forecast. Then `mlflow models serve` answers rows of the same champion.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks import load
from benchmarks.pipeline import champion
from benchmarks.report import Measure, parser, print_measures
from benchmarks.servers import STUCK, cpu_milliseconds, own_servers, postmaster
from spai.stack.ports import free_port

KEYS = 100
ROWS = 200
SWAPS = 100

FILL = """
SET LOCAL session_replication_role = replica;
INSERT INTO matches_region (id, name) VALUES (-1, 'Benchmark');
INSERT INTO matches_competition (id, region_id, name, slug, level, is_simulated)
    SELECT -n, -1, 'League ' || n, 'benchmark-' || n, 1, false FROM generate_series(1, %(leagues)s) n;
INSERT INTO matches_season (id, competition_id, label, world)
    SELECT id, id, '2026-27', world FROM matches_competition WHERE id < 0;
INSERT INTO matches_team (id, region_id, name, slug, full_name, short_name, other_names, code, first_colour,
        second_colour)
    SELECT c.id * 100 - n, -1, 'Club ' || n || ' of ' || c.name, 'club-' || n || '-' || c.slug, '', '', '', '', '', ''
    FROM matches_competition c, generate_series(0, 19) n WHERE c.id < 0;
INSERT INTO matches_match (id, season_id, competition_id, world, round, home_team_id, away_team_id, occurrence,
        kickoff_at, kickoff_precision, status, is_neutral, result_source, revision, ingest_id, created_at, updated_at)
    SELECT 1000000 + row_number() OVER (), id, id, world, '', id * 100 - n / 19,
        id * 100 - (n / 19 + 1 + n %% 19) %% 20, 1, now() + (30 + n %% 20) * interval '1 day', 'minute', 'scheduled',
        false, '', 0, (SELECT max(id) FROM matches_ingest), now(), now()
    FROM matches_competition, generate_series(0, 379) n WHERE id < 0;
INSERT INTO ml_prediction (match_id, version_id, data_snapshot, as_of, published_at, kickoff_at, p_home, p_draw, p_away,
        home_expected_goals, away_expected_goals, rho, base_home, base_draw, base_away, features_sha256, contributions,
        degraded)
    SELECT id, %(version)s, 1, now(), now(), kickoff_at, 0.3 + id %% 997 / 3000.0, 0.25, 0.45 - id %% 997 / 3000.0,
        1 + id %% 991 / 1000.0, 1.2, -0.05, 0.45, 0.27, 0.28, '', %(contributions)s, ''
    FROM matches_match WHERE id > 1000000;
"""

CONTRIBUTIONS = {
    "baseline": 0.31,
    "elo": 0.12,
    "attack and defence": -0.04,
    "goals and shots": 0.22,
    "goal differences": 0.08,
    "season so far": -0.013,
    "what is at stake": 0.002,
    "line-ups": 0.0,
    "context": 0.01,
    "calibration": -0.03,
}


def store(matches: int, version_id: int) -> list[int]:
    """Store so many matches, each with a published forecast; return their ids."""
    from django.db import connection, transaction

    from apps.matches import events
    from apps.matches.models import Match

    values: dict[str, Any] = {
        "leagues": -(-matches // 380),
        "version": version_id,
        "contributions": json.dumps(CONTRIBUTIONS),
    }
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(FILL, values)
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE")
    # In a stack the relay does this at once.
    while events.number_events():
        pass
    return list(Match.objects.filter(pk__gt=1_000_000).values_list("pk", flat=True)[:matches])


@contextmanager
def server(command: list[str], port: int, path: str, log: Path, **environment: str) -> Iterator[int]:
    """Start a server, wait until it answers, and yield its process id."""
    with log.open("wb") as output:
        process = subprocess.Popen(command, env=os.environ | environment, stdout=output, stderr=subprocess.STDOUT)
    try:
        end = time.monotonic() + STUCK
        while True:
            try:
                with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=STUCK):
                    break
            except OSError:
                if process.poll() is not None or time.monotonic() > end:
                    raise SystemExit(f"{command[:4]} did not start:\n{log.read_text()[-3000:]}") from None
                time.sleep(0.2)
        yield process.pid
    finally:
        process.terminate()
        process.wait(STUCK)


class Site:
    """The web process under measurement."""

    def __init__(self, port: int, web: int, postgres: int) -> None:
        self.port, self.web, self.postgres = port, web, postgres
        self.floor = 0.0

    def ask(self, name: str, requests: list[bytes], *, seconds: float | None, status: int = 200) -> list[Measure]:
        """Send requests, and return what they cost."""
        before = cpu_milliseconds(self.web), cpu_milliseconds(self.postgres)
        answers = load.run(self.port, requests, seconds=seconds)
        web, postgres = cpu_milliseconds(self.web) - before[0], cpu_milliseconds(self.postgres) - before[1]
        if set(answers.statuses) != {status}:
            raise SystemExit(f"{name}: statuses {dict(answers.statuses)}, all must be {status}")
        count = len(answers.times)
        self.floor = self.floor or answers.rate
        return [
            Measure(f"{name}: CPU of web and PostgreSQL", (web + postgres) / count, "ms"),
            Measure("  of these in PostgreSQL", postgres / count, "ms"),
            Measure("  answers", answers.rate, "/s"),
            Measure("  share of the floor", answers.rate / self.floor, ""),
            Measure("  p50", answers.percentile(0.5), "ms"),
            Measure("  p99", answers.percentile(0.99), "ms"),
        ]


def api_keys() -> list[dict[str, str]]:
    """Return the headers of a hundred clients, each with its own key."""
    from apps.api import services
    from apps.api.models import ApiKeyScope

    scopes = (ApiKeyScope.READ, ApiKeyScope.PREDICT)
    made = [
        services.create_key(name=f"client {number}", created_by="benchmark", now=datetime.now(UTC), scopes=scopes)
        for number in range(KEYS)
    ]
    return [{"Authorization": f"Bearer {key.token}"} for key in made]


def stored(site: Site, ids: list[int], seconds: float, keys: list[dict[str, str]]) -> list[Measure]:
    """Measure the floor and stored forecasts."""
    asked = [(f"/api/v1/matches/{match_id}/prediction/", keys[index % KEYS]) for index, match_id in enumerate(ids)]
    plain = [load.request(site.port, path, **key) for path, key in asked]
    measures = site.ask("/livez, the floor", [load.request(site.port, "/livez")], seconds=seconds)
    measures += site.ask(f"stored forecast, cold, {len(ids)} matches", plain, seconds=None)
    measures += site.ask("stored forecast, warm", plain, seconds=seconds)
    known = []
    for path, key in asked[:1000]:
        request = urllib.request.Request(f"http://127.0.0.1:{site.port}{path}", headers=key)
        with urllib.request.urlopen(request) as answer:
            known.append(load.request(site.port, path, **key, **{"If-None-Match": answer.headers["ETag"]}))
    measures += site.ask("stored forecast, 304", known, seconds=seconds, status=304)
    large = [load.request(site.port, f"{path}?include=markets,scorelines,reasons", **key) for path, key in asked[:2000]]
    return measures + site.ask("stored forecast with everything, cold", large, seconds=None)


def what_if(site: Site, seconds: float, keys: list[dict[str, str]]) -> list[Measure]:
    """Measure matches of two clubs of the simulated world."""
    from apps.matches.models import Match

    rows = Match.objects.filter(world="sandbox", status="scheduled", competition__level__gte=1)
    pairs = sorted(set(rows.values_list("home_team__slug", "away_team__slug")[:500]))
    random.Random(1).shuffle(pairs)
    asked = [
        load.request(site.port, f"/api/v1/what-if/?home={home}&away={away}", **keys[index % KEYS])
        for index, (home, away) in enumerate(pairs)
    ]
    return site.ask("what-if, with features", asked, seconds=seconds)


def milliseconds(work: Callable[[], object]) -> tuple[float, float]:
    """Return the median milliseconds of a call, and its mean CPU."""
    work()
    times, began = [], resource.getrusage(resource.RUSAGE_SELF)
    for _ in range(ROWS):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1000)
    ended = resource.getrusage(resource.RUSAGE_SELF)
    cpu = (ended.ru_utime + ended.ru_stime - began.ru_utime - began.ru_stime) * 1000 / ROWS
    return statistics.median(times), cpu


def golden_rows(served: Any) -> Any:
    """Return the features of the golden rows, shape (n, features)."""
    import numpy as np

    return np.array(served.bundle.golden["features"], dtype=np.float64)


def one_row(served: Any) -> list[Measure]:
    """Measure one row of features through the champion, in this process."""
    row = golden_rows(served)[:1]
    median, cpu = milliseconds(lambda: served.bundle.forecast(row))
    name = f"one row, {served.bundle.manifest.estimator}, probabilities, goals and reasons"
    return [Measure(f"{name}: p50", median, "ms"), Measure("  CPU", cpu, "ms")]


def other_version(served: Any, folder: Path) -> Any:
    """Store a version that gives other numbers than the champion: a logit of random outcomes."""
    import numpy as np

    from apps.ml.forecasting import estimators
    from apps.ml.models import ModelVersion
    from apps.ml.pipeline import bundle as bundles

    bundle, rows = served.bundle, golden_rows(served)
    model = estimators.create("elo_logit", {"columns": ["elo_diff"], "l2": 1.0}, seed=1)
    model.fit(rows, np.arange(len(rows)) % 3, names=bundle.manifest.names).save(folder / "other")
    content = bundles.pack(
        manifest=dataclasses.replace(bundle.manifest, estimator="elo_logit"),
        model=folder / "other",
        state=bundle.state_bytes,
        catalogue=list(bundle.catalogue),
        golden=rows,
    )
    version = ModelVersion.objects.get(pk=served.version_id)
    version.pk, version.number, version.key, version.estimator = None, version.number + 100, "1" * 64, "elo_logit"
    version.bundle, version.bundle_sha256 = content, hashlib.sha256(content).hexdigest()
    version.save(force_insert=True)
    return version


def swaps(served: Any, folder: Path) -> list[Measure]:
    """Replace the champion a hundred times while threads forecast; count what does not belong together."""
    from apps.matches import selectors as matches
    from apps.ml import dataset, serving
    from apps.ml.services import promote

    world, now = served.world, datetime.now(UTC)
    versions = [served.version, other_version(served, folder)]
    match = matches.matches().filter(world=world, status="scheduled", kickoff_at__gt=now).first()
    assert match is not None
    row = dataset.hypothetical_row(match, as_of=now)
    expected: dict[int, Any] = {}
    wrong: list[object] = []
    answers, ended = [0], threading.Event()

    def swap(version: Any) -> float:
        promote(version=version, user=None, reason="benchmark", now=datetime.now(UTC))
        began = time.perf_counter()
        serving.request_refresh()
        now_served = serving.current(world, now=now)
        assert now_served is not None
        expected.setdefault(version.number, serving.forecast(now_served, row, now=now).probabilities.tolist())
        return time.perf_counter() - began

    def ask() -> None:
        while not ended.is_set():
            try:
                asked = serving.latest(world, now=now)
                assert asked is not None
                if serving.forecast(asked, row, now=now).probabilities.tolist() != expected[asked.version_number]:
                    wrong.append(asked.version_number)
            except Exception as error:
                wrong.append(error)
            answers[0] += 1

    expected[served.version_number] = serving.forecast(served, row, now=now).probabilities.tolist()
    swap(versions[1])
    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    delays = [swap(versions[number % 2]) for number in range(SWAPS)]
    ended.set()
    for thread in threads:
        thread.join()
    return [
        Measure(f"{SWAPS} swaps, {answers[0]} forecasts meanwhile: median swap", statistics.median(delays), "s"),
        Measure("  slowest swap", max(delays), "s", "≤ 1"),
        Measure("  errors, and answers of two versions", len(wrong), "", "0"),
    ]


def mlflow_serve(version: Any, served: Any, folder: Path, port: int) -> list[Measure]:
    """Measure rows that `mlflow models serve` answers with the same champion."""
    command = f"-m mlflow models serve -m models:/spai-{version.world}/{version.number} --env-manager local"
    body = json.dumps({"inputs": {"features": served.bundle.golden["features"][:1]}}).encode()
    asked = urllib.request.Request(
        f"http://127.0.0.1:{port}/invocations", data=body, headers={"Content-Type": "application/json"}
    )

    def ask() -> object:
        with urllib.request.urlopen(asked, timeout=STUCK) as answer:
            return json.loads(answer.read())

    arguments = [sys.executable, *command.split(), "--port", str(port)]
    # MLflow starts a program of this environment by its name.
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    with server(arguments, port, "/ping", folder / "mlflow.log", PATH=path) as pid:
        ask()
        before = cpu_milliseconds(pid)
        median, _ = milliseconds(ask)
        cpu = (cpu_milliseconds(pid) - before) / (ROWS + 1)
    return [
        Measure("mlflow models serve, one row: p50", median, "ms", "≤ 20"),
        Measure("  CPU", cpu, "ms"),
    ]


def main() -> int:
    """Measure, and print the table."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--matches", type=int, default=20_000, help="with a published forecast (20,000)")
    options.add_argument("--seconds", type=float, default=8.0, help="of each load (8)")
    options.add_argument("--workers", type=int, default=1, help="of the web process (1)")
    args = options.parse_args()
    with own_servers() as folder:
        from django.utils import timezone

        from apps.ml import serving
        from spai.stack.processes import granian_command

        version = champion()
        ids = store(args.matches, version.pk)
        random.Random(1).shuffle(ids)
        measures, port = [], free_port()
        environment = {
            "SPAI_ROLE": "web",
            "SPAI_THREADS": "1",
            "PROMETHEUS_MULTIPROC_DIR": str(folder / "metrics"),
            "LOG_LEVEL": "WARNING",
        }
        (folder / "metrics").mkdir()
        command = granian_command(port, "spai.front:application", workers=args.workers)
        postgres = postmaster()
        with server(command, port, "/readyz", folder / "web.log", **environment) as web:
            site = Site(port, web, postgres)
            keys = api_keys()
            measures += stored(site, ids, args.seconds, keys) + what_if(site, args.seconds, keys)
        serving.refresh_models(clock=timezone.now, rounds=1)
        served = serving.latest(version.world, now=timezone.now())
        measures += one_row(served) + mlflow_serve(version, served, folder, free_port()) + swaps(served, folder)
    print_measures(f"single forecasts, {len(ids)} matches, workers: {args.workers}", measures, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
