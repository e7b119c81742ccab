"""Routes of pages, REST, push-in and push."""

from __future__ import annotations

from django.urls import URLPattern, URLResolver, include, path, re_path
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from apps.api import pages
from apps.api.intake import IngestViewSet
from apps.api.push import EventConsumer, not_found
from apps.api.rest import (
    RESULT_RENDERERS,
    CompetitionViewSet,
    FeaturesView,
    MatchViewSet,
    PredictionJobViewSet,
    TeamSearchViewSet,
    WebhookViewSet,
    WhatIfViewSet,
)

router = SimpleRouter()
router.register("matches", MatchViewSet, basename="match")

ingest_urlpatterns: list[URLPattern | URLResolver] = [
    path("api/v1/ingest/", IngestViewSet.as_view({"post": "create"}), name="ingest"),
    path("api/v1/ingest/<uuid:upload>/", IngestViewSet.as_view({"get": "retrieve"}), name="upload"),
]

job_urlpatterns: list[URLPattern | URLResolver] = [
    path("", PredictionJobViewSet.as_view({"get": "list", "post": "create"}), name="prediction-jobs"),
    path("<uuid:job_id>/", PredictionJobViewSet.as_view({"get": "retrieve"}), name="prediction-job"),
    path(
        "<uuid:job_id>/result/",
        PredictionJobViewSet.as_view({"get": "result"}, renderer_classes=RESULT_RENDERERS),
        name="prediction-job-result",
    ),
    path("<uuid:job_id>/cancel/", PredictionJobViewSet.as_view({"post": "cancel"}), name="prediction-job-cancel"),
]

webhook_urlpatterns: list[URLPattern | URLResolver] = [
    path("", WebhookViewSet.as_view({"get": "list", "post": "create"}), name="webhooks"),
    path(
        "<uuid:webhook_id>/",
        WebhookViewSet.as_view({"get": "retrieve", "patch": "partial_update", "delete": "destroy"}),
        name="webhook",
    ),
    path("<uuid:webhook_id>/ping/", WebhookViewSet.as_view({"post": "ping"}), name="webhook-ping"),
    path("<uuid:webhook_id>/deliveries/", WebhookViewSet.as_view({"get": "deliveries"}), name="webhook-deliveries"),
    path(
        "<uuid:webhook_id>/deliveries/<int:delivery_id>/replay/",
        WebhookViewSet.as_view({"post": "replay"}),
        name="webhook-replay",
    ),
]

urlpatterns: list[URLPattern | URLResolver] = [
    path("", pages.fixtures, name="fixtures"),
    path("search/", pages.search, name="search"),
    path("zone/", pages.choose_zone, name="zone"),
    path("matches/<int:match_id>/", pages.match, name="match"),
    path("competitions/", pages.competitions, name="competitions"),
    path("competitions/<slug:slug>/", pages.competition, name="competition"),
    path("teams/<slug:slug>/", pages.team, name="team"),
    path("track-record/", pages.track_record, name="track-record"),
    path("models/", pages.models, name="models"),
    path("models/<str:world>/<int:number>/", pages.model_version, name="model-version"),
    path("features/", pages.features, name="features"),
    path("what-if/", pages.what_if, name="what-if"),
    path("about/", pages.about, name="about"),
    path("api/v1/", include(router.urls)),
    path(
        "api/v1/competitions/<slug:slug>/season-forecast/",
        CompetitionViewSet.as_view({"get": "season_forecast"}),
        name="season-forecast",
    ),
    path(
        "api/v1/competitions/<slug:slug>/table/", CompetitionViewSet.as_view({"get": "table"}), name="competition-table"
    ),
    path("api/v1/teams/", TeamSearchViewSet.as_view({"get": "list"}), name="team-search"),
    path("api/v1/what-if/", WhatIfViewSet.as_view({"get": "retrieve"}), name="api-what-if"),
    path("api/v1/features/", FeaturesView.as_view(), name="features-api"),
    path("api/v1/prediction-jobs/", include(job_urlpatterns)),
    path("api/v1/webhooks/", include(webhook_urlpatterns)),
    # Only here for the schema: the admin process serves these.
    *ingest_urlpatterns,
    path("api/schema/", SpectacularAPIView.as_view(), name="schema"),
    path("api/docs/", pages.swagger, name="docs"),
    path("api/redoc/", pages.redoc, name="redoc"),
]

websocket_urlpatterns: list[URLPattern] = [
    path("ws/v1/events/", EventConsumer.as_asgi()),
    path("ws/v1/matches/<int:match_id>/", EventConsumer.as_asgi()),
    re_path("", not_found),  # type: ignore[arg-type]  # an ASGI application, as the router wants it
]
