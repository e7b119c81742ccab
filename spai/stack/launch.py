"""Turns into one name of the stack: ends what an earlier run left, ties itself to its parent, becomes the command.

Run as a file, not as a module, so that it starts in a tenth of a second: `python -P launch.py PART COMMAND…`, with
SPAI_STACK (the folder of the stack's data) in the environment.
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
"""Idle connections hold a file each; the usual limit of 1,024 would be reached by a few hundred of several kinds."""
PATIENCE = 5.0
"""How long leftovers may take to end when asked, in seconds."""


def leftovers(stack: str, name: str | None = None) -> list[psutil.Process]:
    """Return the processes that carry the mark of this stack, or of one name, except this one and its forebears."""
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


def end(processes: list[psutil.Process], patience: float = PATIENCE) -> None:
    """Ask `processes` to end; kill those that have not after `patience` seconds."""
    for insist in (False, True):
        for process in processes:
            try:
                # PostgreSQL takes SIGTERM for "wait until all clients have gone".
                gentle = signal.SIGINT if process.name() == "postgres" else signal.SIGTERM
                process.send_signal(signal.SIGKILL if insist else gentle)
            except psutil.NoSuchProcess:
                continue
        _, processes = psutil.wait_procs(processes, timeout=patience)
        if not processes:
            return


def end_with_parent() -> None:
    """Have this process killed when its parent dies, where the system can do that (Linux)."""
    if sys.platform == "linux":
        parent = os.getppid()
        ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:
            sys.exit("the supervisor died while this name was starting")


def raise_file_limit() -> None:
    """Allow as many open files, and so connections, as the system lets this user have, up to `OPEN_FILES`."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES if hard == resource.RLIM_INFINITY else min(OPEN_FILES, hard)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def main() -> None:
    """Clear the way and become the command."""
    name, command = sys.argv[1], sys.argv[2:]
    end_with_parent()
    raise_file_limit()
    end(leftovers(os.environ["SPAI_STACK"], name))
    os.execvp(command[0], command)  # noqa: S606  the whole purpose


if __name__ == "__main__":
    main()
