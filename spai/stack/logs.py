"""The logs of all processes as one stream of lines, each with the name of its process."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from spai.stack.environment import Stack

PAUSE = 0.25
"""Seconds between two checks for new lines."""
LINES = 20
"""Lines of each log that are shown first."""


@dataclass
class Tail:
    """The end of one log file, followed across rotations."""

    path: Path
    position: int = 0
    inode: int = 0
    rest: bytes = field(default=b"", repr=False)

    def last(self, count: int) -> list[str]:
        """Return the last `count` lines; `new` continues after them."""
        try:
            data = self.path.read_bytes()
            self.inode = self.path.stat().st_ino
        except FileNotFoundError:
            return []
        self.position = len(data)
        return [line.decode(errors="replace") for line in data.splitlines()[-count:]] if count else []

    def new(self) -> list[str]:
        """Return the complete lines written since the last call."""
        try:
            stat = self.path.stat()
        except FileNotFoundError:
            return []
        if stat.st_ino != self.inode or stat.st_size < self.position:
            self.inode, self.position, self.rest = stat.st_ino, 0, b""
        if stat.st_size == self.position:
            return []
        with self.path.open("rb") as file:
            file.seek(self.position)
            data = file.read()
        self.position += len(data)
        *lines, self.rest = (self.rest + data).split(b"\n")
        return [line.decode(errors="replace") for line in lines]


def readable(line: str) -> str:
    """Return a line of JSON as a person reads it; any other line as it is."""
    try:
        entry = json.loads(line) if line.startswith("{") else {}
        time, level, logger, message = (str(entry.pop(name)) for name in ("time", "level", "logger", "message"))
    except (ValueError, KeyError):
        return line
    error = str(entry.pop("error", ""))
    rest = "".join(f" {name}={value}" for name, value in entry.items() if name != "role")
    return f"{time[:19].replace('T', ' ')} {level} {logger} {message}{rest}" + (f"\n{error}" if error else "")


def log_files(stack: Stack, process: str | None = None) -> dict[str, Path]:
    """Return the log file of each process, or of one, by name."""
    return {path.stem: path for path in sorted(stack.logs.glob("*.log")) if process in (None, path.stem)}


def lines(
    stack: Stack, process: str | None, *, follow: bool, wait: Callable[[float], None] = time.sleep
) -> Iterator[str]:
    """Yield the last lines of each log and, with `follow`, every new one as it is written."""
    tails: dict[str, Tail] = {}
    first = True
    while first or follow:
        for name, path in log_files(stack, process).items():
            # A log that appears later is shown from its beginning.
            is_new = name not in tails
            tail = tails.setdefault(name, Tail(path))
            for line in tail.last(LINES) if is_new and first else tail.new():
                yield f"{name:14} | {readable(line)}"
        first = False
        if follow:
            wait(PAUSE)
