"""REST of the lists of competitions, seasons and season forecasts."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlencode

from django.db.models import Q
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.exceptions import ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.reverse import reverse

from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.catalogue import CatalogueViewSet, world_of
from apps.api.rest.pagination import LARGEST_LIST, CursorField, SlugPageQuery, number_part, page_size_field, text_part
from apps.api.rest.parameters import OneOfField, QuerySerializer, TextField, WholeNumberField, WorldParameterField
from apps.api.rest.problems import MEDIA_TYPE, NotFoundProblem
from apps.api.rest.serializers import CompetitionSerializer, ProblemSerializer
from apps.matches import selectors as matches
from apps.matches.models import Competition, Season
from apps.ml import selectors as ml_selectors
from apps.ml.models import SeasonForecast

_LARGEST_LEVEL = 32767


class ListedCompetitionSerializer(CompetitionSerializer):
    """A competition with its newest season and the addresses of what there is of it."""

    latest_season = serializers.CharField(allow_null=True, help_text="Null without any season.")
    url = serializers.HyperlinkedIdentityField(view_name="api-competition", lookup_field="slug")
    table_url = serializers.HyperlinkedIdentityField(view_name="competition-table", lookup_field="slug")
    season_forecast_url = serializers.HyperlinkedIdentityField(view_name="season-forecast", lookup_field="slug")

    class Meta(CompetitionSerializer.Meta):
        fields = [*CompetitionSerializer.Meta.fields, "latest_season", "url", "table_url", "season_forecast_url"]


class SeasonSerializer(serializers.ModelSerializer[Season]):
    """One season of one competition."""

    competition = serializers.CharField(source="competition.slug", help_text="Slug.")
    competition_name = serializers.CharField(source="competition.name")
    season = serializers.CharField(source="label", help_text="2023-24, or 2023 within one year.")

    class Meta:
        model = Season
        fields = ["id", "world", "competition", "competition_name", "season"]


class ListedSeasonForecastSerializer(serializers.ModelSerializer[SeasonForecast]):
    """The latest simulation of one season, without its clubs."""

    world = serializers.CharField(source="season.world")
    competition = serializers.CharField(source="season.competition.slug", help_text="Slug.")
    competition_name = serializers.CharField(source="season.competition.name")
    season = serializers.CharField(source="season.label", help_text="2023-24, or 2023 within one year.")
    season_id = serializers.IntegerField()
    model = serializers.IntegerField(source="version.number", help_text="Number of the model version.")
    url = serializers.SerializerMethodField(help_text="With its clubs.")

    class Meta:
        model = SeasonForecast
        fields = [
            *("id", "world", "competition", "competition_name", "season", "season_id", "model", "data_snapshot"),
            *("as_of", "simulations", "played", "remaining", "undated", "is_whole", "url"),
        ]

    @extend_schema_field(serializers.URLField())
    def get_url(self, forecast: SeasonForecast) -> str:
        """Return the address of the forecast with its clubs."""
        season = forecast.season
        address = reverse("season-forecast", [season.competition.slug], request=self.context["request"])
        return f"{address}?{urlencode({'season': season.label})}"


class CompetitionListQuery(SlugPageQuery):
    """Which competitions."""

    world = WorldParameterField()
    region = TextField(required=False, allow_blank=True, help_text="Only those of this country, by its name.")
    level = WholeNumberField(
        required=False,
        min_value=0,
        max_value=_LARGEST_LEVEL,
        reason=f"It must be a whole number from 0 to {_LARGEST_LEVEL}.",
        help_text="Only those of this tier, 1 at the top; 0 for cups.",
    )
    ordering = OneOfField(("slug", "-slug"), default="slug", help_text="By slug, forwards or backwards.")


class SeasonListQuery(QuerySerializer):
    """Which seasons."""

    world = WorldParameterField()
    competition = TextField(required=False, allow_blank=True, help_text="Slug: only those of this competition.")
    ordering = OneOfField(("-season", "season"), default="-season", help_text="The newest first, or the oldest.")
    cursor = CursorField(text_part, number_part)
    page_size = page_size_field(default=100, largest=LARGEST_LIST)


class SeasonForecastListQuery(QuerySerializer):
    """Which season forecasts."""

    world = WorldParameterField()
    competition = TextField(required=False, allow_blank=True, help_text="Slug: only those of this competition.")
    cursor = CursorField(number_part)
    page_size = page_size_field(default=100, largest=LARGEST_LIST)


class CompetitionListViewSet(CatalogueViewSet):
    """Leagues and cups."""

    serializer_class = ListedCompetitionSerializer

    @extend_schema(
        operation_id="competitions",
        summary="Competitions of a world",
        parameters=[CompetitionListQuery],
        responses={200: ListedCompetitionSerializer(many=True), **BAD_INPUT},
    )
    def list(self, request: Request) -> Response:
        """Return one page of competitions."""
        query = CompetitionListQuery.parse(request)
        found = matches.competitions(world_of(query))
        if query.get("region"):
            found = found.filter(region__name=query["region"])
        if "level" in query:
            found = found.filter(level=query["level"])
        return self.page_of(found, request, query)

    @extend_schema(
        operation_id="competition",
        summary="One competition",
        parameters=[OpenApiParameter("slug", str, OpenApiParameter.PATH, description="Slug of the competition.")],
        responses={
            200: ListedCompetitionSerializer,
            **BAD_INPUT,
            (404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="There is no such competition."),
        },
    )
    def retrieve(self, request: Request, slug: str) -> Response:
        """Return one competition."""
        QuerySerializer.parse(request)
        competition = competition_named(slug)
        found = matches.competitions(competition.world).filter(pk=competition.pk).get()
        return Response(self.get_serializer(found).data)


class SeasonViewSet(CatalogueViewSet):
    """Seasons of competitions."""

    serializer_class = SeasonSerializer

    @extend_schema(
        operation_id="seasons",
        summary="Seasons of a world or of a competition",
        parameters=[SeasonListQuery],
        responses={200: SeasonSerializer(many=True), **BAD_INPUT},
    )
    def list(self, request: Request) -> Response:
        """Return one page of seasons."""
        query = SeasonListQuery.parse(request)
        found = Season.objects.filter(of_competition(query)).select_related("competition")
        sign = "-" if query["ordering"].startswith("-") else ""
        return self.page_of(found, request, query, order=[f"{sign}label", f"{sign}id"])


class SeasonForecastViewSet(CatalogueViewSet):
    """Simulations of running seasons."""

    serializer_class = ListedSeasonForecastSerializer

    @extend_schema(
        operation_id="season_forecasts",
        summary="The latest simulation of each season that has one",
        parameters=[SeasonForecastListQuery],
        responses={200: ListedSeasonForecastSerializer(many=True), **BAD_INPUT},
    )
    def list(self, request: Request) -> Response:
        """Return one page of season forecasts."""
        query = SeasonForecastListQuery.parse(request)
        found = ml_selectors.season_forecasts().filter(of_competition(query, "season__"))
        return self.page_of(found, request, query, order=["-season_id"])


def competition_named(slug: str) -> Competition:
    """Return the competition of a slug.

    Raises
    ------
    NotFoundProblem
        When there is none.
    """
    found = Competition.objects.select_related("region").filter(slug=slug).first()
    if found is None:
        raise NotFoundProblem(
            "unknown-competition",
            f"There is no competition with the slug {slug[:160]}; /api/v1/competitions/ lists all.",
        )
    return found


def of_competition(query: dict[str, Any], prefix: str = "") -> Q:
    """Return the condition that seasons are of the competition that a query names, or of its world.

    Parameters
    ----------
    prefix : str
        The way to the season, such as ``season__``.

    Raises
    ------
    ValidationError
        When there is no such competition.
    """
    if not query.get("competition"):
        return Q(**{f"{prefix}world": world_of(query)})
    try:
        competition = competition_named(query["competition"])
    except NotFoundProblem as error:
        raise ValidationError({"competition": str(error)}) from error
    is_of = Q(**{f"{prefix}competition": competition})
    return is_of & Q(**{f"{prefix}world": query["world"]}) if query.get("world") else is_of
