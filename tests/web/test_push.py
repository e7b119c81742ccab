"""Push over two processes: this one writes, a server process numbers, sends and replays."""

from __future__ import annotations

import asyncio
import json
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import wraps

import httpx
import pytest
import websockets
from asgiref.sync import sync_to_async
from django.db import connection

from apps.api.pages.reference import push_document
from apps.api.push import consumers
from apps.matches import events
from apps.matches.locks import LONGEST_PAUSE, Lock
from apps.matches.models import Event
from spai.stack.ports import free_port
from tests.web.conftest import Builder
from tests.web.processes import start_push, stop
from tests.web.test_events_api import validator_of

pytestmark = pytest.mark.django_db(transaction=True)

ORIGIN = "http://127.0.0.1:8000"
SHARE = 20
"""Connections that the push process of these tests serves to one address."""
TIMEOUT = 300.0
"""Seconds after which a message that must come counts as lost."""


@pytest.fixture(scope="module")
def push_log(tmp_path_factory):
    """The file that the push process writes to."""
    return tmp_path_factory.mktemp("push") / "log"


@pytest.fixture(scope="module")
def push(django_db_setup, push_log):
    """A push process on the test database; its address."""
    port = free_port()
    process = start_push(port, push_log, origin=ORIGIN, SPAI_PUSH_CONNECTIONS_OF_ADDRESS=str(SHARE))
    yield f"ws://127.0.0.1:{port}/ws/v1/"
    stop(process)


@asynccontextmanager
async def connected(address: str, origin: str | None = ORIGIN):
    """A client that has been greeted; its socket and the greeting."""
    async with websockets.connect(address, origin=origin) as socket:
        yield socket, await heard(socket)


async def heard(socket) -> dict:
    """Return the next message, which is as the document describes it; payloads of events are made up here."""
    message = json.loads(await asyncio.wait_for(socket.recv(), TIMEOUT))
    if message["type"] != "event":
        validator_of(push_document(), message["type"].capitalize()).validate(message)
    return message


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
def end_session_of_relay() -> None:
    """End the database session that numbers the events, as the death of its process does."""
    with connection.cursor() as cursor:
        cursor.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_locks WHERE locktype = 'advisory' AND granted AND objid = %s"
            " AND database = (SELECT oid FROM pg_database WHERE datname = current_database())",
            [Lock.RELAY & 0xFFFF_FFFF],
        )


@elsewhere
def made() -> tuple[int, str, str]:
    """Make a match; return its id, the slug of a team and that of the competition."""
    match = Builder(datetime.now(UTC)).match("Northgate", "Old Mill")
    return match.pk, match.home_team.slug, match.season.competition.slug


@elsewhere
def in_play() -> int:
    """Make a match in play of which Northgate were favourites with 50%; return its id."""
    build = Builder(datetime.now(UTC))
    match = build.match("Northgate", "Old Mill", kickoff_at=build.now - timedelta(minutes=80), status="live")
    version = build.version()
    build.promote(version)
    build.prediction(match, version, (0.5, 0.3, 0.2))
    return match.pk


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


async def test_the_score_of_a_match_in_play_comes_with_its_chances_by_websocket_and_stream(push):
    match_id = await in_play()
    score = {"minute": 67, "home_goals": 0, "away_goals": 1}
    facts = {"status": "live", "kickoff_at": "2026-11-23T12:00:00Z", "home_goals": None, "away_goals": None}
    async with connected(f"{push}matches/{match_id}/") as (socket, _), streamed(push, "?after=0") as (_, messages):
        await anext(messages)
        await write("match.changed", str(match_id), **facts, live=score)
        event = await heard(socket)
        streamed_event = json.loads((await anext(messages))["data"])
    validator_of(push_document(), "Event").validate(event)
    assert streamed_event == event
    probabilities = event["payload"]["live"].pop("probabilities")
    assert event["payload"] == {**facts, "live": score}
    assert sum(probabilities.values()) == pytest.approx(1.0)
    assert probabilities["away"] > 0.5
    # From memory above, from the database here.
    async with connected(f"{push}events/?after=0&match={match_id}") as (socket, _):
        assert (await heard(socket))["payload"]["live"]["probabilities"] == probabilities


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


async def test_everything_that_is_kept_is_replayed_in_order_and_once_however_much_it_is(push):
    await numbered(*((number, "match.changed", "1") for number in range(1, 1201)))
    async with connected(f"{push}events/?after=0") as (socket, hello):
        assert hello == {"type": "hello", "number": 1200}
        for number in range(1, 1201):
            assert (await heard(socket))["number"] == number
        await write("match.changed", "9")
        assert (await heard(socket))["number"] == 1201


