"""The proxy of compose.yaml, run by the nginx of this machine in front of servers that say what they were asked."""

from __future__ import annotations

import json
import shutil
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPSConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from spai.stack.ports import free_port

pytestmark = pytest.mark.skipif(
    not (shutil.which("nginx") and shutil.which("openssl")), reason="apt-get install nginx-light openssl"
)

CONFIGURATION = Path(__file__).resolve().parents[2] / "spai" / "server" / "nginx.conf"
TIMEOUT = 60.0
"""Seconds after which nginx counts as stuck."""


class Echo(BaseHTTPRequestHandler):
    """Answers with its name and what it was asked."""

    protocol_version = "HTTP/1.1"

    def do_GET(self) -> None:
        server = self.server
        assert isinstance(server, Named)
        server.asked.append(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        told = {"process": server.name, "bytes": len(body), **dict(self.headers.items())}
        answer = json.dumps(told).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def do_POST(self) -> None:
        self.do_GET()

    def log_message(self, *arguments: object) -> None:
        """Log nothing."""


class Named(ThreadingHTTPServer):
    """A server with the name of a process."""

    def __init__(self, name: str) -> None:
        super().__init__(("127.0.0.1", 0), Echo)
        self.name = name
        self.asked: list[str] = []
        threading.Thread(target=self.serve_forever, daemon=True).start()


class Proxy:
    """An nginx that runs, and the servers behind it."""

    def __init__(self, folder: Path) -> None:
        self.servers = {name: Named(name) for name in ("web", "admin", "push")}
        self.plain, self.secure = free_port(), free_port()
        text = CONFIGURATION.read_text()
        for name, port in {"web": 8000, "admin": 8001, "push": 8002}.items():
            assert f"{name}:{port};" in text
            text = text.replace(f"{name}:{port};", f"127.0.0.1:{self.servers[name].server_port};")
        text = text.replace("listen 80;", f"listen 127.0.0.1:{self.plain};")
        text = text.replace("listen 443 ssl;", f"listen 127.0.0.1:{self.secure} ssl;")
        text = text.replace("/run/secrets/", f"{folder}/").replace("/var/www/acme", f"{folder}/acme")
        (folder / "site.conf").write_text(text)
        temporary = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        main = f"pid {folder}/pid; daemon off; error_log {folder}/log; events {{}} "
        main += f"http {{ access_log off; {temporary} include {folder}/site.conf; }}"
        (folder / "nginx.conf").write_text(main)
        certificate = f"req -x509 -newkey rsa:2048 -nodes -days 1 -subj /CN=localhost -keyout {folder}/key"
        command = ["openssl", *certificate.split(), "-out", f"{folder}/certificate"]
        subprocess.run(command, check=True, capture_output=True)
        words = ["nginx", "-e", f"{folder}/log", "-c", f"{folder}/nginx.conf"]
        self.process = subprocess.Popen(words, stderr=subprocess.DEVNULL)
        end = time.monotonic() + TIMEOUT
        while not self.listens():
            assert self.process.poll() is None, (folder / "log").read_text()
            assert time.monotonic() < end
            time.sleep(0.02)

    def listens(self) -> bool:
        try:
            socket.create_connection(("127.0.0.1", self.secure)).close()
        except OSError:
            return False
        return True

    def ask(self, path: str, method: str = "GET", body: bytes = b"", **headers: str) -> tuple[int, dict]:
        trusting = ssl._create_unverified_context()
        link = HTTPSConnection("127.0.0.1", self.secure, context=trusting, timeout=TIMEOUT)
        link.request(method, path, body or None, {"Host": "spai.example.org"} | headers)
        answer = link.getresponse()
        text = answer.read()
        link.close()
        return answer.status, json.loads(text) if text.startswith(b"{") else {}

    def stop(self) -> None:
        self.process.terminate()
        self.process.wait()
        for server in self.servers.values():
            server.shutdown()
            server.server_close()


@pytest.fixture(scope="module")
def proxy(tmp_path_factory) -> Iterator[Proxy]:
    running = Proxy(tmp_path_factory.mktemp("nginx"))
    yield running
    running.stop()


@pytest.mark.parametrize(
    ("path", "process"),
    [
        ("/", "web"),
        ("/api/v1/matches/", "web"),
        ("/api/v1/events/", "web"),
        ("/admin/", "admin"),
        ("/api/v1/ingest/", "admin"),
        ("/ws/v1/events/", "push"),
        ("/api/v1/events/stream/?after=7", "push"),
    ],
)
def test_a_path_reaches_the_process_that_answers_it(proxy, path, process):
    status, told = proxy.ask(path)
    assert (status, told["process"]) == (200, process)
    assert proxy.servers[process].asked[-1] == path


def test_the_address_of_a_client_is_nginx_own_word(proxy):
    _, told = proxy.ask("/", **{"X-Forwarded-For": "6.6.6.6", "X-Forwarded-Proto": "http"})
    assert (told["X-Forwarded-For"], told["X-Forwarded-Proto"], told["Host"]) == (
        "127.0.0.1",
        "https",
        "spai.example.org",
    )


def test_a_websocket_is_passed_on_as_one(proxy):
    _, told = proxy.ask("/ws/v1/events/", Connection="Upgrade", Upgrade="websocket")
    assert (told["Connection"], told["Upgrade"]) == ("upgrade", "websocket")


def test_metrics_stay_inside_and_plain_http_is_sent_to_tls(proxy):
    assert proxy.ask("/metrics")[0] == 404
    link = HTTPConnection("127.0.0.1", proxy.plain, timeout=TIMEOUT)
    link.request("GET", "/matches/", headers={"Host": "spai.example.org"})
    answer = link.getresponse()
    assert (answer.status, answer.headers["Location"]) == (308, "https://spai.example.org/matches/")
    link.close()


def test_a_half_sent_body_reaches_no_process(proxy):
    asked = list(proxy.servers["web"].asked)
    plain = socket.create_connection(("127.0.0.1", proxy.secure))
    with ssl._create_unverified_context().wrap_socket(plain) as slow:
        slow.sendall(b"POST /half HTTP/1.1\r\nHost: spai.example.org\r\nContent-Length: 10\r\n\r\nhalf")
        # One that was sent later is answered before.
        assert proxy.ask("/later")[0] == 200
        assert proxy.servers["web"].asked == [*asked, "/later"]
        slow.sendall(b" sent.")
        answer = b""
        while b'"bytes": 10' not in answer:
            answer += (part := slow.recv(4096))
            assert part, answer
    assert proxy.servers["web"].asked == [*asked, "/later", "/half"]


def test_a_body_that_no_process_takes_is_refused(proxy):
    status, _ = proxy.ask("/", "POST", b"x", **{"Content-Length": str(64 * 1024 * 1024 + 1)})
    assert status == 413
