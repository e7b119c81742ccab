"""Push in over HTTP: who may, what is said of it, and what a broken connection leaves behind."""

from __future__ import annotations

import gzip
import http.client
import json
import logging
import re
import socket
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
from django.conf import settings as django_settings
from django.db import connection
from django.urls import get_resolver
from django.utils import timezone

from apps.api import intake, services
from apps.api.intake import bodies, pushes, serializers
from apps.api.models import ApiKey, Upload
from apps.matches.locks import Lock, LockClass
from apps.matches.models import Ingest, Match
from spai.stack.ports import free_port
from tests.database import locked_elsewhere
from tests.db.api.conftest import fixture, quotes
from tests.web.conftest import read_json
from tests.web.processes import start_admin, stop

# Names of tests must be the same in every process of a run.
AN_UPLOAD = "00000000-0000-4000-8000-000000000001"
ADDRESS = "/api/v1/ingest/"
NDJSON = "application/x-ndjson"


def body_of(*lines: dict | str) -> bytes:
    return "".join((line if isinstance(line, str) else json.dumps(line)) + "\n" for line in lines).encode()


def many(count: int, first: int = 0) -> list[dict]:
    return [
        fixture(source_id=f"m{n}", home_team=f"Club {n % 90}", season=f"{1900 + n // 90}")
        for n in range(first, first + count)
    ]


@pytest.fixture
def admin_role(settings):
    # What is mounted is decided once, when it is first asked for: that must not be while the role is another.
    _ = get_resolver().url_patterns
    settings.SPAI_ROLE = "admin"


@pytest.fixture
def token(db, admin_role) -> str:
    made = services.create_key(name="Ada's feed", source="feed", worlds=["real"], created_by="ada", now=timezone.now())
    return made.token


@pytest.fixture
def send(client, token):
    """Pushes a body with the key."""

    def push(*lines: dict | str, query: str = "", content: bytes | None = None, content_type: str = NDJSON, **headers):
        given = {"Authorization": f"Bearer {token}"} | {
            name.replace("_", "-"): value for name, value in headers.items()
        }
        body = body_of(*lines) if content is None else content
        return client.post(
            ADDRESS + query,
            data=body,
            content_type=content_type,
            headers={k: v for k, v in given.items() if v is not None},
        )

    return push


def problem_of(response, status: int, kind: str = "") -> dict:
    assert response.status_code == status, response.content
    assert response["Content-Type"] == "application/problem+json"
    body = response.json()
    assert body["status"] == status
    assert body["type"] == (f"urn:spai:problem:{kind}" if kind else "about:blank")
    assert body["request_id"] == response["X-Request-ID"]
    return body


def test_the_account_of_a_body(send):
    response = send(fixture(source_id="m1"), "{", quotes("m1"))
    assert response.status_code == 200
    account = response.json()
    assert {name: account[name] for name in ("lines", "created", "changed", "same", "refused", "next_line")} == {
        "lines": 3,
        "created": 1,
        "changed": 0,
        "same": 1,
        "refused": 1,
        "next_line": 4,
    }
    assert account["ingest"] == Ingest.objects.get().pk
    assert account["errors"][0]["line"] == 2
    assert set(account) == set(serializers.PushReportSerializer().fields)


def test_a_packed_body_is_taken(send):
    response = send(content=gzip.compress(body_of(fixture())), Content_Encoding="GZIP")
    assert response.json()["created"] == 1


@pytest.mark.parametrize(
    "kind", ["application/ndjson", "application/jsonl", f"{NDJSON}; charset=utf-8", NDJSON.upper()]
)
def test_other_names_of_the_media_type_are_understood(send, kind):
    assert send(fixture(), content_type=kind).status_code == 200


# ── Who may ──────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_a_key_in_the_other_header_does_too(send, token):
    assert send(fixture(), Authorization=None, X_API_Key=token).status_code == 200


