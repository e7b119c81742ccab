"""Run a command that is killed when the parent process dies: ``python kill_with_parent.py COMMAND…``.

The parent holds the write end of standard input. When it dies for any reason, the input ends, and the whole process
group is killed: the command, the stages that it runs, and this process.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Sequence


def _kill_at_end_of_input() -> None:
    # Not with sys.stdin, whose lock would block the exit of the interpreter.
    while os.read(0, 1024):
        pass
    os.killpg(0, signal.SIGKILL)


def main(command: Sequence[str]) -> int:
    """Run the command in this process group and return its exit status; for a signal, 128 plus its number."""
    if os.getpgrp() != os.getpid():
        os.setpgrp()
    threading.Thread(target=_kill_at_end_of_input, daemon=True).start()
    status = subprocess.run(command, stdin=subprocess.DEVNULL, check=False).returncode  # noqa: S603
    return status if status >= 0 else 128 - status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
