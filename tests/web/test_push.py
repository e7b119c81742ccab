"""Push over two processes: this one writes, a server process numbers, sends and replays."""

from __future__ import annotations

import asyncio
import json
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from functools import wraps

import pytest
import websockets
from asgiref.sync import sync_to_async
from django.db import connection

from apps.api.push import websockets as push_sockets
from apps.matches import events
from apps.matches.models import Event
from spai.stack.ports import free_port
from tests.web.processes import start_push, stop

pytestmark = pytest.mark.django_db(transaction=True)

ORIGIN = "http://127.0.0.1:8000"
PATIENCE = 300.0
"""Seconds after which a message that must come counts as lost."""


@pytest.fixture(scope="module")
def push_log(tmp_path_factory):
    """The file that the push process writes to."""
    return tmp_path_factory.mktemp("push") / "log"


@pytest.fixture(scope="module")
def push(django_db_setup, push_log):
    """A push process on the test database; its address."""
    port = free_port()
    process = start_push(port, push_log, origin=ORIGIN)
    yield f"ws://127.0.0.1:{port}/ws/v1/"
    stop(process)


@asynccontextmanager
async def connected(address: str, origin: str | None = ORIGIN):
    """A client that has been greeted; its socket and the greeting."""
    async with websockets.connect(address, origin=origin) as socket:
        yield socket, await heard(socket)


async def heard(socket) -> dict:
    return json.loads(await asyncio.wait_for(socket.recv(), PATIENCE))


async def silent(socket, seconds: float = 0.5) -> bool:
    try:
        await asyncio.wait_for(socket.recv(), seconds)
    except TimeoutError:
        return True
    return False


def elsewhere(function):
    """Make a function of the database awaitable; its thread outlives the test, its session must not."""

    @sync_to_async
    @wraps(function)
    def run(*args, **kwargs):
        try:
            return function(*args, **kwargs)
        finally:
            connection.close()

    return run


@elsewhere
def write(topic: str, key: str, **payload) -> None:
    if topic.split(".")[0] in ("match", "prediction", "score"):
        events.publish_of_matches(topic=topic, events=[(int(key), payload)], now=datetime.now(UTC))
    else:
        events.publish(topic=topic, key=key, now=datetime.now(UTC), payload=payload)


@elsewhere
def numbered(*rows: tuple[int, str, str]) -> None:
    """Events that the relay numbered before anybody listened."""
    Event.objects.bulk_create(
        Event(number=number, topic=topic, key=key, match_id=key, created_at=datetime.now(UTC))
        for number, topic, key in rows
    )


async def test_a_committed_event_reaches_a_client_of_another_process(push):
    async with connected(f"{push}events/") as (socket, hello):
        assert hello == {"type": "hello", "number": 0}
        await write("prediction.published", "7", version=3)
        event = await heard(socket)
    assert (event["type"], event["number"]) == ("event", 1)
    assert (event["topic"], event["key"], event["payload"]) == ("prediction.published", "7", {"version": 3})


async def test_events_come_in_the_order_of_their_numbers_without_gaps(push):
    async with connected(f"{push}events/") as (socket, _):
        for n in range(40):
            await write("match.changed", str(n))
        numbers = [(await heard(socket))["number"] for _ in range(40)]
    assert numbers == list(range(1, 41))


async def test_a_client_of_one_match_hears_of_that_match_alone(push):
    async with connected(f"{push}matches/7/") as (socket, _):
        for topic, key in [
            ("match.changed", "8"),
            ("run.changed", "7"),
            ("match.changed", "7"),
            ("score.settled", "7"),
        ]:
            await write(topic, key)
        assert [(await heard(socket))["topic"] for _ in range(2)] == ["match.changed", "score.settled"]
        assert await silent(socket)


async def test_what_was_missed_is_replayed_by_number(push):
    await numbered((1, "match.changed", "1"), (2, "score.settled", "2"), (3, "match.changed", "1"))
    async with connected(f"{push}events/") as (socket, hello):
        assert hello["number"] == 3
        await socket.send('{"after": 1}')
        assert [(await heard(socket))["number"] for _ in range(2)] == [2, 3]
        await write("match.changed", "9")
        assert (await heard(socket))["number"] == 4
    async with connected(f"{push}matches/1/") as (socket, _):
        await socket.send('{"after": 0}')
        assert [(await heard(socket))["number"] for _ in range(2)] == [1, 3]
        assert await silent(socket)


