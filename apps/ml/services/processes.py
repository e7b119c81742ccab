"""Processes of a run: started with their output read line by line, and killed with the process that started them."""

from __future__ import annotations

import contextlib
import os
import queue
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Final

from apps.ml.pipeline import kill_with_parent
from apps.ml.services import workspaces

POLL_SECONDS: Final = 0.5
"""Longest wait for a line of output."""


@contextlib.contextmanager
def started(
    folder: Path, command: tuple[str, ...], handle: int
) -> Iterator[tuple[subprocess.Popen[str], queue.Queue[str | None]]]:
    """Start a command that is killed with this process and at the end of the context; yield its output by line.

    The command inherits the file descriptor `handle` and keeps it open.
    """
    process = subprocess.Popen(  # noqa: S603  our own interpreter and modules
        [sys.executable, "-I", kill_with_parent.__file__, *command],
        cwd=folder,
        env=workspaces.environment(),
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        errors="replace",
        start_new_session=True,
        pass_fds=(handle,),
    )
    assert process.stdin is not None
    assert process.stdout is not None
    lines: queue.Queue[str | None] = queue.Queue()
    reader = threading.Thread(target=_read, args=(process.stdout, lines), daemon=True)
    reader.start()
    try:
        yield process, lines
    finally:
        if process.returncode is None:
            # The process group keeps its number until the exit status is read.
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
        process.stdin.close()
        process.wait()
        reader.join()
        process.stdout.close()


def _read(output: IO[str], lines: queue.Queue[str | None]) -> None:
    for line in output:
        lines.put(line)
    lines.put(None)


def next_line(lines: queue.Queue[str | None]) -> str | None:
    """Return the next line; an empty text when none came in time, None at the end of the output."""
    try:
        return lines.get(timeout=POLL_SECONDS)
    except queue.Empty:
        return ""


@contextlib.contextmanager
def sigterm_noted() -> Iterator[Callable[[], bool]]:
    """Delay a SIGTERM until the end of the context; yield a function that returns whether there was one."""
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    noted: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, frame: noted.append(number))
    try:
        yield lambda: bool(noted)
    finally:
        signal.signal(signal.SIGTERM, before)
        if noted:
            os.kill(os.getpid(), signal.SIGTERM)


def dvc(*arguments: str) -> tuple[str, ...]:
    """Return the command that runs DVC with this very Python."""
    return (sys.executable, "-m", "dvc", *arguments)
