"""Rendered parts of pages that a process keeps."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from django.utils.safestring import SafeString

KEPT_SECONDS: Final = 600.0
"""Time for which a part is kept: what its key leaves out, such as a corrected name, is on the page by then."""

KEPT_CHARACTERS: Final = 16_000_000
"""Characters of all parts together; a league's page has 30,000 of them."""


class KeptParts:
    """Parts by their keys, of which those that were not asked for the longest are given up first. It is thread-safe.

    Parameters
    ----------
    seconds : float
        Age from which a part is made anew.
    characters : int
        Largest size of all parts together.
    """

    def __init__(
        self,
        seconds: float = KEPT_SECONDS,
        characters: int = KEPT_CHARACTERS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds, self._limit, self._clock = seconds, characters, clock
        self._lock = threading.Lock()
        self._kept: OrderedDict[Hashable, tuple[float, SafeString]] = OrderedDict()
        self._characters = 0

    def find(self, key: Hashable) -> SafeString | None:
        """Return a part; None where none is kept, or only one that is too old."""
        with self._lock:
            made_at, part = self._kept.get(key, (0.0, None))
            if part is None:
                return None
            if self._clock() - made_at >= self._seconds:
                self._remove(key)
                return None
            self._kept.move_to_end(key)
            return part

    def keep(self, key: Hashable, part: SafeString) -> None:
        """Keep a part; one that is larger than all of them may be is not kept."""
        with self._lock:
            self._remove(key)
            self._kept[key] = self._clock(), part
            self._characters += len(part)
            while self._characters > self._limit:
                self._remove(next(iter(self._kept)))

    def clear(self) -> None:
        """Give up all parts."""
        with self._lock:
            self._kept.clear()
            self._characters = 0

    def _remove(self, key: Hashable) -> None:
        if key in self._kept:
            self._characters -= len(self._kept.pop(key)[1])


PARTS: Final = KeptParts()
"""The parts of this process."""
