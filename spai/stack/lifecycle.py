"""Up, down, restart, status: what a person asks of the stack, said in plain lines while it happens."""

from __future__ import annotations

import contextlib
import fcntl
import hashlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import time
import traceback
from collections.abc import Collection, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import psycopg
from psycopg import sql

from spai.stack import environment, health, privacy, renamed, revision, roles, runs, servers, supervision
from spai.stack.environment import Stack, write_private
from spai.stack.ports import Claims
from spai.stack.processes import KERNELS, SERVERS, SITE, Process, mlflow_auth
from spai.stack.report import Report
from spai.stack.supervision import Supervisor

PATIENCE = 300.0
"""Longest wait for the processes to be ready, in seconds; crash recovery of a large database is the slowest."""
LONGEST_PAUSE = 1.0
"""Longest pause between two questions whether the processes are ready, in seconds."""
TRIES = 6
"""So many processes and pauses between them may a process need until it is ready."""
LINES_OF_LOG = 15
ADMIN = "admin"
TITLES = {"web": "Site", "admin": "Admin", "push": "Push", "sandbox": "Sandbox", "mlflow": "MLflow"}


class StackError(Exception):
    """The stack could not do what it was asked; the text says why and what to do."""


# ── One at a time, and nothing left behind ───────────────────────────────────────────────────────────────────────────
@contextlib.contextmanager
def alone(stack: Stack) -> Iterator[None]:
    """Let no second `up`, `down` or `restart` work on this stack at the same time.

    Raises
    ------
    StackError
        When another one is at work.
    """
    stack.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = stack.run / "lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StackError(
                "Another command is already starting or stopping this stack"
                f" (process {file.read().strip() or 'unknown'}). Wait until it is done, or end it with Ctrl-C."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Turn the signals that end a command into KeyboardInterrupt, so that what was started can be ended."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold back interruptions while order is being restored."""
    before = {
        number: signal.signal(number, signal.SIG_IGN) for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    }
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@contextlib.contextmanager
def starting(stack: Stack) -> Iterator[None]:
    """Mark the stack as being started by this process: should it be killed, the monitor ends what it had started."""
    mark = stack.run / "starting"
    mark.write_text(f"{os.getpid()} {psutil.Process().create_time()!r}")
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


# ── Up ───────────────────────────────────────────────────────────────────────────────────────────────────────────────
def up(report: Report) -> None:
    """Start what does not run, wait until the site answers, and say where it is and what is still starting.

    Raises
    ------
    StackError
        When a process fails; its name, the end of its log and the next step are in the text.
    KeyboardInterrupt
        When interrupted; everything that this call started has been ended.
    """
    stack = environment.load()
    refuse_old_names(stack)
    supervisor = Supervisor(stack)
    with alone(stack), interruptible():
        runs = supervisor.runs()
        if runs and not supervisor.is_of_earlier_version():
            adopt(stack, report)
            return
        if runs:
            report.say("An earlier version started the stack that runs; it is restarted with this version.")
            with uninterrupted():
                end(stack, report)
        begin(stack, report)


def refuse_old_names(stack: Stack) -> None:
    """Raise `StackError` when the operator sets a variable under the name that an earlier version used."""
    if error := renamed.error_in(stack.outside):
        raise StackError(error)


def begin(stack: Stack, report: Report) -> None:
    """Start the whole stack from nothing or from what an earlier run left."""
    if left := supervision.sweep(stack):
        report.say(f"Ended what an earlier run had left: {', '.join(left)}")
    with Claims() as claims:
        stack = environment.settle(stack, claims)
        if closed := privacy.close(stack.var):
            report.say(f"Closed {closed} files and folders in {stack.var} to other users of this machine")
        renamed.rename_logs(stack.logs)
        first_password = begin_processes(stack, claims, report)
    background = [process.name for process in supervision.processes_of(stack) if process.name not in (*SERVERS, *SITE)]
    report.say(f"Starting in the background: {', '.join(background)}; `make status` tells when each is ready")
    greet(stack, report, first_password, background)


def begin_processes(stack: Stack, claims: Claims, report: Report) -> str:
    """Start all processes, wait until the site is ready, and return the admin's password when it is new."""
    with starting(stack):
        try:
            processes = supervision.processes_of(stack)
            prepare_files(stack, report)
            supervisor = launch(stack, processes, claims)
            start_servers(stack, supervisor, processes, report)
            first_password = prepare_site(stack, report)
        except (KeyboardInterrupt, Exception) as error:
            with uninterrupted():
                supervision.stop(stack, patience=30)
            if isinstance(error, KeyboardInterrupt):
                report.say("Interrupted: everything that was started has been ended.")
            raise
        try:
            site = [process for process in processes if process.name in SITE]
            for process in site:
                supervisor.start(process.name)
            await_ready(supervisor, site, report)
            # No page waits for these, and they would keep the processors from the site while it starts.
            for process in processes:
                supervisor.start(process.name)
        except KeyboardInterrupt:
            with uninterrupted():
                supervision.stop(stack, patience=30)
            report.say("Interrupted: everything that was started has been ended.")
            raise
    return first_password


