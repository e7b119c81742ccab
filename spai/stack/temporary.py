"""A PostgreSQL and a Redis for one test run or benchmark, in an environment without the variables of any stack.

Tests and benchmarks must not touch a site in use, even when the shell has sourced its `var/stack.env` or a `.env` names
its servers: no variable that names such a server reaches them or the processes that they start.
"""

# ruff: noqa: S603  every command is built here

from __future__ import annotations

import os
import secrets
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psycopg
import redis

from spai.stack import servers
from spai.stack.environment import DATABASE_USER, QUIET, SUPERUSER
from spai.stack.ports import free_port
from spai.stack.roles import APPLICATION, RETENTION

ATTEMPTS = 5
"""Ports to try: another process may take one between its choice and the start of the server."""
TIMEOUT = 120.0
"""Seconds after which a server that runs but does not answer counts as stuck."""
STOP_TIMEOUT = 30.0
"""Seconds after which a server that does not stop is killed."""
OF_A_STACK = (
    *("SPAI_", "DATABASE_", "REDIS_", "CELERY_", "MLFLOW_", "PROMETHEUS_"),
    *("DJANGO_", "BROWSER_", "AWS_", "DVC_", "GX_"),
    # libpq reads these for what an address omits.
    "PG",
)
"""Prefixes of the variables that settings, the stack and their libraries read."""
ALSO_OF_A_STACK = (
    *("SECRET_KEY", "EMAIL_URL", "DEBUG", "LOG_LEVEL", "LOG_FORMAT", "ALLOWED_HOSTS", "DO_NOT_TRACK"),
    *("SENTRY_DSN", "OTEL_EXPORTER_OTLP_ENDPOINT"),
)
OF_THE_MACHINE = ("SPAI_SERVERS", "SPAI_REAL_DATA", "SPAI_BROWSER")
"""Variables that name programs and files of this machine, not a server."""


def without_stack(environment: Mapping[str, str]) -> dict[str, str]:
    """Return an environment without the variables of any stack, but with those of the machine."""
    return {
        name: value
        for name, value in environment.items()
        if name in OF_THE_MACHINE or not (name.upper().startswith(OF_A_STACK) or name in ALSO_OF_A_STACK)
    }


def isolate(folder: Path) -> None:
    """Remove the variables of any stack from this process; set a new secret key and a `var` in `folder`."""
    kept = without_stack(os.environ)
    for name in set(os.environ) - set(kept):
        del os.environ[name]
    os.environ.update(
        QUIET | {"SECRET_KEY": secrets.token_urlsafe(48), "SPAI_VAR_DIR": str(folder / "var"), "SPAI_ENV_FILE": ""}
    )


class TemporaryServers:
    """Servers of one run and the folder of their files; leaving the context stops and removes them."""

    def __init__(self, prefix: str) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix=prefix))
        self.processes: list[subprocess.Popen[bytes]] = []
        # New each time, so that the server of another run that took our port refuses the login.
        self.password = secrets.token_urlsafe(24)

    def start_postgres(self, settings: dict[str, str]) -> str:
        """Start a PostgreSQL with these settings; return its address.

        The role in the address owns the databases that it creates, so that it may migrate them, and may also disable
        triggers. It can assume the roles of the application and of retention.
        """
        if servers.unprivileged_mode() == "nobody":
            self.folder.chmod(0o755)
        cluster = servers.find_cluster(self.folder, os.environ.get("SPAI_SERVERS", "auto"))
        servers.make_cluster(cluster, SUPERUSER, self.password)

        def address(port: int, user: str) -> str:
            return f"postgresql://{user}:{self.password}@127.0.0.1:{port}/postgres"

        def answers(port: int) -> bool:
            try:
                with psycopg.connect(address(port, SUPERUSER), connect_timeout=int(TIMEOUT)) as connection:
                    connection.execute("SELECT 1")
            except psycopg.OperationalError:
                return False
            return True

        port = self._run("postgres", lambda port: servers.postgres_command(cluster, port, settings), answers)
        with psycopg.connect(address(port, SUPERUSER), autocommit=True) as connection:
            connection.execute(f"CREATE ROLE {DATABASE_USER} LOGIN CREATEDB PASSWORD '{self.password}'")
            for role in (RETENTION, APPLICATION):
                connection.execute(f"CREATE ROLE {role} NOLOGIN")
                connection.execute(f"GRANT {role} TO {DATABASE_USER}")
            # Benchmarks skip the foreign keys of hundreds of thousands of generated rows.
            connection.execute(f"GRANT SET ON PARAMETER session_replication_role TO {DATABASE_USER}")
        return address(port, DATABASE_USER)

    def start_redis(self) -> str:
        """Start a Redis that stores nothing on disk; return its address."""
        program = servers.find_redis(os.environ.get("SPAI_SERVERS", "auto"))

        def address(port: int) -> str:
            return f"redis://:{self.password}@127.0.0.1:{port}/0"

        def command(port: int) -> list[str]:
            return servers.redis_command(
                program, self.folder / "redis", port, self.password, ['save ""', "appendonly no"]
            )

        def answers(port: int) -> bool:
            try:
                with redis.Redis.from_url(address(port), socket_timeout=TIMEOUT) as client:
                    return bool(client.ping())
            except redis.RedisError:
                return False

        return address(self._run("redis", command, answers))

    def _run(self, name: str, command: Callable[[int], list[str]], answers: Callable[[int], bool]) -> int:
        """Start a server on a free port, or on another when that is taken meanwhile; return the port."""
        log = self.folder / f"{name}.log"
        for _ in range(ATTEMPTS):
            port = free_port()
            with log.open("ab") as output:
                process = subprocess.Popen(
                    command(port), cwd="/", stdout=output, stderr=output, stdin=subprocess.DEVNULL
                )
            self.processes.append(process)
            end = time.monotonic() + TIMEOUT
            while process.poll() is None and time.monotonic() < end:
                if answers(port):
                    return port
                time.sleep(0.02)
            process.kill()
            process.wait()
        raise servers.ServerError(f"{name} did not start:\n{log.read_text(errors='replace')[-4000:]}")

    def stop(self) -> None:
        """Stop the servers and remove their files; a second call does nothing."""
        for process in self.processes:
            process.send_signal(signal.SIGINT)
        for process in self.processes:
            try:
                process.wait(timeout=STOP_TIMEOUT)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self.processes = []
        shutil.rmtree(self.folder, ignore_errors=True)

    def __enter__(self) -> TemporaryServers:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()
