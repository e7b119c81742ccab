"""The broken site, over the network: each fault as a client meets it, how faults are switched, what the log counts."""

from __future__ import annotations

import gzip
import http.client
import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from io import BytesIO
from urllib.parse import urlsplit
from wsgiref.util import setup_testing_defaults

import pytest

from apps.scraping.sandbox.site import FaultError, Faults, Mode, RequestLog
from apps.scraping.sandbox.site.log import MOST_ENTRIES
from tests.sandbox_server import ANCHOR, SandboxServer

NOW = ANCHOR + timedelta(minutes=61, seconds=30)
FEED = "/tournaments/100032/data/?d=202611&isAggregate=false"
LIVE = "/matches/1004224/live"
FILE = "/mmz4281/1819/XA1.csv"
SOON = 0.25
"""Seconds that a slow or hanging request of these tests takes."""
TIMEOUT = 300.0
"""Seconds after which what must happen counts as stuck: more than any busy machine needs."""


@pytest.fixture(scope="module")
def running() -> Iterator[SandboxServer]:
    with SandboxServer(clock=lambda: NOW) as server:
        yield server


@pytest.fixture
def server(running: SandboxServer) -> SandboxServer:
    """The running site, whole and with nothing in its log."""
    running.faults.clear()
    running.log.clear()
    return running


@dataclass
class Reply:
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def matches(self) -> list[dict]:
        return [match for tournament in json.loads(self.body)["tournaments"] for match in tournament["matches"]]


def connection_to(server: SandboxServer) -> http.client.HTTPConnection:
    return http.client.HTTPConnection(urlsplit(server.url).netloc, timeout=TIMEOUT)


def ask(server: SandboxServer, target: str, method: str = "GET", body: object = None, **headers: str) -> Reply:
    connection = connection_to(server)
    try:
        content = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
        connection.request(method, target, content, headers)
        reply = connection.getresponse()
        return Reply(reply.status, dict(reply.getheaders()), reply.read())
    finally:
        connection.close()


# Each fault


def test_a_slow_page_is_right_and_late(server: SandboxServer) -> None:
    right = ask(server, LIVE).body
    server.faults.put(LIVE, "slow", seconds=SOON)
    before = time.monotonic()
    assert ask(server, LIVE).body == right
    assert time.monotonic() - before >= SOON


def test_a_page_that_hangs_keeps_nobody_else_waiting() -> None:
    with SandboxServer(clock=lambda: NOW) as server, closing(connection_to(server)) as connection:
        server.faults.put(LIVE, "hang")
        connection.request("GET", LIVE)
        wait_until(server.log.entries)
        assert ask(server, FILE).status == 200
        assert [bool(entry["finished"]) for entry in server.log.entries()] == [False, True]


def test_a_page_does_not_hang_for_ever(server: SandboxServer) -> None:
    server.faults.put(LIVE, "hang", seconds=SOON)
    assert ask(server, LIVE).status == 504


def test_a_site_that_stops_lets_hanging_requests_go() -> None:
    server = SandboxServer(clock=lambda: NOW)
    server.faults.put("/robots.txt", "hang")
    with ThreadPoolExecutor(1) as threads:
        waiting = threads.submit(ask, server, "/robots.txt")
        wait_until(server.log.entries)
        server.stop()
        assert waiting.result().status == 504


@pytest.mark.parametrize(("mode", "status"), [("500", 500), ("403", 403), ("429", 429)])
def test_a_refusal_has_its_status(server: SandboxServer, mode: str, status: int) -> None:
    server.faults.put("/", mode)
    reply = ask(server, LIVE)
    assert reply.status == status
    assert reply.headers.get("Retry-After") == ("60" if status == 429 else None)
    assert "ETag" not in reply.headers


def test_who_asks_too_often_is_reported_how_long_to_wait(server: SandboxServer) -> None:
    server.faults.put(LIVE, "429", seconds=1.2)
    assert ask(server, LIVE).headers["Retry-After"] == "2"


