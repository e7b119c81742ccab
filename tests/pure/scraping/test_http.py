"""The fetcher to plain HTTP before a server that misbehaves in every way that was thought of."""

from __future__ import annotations

import queue
import resource
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from types import SimpleNamespace

import httpcore
import pytest

from apps.matches import public_addresses
from apps.scraping import http
from apps.scraping.http import MAX_REDIRECTS, Client
from apps.scraping.responses import HEADER_LIMIT, FetchError, FetchOutcome, FetchResponse
from tests.misbehaviour import CSV, Server, started

LIMIT = 0.5
"""Seconds that a fetch may take which is never answered."""
TIMEOUT = 300.0
"""Seconds that a fetch may take which is answered: more than any busy machine needs."""


@pytest.fixture(scope="module")
def server():
    with started(Server()) as running:
        yield running


HERE = ("127.0.0.0/8", "::1")
"""Where the servers of these tests are."""


@pytest.fixture(autouse=True)
def _nothing_asked(server):
    server.asked.clear()


@pytest.fixture(scope="module")
def authorities():
    return ssl.create_default_context()


@pytest.fixture
def client(authorities):
    with Client(user_agent="SPAI/0.1.0 (+tests)", timeout=TIMEOUT, verify=authorities, allowed=HERE) as opened:
        yield opened


def refused(fetch: Callable[[], FetchResponse]) -> FetchError:
    """Return the error of a fetch."""
    with pytest.raises(FetchError) as caught:
        fetch()
    return caught.value


# what comes


def test_a_page_comes_with_the_headers_that_matter_in_lower_case(client, server):
    before = datetime.now(UTC)
    page = client.fetch(server.url + "/page")
    assert (page.status, page.body, page.url) == (200, CSV, server.url + "/page")
    assert page.headers["etag"] == '"1"'
    assert page.headers["content-type"] == "text/csv"
    assert {"set-cookie", "x-secret"}.isdisjoint(page.headers)
    assert before <= page.fetched_at <= datetime.now(UTC)
    assert page.seconds > 0


def test_the_server_is_reported_who_asks_and_what_is_kept_already(client, server):
    client.fetch(server.url + "/page", headers={"if-none-match": '"1"'})
    ((_, headers, _),) = server.asked
    sent = {name.lower(): value for name, value in headers.items()}
    assert sent["user-agent"] == "SPAI/0.1.0 (+tests)"
    assert sent["if-none-match"] == '"1"'
    assert sent["accept-encoding"] == "gzip"


def test_one_connection_serves_the_pages_of_a_run(client, server):
    for path in ("/page", "/zipped", "/missing", "/unchanged"):
        client.fetch(server.url + path)
    assert len({address for _, _, address in server.asked}) == 1


@pytest.mark.parametrize(("path", "body"), [("/zipped", CSV), ("/zipped-twice", CSV + CSV), ("/unchanged", b"")])
def test_compressed_pages_come_decoded(client, server, path, body):
    assert client.fetch(server.url + path).body == body


@pytest.mark.parametrize(
    ("path", "status"), [("/unchanged", 304), ("/error", 503), ("/missing", 404), ("/nowhere", 302)]
)
def test_every_status_is_an_answer(client, server, path, status):
    assert client.fetch(server.url + path).status == status
    assert len(server.asked) == 1  # nothing is retried


# what does not


@pytest.mark.parametrize("path", ["/hang", "/drip-head", "/drip-body", "/endless-informational"])
def test_a_server_that_takes_too_long_is_left(client, server, path):
    error = refused(lambda: client.fetch(server.url + path, timeout=LIMIT))
    assert error.outcome is FetchOutcome.TIMEOUT
    assert "within 0.5 s" in error.reason
    assert client.fetch(server.url + "/page").status == 200