def adopt(stack: Stack, report: Report) -> None:
    """Start the processes that do not run in a stack that does."""
    processes = supervision.processes_of(stack)
    supervisor = Supervisor(stack)
    states = supervisor.states()
    known = [process for process in processes if process.name in states]
    lying = [process.name for process in known if not supervision.is_up(states[process.name])]
    for name in lying:
        supervisor.start(name)
    report.say(f"The stack already runs{'; started what did not: ' if lying else ''}{', '.join(lying)}")
    await_ready(supervisor, [process for process in known if process.name in (*SERVERS, *SITE)], report, quiet=True)
    unready = reasons_of_unready(supervisor, [process for process in known if process.name not in (*SERVERS, *SITE)])
    for name, reason in unready.items():
        report.say(f"{name} is not ready: {reason}; `make status` tells when it is, `make logs` why it is not")
    written = stack.run / "supervisord.conf"
    if written.read_text() != supervision.configuration(stack, processes):
        report.say("Its settings have changed since it was started: `make restart` applies them.")
    if revision.of_start(stack) != revision.fingerprint():
        report.say("Its code has changed since it was started: `make restart` runs the new code.")
    greet(stack, report, "", unready)


def launch(stack: Stack, processes: Sequence[Process], claims: Claims) -> Supervisor:
    """Start supervisor with a clean slate of restarts and counts."""
    shutil.rmtree(stack.metrics, ignore_errors=True)
    stack.metrics.mkdir(parents=True, mode=0o700)
    for name in ("restarts.json", "monitored-by"):
        (stack.run / name).unlink(missing_ok=True)
    revision.note(stack)
    return supervision.start(stack, processes, claims)


def prepare_files(stack: Stack, report: Report) -> None:
    """Write what MLflow reads; make the files of a new PostgreSQL cluster; drop a lock file that nobody holds."""
    if not stack.elsewhere("mlflow"):
        write_private(stack.mlflow_auth_file, mlflow_auth(stack))
    if stack.elsewhere("postgres"):
        return
    cluster = servers.find_cluster(stack.var, stack.value("SPAI_SERVERS") or "auto")
    if not cluster.exists:
        program = cluster.program
        report.say(f"Making the database files in {cluster.data} (PostgreSQL {program.major}, {program.origin})")
        servers.make_cluster(cluster, environment.SUPERUSER, stack.maintenance["SUPERUSER_PASSWORD"])
    servers.drop_dead_lock(cluster)


def start_servers(stack: Stack, supervisor: Supervisor, processes: Sequence[Process], report: Report) -> None:
    """Start PostgreSQL and Redis, or ask those that lie elsewhere, and make the databases."""
    own = [process for process in processes if process.name in SERVERS]
    # The roles do not exist yet, so only ask whether it takes connections.
    listens = health.postgres_listens(stack.own["DATABASE_URL"])
    own = [replace(process, ready=listens) if process.name == "postgres" else process for process in own]
    for process in own:
        supervisor.start(process.name)
    await_ready(supervisor, own, report)
    for name, check in (("postgres", health.postgres), ("redis", health.redis_server)):
        if stack.elsewhere(name):
            try:
                check(stack.address(name))()
            except health.Unhealthy as reason:
                raise StackError(
                    f"{environment.ADDRESSES[name]} names a server that does not answer: {reason}"
                ) from reason
            report.say(f"{name}: the one that {environment.ADDRESSES[name]} names answers")
    if not stack.elsewhere("postgres"):
        settle_roles(stack, report)
    elif not stack.elsewhere("mlflow"):
        make_mlflow_database(stack)


def settle_roles(stack: Stack, report: Report) -> None:
    """Put the roles and databases of our own PostgreSQL right.

    Raises
    ------
    StackError
        When that fails.
    """
    try:
        if roles.settle(stack):
            report.say(f"postgres: the superuser is {environment.SUPERUSER} now; the site has a role of its own")
    except (roles.RolesError, psycopg.Error) as error:
        raise StackError(f"The roles of PostgreSQL could not be put right: {error}.") from error


