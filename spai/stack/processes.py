"""The table of the stack's processes: command, environment and health checks."""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from spai.broker import QUEUES
from spai.stack import health, mlflow_server, monitoring, servers
from spai.stack.environment import MLFLOW_LOGIN, Stack

SERVERS = ("postgres", "redis")
ADMIN_THREADS = 4
KERNELS = "kernels"
"""Mark of the process that compiles the kernels during the start, outside supervisor."""
SITE = ("web", "admin", "push", "sandbox")
"""The processes that serve people; the stack is ready when they are."""
SANDBOX_THREADS = 32
"""The sandbox simulates requests that hang; each holds a thread, and other requests must be answered meanwhile."""
CONNECTIONS = 4096
"""Largest number of connections to one worker of a web process, idle ones included."""
HEAD_MILLISECONDS = 10_000
"""Time in which the head of a request must arrive."""
HEAD_BYTES = 65_536
"""Largest head of a request."""
POSTGRES_SETTINGS = {
    "max_connections": "100",
    "shared_buffers": "256MB",
    "max_wal_size": "4GB",
    "jit": "off",
    "log_min_messages": "warning",
}
REDIS_SETTINGS = ("save 300 1", "appendonly no", "maxmemory 256mb", "maxmemory-policy noeviction")


@dataclass(frozen=True)
class Process:
    """One process of the stack."""

    name: str
    purpose: str
    command: list[str]
    alive: health.Check  # tests the least that shows that it works; the monitor restarts one that keeps failing this
    ready: health.Check  # tests what its users need; it may fail because of another process
    needs: Sequence[str] = ()  # while one of these processes is unhealthy, failures of this one do not count
    environment: dict[str, str] = field(default_factory=dict)
    port: int = 0  # 0 for none
    directory: str = ""
    stop_signal: str = "TERM"
    stop_seconds: int = 15  # how long it may take to stop before it is killed


def table(stack: Stack, beat_started_at: Callable[[], datetime | None] = lambda: None) -> list[Process]:
    """Return the processes that this stack runs, in the order of their start: each after those that it needs.

    Raises
    ------
    ServerError
        When a server's program cannot be found.
    """
    processes = []
    if not stack.is_external("postgres"):
        processes.append(postgres(stack))
    if not stack.is_external("redis"):
        processes.append(redis_server(stack))
    if not stack.is_external("mlflow"):
        processes.append(mlflow(stack))
    processes += [web(stack), admin(stack), push(stack)]
    if stack.runs_sandbox:
        processes.append(sandbox(stack))
    broker = stack.value("CELERY_BROKER_URL") or stack.address("redis")
    pings = health.WorkerPings([worker_name(stack, queue) for queue in QUEUES], broker)
    processes += [worker(stack, queue, pings) for queue in QUEUES]
    processes.append(beat(stack, beat_started_at))
    processes += [watcher(stack, name) for name in monitoring.PROGRAMS if monitoring.program(stack, name)]
    return processes


def python(module: str, *arguments: str) -> list[str]:
    """Return the command that runs `module` with the same Python as this process."""
    return [sys.executable, "-m", module, *arguments]


def postgres(stack: Stack) -> Process:
    """Return the process of PostgreSQL, of the machine or embedded."""
    cluster = servers.find_cluster(stack.var, stack.value("SPAI_SERVERS"))
    check = health.postgres(stack.maintenance_database)
    return Process(
        name="postgres",
        purpose=f"PostgreSQL {cluster.program.major} ({cluster.program.origin})",
        command=servers.postgres_command(cluster, stack.port("postgres"), POSTGRES_SETTINGS),
        alive=check,
        ready=check,
        port=stack.port("postgres"),
        directory="/",
        # PostgreSQL's fast shutdown: it closes open connections and loses nothing.
        stop_signal="INT",
        stop_seconds=30,
    )


def redis_server(stack: Stack) -> Process:
    """Return the process of Redis or Valkey: broker, cache and counts of requests."""
    program = servers.find_redis(stack.value("SPAI_SERVERS"))
    port = stack.port("redis")
    check = health.redis_server(stack.own["REDIS_URL"])
    return Process(
        name="redis",
        purpose=f"{'Valkey' if 'valkey' in program.path.name else 'Redis'} {program.major} ({program.origin})",
        command=servers.redis_command(program, stack.var / "redis", port, stack.password("redis"), REDIS_SETTINGS),
        alive=check,
        ready=check,
        port=port,
    )


