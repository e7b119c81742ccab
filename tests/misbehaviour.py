"""Web servers that misbehave, for tests of the fetchers."""

from __future__ import annotations

import gzip
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

CSV = b"Div,Date,HomeTeam,AwayTeam\nE0,20/08/22,Eastmoor,Northbridge\n"
CHALLENGE = b"<html><head><title>Just a moment...</title></head><body></body></html>"


@cache
def dense_bomb() -> bytes:
    return gzip.compress(b"\0" * 50 * 1024 * 1024, 1)


class Site(BaseHTTPRequestHandler):
    """Answers a path by the method of its name."""

    protocol_version = "HTTP/1.1"
    wbufsize = 0

    def do_GET(self):
        self.server.asked.append((self.path, dict(self.headers.items()), self.client_address))
        name = self.path.partition("?")[0].strip("/").replace("-", "_").replace(".", "_") or "page"
        self.close_connection = False
        try:
            getattr(self, name)()
        except (BrokenPipeError, ConnectionResetError):
            self.close_connection = True

    def log_message(self, *_):
        pass

    def send(self, body=b"", status=200, **headers):
        self.send_response(status)
        for name, value in ({"content_length": len(body), "content_type": "text/csv"} | headers).items():
            if value is not None:
                self.send_header(name.replace("_", "-"), str(value))
        self.end_headers()
        self.wfile.write(body)

    def end(self):
        self.close_connection = True

    def page(self):
        self.send(CSV, etag='"1"', set_cookie="a=b", x_secret="s", server="tests")

    def zipped(self):
        self.send(gzip.compress(CSV), content_encoding="gzip")

    def zipped_twice(self):
        self.send(gzip.compress(CSV) + gzip.compress(CSV) + b"\0\0", content_encoding="x-gzip")

    def zipped_large(self):
        self.send(gzip.compress(b"x" * 1001), content_encoding="gzip")

    def unchanged(self):
        self.send(status=304, content_length=None, content_encoding="gzip")

    def error(self):
        self.send(b"<p>no", 503, retry_after=30, content_type="text/html")

    def hang(self):
        self.server.gate.wait()
        self.end()

    def drip_head(self):
        self.drip(b"HTTP/1.1 200 OK\r\nx-a: " + b"b" * 10_000)

    def drip_body(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\n")
        self.drip(b"x" * 10_000)

    def drip(self, what: bytes):
        for byte in what:
            self.wfile.write(bytes([byte]))
            if self.server.gate.wait(0.05):
                break
        self.end()

    def endless_informational(self):
        while not self.server.gate.wait(0.01):
            self.wfile.write(b"HTTP/1.1 103 Early Hints\r\n\r\n")
        self.end()

    def large(self):
        self.send(b"", content_length=50 * 1024 * 1024)
        self.end()

    def large_unannounced(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n")
        for _ in range(50):
            self.wfile.write(b"x" * 1024 * 1024)
        self.end()

    def bomb(self):
        self.send(gzip.compress(b"\0" * 1024 * 1024) * 500, content_encoding="gzip")

    def dense_bomb(self):
        self.send(dense_bomb(), content_encoding="gzip")

    def cut_gzip(self):
        self.send(gzip.compress(CSV * 100)[:-20], content_encoding="gzip")

    def broken_gzip(self):
        self.send(b"\x1f\x8b" + CSV, content_encoding="gzip")

    def brotli(self):
        self.send(b"x", content_encoding="br")

    def cut(self):
        self.send(CSV, content_length=10_000)
        self.end()

    def bad_chunks(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\nzz\r\n")
        self.end()

    def reset(self):
        self.send(CSV, content_length=10_000)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
        self.end()

    def nothing(self):
        self.end()

    def garbage(self):
        self.wfile.write(b"\0\xff" * 100 + b"\r\n\r\n")
        self.end()

    def huge_head(self):
        self.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"x-a: b\r\n" * 200_000)
        self.end()

    def html(self):
        self.send(b"<p>Eastmoor", content_type="Text/HTML; charset=utf-8")

    def untyped(self):
        self.send(CSV, content_type=None)

    def challenge(self):
        self.send(CHALLENGE, content_type="text/html")

    def moved(self):
        self.send(b"gone", 301, location="/page?after=1#here")

    def circle(self):
        self.send(b"", 302, location="/circle-back")

    def circle_back(self):
        self.send(b"", 302, location="/circle")

    def endless(self):
        number = int(self.path.partition("?")[2] or 0)
        self.send(b"", 307, location=f"/endless?{number + 1}")

    def elsewhere(self):
        self.send(b"", 302, location=f"http://localhost:{self.server.server_port}/page")

    def to(self):
        self.send(b"", 302, location=self.path.partition("?")[2])

    def nowhere(self):
        self.send(b"", 302)

    def missing(self):
        self.send(b"not here", 404)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    # With the default of 5, connections that come at once are reset.
    request_queue_size = 128

    def __init__(self, site: type[Site] = Site):
        super().__init__(("127.0.0.1", 0), site)
        self.asked: list = []
        self.gate = threading.Event()
        self.url = f"http://127.0.0.1:{self.server_port}"

    def handle_error(self, *_):
        """Log nothing: these tests are about clients that disconnect."""


@contextmanager
def started(server: Server) -> Iterator[Server]:
    """Run a server until the end of the context; requests that still wait for it are released then."""
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    with server:
        thread.start()
        try:
            yield server
        finally:
            server.gate.set()
            server.shutdown()
            thread.join()
