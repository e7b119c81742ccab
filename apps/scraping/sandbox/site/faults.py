"""Faults of paths of the site, which can be changed while it runs."""

from __future__ import annotations

import threading
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

SLOW_SECONDS: Final = 5.0
HANG_SECONDS: Final = 120.0
"""A hanging request ends after this time, so that no thread is lost."""
MOST_FAULTS: Final = 1_000


class FaultError(ValueError):
    """The request does not describe a fault; the text says why."""


class Mode(StrEnum):
    """The ways in which a path can be broken."""

    SLOW = "slow"
    """The correct response, some seconds late."""
    HANG = "hang"
    """No response."""
    SERVER_ERROR = "500"
    FORBIDDEN = "403"
    TOO_MANY = "429"
    """With Retry-After."""
    CHALLENGE = "challenge"
    """A challenge page with status 200."""
    INCAPSULA = "incapsula"
    """A small block page with status 200."""
    CHANGED_LAYOUT = "changed_layout"
    """Variables, keys, ids and columns are renamed."""
    TRUNCATED_GZIP = "truncated_gzip"
    HUGE = "huge"
    """50 MB of HTML."""
    REDIRECT_LOOP = "redirect_loop"
    WRONG_TYPE = "wrong_type"
    """An image in place of the page."""
    EMPTY = "empty"
    """The page without its matches: an empty feed, a file with its header only; any other page is empty."""
    DUPLICATED = "duplicated"
    """A match that is listed twice."""
    CONTRADICTING = "contradicting"
    """A feed or file with two results of one match; a match centre with another result than the feed's."""
    RESET = "reset"
    """The connection ends in the middle of the response."""


@dataclass(slots=True)
class Fault:
    """One broken path.

    Parameters
    ----------
    path : str
        Prefix of the affected paths, with their queries; case is ignored.
    times : int or None
        Requests that it still affects; None for all.
    seconds : float or None
        Duration for `Mode.SLOW` and `Mode.HANG`, Retry-After for `Mode.TOO_MANY`; None for the default.
    """

    path: str
    mode: Mode
    times: int | None = None
    seconds: float | None = None

    @property
    def delay(self) -> float:
        """How long a request waits, in seconds."""
        if self.mode is Mode.SLOW:
            return SLOW_SECONDS if self.seconds is None else self.seconds
        if self.mode is Mode.HANG:
            return HANG_SECONDS if self.seconds is None else self.seconds
        return 0.0


class Faults:
    """The faults of a site; safe to share between threads."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: dict[str, Fault] = {}

    def put(self, path: str, mode: str, times: int | None = None, seconds: float | None = None) -> None:
        """Add a fault for a prefix of paths; it replaces one of the same prefix.

        Raises
        ------
        FaultError
            When an argument is invalid.
        """
        if not isinstance(path, str) or not path.startswith("/"):
            raise FaultError(f"path must be a text that begins with /; got {path!r}")
        if mode not in list(Mode):
            raise FaultError(f"mode must be one of {', '.join(Mode)}; got {mode!r}")
        if times is not None and (not isinstance(times, int) or isinstance(times, bool) or times < 1):
            raise FaultError(f"times must be a whole number from 1 on; got {times!r}")
        if seconds is not None and (
            not isinstance(seconds, int | float) or isinstance(seconds, bool) or not 0 < seconds <= HANG_SECONDS
        ):
            raise FaultError(f"seconds must be a number above 0 and up to {HANG_SECONDS:.0f}; got {seconds!r}")
        with self._lock:
            if len(self._faults) >= MOST_FAULTS and path.lower() not in self._faults:
                raise FaultError(f"there are {MOST_FAULTS} faults already; remove some")
            self._faults[path.lower()] = Fault(path, Mode(mode), times, seconds)

    def clear(self, path: str | None = None) -> None:
        """Remove the fault of a prefix, or all."""
        with self._lock:
            if path is None:
                self._faults.clear()
            else:
                self._faults.pop(path.lower(), None)

    def take(self, target: str) -> Fault | None:
        """Return the fault with the longest matching prefix of a path with its query, and count the request."""
        target = target.lower()
        with self._lock:
            found = max((path for path in self._faults if target.startswith(path)), key=len, default=None)
            if found is None:
                return None
            fault = self._faults[found]
            if fault.times is not None:
                fault.times -= 1
                if fault.times == 0:
                    del self._faults[found]
            return fault

    def entries(self) -> list[dict[str, Any]]:
        """Return the faults as JSON values, in the order in which they were added."""
        with self._lock:
            return [
                {"path": fault.path, "mode": fault.mode.value, "times": fault.times, "seconds": fault.seconds}
                for fault in self._faults.values()
            ]
