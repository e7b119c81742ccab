"""Routes of pages, REST, push-in and push."""

from __future__ import annotations

from datetime import date
from typing import Any, Final

from django.contrib.auth.forms import AuthenticationForm
from django.urls import URLPattern, URLResolver, include, path, re_path, register_converter
from drf_spectacular.views import SpectacularAPIView
from rest_framework.routers import SimpleRouter

from apps.api import pages
from apps.api.intake import IngestViewSet
from apps.api.push import not_found
from apps.api.rest import (
    RESULT_RENDERERS,
    BatchView,
    BookmakerViewSet,
    ClosingGapViewSet,
    CompetitionListViewSet,
    CompetitionViewSet,
    EventsView,
    FeaturesView,
    FormatNegotiation,
    InclusionProofViewSet,
    LedgerViewSet,
    LiveComparisonViewSet,
    MatchViewSet,
    ModelViewSet,
    PredictionJobViewSet,
    PredictionViewSet,
    RootView,
    ScoreViewSet,
    SeasonForecastViewSet,
    SeasonViewSet,
    SourceViewSet,
    TeamViewSet,
    WebhookViewSet,
    WhatIfViewSet,
)


class DayConverter:
    """A day such as 2026-11-29 in an address."""

    regex = "[0-9]{4}-[0-9]{2}-[0-9]{2}"

    def to_python(self, value: str) -> date:
        """Return the day; a ValueError makes the address unknown."""
        return date.fromisoformat(value)

    def to_url(self, value: date) -> str:
        """Return the day as it is written."""
        return value.isoformat()


register_converter(DayConverter, "day")

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


def account_urlpatterns(login_form: type[AuthenticationForm]) -> list[URLPattern | URLResolver]:
    """Return the addresses of accounts, with the form that checks the login of a reader."""
    return [
        path("", pages.account, name="account"),
        path("sign-in/", pages.sign_in, {"form_class": login_form}, name="sign-in"),
        path("sign-up/", pages.sign_up, name="sign-up"),
        path("sign-out/", pages.sign_out, name="sign-out"),
        path("password/", pages.reset_password, name="reset-password"),
        path("password/<str:user>/<str:token>/", pages.new_password, name="new-password"),
    ]


