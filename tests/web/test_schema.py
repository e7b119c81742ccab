"""The OpenAPI document: that it is complete, agreed, and true of what the routes answer.

`make client` renews `apps/api/examples.json`, `tests/web/openapi.json` and the Python client. Look at the differences:
they are what other programs see.
"""

from __future__ import annotations

import json
import re
from datetime import timedelta
from typing import Any

import jsonschema
import pytest
from django.core.management import call_command
from django.urls import get_resolver

from apps.api import schema, services
from apps.api.models import ApiKeyScope, PredictionJob, Webhook, WebhookDelivery
from apps.matches.models import Event
from apps.ml.services import close_due
from apps.scraping.services.sources import ensure_sources
from tests.db.api.conftest import fixture
from tests.web.conftest import HERE, read_json

LINE = json.dumps(fixture(source_id="m1"), ensure_ascii=False) + "\n"
UUID = "00000000-0000-4000-8000-000000000001"
"""Of the upload, the job and the webhook; each random one is recorded as this."""
PREDICTION = 101
DELIVERY = 1_000_000
"""Above the ids that other tests have used: the list of deliveries begins with it."""
GRADED = {"kind": "graded_forecasts", "since": "2026-11-22T00:00:00Z", "until": "2026-11-23T00:00:00Z"}
WEBHOOK = {"url": "https://203.0.113.7/spai", "topics": ["match.changed", "prediction.published"]}
REQUESTS: dict[str, dict[str, Any]] = {
    "ingest": {
        "method": "POST",
        "address": f"/api/v1/ingest/?upload={UUID}&from_line=1",
        "body": LINE,
        "content_type": "application/x-ndjson",
    },
    "upload": {"address": f"/api/v1/ingest/{UUID}/"},
    "root": {"address": "/api/v1/"},
    "bookmakers": {"address": "/api/v1/bookmakers/"},
    "closing_gap": {"address": "/api/v1/scores/closing-gap/?world=sandbox"},
    "competition": {"address": "/api/v1/competitions/aldermark-crown-league/"},
    "competitions": {"address": "/api/v1/competitions/?world=sandbox"},
    "events": {"address": "/api/v1/events/?match=1001&limit=1"},
    "features": {"address": "/api/v1/features/?family=elo"},
    "ledger": {"address": "/api/v1/ledger/?world=sandbox"},
    "ledger_day": {"address": "/api/v1/ledger/2026-11-22/?world=sandbox"},
    "ledger_leaves": {"address": "/api/v1/ledger/2026-11-22/leaves/?world=sandbox"},
    "live_comparison": {"address": "/api/v1/live-comparisons/sandbox/2/"},
    "live_comparisons": {"address": "/api/v1/live-comparisons/?world=sandbox"},
    "matches_list": {"address": "/api/v1/matches/?competition=aldermark-crown-league&page_size=1"},
    "matches_prediction_retrieve": {"address": "/api/v1/matches/1001/prediction/"},
    "matches_retrieve": {"address": "/api/v1/matches/1001/"},
    "model": {"address": "/api/v1/models/sandbox/1/"},
    "models": {"address": "/api/v1/models/?world=sandbox"},
    "prediction_job_list": {"address": "/api/v1/prediction-jobs/?state=succeeded"},
    "prediction_job": {"address": f"/api/v1/prediction-jobs/{UUID}/"},
    "prediction_job_result": {"address": f"/api/v1/prediction-jobs/{UUID}/result/"},
    "prediction_job_cancel": {"method": "POST", "address": f"/api/v1/prediction-jobs/{UUID}/cancel/"},
    "prediction_job_create": {"method": "POST", "address": "/api/v1/prediction-jobs/", "body": GRADED},
    "prediction_proof": {"address": f"/api/v1/predictions/{PREDICTION}/proof/"},
    "predictions": {"address": "/api/v1/predictions/?competition=aldermark-crown-league&page_size=1"},
    "predictions_batch": {
        "method": "POST",
        "address": "/api/v1/predictions/batch/",
        "body": {"items": [1001, {"home": "northgate", "away": "nobody"}]},
    },
    "scores": {"address": "/api/v1/scores/?team=northgate"},
    "season_forecast": {"address": "/api/v1/competitions/aldermark-crown-league/season-forecast/"},
    "season_forecasts": {"address": "/api/v1/season-forecasts/?world=sandbox"},
    "seasons": {"address": "/api/v1/seasons/?competition=aldermark-crown-league"},
    "source": {"address": "/api/v1/sources/sandbox/"},
    "sources": {"address": "/api/v1/sources/?page_size=1"},
    "table": {"address": "/api/v1/competitions/aldermark-crown-league/table/?season=2026-27"},
    "team": {"address": "/api/v1/teams/northgate/"},
    "teams": {"address": "/api/v1/teams/?q=northgate"},
    "webhook_list": {"address": "/api/v1/webhooks/"},
    "webhook_create": {"method": "POST", "address": "/api/v1/webhooks/", "body": WEBHOOK},
    "webhook": {"address": f"/api/v1/webhooks/{UUID}/"},
    "webhook_change": {"method": "PATCH", "address": f"/api/v1/webhooks/{UUID}/", "body": {"team": "northgate"}},
    "webhook_ping": {"method": "POST", "address": f"/api/v1/webhooks/{UUID}/ping/"},
    "webhook_deliveries": {"address": f"/api/v1/webhooks/{UUID}/deliveries/?page_size=1"},
    "webhook_replay": {"method": "POST", "address": f"/api/v1/webhooks/{UUID}/deliveries/{DELIVERY}/replay/"},
    "webhook_delete": {"method": "DELETE", "address": f"/api/v1/webhooks/{UUID}/"},
    "what_if": {"address": "/api/v1/what-if/?home=northgate&away=old-mill"},
}
"""Operation → the request whose answer is its example, sent in this order; a body that is no text is sent as JSON.

A route that is not here has no example, and a test says so.
"""

