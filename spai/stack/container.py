"""One process of the site in a container: ``python -m spai.stack.container web`` becomes it.

The processes are those of `make up` (`spai.stack.processes`), on fixed ports and on all addresses of the container; the
servers are elsewhere, where the environment names them. ``check web`` queries the process whether it is ready, for a
health check, and ``prepare`` brings the database up to the version of the image.
"""

from __future__ import annotations

import argparse
import os
import shutil
import socket
import sys
import tempfile
import urllib.request
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

from spai.stack import stopping
from spai.stack.environment import MLFLOW_LOGIN, QUIET, Stack, write_private

if TYPE_CHECKING:
    from spai.stack.processes import Process

SITE_PORTS = {"web": 8000, "admin": 8001, "push": 8002, "sandbox": 8003}
"""Processes of the site that answer requests, and their ports."""
DRAINED = ("web", "admin", "push")
"""Processes that report that they are not ready before they stop; the simulated world has one client, which retries."""
FINISH_SECONDS = stopping.FINISH_SECONDS - 5
"""How long web, admin and sandbox may finish requests after they have drained."""
MLFLOW_PORT = 5000
WORKER = "worker-"
PRIVATE = Path(tempfile.gettempdir()) / "spai"
"""What belongs only to this container: the metrics of its processes, and the mark that it stops."""
KERNELS = Path(__file__).resolve().parents[2] / "kernels"
"""Kernels that were compiled when the image was made."""


def stack_here() -> Stack:
    """Return the stack as this container sees it: servers of the environment, ports of this module."""
    own = {f"SPAI_{name.upper()}_URL": f"http://127.0.0.1:{port}" for name, port in SITE_PORTS.items()}
    own["MLFLOW_TRACKING_URI"] = f"http://127.0.0.1:{MLFLOW_PORT}"
    own |= {name: os.environ.get(name, "") for name in MLFLOW_LOGIN}
    return Stack(var=Path(os.environ["SPAI_VAR_DIR"]), own=own, overrides=os.environ, maintenance=os.environ)


def process_of(stack: Stack, name: str) -> Process:
    """Return a process of the stack as it runs in a container.

    Raises
    ------
    SystemExit
        When there is none of this name.
    """
    from spai.celery import QUEUES
    from spai.stack import health, processes

    queue = name.removeprefix(WORKER)
    if name in SITE_PORTS or name == "mlflow":
        process = getattr(processes, name)(stack)
        set_option(process, "--host", "0.0.0.0")  # noqa: S104  a container has addresses of its own
        if "--workers-kill-timeout" in process.command:
            set_option(process, "--workers-kill-timeout", str(FINISH_SECONDS))
    elif name == "beat":
        # Without its start, the time of its latest task decides.
        process = processes.beat(stack, lambda: datetime.min.replace(tzinfo=UTC))
    elif name.startswith(WORKER) and queue in QUEUES:
        node = f"{queue}@{socket.gethostname()}"
        broker = stack.value("CELERY_BROKER_URL") or stack.address("redis")
        process = processes.worker(stack, queue, health.WorkerPings([node], broker))
        process = processes.replace(process, ready=health.WorkerPings([node], broker).check_of(node))
        set_option(process, "--hostname", node)
    else:
        known = ", ".join([*SITE_PORTS, "mlflow", "beat", *(f"{WORKER}{queue}" for queue in QUEUES)])
        sys.exit(f"There is no process {name!r}. A container runs one of: {known}.")
    return process


def set_option(process: Process, option: str, value: str) -> None:
    """Replace the value of an option in the command of a process."""
    process.command[process.command.index(option) + 1] = value


def become(name: str, workers: int | None) -> None:
    """Replace this process by the one of this name and, in front of it, the one that ends it."""
    stack = stack_here()
    process = process_of(stack, name)
    if workers is not None:
        set_option(process, "--workers", str(workers))
    # A container that was restarted has the files of its earlier life.
    shutil.rmtree(PRIVATE, ignore_errors=True)
    metrics, mark = PRIVATE / "metrics", PRIVATE / "stops"
    metrics.mkdir(parents=True, mode=0o700)
    environment = {**QUIET, **os.environ, **process.environment, "SPAI_STOP_MARK": str(mark)}
    environment["PROMETHEUS_MULTIPROC_DIR"] = str(metrics)
    copy_kernels(environment.get("NUMBA_CACHE_DIR", ""))
    if name == "mlflow":
        from spai.stack.processes import mlflow_auth

        write_private(stack.mlflow_auth_file, mlflow_auth(stack))
        os.chdir(process.directory)
    seconds = os.environ.get("SPAI_DRAIN_SECONDS") or str(stopping.DRAIN_SECONDS) if name in DRAINED else "0"
    command = [sys.executable, "-I", "-S", stopping.__file__, str(mark), seconds, *process.command]
    os.execve(command[0], command, environment)  # noqa: S606  this is the purpose


def copy_kernels(folder: str) -> None:
    """Copy the kernels of the image to where they are looked up, which must be writable; other processors compile."""
    if KERNELS.is_dir() and folder and not Path(folder).exists():
        made = Path(f"{folder}.{socket.gethostname()}")
        shutil.copytree(KERNELS, made, dirs_exist_ok=True)
        try:
            made.rename(folder)
        except OSError:
            # Another container with the same folder was faster.
            shutil.rmtree(made)


def check(name: str) -> None:
    """End with 0 when the process of this name is ready, else with the reason.

    Raises
    ------
    SystemExit
        When it is not.
    """
    if name in SITE_PORTS:
        # The libraries of the other checks take as long to import as all checks of a minute.
        with urllib.request.urlopen(f"http://127.0.0.1:{SITE_PORTS[name]}/readyz", timeout=5) as answer:
            sys.stdout.write(answer.read().decode() + "\n")
        return
    from spai.stack.health import Unhealthy

    try:
        sys.stdout.write(f"{process_of(stack_here(), name).ready()}\n")
    except Unhealthy as reason:
        sys.exit(str(reason))


def prepare() -> None:
    """Bring tables, reference data and roles to the version of this image."""
    import django

    django.setup()
    from spai.stack import site

    for step in (site.migrate, site.load_reference_data, site.update_roles):
        sys.stdout.write(f"{step()}\n")


def main() -> None:
    """Run the command of the command line."""
    parser = argparse.ArgumentParser(prog="python -m spai.stack.container", description=__doc__)
    parser.add_argument("words", nargs="+", metavar="NAME", help="NAME of a process; check NAME; prepare")
    parser.add_argument("--workers", type=int, help="of web: processes that serve; default: one for each processor")
    options = parser.parse_args()
    match options.words:
        case ["prepare"]:
            prepare()
        case ["check", name]:
            check(name)
        case [name]:
            become(name, options.workers)
        case _:
            parser.error("give the name of a process, `check` and a name, or `prepare`")


if __name__ == "__main__":
    main()