urlpatterns: list[URLPattern | URLResolver] = [
    path("", pages.fixtures, name="fixtures"),
    path("calendar/", pages.calendar, name="calendar"),
    path("search/", pages.search, name="search"),
    path("zone/", pages.choose_zone, name="zone"),
    path("follow/", pages.follow, name="follow"),
    path("theme/", pages.choose_theme, name="theme"),
    path("language/", pages.choose_language, name="language"),
    path("matches/<int:match_id>/", pages.match, name="match"),
    path("competitions/", pages.competitions, name="competitions"),
    path("competitions/<slug:slug>/", pages.competition, name="competition"),
    path("teams/<slug:slug>/", pages.team, name="team"),
    path("embed/match/<int:match_id>/", pages.embedded_match, name="embedded-match"),
    path("embed/table/<slug:slug>/", pages.embedded_table, name="embedded-table"),
    path("share/match/<int:match_id>.png", pages.match_image, name="match-image"),
    path("share/team/<slug:slug>.png", pages.team_image, name="team-image"),
    path("share/competition/<slug:slug>.png", pages.competition_image, name="competition-image"),
    path("robots.txt", pages.robots, name="robots"),
    path("manifest.webmanifest", pages.manifest, name="manifest"),
    path("sitemap.xml", pages.sitemap_index, name="sitemap-index"),
    path("sitemap-<slug:section>.xml", pages.sitemap, name="sitemap"),
    path("feed/", pages.feed, name="feed"),
    path("competitions/<slug:competition>/calendar.ics", pages.calendar_feed, name="competition-calendar"),
    path("competitions/<slug:competition>/feed/", pages.feed, name="competition-feed"),
    path("teams/<slug:team>/calendar.ics", pages.calendar_feed, name="team-calendar"),
    path("teams/<slug:team>/feed/", pages.feed, name="team-feed"),
    path("follow/calendar.ics", pages.calendar_feed, {"teams": "query"}, name="follow-calendar"),
    path("follow/feed/", pages.feed, {"teams": "query"}, name="follow-feed"),
    path("ratings/", pages.ratings, name="ratings"),
    path("track-record/", pages.track_record, name="track-record"),
    path("ledger/", pages.ledger, name="ledger"),
    path("ledger/feed/", pages.ledger_feed, name="ledger-feed"),
    path("models/", pages.models, name="models"),
    path("models/<str:world>/<int:number>/", pages.model_version, name="model-version"),
    path("features/", pages.features, name="features"),
    path("what-if/", pages.what_if, name="what-if"),
    path("about/", pages.about, name="about"),
    path("api/v1/", RootView.as_view(), name="api-root"),
    path("api/v1/", include(router.urls)),
    path("api/v1/bookmakers/", BookmakerViewSet.as_view({"get": "list"}), name="api-bookmakers"),
    path("api/v1/competitions/", CompetitionListViewSet.as_view({"get": "list"}), name="api-competitions"),
    path(
        "api/v1/competitions/<slug:slug>/", CompetitionListViewSet.as_view({"get": "retrieve"}), name="api-competition"
    ),
    path(
        "api/v1/competitions/<slug:slug>/season-forecast/",
        CompetitionViewSet.as_view({"get": "season_forecast"}),
        name="season-forecast",
    ),
    path(
        "api/v1/competitions/<slug:slug>/table/", CompetitionViewSet.as_view({"get": "table"}), name="competition-table"
    ),
    path("api/v1/models/", ModelViewSet.as_view({"get": "list"}), name="api-models"),
    path("api/v1/live-comparisons/", LiveComparisonViewSet.as_view({"get": "list"}), name="api-live-comparisons"),
    path(
        "api/v1/live-comparisons/<str:world>/<int:version>/",
        LiveComparisonViewSet.as_view({"get": "retrieve"}),
        name="api-live-comparison",
    ),
    path("api/v1/models/<str:world>/<int:version>/", ModelViewSet.as_view({"get": "retrieve"}), name="api-model"),
    path("api/v1/predictions/", PredictionViewSet.as_view({"get": "list"}), name="api-predictions"),
    path("api/v1/predictions/batch/", BatchView.as_view(), name="api-predictions-batch"),
    path("api/v1/scores/", ScoreViewSet.as_view({"get": "list"}), name="api-scores"),
    path("api/v1/scores/closing-gap/", ClosingGapViewSet.as_view({"get": "retrieve"}), name="api-closing-gap"),
    path("api/v1/season-forecasts/", SeasonForecastViewSet.as_view({"get": "list"}), name="api-season-forecasts"),
    path("api/v1/seasons/", SeasonViewSet.as_view({"get": "list"}), name="api-seasons"),
    path("api/v1/sources/", SourceViewSet.as_view({"get": "list"}), name="api-sources"),
    path("api/v1/sources/<slug:slug>/", SourceViewSet.as_view({"get": "retrieve"}), name="api-source"),
    path("api/v1/teams/", TeamViewSet.as_view({"get": "list"}), name="api-teams"),
    path("api/v1/teams/<slug:slug>/", TeamViewSet.as_view({"get": "retrieve"}), name="api-team"),
    path("api/v1/what-if/", WhatIfViewSet.as_view({"get": "retrieve"}), name="api-what-if"),
    path("api/v1/features/", FeaturesView.as_view(), name="features-api"),
    path("api/v1/ledger/", LedgerViewSet.as_view({"get": "list"}), name="api-ledger"),
    path("api/v1/ledger/<day:day>/", LedgerViewSet.as_view({"get": "retrieve"}), name="api-ledger-day"),
    path("api/v1/ledger/<day:day>/leaves/", LedgerViewSet.as_view({"get": "leaves"}), name="api-ledger-leaves"),
    path(
        "api/v1/predictions/<int:prediction_id>/proof/",
        InclusionProofViewSet.as_view({"get": "retrieve"}),
        name="prediction-proof",
    ),
    path("api/v1/events/", EventsView.as_view(), name="api-events"),
    path("api/v1/prediction-jobs/", include(job_urlpatterns)),
    path("api/v1/webhooks/", include(webhook_urlpatterns)),
    # Only here for the schema: the admin process serves these.
    *ingest_urlpatterns,
    path("api/schema/", SpectacularAPIView.as_view(content_negotiation_class=FormatNegotiation), name="schema"),
    path("api/asyncapi.json", pages.asyncapi, name="asyncapi"),
    path("api/docs/", pages.swagger, name="docs"),
    path("api/redoc/", pages.redoc, name="redoc"),
]

EVENT_STREAM: Final = "/api/v1/events/stream/"
"""Address of the Server-Sent Events, which the process `push` serves beside its websockets."""


def websocket_urlpatterns(events: Any) -> list[URLPattern]:
    """Return the addresses of the websockets, which the ASGI application `events` serves."""
    return [
        path("ws/v1/events/", events),
        path("ws/v1/matches/<int:match_id>/", events),
        re_path("", not_found),  # type: ignore[arg-type]  # an ASGI application, as the router wants it
    ]
