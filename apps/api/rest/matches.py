"""REST of matches and their forecasts."""

from __future__ import annotations

from typing import Any, Final

from django.db.models import BigIntegerField, QuerySet
from django.utils import timezone
from django_filters.utils import translate_validation
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_view
from rest_framework import serializers, viewsets
from rest_framework.decorators import action
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api import services
from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.caching import ConditionalMixin
from apps.api.rest.filters import MatchFilter
from apps.api.rest.pagination import KeysetPages, MatchPageQuery, matches_from
from apps.api.rest.parameters import ModelField, NamesField, QuerySerializer, WholeNumberField
from apps.api.rest.problems import MEDIA_TYPE, NoForecastProblem, NotFoundProblem, Problem
from apps.api.rest.response_cache import allow_caching
from apps.api.rest.serializers import MatchSerializer, PredictionSerializer, ProblemSerializer
from apps.matches import selectors as matches
from apps.matches.models import Match
from apps.ml import services as ml_services

_unknown = {(404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="There is no such match.")}
_none_yet = {
    (404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="No such match, or no forecast of it yet.")
}
_ID = WholeNumberField(min_value=0, max_value=BigIntegerField.MAX_BIGINT, reason="It must be a whole number.")
_id = OpenApiParameter("id", int, OpenApiParameter.PATH, description="Id of the match.")


LOADING_SECONDS: Final = 5
"""Seconds after which a client should repeat a request for a version that is being loaded."""

PREDICTION_PATH: Final = r"/api/v1/matches/(?P<id>\d{1,18})/prediction/"
"""Pattern of the address of a forecast."""

PREDICTION_VIEW: Final = "match-prediction"


class PredictionQuery(QuerySerializer):
    """Which forecast of a match, and how much of it."""

    model = ModelField(help_text="champion, challenger or the number of a version; any that was published by default.")
    as_of = serializers.DateTimeField(
        required=False,
        help_text="The forecast that stood at this moment; the latest by default.",
        error_messages={"invalid": "It must be a moment such as 2024-02-01T00:00:00Z."},
    )
    include = NamesField(services.MEMBERS, help_text=f"Some of {', '.join(services.MEMBERS)}, separated by commas.")


@extend_schema_view(
    list=extend_schema(
        summary="Matches ordered by kick-off",
        parameters=[MatchPageQuery],
        responses={200: MatchSerializer(many=True), **BAD_INPUT},
    ),
    retrieve=extend_schema(
        summary="One match", parameters=[_id], responses={200: MatchSerializer, **BAD_INPUT, **_unknown}
    ),
)
class MatchViewSet(ConditionalMixin, viewsets.ReadOnlyModelViewSet[Match]):
    """Matches, each with the address of its forecast."""

    serializer_class = MatchSerializer
    pagination_class = KeysetPages
    filterset_class = MatchFilter
    http_method_names = ["get", "head", "options"]

    def get_queryset(self) -> QuerySet[Match]:
        return matches.matches().select_related("stats")

    def list(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one page of matches."""
        query = MatchPageQuery.parse(request, others=MatchFilter.base_filters)
        filters = MatchFilter(request.query_params, queryset=Match.objects.all(), request=request)
        if not filters.is_valid():
            raise translate_validation(filters.errors)
        pages = KeysetPages()
        read = matches_from(filters.branches)
        page: list[Match] = pages.page_of(
            lambda position, limit: read(position, limit).prefetch_related("stats"),
            lambda match: (match.kickoff_at, match.pk),
            request,
            size=query["page_size"],
            position=query.get("cursor"),
        )
        return pages.get_paginated_response(self.get_serializer(page, many=True).data)

    def retrieve(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Return one match."""
        QuerySerializer.parse(request)
        return super().retrieve(request, *args, **kwargs)

    def _match_id(self) -> int:
        """Return the id in the address; refuse one that is not a whole number."""
        try:
            match_id: int = _ID.run_validation(str(self.kwargs["pk"]))
        except ValidationError as error:
            raise ValidationError({"id": error.detail}) from error
        return match_id

    def get_object(self) -> Match:
        """Return the match that the address names."""
        # Not by the filters of the list: without parameters they select the world that is shown first.
        found = self.get_queryset().filter(pk=self._match_id()).first()
        if found is None:
            raise NotFound("There is no such match.")
        return found

    @extend_schema(
        summary="The forecast of one match",
        description=(
            "The latest forecast that was published before the kick-off; for a fixture without one, a forecast made "
            "now. Probabilities have five decimals and sum to 1; the scorelines sum to them within 0.00001. While a "
            "feed tells minute and score, `live` has the chances that follow from these and the forecast; they are not "
            "graded."
        ),
        parameters=[_id, PredictionQuery],
        responses={
            200: PredictionSerializer,
            **BAD_INPUT,
            **_none_yet,
            (422, MEDIA_TYPE): OpenApiResponse(
                ProblemSerializer, description="model-not-served: this version cannot make the forecast; it says why."
            ),
            (503, MEDIA_TYPE): OpenApiResponse(
                ProblemSerializer, description="The version is being loaded; `Retry-After` says when to ask again."
            ),
        },
    )
    @action(detail=True, filterset_class=None, pagination_class=None)
    def prediction(self, request: Request, pk: str | None = None) -> Response:
        """Return the latest forecast published before kick-off; for a fixture without one, make one now."""
        query: dict[str, Any] = PredictionQuery.parse(request) if request.query_params else {}
        now = timezone.now()
        try:
            match, details = services.forecast_of(
                self._match_id(), model=query.get("model", ""), at=query.get("as_of"), now=now
            )
        except ml_services.NoForecastError as error:
            raise NoForecastProblem(str(error)) from error
        except services.UnknownMatchError as error:
            raise NotFound(str(error)) from error
        except services.UnknownModelError as error:
            raise NotFoundProblem("unknown-model", str(error)) from error
        except ml_services.NotServedError as error:
            raise Problem(422, "model-not-served", str(error), members={"parameter": "model"}) from error
        except ml_services.StillLoadingError as error:
            raise Problem(503, "model-loading", str(error), wait=LOADING_SECONDS) from error
        if details.published_at is not None:
            allow_caching(request.META, match=match, live=details.live_score, view=PREDICTION_VIEW, now=now)
        return Response(services.forecast_shape(match, details, include=query.get("include", ()), now=now))
