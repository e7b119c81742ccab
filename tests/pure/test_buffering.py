"""The application in front of the WSGI one: what reaches a thread, and what is refused before it."""

from __future__ import annotations

import asyncio
import io
import json
import sys
import threading

import pytest
from prometheus_client import REGISTRY

from spai.buffering import BODY_LIMIT, BufferedApplication, bodies, threads
from spai.buffering import application as buffering


class Application:
    """A WSGI application that notes what it was given and answers when it may."""

    def __init__(self) -> None:
        self.requests = []
        self.may_answer = threading.Event()
        self.may_answer.set()
        self.closed = 0

    def __call__(self, environ, start_response):
        self.requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"], environ["wsgi.input"].read()))
        self.environ = environ
        self.may_answer.wait(30)
        start_response("200 OK", [("Content-Type", "text/plain"), ("Set-Cookie", "a=1"), ("Set-Cookie", "b=2")])
        application = self

        class Body:
            def __iter__(self):
                return iter([b"an ", b"answer"])

            def close(self):
                application.closed += 1

        return Body()


class Client:
    """One request to an ASGI application, whose body comes as this client sends it."""

    def __init__(self, method="GET", path="/", headers=(), body=None):
        headers = [(name.lower().encode(), value.encode()) for name, value in headers]
        if body is not None:
            headers.append((b"content-length", str(len(body)).encode()))
        self.scope = {
            "type": "http",
            "http_version": "1.1",
            "method": method,
            "scheme": "http",
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"a=b",
            "headers": headers,
            "server": ("127.0.0.1", 8000),
            "client": ("127.0.0.1", 50000),
        }
        self.incoming = asyncio.Queue()
        self.sent = []
        if body is not None:
            self.send_piece(body, more=False)

    def send_piece(self, piece, *, more=True):
        self.incoming.put_nowait({"type": "http.request", "body": piece, "more_body": more})

    def leave(self):
        self.incoming.put_nowait({"type": "http.disconnect"})

    async def receive(self):
        return await self.incoming.get()

    async def send(self, message):
        self.sent.append(message)

    async def ask(self, application):
        await application(self.scope, self.receive, self.send)
        return self

    @property
    def status(self):
        return self.sent[0]["status"]

    @property
    def headers(self):
        return [(name.decode(), value.decode()) for name, value in self.sent[0]["headers"]]

    @property
    def body(self):
        return b"".join(message["body"] for message in self.sent[1:])


@pytest.fixture
def application():
    return Application()


def half_sent(length=1000, **fields):
    client = Client("POST", "/", [("Content-Length", str(length))], **fields)
    client.send_piece(b"a=")
    return client


def refusals(reason):
    return REGISTRY.get_sample_value("spai_requests_refused_total", {"reason": reason}) or 0


async def test_a_request_reaches_the_application_as_wsgi_describes_it(application):
    client = Client(
        "POST",
        "/caf%C3%A9%00/%ff",
        [("Host", "site"), ("Cookie", "a=1"), ("Cookie", "b=2"), ("X-A", "1"), ("X-A", "2"), ("X_Forwarded_For", "x")],
        body=b"whole",
    )
    await client.ask(BufferedApplication(application, threads=1))
    assert application.requests == [("POST", b"/caf\xc3\xa9\0/\xff".decode("latin-1"), b"whole")]
    environ = application.environ
    assert (environ["CONTENT_LENGTH"], environ["QUERY_STRING"], environ["REMOTE_ADDR"]) == ("5", "a=b", "127.0.0.1")
    assert (environ["HTTP_COOKIE"], environ["HTTP_X_A"], environ["HTTP_HOST"]) == ("a=1; b=2", "1,2", "site")
    # A proxy's own header must not be overruled by one that only looks like it.
    assert "HTTP_X_FORWARDED_FOR" not in environ
    assert client.status == 200
    assert client.body == b"an answer"
    assert [value for name, value in client.headers if name == "set-cookie"] == ["a=1", "b=2"]
    assert application.closed == 1


