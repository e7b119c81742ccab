"""`manage.py spai doctor`: checks every part of an installation, and says what to do about what is wrong.

manage.py calls it before Django is set up, because it must work when the settings are incomplete and nothing runs. No
check waits for longer than a few seconds, and those whose server does not answer are left out.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import shutil
import stat
import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from datetime import UTC, datetime, timedelta
from importlib.metadata import PackageNotFoundError, version
from typing import TYPE_CHECKING, Final

import psycopg
from packaging.requirements import Requirement

from apps.matches import redis_addresses
from apps.matches.findings import Finding
from spai import broker as brokers
from spai.broker import QUEUES
from spai.stack import environment, health, monitor, processes, revision, servers, supervision
from spai.stack.environment import ADDRESSES, BASE, MLFLOW_LOGIN, Stack
from spai.stack.supervision import MONITOR, Supervisor

if TYPE_CHECKING:
    from apps.matches.models import World

HELP: Final = "check every part of SPAI and say what to do"
LOCK: Final = BASE / "requirements" / "all.txt"
LEAST_POSTGRES: Final = 15
LEAST_FREE: Final = 2_000_000_000
"""Bytes of free disk below which runs and PostgreSQL may stop."""
FULL: Final = 0.9
"""Share of connections or memory from which a server is nearly full."""
LONGEST_QUEUE: Final = 100
"""Messages in a queue; the timetable sends about one every two seconds, and each is taken at once."""
CLOCK_ERROR: Final = timedelta(seconds=2)
LONGEST_WITHOUT_NUMBER: Final = timedelta(seconds=30)
LONGEST_WAIT: Final = timedelta(minutes=30)
"""Time after which a job that nobody has begun counts as forgotten."""
SEE_LOGS: Final = "`make logs` shows why, `make restart` restarts everything."

Checks = Iterator[Finding]


def examine(stack: Stack) -> Checks:
    """Yield the findings of all checks, from what everything needs to what needs everything."""
    yield from _guarded("packages", _packages)
    yield from _guarded("files", lambda: _files(stack))
    yield from _guarded("stack", lambda: _stack(stack))
    postgres = list(_guarded("postgres", lambda: _postgres(stack.value("DATABASE_URL"))))
    yield from postgres
    yield from _guarded("redis", lambda: _redis(stack))
    yield from _guarded("workers", lambda: _workers(stack))
    yield from _guarded("mlflow", lambda: _mlflow(stack))
    for name in processes.SITE:
        if name != "sandbox" or stack.runs_sandbox:
            yield from _guarded(name, lambda name=name: _site(stack, name))  # type: ignore[misc]
    yield from _guarded("settings", lambda: _django(stack, has_database=all(each.is_well for each in postgres)))


def _guarded(about: str, check: Callable[[], Checks]) -> Checks:
    """Yield what a check finds; an error of the check itself is a finding too."""
    try:
        yield from check()
    except Exception as error:
        reason = f"{type(error).__name__}: {health.first_line(error)}"
        yield Finding(about, False, f"could not be checked: {reason}", SEE_LOGS)


# ── What lies on this machine ────────────────────────────────────────────────────────────────────────────────────────
def _packages() -> Checks:
    python = ".".join(map(str, sys.version_info[:3]))
    wanted = [Requirement(line.strip(" \\")) for line in LOCK.read_text().splitlines() if re.match(r"\w[^ ]*==", line)]
    same, others, missing = 0, [], 0
    for each in wanted:
        if each.marker is not None and not each.marker.evaluate():
            continue
        try:
            found = version(each.name)
        except PackageNotFoundError:
            missing += 1
            continue
        if each.specifier.contains(found, prereleases=True):
            same += 1
        else:
            others.append(f"{each.name} {found} instead of {str(each.specifier).lstrip('=')}")
    said = f"Python {python}, {same} packages as in requirements/all.txt"
    said += f", {missing} not installed, as in an image for fewer tasks" if missing else ""
    if others:
        advice = "`python3 requirements/install.py` brings .venv up to date; then `make restart`."
        yield Finding("packages", False, f"{said}; others: {', '.join(others[:5])}", advice)
    else:
        yield Finding("packages", True, said)


def _files(stack: Stack) -> Checks:
    most = 0o711 if servers.is_traversed_by_postgres(stack.var) else 0o700
    secrets = (stack.env_file, stack.maintenance_file, stack.password_file, stack.mlflow_auth_file, BASE / ".env")
    found = [(path, 0o600) for path in secrets] + [(stack.var, most)]
    there = [(path, allowed, path.stat()) for path, allowed in found if path.exists()]
    open_ones = [
        f"chmod {allowed:o} {path}" for path, allowed, facts in there if stat.S_IMODE(facts.st_mode) & ~allowed & 0o077
    ]
    if open_ones:
        advice = f"Run: {' && '.join(open_ones)}. Then change the passwords, if others use this machine."
        yield Finding("secrets", False, "other users of this machine can read them", advice)
    elif there:
        yield Finding("secrets", True, f"{len(there)} files and folders, readable only by their owner")
    place = stack.var if stack.var.exists() else BASE
    disk = shutil.disk_usage(place)
    said = f"{disk.free / 1e9:.1f} of {disk.total / 1e9:.0f} GB are free at {place}"
    is_well = disk.free >= LEAST_FREE
    advice = (
        "" if is_well else "Free some space: without any, PostgreSQL and runs stop. SPAI_KEEP_DAYS limits raw pages."
    )
    yield Finding("disk", is_well, said, advice)


# ── The stack and its servers ────────────────────────────────────────────────────────────────────────────────────────
def _stack(stack: Stack) -> Checks:
    supervisor = Supervisor(stack)
    if not supervisor.is_running():
        if stack.own:
            yield Finding("stack", False, "it does not run", "`make up` starts it.")
        return
    try:
        yield Finding(MONITOR, True, monitor.check_monitor(stack))
    except health.Unhealthy as reason:
        yield Finding(MONITOR, False, str(reason), SEE_LOGS)
    for name, record in monitor.read_records(monitor.records_file(stack)).items():
        said = f"restarted {record['restarts']} times, latest at {record['latest_end_at']}: it {record['reason']}"
        yield Finding(name, False, said, f"Its log: {stack.logs / f'{name}.log'}", is_needed=False)
    running = revision.running(stack)
    if revision.of_start(stack) != revision.fingerprint():
        said = f"the stack runs {running}, and the files have changed since"
        yield Finding("code", False, said, "`make restart` runs the new code.", is_needed=False)
    else:
        yield Finding("code", True, f"the stack runs {running}")


def _said(about: str, check: health.Check, advice: str = SEE_LOGS) -> Finding:
    """Return the finding of a health check."""
    try:
        return Finding(about, True, check())
    except health.Unhealthy as reason:
        return Finding(about, False, str(reason), advice)


def _postgres(address: str) -> Checks:
    if not address:
        yield Finding("postgres", False, "DATABASE_URL is not set", "`make up` starts a PostgreSQL and sets it.")
        return
    answers = _said("postgres", health.postgres(address), "`make up` starts it; else check DATABASE_URL.")
    if not answers.is_well:
        yield answers
        return
    with psycopg.connect(address, connect_timeout=int(health.TIMEOUT)) as connection:
        row = connection.execute(
            "SELECT current_setting('server_version_num')::int / 10000, current_setting('max_connections')::int,"
            " (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'), clock_timestamp()"
        ).fetchone()
    assert row is not None
    major, most, used, there = row
    said = f"PostgreSQL {major}, {used} of {most} connections are in use"
    if major < LEAST_POSTGRES:
        yield Finding("postgres", False, said, f"SPAI needs PostgreSQL {LEAST_POSTGRES} or newer.")
    elif used > FULL * most:
        yield Finding("postgres", False, said, "Raise max_connections, or end the programs that hold connections.")
    else:
        yield Finding("postgres", True, said)
    apart = abs(there - datetime.now(UTC))
    said = f"{apart.total_seconds():.1f} s apart from that of PostgreSQL"
    advice = "Have both machines set their clocks by NTP: forecasts are frozen at kick-off by these clocks."
    yield Finding("clock", apart <= CLOCK_ERROR, said, "" if apart <= CLOCK_ERROR else advice)


def _redis(stack: Stack) -> Checks:
    address = stack.value("REDIS_URL")
    if not address:
        yield Finding("redis", False, "REDIS_URL is not set", "`make up` starts a Redis and sets it.")
        return
    answers = _said("redis", health.redis_server(address), "`make up` starts it; else check REDIS_URL.")
    if answers.is_well:
        with redis_addresses.client(address, socket_timeout=health.TIMEOUT) as client:
            memory = client.info("memory")
        used, most = memory["used_memory"], memory["maxmemory"]
        limit = f" of {most / 1e6:.0f}" if most else ""
        is_well = not most or used <= FULL * most
        advice = "" if is_well else "Raise its maxmemory: a full Redis refuses messages for workers."
        answers = Finding("redis", is_well, f"{used / 1e6:.0f}{limit} MB are in use", advice)
    yield answers


def _workers(stack: Stack) -> Checks:
    """Yield for each queue whether a worker takes its messages; and whether celery-beat sends any."""
    broker = stack.value("CELERY_BROKER_URL") or stack.value("REDIS_URL")
    if not broker:
        return
    names = [processes.worker_name(stack, queue) for queue in QUEUES]
    # Other stacks may share the broker: of our own workers we know the names, and need not wait for more answers.
    is_ours = Supervisor(stack).is_running()
    try:
        control = health.bare_celery(broker).control
        inspect = control.inspect(
            destination=names if is_ours else None, timeout=health.TIMEOUT, limit=len(names) if is_ours else None
        )
        answers = inspect.active_queues() or {}
        lengths = {queue: each.messages for queue, each in brokers.waiting(broker, timeout=health.TIMEOUT).items()}
    except Exception as error:  # kombu raises the errors of each transport
        yield Finding(
            "workers", False, f"the broker does not answer: {health.first_line(error)}", "`make up` starts it."
        )
        return
    of_queue = {each["name"]: worker for worker, taken in answers.items() for each in taken}
    for queue in QUEUES:
        waiting = lengths.get(queue, 0)
        said = f"{of_queue.get(queue, 'no worker')} takes its messages, {waiting} wait"
        is_well = queue in of_queue and waiting <= LONGEST_QUEUE
        yield Finding(f"queue {queue}", is_well, said, "" if is_well else SEE_LOGS)
    if address := stack.value("DATABASE_URL"):
        supervisor = Supervisor(stack)
        started = supervision.running_since(supervisor, "beat") if is_ours else datetime.fromtimestamp(0, UTC)
        yield _said("beat", health.beat(address, lambda: started))


def _mlflow(stack: Stack) -> Checks:
    address = stack.value("MLFLOW_TRACKING_URI")
    if not address.startswith("http"):
        said = f"runs are kept in {address.partition('://')[0]}" if address else "MLFLOW_TRACKING_URI is not set"
        yield Finding("mlflow", bool(address), said, "" if address else "`make up` starts an MLflow and sets it.")
        return
    name, password = (stack.value(variable) for variable in MLFLOW_LOGIN)
    check = health.http(f"{address.rstrip('/')}/version", (name, password) if name and password else None)
    yield _said("mlflow", check, "The site works without it; runs wait for it when they register. " + SEE_LOGS)


def _site(stack: Stack, name: str) -> Checks:
    address = stack.address(name) or stack.value(ADDRESSES[name])
    if address:
        yield _said(name, health.http(f"{address.rstrip('/')}/readyz"))


# ── What the database holds ──────────────────────────────────────────────────────────────────────────────────────────
def _django(stack: Stack, *, has_database: bool) -> Checks:
    """Set Django up, and yield what its tables show."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "spai.settings")
    import django
    from django.core.exceptions import ImproperlyConfigured

    try:
        django.setup()
    except ImproperlyConfigured as error:
        yield Finding("settings", False, str(error), "Correct it in the environment or in .env, then run this again.")
        return
    yield Finding("settings", True, "complete")
    if not has_database:
        return
    from django.db import connection

    with connection.cursor() as cursor:
        cursor.execute(f"SET statement_timeout = '{health.TIMEOUT:.0f}s'")
    missing = list(_guarded("migrations", _migrations))
    yield from missing
    if not all(each.is_well for each in missing):
        return
    now = datetime.now(UTC)
    yield from _guarded("events", lambda: _events(now))
    yield from _guarded("champion", lambda: _champions())
    yield from _guarded("jobs", lambda: _jobs(now))
    yield from _guarded("sources", lambda: _sources(now))