def test_a_challenge_comes_with_status_200(server: SandboxServer) -> None:
    server.faults.put(FEED, "challenge")
    reply = ask(server, FEED)
    assert reply.status == 200
    assert b"<title>Just a moment...</title>" in reply.body
    assert b"Ray ID" in reply.body


def test_an_incapsula_page_is_small_and_comes_with_status_200(server: SandboxServer) -> None:
    server.faults.put(FEED, "incapsula")
    reply = ask(server, FEED)
    assert (reply.status, len(reply.body) < 1_000) == (200, True)
    assert b"Incapsula incident ID" in reply.body


@pytest.mark.parametrize(
    ("target", "gone"),
    [
        ("/", b"allRegions"),
        ("/regions/901/tournaments/911", b'id="seasons"'),
        ("/regions/901/tournaments/911/seasons/10032", b">Fixtures<"),
        ("/regions/901/tournaments/911/seasons/10032/stages/100032/fixtures", b"wsCalendar"),
        (FEED, b'"matches":'),
        (LIVE, b'require.config.params["args"]'),
        ("/matches/1004224/preview", b"missing-players"),
        (FILE, b"Div,"),
        ("/fixtures.csv", b"HomeTeam"),
    ],
)
def test_a_changed_layout_has_another_name_for_what_is_looked_for(
    server: SandboxServer, target: str, gone: bytes
) -> None:
    right = ask(server, target)
    assert gone in right.body
    server.faults.put(target, "changed_layout")
    changed = ask(server, target)
    assert changed.status == 200
    assert gone not in changed.body
    assert changed.headers["ETag"] != right.headers["ETag"]


def test_a_truncated_gzip_cannot_be_read_to_its_end(server: SandboxServer) -> None:
    server.faults.put(FEED, "truncated_gzip")
    reply = ask(server, FEED)
    assert (reply.status, reply.headers["Content-Encoding"]) == (200, "gzip")
    assert int(reply.headers["Content-Length"]) == len(reply.body)
    with pytest.raises(EOFError):
        gzip.decompress(reply.body)


def test_a_huge_page_comes_in_pieces(server: SandboxServer) -> None:
    server.faults.put(LIVE, "huge")
    connection = connection_to(server)
    connection.request("GET", LIVE)
    reply = connection.getresponse()
    assert reply.getheader("Content-Length") is None
    size = 0
    while piece := reply.read(1 << 20):
        size += len(piece)
    connection.close()
    assert 50_000_000 < size < 60_000_000


def test_who_leaves_a_huge_page_does_no_harm(server: SandboxServer) -> None:
    server.faults.put(LIVE, "huge", times=1)
    connection = connection_to(server)
    connection.request("GET", LIVE)
    connection.getresponse().read(1_000)
    connection.close()
    assert ask(server, LIVE).status == 200
    wait_until(lambda: all(entry["finished"] for entry in server.log.entries()))


@pytest.mark.parametrize("target", [LIVE, FEED, "/fixtures.csv?", f"{LIVE}?hop=x"])
def test_a_redirect_loop_never_ends(server: SandboxServer, target: str) -> None:
    server.faults.put("/", "redirect_loop")
    seen = [target]
    for _ in range(30):
        reply = ask(server, seen[-1])
        assert reply.status == 302
        seen.append(reply.headers["Location"])
        assert seen[-1].startswith(target.partition("hop=")[0])
    assert len(set(seen)) == 31


def test_a_wrong_type_is_an_image(server: SandboxServer) -> None:
    server.faults.put(FEED, "wrong_type")
    reply = ask(server, FEED)
    assert (reply.status, reply.headers["Content-Type"]) == (200, "image/png")
    assert reply.body.startswith(b"\x89PNG\r\n\x1a\n")
    assert reply.body.endswith(b"IEND\xaeB`\x82")


def test_an_empty_answer_has_its_frame_and_no_match(server: SandboxServer) -> None:
    server.faults.put("/", "empty")
    feed = json.loads(ask(server, FEED).body)
    assert [tournament["matches"] for tournament in feed["tournaments"]] == [[]]
    file = ask(server, FILE)
    assert file.headers["Content-Type"].startswith("text/csv")
    assert len(file.body.splitlines()) == 1
    page = ask(server, LIVE)
    assert (page.status, page.body) == (200, b"")