def test_without_a_key_one_is_requested(send):
    response = send(fixture(), Authorization=None)
    problem_of(response, 401)
    assert response["WWW-Authenticate"] == 'Bearer realm="spai"'


@pytest.mark.parametrize(
    "header", ["Bearer x", "Bearer", "Bearer ", "Basic YTpi", "x", "Bearer spai_00000000_" + "0" * 64, "bearer \u00ff"]
)
def test_a_wrong_key_is_refused_and_not_repeated(send, header):
    response = send(fixture(), Authorization=header)
    body = problem_of(response, 401)
    assert response["WWW-Authenticate"] == 'Bearer realm="spai", error="invalid_token"'
    assert "00000000_0" not in body["detail"]
    assert not Match.objects.exists()


def test_a_revoked_and_an_expired_key_are_refused(send):
    key = ApiKey.objects.get()
    ApiKey.objects.update(created_at=key.created_at - timedelta(days=2), expires_at=key.created_at - timedelta(days=1))
    assert "expired" in problem_of(send(fixture()), 401)["detail"]
    services.revoke_key(key=key, by="ada", now=timezone.now())
    assert "revoked" in problem_of(send(fixture()), 401)["detail"]


def test_a_key_for_other_things_is_reported_the_scope(send, monkeypatch):
    ApiKey.objects.update(scopes=["predict"], source="", worlds=[])
    assert "'ingest'" in problem_of(send(fixture()), 403)["detail"]


def test_a_session_of_the_admin_is_no_key(client, admin_client, admin_role):
    response = admin_client.post(ADDRESS, data=body_of(fixture()), content_type=NDJSON)
    problem_of(response, 401)


def test_no_token_of_a_form_is_requested(token):
    from django.test import Client

    strict = Client(enforce_csrf_checks=True)
    response = strict.post(ADDRESS, data=body_of(fixture()), content_type=NDJSON, headers={"X-API-Key": token})
    assert response.status_code == 200


def test_the_key_is_in_no_log_and_in_no_answer(send, token, caplog):
    with caplog.at_level(logging.DEBUG):
        answers = [
            send(fixture()),
            send(fixture(), Authorization=f"Bearer {token}0"),
            send(fixture(), X_API_Key=token, Authorization="x"),
        ]
    assert "pushed 1 lines of feed" in caplog.text
    assert token[14:] not in caplog.text
    assert all(token[14:] not in answer.content.decode() for answer in answers)


def test_another_process_names_the_admin(send, settings):
    settings.SPAI_ROLE = "web"
    body = problem_of(send(fixture(), Authorization=None), 421, "other-address")
    assert body["address"] == f"{django_settings.SPAI_ADMIN_URL}/api/v1/ingest/"