def test_a_call_without_a_time_of_its_own_has_the_time_of_its_client(authorities, server):
    with Client(user_agent="SPAI", timeout=LIMIT, verify=authorities, allowed=HERE) as impatient:
        error = refused(lambda: impatient.fetch(server.url + "/hang"))
    assert error.outcome is FetchOutcome.TIMEOUT
    assert "within 0.5 s" in error.reason


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("/large", "announces 52,428,800 bytes"),
        ("/large-unannounced", "has more than 20,971,520 bytes"),
        ("/bomb", "has more than 20,971,520 bytes"),
        ("/dense-bomb", "has more than 20,971,520 bytes"),
        ("/cut-gzip", "is broken gzip: it is truncated"),
        ("/broken-gzip", "is broken gzip"),
        ("/brotli", "is encoded as 'br'"),
        ("/cut", "ended before its end"),
        ("/bad-chunks", "ended before its end"),
        ("/reset", "ended before its end"),
        ("/nothing", "disconnected"),
        ("/garbage", "illegal"),
        ("/huge-head", ""),
    ],
)
def test_an_answer_that_is_broken_or_endless_is_an_error_of_http(client, server, path, reason):
    error = refused(lambda: client.fetch(server.url + path))
    assert error.outcome is FetchOutcome.HTTP_ERROR
    assert reason in error.reason
    assert client.fetch(server.url + "/page").body == CSV


def test_what_came_of_a_broken_page_is_kept(client, server):
    kept = refused(lambda: client.fetch(server.url + "/cut")).response
    assert (kept.status, kept.body) == (200, CSV)
    unzipped = refused(lambda: client.fetch(server.url + "/cut-gzip")).response
    assert unzipped.body.startswith(CSV)
    large = refused(lambda: client.fetch(server.url + "/large-unannounced", max_bytes=2 * http.EVIDENCE)).response
    assert len(large.body) == http.EVIDENCE


def test_a_page_that_swells_does_not_fill_the_memory(client, server):
    client.fetch(server.url + "/page")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    refused(lambda: client.fetch(server.url + "/large-unannounced", max_bytes=1024 * 1024))
    refused(lambda: client.fetch(server.url + "/dense-bomb", max_bytes=1024 * 1024))
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 80 * 1024


def test_a_limit_counts_decoded_bytes(client, server):
    assert client.fetch(server.url + "/zipped-twice", max_bytes=2 * len(CSV)).body == CSV + CSV
    error = refused(lambda: client.fetch(server.url + "/zipped-large", max_bytes=1000))
    assert "has more than" in error.reason


# redirects


def test_an_address_too_long_to_keep_is_not_followed_in_part(client, server):
    page = client.fetch(f"{server.url}/to?/page?{'x' * HEADER_LIMIT}")
    assert (page.status, page.headers.get("location")) == (302, None)


def test_a_redirect_on_the_same_host_is_followed(client, server):
    asked = []
    page = client.fetch(server.url + "/moved", on_redirect=asked.append)
    assert (page.url, page.body) == (server.url + "/page?after=1", CSV)
    assert asked == [server.url + "/page?after=1"]


def test_waiting_for_a_turn_before_a_redirect_does_not_count(client, server, monkeypatch):
    waited = []
    monkeypatch.setattr(http, "time", SimpleNamespace(monotonic=lambda: time.monotonic() + sum(waited)))
    page = client.fetch(server.url + "/moved", on_redirect=lambda _: waited.append(2 * TIMEOUT))
    assert page.status == 200


def test_whoever_is_asked_before_a_redirect_may_refuse_it(client, server):
    def refuse(url: str) -> None:
        raise FetchError(FetchOutcome.BLOCKED, "robots.txt")

    assert refused(lambda: client.fetch(server.url + "/moved", on_redirect=refuse)).outcome is FetchOutcome.BLOCKED
    assert len(server.asked) == 1


@pytest.mark.parametrize(("path", "reason"), [("/circle", "in a circle"), ("/endless", "more than 8 redirects")])
def test_redirects_without_an_end_are_an_error_of_http(client, server, path, reason):
    error = refused(lambda: client.fetch(server.url + path))
    assert error.outcome is FetchOutcome.HTTP_ERROR
    assert reason in error.reason
    assert len(server.asked) <= MAX_REDIRECTS + 1
    assert error.response.status in (302, 307)


