"""REST of the lists of forecasts and of their scores."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from django.db.models import QuerySet
from django.utils import timezone
from django_filters.utils import translate_validation
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, viewsets
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import services
from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.caching import ConditionalMixin
from apps.api.rest.filters import ForecastFilter
from apps.api.rest.formats import FieldsField, FormatsMixin
from apps.api.rest.pagination import KeysetPages, MatchPageQuery, matches_from, page_size_field
from apps.api.rest.parameters import OneOfField
from apps.api.rest.problems import MEDIA_TYPE
from apps.api.rest.serializers import ProblemSerializer
from apps.matches.models import Match, World, choices_of
from apps.ml import selectors as ml_selectors

LARGEST_PAGE: Final = 10_000
"""Rows of a page, which may be a file."""

FORMATS: Final = ("json", "csv", "parquet")
ORDERS: Final = ("kickoff_at", "-kickoff_at")

FILES: Final = {(200, "text/csv"): OpenApiTypes.STR, (200, "application/vnd.apache.parquet"): OpenApiTypes.BINARY}
NOT_ACCEPTABLE: Final = {
    (406, MEDIA_TYPE): OpenApiResponse(
        ProblemSerializer, description="`Accept` names none of JSON, CSV (text/csv) and Parquet."
    )
}


class MatchRowSerializer(serializers.Serializer[dict[str, Any]]):
    """Columns of a match."""

    match = serializers.IntegerField(allow_null=True, help_text="Id; null for a match that is not stored.")
    world = serializers.ChoiceField(choices=World.choices)
    kickoff_at = serializers.DateTimeField()
    status = serializers.ChoiceField(choices=choices_of(Match.Status))
    competition = serializers.CharField(help_text="Slug.")
    competition_name = serializers.CharField()
    season = serializers.CharField(help_text="2023-24, or 2023 within one year.")
    home_team = serializers.CharField(help_text="Slug.")
    home_team_name = serializers.CharField(help_text="As pages show it.")
    away_team = serializers.CharField(help_text="Slug.")
    away_team_name = serializers.CharField(help_text="As pages show it.")
    is_neutral = serializers.BooleanField()
    home_goals = serializers.IntegerField(allow_null=True, help_text="After 90 minutes; null without a result.")
    away_goals = serializers.IntegerField(allow_null=True)
    result = serializers.ChoiceField(choices=["H", "D", "A"], allow_null=True, help_text="Null without a result.")
    p_home = serializers.FloatField(help_text="Calibrated; the three sum to 1, but for rounding.")
    p_draw = serializers.FloatField()
    p_away = serializers.FloatField()
    model = serializers.IntegerField(
        allow_null=True, help_text="Number of the model version; null where the base rates stand in for a model."
    )


class ForecastRowSerializer(MatchRowSerializer):
    """The latest forecast of one match that was published before its kick-off."""

    home_expected_goals = serializers.FloatField(help_text="In 90 minutes and stoppage time.")
    away_expected_goals = serializers.FloatField()
    fair_home = serializers.FloatField(allow_null=True, help_text="Decimal odds without a margin: 1 / probability.")
    fair_draw = serializers.FloatField(allow_null=True)
    fair_away = serializers.FloatField(allow_null=True)
    data_snapshot = serializers.IntegerField(help_text="Number of the data snapshot that the forecast uses.")
    as_of = serializers.DateTimeField(help_text="The forecast uses no fact that became known later.")
    published_at = serializers.DateTimeField(allow_null=True, help_text="Null for one that was made for this request.")
    degraded = serializers.CharField(allow_null=True, help_text="What stood in for the champion; null for itself.")
    weaknesses = serializers.CharField(
        help_text=(
            "Why the forecast is less sure than usual: codes, such as `new_club:home season_start`, the most important "
            "first, with the side where it is one; mostly empty. The forecast of a single match has them in words."
        )
    )
    interval_level = serializers.FloatField(
        allow_null=True,
        help_text=(
            "Share of the matches in which an interval, such as `p_home_low` to `p_home_high`, each by itself, shall "
            "hold the closing line; null where too few earlier forecasts of the model had one."
        ),
    )
    p_home_low = serializers.FloatField(allow_null=True, help_text="The ends of the interval around `p_home`.")
    p_home_high = serializers.FloatField(allow_null=True)
    p_draw_low = serializers.FloatField(allow_null=True)
    p_draw_high = serializers.FloatField(allow_null=True)
    p_away_low = serializers.FloatField(allow_null=True)
    p_away_high = serializers.FloatField(allow_null=True)


class ScoreRowSerializer(MatchRowSerializer):
    """The score of the forecast of one match, for the newest revision of its result."""

    published_at = serializers.DateTimeField()
    revision = serializers.IntegerField(help_text="Of the result; it counts how often that was set or changed.")
    log_loss = serializers.FloatField(help_text="In nats.")
    rps = serializers.FloatField(help_text="Ranked probability score, from 0 to 1.")
    brier = serializers.FloatField(help_text="Summed over the three outcomes.")
    base_log_loss = serializers.FloatField(help_text="Of the base rates of the competition.")
    base_rps = serializers.FloatField()
    market_log_loss = serializers.FloatField(allow_null=True, help_text="Of the closing prices; null without any.")
    market_rps = serializers.FloatField(allow_null=True)
    settled_at = serializers.DateTimeField()


class RowPageQuery(MatchPageQuery):
    """Which page of rows, in which order, and in which form."""

    page_size = page_size_field(default=50, largest=LARGEST_PAGE)
    ordering = OneOfField(ORDERS, default=ORDERS[0], help_text="By kick-off: the earliest first, or the latest.")
    format = OneOfField(FORMATS, required=False, help_text="Wins over `Accept`.")


class ForecastRowsQuery(RowPageQuery):
    """A page of forecasts."""

    fields = FieldsField(ForecastRowSerializer)  # type: ignore[assignment]  # the metaclass removes it from the class


class ScoreRowsQuery(RowPageQuery):
    """A page of scores."""

    fields = FieldsField(ScoreRowSerializer)  # type: ignore[assignment]


class RowsViewSet(ConditionalMixin, FormatsMixin, viewsets.GenericViewSet[Any]):
    """Pages of rows that belong to matches, by filters of the matches."""

    http_method_names = ["get", "head", "options"]
    queryset = Match.objects.none()
    pagination_class = KeysetPages
    filterset_class = ForecastFilter

    def page(
        self,
        request: Request,
        query: dict[str, Any],
        having: Callable[[QuerySet[Match], int | None], QuerySet[Match]],
        rows_of: Callable[[Sequence[int], int | None], list[services.Row]],
    ) -> Response:
        """Return a page: of the matches that are `having` a row, what `rows_of` makes of their ids."""
        filters = ForecastFilter(request.query_params, queryset=Match.objects.all(), request=request)
        if not filters.is_valid():
            raise translate_validation(filters.errors)
        branches, version_id = filters.forecast(now=timezone.now())
        read = matches_from(
            [having(branch, version_id) for branch in branches], descending=query["ordering"].startswith("-")
        )
        pages = KeysetPages()
        page = pages.page_of(
            lambda position, limit: read(position, limit).values_list("kickoff_at", "id"),
            lambda key: key,
            request,
            size=query["page_size"],
            position=query.get("cursor"),
        )
        rows = rows_of([match_id for _, match_id in page], version_id)
        self.columns = query.get("fields") or list(self.row_serializer().fields)  # type: ignore[attr-defined]
        if rows and list(rows[0]) != list(self.columns):
            rows = [{name: row[name] for name in self.columns} for row in rows]
        response = pages.get_paginated_response(rows)
        response["Vary"] = "Accept"
        return response


class PredictionViewSet(RowsViewSet):
    """Published forecasts."""

    row_serializer = ForecastRowSerializer

    @extend_schema(
        operation_id="predictions",
        summary="Published forecasts, one of each match",
        description=(
            "The latest forecast of each match that was published before its kick-off. Without a filter by world, "
            "competition or team: of the world that the site shows first. A match that was moved more than 15 days "
            "ahead is left out until it is forecast again. In CSV and Parquet the header `Link` names the next page."
        ),
        parameters=[ForecastRowsQuery],
        responses={
            (200, "application/json"): ForecastRowSerializer(many=True),
            **FILES,
            **BAD_INPUT,
            **NOT_ACCEPTABLE,
        },
    )
    def list(self, request: Request) -> Response:
        """Return one page of forecasts."""
        query = ForecastRowsQuery.parse(request, others=ForecastFilter.base_filters)
        return self.page(
            request,
            query,
            lambda found, version_id: ml_selectors.has_forecast(found, version_id=version_id),
            lambda ids, version_id: services.forecast_rows(ids, version_id=version_id),
        )


class ScoreViewSet(RowsViewSet):
    """Scores of published forecasts."""

    row_serializer = ScoreRowSerializer

    @extend_schema(
        operation_id="scores",
        summary="Scores of published forecasts, one of each match",
        description="The score of the forecast that counts, for the newest revision of the result.",
        parameters=[ScoreRowsQuery],
        responses={
            (200, "application/json"): ScoreRowSerializer(many=True),
            **FILES,
            **BAD_INPUT,
            **NOT_ACCEPTABLE,
        },
    )
    def list(self, request: Request) -> Response:
        """Return one page of scores."""
        query = ScoreRowsQuery.parse(request, others=ForecastFilter.base_filters)
        return self.page(
            request,
            query,
            lambda found, version_id: ml_selectors.is_scored(found, version_id=version_id),
            lambda ids, _: services.score_rows(ids),
        )