def mlflow(stack: Stack) -> Process:
    """Return the process of MLflow, which stores in PostgreSQL, listens on loopback and requires a login."""
    port = stack.port("mlflow")
    # Both are missing from the stack.env of an early version until the next start.
    name, password = (stack.own.get(variable, "") for variable in MLFLOW_LOGIN)
    login = (name, password) if password else None
    return Process(
        name="mlflow",
        purpose="MLflow: runs and model registry",
        command=[
            # As a file: its working directory is not that of the code.
            *(sys.executable, "-P", mlflow_server.__file__),
            *f"--app-name basic-auth --host 127.0.0.1 --port {port} --workers 1".split(),
            *("--artifacts-destination", stack.value("SPAI_MLFLOW_ARTIFACTS") or str(stack.var / "mlflow")),
            *("--uvicorn-opts", "--no-access-log"),
        ],
        alive=health.http(f"http://127.0.0.1:{port}/health"),
        ready=health.http(f"http://127.0.0.1:{port}/version", login),
        needs=("postgres",),
        environment={
            "MLFLOW_BACKEND_STORE_URI": sqlalchemy_address(stack.mlflow_database),
            "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false",
            "MLFLOW_AUTH_CONFIG_PATH": str(stack.mlflow_auth_file),
            "MLFLOW_AUTH_ADMIN_USERNAME": name,
            "MLFLOW_AUTH_ADMIN_PASSWORD": password,
            # MLflow's name of it; with an empty one it asks Amazon.
            "MLFLOW_S3_ENDPOINT_URL": stack.value("SPAI_S3_ENDPOINT"),
            "MLFLOW_FLASK_SERVER_SECRET_KEY": stack.maintenance.get("MLFLOW_FLASK_SERVER_SECRET_KEY", ""),
        },
        port=port,
        directory=str(stack.var),
    )


def sqlalchemy_address(address: str) -> str:
    """Return an address of PostgreSQL in SQLAlchemy's form, with the name of the driver."""
    return address.replace("postgresql://", "postgresql+psycopg://", 1)


def mlflow_auth(stack: Stack) -> str:
    """Return MLflow's configuration of logins: users are in its database; one without a role may do nothing."""
    # A percent sign would begin an interpolation.
    address = sqlalchemy_address(stack.mlflow_database).replace("%", "%%")
    lines = [
        "[mlflow]",
        f"database_uri = {address}",
        "default_permission = NO_PERMISSIONS",
        "authorization_function = mlflow.server.auth:authenticate_request_basic_auth",
        # A password is hashed once in so many seconds, not at each of the hundred requests of a registration.
        "auth_cache_ttl_seconds = 300",
    ]
    return "\n".join(lines) + "\n"


def site_environment(stack: Stack, role: str) -> dict[str, str]:
    """Return the variables of a process that runs the site's code; they share their metrics in one folder."""
    return {"SPAI_ROLE": role, "PROMETHEUS_MULTIPROC_DIR": str(stack.metrics)}


def granian(
    stack: Stack, name: str, purpose: str, application: str = "spai.front:application", *, workers: int, threads: int
) -> Process:
    """Return a process that serves a `BufferedApplication` with `threads` threads in each of its workers."""
    port = stack.port(name)
    return Process(
        name=name,
        purpose=purpose,
        command=granian_command(port, application, workers=workers),
        alive=health.http(f"http://127.0.0.1:{port}/livez"),
        ready=health.http(f"http://127.0.0.1:{port}/readyz"),
        needs=SERVERS[:1],
        environment=site_environment(stack, name) | {"SPAI_THREADS": str(threads)},
        port=port,
    )


def granian_command(port: int, application: str, *, workers: int = 1, finish_seconds: int = 5) -> list[str]:
    """Return the command of a web server that listens on loopback, and may take so long to finish its requests.

    Granian receives the heads of requests outside Python and closes a connection that sends one too slowly. Each worker
    accepts at most `CONNECTIONS` connections.
    """
    return python(
        *f"granian --interface asgi --http 1 --no-ws --host 127.0.0.1 --port {port} --workers {workers}".split(),
        *f"--backpressure {CONNECTIONS} --http1-header-read-timeout {HEAD_MILLISECONDS}".split(),
        *f"--http1-buffer-size {HEAD_BYTES} --respawn-failed-workers --respawn-interval 1".split(),
        *("--workers-kill-timeout", str(finish_seconds), application),
    )