# ── What is refused as a whole ───────────────────────────────────────────────────────────────────────────────────────
def test_what_is_not_ndjson_is_refused_by_the_header(send):
    for kind in ("application/json", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", ""):
        problem_of(send(fixture(), content_type=kind), 415, "not-ndjson")


def test_an_unknown_packing_is_refused(send):
    problem_of(send(fixture(), Content_Encoding="br"), 415, "unknown-encoding")


def test_a_broken_packing_is_refused(send):
    problem_of(send(content=gzip.compress(body_of(fixture()))[:-3], Content_Encoding="gzip"), 400, "broken-gzip")


def test_a_body_that_is_too_large_is_refused(send, monkeypatch):
    monkeypatch.setattr(bodies, "BYTES_LIMIT", 1_000)
    problem_of(send(*[fixture()] * 20), 413, "body-too-large")
    problem_of(send(content=gzip.compress(body_of(*[fixture()] * 20)), Content_Encoding="gzip"), 413, "body-too-large")
    assert not Match.objects.exists()


def test_a_body_of_too_many_lines_is_refused(send, monkeypatch):
    monkeypatch.setattr(bodies, "LINES_LIMIT", 19)
    problem_of(send(*[fixture()] * 20), 413, "too-many-lines")


def test_a_line_that_is_too_long_is_refused_with_its_body(send):
    body = problem_of(send(fixture(), fixture(home_team="x" * 70_000)), 422, "line-too-long")
    assert "Line 2" in body["detail"]
    assert not Match.objects.exists()


def test_an_empty_body_is_refused(send):
    problem_of(send(content=b"\n"), 422, "empty-body")


def test_nothing_usable_is_a_problem_with_the_account(send):
    body = problem_of(send("{", fixture(season="x")), 422, "no-usable-line")
    assert [each["pointer"] for each in body["errors"]] == ["", "/season"]
    assert (body["refused"], body["ingest"], body["next_line"]) == (2, None, 3)
    assert set(body) >= set(serializers.PushProblemSerializer().fields)


def test_another_world_is_forbidden_and_worlds_are_not_mixed(send):
    simulated = fixture(competition={"region": "Aldermark", "name": "Crown League", "is_simulated": True})
    assert "Line 2" in problem_of(send(fixture(), simulated), 403, "world-forbidden")["detail"]
    ApiKey.objects.update(worlds=["real", "sandbox"])
    services.forget_key()
    assert "different worlds" in problem_of(send(fixture(), simulated), 422, "mixed-worlds")["detail"]
    assert not Match.objects.exists()


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("?upload=1", "upload"),
        ("?upload=", "upload"),
        ("?upload=%00", "upload"),
        ("?from_line=1", "from_line"),
        (f"?upload={AN_UPLOAD}", "from_line"),
        (f"?upload={AN_UPLOAD}&from_line=0", "from_line"),
        (f"?upload={AN_UPLOAD}&from_line=-1", "from_line"),
        (f"?upload={AN_UPLOAD}&from_line=1e3", "from_line"),
        (f"?upload={AN_UPLOAD}&from_line=٣", "from_line"),
        (f"?upload={AN_UPLOAD}&from_line=9999999999999999999999", "from_line"),
        ("?uplaod=1", "uplaod"),
    ],
)
def test_a_wrong_parameter_is_named(send, query, parameter):
    body = problem_of(send(fixture(), query=query), 400, "bad-input")
    assert [each["parameter"] for each in body["errors"]] == [parameter]


@pytest.mark.parametrize("key", ["", "a b", "x" * 201, "é", "\x7f"])
def test_a_wrong_idempotency_key_is_refused(send, key):
    body = problem_of(send(fixture(), Idempotency_Key=key), 400, "bad-input")
    assert body["errors"][0]["parameter"] == "Idempotency-Key"


def test_other_methods_are_refused(client, token):
    for method in ("get", "put", "patch", "delete"):
        response = getattr(client, method)(ADDRESS, headers={"X-API-Key": token})
        assert problem_of(response, 405)
    problem_of(client.post(f"{ADDRESS}{uuid4()}/", headers={"X-API-Key": token}), 405)


# ── Once, and on and on ──────────────────────────────────────────────────────────────────────────────────────────────
def test_the_same_request_again_gets_the_same_answer(send):
    first = send(fixture(), "{", Idempotency_Key="a")
    again = send(content=gzip.compress(body_of(fixture(), "{")), Content_Encoding="gzip", Idempotency_Key="a")
    assert (again.status_code, again.json()) == (200, first.json())
    assert again["Idempotency-Replayed"] == "true"
    assert "Idempotency-Replayed" not in first
    problem_of(send(fixture(), Idempotency_Key="a"), 422, "other-request")
    assert Ingest.objects.count() == 1


