"""The latest requests to the site, for tests and benchmarks."""

from __future__ import annotations

import threading
import time
from collections import deque
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Final

MOST_ENTRIES: Final = 20_000


@dataclass(slots=True)
class LoggedRequest:
    """One request, with its time in UTC and by the monotonic clock.

    Parameters
    ----------
    in_flight : int
        Requests in progress when it came, itself included.
    finished_at, finished
        Just before the last piece of the response was sent, or when it was given up; None until then.
    status : int
        0 until there is one.
    """

    method: str
    path: str
    user_agent: str
    in_flight: int
    started_at: str
    started: float
    finished_at: str | None = None
    finished: float | None = None
    status: int = 0


class RequestLog:
    """The latest 20,000 requests; safe to share between threads. It tells real time, not that of the world."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._entries: deque[LoggedRequest] = deque(maxlen=MOST_ENTRIES)
        self._in_flight = 0

    def begin(self, method: str, path: str, user_agent: str) -> LoggedRequest:
        """Add a request."""
        with self._lock:
            self._in_flight += 1
            now, ticks = datetime.now(UTC).isoformat(), time.monotonic()
            entry = LoggedRequest(method, path, user_agent, self._in_flight, now, ticks)
            self._entries.append(entry)
            return entry

    def end(self, entry: LoggedRequest) -> None:
        """Note the end of a request; a second call changes nothing."""
        with self._lock:
            if entry.finished is None:
                self._in_flight -= 1
                entry.finished_at, entry.finished = datetime.now(UTC).isoformat(), time.monotonic()

    def entries(self) -> list[dict[str, Any]]:
        """Return the requests, the oldest first."""
        with self._lock:
            return [asdict(entry) for entry in self._entries]

    def clear(self) -> None:
        """Remove all requests; those in progress still count as in flight."""
        with self._lock:
            self._entries.clear()
