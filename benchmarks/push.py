"""How fast events reach many clients, and that none is lost: `python -m benchmarks.push [--json FILE]`.

Everything runs on its own servers. Half of the clients are websockets, half read Server-Sent Events.

1. Delivery: to one push process with many clients, forecasts are published one after the other. How long after its
   commit has each reached each client?
2. Faults: with two push processes, events are published while Redis is killed and started again twice, the process
   that numbers the events is killed once, and connections are cut. A client connects again after its latest number.
   Which numbers did a client get twice, in the wrong order or not at all?
3. Replay: from many events, one page of those of a team that has few, and of all.
4. Memory: how much a push process grows with clients that have one event and wait for the next, by kind. What the
   kernel keeps for their connections is not in it.
"""

from __future__ import annotations

import asyncio
import contextlib
import functools
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from datetime import UTC, datetime

import psutil
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed

from benchmarks.push_in import ready
from benchmarks.report import Measure, parser, print_measures
from benchmarks.servers import STUCK, own_servers
from spai.stack.ports import free_port
from spai.stack.processes import uvicorn_command
from spai.stack.temporary import TemporaryServers

Reader = Callable[[int, int], AsyncIterator[int]]
"""Yields the numbers of the events at a port, after a number."""
EVENT = '{"type":"event","number":'
"""What the message of an event begins with."""
PAUSE = 0.2
QUIET = 5.0
"""Seconds without events before memory is read: some heartbeats, and the collector of Python has run."""
BATCH = 100
CUT_AT_ONCE = 20
ALL_ARRIVE = 300.0
"""Seconds after which an event that did not come counts as lost."""


class PushProcess:
    """A push process on the database that Django is pointed to; it can be killed and started again."""

    def __init__(self, **environment: str) -> None:
        self.port = free_port()
        self._environment = os.environ | {
            "SPAI_ROLE": "push",
            "LOG_LEVEL": "ERROR",
            "SPAI_PUSH_CONNECTIONS_OF_ADDRESS": "2000",
            **environment,
        }
        self.start()

    def start(self) -> None:
        """Start it and wait until it is ready."""
        self.process = subprocess.Popen([*uvicorn_command(self.port), "--log-level", "warning"], env=self._environment)
        end = time.monotonic() + STUCK
        while not ready(self.port):
            if self.process.poll() is not None or time.monotonic() > end:
                raise SystemExit("the push process did not start; the lines above say why")
            time.sleep(0.1)

    def kill(self) -> None:
        """Kill it as the system would."""
        self.process.kill()
        self.process.wait()


@contextlib.contextmanager
def push_processes(count: int, **environment: str) -> Iterator[list[PushProcess]]:
    """Run push processes."""
    running = [PushProcess(**environment) for _ in range(count)]
    try:
        yield running
    finally:
        for each in running:
            each.process.send_signal(signal.SIGTERM)
            each.process.wait()


async def websocket(port: int, after: int) -> AsyncIterator[int]:
    """Yield the numbers of the events after a number."""
    address = f"ws://127.0.0.1:{port}/ws/v1/events/?after={after}"
    async with connect(address, compression=None, max_queue=None, open_timeout=STUCK) as link:
        while True:
            message = str(await link.recv())
            if message.startswith(EVENT):
                yield int(message[len(EVENT) :].split(",", 1)[0])


async def stream(port: int, after: int) -> AsyncIterator[int]:
    """Yield the same from a stream of Server-Sent Events."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(f"GET /api/v1/events/stream/?after={after} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        number = after
        while line := await reader.readline():
            if line.startswith(b"id: "):
                number = int(line[4:])
            elif line.startswith(b"data: " + EVENT.encode()):
                yield number
        raise ConnectionResetError("the stream ended")
    finally:
        writer.close()


class Client:
    """One client that connects again, after its latest number, whenever its connection ends."""

    def __init__(self, read: Reader, ports: list[int], begin: int) -> None:
        self.begin = begin
        self.numbers: list[int] = []
        self.arrived: list[float] = []
        self.connections = 0
        self._read = read
        self._ports = ports
        self._following: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Follow the events until the task is cancelled."""
        while True:
            self._following = asyncio.create_task(self._follow(self._ports[self.connections % len(self._ports)]))
            self.connections += 1
            try:
                await asyncio.wait({self._following})
            finally:
                self._following.cancel()
            await asyncio.sleep(random.random() / 10)

    async def _follow(self, port: int) -> None:
        with contextlib.suppress(ConnectionClosed, OSError, EOFError):
            async with contextlib.aclosing(self._read(port, self.latest)) as numbers:  # type: ignore[type-var]
                async for number in numbers:
                    self.numbers.append(number)
                    self.arrived.append(time.monotonic())

    @property
    def latest(self) -> int:
        """The number of the newest event that it has."""
        return self.numbers[-1] if self.numbers else self.begin

    def cut(self) -> None:
        """Cut the connection."""
        if self._following is not None:
            self._following.cancel()