MATCHES = (1000, 1001, 1002, 1003)
"""Ids of the matches of these tests; other ids count what was stored before."""

ANY_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")

STEADY = {
    "ingest": 7,
    "data_snapshot": 7,
    "season_id": 7,
    "created_at": "2026-11-23T12:00:00Z",
    "updated_at": "2026-11-23T12:00:00Z",
    "secret": "whsec_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=",
}
"""What is recorded for members that count what was stored before, or are of the clock of the database."""


@pytest.fixture
def world(build, champion, answers, settings):
    """The rows that the requests ask for, and the header with a key."""
    _ = get_resolver().url_patterns
    settings.SPAI_ROLE, settings.SPAI_LIMIT_KEY = "admin", 6_000
    settings.SPAI_WEBHOOK_HOSTS = ["203.0.113.7"]
    played = build.match(kickoff_at=build.now - timedelta(days=1), goals=(2, 1), pk=MATCHES[0])
    match = build.match(pk=MATCHES[1])
    build.match("Old Mill", "Northgate", pk=MATCHES[2], kickoff_at=build.now + timedelta(days=7))
    build.prediction(match, champion)
    build.score(build.prediction(played, champion, pk=PREDICTION))
    build.gap(champion, None)
    build.season_end(match.season, champion, ["Northgate", "Old Mill"])
    challenger = build.version(2)
    build.comparison(challenger, champion)
    build.shadow(champion, challenger, p=(0.6, 0.2, 0.2), pk=MATCHES[3])
    key = services.create_key(
        name="Ada", source="feed", worlds=["real"], scopes=ApiKeyScope.values, created_by="ada", now=build.now
    )
    ensure_sources(now=build.now)
    of_match = {"match_id": match.pk, "competition": match.season.competition.slug, "world": "sandbox"}
    teams = {"home_team": match.home_team.slug, "away_team": match.away_team.slug}
    Event.objects.create(number=1, topic="match.changed", key=str(match.pk), created_at=build.now, **of_match, **teams)
    close_due(now=build.now)
    services.create_webhook(api_key=key.row, **WEBHOOK, now=build.now)
    Webhook.objects.update(uuid=UUID)
    services.ping(webhook=Webhook.objects.get(), now=build.now)
    WebhookDelivery.objects.update(id=DELIVERY)
    period = {"since": build.now - timedelta(days=7), "until": build.now}
    services.submit_job(api_key=key.row, kind="graded_forecasts", parameters=period, now=build.now)
    services.run_jobs(clock=lambda: build.now)
    PredictionJob.objects.update(uuid=UUID)
    return {"Authorization": f"Bearer {key.token}"}


@pytest.fixture
def answered(client, world) -> dict[str, Any]:
    """The responses of the views to `REQUESTS`."""
    found = {}
    for name, request in REQUESTS.items():
        body = request.get("body", "")
        found[name] = client.generic(
            request.get("method", "GET"),
            request["address"],
            body if isinstance(body, str) else json.dumps(body),
            request.get("content_type", "application/json"),
            headers=world,
            SERVER_NAME="127.0.0.1",
            SERVER_PORT="8000",
        )
        assert found[name].status_code < 300, (name, found[name].content)
    return found


@pytest.fixture
def document(tmp_path, db) -> dict[str, Any]:
    """The document as it is made now, without warnings and valid."""
    made = tmp_path / "openapi.json"
    schema.examples.cache_clear()
    call_command("spectacular", "--format", "openapi-json", "--file", str(made), "--validate", "--fail-on-warn")
    return json.loads(made.read_text())


