"""What readers and jobs notice of a release: `python -m benchmarks.releases [--rounds N] [--json FILE]`.

Two processes of each kind are replaced in turn, N times (default: 2), as Kubernetes or compose would: SIGTERM, wait,
start again, wait until it is ready. Meanwhile

1. readers ask two web processes, each over connections that stay open; a balancer sends them to those that are ready;
2. two workers work on jobs of half a second;
3. clients follow events at two push processes, and connect again when a connection ends.

Counted are requests that failed, jobs that were lost or begun twice, and events that a client missed or got twice. All
on its own servers.
"""

from __future__ import annotations

import asyncio
import contextlib
import http.client
import os
import random
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from benchmarks.jobs import started
from benchmarks.push import clients_of, publish, until
from benchmarks.push_in import ready
from benchmarks.report import Measure, parser, print_measures
from benchmarks.servers import STUCK, own_servers
from spai.stack import stopping
from spai.stack.container import FINISH_SECONDS
from spai.stack.ports import free_port
from spai.stack.processes import celery, granian_command, uvicorn_command

READERS = 8
PATHS = (
    "/api/v1/matches/?page_size=20",
    "/api/v1/competitions/",
    "/api/v1/models/",
    "/api/v1/events/?after=0",
    "/livez",
)
POLL_SECONDS = 0.2
"""Time between two looks of the balancer at the readiness probes."""
DRAIN_SECONDS = 5.0
CLIENTS = 40
EVENTS_AT_ONCE = 5


class Replica:
    """A process as a container runs it, behind `spai.stack.stopping`."""

    def __init__(self, command: list[str], port: int = 0, **environment: str) -> None:
        self.port = port
        self._mark = Path(tempfile.mkdtemp(dir=os.environ["SPAI_VAR_DIR"])) / "stops"
        drain = DRAIN_SECONDS if port else 0.0
        self._command = [sys.executable, "-I", "-S", stopping.__file__, str(self._mark), str(drain), *command]
        self._environment = os.environ | {
            "LOG_LEVEL": "ERROR",
            "SPAI_STOP_MARK": str(self._mark),
            "SPAI_DRAIN_SECONDS": str(drain),
            "SPAI_LIMIT_ANONYMOUS": "0",
            "SPAI_PUSH_CONNECTIONS_OF_ADDRESS": "2000",
            **environment,
        }
        self.process = self.start()

    def start(self) -> subprocess.Popen[bytes]:
        """Start it, and wait until it is ready where it has a probe."""
        self._mark.unlink(missing_ok=True)
        self.process = subprocess.Popen(self._command, env=self._environment)
        end = time.monotonic() + STUCK
        while self.port and not ready(self.port):
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit("a process did not start; the lines above say why")
            time.sleep(0.1)
        return self.process

    def stop(self) -> None:
        """Tell it to stop, and wait until it has."""
        self.process.terminate()
        self.process.wait()


@contextlib.contextmanager
def replicas(make: Callable[[], Replica]) -> Iterator[list[Replica]]:
    """Run two processes of a kind."""
    running: list[Replica] = []
    try:
        running += [make(), make()]
        yield running
    finally:
        for each in running:
            # At the end nobody is served: without draining.
            each.process.terminate()
            each.process.terminate()
        for each in running:
            each.process.wait()


def replace(running: Sequence[Replica], rounds: int) -> None:
    """Replace each process in turn."""
    for _ in range(rounds):
        for each in running:
            each.stop()
            each.start()


class Readers:
    """Threads that send requests, and the balancer that says to which process."""

    def __init__(self, ports: Sequence[int]) -> None:
        self._ports = ports
        self._ready = list(ports)
        self._over = threading.Event()
        self._lock = threading.Lock()
        self.answered = 0
        self.failures: list[str] = []
        self._threads = [threading.Thread(target=self._balance), *self._readers()]

    def _readers(self) -> list[threading.Thread]:
        return [threading.Thread(target=self._read) for _ in range(READERS)]

    def __enter__(self) -> Readers:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        for thread in self._threads:
            thread.join()

    def _balance(self) -> None:
        while not self._over.wait(POLL_SECONDS):
            self._ready = [port for port in self._ports if ready(port)]

    def _read(self) -> None:
        links: dict[int, http.client.HTTPConnection] = {}
        while not self._over.is_set():
            if not (choice := self._ready):
                self._note("no process was ready")
                time.sleep(POLL_SECONDS)
                continue
            port, path = random.choice(choice), random.choice(PATHS)
            # http.client opens a new connection after a response that ended the old one, and only then.
            link = links.setdefault(port, http.client.HTTPConnection("127.0.0.1", port, timeout=STUCK))
            began = time.monotonic()
            try:
                link.request("GET", path)
                answer = link.getresponse()
                answer.read()
                self._note("" if answer.status == 200 else f"{path}: {answer.status}")
            except (OSError, http.client.HTTPException) as error:
                links.pop(port).close()
                self._note(f"{path} after {time.monotonic() - began:.1f} s: {error!r}")
        for link in links.values():
            link.close()

    def _note(self, failure: str) -> None:
        with self._lock:
            if failure:
                self.failures.append(failure)
            else:
                self.answered += 1


