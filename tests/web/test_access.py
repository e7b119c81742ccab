"""Who may call the API and how often, whatever the route; pages of other sites; compression."""

from __future__ import annotations

import asyncio
import gzip
import itertools
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from asgiref.sync import sync_to_async
from django.contrib.admindocs.views import simplify_regex
from django.db import connection
from django.db import connections as database_connections
from django.http import HttpResponse, StreamingHttpResponse
from django.test import Client, RequestFactory
from django.test.utils import CaptureQueriesContext
from django.urls import URLResolver
from django.utils import timezone

from apps.api import intake, services, urls
from apps.api.authentication import ApiKeyAuthentication, HasScope
from apps.api.models import ApiKey, ApiKeyScope
from apps.api.push import EventSocket, EventStream, LiveFeed
from apps.api.push import connections as push_connections
from apps.api.push.connections import NotAdmittedError, OpenConnections
from apps.api.rest import batch_body_limit, job_body_limit, prediction_jobs
from apps.api.services import admission
from spai import compression
from spai.buffering import BODY_LIMIT
from spai.stack.ports import free_port
from tests.web.test_api import problem_of

LIST = "/api/v1/matches/"
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "api-access.md"
UNKNOWN_KEY = "spai_00000000_" + "0" * 64
_addresses = (f"10.1.{n // 250}.{n % 250}" for n in itertools.count(1))


@pytest.fixture
def address() -> str:
    """An address from which nothing was requested yet."""
    return next(_addresses)


@pytest.fixture
def caller(address) -> Client:
    """A client at that address."""
    return Client(REMOTE_ADDR=address)


@pytest.fixture
def key_for(db):
    """Make keys with some scopes."""

    def make(*scopes: str, **fields) -> str:
        writes = {"source": "feed", "worlds": ["real"]} if "ingest" in scopes else {}
        made = services.create_key(
            name="Ada's page", scopes=scopes, created_by="ada", now=timezone.now(), **writes, **fields
        )
        return made.token

    return make


# ── Every route ──────────────────────────────────────────────────────────────────────────────────────────────────────
@dataclass(frozen=True)
class Route:
    """An address under /api/ with its view."""

    path: str
    methods: str
    view: type | None  # None for a page

    @property
    def address(self) -> str:
        """The path, with something in the place of each parameter."""
        return re.sub(r"<(\w+)>", lambda name: str(UUID(int=1)) if name[1] == "upload" else "1", self.path)


def routes(patterns: Iterable[Any], prefix: str = "") -> list[Route]:
    found = []
    for pattern in patterns:
        text = prefix + str(pattern.pattern).removeprefix("^")
        if isinstance(pattern, URLResolver):
            found += routes(pattern.url_patterns, text)
        elif text.startswith("api/"):
            view = getattr(pattern.callback, "cls", None)
            names = getattr(pattern.callback, "actions", None) or [
                name for name in ("get", "post", "put", "patch", "delete") if hasattr(view, name)
            ]
            methods = ", ".join(sorted({name.upper() for name in names} - {"HEAD"})) or "GET"
            found.append(Route(re.sub(r"<\w+:", "<", simplify_regex(text)), methods, view))
    return found


ROUTES = routes(urls.urlpatterns)
each_route = pytest.mark.parametrize("route", ROUTES, ids=lambda route: route.path)


def scope_of(route: Route) -> str:
    permissions = getattr(route.view, "permission_classes", [])
    (scope,) = [each.scope for each in permissions if isinstance(each, HasScope)] or ["–"]
    return str(scope)


def body_limit(route: Route, settings: Any) -> int:
    """The largest body that this route reads from whoever may call it, in the process that serves it."""
    environ = RequestFactory().post(route.address, content_type="application/x-ndjson").environ
    found = []
    for settings.SPAI_ROLE in ("web", "admin"):
        found += [limit(environ) for limit in (intake.body_limit, batch_body_limit, job_body_limit)]
    return max((limit for limit in found if limit is not None), default=BODY_LIMIT)


def test_the_document_lists_every_route_with_what_it_asks_for(settings, monkeypatch):
    for module in (intake.views, prediction_jobs):
        monkeypatch.setattr(module, "key_of", lambda meta, now: ApiKey(scopes=[ApiKeyScope.INGEST, ApiKeyScope.JOBS]))
    table = re.findall(
        r"^\| `(/api/\S+)` \| (.+?) \| (.+?) \| (\d+) \| (\d+) MiB \| (.+?) \|$", DOCUMENT.read_text(), re.M
    )
    written = {(path, methods, scope, int(cost), int(body)) for path, methods, scope, cost, body, rows in table}
    assert written == {
        (
            route.path,
            route.methods,
            scope_of(route),
            getattr(route.view, "request_cost", 1),
            body_limit(route, settings) // 1024**2,
        )
        for route in ROUTES
    }


