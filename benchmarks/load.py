"""Send requests over kept-alive connections as fast as they are answered, from its own process."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from itertools import cycle
from multiprocessing import get_context


@dataclass(slots=True)
class Answers:
    """What came back: milliseconds of each answer, sorted, the number of each status, and seconds in total."""

    times: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    seconds: float = 0.0

    @property
    def rate(self) -> float:
        """Answers per second."""
        return len(self.times) / self.seconds

    def percentile(self, share: float) -> float:
        """Return the milliseconds within which this share of the answers came."""
        return self.times[min(len(self.times) - 1, int(share * len(self.times)))]


class _Client(asyncio.Protocol):
    """One connection, which sends the next request when an answer is complete."""

    def __init__(self, requests: Iterator[bytes], answers: Answers, end: float) -> None:
        self.done: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._requests, self._answers, self._end = requests, answers, end
        self._received = b""
        self._sent_at = 0.0
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        self._send()

    def _send(self) -> None:
        assert self._transport is not None
        request = next(self._requests, None) if time.perf_counter() < self._end else None
        if request is None:
            self._transport.close()
            return
        self._sent_at = time.perf_counter()
        self._transport.write(request)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, separator, body = self._received.partition(b"\r\n\r\n")
        if not separator:
            return
        length = next((line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")), b":0")
        status = int(head[9:12])
        if status != 304 and len(body) < int(length.split(b":")[1]):
            return
        self._received = b""
        self._answers.times.append((time.perf_counter() - self._sent_at) * 1000)
        self._answers.statuses[status] += 1
        self._send()

    def connection_lost(self, error: Exception | None) -> None:
        if not self.done.done():
            self.done.set_result(None)


def request(port: int, path: str, **headers: str) -> bytes:
    """Return a GET request."""
    lines = [f"GET {path} HTTP/1.1", f"Host: 127.0.0.1:{port}", *(f"{key}: {value}" for key, value in headers.items())]
    return ("\r\n".join(lines) + "\r\n\r\n").encode()


def run(port: int, requests: Sequence[bytes], *, seconds: float | None, connections: int = 8) -> Answers:
    """Send requests to a port of this machine: each once, or again and again for some seconds."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(_run, port, requests, seconds, connections).result()


def _run(port: int, requests: Sequence[bytes], seconds: float | None, connections: int) -> Answers:
    return asyncio.run(_all(port, requests, seconds, connections))


async def _all(port: int, requests: Sequence[bytes], seconds: float | None, connections: int) -> Answers:
    answers, began = Answers(), time.perf_counter()
    ahead = iter(requests) if seconds is None else cycle(requests)
    end = float("inf") if seconds is None else began + seconds
    loop = asyncio.get_running_loop()
    clients = [
        (await loop.create_connection(lambda: _Client(ahead, answers, end), "127.0.0.1", port))[1]
        for _ in range(connections)
    ]
    await asyncio.gather(*(client.done for client in clients))
    answers.seconds = time.perf_counter() - began
    answers.times.sort()
    return answers
