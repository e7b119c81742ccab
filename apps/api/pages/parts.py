"""A cache of rendered parts of pages, in the memory of each process."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Final

from django.utils.safestring import SafeString

MAX_AGE_SECONDS: Final = 600.0
"""Longest age of a part: a change that its key does not contain, such as a corrected name, is shown after this time."""

MAX_CHARACTERS: Final = 16_000_000
"""Largest total of characters of all parts; the page of a league has 30,000."""


class PartCache:
    """Rendered parts by key; the least recently used are removed first. It is thread-safe.

    Parameters
    ----------
    seconds : float
        Age from which a part is rendered again.
    characters : int
        Largest total of characters of all parts.
    """

    def __init__(
        self,
        seconds: float = MAX_AGE_SECONDS,
        characters: int = MAX_CHARACTERS,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._seconds, self._limit, self._clock = seconds, characters, clock
        self._lock = threading.Lock()
        self._parts: OrderedDict[Hashable, tuple[float, SafeString]] = OrderedDict()
        self._characters = 0

    def get(self, key: Hashable) -> SafeString | None:
        """Return a part; None when there is none or it is too old."""
        with self._lock:
            made_at, part = self._parts.get(key, (0.0, None))
            if part is None:
                return None
            if self._clock() - made_at >= self._seconds:
                self._remove(key)
                return None
            self._parts.move_to_end(key)
            return part

    def set(self, key: Hashable, part: SafeString) -> None:
        """Store a part, unless it alone exceeds the limit."""
        with self._lock:
            self._remove(key)
            self._parts[key] = self._clock(), part
            self._characters += len(part)
            while self._characters > self._limit:
                self._remove(next(iter(self._parts)))

    def clear(self) -> None:
        """Remove all parts."""
        with self._lock:
            self._parts.clear()
            self._characters = 0

    def _remove(self, key: Hashable) -> None:
        if key in self._parts:
            self._characters -= len(self._parts.pop(key)[1])


PARTS: Final = PartCache()
"""The parts of this process."""