def test_a_duplicated_match_is_reported_twice_alike(server: SandboxServer) -> None:
    right = ask(server, FEED).matches
    server.faults.put("/", "duplicated")
    told = ask(server, FEED).matches
    assert len(told) == len(right) + 1
    assert [match for match in told if match["id"] == told[-1]["id"]] == [told[-1]] * 2
    rows = Counter(ask(server, FILE).body.splitlines())
    assert sorted(rows.values())[-2:] == [1, 2]


def test_contradicting_entries_report_two_results_of_one_match(server: SandboxServer) -> None:
    server.faults.put("/", "contradicting")
    told = ask(server, FEED).matches
    first, second = (match for match in told if match["id"] == told[-1]["id"])
    assert first["status"] == second["status"] == 6
    assert second["homeScore"] == first["homeScore"] + 1
    rows = [row.split(b",") for row in ask(server, FILE).body.splitlines()]
    assert rows[1][:5] == rows[-1][:5]
    assert int(rows[-1][5]) == int(rows[1][5]) + 1
    assert rows[-1][7] == (b"H" if rows[-1][5] > rows[-1][6] else b"A" if rows[-1][5] < rows[-1][6] else b"D")
    # Of coming matches the kick-off is reported twice.
    coming = [row.split(b",") for row in ask(server, "/fixtures.csv").body.splitlines()]
    assert coming[1][3:5] == coming[-1][3:5]
    assert coming[1][2] != coming[-1][2]


def test_a_contradicting_match_centre_has_another_result_than_the_feed(server: SandboxServer) -> None:
    entry = next(match for match in ask(server, FEED).matches if match["id"] == 1_004_224)
    server.faults.put(LIVE, "contradicting")
    page = ask(server, LIVE).body.decode()
    assert f'"score":"{entry["homeScore"] + 1} : {entry["awayScore"]}"' in page
    assert f'"ftScore":"{entry["homeScore"] + 1} : {entry["awayScore"]}"' in page


@pytest.mark.parametrize("target", [FEED, LIVE, FILE])
def test_a_reset_loses_the_connection_in_the_middle(server: SandboxServer, target: str) -> None:
    server.faults.put(target, "reset")
    connection = connection_to(server)
    connection.request("GET", target)
    reply = connection.getresponse()
    assert reply.status == 200
    with pytest.raises((http.client.IncompleteRead, ConnectionError)):
        reply.read()
    connection.close()
    server.faults.clear()
    assert ask(server, target).status == 200


# Switching


def test_a_fault_concerns_what_begins_so_and_the_longest_beginning_wins(server: SandboxServer) -> None:
    server.faults.put("/matches/", "500")
    server.faults.put("/matches/1004224/", "403")
    assert ask(server, LIVE).status == ask(server, "/Matches/1004224/Live").status == 403
    assert ask(server, "/matches/1004225/live").status == 500
    assert ask(server, FILE).status == 200
    server.faults.clear("/Matches/1004224/")
    assert ask(server, LIVE).status == 500


def test_a_fault_may_concern_one_month_of_a_feed(server: SandboxServer) -> None:
    server.faults.put("/tournaments/100032/data/?d=202611", "403")
    assert ask(server, FEED).status == 403
    assert ask(server, FEED.replace("202611", "202612")).status == 200


def test_a_fault_ends_after_so_many_requests(server: SandboxServer) -> None:
    server.faults.put(LIVE, "500", times=2)
    assert [ask(server, LIVE).status for _ in range(3)] == [500, 500, 200]
    assert server.faults.entries() == []


