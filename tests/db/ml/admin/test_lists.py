"""The lists of models and the panel of the home page."""

from __future__ import annotations

import pytest
from django.apps import apps
from django.contrib.admin import site
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.urls import reverse

from apps.matches.models import World
from apps.ml import selectors
from apps.ml.models import Promotion
from tests.web.conftest import Builder


def test_the_home_panel_shows_both_worlds(admin, stored):
    page = admin.get(reverse("admin:index")).content.decode()
    assert "Sandbox world · shown first" in page
    assert "Real world" in page
    assert "No real match is stored" in page


def test_every_list_of_models_opens(admin, make_version, now):
    make_version(1)
    models = apps.get_app_config("ml").get_models()
    listed = [model._meta.model_name for model in models if site.is_registered(model)]
    assert len(listed) >= 10
    assert {name: admin.get(reverse(f"admin:ml_{name}_changelist")).status_code for name in listed} == dict.fromkeys(
        listed, 200
    )


@pytest.mark.parametrize(
    ("model", "left"),
    [
        ("pipelinerun", ["log", "params", "dvc_lock", "metrics"]),
        ("promotion", ["bundle", "metrics", "gates", "columns"]),
        ("prediction", ["bundle", "metrics", "gates", "columns"]),
        ("seasonforecast", ["table"]),
    ],
)
def test_a_list_leaves_in_the_database_what_it_does_not_show(admin, run, now, model, left):
    build = Builder(now)
    version = build.version()
    decision = {"kind": "promote", "decided_by": "ada", "reason": "lower log loss", "decided_at": now}
    Promotion.objects.create(world=World.SANDBOX, version=version, previous=build.version(2), **decision)
    season = build.season()
    build.prediction(build.match(season=season), version)
    build.season_end(season, version, ["Northgate", "Old Mill"])
    with CaptureQueriesContext(connection) as queries:
        page = admin.get(reverse(f"admin:ml_{model}_changelist")).content.decode()
    assert f"/admin/ml/{model}/" in page
    read = " ".join(query["sql"] for query in queries)
    assert [name for name in left if f'."{name}"' in read] == []


def test_who_promoted_what_comes_without_what_is_large_in_a_version(db, now):
    build = Builder(now)
    build.promote(build.version())
    with CaptureQueriesContext(connection) as queries:
        (promotion,) = selectors.promotions(World.SANDBOX)
        assert promotion.version.number == 1
    assert len(queries) == 1
    for name in ("bundle", "metrics", "gates", "columns"):
        assert f'."{name}"' not in queries[0]["sql"]
