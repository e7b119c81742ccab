"""REST of the gap to the closing line: that of published forecasts beside that of the champion's back-test."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response

from apps.api.rest.answers import BAD_INPUT
from apps.api.rest.catalogue import CatalogueViewSet, world_of
from apps.api.rest.parameters import QuerySerializer, WorldParameterField
from apps.matches.models import World
from apps.ml import selectors as ml_selectors
from apps.ml.models import ClosingGap


class GapIntervalSerializer(serializers.Serializer[dict[str, Any]]):
    """A mean difference with its likely range, whose ends are null with few matches."""

    mean = serializers.FloatField()
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)


class GapSerializer(serializers.Serializer[dict[str, Any]]):
    """Scores of forecasts less those of the closing line on the same matches; above 0 the line was better."""

    n = serializers.IntegerField(help_text="Matches with closing prices.")
    of = serializers.IntegerField(help_text="Matches with or without.")
    log_loss = GapIntervalSerializer(allow_null=True, help_text="In nats; null without closing prices.")
    rps = GapIntervalSerializer(allow_null=True, help_text="Ranked probability score; null without closing prices.")


class BackTestedGapSerializer(GapSerializer):
    """The same of the champion's newest back-test, on the latest finished season of each competition."""

    version = serializers.IntegerField(allow_null=True, help_text="Number of the version.")
    first_at = serializers.DateTimeField(allow_null=True, help_text="Kick-off of the first match.")
    latest_at = serializers.DateTimeField(allow_null=True, help_text="Kick-off of the latest match.")


class GapDifferenceSerializer(serializers.Serializer[dict[str, Any]]):
    """The live gap less the back-tested one."""

    log_loss = GapIntervalSerializer()
    rps = GapIntervalSerializer()


class GapPowerSerializer(serializers.Serializer[dict[str, Any]]):
    """How many graded matches it takes until a difference of both gaps is seen."""

    difference = serializers.FloatField(help_text="The difference that is to be seen, in nats.")
    power = serializers.FloatField(help_text="Share of cases in which it is to be seen.")
    level = serializers.FloatField(help_text="Level of the interval that must not hold 0 then.")
    needed = serializers.IntegerField(
        allow_null=True, help_text="Graded matches with closing prices; null where the back-test is too short for any."
    )
    more = serializers.IntegerField(allow_null=True, help_text="Those of them that are still missing.")
    seen = serializers.FloatField(
        allow_null=True, help_text="The smallest difference that the matches of now show with this power."
    )


class ClosingGapSerializer(serializers.Serializer[dict[str, Any]]):
    """Published forecasts and the champion's back-test against the closing line; what is not known is null."""

    world = serializers.ChoiceField(choices=World.values)
    live = GapSerializer(allow_null=True, help_text="All graded published forecasts.")
    back_test = BackTestedGapSerializer(allow_null=True)
    difference = GapDifferenceSerializer(allow_null=True)
    power = GapPowerSerializer(allow_null=True)
    computed_at = serializers.DateTimeField(allow_null=True)


class ClosingGapQuery(QuerySerializer):
    """The world of the gap."""

    world = WorldParameterField()


class ClosingGapViewSet(CatalogueViewSet):
    """The gap to the closing line."""

    serializer_class = ClosingGapSerializer
    pagination_class = None

    @extend_schema(
        operation_id="closing_gap",
        summary="Live and back-tested forecasts against the closing line, and the power to tell both apart",
        parameters=[ClosingGapQuery],
        responses={200: ClosingGapSerializer, **BAD_INPUT},
    )
    def retrieve(self, request: Request) -> Response:
        """Return the gap of a world."""
        world = world_of(ClosingGapQuery.parse(request))
        return Response(ClosingGapSerializer(_shape(world, ml_selectors.closing_gap(world))).data)


def _shape(world: World, gap: ClosingGap | None) -> dict[str, Any]:
    if gap is None:
        unknown = dict.fromkeys(("live", "back_test", "difference", "power", "computed_at"))
        return {"world": world.value, **unknown}
    content = gap.content
    back_test = content["back_test"] and {
        **content["back_test"],
        "version": gap.version.number if gap.version else None,
        "first_at": _moment(content["back_test"].get("from")),
        "latest_at": _moment(content["back_test"].get("to")),
    }
    return {**content, "world": world.value, "back_test": back_test, "computed_at": gap.computed_at}


def _moment(seconds: int | None) -> datetime | None:
    return None if seconds is None else datetime.fromtimestamp(seconds, UTC)
