"""What limits of requests cost, and whether they hold: `python -m benchmarks.throttle [--json FILE]`.

It starts its own PostgreSQL and Redis. First one process admits requests of 100 keys. Then four processes with
four threads each send more requests of one key than a minute allows. At last Redis is frozen and killed while one
process continues.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from benchmarks.report import Measure, parser, print_measures
from benchmarks.servers import STUCK, own_servers

PROCESSES = 4
THREADS = 4
LIMIT = 6_000
KEYS = 100
REQUESTS = 100_000


def spend(address: str, tries: int, now: float, ready: Any, results: Any) -> None:
    """Send requests of one key from several threads of this process; put how many were admitted, and the slowest."""
    import django

    django.setup()
    from apps.api.services import shared_counter
    from apps.api.throttle import Throttle

    one = Throttle(shared_counter(address))

    def thread(_: int) -> tuple[int, float]:
        allowed, slowest = 0, 0.0
        for _ in range(tries // THREADS):
            began = time.perf_counter()
            allowed += one.admit("one key", policy="key", limit=LIMIT, cost=1, now=now).allowed
            slowest = max(slowest, time.perf_counter() - began)
        return allowed, slowest

    ready.wait()
    with ThreadPoolExecutor(THREADS) as threads:
        parts = list(threads.map(thread, range(THREADS)))
    results.put((sum(allowed for allowed, _ in parts), max(slowest for _, slowest in parts)))


def admissions() -> list[Measure]:
    """Measure key and limit of one request, as the middleware and a fast path pay them, and how fast a key ends."""
    from django.test import RequestFactory
    from django.utils import timezone

    from apps.api import services
    from apps.api.authentication import key_of

    threading.Thread(target=services.watch_keys, daemon=True).start()
    time.sleep(1.0)  # until it listens, when it forgets all keys
    now = timezone.now()
    keys = [
        services.create_key(
            name=f"key {number}", scopes=["read"], created_by="benchmark", now=now, requests_per_minute=REQUESTS
        )
        for number in range(KEYS)
    ]
    environs = [RequestFactory().get("/", headers={"X-API-Key": made.token}).META for made in keys]
    for environ in environs:
        key_of(environ, now=now)
    began, cpu = time.perf_counter(), time.process_time()
    for number in range(REQUESTS):
        key = key_of(environs[number % KEYS], now=now)
        assert key is not None
        assert services.admit(key, now=now).headers
    spent, used = time.perf_counter() - began, time.process_time() - cpu
    services.revoke_key(key=keys[0].row, by="benchmark", now=now)
    revoked = time.perf_counter()
    while services.known_key(keys[0].token, now=now):
        time.sleep(0.0001)
    return [
        Measure(f"key and limit of one request, {KEYS} keys: CPU", used / REQUESTS * 1e6, "µs", "≤ 100"),
        Measure("  wall", spent / REQUESTS * 1e6, "µs"),
        Measure("a revoked key is forgotten after", (time.perf_counter() - revoked) * 1e3, "ms", "≤ 1000"),
    ]


def middleware() -> list[Measure]:
    """Measure the whole middleware around a view that does nothing, less the view."""
    from django.http import HttpResponse
    from django.test import RequestFactory
    from django.utils import timezone

    from apps.api import services
    from apps.api.rest.access import AccessMiddleware

    def view(request: Any) -> HttpResponse:
        return HttpResponse(b"{}", headers={"Cache-Control": "no-cache"})

    guarded = AccessMiddleware(view)
    token = services.create_key(
        name="middleware",
        scopes=["read"],
        created_by="benchmark",
        now=timezone.now(),
        requests_per_minute=REQUESTS,
    ).token
    requests = [RequestFactory().get("/api/x", headers={"X-API-Key": token}) for _ in range(5_000)]
    times = {}
    for name, handler in (("guarded", guarded), ("view", view)):
        cpu = time.process_time()
        for request in requests:
            handler(request)
        times[name] = (time.process_time() - cpu) / len(requests) * 1e6
    return [Measure("the whole middleware with its headers: CPU", times["guarded"] - times["view"], "µs", "≤ 100")]


def together(address: str) -> list[Measure]:
    """Let several processes spend one limit."""
    context = multiprocessing.get_context("spawn")
    results, ready = context.Queue(), context.Barrier(PROCESSES)
    now = time.time()
    workers = [context.Process(target=spend, args=(address, LIMIT, now, ready, results)) for _ in range(PROCESSES)]
    for worker in workers:
        worker.start()
    parts = [results.get(timeout=STUCK) for _ in workers]
    for worker in workers:
        worker.join()
    return [
        Measure(
            f"{PROCESSES} processes × {THREADS} threads: admitted of {PROCESSES * LIMIT:,}",
            sum(a for a, _ in parts),
            "",
            f"≤ {LIMIT}",
        ),
        Measure("  slowest admission", max(slowest for _, slowest in parts) * 1e3, "ms"),
    ]


def without_redis(address: str) -> list[Measure]:
    """Freeze and then kill the Redis while one process continues."""
    import redis

    from apps.api.services import shared_counter
    from apps.api.throttle import Throttle

    process = int(redis.Redis.from_url(address).info("server")["process_id"])
    one = Throttle(shared_counter(address))
    measures = []
    for name, sent, at in (("frozen", signal.SIGSTOP, 1e9), ("killed", signal.SIGKILL, 2e9)):
        one.admit("before", policy="key", limit=LIMIT, cost=1, now=at)
        os.kill(process, sent)
        times = []
        allowed = 0
        for _ in range(2 * LIMIT):
            began = time.perf_counter()
            allowed += one.admit("one key", policy="key", limit=LIMIT, cost=1, now=at).allowed
            times.append(time.perf_counter() - began)
        times.sort()
        measures += [
            Measure(f"Redis {name}: admitted of {2 * LIMIT:,}", allowed, "", f"= {LIMIT}"),
            Measure("  the first, which waits for Redis", times[-1] * 1e3, "ms"),
            Measure("  the second slowest", times[-2] * 1e3, "ms", "≤ 100"),
        ]
    return measures


def main() -> int:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "").parse_args()
    with own_servers():
        address = os.environ["REDIS_URL"]
        measures = admissions() + middleware() + together(address) + without_redis(address)
        print_measures("limits of requests", measures, options.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
