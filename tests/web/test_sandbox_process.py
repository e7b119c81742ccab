"""The process `sandbox`: the site of this database's world, served by granian."""

from __future__ import annotations

import http.client
import json
import re
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from urllib.request import urlopen

import pytest
from django.db import OperationalError

from apps.scraping.models import Source
from apps.scraping.sandbox.world import SimulatedWorld
from spai import sandbox
from spai.sandbox import NotReadyError, SandboxApplication, load_world
from spai.stack.ports import free_port
from tests.web.processes import start_sandbox, stop

ANCHOR = datetime(2026, 11, 23, 8, 30, tzinfo=UTC)
MATCH = "/matches/1003696/live"


def call(application, path):
    """Ask the application as a server would; status, headers and body."""
    sent = []
    environ = {"REQUEST_METHOD": "GET", "PATH_INFO": path, "QUERY_STRING": "", "REMOTE_ADDR": "127.0.0.1"}
    body = b"".join(application(environ, lambda status, headers, exc_info=None: sent.append((status, dict(headers)))))
    return int(sent[0][0].split()[0]), sent[0][1], body


# Until the world is known


class Database:
    """Stands in for the database that says which world this is."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0

    def __call__(self):
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_without_its_world_the_site_says_why_and_tries_again(monkeypatch):
    monkeypatch.setattr(sandbox, "PAUSE_SECONDS", 1e6)
    database = Database(NotReadyError("the database is away"), SimulatedWorld(7, ANCHOR))
    application = SandboxApplication(database)
    status, headers, body = call(application, "/")
    assert (status, headers["Retry-After"]) == (503, "2")
    assert json.loads(body) == {"status": "not ready", "reason": "the database is away"}
    # Not asked again at once, however many come.
    assert [call(application, "/readyz")[0] for _ in range(5)] == [503] * 5
    assert database.asked == 1
    monkeypatch.setattr(sandbox, "PAUSE_SECONDS", 0.0)
    assert call(application, "/readyz")[::2] == (200, b'{"status": "ready"}')
    assert call(application, MATCH)[0] == 200
    assert database.asked == 2


def test_many_first_requests_make_one_world():
    def slowly():
        database.asked += 1
        time.sleep(0.2)
        return SimulatedWorld(7, ANCHOR)

    database = Database()
    application = SandboxApplication(slowly)
    with ThreadPoolExecutor(8) as threads:
        statuses = list(threads.map(lambda _: call(application, MATCH)[0], range(8)))
    assert statuses == [200] * 8
    assert database.asked == 1


def test_a_request_does_not_wait_for_ever_while_another_asks(monkeypatch):
    monkeypatch.setattr(sandbox, "PATIENCE_SECONDS", 0.05)
    application = SandboxApplication(lambda: SimulatedWorld(7, ANCHOR))
    with application._lock:
        status, _, body = call(application, "/")
    assert (status, json.loads(body)["reason"]) == (503, "the database has not responded yet")


def test_a_database_that_is_away_is_named(monkeypatch):
    def fails(*, now):
        raise OperationalError("connection refused, with a password in it")

    monkeypatch.setattr(sandbox, "ensure_sandbox", fails)
    with pytest.raises(NotReadyError, match=r"^the world cannot be loaded from the database: OperationalError$"):
        load_world()


@pytest.mark.django_db(transaction=True)
def test_the_world_is_the_one_of_the_row():
    made = load_world()
    row = Source.objects.get(name="sandbox")
    assert (made.seed, made.anchor_at) == (row.seed, row.anchor_at)
    Source.objects.update(seed=11)
    assert load_world().seed == 11


@pytest.mark.django_db(transaction=True)
def test_a_row_that_lost_its_seed_is_named():
    load_world()
    Source.objects.update(seed=None)
    with pytest.raises(NotReadyError, match="lost its seed or its anchor"):
        load_world()


# Served


@pytest.fixture(scope="module")
def port(django_db_setup, django_db_blocker, tmp_path_factory):
    with django_db_blocker.unblock():
        port = free_port()
        process = start_sandbox(port, tmp_path_factory.mktemp("sandbox") / "log")
    yield port
    stop(process)
    with django_db_blocker.unblock():
        Source.objects.all().delete()


def get(port, target, method="GET", body=None, timeout=300.0):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=timeout)
    try:
        connection.request(method, target, body)
        reply = connection.getresponse()
        return reply.status, dict(reply.getheaders()), reply.read()
    finally:
        connection.close()


@pytest.fixture
def fault(port):
    """Breaks a path of the served site; all are mended afterwards."""

    def put(path, mode, **more):
        status, _, sent = get(port, "/_faults", "PUT", json.dumps({"path": path, "mode": mode, **more}))
        assert status == 200, sent

    yield put
    get(port, "/_faults", "DELETE")


def test_the_world_is_served(port):
    with urlopen(f"http://127.0.0.1:{port}/", timeout=300) as answer:
        home = answer.read().decode()
    assert "allRegions" in home
    files = re.findall(r'href="(/mmz4281/[^"]+)"', home)
    assert len(files) == 32
    assert get(port, files[0])[2].startswith(b"\xef\xbb\xbfDiv,Date,Time,")
    assert get(port, "/nowhere")[0] == 404
    assert get(port, "/readyz")[0] == get(port, "/livez")[0] == 200


@pytest.mark.parametrize("target", ["/", MATCH, "/nowhere", "/_log"])
def test_every_answer_carries_the_security_headers_of_the_other_processes(port, client, target):
    others = client.get("/metrics").headers
    headers = {name.lower(): value for name, value in get(port, target)[1].items()}
    for name in ("X-Frame-Options", "X-Content-Type-Options", "Referrer-Policy", "Cross-Origin-Opener-Policy"):
        assert headers[name.lower()] == others[name]
    policies = [
        dict(directive.strip().split(" ", 1) for directive in sent.split(";"))
        for sent in (headers["content-security-policy"], others["Content-Security-Policy"])
    ]
    for name in ("default-src", "object-src", "base-uri", "form-action", "frame-ancestors"):
        assert policies[0][name] == policies[1][name]


def test_a_client_of_this_machine_is_known_as_such(port):
    assert json.loads(get(port, "/_faults")[2]) == []
    entries = json.loads(get(port, "/_log")[2])
    assert all(entry["path"] not in ("/livez", "/readyz") for entry in entries)


def test_requests_that_hang_leave_the_others_alone(port, fault):
    def under_way():
        entries = json.loads(get(port, "/_log")[2])
        return [entry["finished"] for entry in entries if entry["path"].startswith("/matches/")].count(None)

    get(port, "/_log", "DELETE")
    fault("/matches/", "hang", seconds=8)
    with ThreadPoolExecutor(8) as threads:
        hanging = [threads.submit(get, port, f"/matches/{1_003_696 + number}/live") for number in range(8)]
        while under_way() < 8:
            assert not any(answer.done() for answer in hanging), "they did not hang at the same time"
        assert get(port, "/robots.txt")[0] == get(port, "/livez")[0] == 200
        assert under_way() == 8
        assert [answer.result()[0] for answer in hanging] == [504] * 8


def test_a_reset_loses_the_connection_on_this_server_too(port, fault):
    fault(MATCH, "reset")
    with pytest.raises((http.client.IncompleteRead, http.client.RemoteDisconnected, ConnectionError)):
        get(port, MATCH)
    assert get(port, "/robots.txt")[0] == 200


def test_a_huge_page_comes_whole_and_in_pieces(port, fault):
    fault(MATCH, "huge")
    status, headers, body = get(port, MATCH)
    assert status == 200
    assert "content-length" not in {name.lower() for name in headers}
    assert len(body) > 50_000_000
