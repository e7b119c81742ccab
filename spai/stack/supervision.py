"""The interface to supervisor, the library that keeps the processes running."""

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
TIMEOUT = 10.0
"""Longest wait for an answer of supervisor, in seconds."""
MONITOR = "monitor"
"""Name of the process that checks health and records restarts."""

UNREACHABLE = (OSError, http.client.HTTPException, xmlrpc.client.Error)


class SupervisorError(Exception):
    """Supervisor did not start."""


def socket_path(stack: Stack) -> Path:
    """Return supervisor's socket: in the stack's folder, or in a private one when that path is too long."""
    path = stack.run / "supervisor.sock"
    if len(str(path)) + len(f".{os.getpid()}") <= LONGEST_SOCKET_PATH:
        return path
    mark = hashlib.sha256(str(stack.var).encode()).hexdigest()[:12]
    return Path(tempfile.gettempdir()) / f"spai-{os.getuid()}-{mark}" / "supervisor.sock"


def configuration(stack: Stack, processes: Sequence[Process]) -> str:
    """Return supervisor's configuration for `processes`, which inherit the environment of supervisor."""
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
            # Without this supervisor warns when it runs as root.
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
            # Its standard output belongs to the protocol of event listeners.
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
            # Python may need seconds to fail on a broken module: until then, an end counts as a failed start.
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
        super().__init__("localhost", timeout=TIMEOUT)
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
        """Return a new connection to the socket; `host` is ignored."""
        made = SocketConnection(self.path)
        self._connection = host, made
        return made


class Supervisor:
    """A running supervisor, controlled through its socket."""

    def __init__(self, stack: Stack) -> None:
        self.stack = stack

    def call(self, function: str, *arguments: Any) -> Any:
        """Call a function of its `supervisor` namespace, over its own connection.

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

    def is_running(self) -> bool:
        """Whether it answers."""
        try:
            return bool(self.call("getState"))
        except UNREACHABLE:
            return False

    def states(self) -> dict[str, dict[str, Any]]:
        """Return the state of each process by name; see `getAllProcessInfo` in supervisor's manual."""
        return {state["name"]: state for state in self.call("getAllProcessInfo")}

    def is_of_earlier_version(self) -> bool:
        """Whether a version started it whose processes and variables had other names."""
        return MONITOR not in self.states()

    def start(self, name: str) -> None:
        """Start a process that does not run; do not wait for it."""
        with contextlib.suppress(xmlrpc.client.Fault):
            self.call("startProcess", name, False)

    def stop(self, names: Sequence[str], timeout: float) -> None:
        """Stop processes at the same time, and wait until they have ended, for at most `timeout` seconds."""
        for name in names:
            with contextlib.suppress(xmlrpc.client.Fault):
                self.call("stopProcess", name, False)
        end = time.monotonic() + timeout
        while time.monotonic() < end:
            if all(state["pid"] == 0 for name, state in self.states().items() if name in names):
                return
            time.sleep(0.1)

    def kill(self, name: str) -> None:
        """Kill a process; supervisor starts it again."""
        with contextlib.suppress(xmlrpc.client.Fault):
            self.call("signalProcess", name, "KILL")

    def shutdown(self) -> None:
        """Have it stop everything and itself; do not wait for it."""
        with contextlib.suppress(*UNREACHABLE):
            self.call("shutdown")


def is_up(state: dict[str, Any]) -> bool:
    """Whether a process runs, by the state that supervisor reports."""
    return state.get("statename") in ("STARTING", "RUNNING")


def running_since(supervisor: Supervisor, name: str) -> datetime | None:
    """Return when a process was started, None when it does not run."""
    state = supervisor.states().get(name, {})
    return datetime.fromtimestamp(state["start"], UTC) if is_up(state) else None


def processes_of(stack: Stack) -> list[Process]:
    """Return the processes of the stack; the check of celery-beat takes the time of its start from supervisor."""
    return table(stack, lambda: running_since(Supervisor(stack), "beat"))


def start(stack: Stack, processes: Sequence[Process], claims: Claims) -> Supervisor:
    """Write the configuration and start supervisor, which inherits `claims`; of the processes only the monitor runs.

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
            # A Ctrl-C in the terminal must reach only the command that starts it.
            start_new_session=True,
            pass_fds=claims.descriptors,
        )
    supervisor = Supervisor(stack)
    end = time.monotonic() + 10
    while time.monotonic() < end and process.poll() is None:
        if supervisor.is_running():
            return supervisor
        time.sleep(0.05)
    process.kill()
    process.wait()
    raise SupervisorError(f"supervisor did not start:\n{output.read_text(errors='replace')[-3000:]}")


def stop(stack: Stack, timeout: float) -> list[str]:
    """Stop all processes and supervisor in order, then every process that still carries this stack's mark.

    Parameters
    ----------
    timeout : float
        How long the orderly stop may take, in seconds.

    Returns
    -------
    list of str
        The names of the processes (or commands) that were left and had to be stopped one by one.
    """
    supervisor = Supervisor(stack)
    with contextlib.suppress(*UNREACHABLE, psutil.Error):
        process = psutil.Process(supervisor.call("getPID"))
        # By itself supervisor would stop one process after the other.
        supervisor.stop([name for name in supervisor.states() if name not in (*SERVERS, MONITOR)], timeout)
        supervisor.call("shutdown")
        process.wait(timeout)
    return stop_marked(stack)


def stop_marked(stack: Stack) -> list[str]:
    """Stop every process that has this stack's mark in its environment; return their names."""
    left = launch.marked_processes(str(stack.var))
    names = []
    for process in left:
        with contextlib.suppress(psutil.Error):
            names.append(process.environ().get("SPAI_PROCESS") or process.name())
    launch.end(left)
    return sorted(set(names))