def _migrations() -> Checks:
    from django.db import connection
    from django.db.migrations.executor import MigrationExecutor

    executor = MigrationExecutor(connection)
    plan = executor.migration_plan(executor.loader.graph.leaf_nodes())
    names = [f"{migration.app_label} {migration.name}" for migration, _ in plan]
    if names:
        said = f"{len(names)} are not applied: {', '.join(names[:3])}{' …' if len(names) > 3 else ''}"
        yield Finding("migrations", False, said, "`make restart` applies them, or `manage.py migrate`.")
    else:
        yield Finding("migrations", True, "all are applied")


def _events(now: datetime) -> Checks:
    from apps.matches.models import Event

    waiting = Event.objects.filter(number__isnull=True).order_by("id").values_list("created_at", flat=True).first()
    is_well = waiting is None or now - waiting < LONGEST_WITHOUT_NUMBER
    said = "events are numbered" if is_well else f"events since {waiting:%Y-%m-%d %H:%M} UTC have no number"
    advice = "" if is_well else "The process push numbers them: `make restart` restarts it, its log says why."
    yield Finding("events", is_well, said, advice)
    latest = Event.objects.order_by("-id").values_list("created_at", flat=True).first()
    if latest is not None and latest - now > CLOCK_ERROR:
        said = f"the latest event is of {latest:%Y-%m-%d %H:%M:%S} UTC, which is still to come"
        yield Finding("clock", False, said, "Set the clock of this machine by NTP, then `make restart`.")