def requests(rounds: int) -> list[Measure]:
    """Count requests that fail while the web processes are replaced."""

    def make() -> Replica:
        port = free_port()
        command = granian_command(port, "spai.front:application", workers=2, finish_seconds=FINISH_SECONDS)
        return Replica(command, port, SPAI_ROLE="web")

    with replicas(make) as running, Readers([each.port for each in running]) as readers:
        replace(running, rounds)
    for failure in readers.failures[:10]:
        print(failure, file=sys.stderr)
    return [
        Measure(f"{2 * rounds} restarts of two web processes: requests answered", readers.answered, ""),
        Measure("  requests failed", len(readers.failures), "", "0"),
    ]


def jobs(rounds: int) -> list[Measure]:
    """Count jobs that are lost or begun twice while their workers are replaced."""
    from django.utils import timezone

    from apps.api import services
    from apps.api.models import PredictionJob

    count = 0

    def make() -> Replica:
        nonlocal count
        count += 1
        options = f"worker --queues jobs --concurrency 1 --loglevel WARNING --hostname jobs{count}@here".split()
        return Replica(
            celery(*options, *("--without-gossip", "--without-mingle", "--include", "benchmarks.half_second"))
        )

    key = services.create_key(name="benchmark", created_by="benchmark", scopes=["read", "jobs"], now=timezone.now()).row
    rows, over = PredictionJob.objects.all(), threading.Event()
    unfinished = rows.filter(state__in=("queued", "running"))

    def submit() -> None:
        number = 0
        while not over.wait(0.2):
            if unfinished.count() < 10:
                number += 1
                services.submit_job(api_key=key, kind="half_second", parameters={"n": number}, now=timezone.now())

    with replicas(make) as running, started(celery("beat", "--loglevel", "WARNING", "--pidfile", "")):
        submitting = threading.Thread(target=submit)
        submitting.start()
        for _ in range(rounds):
            for each in running:
                done = rows.filter(state="succeeded").count()
                end = time.monotonic() + STUCK
                # The worker that was started last works before the other one has to stop.
                while rows.filter(state="succeeded").count() < done + 5 and time.monotonic() < end:
                    time.sleep(0.1)
                each.stop()
                each.start()
        over.set()
        submitting.join()
        end = time.monotonic() + STUCK
        while unfinished.exists() and time.monotonic() < end:
            time.sleep(0.1)
    return [
        Measure(f"{2 * rounds} restarts of two workers: jobs submitted", rows.count(), ""),
        Measure("  lost or failed", rows.exclude(state="succeeded").count(), "", "0"),
        Measure("  begun twice", rows.filter(attempts__gt=1).count(), "", "0"),
    ]


async def events(rounds: int) -> list[Measure]:
    """Count events that clients miss or get twice while the push processes are replaced."""

    def make() -> Replica:
        port = free_port()
        return Replica([*uvicorn_command(port), "--log-level", "warning"], port, SPAI_ROLE="push")

    with replicas(make) as running:
        async with clients_of(CLIENTS, [each.port for each in running]) as listening:
            published = 0
            replacing = asyncio.create_task(asyncio.to_thread(replace, running, rounds))
            while not replacing.done():
                await asyncio.to_thread(publish, EVENTS_AT_ONCE)
                published += EVENTS_AT_ONCE
                await asyncio.sleep(POLL_SECONDS)
            await replacing
            begin = listening[0].begin
            await until(lambda: all(client.latest == begin + published for client in listening))
            got = [client.numbers for client in listening]
            connections = sum(client.connections for client in listening)
    wanted = list(range(begin + 1, begin + published + 1))
    return [
        Measure(f"{2 * rounds} restarts of two push processes: events", published, ""),
        Measure("  clients", CLIENTS, ""),
        Measure("  clients that got every event once, in order", sum(each == wanted for each in got), "", f"{CLIENTS}"),
        Measure("  events missed", sum(len(set(wanted) - set(each)) for each in got), "", "0"),
        Measure("  events twice", sum(len(each) - len(set(each)) for each in got), "", "0"),
        Measure("  connections made", connections, ""),
    ]


def main() -> int:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--rounds", type=int, default=2, help="times that each process is replaced")
    args = options.parse_args()
    with own_servers():
        from celery import current_app

        from spai import broker

        Path(os.environ["SPAI_VAR_DIR"]).mkdir(exist_ok=True)
        os.environ["CELERY_BROKER_URL"] = os.environ["REDIS_URL"]
        current_app.conf.update(broker.celery_settings(os.environ["REDIS_URL"]))
        measures = [*requests(args.rounds), *asyncio.run(events(args.rounds)), *jobs(args.rounds)]
    print_measures("releases", measures, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
