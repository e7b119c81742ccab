"""The servers of a benchmark: a PostgreSQL and a Redis for it alone, so that it needs no stack and touches none."""

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
def own_servers() -> Iterator[Path]:
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