def operations(document: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {operation["operationId"]: operation for path in document["paths"].values() for operation in path.values()}


def example_of(name: str, response: Any) -> dict[str, Any]:
    """What is recorded of an answer."""
    kind = response.get("Content-Type", "").partition(";")[0]
    request = {key: REQUESTS[name][key] for key in ("address", "body") if key in REQUESTS[name]}
    answer = response.json() if kind == "application/json" else response.content.decode()
    return request | {"status": response.status_code, "type": kind, "answer": _steady(answer)}


def _steady(answer: Any) -> Any:
    if isinstance(answer, dict):
        # A team may have the id of a match.
        is_match = "kickoff_at" in answer and answer.get("id") in MATCHES
        steady = STEADY if is_match else STEADY | {"id": 7}
        return {
            key: steady[key] if isinstance(value, type(steady.get(key, ...))) else _steady(value)
            for key, value in answer.items()
        }
    if isinstance(answer, list):
        return [_steady(each) for each in answer]
    return ANY_UUID.sub(UUID, answer) if isinstance(answer, str) else answer


# ── These two are first in the order in which `make client` runs them ────────────────────────────────────────────────
def test_each_example_is_what_the_route_answers(answered, renew):
    found = {name: example_of(name, response) for name, response in answered.items()}
    if renew:
        schema.EXAMPLES.write_text(json.dumps(found, indent=1, sort_keys=True, ensure_ascii=False) + "\n")
    assert found == json.loads(schema.EXAMPLES.read_text())


def test_the_document_is_the_one_that_was_agreed(document, renew):
    if renew:
        (HERE / "openapi.json").write_text(json.dumps(document, indent=4, ensure_ascii=False))
    assert document == read_json("openapi.json")


# ── Complete ─────────────────────────────────────────────────────────────────────────────────────────────────────────
def test_each_operation_has_an_example_a_summary_and_a_described_tag(document):
    tags = {tag["name"] for tag in document["tags"] if tag["description"]}
    for name, operation in operations(document).items():
        assert operation["summary"], name
        assert set(operation["tags"]) <= tags, f"SPECTACULAR_SETTINGS describes no tag {operation['tags']}"
        media = [
            each
            for status, response in operation["responses"].items()
            for each in response.get("content", {}).values()
            if status.startswith("2")
        ]
        assert not media or any("example" in each for each in media), f"{name}: add a request to REQUESTS"


def test_each_problem_says_what_it_is(document):
    shared = document["components"]["responses"]
    for name, operation in operations(document).items():
        statuses = operation["responses"].keys()
        assert {"400", "406", "429", "503"} <= statuses, name
        assert any(operation["security"]) <= ({"401", "403"} <= statuses), name
        assert ("requestBody" in operation) <= ({"413", "415", "422"} <= statuses), name
        for status, response in operation["responses"].items():
            response = shared[response["$ref"].rpartition("/")[2]] if "$ref" in response else response
            assert response["description"], (name, status)
            assert "X-Request-ID" in response["headers"], (name, status)
            if status >= "400":
                assert list(response["content"]) == [schema.PROBLEM_TYPE], (name, status)


def test_numbers_of_paths_and_queries_are_bounded(document):
    for name, operation in operations(document).items():
        for parameter in operation.get("parameters", ()):
            schema_of = parameter.get("schema", {})
            if schema_of.get("type") in ("integer", "number"):
                assert {"minimum", "maximum"} <= schema_of.keys(), (name, parameter["name"])


def test_the_servers_are_those_of_the_settings(document, settings):
    assert [server["url"] for server in document["servers"]] == [settings.SPAI_WEB_URL]
    assert operations(document)["ingest"]["servers"] == [{"url": settings.SPAI_ADMIN_URL}]


# ── True ─────────────────────────────────────────────────────────────────────────────────────────────────────────────
@pytest.mark.parametrize("name", sorted(REQUESTS))
def test_the_answer_has_the_described_shape_and_headers(name):
    described = read_json("openapi.json")
    operation = operations(described)[name]
    example = json.loads(schema.EXAMPLES.read_text())[name]
    response = operation["responses"][str(example["status"])]
    if example["type"] == "application/json":
        shape = {**response["content"]["application/json"]["schema"], "components": described["components"]}
        jsonschema.Draft202012Validator(shape, format_checker=jsonschema.FormatChecker()).validate(example["answer"])


def test_the_described_headers_are_sent(answered):
    described = operations(read_json("openapi.json"))
    for name, response in answered.items():
        headers = described[name]["responses"][str(response.status_code)]["headers"]
        wanted = {each for each, header in headers.items() if "$ref" in header or header.get("required")}
        assert wanted <= response.headers.keys(), name
        assert ("ETag" in response.headers) == ("304" in described[name]["responses"]), name


def test_a_media_type_that_no_route_has_is_a_problem(client, build):
    response = client.get("/api/v1/matches/", headers={"Accept": "image/png"})
    assert (response.status_code, response["Content-Type"]) == (406, schema.PROBLEM_TYPE)