@each_route
def test_no_view_has_a_way_around_the_keys(route):
    if route.view and scope_of(route) != "–":
        assert route.view.authentication_classes == [ApiKeyAuthentication]
        assert [type(each) for each in route.view.permission_classes] == [HasScope]


@each_route
@pytest.mark.parametrize(
    "headers",
    [
        {"Authorization": f"Bearer {UNKNOWN_KEY}"},
        {"X-API-Key": UNKNOWN_KEY},
        {"X-API-Key": "x"},
        {"Authorization": "Basic YTpi"},
        {"Authorization": ""},
    ],
    ids=["unknown", "unknown in the other header", "no key", "another scheme", "empty"],
)
def test_a_wrong_key_is_refused_on_every_route(caller, db, route, headers):
    response = caller.get(route.address, headers=headers)
    problem_of(response, 401)
    assert response["WWW-Authenticate"] == 'Bearer realm="spai", error="invalid_token"'
    assert response["Cache-Control"] == "no-store"
    assert "Authorization, X-API-Key" in response["Vary"]


def test_a_wrong_key_is_refused_where_there_is_nothing(caller, db):
    problem_of(caller.get("/api/v1/nothing/", headers={"X-API-Key": UNKNOWN_KEY}), 401)


@each_route
def test_every_response_says_what_is_left(caller, db, settings, route):
    settings.SPAI_LIMIT_ANONYMOUS = 50
    for method in (caller.get, caller.head, caller.options, caller.delete):
        response = method(route.address)
        assert response["RateLimit-Policy"] == '"anonymous";q=50;w=60', response
        assert re.fullmatch(r'"anonymous";r=\d+;t=\d+', response["RateLimit"])


# ── Scopes ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_without_a_key_programs_read_while_the_setting_says_so(caller, settings, build, champion, key_for):
    assert caller.get(LIST).status_code == 200
    settings.SPAI_ANONYMOUS_API = False
    refused = caller.get(LIST)
    assert "needs an API key with the scope 'read'" in problem_of(refused, 401)["detail"]
    assert refused["WWW-Authenticate"] == 'Bearer realm="spai"'
    problem_of(caller.get("/api/v1/what-if/?home=a&away=b"), 401)
    assert caller.get(LIST, headers={"X-API-Key": key_for("read")}).status_code == 200
    for page in ("/", "/what-if/", "/api/docs/", "/api/schema/"):
        assert caller.get(page).status_code == 200


@pytest.mark.parametrize("is_anonymous", [True, False])
def test_a_key_has_its_own_scopes_and_no_others(caller, settings, build, key_for, is_anonymous):
    settings.SPAI_ANONYMOUS_API = is_anonymous
    reads, predicts = key_for("read"), key_for("predict", "admin")
    assert caller.get(LIST, headers={"X-API-Key": reads}).status_code == 200
    refused = caller.get(LIST, headers={"X-API-Key": predicts})
    assert "lacks the scope 'read'; it has predict, admin" in problem_of(refused, 403)["detail"]
    problem_of(caller.get("/api/v1/what-if/?home=a&away=b", headers={"X-API-Key": reads}), 403)
    problem_of(caller.get("/api/v1/what-if/?home=a&away=b", headers={"X-API-Key": predicts}), 404)


def test_a_revoked_key_is_refused_at_once(caller, build, key_for):
    token = key_for("read")
    assert caller.get(LIST, headers={"X-API-Key": token}).status_code == 200
    key = ApiKey.objects.get()
    services.revoke_key(key=key, by="ada", now=timezone.now())
    # PostgreSQL tells each process to, at the end of the transaction: tests/db/api/test_known_keys.py.
    services.forget_key(key.prefix)
    assert "revoked" in problem_of(caller.get(LIST, headers={"X-API-Key": token}), 401)["detail"]


def test_a_key_costs_no_query_once_it_is_known(caller, build, key_for):
    token = key_for("read")
    caller.get(LIST, headers={"X-API-Key": token})
    with CaptureQueriesContext(connection) as with_key:
        caller.get(LIST, headers={"X-API-Key": token})
    with CaptureQueriesContext(connection) as without:
        caller.get(LIST)
    assert len(with_key) == len(without)
    assert ApiKey.objects.get().latest_used_at


