"""What every route of the API has in common, and the lists by which a program finds its way."""

from __future__ import annotations

import json
import re
from datetime import timedelta

import pytest
from django.urls import reverse
from django.utils import timezone

from apps.api import services
from apps.api.rest.batch import BATCH_PATH
from apps.api.rest.root import routes
from apps.ml import services as ml_services
from apps.ml.models import Prediction
from tests.web.test_api import problem_of

POST_ONLY = {
    "api/v1/ingest/",
    "api/v1/predictions/batch/",
    "api/v1/prediction-jobs/<uuid:job_id>/cancel/",
    "api/v1/webhooks/<uuid:webhook_id>/ping/",
    "api/v1/webhooks/<uuid:webhook_id>/deliveries/<int:delivery_id>/replay/",
}
OTHER_PROCESS = {"api/v1/ingest/<uuid:upload>/"}
"""Served by the admin process; `test_ingest_api` asks there."""

REQUIRED = {"api/v1/what-if/": "home=crown-league-1&away=crown-league-2"}
"""Parameters without which a route has no answer."""

READ = sorted(set(routes()) - POST_ONLY - OTHER_PROCESS)
MOMENT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?")


@pytest.fixture
def address_of(client, build, champion, answers, settings):
    """A function that fills the pattern of a route with the ids of a small world, which the client has a key for."""
    from apps.scraping.services.sources import ensure_sources

    ensure_sources(now=build.now)
    season = build.season()
    matches = build.round(season, finished=2, coming=2, version=champion)
    build.season_end(season, champion, ["Crown League 1", "Crown League 2"])
    challenger = build.version(2)
    build.comparison(challenger, champion)
    prediction = Prediction.objects.earliest("published_at")
    ml_services.close_due(now=prediction.published_at + timedelta(days=2))

    now = timezone.now()
    key = services.create_key(name="Ada", scopes=["read", "predict", "jobs"], created_by="ada", now=now)
    client.defaults["HTTP_AUTHORIZATION"] = f"Bearer {key.token}"
    settings.SPAI_WEBHOOK_HOSTS = ["127.0.0.1"]
    webhook = services.create_webhook(api_key=key.row, url="http://127.0.0.1:9/", topics=["match.changed"], now=now)
    period = {"since": now - timedelta(days=1), "until": now}
    job = services.submit_job(api_key=key.row, kind="graded_forecasts", parameters=period, now=now).job
    services.run_jobs(clock=timezone.now)

    def address(route: str) -> str:
        values = {
            "pk": matches[-1].pk,
            "slug": {
                "competitions": season.competition.slug,
                "teams": "crown-league-1",
                "sources": "sandbox",
            }.get(route.removeprefix("api/v1/").partition("/")[0], ""),
            "world": "sandbox",
            "version": (challenger if "live-comparisons" in route else champion).number,
            "day": prediction.published_at.date(),
            "prediction_id": prediction.pk,
            "job_id": job.uuid,
            "webhook_id": webhook.uuid,
        }
        path = re.sub(r"\(\?P<(\w+)>[^)]*\)|<(?:\w+:)?(\w+)>", lambda at: str(values[at[1] or at[2]]), route)
        return f"/{path}?{REQUIRED.get(route, '')}"

    return address


@pytest.mark.parametrize("route", READ)
class TestEveryRoute:
    def test_a_parameter_that_means_nothing_is_refused_with_those_that_do(self, client, address_of, route):
        address = f"{address_of(route)}&no_such_parameter=1"
        body = problem_of(client.get(address), 400)
        assert body["type"] == "urn:spai:problem:bad-input"
        assert body["errors"][0]["parameter"] == "no_such_parameter"
        assert "There is no such parameter" in body["errors"][0]["detail"]
        assert problem_of(client.get(f"{address_of(route)}&format=xml"), 400)["errors"][0]["parameter"] == "format"

    def test_it_answers_with_times_in_utc_and_ids_and_slugs_in_every_object(self, client, address_of, route):
        response = client.get(address_of(route))
        assert response.status_code == 200, response.content
        is_lines = response["Content-Type"] == "application/x-ndjson"
        body = [json.loads(line) for line in response.content.splitlines()] if is_lines else response.json()
        for path, value in leaves(body):
            if isinstance(value, str) and (moment := MOMENT.match(value)):
                assert value == f"{moment[0]}Z", path
        for path, found in objects(body):
            if "display_name" in found or {"level", "name"} <= found.keys():
                assert {"id", "slug"} <= found.keys(), path

    def test_another_method_and_another_media_type_are_problems(self, client, address_of, route):
        problem_of(client.put(address_of(route)), 405)
        problem_of(client.get(address_of(route), headers={"Accept": "image/png"}), 406)


LISTS = [route for route in READ if "<" not in route and "(" not in route and route not in REQUIRED]


@pytest.mark.parametrize("route", LISTS)
def test_a_wrong_value_is_refused_by_the_name_of_its_parameter(client, address_of, route):
    is_paged = "previous" in client.get(address_of(route)).json()
    for parameter, value in (("page_size", "0"), ("cursor", "nonsense"), ("world", "mars"), ("ordering", "size")):
        body = problem_of(client.get(f"{address_of(route)}&{parameter}={value}"), 400)
        assert body["errors"][0]["parameter"] == parameter
        if is_paged and parameter == "page_size":
            assert "whole number from 1 to" in body["detail"]


def leaves(value, path=""):
    if isinstance(value, dict):
        for name, each in value.items():
            yield from leaves(each, f"{path}/{name}")
    elif isinstance(value, list):
        for number, each in enumerate(value):
            yield from leaves(each, f"{path}/{number}")
    else:
        yield path, value


def objects(value, path=""):
    if isinstance(value, dict):
        yield path, value
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, each in children:
        yield from objects(each, f"{path}/{name}")


def test_the_root_leads_to_everything_that_needs_no_id(client, address_of):
    links = client.get("/api/v1/").json()
    assert {"matches", "predictions", "predictions/batch", "competitions", "teams", "seasons", "models"} <= links.keys()
    assert {"scores", "season-forecasts", "sources", "bookmakers", "what-if", "features", "schema"} <= links.keys()
    for name, link in links.items():
        path = link.removeprefix("http://testserver")
        assert path == f"/api/v1/{name}/" or name == "schema"
        if path.strip("/") + "/" not in POST_ONLY:
            assert client.get(address_of(path.removeprefix("/")) if name != "schema" else path).status_code == 200


def test_the_path_of_batches_is_the_one_that_the_front_process_knows():
    assert reverse("api-predictions-batch") == BATCH_PATH
