"""REST of the sources of matches, and of the bookmakers whose prices represent the market."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import selectors
from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.catalogue import CatalogueViewSet
from apps.api.rest.pagination import LARGEST_LIST, CursorField, page_size_field, text_part
from apps.api.rest.parameters import QuerySerializer
from apps.api.rest.problems import MEDIA_TYPE, NotFoundProblem
from apps.api.rest.serializers import ProblemSerializer
from apps.scraping import selectors as scraping
from apps.scraping.models import Source


class SourceSerializer(serializers.ModelSerializer[Source]):
    """A place that matches come from. Addresses and permissions are only for the operator."""

    slug = serializers.CharField(source="name")
    reader = serializers.CharField(help_text="The form of its pages or files.")
    competitions = serializers.ListField(
        child=serializers.CharField(), help_text="Codes of the competitions that are followed; empty for all."
    )
    complete_at = serializers.DateTimeField(
        allow_null=True, help_text="When the latest run that read everything was requested; null for none yet."
    )
    latest_requested_at = serializers.DateTimeField(allow_null=True, help_text="Of the latest run that began.")
    latest_outcome = serializers.CharField(allow_null=True, help_text="Of that run; null for none yet.")
    url = serializers.HyperlinkedIdentityField(view_name="api-source", lookup_field="name", lookup_url_kwarg="slug")

    class Meta:
        model = Source
        fields = [
            *("id", "slug", "reader", "is_simulated", "is_enabled", "competitions", "complete_at"),
            *("latest_requested_at", "latest_outcome", "url"),
        ]

    def to_representation(self, instance: Source) -> dict[str, object]:
        """Return the source; a run that is not over has no outcome yet."""
        shape = super().to_representation(instance)
        return shape | {"latest_outcome": shape["latest_outcome"] or None}


class BookmakerSerializer(serializers.Serializer[dict[str, str]]):
    """A bookmaker, or the average or best of several."""

    code = serializers.CharField(help_text="As in stored prices.")
    name = serializers.CharField()


class BookmakersSerializer(serializers.Serializer[dict[str, object]]):
    """Bookmakers in the order in which their prices are taken."""

    results = BookmakerSerializer(many=True)


class SourceListQuery(QuerySerializer):
    """Which page of the sources."""

    cursor = CursorField(text_part)
    page_size = page_size_field(default=100, largest=LARGEST_LIST)


class SourceViewSet(CatalogueViewSet):
    """Sites, collections of files and feeds."""

    serializer_class = SourceSerializer

    @extend_schema(
        operation_id="sources",
        summary="Where matches come from, and how fresh it is",
        parameters=[SourceListQuery],
        responses={200: SourceSerializer(many=True), **BAD_INPUT},
    )
    def list(self, request: Request) -> Response:
        """Return one page of sources."""
        return self.page_of(scraping.freshness_of_sources(), request, SourceListQuery.parse(request), order=["name"])

    @extend_schema(
        operation_id="source",
        summary="One source",
        parameters=[OpenApiParameter("slug", str, OpenApiParameter.PATH, description="Slug of the source.")],
        responses={
            200: SourceSerializer,
            **BAD_INPUT,
            (404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="There is no such source."),
        },
    )
    def retrieve(self, request: Request, slug: str) -> Response:
        """Return one source."""
        QuerySerializer.parse(request)
        found = scraping.freshness_of_sources().filter(name=slug).first()
        if found is None:
            raise NotFoundProblem("unknown-source", f"There is no source {slug[:40]}; /api/v1/sources/ lists all.")
        return Response(self.get_serializer(found).data)


class BookmakerViewSet(CatalogueViewSet):
    """Bookmakers."""

    serializer_class = BookmakersSerializer
    pagination_class = None

    @extend_schema(
        operation_id="bookmakers",
        summary="Bookmakers whose prices represent the market",
        description="In the order in which they are taken: of each match the first one that quotes it counts.",
        responses={200: BookmakersSerializer, **BAD_INPUT},
    )
    def list(self, request: Request) -> Response:
        """Return the bookmakers."""
        QuerySerializer.parse(request)
        rows = [{"code": code, "name": name} for code, name in selectors.BOOKMAKERS.items()]
        return Response(BookmakersSerializer({"results": rows}).data)
