"""The first process of a container: it starts one command and ends it without losing work.

``python stopping.py MARK SECONDS COMMAND...`` runs COMMAND. On SIGTERM it writes the file MARK, at which the site
reports that it is not ready, lets the command work on for SECONDS, and then sends it SIGTERM. It reaps whatever else
ends, such as the processes of a browser. It imports nothing but the standard library: each container has one of it.
"""

from __future__ import annotations

import os
import signal
import sys

DRAIN_SECONDS = 10.0
"""How long the site serves on after SIGTERM, not ready, unless SPAI_DRAIN_SECONDS says otherwise."""
FINISH_SECONDS = 30
"""How long a command may finish its work after SIGTERM; then it gets SIGQUIT, at which a worker gives its task back."""


def main(mark: str, seconds: float, command: list[str]) -> None:
    """Run a command until it ends, and end with its exit code."""
    signals = {signal.SIGTERM, signal.SIGINT, signal.SIGALRM, signal.SIGCHLD}
    # Blocked signals are kept for sigwait. A handler would miss one that comes just before a wait, until the next one.
    signal.pthread_sigmask(signal.SIG_BLOCK, signals)
    signal.signal(signal.SIGCHLD, lambda *_: None)  # what is ignored is not kept
    coming = [signal.SIGTERM, signal.SIGQUIT]
    # A shell that starts programs in the background has them ignore SIGQUIT.
    child = os.posix_spawn(command[0], command, os.environ, setsigmask=(), setsigdef=coming)
    while True:
        number = signal.sigwait(signals)
        if number == signal.SIGCHLD:
            code = reap(child)
            if code == -signal.SIGTERM and signal.SIGTERM not in coming:
                # It ends by the signal that stopped it, as uvicorn does after a shutdown in order.
                code = 0
            if code is not None:
                sys.exit(code if code >= 0 else 128 - code)
        elif number != signal.SIGALRM and not os.path.exists(mark):  # noqa: PTH110  pathlib would be an import
            with open(mark, "x"):  # noqa: PTH123
                signal.setitimer(signal.ITIMER_REAL, max(seconds, 0.001))
        elif coming:
            # The time is over, or a second SIGTERM came, of a person who does not want to wait.
            os.kill(child, coming.pop(0))
            signal.setitimer(signal.ITIMER_REAL, FINISH_SECONDS if coming else 0)


def reap(child: int) -> int | None:
    """Reap all that has ended; return the exit code of `child`, or None while it runs."""
    code = None
    while True:
        try:
            ended, status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return code
        if ended == 0:
            return code
        if ended == child:
            code = os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]), sys.argv[3:])
