"""What the stack says to people while it works."""

from __future__ import annotations

import time
from typing import TextIO


class Report:
    """Plain lines with the seconds since the beginning."""

    def __init__(self, stream: TextIO) -> None:
        self.stream = stream
        self.began = time.monotonic()

    def say(self, text: str) -> None:
        """Write a line with the seconds so far."""
        self.stream.write(f"{time.monotonic() - self.began:6.1f} s  {text}\n")
        self.stream.flush()

    def plain(self, text: str = "") -> None:
        """Write a line as it is."""
        self.stream.write(f"{text}\n")
        self.stream.flush()