@pytest.mark.parametrize(
    "message",
    ["nonsense", "[]", "{}", '{"after": -1}', '{"after": "1"}', '{"after": true}', '{"after": 1.5}', '{"after": null}',
     '{"after": 1, "topic": "x"}', '{"before": 1}', "null", "NaN"],
)  # fmt: skip
async def test_a_message_that_means_nothing_is_answered_with_what_does(push, message):
    async with connected(f"{push}events/") as (socket, _):
        await socket.send(message)
        answer = await heard(socket)
        assert answer["type"] == "error"
        assert "JSON" in answer["detail"] or "after" in answer["detail"]
        await write("match.changed", "1")
        assert (await heard(socket))["type"] == "event"


async def test_bytes_are_refused_and_the_connection_stays(push):
    async with connected(f"{push}events/") as (socket, _):
        await socket.send(b'{"after": 0}')
        assert (await heard(socket))["type"] == "error"
        await socket.send('{"after": 0}')
        assert await silent(socket)


async def test_brackets_without_end_are_refused_and_the_connection_stays(push):
    async with connected(f"{push}events/") as (socket, _):
        await socket.send("[" * push_sockets.MESSAGE_BYTES)
        assert (await heard(socket))["type"] == "error"
        await socket.send(json.dumps({"after": 10**30}))
        assert (await heard(socket))["type"] == "error"


async def test_a_message_that_is_too_big_closes_the_connection(push):
    async with connected(f"{push}events/") as (socket, _):
        await socket.send(" " * (push_sockets.MESSAGE_BYTES + 1))
        assert (await heard(socket))["type"] == "error"
        with pytest.raises(websockets.ConnectionClosed):
            await heard(socket)
        assert socket.close_code == push_sockets.CLOSE_TOO_BIG


async def test_too_many_messages_close_the_connection(push):
    async with connected(f"{push}events/") as (socket, _):
        for _ in range(push_sockets.MESSAGES_PER_WINDOW + 1):
            await socket.send('{"after": 0}')
        assert (await heard(socket))["type"] == "error"
        with pytest.raises(websockets.ConnectionClosed):
            await heard(socket)
        assert socket.close_code == push_sockets.CLOSE_TOO_MANY


UNKNOWN = ["matches/abc/", "nothing/", "matches/1/2/", "events/%0a", "events/%00", "%ff%fe/", f"matches/{'9' * 5000}/"]


@pytest.mark.parametrize("path", UNKNOWN, ids=range(len(UNKNOWN)))
async def test_an_address_that_there_is_not_is_a_404(push, path):
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connected(push + path):
            pass
    assert refused.value.response.status_code == 404
    assert b"address does not exist" in refused.value.response.body


@pytest.mark.parametrize(
    "origin", ["https://evil.example", "null", "http://[", "http://127.0.0.1:port", "http://a:99999"]
)
async def test_pages_of_other_sites_may_not_listen(push, origin):
    with pytest.raises(websockets.InvalidStatus) as refused:
        async with connected(f"{push}events/", origin=origin):
            pass
    assert refused.value.response.status_code == 403


async def test_what_strangers_send_leaves_no_traceback_in_the_log(push, push_log):
    for path, origin in (("nothing/", ORIGIN), ("events/", "http://["), (UNKNOWN[-1], ORIGIN)):
        with pytest.raises(websockets.InvalidStatus):
            async with connected(push + path, origin=origin):
                pass
    async with connected(f"{push}events/") as (socket, _):
        await socket.send(b"\xff\xfe", text=True)
        with pytest.raises(websockets.ConnectionClosed):
            await heard(socket)
        assert socket.close_code == 1007
    assert "Invalid UTF-8" in push_log.read_text()
    assert "Traceback" not in push_log.read_text()


async def test_a_server_that_cannot_answer_a_handshake_closes_it():
    sent = []

    async def receive():
        return {"type": "websocket.connect"}

    async def send(message):
        sent.append(message)

    await push_sockets.not_found({"type": "websocket", "path": "/nothing", "headers": []}, receive, send)
    assert sent == [{"type": "websocket.close"}]


async def test_the_relay_goes_on_after_a_fault_that_nobody_foresaw(monkeypatch):
    from spai import asgi

    logged: list[str] = []
    again = asyncio.Event()

    def tell(text):
        logged.append(text)
        if len(logged) > 1:
            again.set()

    def fail(loop, ending):
        raise RuntimeError("nobody foresaw this")

    monkeypatch.setattr(asgi, "RETRY_SECONDS", 0.05)
    monkeypatch.setattr(asgi, "_read_until_fault", fail)
    monkeypatch.setattr(asgi.logger, "exception", tell)
    relay = asyncio.create_task(asgi.read_events())
    await asyncio.wait_for(again.wait(), PATIENCE)
    relay.cancel()
    with pytest.raises(asyncio.CancelledError):
        await relay
