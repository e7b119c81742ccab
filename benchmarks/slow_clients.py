"""What slow clients and overload do to a running stack: `python -m benchmarks.slow_clients [--json FILE]`.

For each process, so many connections of each kind are held open (half-sent bodies, half-sent heads, silent ones, and
answers that are not read) while `/livez` is asked on its own connections. Then eight clients ask one page of `web`
again and again. The stack of this checkout must run; nothing but this machine is asked.
"""

from __future__ import annotations

import asyncio
import socket
import sys
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import urlsplit

from benchmarks.report import Measure, parser, print_measures
from spai.stack import environment

HELD_SECONDS = 9.0
"""Shorter than the deadline after which the site closes such connections."""
PAUSE = 0.05
TIMEOUT = 30.0
LOADED_SECONDS = 20.0
CLIENTS = 8
PAGES = {
    "web": [
        "/",
        "/what-if/",
        "/api/v1/matches/",
        "/api/v1/teams/?q=a",
        "/api/v1/what-if/",
        "/api/v1/features/",
        "/api/v1/ingest/",
        "/api/schema/",
    ],
    "admin": ["/admin/login/", "/api/v1/ingest/"],
    "push": ["/readyz"],
}
"""Paths of each process, which the connections of a kind ask in turn; the first one is asked under load."""

Address = tuple[str, int]


async def half_body(at: Address, page: str) -> Any:
    """Send the head of a form and two bytes of its body."""
    return await _sent(
        at,
        f"POST {page} HTTP/1.1\r\nHost: {at[0]}\r\nCookie: csrftoken={'a' * 32}\r\n"
        "Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 1000\r\n\r\na=",
    )


async def half_push(at: Address, page: str) -> Any:
    """Send the head of a large push-in, whose key is looked up before its body is read, and two bytes of that."""
    return await _sent(
        at,
        f"POST {page} HTTP/1.1\r\nHost: {at[0]}\r\nAuthorization: Bearer spai_00000000_{'0' * 64}\r\n"
        'Content-Type: application/x-ndjson\r\nContent-Length: 20000000\r\n\r\n{"',
    )


async def half_head(at: Address, page: str) -> Any:
    """Send a part of the head of a request."""
    return await _sent(at, f"GET {page} HTTP/1.1\r\nHost: {at[0]}\r\nX-Half: ")


async def silent(at: Address, page: str) -> Any:
    """Connect and send nothing."""
    return await _sent(at, "")


async def unread(at: Address, page: str) -> Any:
    """Ask for a page and read nothing of it."""
    return await _sent(at, f"GET {page} HTTP/1.1\r\nHost: {at[0]}\r\n\r\n")


async def _sent(at: Address, text: str) -> socket.socket:
    link = socket.socket()
    link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 2048)
    link.setblocking(False)
    loop = asyncio.get_running_loop()
    await loop.sock_connect(link, at)
    await loop.sock_sendall(link, text.encode())
    return link


async def asked(at: Address, path: str) -> tuple[float, int]:
    """Return the milliseconds that an answer took on a new connection, and its status; 0 when there was none."""
    began, status = time.perf_counter(), 0
    try:
        async with asyncio.timeout(TIMEOUT):
            reader, writer = await asyncio.open_connection(*at)
            writer.write(f"GET {path} HTTP/1.1\r\nHost: {at[0]}\r\nConnection: close\r\n\r\n".encode())
            answer = await reader.read()
            writer.close()
            status = int(answer.split(b" ", 2)[1])
    except (OSError, TimeoutError, IndexError, ValueError):
        pass
    return (time.perf_counter() - began) * 1000, status


async def liveness(at: Address, seconds: float) -> tuple[list[float], int]:
    """Ask `/livez` for some seconds; return the milliseconds of each answer, sorted, and how many were not 200."""
    answers = []
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        answers.append(await asked(at, "/livez"))
        await asyncio.sleep(PAUSE)
    return sorted(ms for ms, _ in answers), sum(status != 200 for _, status in answers)


def measures_of(name: str, times: list[float], failed: int) -> list[Measure]:
    """Return the rows of one run of `liveness`."""
    return [
        Measure(f"{name}: /livez median", times[len(times) // 2], "ms"),
        Measure(f"{name}: /livez slowest of {len(times)}", times[-1], "ms", "≤ 100"),
        Measure(f"{name}: /livez failed", failed, "", "0"),
    ]


async def hold(
    part: str, at: Address, kinds: list[Callable[[Address, str], Awaitable[Any]]], count: int
) -> list[Measure]:
    """Hold `count` connections of each kind open and ask for liveness meanwhile."""
    paths = PAGES[part]
    links = [await kind(at, paths[number % len(paths)]) for kind in kinds for number in range(count)]
    try:
        times, failed = await liveness(at, HELD_SECONDS)
    finally:
        for link in links:
            link.close()
    name = kinds[0].__name__.replace("_", " ") if len(kinds) == 1 else "all kinds at once"
    return measures_of(f"{part}, {count} × {name}", times, failed)


async def overload(at: Address, page: str, seconds: float) -> list[Measure]:
    """Ask one page of `web` without a pause from several clients, and for liveness meanwhile."""
    statuses: Counter[int] = Counter()
    times: list[float] = []
    end = time.monotonic() + seconds

    async def client() -> None:
        while time.monotonic() < end:
            ms, status = await asked(at, page)
            statuses[status] += 1
            if status == 200:
                times.append(ms)

    (alive, failed), *_ = await asyncio.gather(liveness(at, seconds), *(client() for _ in range(CLIENTS)))
    times.sort()
    return [
        *measures_of(f"web, {CLIENTS} clients on {page}", alive, failed),
        Measure("  pages answered", statuses[200] / seconds, "pages/s"),
        Measure("  slowest page", times[-1] if times else float("nan"), "ms"),
        Measure("  refused with 503", statuses[503], ""),
        Measure("  neither", sum(statuses.values()) - statuses[200] - statuses[503], "", "0"),
    ]


async def measure(count: int, loaded_seconds: float) -> list[Measure]:
    """Try every kind on every process."""
    stack = environment.load()
    measures: list[Measure] = []
    kinds: list[Callable[[Address, str], Awaitable[Any]]] = [half_body, half_push, half_head, silent, unread]
    for part in PAGES:
        address = urlsplit(stack.address(part))
        if address.hostname is None or address.port is None:
            raise SystemExit("The stack of this checkout does not run; `make up` starts it.")
        at = (address.hostname, address.port)
        times, failed = await liveness(at, HELD_SECONDS / 3)
        if failed == len(times):
            raise SystemExit(f"{part} of this checkout's stack does not answer; `make up` starts it.")
        measures += measures_of(f"{part}, alone", times, failed)
        for kind in kinds:
            measures += await hold(part, at, [kind], count)
        measures += await hold(part, at, kinds, count)
    web = urlsplit(stack.address("web"))
    assert web.hostname is not None
    assert web.port is not None
    return measures + await overload((web.hostname, web.port), PAGES["web"][0], loaded_seconds)


def main() -> int:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--connections", type=int, default=200, help="of each kind (200)")
    options.add_argument("--seconds", type=float, default=LOADED_SECONDS, help="of overload (20)")
    args = options.parse_args()
    print_measures("slow clients", asyncio.run(measure(args.connections, args.seconds)), args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
