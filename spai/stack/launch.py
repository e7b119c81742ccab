"""Launcher of one process of the stack: stops what an earlier run left, then becomes the command.

It is run as a file, not as a module, so that it starts in a tenth of a second: `python -P launch.py NAME COMMAND…`,
with SPAI_STACK (the folder of the stack's data) in the environment.
"""

from __future__ import annotations

import ctypes
import os
import resource
import signal
import sys

import psutil

PR_SET_PDEATHSIG = 1
OPEN_FILES = 10_000
"""An idle connection holds a file: the usual limit of 1,024 is reached by a few hundred of several kinds."""
TIMEOUT = 5.0
"""How long processes may take to end before they are killed, in seconds."""


def marked_processes(stack: str, name: str | None = None) -> list[psutil.Process]:
    """Return the processes with the mark of this stack, and of one name if given, but this one and its ancestors."""
    own = {os.getpid(), *(process.pid for process in psutil.Process().parents())}
    found = []
    for process in psutil.process_iter():
        if process.pid in own:
            continue
        try:
            environment = process.environ()
        except (psutil.Error, OSError):
            continue
        if environment.get("SPAI_STACK") == stack and name in (None, environment.get("SPAI_PROCESS")):
            found.append(process)
    return found


def end(processes: list[psutil.Process], timeout: float = TIMEOUT) -> None:
    """Stop `processes`; kill those that have not ended after `timeout` seconds."""
    for is_last in (False, True):
        for process in processes:
            try:
                # On SIGTERM PostgreSQL would wait until all clients have disconnected.
                gentle = signal.SIGINT if process.name() == "postgres" else signal.SIGTERM
                process.send_signal(signal.SIGKILL if is_last else gentle)
            except psutil.NoSuchProcess:
                continue
        _, processes = psutil.wait_procs(processes, timeout=timeout)
        if not processes:
            return


def kill_with_parent() -> None:
    """Have this process killed when its parent dies, on Linux."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the supervisor died while this process was starting")


def raise_file_limit() -> None:
    """Raise the limit of open files, and so of connections, to `OPEN_FILES` or to what the system allows."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    """Stop what an earlier run of this process left, and become the command."""
    name, command = sys.argv[1], sys.argv[2:]
    kill_with_parent()
    raise_file_limit()
    end(marked_processes(os.environ["SPAI_STACK"], name))
    os.execvp(command[0], command)  # noqa: S606  this is the purpose


if __name__ == "__main__":
    main()
