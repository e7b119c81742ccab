"""What `up` prepares before the site can start: server files, roles, databases, tables, static files, an admin user."""

from __future__ import annotations

import hashlib
import json
import os
import secrets
import subprocess
import sys
import traceback
from collections.abc import Sequence
from dataclasses import replace
from urllib.parse import urlsplit

import psycopg
from psycopg import sql

from spai.stack import environment, health, monitoring, revision, roles, servers
from spai.stack.environment import Stack, write_private
from spai.stack.errors import StackError
from spai.stack.processes import KERNELS, SERVERS, Process, mlflow_auth
from spai.stack.readiness import LINES_OF_LOG, await_ready
from spai.stack.report import Report
from spai.stack.supervision import Supervisor

ADMIN = "admin"
"""Name of the first user."""


def prepare_files(stack: Stack, report: Report) -> None:
    """Write the configuration of MLflow and Prometheus, create a new PostgreSQL cluster, remove a stale lock file."""
    monitoring.write_files(stack)
    if not stack.is_external("mlflow"):
        write_private(stack.mlflow_auth_file, mlflow_auth(stack))
    if stack.is_external("postgres"):
        return
    cluster = servers.find_cluster(stack.var, stack.value("SPAI_SERVERS"))
    if not cluster.exists:
        program = cluster.program
        report.step(f"Creating the database files in {cluster.data} (PostgreSQL {program.major}, {program.origin})")
        servers.make_cluster(cluster, environment.SUPERUSER, stack.maintenance["SUPERUSER_PASSWORD"])
    servers.remove_stale_lock(cluster)


def start_servers(stack: Stack, supervisor: Supervisor, processes: Sequence[Process], report: Report) -> None:
    """Start PostgreSQL and Redis, check those that are external, and create roles and databases."""
    own = [process for process in processes if process.name in SERVERS]
    # The roles do not exist yet: check only that PostgreSQL accepts connections.
    listens = health.postgres_listens(stack.own["DATABASE_URL"])
    own = [replace(process, ready=listens) if process.name == "postgres" else process for process in own]
    for process in own:
        supervisor.start(process.name)
    await_ready(supervisor, own, report)
    for name, check in (("postgres", health.postgres), ("redis", health.redis_server)):
        if stack.is_external(name):
            try:
                check(stack.address(name))()
            except health.Unhealthy as reason:
                raise StackError(
                    f"{environment.ADDRESSES[name]} names a server that does not answer: {reason}"
                ) from reason
            report.step(f"{name}: the server that {environment.ADDRESSES[name]} names answers")
    if not stack.is_external("postgres"):
        repair_roles(stack, report)
    elif not stack.is_external("mlflow"):
        make_mlflow_database(stack)


def repair_roles(stack: Stack, report: Report) -> None:
    """Create or repair the roles and databases of the stack's own PostgreSQL."""
    try:
        if roles.repair(stack):
            report.step(f"postgres: the superuser is {environment.SUPERUSER} now; the site owns nothing any more")
    except (roles.RolesError, psycopg.Error) as error:
        raise StackError(f"The roles of PostgreSQL could not be created or repaired: {error}.") from error


def make_mlflow_database(stack: Stack) -> None:
    """Create MLflow's database on the operator's server when it is missing.

    Raises
    ------
    StackError
        When that server refuses.
    """
    name = urlsplit(stack.mlflow_database).path.strip("/")
    try:
        with psycopg.connect(stack.value("DATABASE_URL"), autocommit=True) as connection:
            if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone() is None:
                connection.execute(
                    sql.SQL("CREATE DATABASE {} ENCODING 'UTF8' TEMPLATE template0").format(sql.Identifier(name))
                )
    except psycopg.Error as error:
        raise StackError(
            f"The database {name}, which MLflow needs, does not exist and cannot be created: {error}Create it"
            f" (CREATE DATABASE {name}), or let MLFLOW_TRACKING_URI name an MLflow server."
        ) from error


def prepare_site(stack: Stack, report: Report) -> str:
    """Migrate, collect static files and create the first admin user; return the user's password when it is new.

    Everything is skipped when the last start did it for the same code, packages and database.

    Raises
    ------
    StackError
        When the site's code cannot be loaded, or a step fails.
    """
    mark = stack.var / "prepared.json"
    now = {
        "code": revision.fingerprint(),
        "packages": revision.packages(),
        "database": database_fingerprint(stack.value("DATABASE_URL")),
        "tables": applied_migrations(stack),
    }
    if now["tables"] and stack.static.is_dir() and revision.read_mark(mark) == now:
        report.step("Tables, static files and admin user are up to date")
        return ""
    os.environ.update(stack.process_environment())
    try:
        import django

        django.setup()
        from spai.stack import site

        compile_kernels(stack)
        report.step(f"Database: {site.migrate_as_owner(stack)}")
        report.step(f"Reference data: {site.load_reference_data()}")
        report.step(f"Roles: {site.update_roles()}")
        report.step(f"Static files: {site.collect_static(stack)}")
        password = site.make_admin(stack, ADMIN, secrets.token_urlsafe(12))
    except Exception as error:  # anything that the site's own code raises
        lines = "".join(traceback.format_exception(error)).splitlines()[-LINES_OF_LOG:]
        raise StackError(
            "The site could not be prepared. The last lines of its output:\n"
            + "\n".join(f"    {line}" for line in lines)
            + "\nFix what they report, then run `make up` again; nothing is left running."
        ) from error
    report.step(f"Admin user: {'created' if password else 'exists'}")
    write_private(mark, json.dumps({**now, "tables": applied_migrations(stack)}))
    return password


def compile_kernels(stack: Stack) -> None:
    """Compile the forecasting kernels in the background, so that no worker has to do it at its first task."""
    with (stack.logs / f"{KERNELS}.log").open("wb") as log:
        subprocess.Popen(
            [sys.executable, "-m", "apps.ml.pipeline.warm_up"],
            cwd=environment.BASE,
            env={**stack.process_environment(), "SPAI_PROCESS": KERNELS},
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def database_fingerprint(address: str) -> str:
    """Return a hash of the host, port and name of a database; user, password and options do not count."""
    parts = urlsplit(address)
    return hashlib.sha256(f"{parts.hostname}:{parts.port}{parts.path}".encode()).hexdigest()


def applied_migrations(stack: Stack) -> int:
    """Return the number of migrations applied to the database, 0 when it has no table of them."""
    with psycopg.connect(stack.owner_database) as connection:
        there = connection.execute("SELECT to_regclass('django_migrations') IS NOT NULL").fetchone()
        if there == (False,):
            return 0
        row = connection.execute("SELECT count(*) FROM django_migrations").fetchone()
    return int(row[0]) if row else 0
