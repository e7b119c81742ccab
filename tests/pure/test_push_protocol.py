"""The deadlines that the process `push` sets: for the head of a request, and for reading what is sent."""

from __future__ import annotations

import asyncio
import socket

import pytest
import uvicorn

from spai import push_protocol
from spai.push_protocol import (
    CLOSE_SLOW,
    CLOSE_TOO_BIG,
    CLOSE_TOO_MANY,
    LARGEST_MESSAGE,
    MOST_FRAGMENTS,
    MOST_FRAMES,
    DeadlineProtocol,
    DeadlineWebSocket,
)


async def slow_application(scope, receive, send):
    if scope["path"] == "/slow":
        await asyncio.sleep(0.4)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"done"})


async def listening_for(application):
    """A server of uvicorn with our protocols, and its open connections."""
    config = uvicorn.Config(application, http=DeadlineProtocol, ws=DeadlineWebSocket, lifespan="off", log_config=None)
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    listening = await asyncio.get_running_loop().create_server(
        lambda: DeadlineProtocol(config=config, server_state=server.server_state, app_state={}), "127.0.0.1", 0
    )
    return listening, server.server_state.connections


@pytest.fixture
async def connection(monkeypatch):
    """A connection to a server that waits 0.1 s for a head."""
    monkeypatch.setattr(push_protocol, "HEAD_SECONDS", 0.1)
    listening, _ = await listening_for(slow_application)
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    yield reader, writer
    writer.close()
    listening.close()


@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: a", b"GET / HTTP/1.1\r\nHost: a\r\n\r\nGET"])
async def test_a_head_that_does_not_come_ends_the_connection(connection, sent):
    reader, writer = connection
    writer.write(sent)
    with pytest.raises((asyncio.IncompleteReadError, ConnectionResetError)):
        await reader.readexactly(10_000)


async def test_a_request_that_was_sent_before_the_last_was_answered_is_answered_however_long_it_takes(connection):
    reader, writer = connection
    writer.write(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" + b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
    assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")


WEBSOCKET = (
    b"GET / HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    b"Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n\r\n"
)
STREAM = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"


@pytest.fixture
async def unread(monkeypatch):
    """A function that asks a server which sends without an end and reads nothing.

    With it come an event that is set once the application knows that the client is gone, and the open connections.
    """
    monkeypatch.setattr(push_protocol, "UNREAD_SECONDS", 0.1)
    gone = asyncio.Event()

    async def application(scope, receive, send):
        async def endless():
            if scope["type"] == "websocket":
                await send({"type": "websocket.accept"})
            else:
                await send({"type": "http.response.start", "status": 200, "headers": []})
            while True:
                if scope["type"] == "websocket":
                    await send({"type": "websocket.send", "text": "x" * 10_000})
                else:
                    await send({"type": "http.response.body", "body": b"x" * 10_000, "more_body": True})
                await asyncio.sleep(0)

        sending = asyncio.create_task(endless())
        while not (await receive())["type"].endswith("disconnect"):
            pass
        sending.cancel()
        await asyncio.gather(sending, return_exceptions=True)
        gone.set()

    listening, connections = await listening_for(application)
    links = []

    async def ask(request):
        link = socket.socket()
        links.append(link)
        link.setblocking(False)
        loop = asyncio.get_running_loop()
        await loop.sock_connect(link, listening.sockets[0].getsockname())
        await loop.sock_sendall(link, request)
        return link

    yield ask, gone, connections
    for link in links:
        link.close()
    listening.close()


@pytest.mark.parametrize("request_", [WEBSOCKET, STREAM])
async def test_a_client_that_reads_nothing_is_given_up(unread, monkeypatch, request_):
    monkeypatch.setattr(push_protocol, "CLOSE_SECONDS", 0.1)
    ask, gone, connections = unread
    await ask(request_)
    async with asyncio.timeout(60):
        await gone.wait()
        while connections:
            await asyncio.sleep(0.01)


async def test_a_websocket_that_reads_too_late_finds_the_code_at_the_end(unread):
    ask, gone, _ = unread
    link = await ask(WEBSOCKET)
    await asyncio.wait_for(gone.wait(), 60)
    end = b""
    while part := await asyncio.get_running_loop().sock_recv(link, 1 << 20):
        end = (end + part)[-100:]
    assert end.endswith(CLOSE_SLOW.to_bytes(2, "big") + b"too slow")


@pytest.fixture
async def silent():
    """A websocket whose application sends nothing and reads all that comes, and what it has read."""
    read, gone = [], asyncio.Event()

    async def application(scope, receive, send):
        await receive()
        await send({"type": "websocket.accept"})
        while (message := await receive())["type"] != "websocket.disconnect":
            read.append(message["text"])
        gone.set()

    listening, _ = await listening_for(application)
    reader, writer = await asyncio.open_connection(*listening.sockets[0].getsockname())
    writer.write(WEBSOCKET)
    await reader.readuntil(b"\r\n\r\n")
    yield reader, writer, read
    writer.close()
    await asyncio.wait_for(gone.wait(), 60)
    listening.close()


def frame(first_byte: int, content: bytes = b"") -> bytes:
    """A masked frame of a client; `first_byte` has the flag of a last fragment and the kind."""
    size = len(content)
    length = bytes([128 | size]) if size < 126 else bytes([128 | 127]) + size.to_bytes(8, "big")
    return bytes([first_byte]) + length + bytes(4) + content


async def close_code(reader) -> int:
    """The code of the close with which a connection ends."""
    async with asyncio.timeout(60):
        received = await reader.read(-1)
    return int.from_bytes(received[received.rindex(0x88) + 2 :][:2], "big")


TEXT, CONTINUES, PING, PONG, LAST = 1, 0, 0x89, 0x8A, 0x80


@pytest.mark.parametrize("kind", [PING, PONG])
async def test_a_flood_of_frames_that_are_no_message_ends_the_connection(silent, kind):
    reader, writer, _ = silent
    writer.write(frame(kind) * (MOST_FRAMES + 1))
    assert await close_code(reader) == CLOSE_TOO_MANY


async def test_pings_within_the_limit_are_answered(silent):
    reader, writer, _ = silent
    writer.write(frame(PING) * MOST_FRAMES)
    async with asyncio.timeout(60):
        assert await reader.readexactly(2 * MOST_FRAMES) == bytes([PONG, 0]) * MOST_FRAMES


async def test_a_message_in_a_few_fragments_is_read(silent):
    reader, writer, read = silent
    writer.write(frame(TEXT, b"a") + frame(CONTINUES, b"b") + frame(CONTINUES | LAST, b"c") + frame(PING))
    async with asyncio.timeout(60):
        await reader.readexactly(2)
        while not read:
            await asyncio.sleep(0.01)
    assert read == ["abc"]


async def test_a_message_of_fragments_without_end_is_not_kept(silent):
    reader, writer, _ = silent
    writer.write(frame(TEXT) + frame(CONTINUES) * MOST_FRAGMENTS)
    assert await close_code(reader) == CLOSE_TOO_BIG


async def test_a_message_that_is_announced_as_too_large_is_not_waited_for(silent):
    reader, writer, _ = silent
    writer.write(frame(TEXT, b"a" * (LARGEST_MESSAGE + 1))[:100])
    assert await close_code(reader) == CLOSE_TOO_BIG
