"""The servers of a benchmark: a PostgreSQL and a Redis only for it, so that it needs no stack and touches none."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlsplit, urlunsplit

import psycopg

from spai.stack import temporary
from spai.stack.processes import POSTGRES_SETTINGS
from spai.stack.servers import ServerError

STUCK = 300.0
"""Seconds after which what must start or end counts as stuck."""


@contextmanager
def own_servers(role: str = "web") -> Iterator[Path]:
    """Start servers with the settings of the stack's, set Django up on a migrated database, and yield a folder.

    The folder and all that was stored go at the end. No worker is woken, for the broker is the memory of this process;
    MLflow keeps its runs in a file.
    """
    with temporary.TemporaryServers("spai-benchmark-") as running:
        temporary.isolate(running.folder)
        try:
            server = running.start_postgres(POSTGRES_SETTINGS)
            os.environ["REDIS_URL"] = running.start_redis()
        except ServerError as error:
            raise SystemExit(f"The servers of the benchmark did not start. {error}") from error
        with psycopg.connect(server, autocommit=True) as connection:
            connection.execute("CREATE DATABASE benchmark")
        os.environ |= {
            "DATABASE_URL": urlunsplit(urlsplit(server)._replace(path="/benchmark")),
            "DJANGO_SETTINGS_MODULE": "spai.settings",
            "SPAI_ROLE": role,
            "CELERY_BROKER_URL": "memory://",
            "SPAI_SOURCE_HOSTS": "127.0.0.1",
            "MLFLOW_TRACKING_URI": f"sqlite:///{running.folder}/mlflow.db",
        }
        import django

        django.setup()
        from django.core.management import call_command
        from django.db import connections

        call_command("migrate", verbosity=0, skip_checks=True)
        try:
            yield running.folder
        finally:
            connections.close_all()


def browser_or_end() -> None:
    """End with one clear line where no browser of this machine serves."""
    from apps.scraping.browser import BrowserMissing, find

    try:
        find()
    except BrowserMissing as missing:
        raise SystemExit(f"This benchmark needs a browser. {missing}") from missing


def cpu_milliseconds(pid: int) -> float:
    """Return the CPU time that a process and those below it have used."""
    ticks, waiting = 0, [pid]
    while waiting:
        each = waiting.pop()
        try:
            fields = Path(f"/proc/{each}/stat").read_text().rpartition(")")[2].split()
            waiting += map(int, Path(f"/proc/{each}/task/{each}/children").read_text().split())
        except OSError:
            # It ended between the two looks.
            continue
        ticks += int(fields[11]) + int(fields[12])
    return ticks * 1000 / os.sysconf("SC_CLK_TCK")


def postmaster() -> int:
    """Return the process id of the PostgreSQL that this process uses."""
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_backend_pid()")
        backend = cursor.fetchone()[0]
    return int(Path(f"/proc/{backend}/stat").read_text().rpartition(")")[2].split()[1])