def test_an_upload_reports_how_far_it_got(send, client, token):
    upload = uuid4()
    address = f"{ADDRESS}{upload}/"
    problem_of(client.get(address, headers={"X-API-Key": token}), 404)
    assert send(fixture(), "{", query=f"?upload={upload}&from_line=1").json()["next_line"] == 3
    progress = client.get(address, headers={"X-API-Key": token}).json()
    assert {name: progress[name] for name in ("upload", "lines_stored", "lines_refused", "next_line")} == {
        "upload": str(upload),
        "lines_stored": 1,
        "lines_refused": 1,
        "next_line": 3,
    }
    body = problem_of(send(fixture(), query=f"?upload={upload}&from_line=1"), 409, "out-of-step")
    assert body["next_line"] == 3
    problem_of(client.get(address), 401)


def test_an_upload_of_another_key_is_not_found(send, client):
    upload = uuid4()
    send(fixture(), query=f"?upload={upload}&from_line=1")
    other = services.create_key(name="x", source="other", worlds=["real"], created_by="x", now=timezone.now())
    problem_of(client.get(f"{ADDRESS}{upload}/", headers={"X-API-Key": other.token}), 404)


# ── One at a time ────────────────────────────────────────────────────────────────────────────────────────────────────
TIMEOUT = 300.0
"""Seconds after which an answer that must come counts as lost."""


@pytest.mark.django_db(transaction=True)
def test_while_a_request_of_the_key_is_under_way_the_next_is_reported_to_wait(send):
    key = ApiKey.objects.get()
    with locked_elsewhere(int(LockClass.API_KEY), key.pk):
        response = send(fixture())
        problem_of(response, 409, "request-under-way")
        assert response["Retry-After"] == "5"
    assert send(fixture()).status_code == 200


@pytest.mark.django_db(transaction=True)
def test_while_an_import_is_under_way_a_feed_is_reported_to_wait(send, monkeypatch):
    monkeypatch.setattr(pushes, "TIMEOUT", timedelta(seconds=1))
    with locked_elsewhere(int(Lock.INGEST)):
        response = send(fixture(), Idempotency_Key="a")
        problem_of(response, 503, "busy")
        assert response["Retry-After"] == "5"
    assert not Match.objects.exists()
    assert send(fixture(), Idempotency_Key="a").status_code == 200


def test_a_full_process_reports_feeds_to_wait(send, monkeypatch):
    monkeypatch.setattr(pushes, "_slots", threading.BoundedSemaphore(1))
    with intake.exclusive_use(ApiKey.objects.get()):
        problem_of(send(fixture()), 503, "busy")
    for _ in range(3):
        assert send(fixture()).status_code == 200


def test_a_place_is_given_back_whatever_happens(send, monkeypatch):
    monkeypatch.setattr(pushes, "_slots", threading.BoundedSemaphore(1))
    for _ in range(3):
        problem_of(send(content=b"\n"), 422, "empty-body")
    assert send(fixture()).status_code == 200


# ── What is described ────────────────────────────────────────────────────────────────────────────────────────────────
def test_the_described_limits_are_those_that_are_enforced(send):
    limits = read_json("openapi.json")["components"]["schemas"]["StatsLine"]["properties"]
    largest = {name: field["maximum"] for name, field in limits.items() if "maximum" in field}
    assert len(largest) == 13
    assert send(fixture(stats=largest)).json()["created"] == 1
    for name, limit in largest.items():
        errors = send(fixture(stats={name: limit + 1})).json()["errors"]
        assert [each["pointer"] for each in errors] == [f"/stats/{name}"]


def test_the_schema_asks_for_a_key_in_one_header_or_the_other():
    schema = read_json("openapi.json")
    assert schema["paths"][ADDRESS]["post"]["security"] == [{"apiKeyBearer": ["ingest"]}, {"apiKeyHeader": ["ingest"]}]
    schemes = schema["components"]["securitySchemes"]
    assert (schemes["apiKeyBearer"]["scheme"], schemes["apiKeyHeader"]["name"]) == ("bearer", "X-API-Key")


# ── A real server on a real socket ───────────────────────────────────────────────────────────────────────────────────
@pytest.fixture(scope="module")
def admin(django_db_setup, tmp_path_factory):
    """The port of an admin process on the test database."""
    port = free_port()
    process = start_admin(port, tmp_path_factory.mktemp("admin") / "log")
    yield port
    stop(process)