def test_only_who_has_the_key_may_keep_what_it_got(caller, build, key_for):
    plain = caller.get(LIST)
    assert plain["Cache-Control"] == "no-cache"
    assert {"Authorization", "X-API-Key"} <= set(plain["Vary"].split(", "))
    assert set(caller.get(LIST, headers={"X-API-Key": key_for("read")})["Cache-Control"].split(", ")) == {
        "no-cache",
        "private",
    }


# ── Limits ───────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_beyond_the_limit_an_address_waits_and_others_do_not(caller, settings, build, key_for):
    settings.SPAI_LIMIT_ANONYMOUS = 3
    assert [caller.get(LIST).status_code for _ in range(5)] == [200, 200, 200, 429, 429]
    refused = caller.get(LIST)
    body = problem_of(refused, 429)
    assert body["type"] == "urn:spai:problem:quota-exceeded"
    assert (
        body["detail"] == f"Your address may send 3 requests a minute. Try again in {refused['Retry-After']} seconds."
    )
    assert 1 <= int(refused["Retry-After"]) <= 60
    assert refused["RateLimit"] == f'"anonymous";r=0;t={refused["Retry-After"]}'
    assert refused["Cache-Control"] == "no-store"
    assert Client(REMOTE_ADDR=next(_addresses)).get(LIST).status_code == 200
    assert caller.get("/").status_code == 200


def test_a_refused_request_costs_no_query(caller, settings, build):
    settings.SPAI_LIMIT_ANONYMOUS = 1
    caller.get(LIST)
    with CaptureQueriesContext(connection) as queries:
        problem_of(caller.get(LIST), 429)
        problem_of(caller.get(LIST, headers={"X-API-Key": UNKNOWN_KEY}), 429)
    assert len(queries) == 0


def test_a_key_has_a_limit_of_its_own_wherever_it_is_used(settings, build, key_for):
    settings.SPAI_LIMIT_KEY = 3
    token, other = key_for("read"), key_for("read", requests_per_minute=5)
    statuses = {
        each: [
            Client(REMOTE_ADDR=next(_addresses)).get(LIST, headers={"X-API-Key": each}).status_code for _ in range(6)
        ]
        for each in (token, other)
    }
    assert statuses == {token: [200] * 3 + [429] * 3, other: [200] * 5 + [429]}


def test_what_is_computed_counts_as_several_requests(caller, settings, db):
    settings.SPAI_LIMIT_ANONYMOUS = 12
    what_if = "/api/v1/what-if/?home=a&away=b"
    assert [caller.get(what_if).status_code for _ in range(3)] == [404, 404, 429]
    assert "this one counts as 5" in caller.get(what_if).json()["detail"]
    assert [caller.get(LIST).status_code for _ in range(3)] == [200, 200, 429]


def test_guesses_of_keys_are_limited_as_other_requests_of_the_address(caller, settings, db, key_for):
    settings.SPAI_LIMIT_ANONYMOUS = 3
    token = key_for("read")
    # The first has the form of a key, the second the prefix of one, the third no form.
    guesses = [UNKNOWN_KEY, token[:-4] + "0000", "x", UNKNOWN_KEY]
    statuses = [caller.get(LIST, headers={"X-API-Key": guess}).status_code for guess in guesses]
    assert statuses == [401, 401, 401, 429]


def test_neighbours_in_a_network_of_ipv6_are_one_client(settings, db):
    settings.SPAI_LIMIT_ANONYMOUS = 2
    statuses = [Client(REMOTE_ADDR=f"2001:db8:7:7::{n}").get(LIST).status_code for n in range(1, 4)]
    assert statuses == [200, 200, 429]
    assert Client(REMOTE_ADDR="2001:db8:7:8::1").get(LIST).status_code == 200


def test_a_client_without_an_address_is_limited_too(settings, db):
    settings.SPAI_LIMIT_ANONYMOUS = 1
    assert [Client(REMOTE_ADDR="").get(LIST).status_code for _ in range(2)] == [200, 429]


def test_without_redis_the_limit_holds_in_each_process(caller, settings, build, monkeypatch):
    gone = services.shared_counter(f"redis://127.0.0.1:{free_port()}/0")
    alone = admission.Throttle(gone)
    monkeypatch.setattr(admission, "_throttle", lambda: alone)
    settings.SPAI_LIMIT_ANONYMOUS = 3
    assert [caller.get(LIST).status_code for _ in range(5)] == [200, 200, 200, 429, 429]


# ── Pages of other sites ─────────────────────────────────────────────────────────────────────────────────────────────
ORIGIN = "https://example.org"