def _champions() -> Checks:
    from apps.matches.models import World
    from apps.ml import selectors

    served = selectors.served_world()
    for world in World:
        present = selectors.champion(world)
        about = f"champion of {world}"
        if present is not None:
            yield Finding(about, True, f"{present.version} since {present.decided_at:%Y-%m-%d %H:%M} UTC")
            yield from _bundle(about, present.version_id)
        elif world == served or selectors.latest_run(world) is not None:
            yield Finding(about, False, _why_no_champion(world), "See Pipeline runs in the admin.", is_needed=False)


def _why_no_champion(world: World) -> str:
    from apps.ml import selectors

    run = selectors.latest_run(world)
    if run is None:
        return "none yet: a first run begins once there are enough matches"
    return f"none yet; {run} is {run.get_status_display().lower()}"


def _bundle(about: str, version_id: int) -> Checks:
    """Yield a finding when the stored bundle is not the one that was registered."""
    import hashlib

    from apps.ml.models import ModelVersion

    content, wanted = ModelVersion.objects.values_list("bundle", "bundle_sha256").get(pk=version_id)
    if hashlib.sha256(content).hexdigest() != wanted:
        advice = "Roll back to an earlier version (`manage.py spai rollback`), and restore the database from a copy."
        yield Finding(about, False, "its bundle is not the one that was registered", advice)


