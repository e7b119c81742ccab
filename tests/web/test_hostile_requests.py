"""Requests that try to cost a minute, to crash a process or to leave the site: each is answered as any other."""

from __future__ import annotations

import io
import json
import sys

import pytest
from django.core.handlers.wsgi import WSGIHandler
from django.core.signals import request_finished, request_started
from django.db import close_old_connections
from django.utils import timezone
from rest_framework.exceptions import ValidationError

from apps.api import services
from apps.api.models import ApiKeyScope
from apps.api.rest.bodies import UNKNOWN_NAMED
from apps.api.rest.job_requests import parameters_of
from apps.api.rest.webhooks import WebhookFields
from spai.buffering.wsgi import call, environ_of
from spai.charsets import utf8_application
from tests.pure.test_buffering import Client as AsgiClient

LONG, DIGITS = "a" * 60_000, "9" * 5_000

READS = [
    f"/search/?q={LONG}",
    "/search/?q=" + "%25_" * 500,
    "/?day=9999-12-31",
    "/?day=0001-01-01",
    f"/?day={DIGITS}",
    f"/features/?page={DIGITS}",
    "/ledger/?page=99999999999999999999",
    f"/matches/{DIGITS}/",
    f"/models/real/{DIGITS}/",
    "/competitions/" + "a-" * 20_000 + "/",
    "/zone/?zone=../../etc/passwd",
    f"/what-if/?home={LONG}",
    f"/api/v1/matches/?cursor={LONG}",
    "/api/v1/matches/?page_size=1000000",
    "/api/v1/matches/?team=" + "x," * 5_000,
    "/api/v1/matches/?from=9999-12-31T23:59:59Z&until=0001-01-01",
    f"/api/v1/events/?after={DIGITS}",
    "/api/v1/what-if/?away=b&home=" + "(a+)+" * 4_000,
    "/api/v1/what-if/?home=a&away=b&at=%2B999999-01-01",
    "/api/v1/ledger/9999-99-99/",
    f"/api/v1/predictions/{DIGITS}/proof/",
    "/api/v1/matches/?from=%2500",
    "/api/v1/matches/?from=%25s",
    *(f"/api/v1/{name}/?ordering=" for name in ("teams", "competitions", "models", "predictions")),
]
BATCH, JOBS = "/api/v1/predictions/batch/", "/api/v1/prediction-jobs/"
WRITES = [
    (BATCH, "[" * 900_000),
    (BATCH, '{"items":' + "[" * 900 + "]" * 900 + "}"),
    (BATCH, '{"items":[{"match":1e400}]}'),
    (BATCH, '{"items":[{"match":' + "9" * 200_000 + "}]}"),
    (BATCH, '{"items":[{"home":"' + "(a+)+" * 4_000 + '","away":"b"}]}'),
    (JOBS, '{"kind":"season_simulation","competition":"x","simulations":999999999999}'),
    (JOBS, "{" + ",".join(f'"{n}":1' for n in range(50_000)) + "}"),
    ("/api/v1/webhooks/", '{"url":"https://[::ffff:7f00:1]/","topics":["match.changed"]}'),
    ("/api/v1/webhooks/", json.dumps({"url": "https://example.org/", "topics": ["match.changed"], "match": 10**4_000})),
]


@pytest.mark.parametrize("address", READS, ids=lambda address: address[:40])
def test_a_hostile_address_is_answered(client, champion, address):
    assert client.get(address).status_code in (200, 302, 400, 404)


@pytest.mark.parametrize(("address", "body"), WRITES, ids=range(len(WRITES)))
def test_a_hostile_body_is_refused(client, champion, address, body):
    scopes = [ApiKeyScope.PREDICT, ApiKeyScope.JOBS]
    token = services.create_key(name="Ada", scopes=scopes, created_by="tests", now=timezone.now()).token
    headers = {"Authorization": f"Bearer {token}"}
    response = client.post(address, body, content_type="application/json", headers=headers)
    # A batch answers each of its items.
    items = response.json().get("items", []) if response.status_code == 200 else []
    assert response.status_code in (400, 404, 422) or all("error" in item for item in items), response.content[:300]


SEASON = {"kind": "season_simulation", "competition": "x"}


@pytest.mark.parametrize(
    ("read", "name", "items"),
    [(parameters_of, "locked", [{}] * 1_001), (WebhookFields.read, "topics", ["a"] * 1_000)],
)
def test_a_list_that_is_too_long_is_refused_without_a_look_at_its_items(read, name, items):
    with pytest.raises(ValidationError) as refused:
        read({**SEASON, name: items} if name == "locked" else {"url": "https://example.org/", name: items})
    assert [each.code for each in refused.value.detail[name]] == ["max_length"]


def test_of_many_unknown_members_the_first_are_named():
    with pytest.raises(ValidationError) as refused:
        parameters_of(SEASON | {f"member{n}": 1 for n in range(1_000)})
    assert len(refused.value.detail) == UNKNOWN_NAMED


@pytest.mark.parametrize("charset", ["zlib", "undefined", "idna", "utf-16", "cp037", "unknown", "\xff"])
@pytest.mark.parametrize("path", ["/search/?q=%41", "/api/v1/matches/?page_size=1"])
def test_parameters_are_utf8_whatever_the_client_says(champion, serve, path, charset):
    headers = [("Host", "localhost"), ("Content-Type", f"text/plain; charset={charset}")]
    assert serve(path, headers).status == 200


@pytest.mark.parametrize("kind", ["application/x-www-form-urlencoded", "multipart/form-data; boundary=x"])
@pytest.mark.parametrize("charset", ["zlib", "punycode", "latin-1"])
def test_a_form_in_another_charset_is_refused(serve, kind, charset):
    headers = [("Host", "localhost"), ("Sec-Fetch-Site", "same-origin"), ("Content-Type", f"{kind}; charset={charset}")]
    assert serve("/follow/", headers, method="POST").status == 400


@pytest.fixture
def serve(db):
    """A function that sends a request to the application of the processes."""
    for signal in (request_started, request_finished):
        signal.disconnect(close_old_connections)
    application = utf8_application(WSGIHandler())

    def ask(path, headers, method="GET"):
        scope = AsgiClient(path=path, headers=headers, method=method).scope
        scope["path"], _, query = path.partition("?")
        scope |= {"raw_path": scope["path"].encode(), "query_string": query.encode()}
        return call(application, environ_of(scope) | {"wsgi.input": io.BytesIO(), "wsgi.errors": sys.stderr})

    yield ask
    for signal in (request_started, request_finished):
        signal.connect(close_old_connections)