def test_a_listed_origin_may_call_the_api_and_no_page(caller, settings, build):
    assert "Access-Control-Allow-Origin" not in caller.get(LIST, headers={"Origin": ORIGIN})
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    allowed = caller.get(LIST, headers={"Origin": ORIGIN})
    assert allowed["Access-Control-Allow-Origin"] == ORIGIN
    assert "Access-Control-Allow-Credentials" not in allowed
    exposed = set(allowed["Access-Control-Expose-Headers"].split(", "))
    assert exposed >= {"ETag", "Link", "RateLimit", "Retry-After", "Location", "X-Request-ID"}
    assert "Access-Control-Allow-Origin" not in caller.get(LIST, headers={"Origin": "https://example.com"})
    assert "Access-Control-Allow-Origin" not in caller.get("/", headers={"Origin": ORIGIN})


def test_a_refusal_can_be_read_by_a_listed_origin(caller, settings, db):
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    refused = caller.get(LIST, headers={"Origin": ORIGIN, "X-API-Key": "x"})
    assert (refused.status_code, refused["Access-Control-Allow-Origin"]) == (401, ORIGIN)


def test_a_preflight_needs_no_key_and_counts_as_no_request(caller, settings, db):
    settings.CORS_ALLOWED_ORIGINS = [ORIGIN]
    settings.SPAI_ANONYMOUS_API = False
    asked = {"Origin": ORIGIN, "Access-Control-Request-Method": "GET", "Access-Control-Request-Headers": "x-api-key"}
    response = caller.options(LIST, headers=asked)
    assert (response.status_code, response["Access-Control-Allow-Origin"]) == (200, ORIGIN)
    assert {"authorization", "x-api-key"} <= set(response["Access-Control-Allow-Headers"].split(", "))
    assert "RateLimit" not in response


def settings_with(**variables: str) -> str:
    """What the settings say of some variables: the origins and limits, or what is wrong."""
    shown = "SPAI_CORS_ORIGINS, s.SPAI_PUSH_ORIGINS[-2:], s.SPAI_LIMIT_KEY, s.SPAI_ANONYMOUS_API"
    command = [sys.executable, "-c", f"from spai import settings as s; print(s.{shown})"]
    done = subprocess.run(command, env=os.environ | variables, capture_output=True, text=True, check=False)
    return done.stdout.strip() or done.stderr.strip().splitlines()[-1]


def test_the_settings_are_read_and_wrong_ones_are_named():
    right = {"SPAI_CORS_ORIGINS": "https://a.example,http://b.example:8080", "SPAI_LIMIT_KEY": "70"}
    origins = "['https://a.example', 'http://b.example:8080']"
    assert settings_with(**right, SPAI_ANONYMOUS_API="false") == f"{origins} {origins} 70 False"
    for origin in ("*", "https://example.org/", "null"):
        assert f"SPAI_CORS_ORIGINS contains '{origin}'" in settings_with(SPAI_CORS_ORIGINS=origin)
    assert "SPAI_LIMIT_KEY is -1; it must be 0 or more" in settings_with(SPAI_LIMIT_KEY="-1")


# ── Compression ──────────────────────────────────────────────────────────────────────────────────────────────────────
GZIP = {"Accept-Encoding": "gzip, br"}


def test_json_and_pages_are_compressed_for_whoever_accepts_it(caller, build):
    for number in range(5):
        build.match("Northgate", f"Club {number}")
    for address in (LIST, "/"):
        plain, packed = caller.get(address), caller.get(address, headers=GZIP)
        assert packed["Content-Encoding"] == "gzip"
        assert int(packed["Content-Length"]) == len(packed.content) < len(plain.content)
        assert "Content-Encoding" not in plain
        assert "Accept-Encoding" in plain["Vary"]
        if address == LIST:
            assert gzip.decompress(packed.content) == plain.content


def test_who_has_the_compressed_content_gets_304_with_the_same_etag(caller, build):
    for number in range(5):
        build.match("Northgate", f"Club {number}")
    packed = caller.get(LIST, headers=GZIP)
    assert packed["ETag"].startswith('W/"')
    for headers in (GZIP, {}):
        for etag in (packed["ETag"], packed["ETag"].removeprefix("W/")):
            again = caller.get(LIST, headers=headers | {"If-None-Match": etag})
            assert (again.status_code, again["ETag"]) == (304, packed["ETag"])
            assert "Accept-Encoding" in again["Vary"]


def test_small_bodies_and_streams_are_sent_as_they_are():
    request = RequestFactory().get("/", headers=GZIP)
    small = b"x" * (compression.SMALLEST - 1)
    for response in (HttpResponse(small), StreamingHttpResponse(iter([b"x" * 5000]))):
        answered = compression.CompressionMiddleware(lambda request, given=response: given)(request)
        assert "Content-Encoding" not in answered
        assert "Accept-Encoding" in answered["Vary"]
    large = compression.CompressionMiddleware(lambda request: HttpResponse(small + b"x"))(request)
    assert large["Content-Encoding"] == "gzip"