def head_of(token: str, length: int, query: str = "") -> bytes:
    lines = [
        f"POST {ADDRESS}{query} HTTP/1.1",
        "Host: 127.0.0.1",
        f"Authorization: Bearer {token}",
        f"Content-Type: {NDJSON}",
        f"Content-Length: {length}",
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n"


def posted(port: int, token: str, content: bytes, query: str = "", **headers: str) -> tuple[int, dict, dict]:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    given = {"Authorization": f"Bearer {token}", "Content-Type": NDJSON} | headers
    link.request("POST", ADDRESS + query, body=content, headers=given)
    answer = link.getresponse()
    response = answer.status, json.loads(answer.read()), dict(answer.headers)
    link.close()
    return response


def posted_until(wanted: Callable[[int], bool], *arguments, **headers: str) -> tuple[int, dict, dict]:
    """Post again and again until the status is the one that must come at last."""
    end = time.monotonic() + TIMEOUT
    while True:
        answer = posted(*arguments, **headers)
        if wanted(answer[0]):
            return answer
        assert time.monotonic() < end, answer
        time.sleep(0.1)


def next_line(port: int, token: str, upload: object) -> int:
    link = http.client.HTTPConnection("127.0.0.1", port, timeout=TIMEOUT)
    link.request("GET", f"{ADDRESS}{upload}/", headers={"X-API-Key": token})
    answer = link.getresponse()
    found = json.loads(answer.read())
    link.close()
    return int(found["next_line"]) if answer.status == 200 else 1


@pytest.mark.django_db(transaction=True)
def test_a_key_that_is_revoked_elsewhere_is_refused_by_a_process_that_used_it(admin, token):
    assert posted(admin, token, body_of(fixture()))[0] == 200
    services.revoke_key(key=ApiKey.objects.get(), by="ada", now=timezone.now())
    refused = posted_until(lambda status: status == 401, admin, token, body_of(fixture()))
    assert "was revoked" in refused[1]["detail"]
    # Not even the body of a large request is read.
    assert posted(admin, token, b"x" * (2 * 1024**2))[0] == 401


@pytest.mark.django_db(transaction=True)
def test_a_feed_goes_on_after_its_connection_broke(admin, token):
    lines, upload = many(600), uuid4()
    status, account, _ = posted(admin, token, body_of(*lines[:200]), f"?upload={upload}&from_line=1")
    assert (status, account["created"], account["next_line"]) == (200, 200, 201)
    content = body_of(*lines[200:400])
    with socket.create_connection(("127.0.0.1", admin)) as link:
        link.sendall(head_of(token, len(content), f"?upload={upload}&from_line=201") + content[: len(content) // 2])
    while (at := next_line(admin, token, upload)) != 600 + 1:
        assert at == 1 + Upload.objects.get().stored
        content = body_of(*lines[at - 1 : at + 199])
        status, account, headers = posted(admin, token, content, f"?upload={upload}&from_line={at}")
        if status == 409:
            # The server has not noticed yet that the first connection is gone.
            assert headers["retry-after"] == "5"
            time.sleep(0.2)
        else:
            assert (status, account["created"]) == (200, 200)
    assert Match.objects.count() == 600
    assert Ingest.objects.count() == 3


@pytest.mark.django_db(transaction=True)
def test_an_answer_that_was_lost_is_given_again(admin, token):
    content = body_of(*many(50))
    with socket.create_connection(("127.0.0.1", admin)) as link:
        head = head_of(token, len(content)).replace(b"\r\n\r\n", b"\r\nIdempotency-Key: once\r\n\r\n")
        link.sendall(head + content)
        # The link stays until the lines are stored: a server may drop a request whose client has gone before it began.
        end = time.monotonic() + TIMEOUT
        while Match.objects.count() < 50 and time.monotonic() < end:
            time.sleep(0.1)
    assert Match.objects.count() == 50
    status, account, headers = posted_until(
        lambda status: status != 409, admin, token, content, **{"Idempotency-Key": "once"}
    )
    assert (status, account["created"], headers["idempotency-replayed"]) == (200, 50, "true")
    assert Ingest.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_two_equal_requests_at_once_are_worked_on_once(admin, token):
    content, answers = body_of(*many(3_000)), []
    ready = threading.Barrier(2)

    def send() -> None:
        ready.wait()
        answers.append(posted(admin, token, content, **{"Idempotency-Key": "both"}))

    threads = [threading.Thread(target=send) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for status, account, headers in answers:
        if status == 409:
            assert (account["type"], headers["retry-after"]) == ("urn:spai:problem:request-under-way", "5")
        else:
            # On a busy machine the second may come when the first has its answer already; then it gets the same one.
            assert (status, account["created"]) == (200, 3_000)
    assert 200 in [status for status, *_ in answers]
    status, account, headers = posted(admin, token, content, **{"Idempotency-Key": "both"})
    assert (status, account["created"], headers["idempotency-replayed"]) == (200, 3_000, "true")
    assert (Ingest.objects.count(), Match.objects.count()) == (1, 3_000)


@pytest.mark.django_db(transaction=True)
def test_a_client_that_falls_silent_keeps_nobody_else_waiting(admin, token):
    with socket.create_connection(("127.0.0.1", admin)) as link:
        link.sendall(head_of(token, 1_000) + b"{")
        time.sleep(0.5)
        for path, status in (("/livez", 200), ("/readyz", 200), ("/metrics", 401)):
            other = http.client.HTTPConnection("127.0.0.1", admin, timeout=TIMEOUT)
            other.request("GET", path)
            assert other.getresponse().status == status
            other.close()
        # Nor does it hold the turn of its key, which begins when the body is there.
        assert posted(admin, token, body_of(fixture()))[0] == 200


@pytest.mark.django_db(transaction=True)
def test_a_client_that_asks_first_is_refused_before_it_sends(admin, token):
    def asked(token: str, length: int, content_type: str = NDJSON) -> int:
        head = head_of(token, length).replace(NDJSON.encode(), content_type.encode())
        with socket.create_connection(("127.0.0.1", admin), timeout=TIMEOUT) as link:
            link.sendall(head.replace(b"\r\n\r\n", b"\r\nExpect: 100-continue\r\n\r\n"))
            return int(link.recv(4096).split()[1])

    assert asked("spai_00000000_" + "0" * 64, 8_000_000) == 401
    assert asked(token, 8_000_000, "text/csv") == 415
    assert asked(token, 65 * 1024 * 1024) == 413
    assert asked(token, 8_000_000) == 100


@pytest.mark.django_db(transaction=True)
def test_a_body_in_chunks_is_refused_because_its_end_cannot_be_known(admin, token):
    def chunks():
        yield body_of(fixture())

    link = http.client.HTTPConnection("127.0.0.1", admin, timeout=TIMEOUT)
    headers = {"Authorization": f"Bearer {token}", "Content-Type": NDJSON}
    link.request("POST", ADDRESS, body=chunks(), headers=headers, encode_chunked=True)
    assert link.getresponse().status == 411
    link.close()
    assert not Match.objects.exists()
    connection.close()


def test_the_page_about_data_names_every_field_of_a_line():
    text = (Path(__file__).parents[2] / "docs" / "data.md").read_text(encoding="utf-8")
    written = {
        kind: re.findall(r"`(\w+)`", fields)
        for kind, fields in re.findall(r"^\| (match|odds) \| (`type`.*) \|$", text, flags=re.MULTILINE)
    }
    assert written == {
        "match": list(serializers.MatchLineSerializer().fields),
        "odds": list(serializers.OddsLineSerializer().fields),
    }
