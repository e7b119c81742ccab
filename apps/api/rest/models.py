"""REST of model versions."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.catalogue import CatalogueViewSet, world_of
from apps.api.rest.pagination import LARGEST_LIST, CursorField, number_part, page_size_field
from apps.api.rest.parameters import OneOfField, QuerySerializer, WorldParameterField
from apps.api.rest.problems import MEDIA_TYPE, NotFoundProblem
from apps.api.rest.serializers import ProblemSerializer
from apps.matches.models import World
from apps.ml import selectors as ml_selectors
from apps.ml.models import ModelVersion

Measures = serializers.DictField(child=serializers.FloatField())


class ModelVersionSerializer(serializers.ModelSerializer[ModelVersion]):
    """A registered model version with its out-of-sample measures."""

    version = serializers.IntegerField(source="number", help_text="Number of the version in its world.")
    stage = serializers.SerializerMethodField(help_text="What it is on the way to champion.")
    metrics = serializers.SerializerMethodField(help_text="Measure → value, such as log_loss (nats), rps and n.")
    base_metrics = serializers.SerializerMethodField(help_text="The same of the base rates.")
    passed_gates = serializers.BooleanField(help_text="Whether it may become champion by itself.")
    url = serializers.SerializerMethodField()

    class Meta:
        model = ModelVersion
        fields = [
            *(
                "id",
                "world",
                "version",
                "stage",
                "estimator",
                "inputs",
                "profile",
                "rows",
                "trained_from",
                "trained_to",
            ),
            *("data_snapshot", "as_of", "created_at", "metrics", "base_metrics", "passed_gates", "url"),
        ]

    @extend_schema_field(serializers.ChoiceField(choices=ml_selectors.VersionStage.choices))
    def get_stage(self, version: ModelVersion) -> str:
        """Return the stage of the version."""
        return str(self.context["stages"].of(version).value)

    @extend_schema_field(Measures)
    def get_metrics(self, version: ModelVersion) -> dict[str, Any]:
        """Return the measures of the version itself."""
        return _measures(version, version.estimator)

    @extend_schema_field(Measures)
    def get_base_metrics(self, version: ModelVersion) -> dict[str, Any]:
        """Return the measures of the base rates on the same matches."""
        return _measures(version, "base_rates")

    @extend_schema_field(serializers.URLField())
    def get_url(self, version: ModelVersion) -> str:
        """Return the address of the version."""
        return str(self.context["request"].build_absolute_uri(f"/api/v1/models/{version.world}/{version.number}/"))


class GateSerializer(serializers.Serializer[dict[str, Any]]):
    """A check that a version passed, or did not."""

    name = serializers.CharField()
    passed = serializers.BooleanField()
    value = serializers.FloatField(allow_null=True)
    bound = serializers.FloatField(allow_null=True)
    reason = serializers.CharField()


class ModelVersionDetailSerializer(ModelVersionSerializer):
    """A model version with its gates, and what it was made of."""

    gates = GateSerializer(many=True)
    columns = serializers.ListField(child=serializers.CharField(), help_text="Names of the features that it reads.")

    class Meta(ModelVersionSerializer.Meta):
        fields = [
            *ModelVersionSerializer.Meta.fields,
            *("gates", "columns", "key", "data_sha256", "params_sha256", "code_revision", "bundle_sha256"),
        ]


class ModelListQuery(QuerySerializer):
    """Which model versions, the newest first."""

    world = WorldParameterField()
    stage = OneOfField(ml_selectors.VersionStage.values, required=False, help_text="Only versions of this stage.")
    ordering = OneOfField(("-version", "version"), default="-version", help_text="The newest first, or the oldest.")
    cursor = CursorField(number_part)
    page_size = page_size_field(default=50, largest=LARGEST_LIST)


class ModelViewSet(CatalogueViewSet):
    """Model versions."""

    serializer_class = ModelVersionSerializer

    @extend_schema(
        operation_id="models",
        summary="Model versions of a world, the newest first",
        parameters=[ModelListQuery],
        responses={200: ModelVersionSerializer(many=True), **BAD_INPUT},
    )
    def list(self, request: Request) -> Response:
        """Return one page of versions."""
        query = ModelListQuery.parse(request)
        world = world_of(query)
        self.stages = ml_selectors.stages(world)
        found = ml_selectors.model_versions(world).defer("bundle", "columns")
        if query.get("stage"):
            of = ml_selectors.model_versions(world).defer("bundle", "metrics", "columns")
            found = found.filter(pk__in=[each.pk for each in of if self.stages.of(each) == query["stage"]])
        return self.page_of(found, request, query, order=["-number" if query["ordering"] != "version" else "number"])

    @extend_schema(
        operation_id="model",
        summary="One model version",
        parameters=[
            OpenApiParameter("world", str, OpenApiParameter.PATH, enum=World.values),
            OpenApiParameter("version", int, OpenApiParameter.PATH, description="Number of the version."),
        ],
        responses={
            200: ModelVersionDetailSerializer,
            **BAD_INPUT,
            (404, MEDIA_TYPE): OpenApiResponse(ProblemSerializer, description="There is no such version."),
        },
    )
    def retrieve(self, request: Request, world: str, version: int) -> Response:
        """Return one version."""
        QuerySerializer.parse(request)
        if world not in World.values:
            raise NotFoundProblem("unknown-world", f"There is no such world; there are {', '.join(World.values)}.")
        found = ml_selectors.model_version(World(world), version) if version < 2**31 else None
        if found is None:
            raise NotFoundProblem("unknown-model", f"The {world} world has no model version {str(version)[:20]}.")
        self.stages = ml_selectors.stages(World(world))
        return Response(ModelVersionDetailSerializer(found, context=self.get_serializer_context()).data)

    def get_serializer_context(self) -> dict[str, Any]:
        """Return what serializers need, with the stages of the world's versions."""
        return {**super().get_serializer_context(), "stages": getattr(self, "stages", None)}


def _measures(version: ModelVersion, estimator: str) -> dict[str, Any]:
    measures = version.metrics.get("models", {}).get(estimator, {})
    return {name: value for name, value in measures.items() if isinstance(value, int | float)}