async def test_a_number_from_before_what_is_kept_gets_a_reset_and_then_all_that_is_kept(push):
    await numbered((6, "match.changed", "1"), (7, "match.changed", "1"))
    async with connected(f"{push}events/?after=3") as (socket, _):
        assert await heard(socket) == {"type": "reset", "number": 5, "oldest": 6}
        assert [(await heard(socket))["number"] for _ in range(2)] == [6, 7]
        await socket.send('{"after": 1}')
        assert await heard(socket) == {"type": "reset", "number": 5, "oldest": 6}
        assert [(await heard(socket))["number"] for _ in range(2)] == [6, 7]
    async with connected(f"{push}events/?after=5") as (socket, _):
        assert (await heard(socket))["number"] == 6


@pytest.mark.parametrize("way", ["address", "message"])
async def test_a_number_from_the_future_is_refused_with_a_code(push, way):
    await numbered((1, "match.changed", "1"))
    async with websockets.connect(f"{push}events/{'?after=2' if way == 'address' else ''}", origin=ORIGIN) as socket:
        if way == "message":
            await heard(socket)
            await socket.send('{"after": 2}')
        answer = await heard(socket)
        assert answer["type"] == "error"
        assert "the newest is 1" in answer["detail"]
        with pytest.raises(websockets.ConnectionClosed):
            await heard(socket)
        assert socket.close_code == consumers.CLOSE_FUTURE_NUMBER


@pytest.mark.parametrize(
    "query", ["topic=match.won", "nothing=1", "after=-1", "after=1e3", "match=%00", "team=%ff", "world="]
)
async def test_an_address_that_asks_for_what_there_is_not_is_refused_with_what_there_is(push, query):
    async with websockets.connect(f"{push}events/?{query}", origin=ORIGIN) as socket:
        answer = await heard(socket)
        assert answer["type"] == "error"
        assert answer["detail"].startswith(query.split("=")[0])
        with pytest.raises(websockets.ConnectionClosed):
            await heard(socket)
        assert socket.close_code == consumers.CLOSE_BAD_REQUEST


async def test_a_client_hears_of_what_it_subscribed_to_and_of_nothing_after_it_unsubscribed(push):
    async with connected(f"{push}events/?match=7") as (socket, _):
        await socket.send('{"subscribe": {"topic": "run.changed"}}')
        assert (await heard(socket))["subscriptions"] == [{"match": ["7"]}, {"topic": ["run.changed"]}]
        for topic, key in [("match.changed", "8"), ("match.changed", "7"), ("run.changed", "1")]:
            await write(topic, key)
        assert [(await heard(socket))["number"] for _ in range(2)] == [2, 3]
        await socket.send('{"unsubscribe": {"match": [7]}}')
        assert (await heard(socket))["subscriptions"] == [{"topic": ["run.changed"]}]
        await write("match.changed", "7")
        await write("run.changed", "2")
        assert (await heard(socket))["number"] == 5
        await socket.send('{"unsubscribe": {"match": [7]}}')
        assert "no such subscription" in (await heard(socket))["detail"]
        await socket.send('{"subscribe": {"topic": "match.won"}}')
        assert "must be one of" in (await heard(socket))["detail"]
        await socket.send(json.dumps({"subscribe": {"match": list(range(1, 101))}}))
        assert "together" in (await heard(socket))["detail"]


async def test_events_of_a_team_a_competition_and_a_world_are_found_when_they_are_replayed(push):
    match_id, team, competition = await made()
    await write("match.changed", str(match_id))
    await write("promotion.made", "real")
    for query in (f"team={team}", f"competition={competition}", "world=sandbox", f"match={match_id}"):
        async with connected(f"{push}events/?after=0&{query}") as (socket, _):
            event = await heard(socket)
            assert (event["match"], event["competition"], event["world"]) == (match_id, competition, "sandbox")
            assert team in event["teams"]
            assert await silent(socket, 0.1)


@asynccontextmanager
async def streamed(push: str, query: str = "", **headers: str):
    """A stream of Server-Sent Events; the answer, and its messages, each a mapping of its fields."""
    address = f"{push.replace('ws', 'http', 1).removesuffix('ws/v1/')}api/v1/events/stream/{query}"
    async with httpx.AsyncClient(timeout=TIMEOUT) as client, client.stream("GET", address, headers=headers) as answer:
        yield answer, messages_of(answer)


async def messages_of(answer):
    fields: dict[str, str] = {}
    async for line in answer.aiter_lines():
        if line:
            name, _, value = line.partition(": ")
            fields[name] = value
        elif fields:
            yield fields
            fields = {}


