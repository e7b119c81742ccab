"""`make dev`: one process of the site for development, which restarts whenever a file changes.

It uses the PostgreSQL and the Redis of the running stack, or those that `.env` names. Without them it starts its own,
with an empty database; both are removed when it ends.
"""

# ruff: noqa: S603  every command is built here

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from urllib.parse import urlsplit, urlunsplit

import psycopg

from spai.stack import environment, health, renamed, temporary
from spai.stack.environment import ADDRESSES, BASE, Stack
from spai.stack.errors import StackError
from spai.stack.guards import interruptible
from spai.stack.ports import free_port
from spai.stack.privacy import private_umask
from spai.stack.processes import POSTGRES_SETTINGS
from spai.stack.report import Report
from spai.stack.servers import ServerError

FIRST_PORT = 8010
"""Above the ports that a stack tries first."""
DATABASE = "development"
"""Name of the database on the server that is removed with this process."""


def missing_servers(stack: Stack) -> dict[str, str]:
    """Return why the servers that settings name cannot be used, by process; empty when both answer."""
    checks = {"postgres": health.postgres, "redis": health.redis_server}
    reasons = {}
    for name, check in checks.items():
        address = stack.address(name)
        try:
            if not address:
                raise health.Unhealthy("no address is set")
            check(address)()
        except health.Unhealthy as error:
            reasons[name] = str(error)
    return reasons


def start_servers(running: temporary.TemporaryServers) -> dict[str, str]:
    """Start a PostgreSQL and a Redis, migrate an empty database; return the variables that name them."""
    temporary.isolate(running.folder)
    server = running.start_postgres(POSTGRES_SETTINGS)
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {DATABASE}")
    own = {
        "DATABASE_URL": urlunsplit(urlsplit(server)._replace(path=f"/{DATABASE}")),
        "REDIS_URL": running.start_redis(),
    }
    subprocess.run(
        [sys.executable, "manage.py", "migrate", "--verbosity", "0"], cwd=BASE, env={**os.environ, **own}, check=True
    )
    return own


def serve(role: str, own: Mapping[str, str], report: Report) -> int:
    """Serve one role of the site until Ctrl-C; return its exit code."""
    port = free_port(FIRST_PORT, upwards=True)
    address = f"http://127.0.0.1:{port}"
    report.step(f"{role}: {address}/ restarts when a file changes; Ctrl-C ends it")
    command = [sys.executable, "manage.py", "runserver", f"127.0.0.1:{port}"]
    settings = {"DEBUG": "true", "SPAI_ROLE": role, "DJANGO_SETTINGS_MODULE": "spai.settings", ADDRESSES[role]: address}
    with subprocess.Popen(command, cwd=BASE, env={**os.environ, **own, **settings}) as process:
        try:
            return process.wait()
        except KeyboardInterrupt:
            process.terminate()
            return 0


def main() -> int:
    """Find or start the servers, then serve; return the exit code."""
    report = Report(sys.stdout)
    stack = environment.load()
    if error := renamed.error_in(stack.overrides):
        report.plain(error)
        return 1
    role = stack.overrides.get("SPAI_ROLE") or "web"
    if role not in ("web", "admin"):
        report.line(f"SPAI_ROLE is {role!r}; `make dev` serves web or admin. `make up` starts the process push.")
        return 1
    missing = missing_servers(stack)
    named = [name for name in missing if stack.is_external(name)]
    if named:
        report.line(
            "\n".join(f"{ADDRESSES[name]} names a server that cannot be used: {missing[name]}" for name in named)
            + "\nStart it, or remove its address from the environment and .env: `make dev` then starts its own servers."
        )
        return 1
    try:
        with interruptible(), private_umask(), ExitStack() as servers:
            own: dict[str, str] = {}
            if missing:
                report.step("no stack runs: starting a PostgreSQL and a Redis with an empty database")
                report.step("for pages with matches run `make up` first, then `make dev` again")
                own = start_servers(servers.enter_context(temporary.TemporaryServers("spai-dev-")))
            else:
                report.step("using the database and the Redis of the running stack: changes are made there")
            return serve(role, own, report)
    except KeyboardInterrupt:
        return 0
    except (StackError, ServerError, subprocess.CalledProcessError) as error:
        report.line(f"The process did not start: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