async def test_a_half_sent_body_takes_no_thread(application):
    site = BufferedApplication(application, threads=1)
    waiting = [asyncio.create_task(half_sent().ask(site)) for _ in range(200)]
    assert (await Client().ask(site)).status == 200
    assert [request[0] for request in application.requests] == ["GET"]
    for task in waiting:
        task.cancel()


async def test_a_body_that_does_not_arrive_in_time_is_refused(application, monkeypatch):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.05)
    before = refusals("slow body")
    client = await half_sent().ask(BufferedApplication(application, threads=1))
    assert (client.status, application.requests) == (408, [])
    assert ("connection", "close") in client.headers
    assert refusals("slow body") == before + 1


async def test_an_upload_that_keeps_its_rate_may_take_longer(application, monkeypatch):
    monkeypatch.setattr(bodies, "BODY_SECONDS", 0.2)
    monkeypatch.setattr(bodies, "BODY_RATE", 1000)
    client = Client("POST", "/", [("Content-Length", "4000")])
    asked = asyncio.create_task(client.ask(BufferedApplication(application, threads=1)))
    for number in range(4):
        client.send_piece(b"x" * 1000, more=number < 3)
        await asyncio.sleep(0.1)
    assert (await asked).status == 200
    assert application.requests[0][2] == b"x" * 4000


