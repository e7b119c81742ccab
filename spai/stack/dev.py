"""One process of the site for development, started anew whenever a file changes: `make dev`.

It uses the PostgreSQL and the Redis of the stack that runs, or those that `.env` names. Where there are none it starts
its own, with an empty database; both go when it ends.
"""

# ruff: noqa: S603  every command here is our own

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Mapping
from contextlib import ExitStack
from urllib.parse import urlsplit, urlunsplit

import psycopg

from spai.stack import environment, health, temporary
from spai.stack.environment import ADDRESSES, BASE, Stack
from spai.stack.lifecycle import StackError, interruptible
from spai.stack.parts import POSTGRES_SETTINGS
from spai.stack.ports import free_port
from spai.stack.privacy import private_umask
from spai.stack.report import Report
from spai.stack.servers import ServerError

FIRST_PORT = 8010
"""Above the ports that a stack takes first."""
DATABASE = "development"
"""Name of the database on the server that ends with this process."""


def missing_servers(stack: Stack) -> dict[str, str]:
    """Return why the servers that settings will name cannot be used, by part; empty when both answer."""
    checks = {"postgres": health.postgres, "redis": health.redis_server}
    reasons = {}
    for part, check in checks.items():
        address = stack.address(part)
        try:
            if not address:
                raise health.Unhealthy("no address is set")
            check(address)()
        except health.Unhealthy as error:
            reasons[part] = str(error)
    return reasons


def start_servers(running: temporary.TemporaryServers) -> dict[str, str]:
    """Start a PostgreSQL and a Redis, migrate an empty database; return the environment of a process that uses them."""
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
    report.say(f"{role}: {address}/ starts anew when a file changes; Ctrl-C ends it")
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
    role = stack.outside.get("SPAI_ROLE") or "web"
    if role not in ("web", "admin"):
        report.plain(f"SPAI_ROLE is {role!r}; `make dev` serves web or admin. `make up` starts the process push.")
        return 1
    missing = missing_servers(stack)
    named = [part for part in missing if stack.elsewhere(part)]
    if named:
        report.plain(
            "\n".join(f"{ADDRESSES[part]} names a server that cannot be used: {missing[part]}" for part in named)
            + "\nStart it, or take its address out of the environment and .env: then servers of this process are used."
        )
        return 1
    try:
        with interruptible(), private_umask(), ExitStack() as servers:
            own: dict[str, str] = {}
            if missing:
                report.say("no stack runs here: starting a PostgreSQL and a Redis with an empty database")
                report.say("for pages with matches run `make up` first, then `make dev` again")
                own = start_servers(servers.enter_context(temporary.TemporaryServers("spai-dev-")))
            else:
                report.say("using the database and the Redis of the stack that runs; a change there is a real one")
            return serve(role, own, report)
    except KeyboardInterrupt:
        return 0
    except (StackError, ServerError, subprocess.CalledProcessError) as error:
        report.plain(f"The process did not start: {error}")
        return 1


if __name__ == "__main__":
    sys.exit(main())
