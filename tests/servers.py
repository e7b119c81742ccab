"""A PostgreSQL and a Redis of this test run alone, unless DATABASE_URL and REDIS_URL name others.

A plugin that pyproject.toml names (`-p tests.servers`): the addresses must be in the environment before settings load,
which pytest-django does before any conftest. Runs of tests/pure alone start nothing.
"""

from __future__ import annotations

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

import psycopg
import pytest
import redis

from spai.stack import health, servers
from spai.stack.environment import DATABASE_USER, SUPERUSER
from spai.stack.ports import free_port
from spai.stack.roles import RETENTION

ATTEMPTS = 5
PATIENCE = 30.0
"""Longest wait for a server to answer, in seconds."""
PASSWORD = "only-for-tests"
NOWHERE = {"DATABASE_URL": "postgresql://nobody:none@127.0.0.1:1/none", "REDIS_URL": "redis://127.0.0.1:1/0"}
# Durability is not what tests are about; a lost power supply may take all of it.
POSTGRES_SETTINGS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "shared_buffers": "64MB",
    "max_connections": "60",
    "autovacuum": "off",
    "max_wal_size": "2GB",
}


class TestServers:
    """The servers of one run and the folder that holds their files."""

    __test__ = False

    def __init__(self) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="spai-tests-"))
        self.processes: list[subprocess.Popen[bytes]] = []

    def start_postgres(self) -> str:
        """Start a PostgreSQL; return its address."""
        if servers.root_way() == "nobody":
            self.folder.chmod(0o755)
        cluster = servers.find_cluster(self.folder, os.environ.get("SPAI_SERVERS", "auto"))
        servers.make_cluster(cluster, SUPERUSER, PASSWORD)

        def address(port: int, user: str) -> str:
            return f"postgresql://{user}:{PASSWORD}@127.0.0.1:{port}/postgres"

        def answers(port: int) -> bool:
            try:
                with psycopg.connect(address(port, SUPERUSER), connect_timeout=2) as connection:
                    connection.execute("SELECT 1")
            except psycopg.OperationalError:
                return False
            return True

        port = self._run("postgres", lambda port: servers.postgres_command(cluster, port, POSTGRES_SETTINGS), answers)
        with psycopg.connect(address(port, SUPERUSER), autocommit=True) as connection:
            # The site's role is as ordinary as in the stack, but that tests make databases.
            connection.execute(f"CREATE ROLE {DATABASE_USER} LOGIN CREATEDB PASSWORD '{PASSWORD}'")
            connection.execute(f"CREATE ROLE {RETENTION} NOLOGIN")
            connection.execute(f"GRANT {RETENTION} TO {DATABASE_USER}")
        return address(port, DATABASE_USER)

    def start_redis(self) -> str:
        """Start a Redis that keeps nothing on disk; return its address."""
        program = servers.find_redis(os.environ.get("SPAI_SERVERS", "auto"))

        def address(port: int) -> str:
            return f"redis://:{PASSWORD}@127.0.0.1:{port}/0"

        def command(port: int) -> list[str]:
            return servers.redis_command(program, self.folder / "redis", port, PASSWORD, ['save ""', "appendonly no"])

        def answers(port: int) -> bool:
            try:
                with redis.Redis.from_url(address(port), socket_timeout=2) as client:
                    return bool(client.ping())
            except redis.RedisError:
                return False

        return address(self._run("redis", command, answers))

    def _run(self, name: str, command: object, answers: object) -> int:
        """Start a server on a free port, on another one when somebody else was quicker; return the port."""
        assert callable(command)
        assert callable(answers)
        log = self.folder / f"{name}.log"
        for _ in range(ATTEMPTS):
            port = free_port()
            with log.open("ab") as output:
                process = subprocess.Popen(
                    command(port), cwd="/", stdout=output, stderr=output, stdin=subprocess.DEVNULL
                )
            end = time.monotonic() + PATIENCE
            while process.poll() is None and time.monotonic() < end:
                if answers(port):
                    self.processes.append(process)
                    return port
                time.sleep(0.02)
            process.kill()
            process.wait()
        raise pytest.UsageError(f"{name} did not start for the tests:\n{log.read_text(errors='replace')[-4000:]}")

    def stop(self) -> None:
        """End the servers and remove their files."""
        for process in self.processes:
            process.send_signal(signal.SIGINT)
        for process in self.processes:
            try:
                process.wait(timeout=10)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def wait_until(check: health.Check, process: subprocess.Popen[bytes]) -> None:
    """Wait until a server answers."""
    end = time.monotonic() + PATIENCE
    while True:
        try:
            check()
            return
        except health.Unhealthy:
            assert process.poll() is None
            assert time.monotonic() < end
            time.sleep(0.05)


def only_pure(paths: list[str]) -> bool:
    """Whether the command line names tests that need no server, and nothing else."""
    pure = Path(__file__).resolve().parent / "pure"
    return bool(paths) and all(Path(path.split("::")[0]).resolve().is_relative_to(pure) for path in paths)


@pytest.hookimpl(tryfirst=True)
def pytest_load_initial_conftests(early_config: pytest.Config) -> None:
    """Put the addresses into the environment, and servers behind them unless only pure tests are asked for."""
    # Tests tell nobody outside that they run.
    for name in ("MLFLOW_DISABLE_TELEMETRY", "DO_NOT_TRACK", "DVC_NO_ANALYTICS"):
        os.environ.setdefault(name, "true")
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")
    os.environ.setdefault("SECRET_KEY", "only-for-tests-" + "x" * 40)
    options = early_config.known_args_namespace
    if only_pure(options.file_or_dir) or options.help or options.version:
        os.environ.update({name: address for name, address in NOWHERE.items() if name not in os.environ})
    # Workers of a parallel run find the addresses of their controller here.
    wanted = [name for name in NOWHERE if name not in os.environ]
    if not wanted:
        return
    running = TestServers()
    atexit.register(running.stop)
    for name in wanted:
        os.environ[name] = running.start_postgres() if name == "DATABASE_URL" else running.start_redis()
