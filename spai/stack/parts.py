"""The parts of the stack in one table: command, environment, and how each is known to be healthy."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from spai.stack import health, servers
from spai.stack.environment import Stack

QUEUES = ("scrape", "ml", "forecast", "default")
SERVERS = ("postgres", "redis")
SITE = ("web", "office", "push", "sandbox")
"""Parts that answer people; the stack is ready when they are."""
SANDBOX_THREADS = 32
"""More than a polite reader ever needs at once: the site plays one that hangs, and must answer others meanwhile."""
POSTGRES_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "jit": "off",
    "log_min_messages": "warning",
}
REDIS_SETTINGS = ("save 300 1", "appendonly no", "maxmemory 256mb", "maxmemory-policy noeviction")


@dataclass(frozen=True)
class Part:
    """One process of the stack.

    Attributes
    ----------
    alive : Check
        Asks for the least that only a working process can do; a part that fails it again and again is restarted.
    ready : Check
        Asks for what its users need of it, which may fail for a fault of another part.
    needs : sequence of str
        The parts without which this one cannot be blamed.
    port : int
        Where it listens; 0 for parts that only ask others.
    stop_signal, stop_seconds
        How it is asked to end, and how long it may take before it is killed.
    """

    name: str
    purpose: str
    command: list[str]
    alive: health.Check
    ready: health.Check
    needs: Sequence[str] = ()
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0
    directory: str = ""
    stop_signal: str = "TERM"
    stop_seconds: int = 15


def started_never() -> datetime | None:
    """Return None: nothing is known of a start."""
    return None


def table(stack: Stack, beat_started_at: Callable[[], datetime | None] = started_never) -> list[Part]:
    """Return the parts that this stack runs, in the order of their start.

    Raises
    ------
    ServerError
        When a server's program cannot be found.
    """
    parts = []
    if not stack.elsewhere("postgres"):
        parts.append(postgres(stack))
    if not stack.elsewhere("redis"):
        parts.append(redis_server(stack))
    if not stack.elsewhere("mlflow"):
        parts.append(mlflow(stack))
    parts += [web(stack), office(stack), push(stack)]
    if stack.runs_sandbox:
        parts.append(sandbox(stack))
    parts += [worker(stack, queue) for queue in QUEUES]
    parts.append(beat(stack, beat_started_at))
    return parts


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs `module` with this very Python."""
    return [sys.executable, "-m", module, *arguments]


def postgres(stack: Stack) -> Part:
    """PostgreSQL, from the machine's program or the embedded one."""
    cluster = servers.find_cluster(stack.var, stack.value("SPAI_SERVERS") or "auto")
    check = health.postgres(stack.maintenance_database)
    return Part(
        name="postgres",
        purpose=f"PostgreSQL {cluster.program.major} ({cluster.program.origin})",
        command=servers.postgres_command(cluster, stack.port("postgres"), POSTGRES_SETTINGS),
        alive=check,
        ready=check,
        port=stack.port("postgres"),
        directory="/",
        # The fast shutdown: open connections are ended, nothing is lost.
        stop_signal="INT",
        stop_seconds=30,
    )


def redis_server(stack: Stack) -> Part:
    """Redis or Valkey: the broker, the cache, the channel layer."""
    program = servers.find_redis(stack.value("SPAI_SERVERS") or "auto")
    port = stack.port("redis")
    check = health.redis_server(stack.own["REDIS_URL"])
    return Part(
        name="redis",
        purpose=f"{'Valkey' if 'valkey' in program.path.name else 'Redis'} {program.major} ({program.origin})",
        command=servers.redis_command(program, stack.var / "redis", port, stack.password("redis"), REDIS_SETTINGS),
        alive=check,
        ready=check,
        port=port,
    )


def mlflow(stack: Stack) -> Part:
    """MLflow with PostgreSQL behind it, for this machine only."""
    port = stack.port("mlflow")
    check = health.http(f"http://127.0.0.1:{port}/health")
    return Part(
        name="mlflow",
        purpose="MLflow: runs and model registry",
        command=python(
            "mlflow",
            "server",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            "1",
            "--artifacts-destination",
            str(stack.var / "mlflow"),
            "--uvicorn-opts",
            "--no-access-log",
        ),
        alive=check,
        ready=check,
        needs=("postgres",),
        environment={
            "MLFLOW_BACKEND_STORE_URI": stack.mlflow_database.replace("postgresql://", "postgresql+psycopg://", 1),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
        },
        port=port,
        directory=str(stack.var),
    )