def _jobs(now: datetime) -> Checks:
    from apps.api.models import PredictionJob
    from apps.scraping.models import ScrapeRun

    forgotten = {
        "prediction jobs": PredictionJob.objects.filter(state="queued", created_at__lt=now - LONGEST_WAIT),
        "scrape runs": ScrapeRun.objects.filter(
            started_at__isnull=True, finished_at__isnull=True, requested_at__lt=now - LONGEST_WAIT
        ),
    }
    for name, rows in forgotten.items():
        count = rows.count()
        said = (
            f"{count} have waited for more than {LONGEST_WAIT.total_seconds() / 60:.0f} min" if count else "none waits"
        )
        yield Finding(name, not count, said, SEE_LOGS if count else "")


def _sources(now: datetime) -> Checks:
    from apps.scraping.services.doctor import examine as examine_scraping

    yield from examine_scraping(now=now)


def main(arguments: Sequence[str]) -> int:
    """Print the findings as they come, or as one JSON document; return 1 when something has to be done."""
    parser = argparse.ArgumentParser(prog="manage.py spai doctor", description=HELP)
    add_arguments(parser)
    return run(parser.parse_args(arguments))


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    parser.add_argument("--json", action="store_true", help="print one JSON document")


def run(options: argparse.Namespace) -> int:
    """Check everything; return the exit code."""
    found = []
    for finding in examine(environment.load()):
        found.append(finding)
        if not options.json:
            sys.stdout.write(f"{finding.lines}\n")
            sys.stdout.flush()
    faults = sum(each.is_fault for each in found)
    if options.json:
        document = {"is_well": not faults, "findings": [asdict(each) for each in found]}
        sys.stdout.write(json.dumps(document, ensure_ascii=False, indent=1) + "\n")
    else:
        what = f"{faults} of {len(found)} checks found something to do." if faults else "There is nothing to do."
        sys.stdout.write(f"\n{what}\n")
    return 1 if faults else 0