async def test_a_stream_has_the_events_that_a_websocket_gets_under_their_numbers(push):
    await numbered((1, "match.changed", "1"), (2, "score.settled", "2"))
    async with streamed(push, "?after=0") as (answer, messages):
        assert answer.headers["content-type"] == "text/event-stream; charset=utf-8"
        hello = await anext(messages)
        assert (hello["event"], hello["id"]) == ("hello", "0")
        assert 1000 <= int(hello["retry"]) <= 4000
        assert [(await anext(messages))["id"] for _ in range(2)] == ["1", "2"]
        await write("run.changed", "1")
        event = await anext(messages)
    assert event["id"] == "3"
    async with connected(f"{push}events/?after=2") as (socket, _):
        assert json.loads(event["data"]) == await heard(socket)


async def test_a_stream_goes_on_after_the_number_that_a_browser_names(push):
    await numbered((1, "match.changed", "1"), (2, "match.changed", "2"), (3, "match.changed", "1"))
    async with streamed(push, "?after=0&match=1", **{"Last-Event-ID": "1"}) as (_, messages):
        await anext(messages)
        assert (await anext(messages))["id"] == "3"


async def test_a_stream_says_when_what_came_before_is_not_kept(push):
    await numbered((6, "match.changed", "1"))
    async with streamed(push, "?after=1") as (_, messages):
        await anext(messages)
        assert json.loads((await anext(messages))["data"]) == {"type": "reset", "number": 5, "oldest": 6}
        assert (await anext(messages))["id"] == "6"


@pytest.mark.parametrize(
    ("query", "status", "says"),
    [("?after=5", 409, "the newest is 0"), ("?after=x", 400, "after: It must be"), ("?topic=x", 400, "must be one of")],
)
async def test_a_stream_that_cannot_be_is_refused_as_a_problem(push, query, status, says):
    async with streamed(push, query) as (answer, _):
        body = json.loads(await answer.aread())
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/problem+json")
    assert says in body["detail"]


async def test_pages_of_this_site_alone_may_read_a_stream_from_another_origin(push):
    for origin, allowed in ((ORIGIN, ORIGIN), ("https://evil.example", None)):
        async with streamed(push, Origin=origin) as (answer, _):
            assert answer.headers.get("access-control-allow-origin") == allowed
            assert "origin" in answer.headers["vary"].lower()


async def test_an_address_has_no_more_connections_than_its_share(push):
    async with AsyncExitStack() as stack:
        for _ in range(SHARE):
            await stack.enter_async_context(connected(f"{push}events/"))
        with pytest.raises(websockets.InvalidStatus) as refused:
            await stack.enter_async_context(connected(f"{push}events/"))
        assert refused.value.response.status_code == 429
        async with streamed(push) as (answer, _):
            assert answer.status_code == 429
    async with connected(f"{push}events/") as (_, hello):
        assert hello["type"] == "hello"


async def test_two_push_processes_send_the_same_and_the_death_of_the_relay_loses_nothing(push, tmp_path):
    port = free_port()
    other = await asyncio.to_thread(start_push, port, tmp_path / "log", origin=ORIGIN)
    try:
        there = f"ws://127.0.0.1:{port}/ws/v1/events/"
        async with connected(f"{push}events/") as (one, _), connected(there) as (two, _):
            await write("run.changed", "1")
            assert await heard(one) == await heard(two)
            await end_session_of_relay()
            for key in "23":
                await write("run.changed", key)
            for socket in (one, two):
                assert [(await heard(socket))["key"] for _ in range(2)] == ["2", "3"]
    finally:
        await asyncio.to_thread(stop, other)


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
        await socket.send("[" * consumers.MESSAGE_BYTES)
        assert (await heard(socket))["type"] == "error"
        await socket.send(json.dumps({"after": 10**30}))
        assert (await heard(socket))["type"] == "error"


async def test_a_message_that_is_too_big_closes_the_connection(push):
    async with connected(f"{push}events/") as (socket, _):
        await socket.send(" " * (consumers.MESSAGE_BYTES + 1))
        assert (await heard(socket))["type"] == "error"
        with pytest.raises(websockets.ConnectionClosed):
            await heard(socket)
        assert socket.close_code == consumers.CLOSE_TOO_BIG


async def test_too_many_messages_close_the_connection(push):
    async with connected(f"{push}events/") as (socket, _):
        for _ in range(consumers.MESSAGES_PER_WINDOW + 1):
            await socket.send('{"after": 0}')
        assert (await heard(socket))["type"] == "error"
        with pytest.raises(websockets.ConnectionClosed):
            await heard(socket)
        assert socket.close_code == consumers.CLOSE_TOO_MANY


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

    await consumers.not_found({"type": "websocket", "path": "/nothing", "headers": []}, receive, send)
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
    await asyncio.wait_for(again.wait(), TIMEOUT)
    relay.cancel()
    with pytest.raises(asyncio.CancelledError):
        await relay


def test_the_relay_makes_a_query_more_often_than_its_lock_needs():
    from spai import asgi

    assert asgi.POLL_SECONDS + 2 * asgi.RETRY_SECONDS < LONGEST_PAUSE