# ── Push, which no middleware stands before ──────────────────────────────────────────────────────────────────────────
PAGE = "http://127.0.0.1:8000"


@pytest.mark.parametrize(
    ("anonymous", "headers", "status"),
    [
        (True, {}, None),
        (False, {}, 401),
        (False, {"origin": PAGE}, None),
        (False, {"origin": "https://elsewhere.example"}, 401),
        (True, {"authorization": "Basic YTpi"}, 401),
    ],
)
async def test_a_connection_to_push_needs_a_key_where_a_request_does(settings, anonymous, headers, status):
    settings.SPAI_ANONYMOUS_API = anonymous
    connections = OpenConnections(most=1, most_of_address=1, page_origins=[PAGE])
    scope = {"client": ("10.0.0.1", 1), "headers": [(name.encode(), text.encode()) for name, text in headers.items()]}
    found = None
    for _ in range(2):  # one that was refused is not counted as open
        try:
            async with connections.admitted(scope):
                found = None
        except NotAdmittedError as error:
            found = error.status
        assert found == status


class Endless:
    """A client of push that says nothing and never leaves."""

    def __init__(self, token: str) -> None:
        headers = [(b"authorization", f"Bearer {token}".encode())]
        self.scope = {"client": ("10.0.0.1", 1), "headers": headers, "query_string": b"", "path": "/"}
        self.sent: list[dict] = []
        self._first = True

    async def receive(self):
        if not self._first:
            await asyncio.Event().wait()
        self._first = False
        return {"type": "websocket.connect"}

    async def send(self, message):
        self.sent.append(message)


@pytest.mark.django_db(transaction=True)
async def test_connections_end_while_a_process_drains_and_are_told_to_connect_again():
    key = await sync_to_async(services.create_key)(name="Ada", scopes=["read"], created_by="ada", now=timezone.now())
    feed, admitted = LiveFeed(), OpenConnections(most=9, most_of_address=9, drain_seconds=0.01)
    socket, stream = Endless(key.token), Endless(key.token)
    socket.scope |= {"type": "websocket", "url_route": {"kwargs": {}}}
    stream.scope |= {"type": "http", "method": "GET"}
    stream._first = False
    both = [
        asyncio.create_task(EventSocket(feed, admitted)(socket.scope, socket.receive, socket.send)),
        asyncio.create_task(EventStream(feed, admitted, [])(stream.scope, stream.receive, stream.send)),
    ]
    async with asyncio.timeout(30):
        while not (socket.sent[1:] and stream.sent[1:]):
            await asyncio.sleep(0.01)
        admitted.drain()
        await asyncio.gather(*both)
    await sync_to_async(database_connections.close_all)()
    assert socket.sent[-1] == {"type": "websocket.close", "code": 1012}
    assert "Connect again" in json.loads(socket.sent[-2]["text"])["detail"]
    assert b"retry: " in stream.sent[1]["body"]
    assert stream.sent[-1] == {"type": "http.response.body", "body": b""}


@pytest.mark.django_db(transaction=True)
async def test_a_connection_ends_when_its_key_is_revoked(monkeypatch):
    monkeypatch.setattr(push_connections, "CHECK_SECONDS", 0.01)
    now = timezone.now()
    key = await sync_to_async(services.create_key)(name="Ada", scopes=["read"], created_by="ada", now=now)
    feed, admitted = LiveFeed(), OpenConnections(most=9, most_of_address=9)
    socket, stream = Endless(key.token), Endless(key.token)
    socket.scope |= {"type": "websocket", "url_route": {"kwargs": {}}}
    stream.scope |= {"type": "http", "method": "GET"}
    stream._first = False
    both = [
        asyncio.create_task(EventSocket(feed, admitted)(socket.scope, socket.receive, socket.send)),
        asyncio.create_task(EventStream(feed, admitted, [])(stream.scope, stream.receive, stream.send)),
    ]
    async with asyncio.timeout(30):
        while not (socket.sent[1:] and stream.sent[1:]):
            await asyncio.sleep(0.01)
        await sync_to_async(services.revoke_key)(key=key.row, by="ada", now=now)
        services.forget_key()
        await asyncio.gather(*both)
    await sync_to_async(database_connections.close_all)()
    assert socket.sent[-1] == {"type": "websocket.close", "code": 4401}
    assert "revoked" in json.loads(socket.sent[-2]["text"])["detail"]
