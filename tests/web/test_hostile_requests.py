"""Requests that try to cost a minute, to crash a process or to leave the site: each is answered as any other."""

from __future__ import annotations

import json

import pytest
from django.utils import timezone

from apps.api import services
from apps.api.models import ApiKeyScope

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
