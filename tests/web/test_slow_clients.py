"""Clients that send or read too slowly, by the hundred: they hold no thread of any process."""

from __future__ import annotations

import contextlib
import http.client
import socket
import time

import pytest

from spai.stack.ports import free_port
from tests.web.processes import TIMEOUT, start_admin, start_push, start_web, stop

# The processes use the test database, which is made for tests that say so.
pytestmark = pytest.mark.django_db

CONNECTIONS = 100
COOKIE = "Cookie: spai_8001_csrf=aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n"


def half_body(port: int, path: str) -> socket.socket:
    return connected(
        port,
        f"POST {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n{COOKIE}Content-Type: application/x-www-form-urlencoded\r\n"
        "Content-Length: 1000\r\n\r\na=",
    )


def half_head(port: int, path: str) -> socket.socket:
    return connected(port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Half: ")


def silent(port: int, path: str) -> socket.socket:
    return connected(port, "")


def unread(port: int, path: str) -> socket.socket:
    return connected(port, f"GET {path} HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", receive_buffer=2048)


def connected(port: int, text: str, *, receive_buffer: int = 0) -> socket.socket:
    link = socket.socket()
    if receive_buffer:
        link.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    link.settimeout(TIMEOUT)
    link.connect(("127.0.0.1", port))
    link.sendall(text.encode())
    return link


def status_of(port: int, path: str) -> int:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    try:
        link.request("GET", path)
        return link.getresponse().status
    finally:
        link.close()


def status_once_free(port: int, path: str) -> int:
    """The status of a path that may be refused while a hundred other requests are answered."""
    end = time.monotonic() + TIMEOUT
    while (status := status_of(port, path)) == 503 and time.monotonic() < end:
        time.sleep(0.1)
    return status


STARTS = {
    "web": (start_web, "/api/schema/"),
    "admin": (start_admin, "/"),
    "push": (lambda port, log: start_push(port, log, origin="http://127.0.0.1:8000"), "/readyz"),
}


@pytest.fixture(scope="module", params=STARTS)
def process(request, tmp_path_factory, django_db_setup):
    start, page = STARTS[request.param]
    port = free_port()
    running = start(port, tmp_path_factory.mktemp(request.param) / "log")
    yield port, page
    stop(running)


@pytest.mark.parametrize("kind", [half_body, half_head, silent, unread])
def test_slow_clients_hold_no_thread(process, kind):
    port, page = process
    with contextlib.ExitStack() as links:
        for _ in range(CONNECTIONS):
            links.enter_context(kind(port, page))
        assert status_of(port, "/livez") == 200
        assert [status_once_free(port, path) for path in ("/readyz", "/metrics")] == [200, 401]
        assert status_once_free(port, page) in (200, 302)


def test_a_request_that_never_ends_is_given_up(process):
    port, page = process
    with half_body(port, page) as body, half_head(port, page) as head:
        for link in (body, head):
            # Before the process closes the connection it may say why.
            with contextlib.suppress(ConnectionResetError):
                while link.recv(4096):
                    pass


def test_a_head_without_end_is_refused(process):
    port, page = process
    with connected(port, f"GET {page} HTTP/1.1\r\nHost: 127.0.0.1\r\nX-Long: ") as link:
        answer = b""
        with contextlib.suppress(ConnectionError):
            for _ in range(400):
                link.sendall(b"x" * 1024)
            answer = link.recv(4096)
        assert answer == b"" or int(answer.split()[1]) in (400, 431)
    assert status_of(port, "/livez") == 200


def test_a_malformed_body_is_refused(process):
    port, page = process
    head = f"POST {page} HTTP/1.1\r\nHost: 127.0.0.1\r\n{COOKIE}Transfer-Encoding: chunked\r\n\r\n"
    for pieces in ("no number\r\na=\r\n", "2\r\nlonger than two\r\n0\r\n\r\n"):
        with connected(port, head + pieces) as link:
            assert link.recv(4096).startswith(b"HTTP/1.1 400 ")
    assert status_of(port, "/livez") == 200