def site_environment(stack: Stack, face: str) -> dict[str, str]:
    """Return what a process of the site's code needs beyond what all parts share."""
    # All of them count into one total, which any of them can tell.
    return {"SPAI_FACE": face, "PROMETHEUS_MULTIPROC_DIR": str(stack.metrics)}


def granian(
    stack: Stack,
    name: str,
    purpose: str,
    workers: int,
    application: str = "spai.wsgi:application",
    threads: int = 1,
) -> Part:
    """Return a WSGI process; for short requests one blocking thread each was the quickest by far."""
    port = stack.port(name)
    return Part(
        name=name,
        purpose=purpose,
        command=python(
            "granian",
            "--interface",
            "wsgi",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--workers",
            str(workers),
            "--no-ws",
            "--blocking-threads",
            str(threads),
            "--respawn-failed-workers",
            "--respawn-interval",
            "1",
            "--workers-kill-timeout",
            "5",
            application,
        ),
        alive=health.http(f"http://127.0.0.1:{port}/livez"),
        ready=health.http(f"http://127.0.0.1:{port}/readyz"),
        needs=SERVERS[:1],
        environment=site_environment(stack, name) | {"DATABASE_POOL_SIZE": str(threads + 3)},
        port=port,
    )


def web(stack: Stack) -> Part:
    """Return the process of pages and API, with as many workers as a small machine has processors."""
    return granian(stack, "web", "pages and API", workers=min(4, os.cpu_count() or 1))


def office(stack: Stack) -> Part:
    """Return the process of the admin, batches and exports, with threads left for people while a feed is stored."""
    return granian(stack, "office", "admin, batches, exports", workers=1, threads=4)


def sandbox(stack: Stack) -> Part:
    """Return the process of the simulated world's site, where a request that hangs holds one thread of many."""
    part = granian(
        stack, "sandbox", "the simulated world as a web site", 1, "spai.sandbox:application", SANDBOX_THREADS
    )
    return replace(part, environment=site_environment(stack, "office"))


def push(stack: Stack) -> Part:
    """Return the process of websockets and Server-Sent Events."""
    port = stack.port("push")
    return Part(
        name="push",
        purpose="websocket and Server-Sent Events",
        command=python(
            "uvicorn",
            "spai.asgi:application",
            "--host",
            "127.0.0.1",
            "--port",
            str(port),
            "--lifespan",
            "on",
            "--ws",
            "websockets-sansio",
            "--no-access-log",
            "--timeout-graceful-shutdown",
            "3",
        ),
        alive=health.http(f"http://127.0.0.1:{port}/livez"),
        ready=health.http(f"http://127.0.0.1:{port}/readyz"),
        needs=SERVERS,
        environment=site_environment(stack, "push"),
        port=port,
    )


def worker(stack: Stack, queue: str) -> Part:
    """Return the Celery worker of one queue."""
    # A broker elsewhere may be shared: the name says whose worker this is.
    name = f"{queue}@{hashlib.sha256(str(stack.var).encode()).hexdigest()[:8]}"
    check = health.worker(name, stack.value("CELERY_BROKER_URL") or stack.address("redis"))
    return Part(
        name=f"worker-{queue}",
        purpose=f"Celery worker of the queue {queue}",
        command=celery(
            "worker",
            "--queues",
            queue,
            "--hostname",
            name,
            "--concurrency",
            "1",
            "--loglevel",
            "INFO",
            "--without-gossip",
            "--without-mingle",
        ),
        alive=check,
        ready=check,
        needs=SERVERS,
        environment=site_environment(stack, "office"),
    )


def beat(stack: Stack, started_at: Callable[[], datetime | None]) -> Part:
    """Return the one clock, which starts what the timetable says."""
    check = health.beat(stack.address("postgres"), started_at)
    return Part(
        name="beat",
        purpose="celery-beat: the timetable",
        command=celery("beat", "--loglevel", "INFO", "--pidfile", ""),
        alive=check,
        ready=check,
        needs=SERVERS,
        environment=site_environment(stack, "office"),
    )


def celery(*arguments: str) -> list[str]:
    """Return a Celery command; that it may run as root is settled here, not in each log."""
    return [
        sys.executable,
        "-W",
        "ignore:You're running the worker with superuser",
        *python("celery", "-A", "spai")[1:],
        *arguments,
    ]
