"""The lines that a stack command prints while it works."""

from __future__ import annotations

import time
from typing import TextIO


class Report:
    """Writes lines to `stream`."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.began = time.monotonic()

    def step(self, text: str) -> None:
        """Write a line that begins with the seconds since the command began."""
        self.line(f"{time.monotonic() - self.began:6.1f} s  {text}")

    def line(self, text: str = "") -> None:
        """Write a line."""
        self.stream.write(f"{text}\n")
        self.stream.flush()
