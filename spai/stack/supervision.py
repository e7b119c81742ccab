"""The door to supervisor, the library that keeps the processes running: configuration, start, questions, end."""

# ruff: noqa: S603  every command here is our own

from __future__ import annotations

import contextlib
import hashlib
import http.client
import os
import shlex
import socket
import subprocess
import sys
import tempfile
import time
import xmlrpc.client
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil

from spai.stack import launch
from spai.stack.environment import Stack, write_private
from spai.stack.ports import Claims
from spai.stack.privacy import OTHERS
from spai.stack.processes import SERVERS, Process, table

LAUNCH = Path(launch.__file__)
LONGEST_SOCKET_PATH = 100
"""Unix allows about 104 to 108 characters, and supervisor adds its pid while it makes the socket."""
LOG_BYTES = "10MB"
LOG_BACKUPS = 3
PATIENCE = 10.0
"""Longest wait for an answer of supervisor, in seconds."""
MONITOR = "monitor"
"""The process that checks health and writes down every restart."""


UNREACHABLE = (OSError, http.client.HTTPException, xmlrpc.client.Error)


class SupervisorError(Exception):
    """Supervisor did not start or did not do what it was asked."""


def socket_path(stack: Stack) -> Path:
    """Return where supervisor listens: in the stack's folder, or in a private one where that path is too long."""
    path = stack.run / "supervisor.sock"
    if len(str(path)) + len(f".{os.getpid()}") <= LONGEST_SOCKET_PATH:
        return path
    mark = hashlib.sha256(str(stack.var).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"spai-{os.getuid()}-{mark}" / "supervisor.sock"


def configuration(stack: Stack, processes: Sequence[Process]) -> str:
    """Return supervisor's configuration for `processes`; the environment that they share is supervisor's own."""
    path = socket_path(stack)
    sections: dict[str, dict[str, Any]] = {
        "supervisord": {
            "nodaemon": "true",
            "logfile": stack.logs / "supervisor.log",
            "logfile_maxbytes": LOG_BYTES,
            "logfile_backups": LOG_BACKUPS,
            "pidfile": stack.run / "supervisor.pid",
            "childlogdir": stack.logs,
            "directory": stack.var,
            "umask": "077",
            "identifier": "spai",
            # Supervisor warns root unless it is told that root is meant.
            **({"user": "root"} if os.geteuid() == 0 else {}),
        },
        "unix_http_server": {"file": path, "chmod": "0700"},
        "rpcinterface:supervisor": {
            "supervisor.rpcinterface_factory": "supervisor.rpcinterface:make_main_rpcinterface",
        },
        "supervisorctl": {"serverurl": f"unix://{path}"},
        f"eventlistener:{MONITOR}": {
            "command": shlex.join([sys.executable, "-m", "spai.stack.monitor"]),
            "events": "PROCESS_STATE",
            "buffer_size": 200,
            "environment": quoted({"SPAI_PROCESS": MONITOR}),
            "directory": LAUNCH.parents[2],
            "autostart": "true",
            "autorestart": "true",
            "startretries": 100,
            "priority": 0,
            # Its standard output is its conversation with supervisor.
            "stdout_logfile": "NONE",
            "stderr_logfile": stack.logs / f"{MONITOR}.log",
            "stderr_logfile_maxbytes": LOG_BYTES,
            "stderr_logfile_backups": LOG_BACKUPS,
        },
    }
    for number, process in enumerate(processes, start=1):
        sections[f"program:{process.name}"] = {
            "command": shlex.join([sys.executable, "-P", str(LAUNCH), process.name, *process.command]),
            "environment": quoted({**process.environment, "SPAI_PROCESS": process.name}),
            "directory": process.directory or LAUNCH.parents[2],
            "autostart": "false",
            "autorestart": "true",
            # Python takes seconds to find that a module is broken: so long, an end counts as a failed start.
            "startsecs": 1 if process.name in SERVERS else 10,
            "startretries": 12,
            "stopsignal": process.stop_signal,
            "stopwaitsecs": process.stop_seconds,
            "killasgroup": "true",
            "priority": number,
            "redirect_stderr": "true",
            "stdout_logfile": stack.logs / f"{process.name}.log",
            "stdout_logfile_maxbytes": LOG_BYTES,
            "stdout_logfile_backups": LOG_BACKUPS,
        }
    lines = []
    for name, section in sections.items():
        lines.append(f"[{name}]")
        lines += [f"{key}={str(value).replace('%', '%%')}" for key, value in section.items()]
        lines.append("")
    return "\n".join(lines)


def quoted(environment: dict[str, str]) -> str:
    """Return `environment` in supervisor's notation."""
    return ",".join(f'{name}="{value}"' for name, value in environment.items())


class SocketConnection(http.client.HTTPConnection):
    """HTTP over a Unix socket."""

    def __init__(self, path: Path) -> None:
        super().__init__("localhost", timeout=PATIENCE)
        self.path = path

    def connect(self) -> None:
        """Connect to the socket instead of a host."""
        self.sock = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self.sock.settimeout(self.timeout)
        self.sock.connect(str(self.path))


class SocketTransport(xmlrpc.client.Transport):
    """XML-RPC over a Unix socket, with a time limit, which supervisor's own transport does not have."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.path = path

    def make_connection(self, host: Any) -> SocketConnection:
        """Return a new connection; `host` is only for show."""
        made = SocketConnection(self.path)
        self._connection = host, made
        return made


class Supervisor:
    """A running supervisor, asked through its socket."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def ask(self, function: str, *arguments: Any) -> Any:
        """Call a function of its `supervisor` namespace, over a connection of its own.

        Raises
        ------
        xmlrpc.client.Fault
            When supervisor refuses.
        OSError, http.client.HTTPException
            When it does not answer.
        """
        address = f"http://{socket_path(self.stack).name}"
        with xmlrpc.client.ServerProxy(address, transport=SocketTransport(socket_path(self.stack))) as proxy:
            return getattr(proxy.supervisor, function)(*arguments)

    def runs(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self.ask("getState"))
        except UNREACHABLE:
            return False

    def states(self) -> dict[str, dict[str, Any]]:
        """Return what it knows of each process; see `getAllProcessInfo` in supervisor's manual."""
        return {info["name"]: info for info in self.ask("getAllProcessInfo")}

    def is_of_earlier_version(self) -> bool:
        """Whether a version started it whose processes and variables had other names."""
        return MONITOR not in self.states()

    def start(self, process: str) -> None:
        """Start a process that does not run; not waiting for it."""
        with contextlib.suppress(xmlrpc.client.Fault):
            self.ask("startProcess", process, False)

    def stop(self, processes: Sequence[str], patience: float) -> None:
        """Stop `processes` side by side, and wait until they have ended, but not for more than `patience` seconds."""
        for process in processes:
            with contextlib.suppress(xmlrpc.client.Fault):
                self.ask("stopProcess", process, False)
        end = time.monotonic() + patience
        while time.monotonic() < end:
            if all(info["pid"] == 0 for name, info in self.states().items() if name in processes):
                return
            time.sleep(0.1)

    def kill(self, process: str) -> None:
        """Kill a process that no longer reacts; it is started again."""
        with contextlib.suppress(xmlrpc.client.Fault):
            self.ask("signalProcess", process, "KILL")

    def shutdown(self) -> None:
        """Ask it to end everything and itself; not waiting for it."""
        with contextlib.suppress(*UNREACHABLE):
            self.ask("shutdown")


def is_up(info: dict[str, Any]) -> bool:
    """Whether a process has a process, as supervisor's description of it says."""
    return info.get("statename") in ("STARTING", "RUNNING")


def running_since(supervisor: Supervisor, process: str) -> datetime | None:
    """Return when `process` was started, None when it does not run."""
    info = supervisor.states().get(process, {})
    return datetime.fromtimestamp(info["start"], UTC) if is_up(info) else None


def processes_of(stack: Stack) -> list[Process]:
    """Return the table of processes, with what only supervisor knows: since when celery-beat runs."""
    return table(stack, lambda: running_since(Supervisor(stack), "beat"))


def start(stack: Stack, processes: Sequence[Process], claims: Claims) -> Supervisor:
    """Write the configuration and start supervisor, which keeps `claims`, with no process running yet but the monitor.

    Raises
    ------
    SupervisorError
        When it does not answer within ten seconds.
    """
    for folder in (stack.run, stack.logs, socket_path(stack).parent):
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        if folder.stat().st_uid != os.getuid():
            raise SupervisorError(
                f"{folder} belongs to another user; remove it, or set SPAI_VAR_DIR to a shorter path."
            )
    written = stack.run / "supervisord.conf"
    write_private(written, configuration(stack, processes))
    output = stack.logs / "supervisor.out"
    with output.open("wb") as file:
        process = subprocess.Popen(
            [sys.executable, "-m", "supervisor.supervisord", "-c", str(written)],
            cwd=stack.var,
            env=stack.process_environment(),
            stdin=subprocess.DEVNULL,
            stdout=file,
            stderr=file,
            umask=OTHERS,
            # A Ctrl-C in the terminal is for the command that starts it.
            start_new_session=True,
            pass_fds=claims.descriptors,
        )
    supervisor = Supervisor(stack)
    end = time.monotonic() + 10
    while time.monotonic() < end and process.poll() is None:
        if supervisor.runs():
            return supervisor
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise SupervisorError(f"supervisor did not start:\n{output.read_text(errors='replace')[-3000:]}")


def stop(stack: Stack, patience: float) -> list[str]:
    """End supervisor and all processes in good order, then whatever still carries this stack's mark.

    Parameters
    ----------
    patience : float
        How long the good order may take, in seconds.

    Returns
    -------
    list of str
        The processes (or commands) of which something was left and had to be ended one by one.
    """
    supervisor = Supervisor(stack)
    with contextlib.suppress(*UNREACHABLE, psutil.Error):
        process = psutil.Process(supervisor.ask("getPID"))
        # Alone, supervisor would end one process after the other.
        supervisor.stop([name for name in supervisor.states() if name not in (*SERVERS, MONITOR)], patience)
        supervisor.ask("shutdown")
        process.wait(patience)
    return sweep(stack)


def sweep(stack: Stack) -> list[str]:
    """End every process that carries this stack's mark; return which processes they were of."""
    left = launch.leftovers(str(stack.var))
    names = []
    for process in left:
        with contextlib.suppress(psutil.Error):
            names.append(process.environ().get("SPAI_PROCESS") or process.name())
    launch.end(left)
    return sorted(set(names))