def make_mlflow_database(stack: Stack) -> None:
    """Make the database of MLflow on the operator's server where it is missing.

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
            f"The database {name}, which MLflow needs, is missing and cannot be made: {error}Make it (CREATE DATABASE "
            f"{name}), or let MLFLOW_TRACKING_URI name an MLflow server."
        ) from error


def prepare_site(stack: Stack, report: Report) -> str:
    """Bring tables and static files up to date and make the admin once; return the admin's password when it is new.

    Raises
    ------
    StackError
        When the site's code cannot be loaded, or one of the steps fails.
    """
    mark = stack.var / "prepared.json"
    now = {
        "code": revision.fingerprint(),
        "packages": revision.packages(),
        "database": which_database(stack.value("DATABASE_URL")),
        "tables": applied_migrations(stack),
    }
    if now["tables"] and stack.static.is_dir() and revision.read_mark(mark) == now:
        report.say("Tables, static files and admin user are those of this code already")
        return ""
    os.environ.update(stack.process_environment())
    try:
        import django

        django.setup()
        from spai.stack import site

        compile_kernels(stack)
        report.say(f"Database: {site.migrate()}")
        report.say(f"Static files: {site.collect_static(stack)}")
        password = site.make_admin(stack, ADMIN, secrets.token_urlsafe(12))
    except Exception as error:  # whatever the site's own code raises
        told = "".join(traceback.format_exception(error)).splitlines()[-LINES_OF_LOG:]
        raise StackError(
            "The site could not be prepared. The last lines of what it said:\n"
            + "\n".join(f"    {line}" for line in told)
            + "\nMend what they say, then run `make up` again; nothing is left running."
        ) from error
    report.say(f"Admin user: {'made' if password else 'there already'}")
    write_private(mark, json.dumps({**now, "tables": applied_migrations(stack)}))
    return password


def compile_kernels(stack: Stack) -> None:
    """Begin to compile the kernels of the forecasts, beside the rest of the start; whoever needs them waits for them.

    Without this the workers would do it, later.
    """
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


def which_database(address: str) -> str:
    """Return a hash of host, port and name of a database: whatever else its address tells, it is the same one."""
    told = urlsplit(address)
    return hashlib.sha256(f"{told.hostname}:{told.port}{told.path}".encode()).hexdigest()


def applied_migrations(stack: Stack) -> int:
    """Return how many migrations the database has seen, 0 when it has no table of them."""
    with psycopg.connect(stack.value("DATABASE_URL")) as connection:
        there = connection.execute("SELECT to_regclass('django_migrations') IS NOT NULL").fetchone()
        if there == (False,):
            return 0
        row = connection.execute("SELECT count(*) FROM django_migrations").fetchone()
    return int(row[0]) if row else 0


def await_ready(supervisor: Supervisor, processes: Sequence[Process], report: Report, *, quiet: bool = False) -> None:
    """Wait until every process does its work, saying so for each.

    Raises
    ------
    StackError
        When one does not within `PATIENCE`, or supervisor gives it up.
    """
    end, pause = time.monotonic() + PATIENCE, 0.05
    waiting = {process.name: process for process in processes}
    reasons: dict[str, str] = {}
    tried: dict[str, set[int]] = {process.name: set() for process in processes}
    while waiting:
        states = supervisor.states()
        for name, process in list(waiting.items()):
            info = states[name]
            tried[name].add(info["pid"] or info["start"])
            if info["statename"] in ("FATAL", "EXITED") or len(tried[name]) > TRIES:
                raise failure(supervisor.stack, process, "ends right after its start, again and again")
            try:
                answer = process.ready() if supervision.is_up(info) else ""
            except health.Unhealthy as reason:
                reasons[name] = str(reason)
                continue
            if not answer:
                reasons[name] = "it ended while it was starting"
                continue
            del waiting[name]
            if not quiet:
                report.say(f"{name}: {process.purpose}{f', port {process.port}' if process.port else ''}; {answer}")
        if waiting and time.monotonic() > end:
            name, process = next(iter(waiting.items()))
            why = reasons.get(name, "no answer")
            raise failure(supervisor.stack, process, f"was not ready after {PATIENCE:.0f} s: {why}")
        if waiting:
            time.sleep(pause)
            pause = min(pause * 1.2, LONGEST_PAUSE)


def reasons_of_unready(supervisor: Supervisor, processes: Sequence[Process]) -> dict[str, str]:
    """Ask each process once whether it is ready, and return why those that are not are not, by name."""
    states = supervisor.states()
    reasons = {}
    for process in processes:
        info = states[process.name]
        try:
            if supervision.is_up(info):
                process.ready()
            else:
                reasons[process.name] = str(info["statename"]).lower()
        except health.Unhealthy as reason:
            reasons[process.name] = str(reason)
    return reasons


def failure(stack: Stack, process: Process, what: str) -> StackError:
    """Return the error that names a process, the end of its log and what to do."""
    log = stack.logs / f"{process.name}.log"
    return StackError(
        f"{process.name} ({process.purpose}) {what}.\n"
        f"The last lines of {log}:\n{last_lines(log)}\n"
        f"Mend what they say, then run `make up` again. `make logs` shows all logs, `make status` the others, and"
        f" `make down` ends them."
    )


def last_lines(path: Path, count: int = LINES_OF_LOG) -> str:
    """Return the end of a log, indented."""
    try:
        lines = path.read_text(errors="replace").splitlines()[-count:]
    except FileNotFoundError:
        lines = []
    return "\n".join(f"    {line}" for line in lines) or "    (nothing was written)"


def greet(stack: Stack, report: Report, first_password: str, unready: Collection[str] = ()) -> None:
    """Say where everything is and how to log in; of the processes that are `unready`, that they are."""
    report.say(f"Ready. Revision {revision.running(stack)}.")
    report.plain()
    for process, title in TITLES.items():
        if process == "sandbox" and not stack.runs_sandbox:
            continue
        told = stack.value(environment.ADDRESSES[process])
        own = stack.address(process)
        page, outside = "/admin/" if process == "admin" else "", f"  (outside: {told})" if told != own else ""
        report.plain(f"  {title + ':':16}{own}{page}{outside}{'  (not ready yet)' if process in unready else ''}")
    report.plain(f"  {'Browser:':16}{tell_browser(stack)}")
    login = f"user {ADMIN}, password in {stack.password_file}"
    if not stack.password_file.exists():
        login = "as a user that there is already, or one made by `.venv/bin/python manage.py createsuperuser`"
    report.plain(f"  {'Login:':16}{login}")
    if not stack.elsewhere("mlflow"):
        user, key = environment.MLFLOW_LOGIN
        report.plain(f"  {'':16}in MLflow: user {stack.value(user)}, password {key} in {stack.env_file}")
    if first_password:
        report.plain(f"  {'':16}shown this once: {first_password}")
        report.plain()
        report.plain("  The first model is made in the first minutes; the site shows how far it is.")
    report.plain()
    report.plain("  `make logs` follows the logs, `make status` asks every process, `make down` stops all.")


def tell_browser(stack: Stack) -> str:
    """Return which browser reads pages, or that there is none, what that means, and the one command that gets one."""
    # Playwright is loaded for this line alone; the other commands of the stack do without it.
    from apps.scraping.browser import BrowserMissing, find

    try:
        found = find(remote=stack.value("BROWSER_WS_URL"), given=stack.value("SPAI_BROWSER"))
    except BrowserMissing as missing:
        return (
            "none found; the sandbox is read by plain HTTP, WhoScored cannot be read. To have one: "
            f"{missing.command}, then `make restart`"
        )
    return f"{found.version or found.place} ({found.why})"


# ── Down, restart ────────────────────────────────────────────────────────────────────────────────────────────────────
def down(report: Report) -> None:
    """End every process of this stack, and no other."""
    stack = environment.load()
    with alone(stack), uninterrupted():
        end(stack, report)


def end(stack: Stack, report: Report) -> None:
    """End the stack and say so."""
    ran = Supervisor(stack).runs()
    if ran:
        if run := runs.under_way(stack):
            report.say(f"{run}: it is interrupted now and resumes at the next `make up`; finished stages are kept")
        report.say("Ending all processes; a worker may finish what it is doing, for at most 15 s")
    left = supervision.stop(stack, patience=60)
    if left:
        report.say(f"Ended what was left: {', '.join(left)}")
    report.say(
        "The stack is down; its data stays in " + str(stack.var) if ran or left else "The stack was not running."
    )


def restart(report: Report, process: str | None = None) -> None:
    """End and start one process, or everything.

    Raises
    ------
    StackError
        As `up`; also when there is no such process, or the stack does not run.
    """
    stack = environment.load()
    refuse_old_names(stack)
    with alone(stack), interruptible():
        if process is None:
            with uninterrupted():
                end(stack, report)
            begin(stack, report)
            return
        supervisor = Supervisor(stack)
        chosen = [known for known in supervision.processes_of(stack) if known.name == process]
        if not supervisor.runs() or not chosen:
            raise StackError(
                "The stack does not run: `make up`."
                if chosen
                else f"There is no process {process!r}; see `make status`."
            )
        if supervisor.is_of_earlier_version():
            raise StackError("An earlier version started the stack: `make restart` restarts it with this one.")
        if process not in supervisor.states():
            raise StackError(f"{process} was switched on after the stack was started: `make restart` starts it too.")
        if process == runs.WORKER and (run := runs.under_way(stack)):
            report.say(f"{run}: it is interrupted now and resumes once {process} is back; finished stages are kept")
        supervisor.stop([process], PATIENCE)
        supervisor.start(process)
        await_ready(supervisor, chosen, report)