@contextlib.asynccontextmanager
async def clients_of(
    count: int, ports: list[int], kinds: Sequence[Reader] = (stream, websocket)
) -> AsyncIterator[list[Client]]:
    """Run clients that begin after the newest event, as many of each kind."""
    from apps.matches.feed import newest_event_number

    begin = await asyncio.to_thread(newest_event_number)
    clients = [
        Client(kinds[n % len(kinds)], ports[n // 2 % len(ports) :] + ports[: n // 2 % len(ports)], begin)
        for n in range(count)
    ]
    tasks = [asyncio.create_task(client.run()) for client in clients]
    try:
        yield clients
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def until(is_so: Callable[[], bool]) -> bool:
    """Wait until something is so; return whether it was, in time."""
    end = time.monotonic() + ALL_ARRIVE
    while not is_so():
        if time.monotonic() > end:
            return False
        await asyncio.sleep(0.05)
    return True


def publish(count: int) -> float:
    """Publish events of forecasts in one transaction; return when it was committed."""
    from apps.matches import events
    from apps.matches.models import Topic

    rows = [(number, {"version": 1}) for number in range(1, count + 1)]
    events.publish_of_matches(topic=Topic.PREDICTION_PUBLISHED, events=rows, now=datetime.now(UTC))
    return time.monotonic()


def cpu_seconds(process: PushProcess) -> float:
    """Return the CPU time of a push process so far."""
    times = psutil.Process(process.process.pid).cpu_times()
    return times.user + times.system


async def delivery(clients: int, events: int) -> list[Measure]:
    """Measure how long events take to all clients of one process."""
    with push_processes(1) as (push,):
        async with clients_of(clients, [push.port]) as listening:
            await asyncio.to_thread(publish, 1)
            await until(lambda: all(client.numbers for client in listening))
            cpu, committed = cpu_seconds(push), []
            for _ in range(events):
                committed.append(await asyncio.to_thread(publish, 1))
                await asyncio.sleep(PAUSE)
            complete = await until(lambda: all(len(client.numbers) == events + 1 for client in listening))
            cpu = cpu_seconds(push) - cpu
    delays = sorted(
        (at - committed[number - 2]) * 1000
        for client in listening
        for number, at in zip(client.numbers[1:], client.arrived[1:], strict=True)
    )
    slowest = [max(client.arrived[n + 1] for client in listening) - committed[n] for n in range(events) if complete]
    return [
        Measure(
            f"delivery: {clients} clients, {events} forecasts; did not arrive", events * clients - len(delays), "", "0"
        ),
        Measure("  median", delays[len(delays) // 2], "ms"),
        Measure("  p95", delays[int(len(delays) * 0.95)], "ms", "≤ 500"),
        Measure("  slowest", delays[-1], "ms"),
        Measure("  last client of a forecast, p95", sorted(slowest)[int(len(slowest) * 0.95)] * 1000, "ms", "≤ 500"),
        Measure("  CPU of the push process, of one message", cpu / len(delays) * 1e6, "µs"),
    ]


def have_more(clients: Sequence[Client], before: Sequence[int]) -> bool:
    """Whether each client has more numbers than before."""
    return all(len(client.numbers) > count for client, count in zip(clients, before, strict=True))


def own_memory(process: PushProcess) -> float:
    """Return the memory that only a push process has, in KiB."""
    used: int = psutil.Process(process.process.pid).memory_full_info().uss
    return used / 1024


async def memory(sizes: Sequence[int]) -> list[Measure]:
    """Measure how much a push process grows with clients that wait, for each kind in its own process."""
    measures = []
    for kind, read in {"websocket": websocket, "event stream": stream}.items():
        with push_processes(1) as (push,):
            async with contextlib.AsyncExitStack() as waiting:
                listening: list[Client] = []
                begin = 0.0
                for size in (1, *sizes):
                    more = clients_of(size - len(listening), [push.port], (read,))
                    listening += await waiting.enter_async_context(more)
                    before = [len(client.numbers) for client in listening]
                    await asyncio.to_thread(publish, 1)
                    if not await until(functools.partial(have_more, listening, before)):
                        raise SystemExit(f"not each of {size} clients got an event")
                    await asyncio.sleep(QUIET)
                    now = own_memory(push)
                    if size == 1:
                        begin = now
                        continue
                    measures += [
                        Measure(f"memory with {size:,} of kind {kind}", now / 1024, "MiB"),
                        Measure("  of each client", (now - begin) / (size - 1), "KiB"),
                    ]
    return measures


async def faults(clients: int, events: int, cuts: int) -> list[Measure]:
    """Count what clients got twice, in the wrong order or not at all, while servers and connections end."""
    with TemporaryServers("spai-benchmark-redis-") as redis:
        address = redis.start_redis()
        with push_processes(2, REDIS_URL=address) as pushes:
            async with clients_of(clients, [push.port for push in pushes]) as listening:
                first = await asyncio.to_thread(publish, 1)
                await until(lambda: all(client.numbers for client in listening))
                begin = listening[0].begin
                batches = events // BATCH
                for batch in range(batches):
                    await asyncio.to_thread(publish, BATCH - (batch == 0))
                    if batch in (batches // 4, 3 * batches // 4):
                        await asyncio.to_thread(restart_redis, redis)
                    if batch == batches // 2:
                        pushes[0].kill()
                        await asyncio.to_thread(pushes[0].start)
                    if batch % max(1, batches // cuts) == 0:
                        for client in random.sample(listening, min(CUT_AT_ONCE, clients)):
                            client.cut()
                await until(lambda: all(client.latest == begin + events for client in listening))
                seconds = time.monotonic() - first
    wanted = list(range(begin + 1, begin + events + 1))
    got = [client.numbers for client in listening]
    return [
        Measure(
            f"faults: {clients} clients, {events} events, connections made", sum(c.connections for c in listening), ""
        ),
        Measure(
            "  clients that got every number once, in order", sum(each == wanted for each in got), "", f"{clients}"
        ),
        Measure("  numbers missing", sum(len(set(wanted) - set(each)) for each in got), "", "0"),
        Measure("  numbers twice", sum(len(each) - len(set(each)) for each in got), "", "0"),
        Measure("  until the last client had the last event", seconds, "s"),
        Measure("  messages", sum(map(len, got)) / seconds, "per s"),
    ]


def restart_redis(redis: TemporaryServers) -> None:
    """Kill Redis, and start it again where it was."""
    (process,) = redis.processes
    process.kill()
    process.wait()
    redis.processes[:] = [subprocess.Popen(process.args, cwd="/", stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)]


def replay(events: int) -> list[Measure]:
    """Measure pages of a replay from many events."""
    from django.db import connection

    from apps.matches.feed import Subscription, events_after

    with connection.cursor() as cursor:
        cursor.execute("SELECT coalesce(max(number), 0) FROM matches_event")
        newest = cursor.fetchone()[0]
        cursor.execute(
            """
            INSERT INTO matches_event
                (number, topic, key, payload, created_at, world, match_id, competition, home_team, away_team)
            SELECT %s + n, 'match.changed', n::text, '{}', now(),
                CASE WHEN n %% 1000 = 0 THEN 'real' ELSE 'sandbox' END, n / 20,
                'league-' || n %% 50, 'club-' || n %% 977, 'club-' || n %% 991
            FROM generate_series(1, %s) AS n
            """,
            [newest, events],
        )
        cursor.execute("ANALYZE matches_event")
    measures = []
    for name, wanted in (
        ("all", {}),
        ("one match", {"match": str(events // 40)}),
        ("one team", {"team": "club-7"}),
        ("ten teams", {"team": ",".join(f"club-{n}" for n in range(10))}),
        ("one world of two, a thousandth", {"world": "real"}),
        ("a topic without events in a world", {"topic": "score.settled", "world": "real"}),
    ):
        subscriptions = [Subscription.parse(wanted)]
        times = []
        for after in (0, events // 2, events - 1000) * 5:
            begin = time.perf_counter()
            events_after(after, limit=200, subscriptions=subscriptions)
            times.append((time.perf_counter() - begin) * 1000)
        measures.append(Measure(f"replay of {events:,}: a page of {name}", sorted(times)[len(times) // 2], "ms"))
    return measures


def main() -> int:
    """Measure and print."""
    options = parser(__doc__.splitlines()[0] if __doc__ else "")
    options.add_argument("--clients", type=int, default=500, help="of the delivery (500)")
    options.add_argument("--forecasts", type=int, default=50, help="of the delivery (50)")
    options.add_argument("--fault-clients", type=int, default=200, help="(200)")
    options.add_argument("--fault-events", type=int, default=10_000, help="(10,000)")
    options.add_argument(
        "--cuts", type=int, default=20, help=f"moments at which {CUT_AT_ONCE} connections are cut (20)"
    )
    options.add_argument("--kept", type=int, default=1_000_000, help="events of the replay (1,000,000)")
    options.add_argument(
        "--waiting", type=int, nargs="+", default=[200, 500, 1000], help="of the memory (200 500 1000)"
    )
    options.add_argument("--only", choices=("delivery", "faults", "replay", "memory"), help="one of the four")
    args = options.parse_args()
    random.seed(1)
    parts: dict[str, Callable[[], list[Measure]]] = {
        "delivery": lambda: asyncio.run(delivery(args.clients, args.forecasts)),
        "faults": lambda: asyncio.run(faults(args.fault_clients, args.fault_events, args.cuts)),
        "replay": lambda: replay(args.kept),
        "memory": lambda: asyncio.run(memory(args.waiting)),
    }
    with own_servers():
        measures = [each for name, part in parts.items() if args.only in (None, name) for each in part()]
    print_measures("push", measures, args.json)
    return 0


if __name__ == "__main__":
    sys.exit(main())
