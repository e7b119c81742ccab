"""REST of live comparisons: versions in shadow against the champion on matches that were graded."""

from __future__ import annotations

from typing import Any, Final

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.catalogue import CatalogueViewSet, world_of
from apps.api.rest.parameters import QuerySerializer, WorldParameterField
from apps.api.rest.problems import MEDIA_TYPE, NotFoundProblem
from apps.api.rest.serializers import ProblemSerializer
from apps.matches.models import World
from apps.ml import selectors as ml_selectors
from apps.ml.selectors import LiveComparison

CHALLENGER: Final = "challenger"
CHAMPION_BEFORE: Final = "champion before"


class LiveComparisonSerializer(serializers.Serializer[dict[str, Any]]):
    """A version in shadow and the champion, on the latest matches of that champion that both forecast, at most 1,000.

    Scores are null before the first of these matches is graded.
    """

    world = serializers.ChoiceField(choices=World.values)
    version = serializers.IntegerField(help_text="Number of the version in shadow.")
    role = serializers.ChoiceField(choices=(CHALLENGER, CHAMPION_BEFORE), help_text="Why it forecasts in shadow.")
    champion = serializers.IntegerField(help_text="Number of the champion.")
    n = serializers.IntegerField(help_text="Graded matches that both forecast.")
    log_loss = serializers.FloatField(allow_null=True, help_text="Of the version, in nats.")
    champion_log_loss = serializers.FloatField(allow_null=True, help_text="Of the champion.")
    difference = serializers.FloatField(allow_null=True, help_text="Log loss of the version less that of the champion.")
    low = serializers.FloatField(allow_null=True, help_text="Lower end of its 95 % interval; null below 30 matches.")
    high = serializers.FloatField(allow_null=True, help_text="Upper end of the interval.")
    rps = serializers.FloatField(allow_null=True, help_text="Ranked probability score of the version.")
    champion_rps = serializers.FloatField(allow_null=True, help_text="Of the champion.")
    url = serializers.URLField()


class LiveComparisonsSerializer(serializers.Serializer[dict[str, Any]]):
    """The previous champion, if any, and the newest challengers."""

    results = LiveComparisonSerializer(many=True)


class LiveComparisonListQuery(QuerySerializer):
    """The world of the comparisons."""

    world = WorldParameterField()


class LiveComparisonViewSet(CatalogueViewSet):
    """Versions in shadow, compared with the champion."""

    serializer_class = LiveComparisonSerializer

    @extend_schema(
        operation_id="live_comparisons",
        summary="Versions in shadow against the champion, on matches that were graded",
        parameters=[LiveComparisonListQuery],
        responses={200: LiveComparisonsSerializer, **BAD_INPUT},
    )
    def list(self, request: Request) -> Response:
        """Return the comparison of each version in shadow."""
        return Response({"results": _rows(request, world_of(LiveComparisonListQuery.parse(request)))})

    @extend_schema(
        operation_id="live_comparison",
        summary="One version in shadow against the champion",
        parameters=[
            OpenApiParameter("world", str, OpenApiParameter.PATH, enum=World.values),
            OpenApiParameter("version", int, OpenApiParameter.PATH, description="Number of the version."),
        ],
        responses={
            200: LiveComparisonSerializer,
            **BAD_INPUT,
            (404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="No such version is in shadow."),
        },
    )
    def retrieve(self, request: Request, world: str, version: int) -> Response:
        """Return the comparison of one version."""
        QuerySerializer.parse(request)
        if world not in World.values:
            raise NotFoundProblem("unknown-world", f"There is no such world; there are {', '.join(World.values)}.")
        for row in _rows(request, World(world)):
            if row["version"] == version:
                return Response(row)
        raise NotFoundProblem("not-in-shadow", f"No version {str(version)[:20]} of the {world} world is in shadow.")


def _rows(request: Request, world: World) -> list[dict[str, Any]]:
    stages = ml_selectors.stages(world)
    if stages.champion is None:
        return []
    champion = stages.champion.version.number
    return [_row(request, found, champion) for found in ml_selectors.live_comparison(world, stages)]


def _row(request: Request, found: LiveComparison, champion: int) -> dict[str, Any]:
    version, scores = found.version, found.scores
    interval = scores.interval if scores else None
    address = f"/api/v1/live-comparisons/{version.world}/{version.number}/"
    return {
        "world": version.world,
        "version": version.number,
        "role": CHAMPION_BEFORE if found.was_champion else CHALLENGER,
        "champion": champion,
        "n": scores.model.n if scores else 0,
        "log_loss": scores.model.log_loss if scores else None,
        "champion_log_loss": scores.other.log_loss if scores else None,
        "difference": scores.difference if scores else None,
        "low": interval.low if interval else None,
        "high": interval.high if interval else None,
        "rps": scores.model.rps if scores else None,
        "champion_rps": scores.other.rps if scores else None,
        "url": request.build_absolute_uri(address),
    }