def web(stack: Stack) -> Process:
    """Return the process of pages and API, with a worker for each processor of a small machine."""
    process = granian(stack, "web", "pages and API", workers=min(4, os.cpu_count() or 1), threads=1)
    interpreter, dash_m, _, *options = process.command
    return replace(process, command=[interpreter, dash_m, "spai.shared_imports", *options])


def admin(stack: Stack) -> Process:
    """Return the process of the admin and of push-in, with threads left for people while push-in stores matches."""
    return granian(stack, "admin", "admin and push-in", workers=1, threads=ADMIN_THREADS)


def sandbox(stack: Stack) -> Process:
    """Return the process of the simulated world's web site."""
    purpose = "web site of the simulated world"
    process = granian(stack, "sandbox", purpose, "spai.sandbox:application", workers=1, threads=SANDBOX_THREADS)
    return replace(process, environment=site_environment(stack, "admin") | {"SPAI_THREADS": str(SANDBOX_THREADS)})


def push(stack: Stack) -> Process:
    """Return the process of websockets."""
    port = stack.port("push")
    return Process(
        name="push",
        purpose="websocket",
        command=uvicorn_command(port),
        alive=health.http(f"http://127.0.0.1:{port}/livez"),
        ready=health.http(f"http://127.0.0.1:{port}/readyz"),
        needs=SERVERS,
        environment=site_environment(stack, "push"),
        port=port,
    )


def uvicorn_command(port: int) -> list[str]:
    """Return the command of the process of websockets, which listens on loopback."""
    return python(
        *f"uvicorn spai.asgi:application --host 127.0.0.1 --port {port} --lifespan on".split(),
        *("--http", "spai.push_protocol:DeadlineProtocol", "--ws", "spai.push_protocol:DeadlineWebSocket"),
        # Events are short, and a compressor for each client takes more memory and time than the client saves.
        *("--ws-per-message-deflate", "false"),
        # Without it uvicorn believes the header of any client on this machine; SPAI_PROXIES names the proxies that it
        # may trust.
        *("--no-proxy-headers", "--no-access-log", "--timeout-graceful-shutdown", "3"),
    )


def worker_name(stack: Stack, queue: str) -> str:
    """Return the name of a worker, which identifies its stack: several may share an external broker."""
    return f"{queue}@{hashlib.sha256(str(stack.var).encode()).hexdigest()[:8]}"


def worker(stack: Stack, queue: str, pings: health.WorkerPings) -> Process:
    """Return the Celery worker of one queue."""
    name = worker_name(stack, queue)
    check = pings.check_of(name)
    return Process(
        name=f"worker-{queue}",
        purpose=f"Celery worker of the queue {queue}",
        command=celery(
            *f"worker --queues {queue} --hostname {name} --concurrency 1 --loglevel INFO".split(),
            # Nobody listens to these events; the monitor pings.
            *("--without-gossip", "--without-mingle", "--without-heartbeat"),
        ),
        alive=check,
        ready=check,
        needs=SERVERS,
        environment=site_environment(stack, "admin"),
    )


def beat(stack: Stack, started_at: Callable[[], datetime | None]) -> Process:
    """Return the process of celery-beat, which sends the tasks of the timetable."""
    check = health.beat(stack.address("postgres"), started_at)
    return Process(
        name="beat",
        purpose="celery-beat: the timetable",
        command=celery("beat", "--loglevel", "INFO", "--pidfile", ""),
        alive=check,
        ready=check,
        needs=SERVERS,
        environment=site_environment(stack, "admin"),
    )


def watcher(stack: Stack, name: str) -> Process:
    """Return the process of Prometheus or of Alertmanager."""
    check = health.http(f"http://127.0.0.1:{stack.port(name)}/-/healthy")
    return Process(
        name=name,
        purpose={
            "prometheus": "Prometheus: the history of the metrics",
            "alertmanager": "Alertmanager: tells when SPAI does not answer",
        }[name],
        command=monitoring.command(stack, name),
        alive=check,
        ready=check,
        port=stack.port(name),
    )


def celery(*arguments: str) -> list[str]:
    """Return a Celery command without the warning against root, which would begin each log."""
    return [
        sys.executable,
        "-W",
        "ignore:You're running the worker with superuser",
        *python("celery", "-A", "spai")[1:],
        *arguments,
    ]
