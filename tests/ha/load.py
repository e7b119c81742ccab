"""The people and programs that use the site while nodes die: `python -m tests.ha.load SITE ADDRESS FILE`.

Readers ask for pages and answers of the API; writers queue jobs, over HTTP and by the services, and publish events;
clients follow the events and connect again after their latest number; a receiver of webhooks counts the messages. At
SIGTERM readers and writers end; what was acknowledged by then is waited for, and what was found is written to FILE. The
line "working" is printed once each of them has had its first success.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import signal
import sys
import threading
import time
import uuid
from collections.abc import AsyncIterator, Callable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, TypeVar

import django
import httpx
from websockets.asyncio.client import connect
from websockets.exceptions import ConnectionClosed, InvalidHandshake

django.setup()

from django.db import DatabaseError, InterfaceError, connection, transaction  # noqa: E402  Django must be set up.
from django.utils import timezone  # noqa: E402

from apps.api import services  # noqa: E402
from apps.api.models import PredictionJob, PredictionJobResult, WebhookDelivery  # noqa: E402
from apps.matches import events  # noqa: E402
from apps.matches.connections import repeat_when_lost  # noqa: E402
from apps.matches.models import Event, Topic  # noqa: E402
from benchmarks.push import EVENT, Client  # noqa: E402

Result = TypeVar("Result")

READERS = 4
CLIENTS = 10
PATHS = ("/", "/api/v1/matches/?page_size=20", "/api/v1/competitions/", "/api/v1/models/", "/api/v1/teams/")
READ_SECONDS = 30.0
"""How long a reader waits for a response: on a busy machine a page takes seconds."""
TRY_SECONDS = 10.0
"""How long a writer or a client that connects waits before it tries again."""
SILENT_SECONDS = 40.0
"""After so long without a heartbeat a client connects again."""
STUCK = 600.0
"""Seconds after which what was acknowledged counts as lost."""


class Received(BaseHTTPRequestHandler):
    """Accepts every message of a webhook, and notes its job."""

    jobs: list[str] = []

    def do_POST(self) -> None:
        """Note the message."""
        message = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        self.jobs.append(message["data"]["id"])
        self.send_response(204)
        self.end_headers()

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


class Writes:
    """When writes of one kind were acknowledged, and of which rows."""

    def __init__(self) -> None:
        self.rows: list[Any] = []
        self.at: list[float] = [time.monotonic()]
        self.errors: list[str] = []

    def acknowledged(self, row: Any) -> None:
        """Note a row of which the site said that it has it."""
        self.rows.append(row)
        self.at.append(time.monotonic())

    def longest_pause(self) -> float:
        """Return the longest time between two acknowledgements, in seconds."""
        return max(after - before for before, after in zip(self.at, [*self.at[1:], time.monotonic()], strict=True))


class Load:
    """All who use the site."""

    def __init__(self, site: str, address: str) -> None:
        self.site = site
        self.over = threading.Event()
        self.answered, self.longest_read = 0, 0.0
        self.failures: list[dict[str, Any]] = []
        self.posted, self.submitted, self.published = Writes(), Writes(), Writes()
        ThreadingHTTPServer.daemon_threads = True
        self._server = ThreadingHTTPServer((address, 0), Received)
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        made = services.create_key(name="load", created_by="load", scopes=["read", "jobs"], now=timezone.now())
        self._key, self._token = made.row, made.token
        url = f"http://{address}:{self._server.server_port}/"
        services.create_webhook(api_key=made.row, url=url, topics=["prediction_job.finished"], now=timezone.now())

    async def read(self) -> None:
        """Send one request after the other."""
        while not self.over.is_set():
            # A connection that failed is not used again, as in a browser.
            async with httpx.AsyncClient(base_url=f"http://{self.site}", timeout=READ_SECONDS, trust_env=False) as link:
                with contextlib.suppress(ConnectionError):
                    while not self.over.is_set():
                        await self._get(link, random.choice(PATHS))
                        await asyncio.sleep(0.1)

    async def _get(self, link: httpx.AsyncClient, path: str) -> None:
        began = time.monotonic()
        while True:
            try:
                answer = await link.get(path)
                found = "" if answer.status_code == 200 else f"{answer.status_code}: {answer.text[:200]}"
            except httpx.ConnectError as error:
                # Nothing was sent: the address of the site is on its way to another node.
                if time.monotonic() - began < READ_SECONDS:
                    await asyncio.sleep(0.2)
                    continue
                found = repr(error)
            except httpx.HTTPError as error:
                found = repr(error)
            break
        self.longest_read = max(self.longest_read, time.monotonic() - began)
        if not found:
            self.answered += 1
            return
        self.failures.append({"path": path, "began": began, "seconds": time.monotonic() - began, "what": found})
        raise ConnectionError(found)

    async def post(self) -> None:
        """Queue jobs over HTTP, each with the same idempotency key until it is acknowledged."""
        headers = {"Authorization": f"Bearer {self._token}"}
        body = {"kind": "season_simulation", "competition": "nowhere"}
        while not self.over.is_set():
            key = {"Idempotency-Key": uuid.uuid4().hex}
            while not self.over.is_set():
                try:
                    async with httpx.AsyncClient(timeout=TRY_SECONDS, trust_env=False) as link:
                        address = f"http://{self.site}/api/v1/prediction-jobs/"
                        answer = await link.post(address, json=body, headers=headers | key)
                    if answer.status_code == 202:
                        self.posted.acknowledged(answer.json()["id"])
                        break
                    self.posted.errors.append(f"{answer.status_code}: {answer.text[:200]}")
                except httpx.HTTPError as error:
                    self.posted.errors.append(repr(error))
                await asyncio.sleep(0.5)
            await asyncio.sleep(1)

    def submit(self) -> None:
        """Queue jobs of half a second by the service."""

        def submit(number: int) -> str:
            parameters = {"n": number}
            made = services.submit_job(api_key=self._key, kind="half_second", parameters=parameters, now=timezone.now())
            return str(made.job.uuid)

        self._write(self.submitted, submit, pause=0.7)

    def publish(self) -> None:
        """Publish events."""

        @transaction.atomic
        def publish(number: int) -> str:
            key = uuid.uuid4().hex
            events.publish(topic=Topic.MATCH_CHANGED, key=key, now=timezone.now(), payload={"n": number})
            return key

        self._write(self.published, publish, pause=0.2)

    def _write(self, writes: Writes, write: Callable[[int], str], *, pause: float) -> None:
        number = 0
        while not self.over.wait(pause):
            number += 1
            try:
                writes.acknowledged(write(number))
            except (DatabaseError, InterfaceError) as error:
                writes.errors.append(str(error).strip())
                connection.close()
        connection.close()

    async def websocket(self, _: int, after: int) -> AsyncIterator[int]:
        """Yield the numbers of the events after a number."""
        address = f"ws://{self.site}/ws/v1/events/?after={after}"
        try:
            async with connect(address, compression=None, max_queue=None, open_timeout=TRY_SECONDS) as link:
                while True:
                    message = str(await asyncio.wait_for(link.recv(), SILENT_SECONDS))
                    if message.startswith(EVENT):
                        yield int(message[len(EVENT) :].split(",", 1)[0])
        except (InvalidHandshake, TimeoutError) as error:
            raise ConnectionResetError from error

    async def stream(self, _: int, after: int) -> AsyncIterator[int]:
        """Yield the same from a stream of Server-Sent Events."""
        address = f"http://{self.site}/api/v1/events/stream/?after={after}"
        times = httpx.Timeout(TRY_SECONDS, read=SILENT_SECONDS)
        number = after
        try:
            async with (
                httpx.AsyncClient(timeout=times, trust_env=False) as link,
                link.stream("GET", address) as answer,
            ):
                async for line in answer.aiter_lines():
                    if line.startswith("id: "):
                        number = int(line[4:])
                    elif line.startswith(f"data: {EVENT}"):
                        yield number
        except httpx.HTTPError as error:
            raise ConnectionResetError from error

    def works(self) -> bool:
        """Whether readers and writers have had a success, every client an event, and a message came."""
        return bool(
            self.answered
            and all(writes.rows for writes in (self.posted, self.submitted, self.published))
            and all(client.numbers for client in self.clients)
            and Received.jobs
        )

    async def run(self) -> dict[str, Any]:
        """Use the site until SIGTERM; return what was found."""
        begin = await asked(newest_number)
        self.clients = [Client(self.websocket if n % 2 else self.stream, [0], begin) for n in range(CLIENTS)]
        following = [asyncio.create_task(client.run()) for client in self.clients]
        asking = [asyncio.create_task(self.read()) for _ in range(READERS)] + [asyncio.create_task(self.post())]
        writing = [threading.Thread(target=work, daemon=True) for work in (self.submit, self.publish)]
        for thread in writing:
            thread.start()
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, self.over.set)
        end = time.monotonic() + STUCK
        while not self.works():
            if time.monotonic() > end:
                raise SystemExit(f"not everything works: {self.failures[-3:]} {self.posted.errors[-3:]}")
            await asyncio.sleep(0.1)
        sys.stdout.write("working\n")
        sys.stdout.flush()
        while not self.over.is_set():
            await asyncio.sleep(0.1)
        for thread in writing:
            await asyncio.to_thread(thread.join)
        await asyncio.gather(*asking)
        pauses = {name: getattr(self, name).longest_pause() for name in ("posted", "submitted", "published")}
        end = time.monotonic() + STUCK
        while not await asked(self.is_settled) and time.monotonic() < end:
            await asyncio.sleep(0.5)
        for task in following:
            task.cancel()
        await asyncio.gather(*following, return_exceptions=True)
        return await asked(lambda: self.found(begin)) | {"pauses": pauses}

    def is_settled(self) -> bool:
        """Whether everything that was written has had its effects."""
        jobs = PredictionJob.objects.filter(api_key=self._key)
        is_open = (
            jobs.filter(state__in=("queued", "running")).exists()
            or Event.objects.filter(number__isnull=True).exists()
            or WebhookDelivery.objects.filter(webhook__api_key=self._key, state="pending").exists()
        )
        return not is_open and all(client.latest == newest_number() for client in self.clients)

    def found(self, begin: int) -> dict[str, Any]:
        """Return what readers, writers and clients had, and what is in the database."""
        jobs = PredictionJob.objects.filter(api_key=self._key)
        numbers = list(Event.objects.filter(number__gt=begin).order_by("number").values_list("number", flat=True))
        deliveries = WebhookDelivery.objects.filter(webhook__api_key=self._key)
        announced = list(deliveries.values_list("message__data__id", flat=True))
        # For people who look for the cause.
        columns = ("message__data__id", "state", "attempts", "latest_status", "latest_error")
        undelivered = list(deliveries.exclude(state="delivered").values(*columns))
        return {
            "answered": self.answered,
            "longest_read": self.longest_read,
            "failures": self.failures,
            "errors": {name: getattr(self, name).errors for name in ("posted", "submitted", "published")},
            "acknowledged": {name: getattr(self, name).rows for name in ("posted", "submitted", "published")},
            "jobs": {str(name): state for name, state in jobs.values_list("uuid", "state")},
            "results": PredictionJobResult.objects.filter(job__api_key=self._key).count(),
            "begun_again": jobs.filter(attempts__gt=1).count(),
            "announced": announced,
            "received": Received.jobs,
            "undelivered": undelivered,
            "events": list(Event.objects.filter(number__gt=begin).values_list("key", flat=True)),
            "begin": begin,
            "numbers": numbers,
            "clients": [client.numbers for client in self.clients],
            "connections": sum(client.connections for client in self.clients),
        }


async def asked(question: Callable[[], Result]) -> Result:
    """Return what the database answers to a question, which is repeated when the connection was lost."""

    def ask() -> Result:
        try:
            return repeat_when_lost(question, report=lambda _: None, timeout=STUCK)
        finally:
            connection.close()

    return await asyncio.to_thread(ask)


def newest_number() -> int:
    """Return the number of the newest event."""
    return Event.objects.filter(number__isnull=False).order_by("-number").values_list("number", flat=True).first() or 0


def main() -> None:
    """Use the site and write what was found."""
    site, address, file = sys.argv[1:]
    with contextlib.suppress(ConnectionClosed):
        Path(file).write_text(json.dumps(asyncio.run(Load(site, address).run())))


if __name__ == "__main__":
    main()
