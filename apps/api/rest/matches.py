"""REST of matches and their forecasts."""

from __future__ import annotations

import hashlib
from typing import Any

from django.db.models import BigIntegerField, QuerySet
from django.http import HttpResponse
from django.utils import timezone
from django.utils.cache import get_conditional_response, patch_cache_control
from django_filters.utils import translate_validation
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import services
from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.filters import MatchFilter
from apps.api.rest.pagination import MatchPageQuery, MatchPages
from apps.api.rest.parameters import WholeNumberField
from apps.api.rest.problems import MEDIA_TYPE, NoForecastProblem
from apps.api.rest.serializers import MatchSerializer, PredictionSerializer, ProblemSerializer
from apps.matches import selectors as matches
from apps.matches.models import Match
from apps.ml import selectors as ml_selectors
from apps.ml import services as ml_services

_unknown = {(404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="There is no such match.")}
_none_yet = {
    (404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="No such match, or no forecast of it yet.")
}
_ID = WholeNumberField(min_value=0, max_value=BigIntegerField.MAX_BIGINT, reason="It must be a whole number.")
_id = OpenApiParameter("id", int, OpenApiParameter.PATH, description="Id of the match.")


@extend_schema_view(
    list=extend_schema(
        summary="Matches in the order of kick-off",
        parameters=[MatchPageQuery],
        responses={200: MatchSerializer(many=True), **BAD_INPUT},
    ),
    retrieve=extend_schema(
        summary="One match", parameters=[_id], responses={200: MatchSerializer, **BAD_INPUT, **_unknown}
    ),
)
class MatchViewSet(viewsets.ReadOnlyModelViewSet[Match]):
    """Matches, each with the address of its forecast."""

    serializer_class = MatchSerializer
    pagination_class = MatchPages
    filterset_class = MatchFilter
    http_method_names = ["get", "head", "options"]
    has_etag = True

    def get_queryset(self) -> QuerySet[Match]:
        return matches.matches().select_related("stats")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one page of matches."""
        query = MatchPageQuery.parse(request, others=MatchFilter.base_filters)
        filters = MatchFilter(request.query_params, queryset=Match.objects.all(), request=request)
        if not filters.is_valid():
            raise translate_validation(filters.errors)
        pages = MatchPages()
        page = pages.page_of(filters.branches, request, size=query["page_size"], position=query.get("cursor"))
        return pages.get_paginated_response(self.get_serializer(page, many=True).data)

    def get_object(self) -> Match:
        """Return the match that the address names; refuse an id that is not a whole number."""
        try:
            match_id = _ID.run_validation(str(self.kwargs["pk"]))
        except ValidationError as error:
            raise ValidationError({"id": error.detail}) from error
        # Not by the filters of the list: without parameters they select the world that is shown first.
        found = self.get_queryset().filter(pk=match_id).first()
        if found is None:
            raise NotFound("There is no such match.")
        return found

    @extend_schema(
        summary="The latest forecast of one match",
        parameters=[_id],
        responses={200: PredictionSerializer, **BAD_INPUT, **_none_yet},
    )
    @action(detail=True, filterset_class=None, pagination_class=None)
    def prediction(self, request: Request, pk: str | None = None) -> Response:
        """Return the latest forecast published before kick-off; for a fixture without one, make one now."""
        match, now = self.get_object(), timezone.now()
        try:
            published = ml_selectors.latest_predictions([match.pk]).get(match.pk)
            details = services.forecast_details(match, published, now=now)
        except ml_services.NoForecastError as error:
            raise NoForecastProblem(str(error)) from error
        return Response(PredictionSerializer(services.forecast_shape(match, details, now=now)).data)

    def finalize_response(self, request: Request, response: Response, *args: Any, **kwargs: Any) -> Response:
        """Add an ETag, and answer 304 when the client has the content; caches must revalidate each time."""
        response = super().finalize_response(request, response, *args, **kwargs)
        if response.status_code != 200:
            return response
        patch_cache_control(response, no_cache=True)
        response.add_post_render_callback(lambda rendered: _conditional(request, rendered))
        return response


def _conditional(request: Request, response: Response) -> HttpResponse | None:
    etag = f'"{hashlib.sha256(response.content).hexdigest()[:32]}"'
    response["ETag"] = etag
    return get_conditional_response(request._request, etag=etag, response=response)
