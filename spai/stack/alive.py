"""Liveness of a container without an HTTP port: `python -m spai.stack.alive worker-QUEUE` or `beat`.

It ends with 0 while the process works, and also while a server that it needs is away: a restart would only interrupt
its work. `python -m spai.stack.container check` tells whether it is ready, which needs those servers.
"""

from __future__ import annotations

import os
import sys
from datetime import UTC, datetime

import psutil

from spai.stack import container, health


def check_of(name: str) -> health.Check:
    """Return the check of the container's process, `beat` or `worker-QUEUE`."""
    if name == "beat":
        # Until its first task is due, a new one has sent none.
        return health.beat(os.environ["DATABASE_URL"], started_at)
    return container.process_of(container.stack_here(), name).ready


def started_at() -> datetime:
    """Return when this container started."""
    return datetime.fromtimestamp(psutil.Process(1).create_time(), UTC)


def main(name: str) -> None:
    """Print the result; end with an error when the process does not work.

    Raises
    ------
    SystemExit
        With the reason.
    """
    try:
        sys.stdout.write(f"{check_of(name)()}\n")
    except health.ServerAwayError as reason:
        sys.stdout.write(f"{reason}; the process is not restarted\n")
    except health.Unhealthy as reason:
        sys.exit(str(reason))


if __name__ == "__main__":
    main(sys.argv[1])
