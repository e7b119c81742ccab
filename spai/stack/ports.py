"""Ports on loopback: which are free, and which another stack of this user has reserved but does not use yet."""

from __future__ import annotations

import fcntl
import os
import socket
import tempfile
from collections.abc import Callable, Iterable
from pathlib import Path


def port_is_free(port: int) -> bool:
    """Whether nothing listens on `port`, on loopback or on every address."""
    for address in ("127.0.0.1", ""):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((address, port))
            except OSError:
                return False
    return True


def free_port(
    preferred: int | None = None,
    taken: Iterable[int] = (),
    *,
    upwards: bool = False,
    claim: Callable[[int], bool] = lambda port: True,
) -> int:
    """Return a TCP port that is free on loopback now, and not in `taken`.

    It is `preferred` when that is free; else one of the following numbers if `upwards`, otherwise one that the
    operating system chooses. `claim` is called last, with a free port, and returns whether it could be reserved.
    """
    refused = set(taken)
    if preferred is not None:
        for port in range(preferred, preferred + 200 if upwards else preferred + 1):
            if port not in refused and port_is_free(port) and claim(port):
                return port
    while True:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = int(probe.getsockname()[1])
        if port not in refused and claim(port):
            return port


class Claims:
    """Reservations of ports: a lock on a file for each, held until the last process that inherited it ends.

    A process begins to listen seconds after its port was chosen. Without reservations two stacks that start at the same
    time could choose the same port. Supervisor inherits the locks, so that they last as long as the stack.
    """

    def __init__(self, folder: Path | None = None) -> None:
        self.folder = folder or Path(tempfile.gettempdir()) / f"spai-ports-{os.getuid()}"
        self.descriptors: list[int] = []

    def claim(self, port: int) -> bool:
        """Reserve `port`; return whether it was not reserved yet."""
        self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        descriptor = os.open(self.folder / str(port), os.O_CREAT | os.O_RDWR | os.O_NOFOLLOW, 0o600)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            os.close(descriptor)
            return False
        self.descriptors.append(descriptor)
        return True

    def __enter__(self) -> Claims:
        return self

    def __exit__(self, *error: object) -> None:
        """Close the locks; a process that has inherited them keeps them."""
        while self.descriptors:
            os.close(self.descriptors.pop())