def test_a_redirect_to_another_host_is_not_followed(client, server):
    error = refused(lambda: client.fetch(server.url + "/elsewhere"))
    assert error.outcome is FetchOutcome.INVALID
    assert "another host" in error.reason
    assert len(server.asked) == 1


@pytest.mark.parametrize(
    "target",
    [
        "file:///etc/passwd",
        "ftp://127.0.0.1/",
        "javascript:alert(1)",
        "http://a:b@127.0.0.1/",
    ],
)
def test_a_redirect_to_what_is_no_page_is_not_followed(client, server, target):
    assert refused(lambda: client.fetch(f"{server.url}/to?{target}")).outcome is FetchOutcome.INVALID
    assert len(server.asked) == 1


def test_a_redirect_to_what_is_no_address_is_an_error_of_http(client, server):
    assert refused(lambda: client.fetch(server.url + "/to?http://[::1")).outcome is FetchOutcome.HTTP_ERROR


# addresses and the way there


@pytest.mark.parametrize(
    "url",
    [
        "",
        "page",
        "//example.org",
        "ftp://example.org/",
        "file:///etc/passwd",
        "http://",
        "http://a:b@127.0.0.1/",
        "http://h:99999/",
        "http://[::1/",
        "http://127.0.0.1:x/",
        "http://127.0.0.1/\0",
        "http://" + "é" * 300 + "/",
    ],
)
def test_what_is_no_address_is_refused(client, server, url):
    assert refused(lambda: client.fetch(url)).outcome is FetchOutcome.INVALID


def test_a_port_where_nobody_listens_is_an_error_of_http(client):
    with socket.socket() as bound:
        bound.bind(("127.0.0.1", 0))
        error = refused(lambda: client.fetch(f"http://127.0.0.1:{bound.getsockname()[1]}/"))
    assert error.outcome is FetchOutcome.HTTP_ERROR
    assert "refused" in error.reason