def test_programs_of_this_machine_switch_faults_over_http(server: SandboxServer) -> None:
    assert json.loads(ask(server, "/_faults").body) == []
    assert ask(server, "/_faults").headers["Cache-Control"] == "no-store"
    put = ask(server, "/_faults", "PUT", {"path": LIVE, "mode": "429", "times": 5})
    assert (put.status, json.loads(put.body)) == (200, [{"path": LIVE, "mode": "429", "times": 5, "seconds": None}])
    assert ask(server, LIVE).status == 429
    assert json.loads(ask(server, "/_faults").body)[0]["times"] == 4
    ask(server, "/_faults", "PUT", {"path": "/robots.txt", "mode": "slow", "seconds": 0.01})
    assert [f["path"] for f in json.loads(ask(server, f"/_faults?path={LIVE}", "DELETE").body)] == ["/robots.txt"]
    assert ask(server, LIVE).status == 200
    assert json.loads(ask(server, "/_faults", "DELETE").body) == []


@pytest.mark.parametrize("mode", list(Mode))
def test_every_mode_can_be_put(mode: Mode) -> None:
    faults = Faults()
    faults.put("/", mode.value)
    fault = faults.take("/anything")
    assert fault
    assert fault.mode is mode
    assert (fault.delay > 0) == (mode in (Mode.SLOW, Mode.HANG))


@pytest.mark.parametrize(
    ("body", "says"),
    [
        (b"", "send JSON of at most"),
        (b"{", "the body is no JSON"),
        (b"\xff\xfe", "the body is no JSON"),
        (b"[" * 9_000, "the body is no JSON"),
        (b" " * 20_000, "send JSON of at most"),
        ([], 'send {"path"'),
        ({"path": "/"}, 'send {"path"'),
        ({"path": "/", "mode": "500", "more": 1}, 'send {"path"'),
        ({"path": "x", "mode": "500"}, "path must be a text that begins with /"),
        ({"path": 5, "mode": "500"}, "path must be a text that begins with /"),
        ({"path": "/", "mode": "sleepy"}, "mode must be one of slow, hang, 500"),
        ({"path": "/", "mode": ["500"]}, "mode must be one of slow, hang, 500"),
        ({"path": "/", "mode": 500}, "mode must be one of slow, hang, 500"),
        ({"path": "/", "mode": "500", "times": 0}, "times must be a whole number"),
        ({"path": "/", "mode": "500", "times": True}, "times must be a whole number"),
        ({"path": "/", "mode": "500", "times": "2"}, "times must be a whole number"),
        ({"path": "/", "mode": "slow", "seconds": -1}, "seconds must be a number above 0"),
        ({"path": "/", "mode": "hang", "seconds": 1e9}, "seconds must be a number above 0"),
        ({"path": "/", "mode": "hang", "seconds": float("nan")}, "seconds must be a number above 0"),
    ],
)
def test_what_is_no_fault_is_refused_with_a_reason(server: SandboxServer, body: object, says: str) -> None:
    reply = ask(server, "/_faults", "PUT", body)
    assert reply.status == 400
    assert says in json.loads(reply.body)["error"]
    assert server.faults.entries() == []


def test_faults_are_not_piled_up_without_end() -> None:
    faults = Faults()
    for number in range(1_000):
        faults.put(f"/{number}", "500")
    faults.put("/7", "403")
    with pytest.raises(FaultError, match="there are 1000 faults already"):
        faults.put("/more", "500")


