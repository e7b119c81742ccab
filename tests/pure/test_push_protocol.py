"""The deadline that the process `push` sets for the head of each request."""

from __future__ import annotations

import asyncio

import pytest
import uvicorn

from spai import push_protocol
from spai.push_protocol import DeadlineProtocol


async def slow_application(scope, receive, send):
    if scope["path"] == "/slow":
        await asyncio.sleep(0.4)
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"done"})


@pytest.fixture
async def connection(monkeypatch):
    """A connection to a server that waits 0.1 s for a head."""
    monkeypatch.setattr(push_protocol, "HEAD_SECONDS", 0.1)
    config = uvicorn.Config(slow_application, http=DeadlineProtocol, lifespan="off", log_config=None, ws="none")
    server = uvicorn.Server(config)
    config.load()
    server.lifespan = config.lifespan_class(config)
    loop = asyncio.get_running_loop()
    listening = await loop.create_server(
        lambda: DeadlineProtocol(config=config, server_state=server.server_state, app_state={}), "127.0.0.1", 0
    )
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