def test_a_name_that_nobody_knows_is_an_error_of_http(client, monkeypatch):
    def unknown(*_, **__):
        raise socket.gaierror(-2, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    error = refused(lambda: client.fetch("http://nowhere.example/"))
    assert error.outcome is FetchOutcome.HTTP_ERROR
    assert "nowhere.example cannot be resolved" in error.reason


def test_a_resolver_that_hangs_ends_with_the_deadline(client, monkeypatch):
    gate = threading.Event()

    def hang(*_, **__):
        gate.wait()
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    error = refused(lambda: client.fetch("http://slow.example/", timeout=LIMIT))
    gate.set()
    assert error.outcome is FetchOutcome.TIMEOUT


def test_the_second_address_of_a_host_serves_when_the_first_refuses(client, server, monkeypatch):
    known = socket.getaddrinfo

    def two(host, *args, **named):
        if host != "two.example":
            return known(host, *args, **named)
        return [(2, 1, 6, "", (address, 0)) for address in ("127.0.0.2", "127.0.0.1")]

    monkeypatch.setattr(socket, "getaddrinfo", two)
    monkeypatch.setattr(
        httpcore.SyncBackend, "connect_tcp", _refuse_the_second_loopback(httpcore.SyncBackend.connect_tcp)
    )
    assert client.fetch(f"http://two.example:{server.server_port}/page").body == CSV


def _refuse_the_second_loopback(connect):
    def connected(self, host, *args):
        if host == "127.0.0.2":
            raise httpcore.ConnectError("refused")
        return connect(self, host, *args)

    return connected


@pytest.fixture(scope="module")
def certificate(tmp_path_factory):
    """A certificate for localhost that no authority has signed, with its key."""
    folder = tmp_path_factory.mktemp("tls")
    paths = folder / "cert.pem", folder / "key.pem"
    command = ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost"]
    command += ["-addext", "subjectAltName=DNS:localhost", "-out", str(paths[0]), "-keyout", str(paths[1])]
    try:
        subprocess.run(command, check=True, capture_output=True)
    except FileNotFoundError:
        pytest.skip("no openssl on this machine to make a certificate with")
    return paths


@pytest.fixture
def secure(certificate, server):
    """The address of a TLS server that answers one request, and a context that trusts it."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)
    trusting = ssl.create_default_context(cafile=certificate[0])
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    with socket.create_server(("127.0.0.1", 0)) as listening:

        def serve():
            try:
                accepted, _ = listening.accept()
                with accepted, context.wrap_socket(accepted, server_side=True) as stream:
                    stream.recv(4096)
                    stream.sendall(answers.get(timeout=TIMEOUT))
            except (ssl.SSLError, OSError):
                return

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"https://localhost:{listening.getsockname()[1]}", trusting, answers
        listening.close()
        thread.join(TIMEOUT)


def test_a_certificate_that_nobody_signed_is_an_error_of_http(client, secure):
    error = refused(lambda: client.fetch(secure[0] + "/"))
    assert error.outcome is FetchOutcome.HTTP_ERROR
    assert "CERTIFICATE_VERIFY_FAILED" in error.reason


def test_a_page_over_tls_comes_and_leads_to_no_plain_one(server, secure):
    url, trusting, answers = secure
    answers.put(f"HTTP/1.1 302 Found\r\ncontent-length: 0\r\nlocation: {server.url}/page\r\n\r\n".encode())
    with Client(user_agent="SPAI", timeout=TIMEOUT, verify=trusting, allowed=HERE) as trusted:
        error = refused(lambda: trusted.fetch(url + "/"))
    assert "from https to http" in error.reason
    assert error.response.status == 302
    assert server.asked == []


def test_a_server_that_accepts_and_never_shakes_hands_is_left(client):
    with socket.create_server(("127.0.0.1", 0)) as silent:
        error = refused(lambda: client.fetch(f"https://127.0.0.1:{silent.getsockname()[1]}/", timeout=LIMIT))
    assert error.outcome is FetchOutcome.TIMEOUT


# addresses inside the network


@pytest.fixture
def stranger(authorities):
    """A client that may read the public internet alone."""
    with Client(user_agent="SPAI", timeout=TIMEOUT, verify=authorities) as opened:
        yield opened


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0", "[::ffff:127.0.0.1]", "[::1]"])
def test_a_host_of_this_machine_is_not_connected_to_however_it_is_written(stranger, server, host):
    port = server.url.rpartition(":")[2]
    for ask in (stranger.fetch, stranger.check_host):
        error = refused(lambda ask=ask: ask(f"http://{host}:{port}/page"))
        assert error.outcome in (FetchOutcome.HTTP_ERROR, FetchOutcome.INVALID)
        assert "not on the public internet" in error.reason or "cannot be resolved" in error.reason
    assert server.asked == []


def test_a_name_that_leads_elsewhere_at_the_second_look_up_is_refused(stranger, server, monkeypatch):
    answers = iter([["93.184.215.14"], ["127.0.0.1"]])
    monkeypatch.setattr(public_addresses, "addresses_of", lambda host: next(answers))
    port = server.url.rpartition(":")[2]
    stranger.check_host(f"http://rebound.example:{port}/page")
    assert "not on the public internet" in refused(lambda: stranger.fetch(f"http://rebound.example:{port}/page")).reason
    assert server.asked == []


def test_one_port_of_a_host_can_be_allowed(authorities, server):
    host = server.url.removeprefix("http://")
    with Client(user_agent="SPAI", timeout=TIMEOUT, verify=authorities, allowed=[host]) as client:
        assert client.fetch(server.url + "/page").status == 200
        assert "not on the public internet" in refused(lambda: client.fetch("http://127.0.0.1:1/")).reason