@pytest.mark.parametrize("is_announced", [True, False])
async def test_a_body_larger_than_the_limit_is_refused(application, is_announced):
    if is_announced:
        client = Client("POST", "/api/v1/x/", [("Content-Length", str(BODY_LIMIT + 1))])
    else:
        client = Client("POST", "/api/v1/x/", [("Transfer-Encoding", "chunked")])
    for _ in range(3):
        client.send_piece(b"x" * (BODY_LIMIT // 2))
    client.send_piece(b"", more=False)
    await client.ask(BufferedApplication(application, threads=1))
    assert (client.status, application.requests) == (413, [])
    problem = json.loads(client.body)
    assert (problem["status"], problem["instance"]) == (413, "/api/v1/x/")
    assert f"{BODY_LIMIT:,}" in problem["detail"]
    # What was sent is read, so that the client can read the refusal.
    assert client.incoming.empty()


async def test_the_application_says_which_requests_may_be_larger(application, monkeypatch):
    monkeypatch.setattr(bodies, "DISCARD_SECONDS", 0.05)
    asked = []

    def limit(environ):
        asked.append(environ["PATH_INFO"])
        return {"/large": 2 * BODY_LIMIT, "/by-headers": 0}[environ["PATH_INFO"]]

    site = BufferedApplication(application, threads=1, body_limit=limit)
    body = b"x" * (BODY_LIMIT + 1)
    await Client("POST", "/large", body=body).ask(site)
    assert application.requests[-1] == ("POST", "/large", body)
    # The application refuses it without the body, which is dropped: its sender reads the refusal after it has sent all.
    client = Client("POST", "/by-headers", body=body)
    await client.ask(site)
    assert application.requests[-1] == ("POST", "/by-headers", b"")
    assert client.incoming.empty()
    # Who asks first is refused at once, and is never reported to send the body.
    client = Client("POST", "/by-headers", [("Expect", "100-continue")], body=body)
    await client.ask(site)
    assert client.status == 200
    assert not client.incoming.empty()
    await Client("POST", "/small", body=b"small").ask(site)
    assert asked == ["/large", "/by-headers", "/by-headers"]


async def test_a_request_is_refused_when_it_cannot_be_found_out_how_large_it_may_be(application, monkeypatch):
    monkeypatch.setattr(buffering, "WAITING_SECONDS", 0.05)
    may_end = threading.Event()

    def limit(environ):
        may_end.wait(30)
        return BODY_LIMIT

    site = BufferedApplication(application, threads=1, body_limit=limit)
    clients = [Client("POST", "/", body=b"x" * (BODY_LIMIT + 1)) for _ in range(3)]
    await asyncio.gather(*[client.ask(site) for client in clients])
    may_end.set()
    assert [client.status for client in clients] == [503] * 3
    assert application.requests == []


async def test_all_bodies_together_have_a_limit(application, monkeypatch):
    monkeypatch.setattr(bodies, "MEMORY_LIMIT", 10)
    monkeypatch.setattr(bodies, "DISCARD_SECONDS", 0.05)
    site = BufferedApplication(application, threads=1)
    waiting = [asyncio.create_task(half_sent().ask(site)) for _ in range(4)]
    await asyncio.sleep(0.01)
    before = refusals("memory")
    refused = await Client("POST", "/", body=b"xyz").ask(site)
    assert refused.status == 503
    assert ("retry-after", "5") in refused.headers
    assert refusals("memory") == before + 1
    assert (await Client("POST", "/", body=b"xy").ask(site)).status == 200
    for task in waiting:
        task.cancel()
    await asyncio.gather(*waiting, return_exceptions=True)
    assert (await Client("POST", "/", body=b"x" * 10).ask(site)).status == 200


async def test_a_body_that_ends_early_takes_no_thread_and_is_refused(application):
    """The server reports a malformed piece in the same way, and its client still waits for an answer."""
    before = refusals("broken body")
    client = half_sent()
    client.leave()
    await client.ask(BufferedApplication(application, threads=1))
    assert (client.status, application.requests) == (400, [])
    assert ("connection", "close") in client.headers
    assert refusals("broken body") == before + 1


# ── Overload ─────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_more_than_may_wait_is_refused_and_reported_when_to_come_back(application, monkeypatch):
    monkeypatch.setattr(threads, "WAITING_LIMIT", 2)
    application.may_answer.clear()
    site = BufferedApplication(application, threads=1)
    first = asyncio.create_task(Client().ask(site))
    while not application.requests:
        await asyncio.sleep(0)
    others = [asyncio.create_task(Client().ask(site)) for _ in range(2)]
    await asyncio.sleep(0)
    before = refusals("overload")
    refused = await Client(path="/matches/1/").ask(site)
    assert refused.status == 503
    assert ("retry-after", "5") in refused.headers
    assert b"Try again" in refused.body
    assert refusals("overload") == before + 1
    application.may_answer.set()
    assert [client.status for client in await asyncio.gather(first, *others)] == [200] * 3


async def test_a_request_that_waited_too_long_is_refused_and_never_carried_out(application, monkeypatch):
    monkeypatch.setattr(threads, "WAITING_SECONDS", 0.05)
    application.may_answer.clear()
    site = BufferedApplication(application, threads=1)
    first = asyncio.create_task(Client(path="/first").ask(site))
    while not application.requests:
        await asyncio.sleep(0)
    second = await Client("POST", "/second", body=b"x").ask(site)
    assert second.status == 503
    application.may_answer.set()
    assert (await first).status == 200
    assert (await Client(path="/third").ask(site)).status == 200
    assert [path for _, path, _ in application.requests] == ["/first", "/third"]


async def test_requests_that_were_refused_take_no_place_of_those_that_wait(application, monkeypatch):
    monkeypatch.setattr(threads, "WAITING_SECONDS", 0.05)
    monkeypatch.setattr(threads, "WAITING_LIMIT", 2)
    application.may_answer.clear()
    site = BufferedApplication(application, threads=1)
    first = asyncio.create_task(Client(path="/first").ask(site))
    while not application.requests:
        await asyncio.sleep(0)
    await asyncio.gather(*[Client().ask(site) for _ in range(2)])
    monkeypatch.setattr(threads, "WAITING_SECONDS", 30)
    last = asyncio.create_task(Client(path="/last").ask(site))
    await asyncio.sleep(0.01)
    application.may_answer.set()
    assert (await last).status == 200
    await first


async def test_a_request_whose_client_left_while_it_waited_is_not_carried_out(application):
    application.may_answer.clear()
    site = BufferedApplication(application, threads=1)
    first = asyncio.create_task(Client(path="/first").ask(site))
    while not application.requests:
        await asyncio.sleep(0)
    gone = Client("POST", "/gone", body=b"x")
    waiting = asyncio.create_task(gone.ask(site))
    gone.leave()
    await waiting
    assert gone.sent == []
    application.may_answer.set()
    await first
    assert (await Client(path="/next").ask(site)).status == 200
    assert [path for _, path, _ in application.requests] == ["/first", "/next"]


async def test_liveness_and_reserved_paths_answer_while_every_thread_is_busy(application):
    application.may_answer.clear()

    def site_application(environ, start_response):
        if environ["PATH_INFO"] == "/readyz":
            start_response("200 OK", [])
            return [b"ready"]
        return application(environ, start_response)

    site = BufferedApplication(site_application, threads=1, reserved={("/readyz",): 1}, alive={"role": "web"})
    busy = [asyncio.create_task(Client().ask(site)) for _ in range(10)]
    alive = await Client(path="/livez").ask(site)
    assert (alive.status, json.loads(alive.body)) == (200, {"status": "alive", "role": "web"})
    assert (await Client(path="/readyz").ask(site)).body == b"ready"
    assert (await Client("POST", path="/livez", body=b"").ask(site)).status == 405
    assert (await Client("HEAD", path="/livez").ask(site)).body == b""
    application.may_answer.set()
    await asyncio.gather(*busy)


class Slices:
    """An application that makes the pieces of its answer when it is told to."""

    def __init__(self, *pieces):
        self.pieces = pieces
        self.may_go_on = threading.Semaphore(0)

    def __call__(self, environ, start_response):
        start_response("200 OK", [("Content-Type", "text/plain")])
        for piece in self.pieces:
            self.may_go_on.acquire(timeout=30)
            if isinstance(piece, BaseException):
                raise piece
            yield piece


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():
            await asyncio.sleep(0.01)


async def test_an_answer_of_unknown_length_is_sent_while_it_is_made():
    slices, client = Slices(b"", b"first", b"second"), Client()
    answering = asyncio.create_task(client.ask(BufferedApplication(slices, threads=1)))
    slices.may_go_on.release(2)
    await until(lambda: client.sent)
    assert client.body == b"first"
    slices.may_go_on.release()
    await answering
    assert [message["more_body"] for message in client.sent[1:]] == [True, True, False]
    assert client.body == b"firstsecond"


async def test_a_client_that_reads_slowly_holds_no_thread_while_its_answer_is_made():
    class SlowClient(Client):
        reads = asyncio.Event()

        async def send(self, message):
            await super().send(message)
            if message.get("body"):
                await self.reads.wait()

    slices = Slices(*[b"piece"] * 10)
    slices.may_go_on.release(10)
    site, slow = BufferedApplication(slices, threads=1), SlowClient()
    answering = asyncio.create_task(slow.ask(site))
    await until(lambda: slow.body)
    slices.may_go_on.release(10)
    assert (await Client().ask(site)).body == b"piece" * 10
    slow.reads.set()
    await answering
    assert slow.body == b"piece" * 10


@pytest.mark.parametrize("error", [ConnectionResetError("the source is gone"), SystemExit("enough")])
async def test_an_answer_of_unknown_length_that_breaks_off_has_no_end(error):
    slices, client = Slices(b"first", error), Client()
    slices.may_go_on.release(2)
    site = BufferedApplication(slices, threads=1)
    with pytest.raises((ConnectionResetError, RuntimeError), match=str(error)):
        await client.ask(site)
    assert client.body == b"first"
    assert client.sent[-1]["more_body"] is True
    slices.pieces = (b"whole",)
    slices.may_go_on.release()
    assert (await Client().ask(site)).body == b"whole"


# ── Faults ───────────────────────────────────────────────────────────────────────────────────────────────────────────
async def test_an_answer_that_breaks_off_is_not_sent_as_if_it_were_whole():
    def broken(environ, start_response):
        start_response("200 OK", [("Content-Length", "10")])
        yield b"first"
        raise ConnectionResetError("the source is gone")

    client = Client()
    with pytest.raises(ConnectionResetError):
        await client.ask(BufferedApplication(broken, threads=1))
    assert client.body == b"first"
    assert client.sent[-1]["more_body"] is True


@pytest.mark.parametrize("headers", [[], [("Content-Length", "11")]], ids=["unknown length", "known length"])
@pytest.mark.parametrize("error", [OSError("the connection is gone"), SystemExit("enough")])
async def test_an_answer_is_whole_although_closing_it_fails(headers, error, caplog):
    class Body(list):
        def close(self):
            raise error

    def application(environ, start_response):
        start_response("200 OK", headers)
        return Body([b"first", b"second"])

    async with asyncio.timeout(30):
        answer = await Client().ask(BufferedApplication(application, threads=1))
    assert (answer.status, answer.body, answer.sent[-1]["more_body"]) == (200, b"firstsecond", False)
    assert str(error) in caplog.text


async def test_an_application_that_fails_is_logged_and_leaves_its_thread_for_the_next_request(caplog):
    def failing(environ, start_response):
        if environ["PATH_INFO"] == "/fails":
            raise ValueError("a fault")
        if environ["PATH_INFO"] == "/api/exits":
            sys.exit("enough")
        start_response("204 No Content", [])
        return []

    site = BufferedApplication(failing, threads=1)
    failed = await Client(path="/fails").ask(site)
    assert (failed.status, b"failed to answer" in failed.body) == (500, True)
    assert "ValueError: a fault" in caplog.text
    exited = await Client(path="/api/exits").ask(site)
    assert (exited.status, json.loads(exited.body)["status"]) == (500, 500)
    assert "SystemExit" in caplog.text
    assert (await Client().ask(site)).status == 204


async def test_a_process_whose_threads_are_in_a_deadlock_ends_itself(application, monkeypatch):
    ended = asyncio.Event()
    monkeypatch.setattr(buffering, "STUCK_SECONDS", 0.1)
    monkeypatch.setattr(buffering.os, "kill", lambda pid, number: ended.set())
    monkeypatch.setattr(buffering.faulthandler, "dump_traceback", lambda: None)
    application.may_answer.clear()
    site = BufferedApplication(application, threads=1)
    lifespan = Client()
    lifespan.scope = {"type": "lifespan"}
    lifespan.incoming.put_nowait({"type": "lifespan.startup"})
    serving = asyncio.create_task(lifespan.ask(site))
    busy = [asyncio.create_task(Client().ask(site)) for _ in range(2)]
    await ended.wait()
    application.may_answer.set()
    lifespan.incoming.put_nowait({"type": "lifespan.shutdown"})
    await asyncio.gather(serving, *busy)
    assert [message["type"] for message in lifespan.sent] == ["lifespan.startup.complete", "lifespan.shutdown.complete"]


async def test_threads_that_go_on_taking_requests_are_slow_and_not_stuck(application):
    application.may_answer.clear()
    pool = threads.Threads(application, 1, "test")
    assert pool.stuck_for() == 0.0
    asked = [
        asyncio.create_task(pool.run({"REQUEST_METHOD": "GET", "PATH_INFO": "/", "wsgi.input": io.BytesIO()}))
        for _ in range(3)
    ]
    while not application.requests:
        await asyncio.sleep(0)
    assert pool.stuck_for() > 0.0
    application.may_answer.set()
    await asyncio.gather(*asked)
    assert pool.stuck_for() == 0.0
