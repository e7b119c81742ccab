"""Limits of requests per minute that hold over all processes, and cost most requests no round trip.

Each client has a counter per minute that all processes share. A process takes a part of what is left in advance (a
lease) and admits requests from it; near the limit leases become single requests. The sum over all processes never
exceeds the limit. What a process took and did not use is lost at the end of the minute. While the shared counter does
not answer, each process continues to count separately, from the count that it saw last.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from itertools import islice
from typing import Final
from zlib import crc32

from redis.exceptions import RedisError

WINDOW: Final = 60
"""Seconds of a window; the windows of different clients begin at different seconds."""
LEASE_SHARE: Final = 16
"""A lease is this fraction of what is left."""
ALONE_SECONDS: Final = 5.0
"""How long a process counts separately before it tries a shared counter that failed again."""
MOST_COUNTS: Final = 20_000
"""Largest number of clients of which a process keeps a count; then it forgets a quarter of them, the oldest first."""


@dataclass(frozen=True, slots=True)
class Admission:
    """Whether a request is admitted, and what is left to its client."""

    allowed: bool
    policy: str  # name of the limit
    limit: int  # requests per window; 0 for no limit
    remaining: int  # requests that are left in this window; an estimate, because other processes admit some, too
    reset_seconds: int  # until the next window, at least 1

    @property
    def headers(self) -> dict[str, str]:
        """Headers that tell the client (draft-ietf-httpapi-ratelimit-headers-11), with Retry-After when refused."""
        if not self.limit:
            return {}
        headers = {
            "RateLimit-Policy": f'"{self.policy}";q={self.limit};w={WINDOW}',
            "RateLimit": f'"{self.policy}";r={self.remaining};t={self.reset_seconds}',
        }
        if not self.allowed:
            headers["Retry-After"] = str(self.reset_seconds)
        return headers


class _Count:
    """The count of one client in this process; `lock` protects the other attributes."""

    __slots__ = ("counted", "lock", "tokens", "uncounted", "window")

    def __init__(self, window: int) -> None:
        self.lock = threading.Lock()
        self.begin(window)

    def begin(self, window: int) -> None:
        self.window = window
        self.tokens = 0
        """Requests that are leased and not used."""
        self.counted = 0
        """What all processes have leased, as far as is known."""
        self.uncounted = 0
        """What this process has leased without the shared counter."""

    def remaining(self, limit: int) -> int:
        """Return how many requests of a window are left, as far as is known."""
        return self.tokens + max(0, limit - self.counted)


def _window_of(client: str, now: float) -> tuple[int, float]:
    """Return the number of a client's window, and the seconds of it that have passed."""
    # Not all at the turn of a minute, when every client that waits would return at once.
    number, passed = divmod(now + crc32(client.encode()) % WINDOW, WINDOW)
    return int(number), passed


class Throttle:
    """Admits requests of clients within their limits.

    Parameters
    ----------
    add : callable
        Adds a number to the shared counter of a name, which may end after two windows, and returns the sum. Raises
        `RedisError` when it cannot, and must not block for long.
    clock : callable, optional
        Monotonic, in seconds.
    """

    def __init__(self, add: Callable[[str, int], int], *, clock: Callable[[], float] = time.monotonic) -> None:
        self._add = add
        self._clock = clock
        self._alone_until = -math.inf
        self._counts: dict[str, _Count] = {}
        self._making = threading.Lock()

    def admit(self, client: str, *, policy: str, limit: int, cost: int, now: float) -> Admission:
        """Admit or refuse a request.

        Parameters
        ----------
        client : str
            Whose limit counts.
        policy : str
            Name of the limit, in ASCII without quotes.
        limit : int
            Requests per window; 0 for no limit.
        cost : int
            As how many requests this one counts; at most as all of a window.
        now : float
            Seconds since 1970.
        """
        if not limit:
            return Admission(True, policy, 0, 0, 1)
        cost = min(cost, limit)
        window, passed = _window_of(client, now)
        count = self._counts.get(client) or self._new(client, window)
        with count.lock:
            # A thread whose `now` is just before the turn counts in the window that another thread has begun.
            if not 0 <= count.window - window <= 1:
                count.begin(window)
            if count.tokens < cost:
                self._lease(client, count, limit, cost)
            allowed = count.tokens >= cost
            if allowed:
                count.tokens -= cost
            remaining = count.remaining(limit)
        return Admission(allowed, policy, limit, remaining, max(1, math.ceil(WINDOW - passed)))

    def admit_leased(self, client: str, *, policy: str, limit: int, now: float) -> Admission | None:
        """Admit a request of cost 1 from the lease of this process; None when it has none left. See `admit`."""
        if not limit:
            return Admission(True, policy, 0, 0, 1)
        window, passed = _window_of(client, now)
        count = self._counts.get(client)
        # The lock is held during a round trip.
        if count is None or not count.lock.acquire(blocking=False):
            return None
        try:
            if count.window != window or count.tokens < 1:
                return None
            count.tokens -= 1
            remaining = count.remaining(limit)
        finally:
            count.lock.release()
        return Admission(True, policy, limit, remaining, max(1, math.ceil(WINDOW - passed)))

    def _lease(self, client: str, count: _Count, limit: int, cost: int) -> None:
        missing, left = cost - count.tokens, limit - count.counted
        if missing > left:
            return
        amount = max(missing, left // LEASE_SHARE)
        known = count.counted + amount
        shared = self._shared(f"{client}:{count.window}", amount + count.uncounted)
        if shared is None:
            count.uncounted += amount
            count.counted = known
        else:
            count.uncounted = 0
            # A counter that was lost counts less than this process knows.
            count.counted = max(known, shared)
        count.tokens += max(0, min(amount, limit - count.counted + amount))

    def _shared(self, name: str, amount: int) -> int | None:
        """Add to the shared counter and return the sum; None while it does not answer."""
        moment = self._clock()
        if moment < self._alone_until:
            return None
        is_retry = self._alone_until > -math.inf
        if is_retry:
            # One thread tries; the others continue without it.
            self._alone_until = moment + ALONE_SECONDS
        try:
            total = self._add(name, amount)
        except RedisError:
            self._alone_until = self._clock() + ALONE_SECONDS
            return None
        if is_retry:
            self._alone_until = -math.inf
        return total

    def _new(self, client: str, window: int) -> _Count:
        with self._making:
            if len(self._counts) >= MOST_COUNTS:
                for oldest in list(islice(self._counts, MOST_COUNTS // 4)):
                    del self._counts[oldest]
            return self._counts.setdefault(client, _Count(window))
