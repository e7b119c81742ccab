"""Guards of the commands that start and stop a stack: one at a time, and nothing left running after an interruption."""

from __future__ import annotations

import contextlib
import fcntl
import os
import signal
from collections.abc import Iterator

import psutil

from spai.stack.environment import Stack
from spai.stack.errors import StackError

SIGNALS = (signal.SIGTERM, signal.SIGHUP, signal.SIGINT)


@contextlib.contextmanager
def alone(stack: Stack) -> Iterator[None]:
    """Hold the lock that keeps other `up`, `down` and `restart` commands away from this stack.

    Raises
    ------
    StackError
        When another command holds it.
    """
    stack.run.mkdir(parents=True, exist_ok=True, mode=0o700)
    path = stack.run / "lock"
    with path.open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            raise StackError(
                "Another command is already starting or stopping this stack"
                f" (process {file.read().strip() or 'unknown'}). Wait until it is done, or end it with Ctrl-C."
            ) from None
        file.truncate(0)
        file.write(str(os.getpid()))
        file.flush()
        yield


@contextlib.contextmanager
def interruptible() -> Iterator[None]:
    """Raise KeyboardInterrupt on every signal that ends a command, so that it can stop what it has started."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    with _handlers(interrupt):
        yield


@contextlib.contextmanager
def uninterrupted() -> Iterator[None]:
    """Ignore these signals while processes are being stopped."""
    with _handlers(signal.SIG_IGN):
        yield


@contextlib.contextmanager
def _handlers(handler: object) -> Iterator[None]:
    before = {number: signal.signal(number, handler) for number in SIGNALS}  # type: ignore[arg-type]
    try:
        yield
    finally:
        for number, earlier in before.items():
            signal.signal(number, earlier)


@contextlib.contextmanager
def starting(stack: Stack) -> Iterator[None]:
    """Note that this process is starting the stack: if it is killed, the monitor stops what it had started."""
    mark = stack.run / "starting"
    mark.write_text(f"{os.getpid()} {psutil.Process().create_time()!r}")
    try:
        yield
    finally:
        mark.unlink(missing_ok=True)


def is_abandoned(stack: Stack) -> bool:
    """Whether the command that was starting this stack died before it had finished."""
    try:
        pid, created = (stack.run / "starting").read_text().split()
    except (FileNotFoundError, ValueError):
        return False
    try:
        return psutil.Process(int(pid)).create_time() != float(created)
    except psutil.NoSuchProcess:
        return True
