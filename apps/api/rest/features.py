"""REST for the catalogue of features."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.problems import MEDIA_TYPE
from apps.api.rest.serializers import FeatureListSerializer, ProblemSerializer
from apps.matches.models import World
from apps.ml import selectors as ml_selectors

_FEATURE_PARAMETERS = ("world", "family", "side", "scope", "inputs")


class FeaturesView(APIView):
    """What the features of the champion mean."""

    authentication_classes: list[Any] = []
    permission_classes: list[Any] = []
    http_method_names = ["get", "head", "options"]

    @extend_schema(
        operation_id="features",
        summary="The features of the champion and what each means",
        parameters=[
            OpenApiParameter(
                "world", str, enum=World.values, description="Default: the one that the site shows first."
            ),
            *(
                OpenApiParameter(name, str, description=f"Features with exactly this {name} alone.")
                for name in _FEATURE_PARAMETERS[1:]
            ),
        ],
        responses={
            200: FeatureListSerializer,
            **BAD_INPUT,
            (404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="The world has no champion with a list."),
        },
    )
    def get(self, request: Request) -> Response:
        """Answer with all features in the order of the columns."""
        asked = request.query_params
        unknown = sorted(set(asked) - set(_FEATURE_PARAMETERS))
        if unknown:
            known = ", ".join(_FEATURE_PARAMETERS)
            raise ValidationError(dict.fromkeys(unknown, f"There is no such parameter; there are {known}."))
        world = asked.get("world") or ml_selectors.served_world()
        if world not in World.values:
            raise ValidationError({"world": f"It must be one of {', '.join(World.values)}."})
        found = ml_selectors.catalogue(World(world))
        if found is None:
            raise NotFound(f"The {world} world has no champion with a list of its features yet.")
        wanted = {name: asked[name] for name in _FEATURE_PARAMETERS[1:] if name in asked}
        rows = [
            {**row, "is_read": row["name"] in found.read}
            for row in found.features
            if all(row[name] == value for name, value in wanted.items())
        ]
        shape = {
            "world": world,
            "version": found.version.number,
            "catalogue_sha256": found.sha256,
            "count": len(rows),
            "results": rows,
        }
        return Response(FeatureListSerializer(shape).data)
