"""Events over REST, and the AsyncAPI document that describes those of push."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import jsonschema
import pytest
from django.conf import settings

from apps.matches import events, feed
from apps.matches.ingest.changes import publish_matches
from apps.matches.models import Event, Topic
from apps.ml import services
from apps.ml.services.run_row import publish as publish_run
from tests.web.test_api import problem_of

ADDRESS = "/api/v1/events/"


@pytest.fixture
def five(build):
    """Five numbered events: three of one match, one of another and one of a world."""
    first, second = build.match("Northgate", "Old Mill"), build.match("Redfield", "Lakeside")
    for match in (first, second, first, first):
        events.publish_of_matches(topic=Topic.PREDICTION_PUBLISHED, events=[(match.pk, {"version": 1})], now=build.now)
    events.publish(topic=Topic.PROMOTION_MADE, key="sandbox", now=build.now, world="sandbox")
    events.number_events()
    return first


def numbers_of(body: dict) -> list[int]:
    return [event["number"] for event in body["results"]]


def test_following_next_gives_every_event_once_in_order(client, five):
    address, seen, more = f"{ADDRESS}?limit=2", [], True
    while more:
        body = client.get(address).json()
        seen += numbers_of(body)
        address, more = body["next"], body["has_more"]
    assert seen == [1, 2, 3, 4, 5]
    assert (body["number"], body["newest"], body["oldest"], body["is_reset"]) == (5, 5, 1, False)
    again = client.get(address).json()
    assert (again["results"], again["next"]) == ([], address)


def test_a_filter_keeps_its_place_in_the_numbers_that_it_leaves_out(client, five):
    body = client.get(f"{ADDRESS}?match={five.pk}&limit=3").json()
    assert numbers_of(body) == [1, 3, 4]
    assert body["number"] == 5
    event = body["results"][0]
    assert (event["match"], event["teams"], event["world"]) == (five.pk, ["northgate", "old-mill"], "sandbox")
    assert event["competition"] == "aldermark-crown-league"
    assert event["created_at"].endswith("Z")
    assert numbers_of(client.get(f"{ADDRESS}?topic=promotion.made&world=sandbox").json()) == [5]


def test_a_full_page_may_be_cached_for_long_and_the_newest_one_not(client, five):
    assert client.get(f"{ADDRESS}?limit=2")["Cache-Control"] == "max-age=3600"
    assert client.get(f"{ADDRESS}?after=3")["Cache-Control"] == "max-age=1"


def test_who_asks_for_what_is_not_kept_is_told_and_gets_what_is(client, build):
    Event.objects.create(number=6, topic="run.changed", key="1", created_at=build.now)
    body = client.get(f"{ADDRESS}?after=2").json()
    assert (body["is_reset"], body["oldest"], numbers_of(body)) == (True, 6, [6])
    assert client.get(f"{ADDRESS}?after=5").json()["is_reset"] is False


def test_before_the_first_event_the_page_is_empty(client, db):
    body = client.get(ADDRESS).json()
    assert (body["results"], body["number"], body["is_reset"], body["has_more"]) == ([], 0, False, False)


def test_a_number_from_the_future_is_a_conflict_that_names_the_newest(client, five):
    body = problem_of(client.get(f"{ADDRESS}?after=6"), 409)
    assert (body["newest"], body["type"]) == (5, "urn:spai:problem:future-number")


@pytest.mark.parametrize(
    ("query", "parameter"),
    [
        ("after=-1", "after"),
        (f"after={'9' * 30}", "after"),
        ("limit=0", "limit"),
        ("limit=1001", "limit"),
        ("topic=match.won", "topic"),
        ("world=mars", "world"),
        ("match=seven", "match"),
        ("team=", "team"),
        ("team=%00", "team"),
        ("topics=match.changed", "topics"),
    ],
)
def test_a_parameter_that_is_wrong_or_unknown_is_named(client, db, query, parameter):
    body = problem_of(client.get(f"{ADDRESS}?{query}"), 400)
    assert [error["parameter"] for error in body["errors"]] == [parameter]


@pytest.fixture
def document(client):
    return client.get("/api/asyncapi.json").json()


def validator_of(document: dict, name: str) -> jsonschema.Draft202012Validator:
    schema = {"$ref": f"#/components/schemas/{name}", "components": document["components"]}
    return jsonschema.Draft202012Validator(schema, format_checker=jsonschema.FormatChecker())


def test_the_document_names_this_installation_and_everything_that_it_refers_to(document):
    assert document["asyncapi"] == "3.0.0"
    assert document["servers"]["websocket"]["host"] == settings.SPAI_PUSH_URL.split("//")[1]
    assert document["servers"]["websocket"]["protocol"] == "ws"
    for reference in re.findall(r'"\$ref": "#/([^"]+)"', json.dumps(document)):
        target = document
        for part in reference.split("/"):
            target = target[part]
    for schema in document["components"]["schemas"]:
        jsonschema.Draft202012Validator.check_schema(document["components"]["schemas"][schema])


def test_the_document_has_every_topic_and_its_examples_are_valid(document):
    event = document["components"]["schemas"]["Event"]
    assert event["properties"]["topic"]["enum"] == Topic.values == [each["title"] for each in event["oneOf"]]
    for name, message in document["components"]["messages"].items():
        for example in message["examples"]:
            validator_of(document, name).validate(example["payload"])


def test_the_document_describes_the_events_that_services_publish(document, build, champion):
    coming = build.match(kickoff_at=build.now + timedelta(hours=3))
    played = build.match("Redfield", "Lakeside", kickoff_at=build.now - timedelta(days=2), goals=(2, 1))
    build.prediction(played, champion, (0.5, 0.3, 0.2))
    publish_matches([coming], now=build.now)
    services.settle_due(now=build.now)
    publish_run(build.run(status="succeeded"), build.now)
    services.promote(version=build.version(2), user=None, reason="a test", now=build.now)
    services.close_due(now=build.now + timedelta(days=1))
    events.number_events()
    published = list(Event.objects.order_by("number"))
    assert {event.topic for event in published} == {
        Topic.MATCH_CHANGED, Topic.SCORE_SETTLED, Topic.RUN_CHANGED, Topic.PROMOTION_MADE, Topic.LEDGER_PUBLISHED,
    }  # fmt: skip
    for event in published:
        validator_of(document, "Event").validate({"type": "event"} | feed.message_of(event))
