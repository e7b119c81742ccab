"""REST of the feature catalogue."""

from __future__ import annotations

from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework.exceptions import NotFound
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.catalogue import world_of
from apps.api.rest.parameters import QuerySerializer, TextField, WorldParameterField
from apps.api.rest.problems import MEDIA_TYPE
from apps.api.rest.serializers import FeatureListSerializer, ProblemSerializer
from apps.ml import selectors as ml_selectors


class FeaturesQuery(QuerySerializer):
    """Filters of the feature list."""

    world = WorldParameterField()
    family = TextField(required=False, allow_blank=True, help_text="Only features of this family.")
    side = TextField(required=False, allow_blank=True, help_text="Only features of this side.")
    scope = TextField(required=False, allow_blank=True, help_text="Only features of this scope.")
    inputs = TextField(required=False, allow_blank=True, help_text="Only features made of these inputs.")


class FeaturesView(APIView):
    """The catalogue of the champion's features."""

    http_method_names = ["get", "head", "options"]

    @extend_schema(
        operation_id="features",
        summary="The features of the champion and what each means",
        parameters=[FeaturesQuery],
        responses={
            200: FeatureListSerializer,
            **BAD_INPUT,
            (404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="The world has no champion with a list."),
        },
    )
    def get(self, request: Request) -> Response:
        """Return the features in the order of the columns."""
        wanted = FeaturesQuery.parse(request)
        world = world_of(wanted)
        values = {name: value for name, value in wanted.items() if value and name != "world"}
        catalogue = ml_selectors.catalogue(world)
        if catalogue is None:
            raise NotFound(f"The {world} world has no champion with a list of its features yet.")
        rows = [
            {**row, "is_read": row["name"] in catalogue.read}
            for row in catalogue.features
            if all(row[name] == value for name, value in values.items())
        ]
        shape = {
            "world": world,
            "version": catalogue.version.number,
            "catalogue_sha256": catalogue.sha256,
            "count": len(rows),
            "results": rows,
        }
        return Response(FeatureListSerializer(shape).data, headers={"Cache-Control": "no-cache"})
