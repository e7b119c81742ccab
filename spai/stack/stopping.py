"""The first process of a container: it starts one command and ends it without losing work.

``python stopping.py MARK SECONDS COMMAND...`` runs COMMAND. On SIGTERM it writes the file MARK, at which the site says
that it is not ready, lets the command work on for SECONDS, and then sends it SIGTERM. It reaps whatever else ends, such
as the processes of a browser. It imports nothing but the standard library: each container has one of it.
"""

from __future__ import annotations

import os
import signal
import sys
from types import FrameType

DRAIN_SECONDS = 10.0
"""How long the site serves on after SIGTERM, not ready, unless SPAI_DRAIN_SECONDS says otherwise."""
FINISH_SECONDS = 30
"""How long a command may finish its work after SIGTERM; then it gets SIGQUIT, at which a worker gives its task back."""


def main(mark: str, seconds: float, command: list[str]) -> None:
    """Run a command until it ends, and end with its exit code."""
    child = os.posix_spawn(command[0], command, os.environ)
    coming = [signal.SIGTERM, signal.SIGQUIT]

    def begin(number: int, frame: FrameType | None) -> None:
        # A second SIGTERM, of a person who does not want to wait, does at once what was to come.
        if os.path.exists(mark):  # noqa: PTH110  pathlib would be an import
            proceed(number, frame)
            return
        with open(mark, "x"):  # noqa: PTH123
            signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))

    def proceed(number: int, frame: FrameType | None) -> None:
        if coming:
            os.kill(child, coming.pop(0))
            signal.setitimer(signal.ITIMER_REAL, FINISH_SECONDS if coming else 0)

    signal.signal(signal.SIGTERM, begin)
    signal.signal(signal.SIGINT, begin)
    signal.signal(signal.SIGALRM, proceed)
    while True:
        ended, status = os.wait()
        if ended == child:
            signal.setitimer(signal.ITIMER_REAL, 0)
            code = os.waitstatus_to_exitcode(status)
            sys.exit(code if code >= 0 else 128 - code)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