@pytest.mark.parametrize(
    "told",
    [
        {"REMOTE_ADDR": "192.0.2.7"},
        {"REMOTE_ADDR": "::ffff:192.0.2.7"},
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "localhost"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "192.0.2.7"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=192.0.2.7"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "rebound.example:8003"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "["},
    ],
)
@pytest.mark.parametrize("path", ["/_faults", "/_log"])
def test_others_neither_switch_faults_nor_read_the_log(server: SandboxServer, told: dict, path: str) -> None:
    assert call(server, path, told)[0].startswith("403")


@pytest.mark.parametrize(
    "told",
    [
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_HOST": "localhost:8003"},
        {"REMOTE_ADDR": "127.8.9.1", "HTTP_HOST": "127.0.0.1"},
        {"REMOTE_ADDR": "::1", "HTTP_HOST": "[::1]:8003"},
        {"REMOTE_ADDR": "::ffff:127.0.0.1", "HTTP_HOST": "127.0.0.1:80"},
    ],
)
def test_loopback_has_several_names(server: SandboxServer, told: dict) -> None:
    assert call(server, "/_log", told)[0].startswith("200")


def call(server: SandboxServer, path: str, told: dict) -> tuple[str, bytes]:
    """Call the application as a server would for a client elsewhere."""
    environ = {"PATH_INFO": path, **told}
    setup_testing_defaults(environ)
    environ["wsgi.input"] = BytesIO()
    lines: list[str] = []
    body = b"".join(server.site(environ, lambda status, headers, exc_info=None: lines.append(status)))
    return lines[0], body


@pytest.mark.parametrize(("path", "allowed"), [("/_faults", "GET, PUT, DELETE"), ("/_log", "GET, DELETE")])
def test_other_methods_of_control_are_refused(server: SandboxServer, path: str, allowed: str) -> None:
    reply = ask(server, path, "POST", {})
    assert (reply.status, reply.headers["Allow"]) == (405, allowed)


# The log


def test_the_log_reports_who_requested_what_and_when(server: SandboxServer) -> None:
    before = time.monotonic(), datetime.now(UTC)
    ask(server, FEED, **{"User-Agent": "counter/1.0"})
    ask(server, "/nowhere")
    ask(server, "/_faults")
    first, second = json.loads(ask(server, "/_log").body)
    assert (first["method"], first["path"], first["user_agent"]) == ("GET", FEED, "counter/1.0")
    assert (first["status"], second["status"]) == (200, 404)
    assert first["in_flight"] == second["in_flight"] == 1
    assert before[0] <= first["started"] <= first["finished"] <= second["started"] <= time.monotonic()
    assert before[1] <= datetime.fromisoformat(first["started_at"]) <= datetime.fromisoformat(first["finished_at"])


def test_the_log_counts_requests_in_flight() -> None:
    server = SandboxServer(clock=lambda: NOW)
    server.faults.put("/matches/", "hang")
    with ThreadPoolExecutor(6) as threads:
        for number in range(6):
            threads.submit(ask, server, f"/matches/{1_004_224 + number}/live")
        wait_until(lambda: len(server.log.entries()) == 6)
        server.stop()
    assert sorted(entry["in_flight"] for entry in server.log.entries()) == [1, 2, 3, 4, 5, 6]
    assert server.log.begin("GET", "/", "").in_flight == 1


def test_one_request_after_the_other_is_never_two_in_flight(server: SandboxServer) -> None:
    for number in range(100):
        ask(server, f"/matches/{1_004_224 + number}/live")
    assert {entry["in_flight"] for entry in server.log.entries()} == {1}


def test_a_cleared_log_is_empty_and_goes_on(server: SandboxServer) -> None:
    ask(server, "/robots.txt")
    assert json.loads(ask(server, "/_log", "DELETE").body) == []
    ask(server, "/robots.txt")
    assert len(json.loads(ask(server, "/_log").body)) == 1


def test_the_log_keeps_the_latest_twenty_thousand() -> None:
    log = RequestLog()
    for number in range(MOST_ENTRIES + 5):
        log.end(log.begin("GET", f"/{number}", ""))
    kept = log.entries()
    assert len(kept) == MOST_ENTRIES == 20_000
    assert (kept[0]["path"], kept[-1]["path"]) == ("/5", "/20004")
    assert log.begin("GET", "/", "").in_flight == 1


def test_a_request_that_ends_twice_counts_once() -> None:
    log = RequestLog()
    entry = log.begin("GET", "/", "")
    log.end(entry)
    log.end(entry)
    assert log.begin("GET", "/", "").in_flight == 1


def test_many_clients_at_once_are_all_served(server: SandboxServer) -> None:
    threads = threading.active_count()
    with ThreadPoolExecutor(16) as clients:
        replies = list(clients.map(lambda number: ask(server, f"/matches/{1_004_224 + number}/live"), range(200)))
    assert {reply.status for reply in replies} == {200}
    assert len(server.log.entries()) == 200
    wait_until(lambda: threading.active_count() <= threads)


def wait_until(true: object) -> None:
    end = time.monotonic() + TIMEOUT
    while not true():  # type: ignore[operator]
        assert time.monotonic() < end, "it did not become true in time"
        time.sleep(0.01)
